"""Transcripts for the reader: right ones from the grammar, and what is left of them after some mutations.

    draft = any_draft(rng, TOOL_NAMES)
    draft.text, draft.kind, draft.messages     # messages: what a right one must be read as, else None

A transcript is cut into special tokens and the words between; a mutation drops, doubles, moves, splits or
replaces such a piece, puts in something hostile, breaks the JSON of a call, or cuts the whole off.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from pipeline.harmony import Analysis, Call, Final, Message, Preamble, ToolResult, User, render
from pipeline.harmony_pieces import SPECIAL
from reliability import hostile

_PIECES = re.compile(f"({SPECIAL.pattern})")
START = "<|start|>assistant"
Pieces = list[str]


@dataclass(frozen=True)
class Draft:
    """An input, how it came about, and its messages where it is right."""

    text: str
    kind: str
    messages: tuple[Message, ...] | None = None

    @classmethod
    def right(cls, rng: Random, tools: Sequence[str]) -> "Draft":
        """A turn as it should be, or an episode of several."""
        messages = turn(rng, tools)
        whole = messages if rng.random() < 0.75 else _episode(rng, tools, messages)
        text = render(whole, call_form=rng.choice(("role", "channel")))[len(START) :]
        return cls(text, "right turn" if whole is messages else "right episode", tuple(whole))

    def mutated(self, rng: Random) -> "Draft":
        """What one to four mutations leave of it; one in twenty is noise instead."""
        if rng.random() < 0.05:
            return Draft(_noise(rng), "noise")
        pieces, names = _PIECES.split(self.text), []
        for _ in range(rng.choice((1, 1, 1, 1, 2, 4))):
            name, mutate = rng.choice(MUTATIONS)
            names.append(name)
            pieces = mutate(rng, pieces)
        return Draft("".join(pieces), names[0] if len(names) == 1 else "several mutations")


@lru_cache(maxsize=4)
def right_draft(seed: str, tools: tuple[str, ...]) -> Draft:
    """A right transcript told by its seed; kept for the cases that are mutated from the same one."""
    return Draft.right(Random(seed), tools)


def any_draft(rng: Random, tools: Sequence[str]) -> Draft:
    """A right transcript, one in eight, or a mutated one."""
    right = Draft.right(rng, tools)
    return right if rng.random() < 1 / 8 else right.mutated(rng)


def turn(rng: Random, tools: Sequence[str]) -> list[Message]:
    """What the model writes until it stops."""
    messages: list[Message] = [Analysis(hostile.words(rng)) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    if rng.random() < 0.3:
        messages.append(Preamble(hostile.words(rng)))
    if rng.random() < 0.4:
        return [*messages, Final(hostile.words(rng))]
    arguments = {hostile.words(rng, 3).encode(errors="replace").decode(): hostile.value(rng)}
    return [*messages, Call(rng.choice(tools), arguments if rng.random() < 0.8 else {})]


def _episode(rng: Random, tools: Sequence[str], messages: list[Message]) -> list[Message]:
    whole = list(messages)
    for _ in range(rng.randrange(1, 4)):
        last, words = whole[-1], hostile.words(rng)
        whole.append(ToolResult(last.name, words) if isinstance(last, Call) else User(words))
        whole += turn(rng, tools)
    return whole


def _noise(rng: Random) -> str:
    if rng.random() < 0.5:
        return hostile.noise(rng)
    return "".join(rng.choice(hostile.SPECIALS + hostile.HEADERS) for _ in range(rng.randrange(12)))


def _at(rng: Random, pieces: Pieces) -> int:
    return rng.randrange(max(1, len(pieces)))


def _drop(rng: Random, pieces: Pieces) -> Pieces:
    at = _at(rng, pieces)
    return pieces[:at] + pieces[at + rng.choice((1, 1, 2, 3)) :]


def _double(rng: Random, pieces: Pieces) -> Pieces:
    at = _at(rng, pieces)
    return pieces[:at] + pieces[at : at + rng.choice((1, 2, 4))] * rng.choice((2, 2, 3, 40)) + pieces[at:]


def _move(rng: Random, pieces: Pieces) -> Pieces:
    pieces = list(pieces)
    piece = pieces.pop(_at(rng, pieces)) if pieces else ""
    pieces.insert(rng.randrange(len(pieces) + 1), piece)
    return pieces


def _split(rng: Random, pieces: Pieces) -> Pieces:
    """A special token with something in its middle is none any more."""
    return _changed(
        rng, pieces, lambda piece: _inserted(rng, piece, rng.choice(("", " ", "\u200b", "¦", "\n", "|")))
    )


def _swap(rng: Random, pieces: Pieces) -> Pieces:
    pieces, one, other = list(pieces), _at(rng, pieces), _at(rng, pieces)
    if pieces:
        pieces[one], pieces[other] = pieces[other], pieces[one]
    return pieces


def _replace(rng: Random, pieces: Pieces) -> Pieces:
    new = rng.choice(rng.choice((hostile.SPECIALS, hostile.HEADERS, hostile.LOOK_ALIKES)))
    return _changed(rng, pieces, lambda piece: new)


def _other_special(rng: Random, pieces: Pieces) -> Pieces:
    """One special token in the place of another, such as <|end|> where a call ends."""
    there = [n for n, piece in enumerate(pieces) if piece in hostile.SPECIALS]
    at = rng.choice(there[-1:] + there) if there else 0
    return [*pieces[:at], rng.choice(hostile.SPECIALS[:8]), *pieces[at + 1 :]]


def _header_word(rng: Random, pieces: Pieces) -> Pieces:
    """A word more at the end of a header, or before it."""
    there = [n for n, piece in enumerate(pieces) if piece in ("<|channel|>", "<|message|>", "<|constrain|>")]
    at = rng.choice(there) if there else 0
    return [*pieces[:at], rng.choice(hostile.HEADERS), *pieces[at:]]


def _insert(rng: Random, pieces: Pieces) -> Pieces:
    new = rng.choice(rng.choice((hostile.SPECIALS, hostile.HEADERS, hostile.LOOK_ALIKES, hostile.ODD)))
    return _changed(rng, pieces, lambda piece: _inserted(rng, piece, new))


def _characters(rng: Random, pieces: Pieces) -> Pieces:
    def changed(piece: str) -> str:
        at = rng.randrange(len(piece) + 1)
        return (
            piece[:at]
            + rng.choice(("", chr(rng.randrange(256)), piece[at : at + 1].swapcase()))
            + piece[at + 1 :]
        )

    return _changed(rng, pieces, changed)


def _cut(rng: Random, pieces: Pieces) -> Pieces:
    text = "".join(pieces)
    return _PIECES.split(text[: rng.randrange(len(text) + 1)])


def _break_json(rng: Random, pieces: Pieces) -> Pieces:
    bodies = [n for n, piece in enumerate(pieces) if piece.startswith("{")]
    if not bodies:
        return _insert(rng, pieces)
    pieces = list(pieces)
    pieces[rng.choice(bodies)] = hostile.json_text(rng)
    return pieces


def _noisy(rng: Random, pieces: Pieces) -> Pieces:
    new = hostile.noise(rng, 60)
    return _changed(rng, pieces, lambda piece: _inserted(rng, piece, new))


def _changed(rng: Random, pieces: Pieces, change: Callable[[str], str]) -> Pieces:
    at = _at(rng, pieces)
    return [*pieces[:at], change(pieces[at] if pieces else ""), *pieces[at + 1 :]]


def _inserted(rng: Random, piece: str, new: str) -> str:
    at = rng.randrange(len(piece) + 1)
    return piece[:at] + new + piece[at:]


MUTATIONS: tuple[tuple[str, Callable[[Random, Pieces], Pieces]], ...] = (
    ("piece dropped", _drop),
    ("piece doubled", _double),
    ("piece moved", _move),
    ("pieces swapped", _swap),
    ("piece split", _split),
    ("piece replaced", _replace),
    ("special token exchanged", _other_special),
    ("special token exchanged", _other_special),
    ("header word put in", _header_word),
    ("something put in", _insert),
    ("character changed", _characters),
    ("cut off", _cut),
    ("JSON broken", _break_json),
    ("JSON broken", _break_json),
    ("noise put in", _noisy),
)
