"""How fast tasks are made, each proven by execution: tasks per second on one core, by level.

    python -m benchmarks.generator                 # about ten seconds
    python -m benchmarks.generator --json out.json

CPU time is the process's own, so that a busy machine does not blur it; the wall clock stands beside it.
"""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import timing
from envs.retail.database import DATA, Shop
from envs.retail.files import whole_file
from envs.retail.generator import Generator

LEVELS = ((1,), (2,), (3,), (1, 2, 3), (4,), (5,))
TARGET = 2_000  # tasks per second of one core, for levels 1 to 3 together


def measure(shop: Shop, count: int, rounds: int) -> list[dict[str, Any]]:
    """Tasks per second for each choice of levels."""
    works = {_name(levels): making(Generator(shop, seed=99, levels=levels), count) for levels in LEVELS}
    rows = []
    for name, samples in timing.interleaved(works, rounds).items():
        per_second = {clock: round(1 / seconds) for clock, seconds in timing.by_clock(samples).items()}
        rows.append({"levels": name, **per_second})
    return rows


def _name(levels: tuple[int, ...]) -> str:
    return "levels 1-3" if len(levels) > 1 else f"level {levels[0]}"


def making(generator: Generator, count: int) -> timing.Work:
    """Making `count` tasks that were not made before; the index is built off the clock."""
    start = iter(range(0, 1_000_000_000, count))

    def prepare() -> Callable[[], int]:
        first = next(start)

        def run() -> int:
            for number in range(first, first + count):
                generator.task(number)
            return count

        return run

    return prepare


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How many proven tasks a second.")
    parser.add_argument("--data", type=Path, default=DATA, help="the shop")
    parser.add_argument("--count", type=int, default=1000, help="tasks in a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    options = parser.parse_args()
    rows = measure(Shop.load(options.data), options.count, options.rounds)
    print(f"tasks per second, one process, {platform.python_implementation()} {platform.python_version()}")
    print(f"{'':12}{'CPU time':>12}{'wall clock':>12}")
    for row in rows:
        print(f"{row['levels']:12}{row['cpu']:>12,}{row['wall']:>12,}")
    reached = next(row["cpu"] for row in rows if row["levels"] == "levels 1-3") / TARGET
    print(f"levels 1-3: {reached:.1f} times the {TARGET:,} that were asked for")
    if options.json:
        with whole_file(options.json) as out:
            json.dump({"target": TARGET, "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main()
