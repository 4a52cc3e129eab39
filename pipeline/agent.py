"""What an agent reads and writes: the contract between the loop that plays episodes and whoever acts in them.

    agent.write([History([Told(...)], room=200, chance=random.Random(1))])    # [Written(...)]

An agent is a model in this process (`pipeline.local_agent`), a served one (`pipeline.endpoint_agent`), or a
script in a test. It gets the transcripts of the episodes that wait for a turn and answers with their turns.
A transcript is kept as it came about, in text and, for an agent that reads tokens, in token ids: nothing in
it is ever rendered or tokenized anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from pipeline.harmony import Message
from pipeline.harmony_parse import Vocabulary


@dataclass(frozen=True)
class Told:
    """What the agent is given to read: the prompt, a tool's answer, the customer's words."""

    messages: tuple[Message, ...]
    text: str  # ends with the `<|start|>assistant` after which the agent writes
    ids: tuple[int, ...] = ()  # where the agent reads tokens


@dataclass(frozen=True)
class Written:
    """One turn of the agent, from after `<|start|>assistant` on."""

    text: str
    ids: tuple[int, ...] = ()  # where the agent writes tokens
    logprobs: tuple[float, ...] | None = None  # of these tokens, in the distribution they were drawn from
    tokens: int = 0  # how many were generated, where their ids are not seen
    cut: bool = False  # a limit ended it, not the agent
    error: str = ""  # why there is no turn
    raw: Any = None  # the turn in the agent's own form


@dataclass
class History:
    """One running episode as its agent sees it."""

    transcript: list[Told | Written]
    room: int | None  # how many tokens the next turn may have
    chance: Random  # the episode's own, so that a sampled turn does not depend on who else is in the batch
    memory: Any = None  # the agent's, from one call to the next


class Agent(Protocol):
    """Who acts. One that answers each episode by itself, and not all at once, has `one_by_one = True`."""

    vocabulary: Vocabulary | None  # how to read its token ids; None where its turns are text

    def encode(self, text: str) -> Sequence[int]:
        """The tokens of a text it is told; none where it reads text."""

    def write(self, histories: Sequence[History]) -> Sequence[Written | None]:
        """The next turn of each; None, but not for all, where it is not ready and must be asked for again."""
