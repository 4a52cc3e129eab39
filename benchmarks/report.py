"""A run's report page over very many episodes: seconds to make it, and how large the page is.

    python -m benchmarks.report                               # 10,000 episodes, under a minute in all
    python -m benchmarks.report --episodes 600 --rounds 3
    python -m benchmarks.report --json outputs/bench_report.json

Three stages serve the same generated tasks with gold actions, each more of them to their end than the one
before. The episodes are written into a temporary run folder; then `write_report` is timed, reading included,
beside carrying every episode out anew: a page cannot take less.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import timing
from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.files import json_line, whole_file
from envs.retail.generator import generate
from envs.retail.tasks import Task
from pipeline.agent import Written
from pipeline.demonstrations import demonstrate
from pipeline.episode import play_turns
from pipeline.episode_records import Record, to_record
from pipeline.harmony import written_turns
from pipeline.page.numbers import ORDER, read_stages
from pipeline.report_page import write_report
from pipeline.running import Rollout

TARGETS = {"seconds": 20.0, "bytes": 3_000_000}
SERVED = {"base": 3, "sft": 5, "grpo": 8}  # how many of ten tasks a stage serves to their end
CUT = "<|channel|>final"  # of the others it leaves the last two turns out, and breaks off


def make_run(run: Path, shop: Shop, episodes: int, trials: int) -> int:
    """A run folder with this many episodes, or a few less; how many there are."""
    count = max(1, episodes // (len(ORDER) * trials))
    tasks = list({task.query: task for task in islice(generate(shop, seed=5), count)}.values())
    (run / "evaluation").mkdir(parents=True)
    files = {stage: (run / "evaluation" / f"{stage}.jsonl").open("w", encoding="utf-8") for stage in ORDER}
    for number, task in enumerate(tasks):
        turns = written_turns(demonstrate(shop, task, thoughts=True).messages)
        for stage, file in files.items():
            served = number % 10 < SERVED[stage]
            record = _record(shop, task, turns if served else [*turns[:-2], CUT], stage)
            file.writelines(json_line(record | {"trial": trial}) for trial in range(trials))
    for file in files.values():
        file.close()
    return len(tasks) * len(ORDER) * trials


def _record(shop: Shop, task: Task, turns: list[str], stage: str) -> Record:
    episode = play_turns(shop, task, turns, customer=ScriptedCustomer())
    return to_record(Rollout(episode, tuple(map(Written, turns)), 0, 0, 1.0), shop, stage)


def measure(episodes: int, trials: int, rounds: int) -> dict[str, Any]:
    """Seconds of carrying the episodes out anew, and of the whole page; bytes of what is read and written."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "many"
        count = make_run(run, Shop.load(), episodes, trials)

        def on_a_new_shop(work: Callable[[Shop], Any]) -> timing.Work:
            def prepared() -> Callable[[], int]:
                shop = Shop.load()  # one that remembers no task
                return lambda: len([work(shop)])

            return prepared

        works = {
            "carried out anew": on_a_new_shop(lambda shop: read_stages(run / "evaluation", shop)),
            "the page": on_a_new_shop(lambda shop: write_report(run, shop)),
        }
        samples: dict[str, timing.Rounds] = {name: [] for name in works}
        for _ in range(rounds):  # in turns, and no round to warm up: each begins with a new shop anyway
            for name, work in works.items():
                samples[name].append(timing.measured(work))
        return {
            "episodes": count,
            "read": sum(file.stat().st_size for file in (run / "evaluation").glob("*.jsonl")),
            "bytes": (run / "report.html").stat().st_size,
            "seconds": {name: timing.by_clock(found) for name, found in samples.items()},
            "ratio": timing.ratio(samples["carried out anew"], samples["the page"]).to_json(),
        }


def report(found: dict[str, Any]) -> str:
    """The findings as text, with the targets."""
    lines = [f"{found['episodes']:,} episodes, {found['read'] / 1e6:,.0f} MB to read"]
    for name, seconds in found["seconds"].items():
        lines.append(f"    {name:<20}{seconds['cpu']:8.1f} s CPU {seconds['wall']:8.1f} s wall")
    page = found["seconds"]["the page"]["cpu"]
    verdict = "met" if page < TARGETS["seconds"] else "MISSED"
    lines.append(f"page: {page:.1f} s of CPU, below {TARGETS['seconds']:g} s for 10,000 episodes: {verdict}")
    verdict = "met" if found["bytes"] < TARGETS["bytes"] else "MISSED"
    lines.append(f"size: {found['bytes'] / 1e6:.2f} MB, below {TARGETS['bytes'] / 1e6:g} MB: {verdict}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write the numbers where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.split("\n")[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=4, help="episodes of a task in a stage")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    found = measure(options.episodes, options.trials, options.rounds)
    print(report(found))
    if options.json:
        with whole_file(options.json) as out:
            json.dump(found, out, indent=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
