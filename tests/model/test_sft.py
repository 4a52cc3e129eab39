"""The warm-up on the tiny model: what is trained, that it can be killed, and that it repeats itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from adapters import distance, weights_in
from fresh_process import ROOT, kill_once_there, run_alone

from pipeline.config import resolve
from pipeline.sft import sft_arguments

pytestmark = [pytest.mark.torch, pytest.mark.slow]

sys.path.append(str(ROOT / "tests" / "docs"))
from metrics_page import LOGGED_BY_HAND, explained_of  # noqa: E402 (its folder has to be known first)

SHORT = ["--train-tasks=24", "--validation-tasks=4", "--sft-batch-size=4", "--sft-accumulation=1"]
SHORT += ["--sft-eval-steps=2"]


def command(run: Path) -> list[str]:
    return [sys.executable, "-m", "pipeline.sft", "--profile", "tiny", "--run", str(run), *SHORT]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("sft") / "undisturbed"
    subprocess.run(command(run), cwd=ROOT, check=True, capture_output=True)
    return run


def losses(run: Path) -> list[float]:
    history = json.loads((run / "sft" / "finished.json").read_text())["history"]
    return [entry["loss"] for entry in history if "loss" in entry]


def test_a_killed_run_ends_with_the_same_adapter(undisturbed, tmp_path):
    run = tmp_path / "killed"
    kill_once_there(run, "sft/checkpoint-*/trainer_state.json", command(run))
    again = subprocess.run(command(run), cwd=ROOT, check=True, capture_output=True, text=True)
    assert "resumed from" in again.stdout
    # Nearly always bitwise equal. About one run in thirty sums a float in another order somewhere and lands
    # 3e-5 away, with losses 1e-5 apart; without the optimizer's state it would be 7e-3, and 0.25.
    assert losses(run) == pytest.approx(losses(undisturbed), abs=1e-3)
    ours, theirs = (weights_in(one / "sft" / "adapter") for one in (run, undisturbed))
    assert distance(ours, theirs) < 1e-3


def test_the_docs_explain_every_metric_of_the_warm_up_and_no_other(undisturbed):
    lines = (undisturbed / "metrics.jsonl").read_text().splitlines()
    logged = {name for line in lines for name in json.loads(line)}
    assert logged - LOGGED_BY_HAND == explained_of("sft")


def test_the_same_command_again_takes_up_the_finished_run(undisturbed):
    before = (undisturbed / "sft" / "finished.json").stat().st_mtime_ns
    subprocess.run(command(undisturbed), cwd=ROOT, check=True, capture_output=True)
    assert (undisturbed / "sft" / "finished.json").stat().st_mtime_ns == before


def test_other_settings_in_the_same_run_are_refused(undisturbed):
    other = subprocess.run(
        [*command(undisturbed), "--seed", "1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert other.returncode and "was begun with other settings (seed was 3407, is 1)" in other.stderr


def test_every_run_has_its_own_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "")
    for run in (tmp_path / "one", tmp_path / "two"):
        sft_arguments(resolve("tiny", environ={}), run)
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(run / "tensorboard" / "sft")


# In a process of its own: Unsloth must be imported before transformers and TRL, which other tests import.
_TRAINED_AND_TOLD = """
import itertools, os, signal, sys
from envs.retail.database import Shop
from pipeline.config import resolve
from pipeline.datasets import sft_rows
from pipeline.model import load_model
from pipeline.sft import build_sft_trainer, sft_arguments
from pipeline.task_sets import tasks_for
from pathlib import Path

config = resolve("tiny", environ={})
model, tokenizer = load_model(config)
shop = Shop.load()
tasks = tasks_for(shop, config, "train", 8)
for thoughts, kind in itertools.product((True, False), ("step", "episode")):
    rows, _ = sft_rows(shop, tasks, tokenizer=tokenizer, max_length=config.max_seq_length, rows=kind,
        thoughts=thoughts)
    trainer = build_sft_trainer(model, tokenizer, rows, rows, sft_arguments(config, Path(sys.argv[1])))
    wanted = {"".join(piece.text for piece in row.pieces if piece.trained) for row in rows}
    seen = set()
    for batch in trainer.get_eval_dataloader():
        for labels in batch["labels"].tolist():
            seen.add(tokenizer.decode([token for token in labels if token != -100]))
    assert seen == wanted
    assert all(text.endswith(("<|call|>", "<|return|>")) for text in seen)
    calls = [text for text in seen if kind == "step" and text.endswith("<|call|>")]
    assert all(("analysis" in text) == thoughts for text in calls), "answers are thought either way"
    assert any("analysis" in text for text in seen)
print("trained as wanted")

from transformers import TrainerCallback
from pipeline.stopping import Stopped, train_or_stop

class Tell(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

trainer.add_callback(Tell)
try:
    train_or_stop(trainer, None)
except Stopped as stopped:
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "afterwards it means what it meant before"
    print(f"stopped at {trainer.state.global_step} with {stopped.code}")
"""


@pytest.fixture(scope="module")
def trained_and_told(tmp_path_factory) -> tuple[Path, str, str]:
    """The run's folder, and what its process said."""
    run = tmp_path_factory.mktemp("sft") / "told"
    done = run_alone(_TRAINED_AND_TOLD, str(run))
    return run, done.stdout, done.stderr


def test_the_trainer_trains_exactly_the_agents_own_tokens(trained_and_told):
    _, said, error = trained_and_told
    assert "trained as wanted" in said, error[-2000:]


def test_told_to_stop_it_ends_the_step_under_way_with_a_checkpoint(trained_and_told):
    run, said, error = trained_and_told
    assert "stopped at 2 with 143" in said and "stopped by SIGTERM after step 2" in error, error[-2000:]
    assert [path.name for path in run.glob("sft/checkpoint-*/trainer_state.json")] == ["trainer_state.json"]
    assert (run / "sft" / "checkpoint-2").is_dir() and not (run / "sft" / "finished.json").exists()
