"""The one table of ratios: everything that has something to be held against, measured in one run.

    for row in measure(FULL, Against.of([Path("../tau-bench"), Path("../ToolRL")])):
        print(row.name, row.what, row.ratio)

A ratio is the other one's time over ours in the same round; the table shows the median of the rounds and
their range. What cannot be measured here (no checkout, no adapter, no package) has a row that says how to
get it.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import parser, report, retail, timing, toolrl
from benchmarks.toolrl_cases import cases, read_cases
from benchmarks.work import example_calls, held_out_tasks, require_same_work, spread
from benchmarks.worlds import TAU_BENCH, TAU_BENCH_DATA, OurWorld, TauBenchWorld, tau_bench_test_tasks
from envs.retail.database import Shop
from envs.retail.files import FileError
from pipeline.runs import ROOT

ADAPTER = ROOT / "outputs" / "demo" / "sft" / "adapter"
ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": "", "UNSLOTH_FORCE_CPU": "1"}  # as `make demo` has it


@dataclass(frozen=True)
class Effort:
    """How much is done."""

    rounds: int = 5
    gold_tasks: int = 2  # played by both shops; one costs tau-bench about half a second
    gold_passes: int = 50  # of ours
    pairs: int = 300  # made-up ones, where no recorded ones are given
    pair_passes: int = 8
    episodes: int = 20  # read by the parsers
    report_episodes: int = 600
    steps: int = 4  # of training
    rollouts: int = 5  # rounds
    loops: bool = True  # train at all: minutes


FULL = Effort()
QUICK = Effort(
    rounds=1,
    gold_tasks=1,
    gold_passes=1,
    pairs=12,
    pair_passes=1,
    episodes=2,
    report_episodes=12,
    loops=False,
)


@dataclass(frozen=True)
class Against:
    """What is here to be compared with."""

    tau_bench: Path | None = None
    rlla: Path | None = None
    pairs: Path | None = None
    adapter: Path = ADAPTER

    @classmethod
    def of(cls, checkouts: Iterable[Path], **others: Any) -> "Against":
        """Checkouts recognised by what they hold."""
        found = cls(**others)
        for path in checkouts:
            if (path / TAU_BENCH).exists():
                found = replace(found, tau_bench=path)
            elif (path / toolrl.RLLA).exists() or (path.name == "rlla.py" and path.exists()):
                found = replace(found, rlla=path)
            else:
                known = f"tau-bench ({TAU_BENCH}) or of ToolRL ({toolrl.RLLA})"
                raise FileError(path, None, f"no checkout of {known}: name its top folder, or rlla.py itself")
        return found


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str  # shop, reward, parser, loop, overhead, report
    what: str
    against: str = ""
    ours: float | None = None  # seconds for a unit
    theirs: float | None = None
    unit: str = ""
    ratio: dict[str, float] | None = None  # theirs over ours: median, min, max
    clock: str = "CPU"
    note: str = ""


def measure(
    effort: Effort, against: Against, only: Sequence[str] = (), tick: Callable[[str], None] = print
) -> Iterator[Row]:
    """All rows, or those of some names, each as soon as it is measured."""
    for name, work in ROWS.items():
        if not only or name in only:
            tick(name)
            yield from work(effort, against)


def _row(
    name: str, what: str, against: str, rounds: dict[str, timing.Rounds], unit: str, clock: str = "cpu"
) -> Row:
    """A row of two interleaved works, ours first."""
    ours, theirs = rounds.values()
    typical = (timing.typical(ours, clock), timing.typical(theirs, clock))
    ratio = timing.ratio(theirs, ours, clock).to_json()
    return Row(name, what, against, *typical, unit, ratio, "CPU" if clock == "cpu" else "wall")


def _from_retail(name: str, against: str, row: dict[str, Any], unit: str) -> Row:
    """A row of `benchmarks.retail` or `benchmarks.toolrl` in this table's form."""
    theirs = next((value for key, value in row.items() if key in ("tau-bench", "public", "reference")), None)
    seconds = (row["ours"]["cpu"], theirs and theirs["cpu"])
    return Row(name, row["name"], against if theirs else "", *seconds, unit, row.get("ratio"))


def shop(effort: Effort, against: Against) -> list[Row]:
    """Our shop beside tau-bench's, on tau-bench's own data and test tasks."""
    path = against.tau_bench
    if path:
        tasks = spread(tau_bench_test_tasks(path), effort.gold_tasks)
        own = Shop.load(path / TAU_BENCH_DATA)
        worlds = [OurWorld(own, tasks), TauBenchWorld(path, tasks)]
    else:
        own, tasks = Shop.load(), spread(held_out_tasks(), effort.gold_tasks)
        worlds = [OurWorld(own, tasks)]
    require_same_work(worlds, example_calls(own))
    bench = retail.Bench(worlds, retail.Effort(effort.rounds, calls=500, passes=effort.gold_passes))
    retail.measure_resets(bench)
    retail.measure_gold(bench)
    rows = [_from_retail("shop", "tau-bench", row, "episode") for row in bench.rows]
    note = "" if path else 'ours alone; to compare, `make bench ARGS="--against path/to/tau-bench"`'
    return [replace(row, note=note) for row in rows]


