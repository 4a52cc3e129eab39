"""How fast the shop is: reset, every tool, whole gold episodes, memory, thousands of live episodes, threads.

    python -m benchmarks.retail                                    # our shop, example tasks from it
    python -m benchmarks.retail --tasks data/dataset.jsonl --json outputs/bench.json
    python -m benchmarks.retail --against path/to/tau-bench        # the same work there, with ratios

With `--against` both run on the checkout's own data and test tasks, each tool's answer and each episode's
reward are compared first, and a ratio is tau-bench's time over ours in the same round. tau-bench wants
`litellm` when imported; an empty stand-in is put in its place, so the checkout needs no installation.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import timing
from benchmarks.speed_tables import plain, side_by_side
from benchmarks.work import arguments_of, example_calls, example_tasks, require_same_work, spread
from benchmarks.worlds import (
    TAU_BENCH_DATA,
    OurWorld,
    TauBenchWorld,
    World,
    gold_episode,
    tau_bench_test_tasks,
)
from envs.retail.database import DATA, Shop
from envs.retail.files import FileError, whole_file
from envs.retail.replay import load_tasks
from envs.retail.tasks import Task

TARGETS = {  # what, how it is written, whether more is better, and what is wanted
    "gold_ratio": ("gold episode against tau-bench", "{:,.0f} times", True, 1000.0),
    "reset_us": ("reset", "{:,.2f} µs", False, 20.0),
    "idle_bytes": ("idle episode", "{:,.0f} bytes", False, 10_000.0),
}


@dataclass(frozen=True)
class Effort:
    """How much is done: enough for stable numbers, or just enough to see that everything runs."""

    rounds: int = 7
    calls: int = 500  # of a tool in a round; theirs copy data for each, so they get a fifth
    passes: int = 50  # of our gold tasks in a round
    tasks: int = 10  # gold tasks played by both; one costs tau-bench about half a second
    kept: int = 1000  # episodes kept alive for measuring memory
    live: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    live_theirs: tuple[int, ...] = (1, 10)
    threads: tuple[int, ...] = (1, 2, 4)


QUICK = Effort(rounds=2, calls=10, passes=1, tasks=2, kept=20, live=(1, 10), live_theirs=(1,), threads=(1, 2))


@dataclass
class Bench:
    """The worlds that are measured, and what has been found so far."""

    worlds: list[World]  # ours first
    effort: Effort
    rows: list[dict[str, Any]] = field(default_factory=list)

    def time(self, name: str, work: Callable[[World], timing.Work]) -> None:
        """Measure the same work in every world, interleaved, and note a row."""
        works = {world.name: work(world) for world in self.worlds}
        self.rows.append(timing.row(name, timing.interleaved(works, self.effort.rounds)))


# --- what is measured -------------------------------------------------------------------------------------


def measure_resets(bench: Bench) -> None:
    """A fresh episode in an environment that is there already."""

    def work(world: World) -> timing.Work:
        env, count = world.open(0), bench.effort.calls if world is bench.worlds[0] else 3

        def run() -> int:
            for number in range(count):
                world.reset(env, number % len(world.actions))
            return count

        return lambda: run

    bench.time("reset", work)


def measure_tools(bench: Bench, examples: dict[str, dict[str, Any]]) -> None:
    """One successful call of each tool, every call on a database of its own."""
    for name, values in examples.items():
        arguments = arguments_of(name, values)

        def work(
            world: World, name: str = name, values: Any = values, arguments: Any = arguments
        ) -> timing.Work:
            count = max(bench.effort.calls // (1 if world is bench.worlds[0] else 5), 2)

            def prepare() -> Callable[[], int]:
                databases = world.fresh(count, values["order_id"], values["user_id"])

                def run() -> int:
                    for database in databases:
                        world.call(database, name, arguments)
                    return count

                return run

            return prepare

        bench.time(f"tool {name}", work)


def measure_gold(bench: Bench) -> None:
    """Whole gold episodes with reset and reward; once as met again, once as if every task were new."""
    ours = bench.worlds[0]

    def work(world: World, new: bool) -> timing.Work:
        env, count = world.open(0), len(world.actions)
        passes = bench.effort.passes if world is ours else 1

        def run() -> int:
            for _ in range(passes):
                if new and isinstance(world, OurWorld):
                    world.forget()
                for index in range(count):
                    gold_episode(world, env, index)
            return passes * count

        return lambda: run

    bench.time("gold episode, reset and reward", lambda world: work(world, new=False))
    bench.time("the same, each task seen for the first time", lambda world: work(world, new=True))


def measure_memory(bench: Bench) -> None:
    """Bytes of one live episode: just opened, and with a gold episode played in it."""

    def played(world: World, index: int) -> Any:
        env = world.open(index % len(world.actions))
        gold_episode(world, env, index % len(world.actions))
        return env

    def idle(world: World, index: int) -> Any:
        return world.open(index % len(world.actions))

    for name, make in (("memory of an idle episode", idle), ("memory of a played gold episode", played)):
        row: dict[str, Any] = {"name": name, "unit": "bytes"}
        for world in bench.worlds:
            for index in range(len(world.actions) if world is bench.worlds[0] else 0):
                make(world, index)  # what all episodes share is made now
            count = bench.effort.kept if world is bench.worlds[0] else 2
            row[world.name] = timing.bytes_each(
                lambda index, make=make, world=world: make(world, index), count
            )
        if len(bench.worlds) == 2:
            ours, theirs = (row[world.name] for world in bench.worlds)
            row["ratio"] = {"median": theirs / ours, "min": theirs / ours, "max": theirs / ours}
        bench.rows.append(row)


def measure_live(bench: Bench) -> None:
    """Many episodes open at once, all advanced one action at a time, opened and scored included."""
    for count in bench.effort.live:
        worlds = [w for w in bench.worlds if w is bench.worlds[0] or count in bench.effort.live_theirs]
        rounds = 1 if count >= 1_000 else bench.effort.rounds
        resident = timing.resident_bytes()
        works = {world.name: _all_alive(world, count) for world in worlds}
        samples = timing.interleaved(works, rounds)
        bench.rows.append(timing.row(f"{count:,} live episodes, each", samples))
        if resident is not None and len(worlds) == 1:
            bench.rows[-1]["process_grew_bytes"] = max((timing.resident_bytes() or 0) - resident, 0)


def _all_alive(world: World, count: int) -> timing.Work:
    def run() -> int:
        indices = [number % len(world.actions) for number in range(count)]
        envs = [world.open(index) for index in indices]
        waiting = list(zip(envs, (iter(world.actions[index]) for index in indices), strict=True))
        while waiting:
            waiting = [(env, actions) for env, actions in waiting if not env.step(next(actions)).done]
        return len(envs)

    return lambda: run


def measure_threads(bench: Bench) -> None:
    """Episodes in several threads over one shop; Python's lock lets one compute at a time."""
    for threads in bench.effort.threads:

        def work(world: World, threads: int = threads) -> timing.Work:
            envs = [world.open(0) for _ in range(threads)]
            each = bench.effort.passes * 4 if world is bench.worlds[0] else 1

            def play(env: Any) -> int:
                for number in range(each):
                    gold_episode(world, env, number % len(world.actions))
                return each

            def run() -> int:
                with ThreadPoolExecutor(threads) as pool:
                    return sum(pool.map(play, envs))

            return lambda: run

        bench.time(f"gold episode, {threads} thread{'s' * (threads > 1)}", work)


