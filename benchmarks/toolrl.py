"""How fast ToolRL's reward is in harmony, beside the public implementation on the same answers in its tags.

    python -m benchmarks.toolrl                                      # made-up answers, our plain reference
    python -m benchmarks.toolrl --cases reward_cases.jsonl.gz        # recorded ones
    python -m benchmarks.toolrl --against ToolRL --json outputs/toolrl.json    # a checkout, or its rlla.py

Both score every pair first and must agree. A ratio is the public one's CPU time over ours in the same round.
The public one prints every answer; its output goes to the null device, and one row leaves the printing out.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import timing, toolrl_reference
from benchmarks.speed_tables import plain, side_by_side
from benchmarks.toolrl_cases import Case, cases, read_cases
from envs.retail.files import FileError, whole_file
from pipeline.toolrl import compute_score, read_gold
from pipeline.toolrl_score import PUBLISHED, Switches

TARGET = 5.0
RLLA = "verl/utils/reward_score/rlla.py"  # in a checkout
Scorer = Callable[[str, str], Sequence[float]]


def load_public(path: Path) -> ModuleType:
    """The public file as a module; it wants to know whose conversations it reads."""
    path = path / RLLA if path.is_dir() else path
    if not path.exists():
        sys.exit(f"{path}: not found; name ToolRL's rlla.py or a checkout of ToolRL")
    spec = importlib.util.spec_from_file_location("toolrl_public", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def as_published() -> Iterator[None]:
    """The environment the public file runs in, all switches off, and nothing on the screen."""
    before = dict(os.environ)
    for name in PUBLISHED:
        os.environ.pop(name, None)
    os.environ["EXPERIMENT_NAME"] = "qwen"
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def require_same_scores(pairs: Sequence[Case], theirs: Scorer) -> None:
    """End the run where a pair is scored differently."""
    for case in pairs:
        ours = compute_score(case.harmony, case.truth_harmony)
        other = theirs(case.tags, case.truth_tags)
        if any(abs(one - two) > 1e-9 for one, two in zip(ours, other, strict=True)):
            sys.exit(f"scored differently: {ours} and {other} for {case.tags!r}")


def scoring(
    texts: Sequence[Sequence[str]], passes: int, score: Scorer, forget: Callable[[], None] = lambda: None
) -> timing.Work:
    """Score all pairs several times; `forget` empties what was remembered, before each pass."""

    def run() -> int:
        for _ in range(passes):
            forget()
            for solution, truth in texts:
                score(solution, truth)
        return passes * len(texts)

    return lambda: run


def measure(
    pairs: Sequence[Case], public: ModuleType | None, rounds: int, passes: int
) -> list[dict[str, Any]]:
    """A row for each way to be called."""
    theirs: Scorer = public.compute_score if public else toolrl_reference.score
    require_same_scores(pairs, theirs)
    name, off = "public" if public else "reference", Switches()
    rows = []

    def forget_answers() -> None:
        for case in pairs:
            read_gold(case.truth_harmony).answers.clear()

    def add(what: str, ours: timing.Work, theirs: timing.Work) -> None:
        rows.append(timing.row(what, timing.interleaved({"ours": ours, name: theirs}, rounds)))

    texts = [case[2:] for case in pairs]
    other = scoring([case[:2] for case in pairs], max(passes // 4, 1), theirs)
    add("question and calls met before", scoring(texts, passes, compute_score), other)
    add("the same, switches as options", scoring(texts, passes, partial(compute_score, switches=off)), other)
    add("question met before, calls new", scoring(texts, passes, compute_score, forget_answers), other)
    add("everything new", scoring(texts, passes, compute_score, read_gold.cache_clear), other)
    if public:
        public.print = lambda *_, **__: None
        add("met before, the public one silenced", scoring(texts, passes, compute_score), other)
        del public.print
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.toolrl", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=Path, help="recorded cases (JSONL, gzipped or not)")
    parser.add_argument("--against", type=Path, help="ToolRL's rlla.py, or a checkout of ToolRL")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    try:
        pairs = read_cases(options.cases) if options.cases else cases(40 if options.quick else 400)
    except FileError as error:
        sys.exit(str(error))
    with as_published():
        public = load_public(options.against) if options.against else None
        rows = measure(pairs, public, *((2, 1) if options.quick else (9, 12)))
    ratio = rows[0]["ratio"]["median"]
    names = ["ours", "public" if public else "reference"]
    result = {
        "machine": {"python": platform.python_version(), "cpus": os.cpu_count()},
        "pairs": len(pairs),
        "worlds": names,
        "rows": rows,
    }
    print(plain(*side_by_side(names, rows)))
    if public:
        print(f"\n{ratio:.1f} times as fast (at least {TARGET:g}: {'met' if ratio >= TARGET else 'MISSED'})")
    if options.json:
        with whole_file(options.json) as out:
            json.dump({**result, "target": {"found": ratio, "wanted": TARGET}}, out, indent=1)


if __name__ == "__main__":
    main()
