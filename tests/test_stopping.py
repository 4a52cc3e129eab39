"""SIGTERM: a chain of notebooks tells its kernels. What training does then: tests/model/test_sft.py."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_chain import write_notebook

ROOT = Path(__file__).parents[1]


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
