"""How fast our strict parser reads gpt-oss's tokens, beside that of OpenAI's own package, which is Rust.

    python -m benchmarks.parser            # some 40 episodes, a few seconds

Both get the same token ids of the same rendered episodes (demonstrations of the project's own tasks, thoughts
included) and gpt-oss's own vocabulary, and must find the same messages before anything is timed. Ours gives
a verdict, reads each call's arguments as one JSON object and refuses what is not strictly right. Theirs gives
messages with author, channel, recipient and text, leaves the arguments as text, and lets more pass; its Rust
part hands the messages over as JSON, of which its Python part makes pydantic objects. So it is timed twice:
as a program uses it, and its Rust part alone.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import timing
from benchmarks.work import held_out_tasks
from envs.retail.database import Shop
from envs.retail.tasks import Task
from envs.retail.tools import TOOLS
from pipeline.datasets import real_vocabulary
from pipeline.demonstrations import demonstrate
from pipeline.harmony import Call, Message, User, render, unescape
from pipeline.harmony_parse import parse_transcript
from pipeline.harmony_pieces import SPECIAL, Vocabulary

OURS, THEIRS, RUST = "ours", "openai-harmony", "its Rust part alone"


@dataclass(frozen=True)
class Reader:
    """A parser, and how to see its messages as (who, text) to hold two parsers against each other."""

    read: Callable[[list[int]], Any]
    messages: Callable[[Any], list[tuple[str, Any]]]


def vocabulary_of(encoding: Any) -> Vocabulary:
    """gpt-oss's own vocabulary, for our parser."""
    names = [name for name in encoding.special_tokens_set if SPECIAL.fullmatch(name)]
    ids = {encoding.encode(name, allowed_special="all")[0]: name for name in names}
    return Vocabulary(ids, encoding.decode)


def episodes(shop: Shop, tasks: Sequence[Task], encoding: Any) -> list[list[int]]:
    """What comes after the first `<|start|>assistant` of each task's demonstration, as token ids."""
    found = []
    for task in tasks:
        first, *rest = demonstrate(shop, task, thoughts=True).messages
        assert isinstance(first, User)
        text = render(rest).removeprefix("<|start|>assistant")
        found.append(encoding.encode(text, allowed_special="all"))
    return found


def readers(encoding: Any) -> dict[str, Reader]:
    """Ours and theirs."""
    from openai_harmony import Role

    vocabulary, role = vocabulary_of(encoding), str(Role.ASSISTANT.value)
    found = {
        OURS: Reader(lambda ids: parse_transcript(ids, TOOLS, vocabulary), _our_messages),
        THEIRS: Reader(
            lambda ids: encoding.parse_messages_from_completion_tokens(ids, Role.ASSISTANT), _their_messages
        ),
    }
    inner = getattr(getattr(encoding, "_inner", None), "parse_messages_from_completion_tokens", None)
    if inner:  # not a public name: another version may have none
        found[RUST] = Reader(lambda ids: inner(ids, role, True), _rust_messages)
    return found


def _our_messages(turns: Any) -> list[tuple[str, Any]]:
    messages = [message for turn in turns for message in (*turn.told, *turn.messages)]
    return [_seen(message) for message in messages]


def _seen(message: Message) -> tuple[str, Any]:
    if isinstance(message, Call):
        return f"to {message.name}", message.arguments
    return ("user" if isinstance(message, User) else "text"), message.text  # type: ignore[union-attr]


def _their_messages(messages: Any) -> list[tuple[str, Any]]:
    return [_shown(one.author.role.value, one.recipient, one.content[0].text) for one in messages]


def _rust_messages(text: str) -> list[tuple[str, Any]]:
    from openai_harmony import Message as Theirs

    return _their_messages([Theirs.from_dict(one) for one in json.loads(text)])


def _shown(role: str, recipient: str | None, text: str) -> tuple[str, Any]:
    if role == "assistant" and recipient:
        return f"to {recipient.removeprefix('functions.')}", json.loads(unescape(text))
    return ("user" if role == "user" else "text"), unescape(text)


def require_same_messages(found: dict[str, Reader], texts: Sequence[list[int]]) -> None:
    """Refuse to time parsers that read an episode differently."""
    for ids in texts:
        read = [reader.messages(reader.read(ids)) for reader in found.values()]
        if any(one != read[0] for one in read[1:]):
            raise SystemExit("the two parsers read an episode differently, so their times cannot be compared")


def measure(tasks: Sequence[Task], rounds: int, passes: int) -> dict[str, timing.Rounds] | None:
    """Seconds for a token with each parser, in turns; None where OpenAI's package is missing."""
    encoding = real_vocabulary()
    if encoding is None:
        return None
    texts, found = episodes(Shop.load(), tasks, encoding), readers(encoding)
    require_same_messages(found, texts)
    tokens = sum(map(len, texts))

    def reading(reader: Reader) -> timing.Work:
        def run() -> int:
            for _ in range(passes):
                for ids in texts:
                    reader.read(ids)
            return passes * tokens

        return lambda: run

    return timing.interleaved({name: reading(reader) for name, reader in found.items()}, rounds)


def main() -> None:
    """Measure and print."""
    samples = measure(held_out_tasks()[:40], rounds=5, passes=3)
    if samples is None:
        raise SystemExit("needs the package oss-harmony: pip install -r requirements-dev.txt")
    for name, found in samples.items():
        faster = timing.ratio(found, samples[OURS])
        print(f"{name:24}{1e6 * timing.typical(found, 'cpu'):8.3f} µs a token, {faster.median:.2f} of ours")


if __name__ == "__main__":
    main()
