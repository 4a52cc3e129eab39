"""GRPO over GSM8K on the tiny model: TRL's own loop runs the calculator, and right answers earn everything.

The tiny model cannot solve these problems, so its turns are replaced by demonstrations, half of them with a
wrong number; the trainer, its masks and its rendering are the real ones.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "docs"))
from metrics_page import LOGGED_BY_HAND, TOOLS, explained_of  # noqa: E402 (its folder comes first)

_STEP = """
import json, sys
from itertools import islice
from pathlib import Path
calculator, folder = sys.argv[1] == "calculator", Path(sys.argv[2])
from pipeline.config import resolve
from pipeline.model import load_model
config = resolve("tiny", environ={}, num_generations=2, grpo_batch_size=4, grpo_accumulation=1)
model, tokenizer = load_model(config)
from envs.gsm8k.synthetic import generate
from pipeline.gsm8k import answer_rows, build_gsm8k_trainer
from pipeline.grpo import grpo_arguments
problems = list(islice(generate(seed=1), 2))
turns, wanted = {}, []
for row in answer_rows(problems, calculator=calculator):
    runs = []
    for piece in row.pieces:
        if not runs or runs[-1][0] != piece.trained:
            runs.append([piece.trained, ""])
        runs[-1][1] += piece.text
    history = ""
    for trained, words in runs:
        if trained:
            turns[history] = words
        history += words
    wanted.append([words for trained, words in runs if trained])
written = 0
def write(ids, *_, **__):
    global written
    made = []
    for one in ids:
        history = tokenizer.decode(one)
        assert history in turns, "rendered otherwise than in the warm-up: " + history[-300:]
        words = turns[history]
        if words.endswith("<|return|>"):
            written += 1
            words = words if written % 2 else words.replace("<|return|>", "1<|return|>")
        made.append(tokenizer(words, add_special_tokens=False)["input_ids"])
    return made, None
arguments = grpo_arguments(config, folder, max_steps=1, save_strategy="no", report_to=[])
trainer = build_gsm8k_trainer(model, tokenizer, problems, arguments, calculator=calculator)
trainer._generate_single_turn = write
seen = []
compute = trainer.compute_loss
def look(model, inputs, *arguments, **named):
    mask = inputs["completion_mask"] * inputs.get("tool_mask", inputs["completion_mask"])
    for ids, kept in zip(inputs["completion_ids"].tolist(), mask.tolist()):
        runs = []
        for token, trained in zip(ids, kept):
            if trained:
                if not runs or not before:
                    runs.append([])
                runs[-1].append(token)
            before = trained
        seen.append([tokenizer.decode(tokens) for tokens in runs])
    return compute(model, inputs, *arguments, **named)
trainer.compute_loss = look
trainer.train()
log = [line for line in trainer.state.log_history if "reward" in line][0]
print(json.dumps({"seen": seen, "wanted": wanted, "log": log}))
"""


@pytest.mark.parametrize("way", ["calculator", "alone"])
def test_a_step_pays_right_answers_and_trains_the_agents_words_only(way, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _STEP, way, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    right = [one for one in told["seen"] if one in told["wanted"]]
    assert len(told["seen"]) == 4 and len(right) == 2
    log = told["log"]
    assert log["reward"] == log["task_success_rate"] == 0.5 and log["ended_properly"] == 1.0
    assert log["flat_groups"] == 0.0 and log["grad_norm"] > 0
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    logged = {name for line in lines for name in json.loads(line)} - LOGGED_BY_HAND
    assert logged == explained_of("gsm8k") - (set() if way == "calculator" else TOOLS), "docs/metrics.md"
    assert log["avg_tool_calls"] == (
        sum(len(one) - 1 for one in told["wanted"]) / 2 if way == "calculator" else 0
    )
