"""Looking at evaluations: every stage of a run beside the others, on the same held-out tasks.

verdict_table({"base": base, "sft": sft, "grpo": grpo})      # metrics with intervals over tasks
comparison_table(played)                                     # each stage with the one before, task by task
failure_table(played)                                        # why episodes failed, stage by stage
plot_levels(played)                                          # success by level
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.failures import KINDS, failure_counts
from pipeline.intervals import share_in_words
from pipeline.metrics import Measure, Played, compare, pass_at, pass_hat, summary
from pipeline.report import left_aligned, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas.io.formats.style import Styler

Stages = Mapping[str, Sequence[Played]]
PER_EPISODE = ("turns", "tool_calls", "tokens", "seconds")
COLOURS = ("#9aa5b1", "#4a90d9", "#2c7a4b", "#b5651d", "#7a4b9a")


def verdict_table(played: Stages) -> Styler:
    """All metrics, one column a stage; shares with 95 % intervals over tasks."""
    found = {stage: summary(episodes) for stage, episodes in played.items()}
    names = next(iter(found.values())) if found else ()
    rows = [
        (name.replace("_", " "), *(_shown(name, measures[name]) for measures in found.values()))
        for name in names
    ]
    counts = [f"{stage} ({len(episodes)} episodes)" for stage, episodes in played.items()]
    return left_aligned(rows, ["", *counts])


def _shown(name: str, measure: Measure) -> str:
    if measure.value != measure.value:
        return "none to judge"
    if name in PER_EPISODE:
        return f"{measure.value:.3g}"
    alike = ", all alike" if measure.low == measure.high else ""
    return share_in_words(measure.value, measure.low, measure.high) + alike


def comparison_table(played: Stages) -> Styler:
    """The difference in success of each stage and the one before, on the same tasks."""
    rows = []
    for (before, old), (after, new) in pairwise(played.items()):
        found = compare(old, new)
        points = f"{100 * found.difference:+.1f}  [{100 * found.low:+.0f}, {100 * found.high:+.0f}]"
        rows.append((f"{before} → {after}", points, f"{found.p_value:.2g}", found.better, found.worse))
    return left_aligned(rows, ["", "points", "p", "tasks better", "tasks worse"])


def pass_table(played: Stages) -> Styler:
    """pass^k (all of k trials succeed) and pass@k (one of them does), for k up to the number of trials."""
    rows = [
        (f"{stage}, {name}", *(f"{value:.1%}" for value in chances(episodes).values()))
        for stage, episodes in played.items()
        for name, chances in (("pass^k", pass_hat), ("pass@k", pass_at))
    ]
    most = max((len(row) for row in rows), default=1) - 1
    filled = [(*row, *[""] * (most + 1 - len(row))) for row in rows]
    return left_aligned(filled, ["", *(f"k = {k}" for k in range(1, most + 1))])


def failure_table(played: Stages) -> Styler:
    """How many episodes failed in which way; kinds nobody failed in are left out."""
    counts = {stage: failure_counts(one.failure for one in episodes) for stage, episodes in played.items()}
    kinds = [kind for kind in KINDS if any(kind in found for found in counts.values())]
    rows = [(kind, *(found.get(kind, 0) for found in counts.values())) for kind in kinds]
    solved = [sum(one.succeeded for one in episodes) for episodes in played.values()]
    return left_aligned([*rows, ("(succeeded)", *solved)], ["failure", *played])


def plot_levels(played: Stages) -> Figure:
    """Success by level with 95 % intervals, one bar a stage."""
    figure = new_figure(8, 3.2)
    axes = figure.subplots()
    levels = sorted({one.level for episodes in played.values() for one in episodes})
    width = 0.8 / max(1, len(played))
    for number, (stage, episodes) in enumerate(played.items()):
        found = [_success([one for one in episodes if one.level == level]) for level in levels]
        places = [place + number * width for place in range(len(levels))]
        ends = [[one.value - one.low for one in found], [one.high - one.value for one in found]]
        style = {"color": COLOURS[number % len(COLOURS)], "label": stage}
        axes.bar(places, [one.value for one in found], width * 0.9, yerr=ends, capsize=3, **style)
    middle = width * (len(played) - 1) / 2
    ticks = [f"level {level}\n{_tasks_of(played, level)} tasks" for level in levels]
    axes.set_xticks([place + middle for place in range(len(levels))], ticks)
    axes.set(ylabel="tasks solved", ylim=(0, 1.05))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _success(episodes: Sequence[Played]) -> Measure:
    return summary(episodes)["task_success_rate"]


def _tasks_of(played: Stages, level: int) -> int:
    return len({one.task for episodes in played.values() for one in episodes if one.level == level})
