"""How cost grows with the work: seconds of CPU at several sizes, and the exponent that fits them.

    curves = measure(CURVES, FULL)
    curves[0].exponent          # 1.0: twice the work takes twice as long; 2.0: four times

A work is prepared off the clock and repeated until it has taken long enough to be measured. All sizes take
turns, and of each the quickest round counts: whatever slows the machine only ever adds. `exponent` is the
slope of the straight line through all points where both axes are logarithms, `last` that between the two
largest sizes: a fixed cost at the beginning flattens the first, so what grows faster than the work shows in
the second.
"""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

OVER = ("tasks", "turns", "episodes")
LONG_ENOUGH = 0.05  # seconds of CPU that one measurement takes at least
Work = Callable[[], object]


@dataclass(frozen=True)
class Growing:
    """Something whose cost is measured at several sizes."""

    name: str
    over: str  # tasks, turns, episodes
    prepare: Callable[[int], Work]


@dataclass(frozen=True)
class Curve:
    """What it cost at each size."""

    name: str
    over: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """Slope of the line through all points, logarithms on both axes."""
        x, y = [math.log(size) for size in self.sizes], [math.log(value) for value in self.seconds]
        mean_x, mean_y = fmean(x), fmean(y)
        above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
        return above / sum((a - mean_x) ** 2 for a in x)

    @property
    def last(self) -> float:
        """Slope between the two largest sizes."""
        (a, b), (c, d) = self.sizes[-2:], self.seconds[-2:]
        return math.log(d / c) / math.log(b / a)

    def to_json(self) -> dict[str, Any]:
        """The measurement; the slopes follow from it."""
        return asdict(self)


@dataclass(frozen=True)
class Effort:
    """Sizes and rounds."""

    sizes: dict[str, tuple[int, ...]]
    rounds: dict[str, int]
    long_enough: float = LONG_ENOUGH


FULL = Effort(
    {
        "tasks": (30, 100, 300, 1_000, 3_000),
        "turns": (4, 8, 16, 32, 64, 128, 256),
        "episodes": (30, 100, 300, 1_000, 3_000),
    },
    {"tasks": 2, "turns": 5, "episodes": 2},
)
QUICK = Effort({"tasks": (5, 10), "turns": (2, 4), "episodes": (5, 10)}, dict.fromkeys(OVER, 1), 0.0)


def measure(growing: Sequence[Growing], effort: Effort, tick: Callable[[str], None] = print) -> list[Curve]:
    """A curve of each."""
    curves = []
    for one in growing:
        tick(f"{one.name}, {one.over}")
        curves.append(_curve(one, effort.sizes[one.over], effort))
    return curves


def _curve(one: Growing, sizes: tuple[int, ...], effort: Effort) -> Curve:
    works = {size: one.prepare(size) for size in sizes}
    works[sizes[0]]()  # what is made once for all is made now
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(effort.rounds[one.over]):
        for size, work in works.items():
            seconds[size].append(cpu_seconds(work, effort.long_enough))
    return Curve(one.name, one.over, sizes, tuple(min(seconds[size]) for size in sizes))


def cpu_seconds(work: Work, long_enough: float = LONG_ENOUGH) -> float:
    """CPU time of this process for doing it once, repeated while that is too short to be measured."""
    gc.collect()
    gc.freeze()  # what other measurements keep alive is not looked through at this one's cost
    times, began = 0, time.process_time()
    try:
        while True:
            work()
            times += 1
            spent = time.process_time() - began
            if spent >= long_enough:
                return max(spent, 1e-9) / times
    finally:
        gc.unfreeze()
