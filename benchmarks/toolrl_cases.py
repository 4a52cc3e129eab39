"""Made-up ToolRL answers, each in ToolRL's tags and in harmony: right ones, and wrong in many ways.

case = cases(100)[0]
case.tags, case.truth_tags              # "<think> … </think>\\n<tool_call>\\n…"
case.harmony, case.truth_harmony        # "<|start|>assistant<|channel|>analysis…"
read_cases("reward_cases.jsonl.gz")     # recorded ones
"""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from envs.retail.files import FileError, read_lines
from pipeline.harmony import Analysis, Call, Final, Message, render

_WORDS = ["book", "city", "date", "find", "list", "name", "order", "price", "state", "track", "trip", "user"]
_RECORDED = ("completion", "gt", "completion_seed", "gt_seed")


class Case(NamedTuple):
    """An answer and the right one, in both forms."""

    tags: str
    truth_tags: str
    harmony: str
    truth_harmony: str


@dataclass(frozen=True)
class Reply:
    """What an answer says, in whichever form."""

    thought: str | None
    calls: tuple[Call, ...] = ()
    words: str | None = None

    @property
    def tags(self) -> str:
        """As ToolRL writes it."""
        parts = [] if self.thought is None else [f"<think> {self.thought} </think>"]
        if self.calls:
            lines = [json.dumps({"name": call.name, "parameters": call.arguments}) for call in self.calls]
            parts.append("\n".join(["<tool_call>", *lines, "</tool_call>"]))
        if self.words is not None:
            parts.append(f"<response> {self.words} </response>")
        return "\n".join(parts)

    @property
    def harmony(self) -> str:
        """As gpt-oss writes it."""
        messages: list[Message] = [] if self.thought is None else [Analysis(self.thought)]
        messages += self.calls
        return render([*messages, *([] if self.words is None else [Final(self.words)])])


def cases(count: int, seed: int = 0) -> list[Case]:
    """Answers to made-up questions, about four to a question as in a group of rollouts."""
    rng = random.Random(seed)
    found: list[Case] = []
    while len(found) < count:
        gold = _gold(rng)
        for reply in (gold, *(rng.choice(_MISTAKES)(rng, gold) for _ in range(3))):
            found.append(Case(reply.tags, gold.tags, reply.harmony, gold.harmony))
    return found[:count]


def _gold(rng: random.Random) -> Reply:
    thought = " ".join(rng.choices(_WORDS, k=16))
    if rng.random() < 0.12:
        return Reply(thought, words=" ".join(rng.choices(_WORDS, k=40)))
    return Reply(thought, tuple(_call(rng) for _ in range(rng.choice((1, 1, 2, 3)))))


def _call(rng: random.Random) -> Call:
    values = (
        rng.choice(_WORDS),
        rng.randrange(1000),
        rng.random(),
        rng.random() < 0.5,
        rng.choices(_WORDS, k=3),
    )
    names = rng.sample(_WORDS, rng.randrange(4))
    return Call("_".join(rng.choices(_WORDS, k=2)), {name: rng.choice(values) for name in names})


def _one_value_wrong(rng: random.Random, gold: Reply) -> Reply:
    calls = list(gold.calls)
    for place, call in enumerate(calls):
        if call.arguments:
            name = rng.choice(list(call.arguments))
            calls[place] = replace(call, arguments={**call.arguments, name: "something else"})
            break
    return replace(gold, calls=tuple(calls))


def _one_call_too_many(rng: random.Random, gold: Reply) -> Reply:
    return replace(gold, calls=(*gold.calls, _call(rng)))


def _one_call_missing(rng: random.Random, gold: Reply) -> Reply:
    return replace(gold, calls=gold.calls[1:], words=gold.words or "Done.")


def _wrong_tool(rng: random.Random, gold: Reply) -> Reply:
    return replace(gold, calls=tuple(replace(call, name=f"not_{call.name}") for call in gold.calls))


def _other_thought(rng: random.Random, gold: Reply) -> Reply:
    return replace(gold, thought=" ".join(rng.choices(_WORDS, k=rng.randrange(200))))


def _no_thought(rng: random.Random, gold: Reply) -> Reply:
    return replace(gold, thought=None)


_MISTAKES: Any = (
    _one_value_wrong,
    _one_call_too_many,
    _one_call_missing,
    _wrong_tool,
    _other_thought,
    _no_thought,
)


def read_cases(path: str | Path) -> list[Case]:
    """Recorded cases that both forms can express (`mapping` is "exact") with all switches off."""
    found = []
    for line, row in read_lines(path):
        try:
            if row["mapping"] == "exact" and not row["env"]:
                found.append(Case(*(row[name] for name in _RECORDED)))
        except (KeyError, TypeError) as error:
            raise FileError(path, line, f"no recorded case: {error!r}") from error
    return found
