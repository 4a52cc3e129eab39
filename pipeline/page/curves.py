"""Learning curves as lines to draw: what the trainers logged, step by step, ready for a page without scripts.

    logs = read_logs(run)                  # run/metrics.jsonl, one JSON line a log entry of a trainer
    for chart in charts(logs, "grpo"):
        chart.title, chart.unit, chart.lines, chart.x_ticks, chart.y_ticks

A chart knows places, not colours: those are the page's, so that they follow a light or a dark screen. A
resumed run logs some steps twice; the last line of a step wins. Long runs are drawn as means of neighbours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

MOST_POINTS = 240  # of a line; beyond them neighbours are joined
FEW_POINTS = 40  # up to which each is drawn as a dot
SHARE = "share"  # the unit of an axis from 0 to 1
TERMS = "terms/"
Points = list[tuple[float, float]]

# stage -> (title, unit of the upright axis, metrics) of each chart
PLOTS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "sft": (
        ("Loss", "loss per trained token", ("loss", "eval_loss")),
        ("Token accuracy", SHARE, ("mean_token_accuracy", "eval_mean_token_accuracy")),
        ("Entropy", "nats", ("entropy", "eval_entropy")),
        ("Gradient", "norm", ("grad_norm",)),
    ),
    "grpo": (
        ("Reward of a step", "reward", ("reward",)),
        ("Success", SHARE, ("task_success_rate", "validation/task_success_rate")),
        ("Readable turns, finished episodes", SHARE, ("tool_parse_success_rate", "ended_properly")),
        ("Groups without spread", SHARE, ("flat_groups",)),
        ("Length of an episode", "tokens", ("completions/mean_length",)),
        ("Calls and turns", "in an episode", ("avg_tool_calls", "avg_turns")),
        ("Entropy", "nats", ("entropy",)),
        ("Clipped", SHARE, ("clip_ratio/region_mean",)),
        ("Loss", "loss", ("loss",)),
        ("Gradient", "norm", ("grad_norm",)),
        ("Time of a step", "seconds",
         ("seconds/generation", "seconds/tools", "seconds/reward", "seconds/update")),
        ("What broke off", "in a step", ("failures/reward", "failures/episode")),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Where in a chart the curves lie; around them is room for the axes' labels."""

    width: int = 380
    height: int = 216
    left: int = 46
    right: int = 370
    top: int = 10
    bottom: int = 178


FRAME = Frame()


@dataclass
class Logs:
    """Of each stage, the values of each metric by step."""

    metrics: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)
    unreadable: int = 0  # lines of the file

    def steps(self, stage: str) -> int:
        """The last step a stage has logged."""
        return max((step for values in self.metrics.get(stage, {}).values() for step in values), default=0)


def read_logs(run: Path) -> Logs:
    """What the trainers logged; half a line that a killed run left behind is counted, not refused."""
    logs, file = Logs(), run / "metrics.jsonl"
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n") if file.exists() else ():
        try:
            entry = json.loads(line)
            stage, step = logs.metrics.setdefault(str(entry["stage"]), {}), int(entry["step"])
        except (ValueError, TypeError, LookupError, RecursionError):
            logs.unreadable += bool(line.strip())
            continue
        for name, value in entry.items():
            if isinstance(value, int | float) and name != "step":
                stage.setdefault(name, {})[step] = float(value)
    return logs


@dataclass(frozen=True)
class Line:
    """One metric: its name, its last value, and where its points lie."""

    label: str
    last: float
    points: Points

    @property
    def dots(self) -> Points:
        return self.points if len(self.points) <= FEW_POINTS else []


@dataclass(frozen=True)
class Chart:
    """Everything a page needs to draw one plot."""

    title: str
    unit: str
    lines: list[Line]
    x_ticks: Points  # place and value
    y_ticks: Points
    note: str  # how many steps, and what is not drawn


def charts(logs: Logs, stage: str) -> list[Chart]:
    """The charts of a stage that have anything to show."""
    found = (_chart(logs, stage, *plot) for plot in PLOTS.get(stage, ()))
    return [chart for chart in found if chart]


def term_charts(logs: Logs, stage: str) -> list[Chart]:
    """A chart for each reward profile, with its terms over time."""
    profiles: dict[str, list[str]] = {}
    for name in logs.metrics.get(stage, {}):
        if name.startswith(TERMS):
            profiles.setdefault(name.split("/")[1], []).append(name)
    found = (_chart(logs, stage, profile, "mean of a step", names) for profile, names in profiles.items())
    return [chart for chart in found if chart]


def _chart(logs: Logs, stage: str, title: str, unit: str, names: Iterable[str]) -> Chart | None:
    metrics = logs.metrics.get(stage, {})
    series = {name: sorted(metrics[name].items()) for name in names if name in metrics}
    known = {name: [point for point in points if math.isfinite(point[1])] for name, points in series.items()}
    known = {name: points for name, points in known.items() if points}
    if not known:
        return None
    most = max(map(len, known.values()))
    joined = {name: _joined(points, -(-most // MOST_POINTS)) for name, points in known.items()}
    low, high = _limits(unit, [value for points in joined.values() for _, value in points])
    last = max(logs.steps(stage), 1)
    x, y = _scale(0, last, FRAME.left, FRAME.right), _scale(low, high, FRAME.bottom, FRAME.top)
    lines = [
        Line(label(name), known[name][-1][1], [(x(step), y(value)) for step, value in points])
        for name, points in joined.items()
    ]
    x_ticks = [(x(step), step) for step in ticks(0, last) if step == int(step)]
    y_ticks = [(y(value), value) for value in ticks(low, high)]
    lost = sum(map(len, series.values())) - sum(map(len, known.values()))
    return Chart(title, unit, lines, x_ticks, y_ticks, _note(most, lost))


def _note(most: int, lost: int) -> str:
    words = [f"n = {most:,} {'step' if most == 1 else 'steps'}"]
    if most > MOST_POINTS:
        words.append(f"means of {-(-most // MOST_POINTS)} neighbours")
    if lost:
        words.append(f"{lost:,} {'value that is' if lost == 1 else 'values that are'} no number left out")
    return ", ".join(words)


def label(name: str) -> str:
    """A metric's name in words."""
    words = name.removeprefix("eval_").split("/")[-1].replace("_", " ")
    return f"validation {words}" if name.startswith(("eval_", "validation/")) else words


def _joined(points: Points, count: int) -> Points:
    """Means of neighbours; few points stay as they are."""
    if len(points) <= MOST_POINTS:
        return points
    groups = (points[start : start + count] for start in range(0, len(points), count))
    return [(fmean(step for step, _ in group), fmean(value for _, value in group)) for group in groups]


def _limits(unit: str, values: list[float]) -> tuple[float, float]:
    """The ends of the upright axis: a share's are 0 and 1; others begin at 0 unless that hides the curve."""
    low, high = min(values), max(values)
    if unit == SHARE and low >= 0 and high <= 1:
        return 0.0, 1.0
    if 0 <= low < 0.7 * high:
        low = 0.0
    room = max((high - low) * 0.06, abs(high) * 1e-3) or 1.0
    return low - room * (low != 0), high + room


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: round(start + (value - low) / (high - low) * (end - start), 1)


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers between two ends: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]
