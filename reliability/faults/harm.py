"""Ways to do harm to a run folder or to the process that works in it; each can be undone or lasts no longer.

cut(run / "config.json")
attempt(stage, run, before=limit_of(1_000_000))      # no file may become longer than a megabyte
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

NOBODY = 65534
PWNED = "pwned"


def cut(file: Path) -> None:
    """Take away the last third of a file."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])


def half_a_line(file: Path) -> None:
    """As a kill in the middle of a write leaves it."""
    with file.open("a") as out:
        out.write('{"stage": "grpo", "step": 3, "rew')


def a_program(file: Path) -> None:
    """A file of torch's form whose unpickling would make a folder; written by hand, opcode by opcode."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", f"cos\nmkdir\n(S'{PWNED}'\ntR.")
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def garbage_line(file: Path) -> None:
    """A first line that is none."""
    file.write_text("\x00\x00 no JSON\n" + file.read_text())


def unfinished(run: Path, stage: str, but: int | None = None) -> None:
    """A training as it was before it ended; `but`: with the checkpoints up to this step only."""
    (run / stage / "finished.json").unlink()
    shutil.rmtree(run / stage / "adapter", ignore_errors=True)
    for folder in (run / stage).glob("checkpoint-*"):
        if but is not None and int(folder.name.rpartition("-")[2]) > but:
            shutil.rmtree(folder)


def turn_dates(output: Path) -> None:
    """Give the newest checkpoint the oldest date, and all of them dates that are yet to come."""
    for place, folder in enumerate(sorted(output.glob("checkpoint-*"), reverse=True)):
        date = time.time() + 86_400 * (place + 1)
        os.utime(folder, (date, date))


def back_in_time() -> None:
    """From now on the clock goes backwards, a minute for every look at it."""
    now = [time.time()]

    def earlier() -> float:
        now[0] -= 60
        return now[0]

    time.time = earlier


def limit_of(size: int) -> Callable[[], None]:
    """No file this process writes may become longer: the write fails as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def lock(closed: bool) -> Callable[[Path], None]:
    """Take the right to write away from a run folder, or give it back."""

    def done(run: Path) -> None:
        run.parent.chmod(0o777)
        for path in (run, *run.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode & ~0o222 | 0o444 if closed else mode | 0o200)

    return done


def nobody() -> None:
    """Go on as a user without rights: to root, no folder is read-only."""
    os.environ["HOME"] = os.getcwd()
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def no_small_disk() -> str:
    """Why no file system of six megabytes can be put under a run's warm-up here, or ""."""
    if os.getuid() or not shutil.which("mount"):
        return "mounting a small disk needs root"
    with tempfile.TemporaryDirectory() as place:
        if subprocess.run(["mount", "-t", "tmpfs", "none", place], capture_output=True).returncode:
            return "this machine does not let a small disk be mounted"
        subprocess.run(["umount", place], check=True)
    return ""


def small_disk_under(run: Path) -> None:
    """Mount it where the warm-up writes."""
    (run / "sft").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(run / "sft")], check=True)


def small_disk_taken_away(run: Path) -> None:
    """What was written whole stays, on a disk with room."""
    kept = shutil.copytree(run / "sft", run.parent / "sft-kept")
    subprocess.run(["umount", str(run / "sft")], check=True)
    (run / "sft").rmdir()
    kept.rename(run / "sft")
