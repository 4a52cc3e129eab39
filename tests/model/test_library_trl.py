"""A domain of one's own inside TRL: warm-up rows and a step of GRPO on the tiny model, tools executed.

The untrained model writes no calls, so its turns are replaced: of a task's two episodes one is served as the
demonstration does, one does nothing. The trainer, its masks and its rendering are the real ones.
"""

import json
import re

import pytest
from fresh_process import ROOT, run_alone

pytestmark = [pytest.mark.torch, pytest.mark.slow]

_STEP = """
import json, sys
from pathlib import Path
folder = Path(sys.argv[1])
from pipeline.config import resolve
from pipeline.model import load_model
config = resolve("tiny", environ={}, grpo_way="tools", num_generations=2, grpo_batch_size=4,
    grpo_accumulation=1)
model, tokenizer = load_model(config)
from by_heart import episodes_trained, trained_words, turn_after, turns_by_history
from envs.library import LIBRARY, library_tasks
from pipeline.datasets import sft_rows, to_dataset
from pipeline.harmony import joined
from pipeline.grpo import build_grpo_trainer, grpo_arguments
tasks = [task for task in library_tasks() if task.split == "train"]
tasks = [tasks[0], next(task for task in tasks if task.outputs)]
long = {"max_length": 10**6, "rows": "episode", "effort": config.effort}
rows, report = sft_rows(LIBRARY, tasks, tokenizer=tokenizer, **long)
turns, wanted = {}, []
for row in rows:
    turns |= turns_by_history(row.pieces)
    wanted.append(trained_words(joined(row.pieces)))
masked = [
    tokenizer.decode([one for one, kept in zip(row["input_ids"], row["completion_mask"]) if kept])
    for row in to_dataset(rows, tokenizer)
]
lazy = "<|channel|>final<|message|>I am sorry.<|return|>"
begun = 0
def words(history):
    global begun
    first = "<|call|>" not in history
    begun += first
    return lazy if first and begun % 2 else turn_after(turns, history)
def gold(text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]
arguments = grpo_arguments(config, folder, max_steps=1, save_strategy="no", report_to=[])
trainer = build_grpo_trainer(model, tokenizer, LIBRARY, config, arguments, tasks=tasks)
write = lambda ids, *_, **__: ([gold(words(tokenizer.decode(one))) for one in ids], None)
trainer._generate_single_turn = write
seen = episodes_trained(trainer, tokenizer)
weights = [one for one in model.parameters() if one.requires_grad]
before = [one.detach().clone() for one in weights]
trainer.train()
moved = max(float((one.detach() - old).abs().max()) for one, old in zip(weights, before))
log = [line for line in trainer.state.log_history if "reward" in line][0]
seen = [*map(trained_words, seen)]
told = {"seen": seen, "wanted": wanted, "masked": masked, "lazy": [lazy], "log": log, "moved": moved}
print(json.dumps(told))
"""


def test_a_step_pays_for_what_was_done_in_the_library_and_moves_the_weights(tmp_path):
    done = run_alone(_STEP, str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["masked"] == ["".join(words) for words in told["wanted"]]
    episodes = [*told["wanted"], told["lazy"], told["lazy"]]
    assert sorted(map(json.dumps, told["seen"])) == sorted(map(json.dumps, episodes))
    log = told["log"]
    assert log["task_success_rate"] == 0.5 and log["ended_properly"] == 1.0 and log["failures/reward"] == 0
    assert log["reward"] == pytest.approx(1.5)  # half of tool_level at its best and twice the outcome
    assert log["flat_groups"] == 0.0 and log["grad_norm"] > 0 and told["moved"] > 0


_SHORT = {  # the page's own settings, for seconds instead of minutes
    "GPTOSS_GRPO_MAX_STEPS": "1",
    "GPTOSS_NUM_GENERATIONS": "2",
    "GPTOSS_GRPO_BATCH_SIZE": "2",
    "GPTOSS_GRPO_ACCUMULATION": "1",
    "GPTOSS_MAX_TURN_LENGTH": "8",
    "GPTOSS_MAX_TURNS": "2",
}


def test_the_page_trains_and_evaluates_as_it_says(tmp_path):
    page = (ROOT / "docs" / "custom_domain.md").read_text(encoding="utf-8")
    (code,) = (
        one for one in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "load_model" in one
    )
    done = run_alone(code.replace("outputs/library", str(tmp_path)), **_SHORT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "sft" / "adapter").exists() and (tmp_path / "grpo" / "best").exists()
    records = (tmp_path / "evaluation" / "grpo.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(record)["id"] for record in records}) == 9
