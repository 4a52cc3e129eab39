"""What watches reinforcement learning: when it validates, what it keeps, and what ends a run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import grpo_watch
from pipeline.grpo_watch import LossIsNaN

pytestmark = pytest.mark.torch


class Trainer:
    """As much of a trainer as the watch asks for; its weights are the number of the step."""

    def __init__(self):
        self.accelerator, self.model, self.step, self.logged = self, self, 0, []

    def add_callback(self, callback):
        self.callback = callback

    def unwrap_model(self, model):
        return model

    def save_pretrained(self, folder):
        (Path(folder) / "weights").write_text(str(self.step))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A function that logs step after step while validation finds these successes; returns the trainer."""
    transformers = pytest.importorskip("transformers")
    monkeypatch.setattr(transformers.Trainer, "log", lambda trainer, logs: trainer.logged.append(logs))

    def run(logs, successes, every=2, patience=2):
        found = iter(successes)
        monkeypatch.setattr(grpo_watch, "episode_metrics", lambda _: {"task_success_rate": next(found)})
        trainer, control = Trainer(), SimpleNamespace(should_training_stop=False)
        arguments = SimpleNamespace(output_dir=str(tmp_path))
        grpo_watch.watch(lambda: [], every, patience, tmp_path / "best").attach(trainer)
        state = SimpleNamespace(global_step=0, is_world_process_zero=True)
        trainer.callback.on_train_begin(arguments, state, control)
        for trainer.step, entry in enumerate(logs, 1):
            state.global_step = trainer.step
            trainer.callback.on_log(arguments, state, control, logs=entry)
            if control.should_training_stop:
                break
        return trainer

    return run


STEP = {"loss": 0.1, "grad_norm": 1.0, "reward": 0.5}


def test_the_best_weights_are_kept_and_patience_ends_the_run(run, tmp_path):
    trainer = run([STEP] * 20, [0.1, 0.3, 0.3, 0.2, 0.9])
    assert trainer.step == 6, "two validations without more success"
    assert (tmp_path / "best" / "weights").read_text() == "2"
    assert [entry["validation/task_success_rate"] for entry in trainer.logged] == [0.1, 0.3, 0.3, 0.2]


@pytest.mark.parametrize(
    "broken", [{"loss": float("nan")}, {"grad_norm": float("inf")}, {"reward": None}], ids=str
)
def test_what_is_no_number_ends_the_run(run, broken):
    with pytest.raises(LossIsNaN, match="at step 2; no checkpoint was written yet; lower grpo_"):
        run([STEP, STEP | broken], [0.1])


def test_an_update_without_new_episodes_is_looked_at_too(run):
    again = {"loss": 0.1, "grad_norm": 1.0}  # the second update to a batch logs no reward
    trainer = run([STEP, again] * 2 + [{"train_loss": 0.1}], [0.1, 0.2, 0.3])
    assert len(trainer.logged) == 3 and [step for step, _ in trainer.callback.rewards] == [1, 3]
    with pytest.raises(LossIsNaN):
        run([STEP, again | {"loss": float("nan")}], [0.1])
