"""SIGTERM: training ends after the step under way with a checkpoint, and a chain tells its kernels."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_chain import write_notebook

from pipeline.stopping import Stopped, train_or_stop

ROOT = Path(__file__).parents[1]


def tiny_trainer(folder: Path, tell_at: int | None) -> Any:
    """Six steps of something small to learn; SIGTERM comes in the step after `tell_at`."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return {"loss": (self.weight * x - 1).square().mean()}

    class Tell(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == tell_at:
                os.kill(os.getpid(), signal.SIGTERM)

    settings = {"use_cpu": True, "report_to": [], "per_device_train_batch_size": 1, "num_train_epochs": 1}
    arguments = TrainingArguments(str(folder), save_strategy="no", disable_tqdm=True, **settings)
    rows = [{"x": float(number)} for number in range(6)]
    return Trainer(Line(), arguments, train_dataset=rows, callbacks=[Tell])


@pytest.fixture
def unharmed() -> Iterator[None]:
    """If nobody takes the signal, the test fails and not the whole of pytest."""

    def nobody(*_: object) -> None:
        raise AssertionError("nobody took the signal")

    before = signal.signal(signal.SIGTERM, nobody)
    yield
    assert signal.signal(signal.SIGTERM, before) is nobody, "afterwards the signal means what it meant before"


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.usefixtures("unharmed")
def test_training_that_is_told_to_stop_ends_its_step_and_goes_on_from_there(tmp_path, capsys):
    pytest.importorskip("transformers", reason="training needs the model's packages: make setup")
    told = tiny_trainer(tmp_path, tell_at=2)
    with pytest.raises(Stopped) as stopped:
        train_or_stop(told, None)
    assert stopped.value.code == 143 and not isinstance(stopped.value, Exception)
    assert "stopped by SIGTERM after step 3" in capsys.readouterr().err
    assert (tmp_path / "checkpoint-3" / "trainer_state.json").exists()
    again, alone = tiny_trainer(tmp_path, None), tiny_trainer(tmp_path / "alone", None)
    train_or_stop(again, str(tmp_path / "checkpoint-3"))
    train_or_stop(alone, None)
    assert again.state.global_step == 6
    assert again.model.weight.item() == pytest.approx(alone.model.weight.item()), "and to the same end"


LEARNS = """
import signal, time
from pathlib import Path
from pipeline.stopping import on_sigterm
told = []
with on_sigterm(lambda: told.append(1)):
    Path("begun").touch()
    while not told:
        time.sleep(0.02)
Path("checkpoint").touch()
raise SystemExit(143)
"""
SLEEPS = """
import time
from pathlib import Path
Path("begun").touch()
time.sleep(600)
"""


@pytest.mark.notebook
@pytest.mark.parametrize("cell", [LEARNS, SLEEPS], ids=["training", "not training"])
def test_a_chain_that_is_told_to_stop_tells_its_kernel(tmp_path, cell):
    (tmp_path / "nb").mkdir()
    found = f"import sys\nsys.path.insert(0, {str(ROOT)!r})"
    one = write_notebook(tmp_path / "nb" / "one.ipynb", found + cell)
    two = write_notebook(tmp_path / "nb" / "two.ipynb", 'open("second", "w")')
    chain = subprocess.Popen(
        [sys.executable, "-m", "pipeline.chain", "--run", "r", str(one), str(two)],
        cwd=ROOT,
        env=os.environ | {"TOOL_OUTPUTS": str(tmp_path / "outputs")},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "nb" / "begun").exists():
        assert chain.poll() is None, "it ended before the notebook began"
        time.sleep(0.05)
    chain.send_signal(signal.SIGTERM)
    _, told = chain.communicate(timeout=60)
    assert chain.returncode == 143 and "stopped by SIGTERM in one" in told
    assert (tmp_path / "nb" / "checkpoint").exists() == (cell == LEARNS), "the kernel ended in order"
    assert not (tmp_path / "nb" / "second").exists(), "the next notebook does not begin"
    assert (tmp_path / "outputs" / "r" / "notebooks" / "one.ipynb").exists()
