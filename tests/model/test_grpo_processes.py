"""Two processes learn together what one would have learned alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from adapters import Weights, distance, weights_in
from fresh_process import ROOT

pytestmark = [pytest.mark.torch, pytest.mark.slow]
SCRIPT = """
import json, os, sys
from pathlib import Path
run, batch = Path(sys.argv[1]), int(sys.argv[2])
from pipeline.config import resolve
from pipeline.model import load_model
config = resolve("tiny", environ={}, num_generations=2, grpo_batch_size=batch, grpo_accumulation=1,
    grpo_max_steps=2, grpo_eval_steps=1, grpo_patience=9, validation_tasks=1, max_turns=2, max_turn_length=12)
model, tokenizer = load_model(config)
from envs.retail.database import Shop
from pipeline.grpo import grpo_arguments, train_grpo
paid = lambda completion_ids, **_: [float(sum(ids) % 97) for ids in completion_ids]
arguments = grpo_arguments(config, run)
result = train_grpo(model, tokenizer, Shop.load(), config, arguments, change_reward=lambda *_: paid)
model.save_pretrained(run / f"rank{os.environ.get('RANK', 0)}")
print(json.dumps({"rewards": [line["reward"] for line in result.history if "reward" in line]}))
"""


def learn(folder: Path, processes: int) -> tuple[list[float], list[Weights]]:
    """The rewards of the steps, and the weights each process ended with."""
    folder.mkdir()
    (folder / "learn.py").write_text(SCRIPT)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    done = subprocess.run(
        [*start, str(folder / "learn.py"), str(folder / "run"), str(8 // processes)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"rewards"')]
    checkpoint = folder / "run" / "grpo" / "checkpoint-2"
    assert len(told) == processes and checkpoint.is_dir()
    assert len((folder / "run" / "metrics.jsonl").read_text().splitlines()) < 10, "one process writes the log"
    ends = [weights_in(folder / "run" / f"rank{n}") for n in range(processes)]
    return told[0]["rewards"], [*ends, weights_in(checkpoint)]


def test_two_processes_end_where_one_does(tmp_path):
    alone, (_, one) = learn(tmp_path / "one", 1)
    together, (first, second, two) = learn(tmp_path / "two", 2)
    assert all((first[name] == second[name]).all() for name in first), "equal on both, to the bit"
    assert together == pytest.approx(alone) and len(set(alone)) > 1
    assert distance(two, one) < 1e-4
