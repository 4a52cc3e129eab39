"""One pass over the tiny pipeline, stage by stage, each in a process that can be killed.

    load_once()                                        # torch and Unsloth, before the first pass
    for stage in stages(quick=True):
        ended = attempt(stage, run, after=1.5)         # killed after 1.5 s, unless it was done before

A stage is the project's own command with its own words. Its process is forked from this one, which has
already imported torch: a kill then falls into work instead of into ten seconds of imports.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock

from envs.retail.files import read_json, whole_file
from pipeline.runs import ROOT
from reliability.faults.outcome import end_of
from reliability.runner import code_fingerprint
from reliability.trial import Setting

SMALL = {
    "profile": "tiny",
    "train-tasks": 12,
    "validation-tasks": 2,
    "test-tasks": 2,
    "sft-batch-size": 4,
    "sft-eval-steps": 1,
    "grpo-max-steps": 3,
    "grpo-eval-steps": 1,
    "grpo-batch-size": 4,
    "grpo-accumulation": 1,
    "num-generations": 2,
    "max-turns": 2,
    "max-turn-length": 16,
    "max-completion-length": 200,
}
WORDS = tuple(f"--{name}={value}" for name, value in SMALL.items())
TOO_LONG = 300  # seconds after which a stage is given up


@dataclass(frozen=True)
class Stage:
    """A command of the pipeline."""

    name: str
    module: str  # its `main` is what runs
    words: tuple[str, ...] = ()
    settings: bool = True  # whether it takes the run's settings


def stages(quick: bool) -> list[Stage]:
    """The whole pipeline; the quick one leaves out two evaluations and the merged model."""
    evaluated = ("grpo",) if quick else ("base", "sft", "grpo")
    forms = ("--forms", "adapter") if quick else ()
    return [
        Stage("SFT", "pipeline.sft"),
        Stage("GRPO", "pipeline.grpo"),
        *(
            Stage(f"evaluation of {name}", "pipeline.evaluate_commands", ("run", "--stage", name))
            for name in evaluated
        ),
        Stage("export", "pipeline.export", forms),
        Stage("report", "pipeline.report_page", (), settings=False),
    ]


def load_once() -> None:
    """Import what takes long, Unsloth first, in this process; every stage is forked from it."""
    os.environ["OMP_NUM_THREADS"] = "1"  # a pool of threads would not survive the fork
    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"  # nor can a thread that is begun after it use torch
    from pipeline.model import import_unsloth

    import_unsloth()
    import datasets  # noqa: F401
    import torch
    import trl  # noqa: F401
    from tqdm import tqdm

    torch.set_num_threads(1)
    # tqdm's own lock is shared with forked processes: one killed while it draws a bar would keep it for ever.
    tqdm.set_lock(RLock())


def needs_torch(setting: Setting) -> str:
    """Why no pass can be made here, or ""."""
    missing = [name for name in ("torch", "unsloth", "trl") if importlib.util.find_spec(name) is None]
    return f"needs {', '.join(missing)}: `make setup MODEL=cpu`" if missing else ""


@cache
def undisturbed(setting: Setting) -> tuple[dict[Stage, float], dict[str, str], Path]:
    """How long each stage takes where nothing disturbs it, what the pass comes to, and its run folder.

    It is made once for the code as it is, and kept for other trials and for going on later.
    """
    load_once()
    folder = (setting.folder / "undisturbed").resolve()
    run, note, chosen = folder / "run", folder / "undisturbed.json", stages(setting.quick)
    if note.exists() and (kept := read_json(note))["code"] == code_fingerprint():
        return dict(zip(chosen, kept["seconds"], strict=True)), kept["end"], run
    emptied(folder)
    seconds, end = [_alone(stage, run) for stage in chosen], end_of(run)
    with whole_file(note) as out:
        json.dump({"code": code_fingerprint(), "seconds": seconds, "end": end}, out)
    return dict(zip(chosen, seconds, strict=True)), end, run


def _alone(stage: Stage, run: Path) -> float:
    ended = attempt(stage, run)
    if ended.code:
        raise RuntimeError(f"{stage.name} fails undisturbed: {last_words(run)}")
    return ended.seconds


def emptied(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@dataclass(frozen=True)
class Ended:
    """How an attempt at a stage went."""

    killed: bool
    code: int  # its exit code where it was not killed
    seconds: float


def attempt(
    stage: Stage, run: Path, after: float | None = None, before: Callable[[], None] | None = None
) -> Ended:
    """Run a stage in a process group of its own, killed with SIGKILL after so many seconds.

    Args:
        stage: Which.
        run: The run's folder.
        after: Seconds after which it is killed; None: it may come to its end.
        before: Called in the new process first, to take something away from it.
    """
    run.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    process = os.fork()
    if process == 0:
        _become(stage, run, before)
    with suppress(OSError):  # it may have done so itself, or be gone
        os.setpgid(process, process)
    deadline = began + (TOO_LONG if after is None else after)
    while time.monotonic() < deadline:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return Ended(False, os.waitstatus_to_exitcode(status), time.monotonic() - began)
        time.sleep(0.005)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return Ended(after is not None, -signal.SIGKILL, time.monotonic() - began)


def log_of(run: Path) -> Path:
    """What the stages printed."""
    return run.parent / "log.txt"


def last_words(run: Path, length: int = 300) -> str:
    """The end of what the stages printed."""
    return " ".join(log_of(run).read_text(errors="replace").split())[-length:]


def _become(stage: Stage, run: Path, before: Callable[[], None] | None) -> None:
    """The forked process: the stage's command, from its first line to its exit code."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.chdir(run.parent)  # Unsloth writes its compiled modules here, a pass's own
        sys.path.insert(0, str(ROOT))
        log = _through_a_pipe(log_of(run))
        if before:
            before()
        code = _main(stage, run)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.close(1)
        os.close(2)
        log.wait()
        os._exit(code)


def _through_a_pipe(file: Path) -> subprocess.Popen[bytes]:
    """Let another process write the log: what is taken away from this one is not for the log."""
    with file.open("a") as out:
        writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=out)
    for stream in (1, 2):
        os.dup2(writer.stdin.fileno(), stream)
    writer.stdin.close()
    return writer


def _main(stage: Stage, run: Path) -> int:
    words = ["--run", str(run), *WORDS] if stage.settings else [str(run)]
    return importlib.import_module(stage.module).main([*stage.words, *words])
