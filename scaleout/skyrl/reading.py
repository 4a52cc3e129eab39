"""Tokens between SkyRL and the project: turns keep their token ids, answers become harmony messages.

    reader = Reader.of(tokenizer)
    turn = reader.turn(response_ids)          # a str with its special tokens, and turn.ids
    reader.observed([{"role": "tool", "name": "think", "content": "…"}])     # the ids the model reads next

SkyRL gives an environment text without special tokens (`to=functions.thinkcommentary json{…}`), in which no
reader can see where a header ends. A `Turn` is the text as it was written and carries the ids, so that the
strict parser can tell the token <|call|> from somebody typing it.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.harmony import Message, ToolResult, User, render
from pipeline.harmony_parse import Vocabulary
from pipeline.model import STOPS


class Turn(str):
    """What the model wrote in one turn: the text, special tokens kept, with its token ids."""

    ids: tuple[int, ...] = ()

    @classmethod
    def of(cls, text: str, ids: Sequence[int]) -> Turn:
        """A turn with its ids."""
        turn = cls(text)
        turn.ids = tuple(ids)
        return turn


@dataclass(frozen=True, eq=False)
class Reader:
    """A tokenizer as the episodes of a run need it; a lock, because SkyRL steps environments in threads."""

    vocabulary: Vocabulary
    encode: Callable[[str], list[int]]
    ends: frozenset[int]  # where a turn ends: the tokens of pipeline.model.STOPS

    @classmethod
    def of(cls, tokenizer: Any) -> Reader:
        """A reader with a copy of the tokenizer of its own: one tokenizer must not serve two threads."""
        own, lock = copy.deepcopy(tokenizer), threading.Lock()
        vocabulary = Vocabulary.of(own)
        ends = frozenset(token for token, text in vocabulary.specials.items() if text in STOPS)
        if len(ends) < 2:
            raise ValueError(
                "the tokenizer lacks <|call|> and <|return|>, so this model does not write harmony; "
                "use a GPT-OSS model"
            )

        def encode(text: str) -> list[int]:
            with lock:
                return own(text, add_special_tokens=False)["input_ids"]

        def decode(ids: list[int]) -> str:
            with lock:
                return vocabulary.decode(ids)

        return cls(Vocabulary(vocabulary.specials, decode), encode, ends)

    def turn(self, ids: Sequence[int]) -> Turn:
        """A generated turn, nothing stripped."""
        return Turn.of(self.vocabulary.decode(list(ids)), ids)

    def observed(self, observations: Sequence[Mapping[str, str]]) -> list[int]:
        """What the model is told after its turn, up to the <|start|>assistant after which it writes."""
        messages = [message_of(observation) for observation in observations]
        return self.encode(render(messages, generation_prompt=True))


def message_of(observation: Mapping[str, str]) -> Message:
    """A tool's answer or the customer's words, from the dictionary SkyRL carries them in."""
    match observation:
        case {"role": "tool", "name": str(name), "content": str(text)}:
            return ToolResult(name, text)
        case {"role": "user", "content": str(text)}:
            return User(text)
    raise ValueError(
        f"an observation is a user's message, or a tool's with its name, not {dict(observation)!r:.200}"
    )


def observation_of(message: Message) -> dict[str, str]:
    """The way back: the dictionary for a tool's answer or the customer's words."""
    if isinstance(message, ToolResult):
        return {"role": "tool", "name": message.name, "content": message.text}
    assert isinstance(message, User), message
    return {"role": "user", "content": message.text}
