"""Runs code in a process of its own: Unsloth has to be imported before anything that it patches."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_alone(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process, in the project's folder; it can import what lies beside this file, too."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'model'}", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def kill_once_there(folder: Path, pattern: str, command: Sequence[str]) -> None:
    """Start a command and kill it, without a warning, as soon as it has written such a file."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(folder.glob(pattern)):
        assert process.poll() is None, f"it ended before it wrote {pattern}"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