def reward(effort: Effort, against: Against) -> list[Row]:
    """ToolRL's reward in harmony beside the public one, or beside our plain rewrite of it."""
    pairs = read_cases(against.pairs) if against.pairs else cases(effort.pairs)
    with toolrl.as_published():
        public = toolrl.load_public(against.rlla) if against.rlla else None
        found = toolrl.measure(pairs, public, effort.rounds, effort.pair_passes)
    other = "ToolRL's public reward" if public else "a plain rewrite of ToolRL's reward"
    note = "" if public else 'for the public one, `make bench ARGS="--against path/to/ToolRL"`'
    names = ("question and calls met before", "question met before, calls new", "everything new")
    rows = [_from_retail("reward", other, row, "answer") for row in found if row["name"] in names]
    kind = f"{len(pairs)} {'recorded' if against.pairs else 'made-up'} answers"
    return [replace(row, what=f"{kind}, {row.what}", note=note) for row in rows]


def reading(effort: Effort, against: Against) -> list[Row]:
    """Our strict parser beside OpenAI's, which is Rust."""
    tasks = spread(held_out_tasks(), effort.episodes)
    samples = parser.measure(tasks, effort.rounds, passes=1)
    if samples is None:
        note = "needs the package oss-harmony: `pip install -r requirements-dev.txt`"
        return [Row("parser", "an episode's token ids", note=note)]
    ours = samples.pop(parser.OURS)
    return [
        _row("parser", f"token ids of {len(tasks)} episodes", name, {"ours": ours, name: theirs}, "token")
        for name, theirs in samples.items()
    ]


def page(effort: Effort, against: Against) -> list[Row]:
    """A whole report beside carrying its episodes out anew alone, which a report cannot do without."""
    trials = 4 if effort.report_episodes > 100 else 1
    found = report.measure(effort.report_episodes, trials, rounds=min(effort.rounds, 3))
    what = f"report of {found['episodes']:,} episodes"
    seconds = (found["seconds"]["the page"]["cpu"], found["seconds"]["carried out anew"]["cpu"])
    return [Row("report", what, "only carrying them out anew", *seconds, "report", found["ratio"])]


def loops(effort: Effort, against: Against) -> list[Row]:
    """Our rollout loop beside TRL's, and our share of a training step: in another process, with torch."""
    missing = [package for package in ("torch", "trl") if importlib.util.find_spec(package) is None]
    if missing:
        return _no_loops(f"needs {missing[0]}: `make setup`")
    if not against.adapter.exists():
        return _no_loops("needs a warmed-up adapter of the tiny model: `make demo`, or `--adapter FOLDER`")
    if not effort.loops:
        return _no_loops("left out of a quick run")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "grpo.json"
        words = ["--steps", str(effort.steps), "--rounds", str(effort.rollouts), "--json", str(out)]
        words += ["--adapter", str(against.adapter.resolve())]
        command = [sys.executable, "-m", "benchmarks.grpo", *words]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | ON_THE_CPU, capture_output=True, text=True)
        if done.returncode:  # the other rows have taken minutes and are not thrown away
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            return _no_loops(f"`python -m benchmarks.grpo` failed: {said[-1]}")
        found = json.loads(out.read_text())
    return _loop_rows(found)


def _loop_rows(found: dict[str, Any]) -> list[Row]:
    speed = found["throughput"]
    ours, theirs = (1 / speed["tokens_per_second"][name] for name in ("ours", "TRL's loop"))
    what = "a token sampled in a rollout, tiny model on the CPU"
    rows = [Row("loop", what, "TRL's tool loop", ours, theirs, "token", speed["ratio"], "wall")]
    for way, costs in found["overhead"].items():
        share = f"{costs['share']:.2%} of a step of {costs['step']:.2f} s is ours"
        ours = costs["share"] * costs["step"]
        what = f"GRPO step, way {way}: tools, customer, reward, logging"
        rows.append(Row("overhead", what, "the whole step", ours, costs["step"], "step", None, "wall", share))
    return rows


def _no_loops(note: str) -> list[Row]:
    rollout = Row("loop", "a token sampled in a rollout", "TRL's tool loop", clock="wall", note=note)
    return [rollout, Row("overhead", "our share of a GRPO step", "the whole step", clock="wall", note=note)]


ROWS: dict[str, Callable[[Effort, Against], list[Row]]] = {
    "shop": shop,
    "reward": reward,
    "parser": reading,
    "report": page,
    "loop": loops,  # with the row "overhead"
}
