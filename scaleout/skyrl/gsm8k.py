"""Grade-school mathematics for SkyRL: problems as rows, and what an answer is worth.

    rows = gsm8k_rows(read_problems("train.jsonl"), split="train")
    judged(turn, "… #### 72", reader)           # Answer(text="… #### 72", readable=True, reward=1.0)

The answer is the model's final message: what it thought before is not looked at, and a turn the strict reader
cannot read earns nothing. The rule for numbers is `envs.gsm8k.answers.score`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.harmony_parse import parse
from scaleout.skyrl.reading import Reader, Turn
from scaleout.skyrl.rows import Row
from scaleout.skyrl.settings import GSM8K

if TYPE_CHECKING:
    from envs.gsm8k.problems import Problem

INSTRUCTIONS = (
    "Solve the problem step by step. End your answer with a line that holds only #### and the number, "
    "without its unit: #### 42"
)


@dataclass(frozen=True)
class Answer:
    """One answer as it was read and judged."""

    text: str
    readable: bool
    reward: float


def prompt_of(question: str) -> list[dict[str, str]]:
    """What the model reads: the instructions and the problem."""
    return [{"role": "developer", "content": INSTRUCTIONS}, {"role": "user", "content": question}]


def gsm8k_rows(problems: Iterable[Problem], split: str = "train") -> list[Row]:
    """One row a problem."""
    return [
        {
            "data_source": f"gsm8k_{split}",
            "env_class": GSM8K,
            "prompt": prompt_of(problem.question),
            "reward_spec": {"method": "rule", "ground_truth": problem.solution},
            "extra_info": {"index": index, "split": split},
        }
        for index, problem in enumerate(problems)
    ]


def judged(turn: str, solution: str, reader: Reader | None = None, *, plain: bool = False) -> Answer:
    """An answer's worth: 1 for the solution's number, else 0."""
    from envs.gsm8k.answers import score

    text = turn if plain else final_words(turn, reader)
    return Answer(text or "", text is not None, float(score(text, solution)) if text is not None else 0.0)


def final_words(turn: str, reader: Reader | None = None) -> str | None:
    """The final message of a turn, from its tokens where they are known; None if it cannot be read."""
    ids = turn.ids if isinstance(turn, Turn) and reader else ()
    return parse(list(ids) or str(turn), (), reader.vocabulary if reader else None).final
