"""kill -9 at random moments over the whole tiny pipeline: the same commands finish, with the same numbers."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from reliability.faults.outcome import differences
from reliability.faults.passes import (
    Stage,
    attempt,
    emptied,
    last_words,
    needs_torch,
    undisturbed,
)
from reliability.trial import Found, Setting, Trial, sized

KILLS = {"full": 10, "quick": 2}  # in one pass
FIRST, LATER = 0.95, 0.6  # of a stage's time: where moments are drawn from; after a kill less is left

ABOUT = """
A case is a whole pass over the pipeline with the tiny model and small settings, from an empty folder: SFT,
GRPO, evaluation of base, SFT and GRPO, export, report. Ten times (stages drawn by how long they take
undisturbed, and a moment in each, from the seed and the case's number) the process group at work is killed
with SIGKILL, and the same command is started again. A moment after a stage's end is made up for in the
next. In the end everything must be what the undisturbed pass came to, to the last bit: checksums of all
exported weights, the log of both trainers, `metrics.jsonl` and `episodes.jsonl`
with every step once, the evaluation's episodes, the report's tables, and which files there are. Only clock
times are left out. The processes are forked from one that has imported torch, so that kills fall into work
and not into imports; the quick setting kills twice, evaluates one stage and exports the adapter alone.
"""


def run(cases: range, setting: Setting) -> Found:
    """One killed pass a case."""
    found = Found()
    lasting, whole, _ = undisturbed(setting)
    for case in cases:
        folder, one = emptied((setting.folder / "kill" / f"case-{case}").resolve()), Found()
        _pass(case, folder / "run", lasting, setting, one)
        if not one.failed:
            _compare(case, whole, folder / "run", one)
        if not one.failed:  # else its run folder stays to be looked at
            shutil.rmtree(folder)
        found.merge(one)
    return found


def _pass(case: int, run: Path, lasting: dict[Stage, float], setting: Setting, found: Found) -> None:
    """All stages, each killed as often as was drawn for it and started again until it ends by itself."""
    random, pace = Random(f"kill/{setting.seed}/{case}"), 1.0
    kills = KILLS["quick" if setting.quick else "full"]
    drawn = random.choices(list(lasting), weights=list(lasting.values()), k=kills)
    missed = 0
    for stage, seconds in lasting.items():
        due, first = drawn.count(stage) + missed, True
        while not found.failed:
            length = seconds * pace * (FIRST if first else LATER)
            ended = attempt(stage, run, random.uniform(0, length) if due else None)
            if not ended.killed:
                break
            due, first = due - 1, False
            found.counts[f"killed during: {stage.name}"] += 1
            found.counts["kills"] += 1
        if ended.code:
            found.fail(case, f"{stage.name} does not finish when started again: {last_words(run)}")
        missed = due  # it was done sooner than it should have been; the next stages make up for it
        pace = min(pace, ended.seconds / seconds) if first else pace
    found.counts["moments that came after the end"] += missed


def _compare(case: int, whole: dict[str, str], run: Path, found: Found) -> None:
    differing = differences(whole, run)
    if differing:
        found.fail(case, f"other than undisturbed: {', '.join(differing)}")
    found.counts["values compared with the undisturbed pass"] += len(whole)
    found.counts["of these to the last bit the same"] += len(whole) - len(differing)


TRIAL = Trial("kill", "Killed at random moments", ABOUT, run, sized(full=5, quick=1), unfit=needs_torch)
