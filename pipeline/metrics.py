"""Numbers about played episodes, with intervals over tasks and paired comparisons of two models.

    played = [measured(episode, trial=0) for episode in episodes]
    summary(played)             # {"task_success_rate": Measure(0.61, 0.52, 0.70, 100), …}
    pass_hat(played)            # {1: 0.61, 2: 0.43, …}: all of k trials succeed
    compare(before, after)      # the difference on the same tasks, with its interval

Every metric is a ratio of two sums over episodes, so that any draw of tasks has its value: intervals are 95 %
bootstrap intervals over *tasks*, because the trials of a task stand or fall together. A metric that does not
apply (the order of one single action) has nothing in either sum; NaN where it never applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean

from pipeline.episode import FINISHED, Episode
from pipeline.failures import failure_kind
from pipeline.intervals import DRAWS, interval, ratio_intervals

Ratio = tuple[float, float]


def _exact(episode: Episode) -> Ratio:
    right = len(episode.matching.right)
    same = right == len(episode.calls) == len(episode.gold_turns) and not episode.unread
    return float(same and episode.matching.in_sequence), 1


def _ordering(episode: Episode) -> Ratio:
    several = len(episode.matching.right) > 1
    return float(several and episode.matching.in_sequence), float(several)


def _final_answer(episode: Episode) -> Ratio:
    asked = bool(episode.task.outputs)
    told = asked and not episode.score().missing_outputs and not episode.tried_out
    return float(told), float(asked)


METRICS: dict[str, Callable[[Episode], Ratio]] = {
    # the task as a whole, by tau-bench's rule
    "task_success_rate": lambda e: (float(e.succeeded), 1),
    "final_answer_correctness": _final_answer,
    # calls against the gold actions: a call is right where it did a gold action (pipeline/matching.py)
    "exact_match_rate": _exact,
    "action_precision": lambda e: (len(e.matching.right), len(e.calls)),
    "action_recall": lambda e: (len(e.matching.right), len(e.gold_turns)),
    "action_f1": lambda e: (2 * len(e.matching.right), len(e.calls) + len(e.gold_turns)),
    "ordering_accuracy": _ordering,
    "completeness": lambda e: (float(e.matching.complete), 1),
    # form
    "json_parse_success": lambda e: (sum(a.turn is not None for a in e.attempts), len(e.attempts)),
    "strict_format": lambda e: (float(e.well_formed), 1),
    "tool_completion_success": lambda e: (sum(not turn.failed for turn in e.calls), len(e.calls)),
    "ended_properly": lambda e: (float(e.ended in FINISHED), 1),
    # effort, per episode
    "turns": lambda e: (len(e.attempts), 1),
    "tool_calls": lambda e: (len(e.calls), 1),
    "tokens": lambda e: (e.tokens, 1),
}
SECONDS = "seconds"
BLOCK = 500  # draws at a time: all at once would take a gigabyte for thousands of tasks


@dataclass(frozen=True)
class Played:
    """One episode, as far as numbers need it."""

    task: str
    trial: int
    level: int
    family: str
    ratios: dict[str, Ratio]
    failure: str | None  # its kind; None for a success

    @property
    def succeeded(self) -> bool:
        return self.failure is None


def measured(episode: Episode, trial: int = 0, seconds: float | None = None) -> Played:
    """What an episode adds to each metric."""
    ratios = {name: metric(episode) for name, metric in METRICS.items()}
    ratios[SECONDS] = (0.0, 0.0) if seconds is None else (seconds, 1.0)
    task = episode.task
    family = str(task.extra.get("family", ""))
    return Played(task.id, trial, task.level, family, ratios, failure_kind(episode))


@dataclass(frozen=True)
class Measure:
    """A metric's value, its 95 % interval over tasks, and over how many tasks."""

    value: float
    low: float
    high: float
    tasks: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def summary(played: Sequence[Played], draws: int = DRAWS) -> dict[str, Measure]:
    """All metrics of some episodes."""
    import numpy as np

    names = [*METRICS, SECONDS]
    tasks = by_task(played)
    rows = [[[one.ratios[name] for name in names] for one in trials] for trials in tasks.values()]
    sums = np.array([np.sum(trials, axis=0) for trials in rows]).reshape(len(rows), len(names), 2)
    found = zip(names, *ratio_intervals(sums, draws), strict=True)
    return {name: Measure(*map(float, value), len(tasks)) for name, *value in found}


def by_task(played: Iterable[Played]) -> dict[str, list[Played]]:
    """The trials of each task."""
    tasks: dict[str, list[Played]] = {}
    for one in played:
        tasks.setdefault(one.task, []).append(one)
    return tasks


def pass_hat(played: Iterable[Played]) -> dict[int, float]:
    """pass^k: the chance that k trials of a task all succeed, C(c, k) / C(n, k), averaged over tasks."""
    return _over_tasks(played, lambda c, n, k: comb(c, k) / comb(n, k))


def pass_at(played: Iterable[Played]) -> dict[int, float]:
    """pass@k: the chance that at least one of k trials succeeds, 1 - C(n - c, k) / C(n, k)."""
    return _over_tasks(played, lambda c, n, k: 1 - comb(n - c, k) / comb(n, k))


def _over_tasks(played: Iterable[Played], chance: Callable[[int, int, int], float]) -> dict[int, float]:
    """For k up to the number of trials that every task has."""
    counts = [(sum(one.succeeded for one in trials), len(trials)) for trials in by_task(played).values()]
    most = min((n for _, n in counts), default=0)
    return {k: fmean(chance(c, n, k) for c, n in counts) for k in range(1, most + 1)}


@dataclass(frozen=True)
class Comparison:
    """How much more often the second of two models succeeds, on the same tasks."""

    difference: float
    low: float
    high: float
    p_value: float  # of the difference, were each task's difference as likely to have the other sign
    better: int  # tasks that the second solves more often
    worse: int
    tasks: int

    def __str__(self) -> str:
        points = f"{100 * self.difference:+.1f} points [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"
        return f"{points}, p = {self.p_value:.3g}, {self.better} tasks better, {self.worse} worse"


def compare(before: Iterable[Played], after: Iterable[Played], draws: int = 10_000) -> Comparison:
    """Paired by task: the interval is drawn over tasks, the p-value from changing differences' signs."""
    import numpy as np

    old, new = _rates(before), _rates(after)
    if old.keys() != new.keys():
        only = sorted(old.keys() ^ new.keys())
        raise ValueError(f"not the same tasks: {len(only)} are in one only, {', '.join(only[:3])} …")
    if not old:
        raise ValueError("no episodes to compare")
    differences = np.array([new[task] - old[task] for task in old])
    low, high = interval(differences)
    chance, least, as_far = np.random.default_rng(0), abs(differences.sum()) - 1e-9, 0
    for start in range(0, draws, BLOCK):
        signs = chance.choice((-1.0, 1.0), size=(min(BLOCK, draws - start), len(differences)))
        as_far += int((np.abs(signs @ differences) >= least).sum())
    return Comparison(
        difference=float(differences.mean()),
        low=low,
        high=high,
        p_value=float((as_far + 1) / (draws + 1)),
        better=int((differences > 0).sum()),
        worse=int((differences < 0).sum()),
        tasks=len(differences),
    )


def _rates(played: Iterable[Played]) -> dict[str, float]:
    return {task: fmean(one.succeeded for one in trials) for task, trials in by_task(played).items()}
