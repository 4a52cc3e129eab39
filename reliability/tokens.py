"""The strict reader on token ids, as rewards read: a special token counts, its characters typed out do not.

reader = Tokens.load()
reader.problem([2504, 17, 2507, 99])        # "" where it holds
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from random import Random
from typing import Any

from pipeline.harmony_parse import Parsed, parse, parse_transcript
from pipeline.harmony_pieces import SPECIAL, Vocabulary
from pipeline.runs import ROOT
from pipeline.strict import Verdict
from pipeline.toolrl.read import text_of
from reliability import hostile
from reliability.reading import NAMES, Problem, attempt, draft_plan, of_one, smallest_failing, written_anew
from reliability.transcripts import Draft, any_draft
from reliability.trial import Found, Setting, Trial, sized

TOKENIZER = ROOT / "data" / "tiny_base" / "tokenizer.json"
_SPACED = re.compile(r"<\|end\|>\s+<\|start\|>")
BEYOND = 200  # ids above the vocabulary: a model's output layer may be wider than its tokenizer

ABOUT = """
The same transcripts as token ids of the tiny model's vocabulary, and ids after mutations of their own:
dropped, doubled, moved, cut off, replaced by any id (ids that no token has among them), special tokens
spelled out in ordinary ones.

Beside what holds for text: where the decoded text has no more special tokens than the ids, text and ids
are read the same; special tokens that were only typed are never structure (the ids are read as the text
in which these are escaped); right turns are read as what they were made of.
"""


@dataclass(frozen=True)
class _AsTransformers:
    """As much of a tokenizer of transformers as a vocabulary is made from: importing that takes seconds."""

    tokenizer: Any

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def get_added_vocab(self) -> dict[str, int]:
        return {token.content: number for number, token in self.tokenizer.get_added_tokens_decoder().items()}

    def decode(self, ids: list[int], clean_up_tokenization_spaces: bool) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False)


@dataclass(frozen=True)
class Tokens:
    """A tokenizer, and the reader's view of it."""

    tokenizer: Any
    vocabulary: Vocabulary

    @classmethod
    @cache
    def load(cls) -> Tokens:
        """That of the tiny model; loads no torch."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        return cls(tokenizer, Vocabulary.of(_AsTransformers(tokenizer)))

    def ids(self, text: str) -> list[int]:
        """Text as ids; a lone half of a surrogate pair has none."""
        return self.tokenizer.encode(text.encode(errors="replace").decode(), add_special_tokens=False).ids

    def typed(self, text: str) -> list[int]:
        """Text as ids of ordinary tokens only."""
        return [number for letter in text for number in self.ids(letter)]

    def read(self, ids: Sequence[int]) -> Parsed:
        """The strict reader's account."""
        return parse(ids, NAMES, self.vocabulary)

    def problem(self, ids: Sequence[int]) -> tuple[Problem, Verdict]:
        """What is wrong with how ids are read."""
        parsed = self.read(ids)
        if self.read(list(ids)) != parsed:
            return "read differently the second time", parsed.verdict
        turns = parse_transcript(ids, NAMES, self.vocabulary)
        if not all(turn.ok for turn in turns[:-1]):
            return "the transcript goes on behind a refusal", parsed.verdict
        return of_one(parsed) or written_anew(parsed) or self._beside_text(ids, parsed), parsed.verdict

    def _beside_text(self, ids: Sequence[int], parsed: Parsed) -> Problem:
        text = self.vocabulary.decode(list(ids))
        if "<¦" in text or _SPACED.search(text):
            return ""  # escapes are undone once more in text, and people may put line breaks between messages
        if len(SPECIAL.findall(text)) == sum(number in self.vocabulary.specials for number in ids):
            as_text = parse(text, NAMES)
        else:
            as_text = parse(text_of(ids, self.vocabulary), NAMES)
        if (as_text.verdict, as_text.messages) != (parsed.verdict, parsed.messages):
            return f"{as_text.verdict} as text ({as_text.reason}), {parsed.verdict} as ids ({parsed.reason})"
        return ""


def draft_ids(rng: Random, tokens: Tokens) -> tuple[list[int], Draft]:
    """The ids of a transcript or plan, and the draft they come from."""
    draft = draft_plan(rng) if rng.random() < 0.1 else any_draft(rng, NAMES)
    ids = tokens.ids(draft.text)
    if rng.random() < 0.5:
        return ids, draft
    for _ in range(rng.choice((1, 1, 2, 4))):
        ids = _mutated(rng, ids, tokens)
    return ids, Draft(draft.text, "ids changed")


def _mutated(rng: Random, ids: list[int], tokens: Tokens) -> list[int]:
    at, kind = rng.randrange(len(ids) + 1), rng.randrange(6)
    special = list(tokens.vocabulary.specials)
    if kind == 0:
        return ids[:at] + ids[at + rng.choice((1, 1, 3)) :]
    if kind == 1:
        return ids[:at] + ids[at : at + rng.choice((1, 2, 8))] * 2 + ids[at:]
    if kind == 2:
        new = rng.choice((rng.choice(special), rng.randrange(tokens.tokenizer.get_vocab_size() + BEYOND)))
        return [*ids[:at], new, *ids[at + rng.randrange(2) :]]
    if kind == 3:
        behind = [n + 1 for n, number in enumerate(ids) if number in tokens.vocabulary.specials]
        at = rng.choice((at, 0, *behind[-3:]))
        return ids[:at] + tokens.typed(rng.choice(hostile.SPECIALS[:8])) + ids[at + rng.randrange(2) :]
    if kind == 4:
        there = [n for n, number in enumerate(ids) if number in tokens.vocabulary.specials]
        at = rng.choice(there) if there else 0
        return ids[:at] + tokens.typed(tokens.vocabulary.decode(ids[at : at + 1])) + ids[at + 1 :]
    return ids[:at]


def run(cases: range, setting: Setting) -> Found:
    """Draft and read each case."""
    found, tokens = Found(), Tokens.load()
    for case in cases:
        ids, draft = draft_ids(Random(f"{setting.seed}/tokens/{case}"), tokens)
        problem, verdict, seconds = attempt(ids, tokens.problem)
        if not problem and draft.kind == "right turn":
            problem = _as_made(draft, ids, tokens)
        kind = draft.kind if draft.kind == "ids changed" else "transcript or plan"
        found.counts[f"input: {kind}"] += 1
        found.counts[f"verdict: {verdict}"] += 1
        found.note("slowest input, milliseconds of CPU for all readings", 1000 * seconds, case)
        found.note("longest input, tokens", len(ids), case)
        if problem:
            found.fail(case, problem, str(smallest_failing(ids, tokens.problem)))
    return found


def _as_made(draft: Draft, ids: list[int], tokens: Tokens) -> Problem:
    if tokens.vocabulary.decode(ids) != draft.text or tokens.read(ids).messages == draft.messages:
        return ""
    return "a right turn is read as another one"


def _unfit(setting: Setting) -> str:
    return "" if find_spec("tokenizers") else "needs tokenizers (make setup installs it)"


TOKENS = Trial(
    "tokens",
    "Harmony parser on token ids",
    ABOUT,
    run,
    sized(full=60_000, quick=400),
    piece=2_000,
    unfit=_unfit,
)
