"""The benchmark of reinforcement learning runs through; its times are the machine's, so none is asserted."""

import json
from pathlib import Path

import pytest
from fresh_process import run_alone

pytestmark = [pytest.mark.torch, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from pipeline.config import resolve
from pipeline.model import load_model
folder = Path(sys.argv[1])
model, tokenizer = load_model(resolve("tiny", environ={}))
model.save_pretrained(folder / "adapter")
tokenizer.save_pretrained(folder / "adapter")
import os
os.environ |= {"GPTOSS_MAX_TURN_LENGTH": "8", "GPTOSS_NUM_GENERATIONS": "2"}
from benchmarks.grpo import main
short = ["--steps", "1", "--rounds", "1", "--batch", "4"]
sys.exit(main(["--adapter", str(folder / "adapter"), "--json", str(folder / "found.json"), *short]))
"""


def test_it_says_whose_time_a_step_is_and_compares_the_loops(tmp_path):
    done = run_alone(SCRIPT, str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    for way in ("customer", "tools"):
        costs = found["overhead"][way]
        ours = costs["tools and customer"] + costs["reward"] + costs["logging"]
        assert 0 < ours < costs["step"] and costs["share"] == pytest.approx(ours / costs["step"])
        assert f"overhead, way {way}" in done.stdout
    assert found["throughput"]["ratio"]["median"] > 0 and "tokens/s" in done.stdout