# --- what is shown ----------------------------------------------------------------------------------------


def report(bench: Bench, tasks: Sequence[Task]) -> dict[str, Any]:
    """Everything that was found, as JSON."""
    shop = bench.worlds[0].shop
    rows = {row["name"]: row for row in bench.rows}
    gold = rows["gold episode, reset and reward"]
    found = {
        "gold_ratio": gold.get("ratio", {}).get("median"),
        "reset_us": rows["reset"]["ours"]["cpu"] * 1e6,
        "idle_bytes": rows["memory of an idle episode"]["ours"],
    }
    return {
        "machine": {"python": platform.python_version(), "system": platform.system(), "cpus": os.cpu_count()},
        "work": {"users": len(shop.users), "orders": len(shop.orders), "tasks": len(tasks)},
        "rounds": bench.effort.rounds,
        "worlds": [world.name for world in bench.worlds],
        "rows": bench.rows,
        "targets": {name: {"found": found[name], "wanted": TARGETS[name][-1]} for name in TARGETS},
    }


def targets(result: dict[str, Any]) -> str:
    """Each target with what was found."""
    lines = []
    for name, (what, form, more, wanted) in TARGETS.items():
        found = result["targets"][name]["found"]
        if found is not None:
            bound, met = ("at least", found >= wanted) if more else ("at most", found <= wanted)
            verdict = "met" if met else "MISSED"
            lines.append(f"{what}: {form.format(found)} ({bound} {form.format(wanted)}: {verdict})")
    return "\n".join(lines)


def run(shop: Shop, tasks: Sequence[Task], effort: Effort, against: Path | None = None) -> dict[str, Any]:
    """Measure everything; the result as JSON."""
    worlds: list[World] = [OurWorld(shop, tasks)]
    if against:
        worlds.append(TauBenchWorld(against, tasks))
    bench, examples = Bench(worlds, effort), example_calls(shop)
    require_same_work(worlds, examples)
    measure_resets(bench)
    measure_tools(bench, examples)
    measure_gold(bench)
    measure_memory(bench)
    measure_live(bench)
    measure_threads(bench)
    return report(bench, tasks)


def shop_and_tasks(options: argparse.Namespace, effort: Effort) -> tuple[Shop, list[Task]]:
    """What the options ask to be measured on."""
    shop = Shop.load(options.against / TAU_BENCH_DATA if options.against else options.data or DATA)
    if options.tasks:
        tasks = load_tasks(options.tasks)
        return shop, [task for task in tasks if task.split == tasks[-1].split]  # test, where there are splits
    if options.against:
        return shop, tau_bench_test_tasks(options.against)
    return shop, example_tasks(shop, effort.tasks)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retail", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", type=Path, help="folder with users, products and orders (default: our shop)"
    )
    parser.add_argument("--tasks", type=Path, help="a task file, or a folder with tau-bench's tasks_*.jsonl")
    parser.add_argument("--against", type=Path, help="a tau-bench checkout to measure in the same run")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    if options.against and options.data:
        parser.error("--against measures on the checkout's own data; leave --data out")
    effort = QUICK if options.quick else Effort()
    try:
        shop, tasks = shop_and_tasks(options, effort)
    except FileError as error:  # it names the file that is missing or wrong
        sys.exit(str(error))
    result = run(shop, spread(tasks, effort.tasks), effort, options.against)
    print(plain(*side_by_side(result["worlds"], result["rows"])), targets(result), sep="\n\n")
    if options.json:
        with whole_file(options.json) as out:
            json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
