"""Stopwatches for comparing two ways of doing the same work on a machine that is not quiet.

Work is done in rounds, A B A B …, so that whatever slows the machine slows both; every round gives one ratio,
and the median with its range says how far to trust it. CPU time of the process stands beside the wall clock.

    rounds = interleaved({"ours": work, "theirs": other_work}, rounds=5)
    ratio(rounds["theirs"], rounds["ours"])
"""

import gc
import os
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

Work = Callable[[], Callable[[], int]]  # prepares, off the clock; what it returns does so many units of work
Rounds = list["Sample"]


@dataclass(frozen=True)
class Sample:
    """Seconds for one unit of work in one round."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Ratio:
    """How many times longer one took than the other, over the rounds."""

    median: float
    min: float
    max: float

    def to_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return asdict(self)


def measured(work: Work) -> Sample:
    """Do the work once and say what one unit took."""
    run = work()
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    units = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Sample(wall / units, cpu / units)


def interleaved(works: Mapping[str, Work], rounds: int) -> dict[str, Rounds]:
    """Every work in turn, again and again; the first turn only warms up."""
    samples: dict[str, Rounds] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            sample = measured(work)
            if number:
                samples[name].append(sample)
    return samples


def typical(samples: Rounds, clock: str) -> float:
    """The median of the rounds."""
    return median(getattr(sample, clock) for sample in samples)


def by_clock(samples: Rounds) -> dict[str, float]:
    """The medians by name."""
    return {clock: typical(samples, clock) for clock in ("wall", "cpu")}


def ratio(slow: Rounds, fast: Rounds, clock: str = "cpu") -> Ratio:
    """Round by round, slow over fast."""
    ratios = [getattr(s, clock) / max(getattr(f, clock), 1e-9) for s, f in zip(slow, fast, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


def row(name: str, samples: Mapping[str, Rounds]) -> dict[str, Any]:
    """What a unit took in each world, ours first; with a ratio if there are two."""
    found: dict[str, Any] = {"name": name, "unit": "seconds"}
    found |= {world: by_clock(rounds) for world, rounds in samples.items()}
    if len(samples) == 2:
        ours, theirs = samples.values()
        found["ratio"] = ratio(theirs, ours).to_json()
        found["ratio_wall"] = ratio(theirs, ours, "wall").to_json()
    return found


def bytes_each(make: Callable[[int], Any], count: int) -> float:
    """What Python allocates for each of `count` objects kept alive, shared parts having been made before."""
    make(0)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [make(index) for index in range(count)]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        return (after - before) / len(kept)
    finally:
        tracemalloc.stop()


def resident_bytes() -> int | None:
    """Memory of the process as the system sees it; None where the system does not tell (no /proc)."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else None
