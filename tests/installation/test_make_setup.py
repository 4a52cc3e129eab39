"""`make setup` chooses a set by what the machine has and says so; pip is a stand-in that takes notes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "make", "sed", "grep", "awk", "touch", "rm", "cat")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def machine(tmp_path):
    """A PATH with the few programs make needs, and a .venv whose Python writes down its arguments."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    program(
        tmp_path / "venv/bin/python", f'echo "$@" >> {tmp_path}/calls; case "$2" in *pins) echo torch;; esac'
    )
    return tmp_path


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def make(machine: Path, *words: str) -> subprocess.CompletedProcess:
    chosen = {"MODEL", "LOCKED", "PYTHON", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS"}  # `make test PYTHON=…`
    given = {name: value for name, value in os.environ.items() if name not in chosen}
    return subprocess.run(
        [shutil.which("make"), "--no-print-directory", f"VENV={machine / 'venv'}", *words],
        cwd=ROOT,
        env=given | {"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
    )


def calls(machine: Path) -> list[str]:
    return (machine / "calls").read_text().splitlines()


@pytest.mark.parametrize(
    ("nvidia_smi", "chosen", "why"),
    [
        (None, "requirements-cpu.txt", "no NVIDIA GPU: nvidia-smi is not installed"),
        (
            "echo 'No devices were found'; exit 6",
            "requirements-cpu.txt",
            "no NVIDIA GPU: nvidia-smi names none",
        ),
        (
            "echo 'NVIDIA-SMI has failed'; exit 9",
            "requirements-cpu.txt",
            "no NVIDIA GPU: nvidia-smi names none",
        ),
        (
            "echo 'GPU 0: NVIDIA GB10 (UUID: GPU-1-2)'; echo '  MIG 1g: (UUID: MIG-3)'; echo 'GPU 1: B'",
            "requirements.txt",
            "nvidia-smi names a GPU: NVIDIA GB10",
        ),
    ],
)
def test_chooses_by_the_gpu_and_says_why(machine, nvidia_smi, chosen, why):
    if nvidia_smi:
        program(machine / "bin/nvidia-smi", nvidia_smi)
    done = make(machine, "setup")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(f"is ready with requirements-dev.txt and {chosen} ({why})")
    assert f"installing {chosen}: {why} (once, some minutes)" in done.stdout


def test_a_given_model_wins_over_the_machine(machine):
    program(machine / "bin/nvidia-smi", "echo 'GPU 0: NVIDIA T4 (UUID: GPU-1)'")
    assert "requirements-cpu.txt (MODEL=cpu was given)" in make(machine, "setup", "MODEL=cpu").stdout
    refused = make(machine, "setup", "MODEL=tpu")
    assert refused.returncode == 2 and 'MODEL is cpu or gpu, not "tpu"' in refused.stderr


@pytest.mark.parametrize("model", ["cpu", "gpu"])
def test_unsloth_is_installed_without_its_dependencies_and_once(machine, model):
    make(machine, "setup", f"MODEL={model}")
    dev, deps, unsloth = calls(machine)
    assert dev.endswith("-r requirements-dev.txt") and f".stamp-{model}.deps" in deps
    assert "--no-deps unsloth==" in unsloth and "unsloth_zoo==" in unsloth
    again = make(machine, "setup", f"MODEL={model}")
    assert len(calls(machine)) == 3 and "is ready" in again.stdout


def test_locked_installs_the_lock_with_hashes_and_satisfies_the_other_targets(machine):
    make(machine, "setup", "MODEL=cpu", "LOCKED=1")
    strict = "--require-hashes --no-deps -r"
    assert [call.split("check ")[-1] for call in calls(machine)] == [
        f"{strict} requirements-dev.lock",
        f"{strict} requirements-cpu.lock",
    ]
    make(machine, "setup", "MODEL=cpu")
    assert len(calls(machine)) == 2, "what is locked also counts as installed"


def test_locked_after_unlocked_installs_again(machine):
    make(machine, "setup", "MODEL=gpu")
    make(machine, "setup", "MODEL=gpu", "LOCKED=1")
    assert calls(machine)[-1].endswith("--require-hashes --no-deps -r requirements.lock")


def test_newest_upgrades_to_what_has_no_pins(machine):
    done = make(machine, "newest", "MODEL=cpu")
    assert done.returncode == 0, done.stderr
    unsloth, asked, installed = calls(machine)
    assert unsloth.endswith("--upgrade --no-deps unsloth unsloth_zoo")
    assert asked.startswith("-m pipeline.installation.pins unpinned --within unsloth --within unsloth_zoo ")
    assert asked.endswith(" requirements-dev.txt requirements-cpu.txt")
    assert installed.endswith(f"--upgrade -r {machine}/venv/newest.txt")
    assert (machine / "venv/newest.txt").read_text() == "torch\n"


def test_without_a_python_of_the_right_version_says_what_to_install(machine):
    program(machine / "bin/python3", "exit 1")
    done = make(machine, "check", f"VENV={machine / 'none'}")
    assert done.returncode == 2
    assert "needs Python 3.11, 3.12 or 3.13: install one, or name it with PYTHON=" in done.stdout
