"""What a report says in numbers: each stage's measures, each stage against the one before, and what failed.

stages = read_stages(run / "evaluation", shop)     # base, sft, grpo, then others by name
stages[0].measures["task_success_rate"]            # pipeline.metrics.summary of all its episodes
comparisons(stages)                                # paired by task, where the tasks are the same
failures(stages)                                   # by kind, level and family
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from pipeline.evaluate import Rescored, evaluation_files, rescore, stage_files
from pipeline.failures import KINDS
from pipeline.metrics import Comparison, Measure, Played, compare, pass_hat, summary

ORDER = ("base", "sft", "grpo")


def percent(value: float) -> str:
    """A share in percent, with one decimal."""
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def amount(value: float) -> str:
    """A mean of counts: two decimals, none from a hundred on."""
    return "-" if math.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (  # of the verdict, beside success and pass^k
    ("json_parse_success", "turns that could be read", percent),
    ("action_f1", "action F1", percent),
    ("final_answer_correctness", "final answer correct", percent),
    ("tool_calls", "calls", amount),
    ("turns", "turns", amount),
    ("tokens", "tokens", amount),
)


@dataclass(frozen=True)
class Stage:
    """The episodes of one model, measured."""

    name: str
    files: tuple[Path, ...]
    found: Rescored

    @property
    def played(self) -> list[Played]:
        return self.found.played

    @cached_property
    def measures(self) -> dict[str, Measure]:
        return summary(self.played)

    @cached_property
    def chances(self) -> dict[int, float]:
        """pass^k: of one trial, of two, of four, …, and of as many as every task has."""
        chances = pass_hat(self.played)
        return {k: chance for k, chance in chances.items() if k & (k - 1) == 0 or k == len(chances)}


def read_stages(folder: Path, shop: Shop) -> list[Stage]:
    """Measure every stage that has episodes; the shards of a stage are joined."""
    rank = {name: place for place, name in enumerate(ORDER)}
    names = sorted(stage_files(folder), key=lambda name: (rank.get(name, len(ORDER)), name))
    files = {name: tuple(evaluation_files(folder, name)) for name in names}
    stages = [Stage(name, own, rescore(own, shop)) for name, own in files.items()]
    return [stage for stage in stages if stage.played]


def comparisons(stages: Sequence[Stage]) -> list[tuple[str, str, Comparison | str]]:
    """Each stage with the one before it, or why the two cannot be compared."""
    found: list[tuple[str, str, Comparison | str]] = []
    for old, new in pairwise(stages):
        try:
            found.append((old.name, new.name, compare(old.played, new.played)))
        except ValueError as error:
            found.append((old.name, new.name, str(error)))
    return found


@dataclass(frozen=True)
class Table:
    """Of each row and stage, how many of how many."""

    title: str
    rows: list[tuple[str, list[tuple[int, int]]]]


def failures(stages: Sequence[Stage]) -> list[Table]:
    """Failures by kind (of all episodes), and by level and family (of those of the level or family)."""
    met = {one.failure for stage in stages for one in stage.played}
    kinds = [
        (kind, [(sum(one.failure == kind for one in stage.played), len(stage.played)) for stage in stages])
        for kind in KINDS
        if kind in met
    ]
    levels = _by(stages, lambda one: one.level, "level {}")
    families = _by(stages, lambda one: one.family or "(none)", "{}")
    return [Table("by kind", kinds), Table("by level", levels), Table("by family", families)]


def _by(
    stages: Sequence[Stage], key: Callable[[Played], Any], name: str
) -> list[tuple[str, list[tuple[int, int]]]]:
    counts: dict[Any, list[list[int]]] = {}
    for place, stage in enumerate(stages):
        for one in stage.played:
            row = counts.setdefault(key(one), [[0, 0] for _ in stages])
            row[place][0] += not one.succeeded
            row[place][1] += 1
    return [(name.format(group), [tuple(pair) for pair in counts[group]]) for group in sorted(counts)]
