"""What many episodes at once do to the shop: one process, threads, processes; time and memory.

    found = measure(FULL)
    found["live"]         # for 1 to 10,000 live episodes: CPU for a step, steps a second, bytes each
    found["threads"], found["processes"]

The episodes are gold episodes of the project's own tasks, opened all at once, stepped in turn (one action of
each, then the next of each) and scored. Memory is what Python allocates for each of them when all of them are
half done; beside it stands what the whole process grew by, as the system sees it.
"""

import gc
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median
from typing import Any

from benchmarks import timing
from benchmarks.work import held_out_tasks
from benchmarks.worlds import actions_of
from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.tasks import Action, Task


@dataclass(frozen=True)
class Effort:
    """How many at once, how often."""

    live: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    rounds: int = 2
    threads: tuple[int, ...] = (1, 2, 4, 8)
    processes: tuple[int, ...] = (1, 2, 4)
    episodes: int = 3_000  # played by the threads or processes together
    latency: float = 0.05  # of the stand-in endpoint
    concurrent: tuple[int, ...] = (1, 16, 64, 256)
    talks: int = 512  # episodes at the endpoint, for one at a time fewer


FULL = Effort()
QUICK = Effort(
    live=(1, 10),
    rounds=1,
    threads=(1, 2),
    processes=(1,),
    episodes=20,
    latency=0.002,
    concurrent=(1, 4),
    talks=4,
)


def opened(shop: Shop, tasks: Sequence[Task], count: int) -> list[tuple[RetailEnv, Iterator[Action]]]:
    """That many live episodes, each with what will be done in it."""
    live = []
    for task in itertools.islice(itertools.cycle(tasks), count):
        env = RetailEnv(shop, task)
        env.reset()
        live.append((env, iter(actions_of(task))))
    return live


def play_in_turn(shop: Shop, tasks: Sequence[Task], count: int) -> int:
    """Open all, step each in turn, score each; how many steps. Every one of them must succeed."""
    live, steps = opened(shop, tasks, count), 0
    running = live
    while running:
        steps += len(running)
        running = [(env, actions) for env, actions in running if not env.step(next(actions)).done]
    if lost := sum(env.score().reward != 1.0 for env, _ in live):
        raise SystemExit(f"{lost} of {count} gold episodes did not succeed: the shop mixes them up")
    return steps


def live_curve(shop: Shop, tasks: Sequence[Task], effort: Effort, tick: Callable[[str], None]) -> list[dict]:
    """For each number of live episodes: CPU of a step, steps a second, bytes of each."""
    play_in_turn(shop, tasks, len(tasks))  # what all share is made now
    seconds: dict[int, list[timing.Sample]] = {count: [] for count in effort.live}
    for _ in range(effort.rounds):
        for count in effort.live:
            tick(f"{count:,} live episodes")
            seconds[count].append(timing.measured(_repeated(shop, tasks, count)))
    return [
        {
            "live": count,
            "cpu_per_step": median(sample.cpu for sample in found),
            "steps_per_second": 1 / median(sample.wall for sample in found),
            "bytes_each": half_done_bytes(shop, tasks, count),
            "process_grew": half_done_growth(shop, tasks, count),
        }
        for count, found in seconds.items()
    ]


def _repeated(shop: Shop, tasks: Sequence[Task], count: int) -> timing.Work:
    """Few episodes are over too soon to be measured."""

    def run() -> int:
        return sum(play_in_turn(shop, tasks, count) for _ in range(max(1, 300 // count)))

    return lambda: run


def half_done(shop: Shop, tasks: Sequence[Task], count: int) -> list[RetailEnv]:
    """Live episodes in which half of the actions are done."""
    live = opened(shop, tasks, count)
    for env, actions in live:
        for action in itertools.islice(actions, math.ceil(len(env.task.gold_actions) / 2)):
            env.step(action)
    return [env for env, _ in live]


def half_done_bytes(shop: Shop, tasks: Sequence[Task], count: int) -> float:
    """What Python allocates for each half-done episode."""
    cycle = itertools.cycle(tasks)
    return timing.bytes_each(lambda _: half_done(shop, [next(cycle)], 1), count)


def half_done_growth(shop: Shop, tasks: Sequence[Task], count: int) -> int | None:
    """By how much the process grows for all of them; None where the system does not tell."""
    gc.collect()
    before = timing.resident_bytes()
    live = half_done(shop, tasks, count)
    after = timing.resident_bytes()
    del live
    return None if before is None or after is None else max(after - before, 0)


# --- threads and processes


def _play_some(shop: Shop, tasks: Sequence[Task], count: int) -> int:
    return sum(play_in_turn(shop, tasks, min(100, count - start)) for start in range(0, count, 100))


def thread_curve(shop: Shop, tasks: Sequence[Task], effort: Effort) -> list[dict[str, Any]]:
    """Steps a second by several threads over one shop: Python lets one compute at a time."""

    def work(threads: int) -> timing.Work:
        def run() -> int:
            with ThreadPoolExecutor(threads) as pool:
                each = effort.episodes // threads
                return sum(pool.map(lambda _: _play_some(shop, tasks, each), range(threads)))

        return lambda: run

    return _side_by_side({count: work(count) for count in effort.threads}, effort.rounds)


_child: dict[str, Any] = {}  # of a worker process: its own shop and tasks


def _begin() -> None:
    _child.update(shop=Shop.load(), tasks=held_out_tasks())
    play_in_turn(_child["shop"], _child["tasks"], len(_child["tasks"]))


def _play_in_child(count: int) -> tuple[int, float]:
    began = time.process_time()
    return _play_some(_child["shop"], _child["tasks"], count), time.process_time() - began


def process_curve(effort: Effort) -> list[dict[str, Any]]:
    """Steps a second by several processes, each with a shop of its own; their CPU time is summed up."""
    pools = {
        count: ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin)
        for count in effort.processes
    }
    try:
        samples: dict[int, list[timing.Sample]] = {count: [] for count in pools}
        for number in range(effort.rounds + 1):
            for count, pool in pools.items():
                began = time.perf_counter()
                found = list(pool.map(_play_in_child, [effort.episodes // count] * count))
                wall, steps = time.perf_counter() - began, sum(steps for steps, _ in found)
                if number:  # the first round only starts the processes
                    samples[count].append(timing.Sample(wall / steps, sum(cpu for _, cpu in found) / steps))
    finally:
        for pool in pools.values():
            pool.shutdown()
    return [_at_once(count, found) for count, found in samples.items()]


def _side_by_side(works: dict[int, timing.Work], rounds: int) -> list[dict[str, Any]]:
    samples = timing.interleaved({str(count): work for count, work in works.items()}, rounds)
    return [_at_once(int(count), found) for count, found in samples.items()]


def _at_once(count: int, found: Sequence[timing.Sample]) -> dict[str, Any]:
    wall, cpu = (median(getattr(sample, clock) for sample in found) for clock in ("wall", "cpu"))
    return {"at_once": count, "steps_per_second": 1 / wall, "cpu_per_step": cpu}


def measure(effort: Effort, tick: Callable[[str], None] = print) -> dict[str, Any]:
    """Everything about load but the endpoint."""
    shop, tasks = Shop.load(), held_out_tasks()
    live = live_curve(shop, tasks, effort, tick)
    tick("threads")
    threads = thread_curve(shop, tasks, effort)
    tick("processes")
    return {"cores": os.cpu_count(), "live": live, "threads": threads, "processes": process_curve(effort)}
