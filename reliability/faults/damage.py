"""Full disks, read-only folders, damaged files, a clock set back: a clear message, and the same end."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reliability.faults.harm import (
    PWNED,
    a_program,
    back_in_time,
    cut,
    garbage_line,
    half_a_line,
    limit_of,
    lock,
    no_small_disk,
    nobody,
    small_disk_taken_away,
    small_disk_under,
    turn_dates,
    unfinished,
)
from reliability.faults.outcome import differences
from reliability.faults.passes import (
    attempt,
    emptied,
    last_words,
    log_of,
    needs_torch,
    stages,
    undisturbed,
)
from reliability.trial import Found, Setting, Trial, sized

ABOUT = """
Each case takes the run folder of an undisturbed pass, does one thing to it or to the machine, and starts the
command of the stage that is concerned. Either the command finishes by itself with everything as in the
undisturbed pass (checksums of weights, logs, episodes, the report's tables), or it ends with exit code 2, one
sentence that names the trouble, and no traceback; once the trouble is taken away the same command finishes,
with everything as in the undisturbed pass.
"""

EVALUATION = "evaluation of grpo"
Run = Path
Nothing: Callable[[Run], None] = lambda run: None  # noqa: E731


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    what: str
    stage: str
    harm: Callable[[Run], None]  # done to the run folder beforehand
    said: str = ""  # what the command must say and end with code 2; "": it finishes by itself
    taken: Callable[[], None] | None = None  # done in the command's own process
    heal: Callable[[Run], None] = Nothing
    may: Callable[[], str] = lambda: ""  # why it cannot be tried on this machine


def _damaged(pattern: str, harm: Callable[[Path], None]) -> Callable[[Run], None]:
    """Harm the file of an unfinished training that is the last by name to match."""
    stage = pattern.split("/")[0]

    def done(run: Run) -> None:
        unfinished(run, stage)
        for file in sorted(run.glob(pattern))[-1:]:
            harm(file)

    return done


def _every_checkpoint(run: Run) -> None:
    unfinished(run, "grpo")
    for file in run.glob("grpo/checkpoint-*/optimizer.pt"):
        cut(file)


def _set_back(run: Run) -> None:
    unfinished(run, "grpo", but=2)
    turn_dates(run / "grpo")


def _half_lines(run: Run) -> None:
    unfinished(run, "grpo", but=2)
    half_a_line(run / "metrics.jsonl")
    half_a_line(run / "episodes.jsonl")


def _program(name: str) -> Callable[[Run], None]:
    """A checkpoint with a file that would make a folder if it were unpickled."""

    def done(run: Run) -> None:
        unfinished(run, name.split("/")[0], but=2)
        a_program(run / name)

    return done


def _removed(*names: str) -> Callable[[Run], None]:
    def done(run: Run) -> None:
        for place in (run / name for name in names):
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink()

    return done


def _kept(name: str, harm: Callable[[Path], None]) -> tuple[Callable[[Run], None], Callable[[Run], None]]:
    """Harm a file and bring it back."""

    def harmed(run: Run) -> None:
        shutil.copy2(run / name, run.parent / "kept")
        harm(run / name)

    return harmed, lambda run: shutil.copy2(run.parent / "kept", run / name)


def _without(name: str) -> Callable[[Run], None]:
    """Remove the first line of a file."""
    return lambda run: (run / name).write_text("".join((run / name).read_text().splitlines(True)[1:]))


def _after(*steps: Callable[[Run], None]) -> Callable[[Run], None]:
    def done(run: Run) -> None:
        for step in steps:
            step(run)

    return done


_SFT, _GRPO = _removed("sft"), lambda run: unfinished(run, "grpo", but=0)
_EPISODES = "evaluation/grpo.jsonl"
_FULL, _CLOSED = "the disk is full.*the same command", "may not be written.*TOOL_OUTPUTS"
_config, _config_back = _kept("config.json", cut)
_adapter, _adapter_back = _kept("sft/adapter/adapter_model.safetensors", cut)
_evaluation, _export = _removed("evaluation/grpo.jsonl", "evaluation/grpo.json"), _removed("export")
_report = _removed("report.html")

_REFUSED = "checkpoint-2: holds more than numbers and was not loaded"
_LOCKED = (_CLOSED, nobody, lock(False))
_FIRST_EPISODES = r"grpo\.jsonl:1: not valid JSON.*remove this line"

FAULTS = (
    # the quick setting tries the first two
    Fault("newest checkpoint: weights cut off", "SFT", _damaged("sft/checkpoint-*/*.safetensors", cut)),
    Fault("a garbage line among the episodes", EVALUATION, lambda run: garbage_line(run / _EPISODES),
          _FIRST_EPISODES, heal=_without(_EPISODES)),
    Fault("no room for the weights", "GRPO", _GRPO, _FULL, limit_of(1_000_000)),
    Fault("newest checkpoint: no trainer_state.json", "SFT",
          _damaged("sft/checkpoint-*/trainer_state.json", os.unlink)),
    Fault("newest checkpoint: trainer_state.json cut off", "GRPO",
          _damaged("grpo/checkpoint-*/trainer_state.json", cut)),
    Fault("newest checkpoint: optimizer is garbage", "GRPO",
          _damaged("grpo/checkpoint-*/optimizer.pt", lambda file: file.write_bytes(b"garbage" * 1000))),
    Fault("newest checkpoint: random state cut off", "GRPO",
          _damaged("grpo/checkpoint-*/rng_state.pth", cut)),
    Fault("every checkpoint: optimizer cut off", "GRPO", _every_checkpoint),
    Fault("killed after the last checkpoint", "SFT", lambda run: unfinished(run, "sft")),
    Fault("killed after the last checkpoint", "GRPO", lambda run: unfinished(run, "grpo")),
    Fault("clock runs backwards, dates of checkpoints turned round", "GRPO", _set_back, taken=back_in_time),
    Fault("half a line at the end of metrics.jsonl and episodes.jsonl", "GRPO", _half_lines),
    Fault("half a line at the end of the episodes", EVALUATION, lambda run: cut(run / _EPISODES)),
    Fault("config.json cut off", "SFT", _after(lambda run: unfinished(run, "sft"), _config),
          r"config\.json.*cannot be read", heal=_config_back),
    Fault("the warm-up's adapter cut off", "GRPO", _after(_GRPO, _adapter),
          "adapter_model.safetensors is cut off or damaged", heal=_adapter_back),
    Fault("no room for the weights", "SFT", _SFT, _FULL, limit_of(1_000_000)),
    Fault("no room for the second episode", EVALUATION, _evaluation, _FULL, limit_of(2_500)),
    Fault("no room for the weights", "export", _export, _FULL, limit_of(1_000_000)),
    Fault("no room for the page", "report", _report, _FULL, limit_of(20_000)),
    Fault("a disk of 6 MB", "SFT", _after(_SFT, small_disk_under), _FULL, heal=small_disk_taken_away,
          may=no_small_disk),
    Fault("folder is read-only", "SFT", _after(_SFT, lock(True)), *_LOCKED),
    Fault("folder is read-only", "GRPO", _after(_GRPO, lock(True)), *_LOCKED),
    Fault("folder is read-only", EVALUATION, _after(_evaluation, lock(True)), *_LOCKED),
    Fault("folder is read-only", "export", _after(_export, lock(True)), *_LOCKED),
    Fault("folder is read-only", "report", _after(_report, lock(True)), *_LOCKED),
    Fault("newest checkpoint: random state is a program", "SFT", _program("sft/checkpoint-2/rng_state.pth"),
          _REFUSED, heal=_removed("sft/checkpoint-2")),
    Fault("newest checkpoint: optimizer is a program", "GRPO", _program("grpo/checkpoint-2/optimizer.pt"),
          _REFUSED, heal=_removed("grpo/checkpoint-2")),
)  # fmt: skip


def run(cases: range, setting: Setting) -> Found:
    """One fault a case."""
    found = Found()
    _, whole, source = undisturbed(setting)
    for case in cases:
        fault = FAULTS[case]
        row = {"fault": fault.what, "stage": fault.stage}
        if reason := fault.may():
            found.rows.append(row | {"what happened": f"not tried: {reason}"})
            continue
        folder = emptied((setting.folder / "damage" / f"case-{case}").resolve())
        trouble, said = _tried(fault, _copied(source, folder / "run"), whole, setting)
        found.rows.append(row | {"what happened": trouble or said})
        if trouble:
            found.fail(case, f"{fault.what}, {fault.stage}: {trouble}")
        else:
            shutil.rmtree(folder)
    return found


def _copied(source: Run, run: Run) -> Run:
    """A run's copy, which knows where it lies."""
    shutil.copytree(source, run)
    for file in (*run.rglob("trainer_state.json"), *run.glob("evaluation/*.json")):
        file.write_text(file.read_text().replace(str(source), str(run)))
    return run


def _tried(fault: Fault, run: Run, whole: dict[str, str], setting: Setting) -> tuple[str, str]:
    """What was not as it must be (or ""), and what happened."""
    stage = next(one for one in stages(setting.quick) if one.name == fault.stage)
    fault.harm(run)
    try:
        ended = attempt(stage, run, before=fault.taken)
    finally:
        fault.heal(run)
    printed = " ".join(log_of(run).read_text(errors="replace").split())
    said = "finished by itself"
    if fault.said:
        if ended.code != 2 or not re.search(fault.said, printed) or "Traceback" in printed:
            return f"exit code {ended.code}, and it said: {last_words(run)}", ""
        said = "exit code 2 with a sentence; then the same command finished"
        ended = attempt(stage, run)
    if (run.parent / PWNED).exists():
        return "the program in the file was run", ""
    if ended.code:
        return f"does not finish: {last_words(run)}", ""
    differing = differences(whole, run)
    return (f"other than undisturbed: {', '.join(differing)}" if differing else ""), f"{said}; all the same"


TRIAL = Trial(
    "damage",
    "Full disks, damaged files, a clock set back",
    ABOUT,
    run,
    sized(full=len(FAULTS), quick=2),
    unfit=needs_torch,
)
