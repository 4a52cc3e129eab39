"""Runs code in a process of its own: Unsloth has to be imported before anything that it patches."""

import os
import subprocess
import sys
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
