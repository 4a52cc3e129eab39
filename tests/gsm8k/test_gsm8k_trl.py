"""GRPO over GSM8K on the tiny model: TRL's own loop runs the calculator, and right answers earn everything.

The tiny model cannot solve these problems, so its turns are replaced by demonstrations, half of them with a
wrong number; the trainer, its masks and its rendering are the real ones.
"""

import json
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tests" / "docs"), str(ROOT / "tests" / "model")]
from fresh_process import run_alone  # noqa: E402 (its folder comes first)
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
from by_heart import episodes_trained, trained_words, turn_after, turns_by_history
from envs.gsm8k.synthetic import generate
from pipeline.harmony import joined
from pipeline.gsm8k import answer_rows, build_gsm8k_trainer
from pipeline.grpo import grpo_arguments
problems = list(islice(generate(seed=1), 2))
turns, wanted = {}, []
for row in answer_rows(problems, calculator=calculator):
    turns |= turns_by_history(row.pieces)
    wanted.append(trained_words(joined(row.pieces)))
written = 0
def write(ids, *_, **__):
    global written
    made = []
    for one in ids:
        words = turn_after(turns, tokenizer.decode(one))
        if words.endswith("<|return|>"):
            written += 1
            words = words if written % 2 else words.replace("<|return|>", "1<|return|>")
        made.append(tokenizer(words, add_special_tokens=False)["input_ids"])
    return made, None
arguments = grpo_arguments(config, folder, max_steps=1, save_strategy="no", report_to=[])
trainer = build_gsm8k_trainer(model, tokenizer, problems, arguments, calculator=calculator)
trainer._generate_single_turn = write
seen = episodes_trained(trainer, tokenizer)
trainer.train()
log = [line for line in trainer.state.log_history if "reward" in line][0]
print(json.dumps({"seen": [*map(trained_words, seen)], "wanted": wanted, "log": log}))
"""


@pytest.mark.parametrize("way", ["calculator", "alone"])
def test_a_step_pays_right_answers_and_trains_the_agents_words_only(way, tmp_path):
    done = run_alone(_STEP, way, str(tmp_path))
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
