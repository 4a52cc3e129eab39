"""The SLURM script, run with SLURM's variables and stand-ins for Python and scontrol."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline import chain
from pipeline.config import from_command_line

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scaleout" / "slurm" / "train.sbatch"
# Ends with $ENDS_WITH at once, or waits until it is told and ends as training does.
PYTHON = """#!/usr/bin/env bash
printf '%s\\n' "$@" >words
[[ -z ${ENDS_WITH:-} ]] || exit "$ENDS_WITH"
trap 'sleep "${SAVING:-0}"; echo checkpoint >>told; exit 143' TERM
touch begun
while :; do sleep 0.02; done
"""
SCONTROL = """#!/usr/bin/env bash
[[ -f told ]] && echo "$@" >>requeued
"""
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder to submit from, with stand-ins that write down what they were told."""
    (tmp_path / "helpers.py").touch()
    for path in ROOT.glob("notebooks/0*.ipynb"):
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "notebooks")
    for name, text in (("python", PYTHON), ("scontrol", SCONTROL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def submitted(project: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """The job, as SLURM would start it: from a copy somewhere else."""
    spool = project / "spool"
    spool.mkdir(exist_ok=True)
    path = f"{project}{os.pathsep}{os.environ['PATH']}"
    slurm = {"SLURM_SUBMIT_DIR": str(project), "SLURM_JOB_ID": "4711", "SLURM_CPUS_PER_TASK": "4"}
    ours = {"PATH": path, "PYTHON": "./python", "LINGER": "0"}
    script = shutil.copy(SCRIPT, spool / "slurm_script")
    command = ["bash", str(script), *words]
    return subprocess.Popen(
        command,
        cwd=spool,
        env=slurm | ours | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(project: Path, *words: str, **variables: str) -> list[str]:
    """The words of a command that ended well."""
    job = submitted(project, *words, ENDS_WITH="0", **variables)
    assert (job.wait(60), job.communicate()[1]) == (0, "")
    assert not (project / "requeued").exists()
    return (project / "words").read_text().splitlines()


def signalled(project: Path, *numbers: int, **variables: str) -> tuple[int, str]:
    """Exit code and complaints of a job that got signals while its command ran."""
    job = submitted(project, **variables)
    while not (project / "begun").exists():
        assert job.poll() is None, job.communicate()[1]
        time.sleep(0.02)
    for number in numbers:
        job.send_signal(number)
        time.sleep(0.2 * (len(numbers) > 1))
    _, error = job.communicate(timeout=60)
    assert (project / "told").read_text() == "checkpoint\n", "the command was told, once"
    return job.returncode, error


def test_the_options_come_before_every_command():
    text = SCRIPT.read_text(encoding="utf-8")
    head = text[: text.index("\nset ")].splitlines()
    assert all(line.startswith("#") for line in head), "SLURM stops reading at the first command"
    options = re.findall(r"^#SBATCH --([a-z-]+)", text, flags=re.MULTILINE)
    assert options == re.findall(r"^#SBATCH --([a-z-]+)", "\n".join(head), flags=re.MULTILINE)
    assert {"requeue", "signal", "open-mode", "time", "gpus", "output"} <= set(options)
    assert "outputs/slurm-" in text and (ROOT / "outputs").is_dir(), "SLURM makes no folder for the log"


def test_a_job_of_an_array_is_a_run_of_its_own_seed(project, monkeypatch):
    words = ended(project, "-p", "MODE", "plan", RUN="seeds", PROFILE="gpu24", SLURM_ARRAY_TASK_ID="3")
    called = []
    monkeypatch.chdir(project)
    monkeypatch.setattr(chain, "run_chain", lambda *what: called.append(what) or (Path("page"), True))
    assert words[:2] == ["-m", "pipeline.chain"] and chain.main(words[2:]) == 0
    (notebooks, run, parameters) = called[0]
    assert run == "seeds-seed3" and parameters == {"PROFILE": "gpu24", "SEED": 3, "MODE": "plan"}
    assert [path.name[:2] for path in notebooks] == ["01", "02", "03", "04", "05"]


def test_grpo_gets_a_process_for_each_gpu(project):
    words = ended(project, "grpo", "--temperature", "0.9", SLURM_GPUS_ON_NODE="4", SEED="7", RUN="mine")
    launcher, ours = words[: words.index("pipeline.grpo") + 1], words[words.index("pipeline.grpo") + 1 :]
    assert launcher[:2] == ["-m", "torch.distributed.run"] and "--nproc_per_node=4" in launcher
    parser = argparse.ArgumentParser()
    parser.add_argument("--run")
    options, config = from_command_line(parser, ours)
    assert options.run == "mine"
    assert (config.profile, config.seed, config.temperature) == ("gpu80", 7, 0.9)


def test_before_its_time_limit_the_job_ends_in_order_and_requeues_itself(project):
    code, _ = signalled(project, signal.SIGUSR1, SLURM_RESTART_COUNT="3")
    assert code == 143 and (project / "requeued").read_text() == "requeue 4711\n"


def test_a_second_signal_does_not_requeue_a_job_that_is_still_saving(project):
    code, _ = signalled(project, signal.SIGUSR1, signal.SIGUSR1, SAVING="1")
    assert code == 143 and (project / "requeued").read_text() == "requeue 4711\n"


def test_a_preempted_or_cancelled_job_leaves_the_queue_to_slurm(project):
    code, _ = signalled(project, signal.SIGTERM)
    assert code == 143 and not (project / "requeued").exists()


def test_a_job_that_gets_nowhere_is_not_requeued_for_ever(project):
    code, error = signalled(project, signal.SIGUSR1, SLURM_RESTART_COUNT="50")
    assert code == 143 and not (project / "requeued").exists()
    assert "started 51 times without an end" in error


def test_a_failed_command_fails_the_job(project):
    job = submitted(project, ENDS_WITH="3")
    assert job.wait(60) == 3 and not (project / "requeued").exists()
    job.communicate()


@pytest.mark.parametrize(("lost", "words"), [("helpers.py", "no helpers.py"), ("python", "make setup")])
def test_what_is_missing_is_named(project, lost, words):
    (project / lost).unlink()
    job = submitted(project)
    _, error = job.communicate(timeout=60)
    assert job.returncode == 2 and words in error
