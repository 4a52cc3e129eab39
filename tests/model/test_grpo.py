"""Reinforcement learning on the tiny model: what is trained, what is masked, and that it can be killed.

The untrained model writes no calls, so where calls matter its turns are replaced by the gold ones; the
trainer, its masks and its rendering are the real ones.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from adapters import distance, weights_in
from fresh_process import ROOT, kill_once_there, run_alone

pytestmark = [pytest.mark.torch, pytest.mark.slow]
sys.path.append(str(ROOT / "tests" / "docs"))
from metrics_page import LOGGED_BY_HAND, TOOLS, explained_of, unpaid  # noqa: E402 (its folder comes first)

_MASKS = """
import json, sys
from pathlib import Path
way, folder = sys.argv[1], Path(sys.argv[2])
from pipeline.config import resolve
from pipeline.model import load_model
config = resolve("tiny", environ={}, mode="plan" if way == "plan" else "agent", num_generations=2,
    grpo_way=way if way != "plan" else "customer", grpo_batch_size=4, grpo_accumulation=1)
model, tokenizer = load_model(config)
from by_heart import episodes_trained, turn_after, turns_by_history
from envs.retail.database import Shop
from pipeline.datasets import plannable_actions, system_messages
from pipeline.demonstrations import demonstrate
from pipeline.grpo import build_grpo_trainer, grpo_arguments
from pipeline.harmony import Call, Final, User, joined, segments
from pipeline.plan import render_plan
from pipeline.task_sets import tasks_for
shop = Shop.load()
tasks = [task for task in tasks_for(shop, config, "train", 40) if task.level == 2][:2]
expected, turns = [], {}
for task in tasks:
    if way == "plan":
        talk = [User(task.query), Final(render_plan(plannable_actions(task)))]
    else:
        talk = demonstrate(shop, task).messages
    pieces = segments([*system_messages(config.mode), *talk])
    turns |= turns_by_history(pieces)
    expected.append(joined(pieces)[1:])  # after the prompt

def gold(history):
    return tokenizer(turn_after(turns, history), add_special_tokens=False)["input_ids"]

arguments = grpo_arguments(config, folder, max_steps=1, save_strategy="no", report_to=[])
trainer = build_grpo_trainer(model, tokenizer, shop, config, arguments, tasks=tasks)
if way == "customer":
    from pipeline import local_agent
    from pipeline.agent import Written
    def write(self, histories):
        texts = ["".join(piece.text for piece in one.transcript) for one in histories]
        return [Written(turns[text], tuple(gold(text))) for text in texts]
    local_agent.LocalAgent.write = write
else:
    trainer._generate_single_turn = lambda ids, *_, **__: ([gold(tokenizer.decode(one)) for one in ids], None)
seen = episodes_trained(trainer, tokenizer)
trainer.train()
log = [line for line in trainer.state.log_history if "reward" in line][0]
print(json.dumps({"seen": seen, "expected": expected, "log": log}))
"""


@pytest.mark.parametrize("way", ["customer", "tools", "plan"])
def test_only_the_agents_own_words_are_trained_and_gold_earns_everything(way, tmp_path):
    done = run_alone(_MASKS, way, str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    expected = [one for one in told["expected"] for _ in range(2)]  # two episodes of each task
    assert sorted(map(json.dumps, told["seen"])) == sorted(map(json.dumps, expected))
    answers = [[own for own, words in one if "<|start|>functions." in words] for one in told["seen"]]
    assert all(bool(one) == (way != "plan") and not any(one) for one in answers), "and not trained"
    log = told["log"]
    assert log["task_success_rate"] == log["tool_parse_success_rate"] == 1.0
    assert log["reward"] == pytest.approx(3.0)  # tool_level at its best, and twice the outcome
    assert log["flat_groups"] == 1.0 and log["failures/reward"] == 0
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    logged = {name for line in lines for name in json.loads(line)} - LOGGED_BY_HAND
    wanted = explained_of("grpo") - unpaid("tool_level", "outcome") - (set() if way == "tools" else TOOLS)
    assert logged == {name for name in wanted if not name.startswith("validation/")}, "docs/metrics.md"


_RUN = """
import sys
from pathlib import Path
run = Path(sys.argv[1])
from pipeline.config import resolve
from pipeline.model import load_model
config = resolve("tiny", environ={}, num_generations=2, grpo_batch_size=4, grpo_accumulation=1, max_turns=2,
    grpo_max_steps=4, grpo_eval_steps=1, grpo_patience=9, validation_tasks=1, max_turn_length=12)
model, tokenizer = load_model(config)
from envs.retail.database import Shop
from pipeline.grpo import grpo_arguments, train_grpo
# The untrained model earns nothing, and nothing is learned from that: here it is paid for different tokens.
paid = lambda completion_ids, **_: [float(len(set(ids))) for ids in completion_ids]
arguments = grpo_arguments(config, run)
result = train_grpo(model, tokenizer, Shop.load(), config, arguments, change_reward=lambda *_: paid)
print("resumed from", result.resumed_from)
model.save_pretrained(run / "last")
"""


def _process(run: Path) -> subprocess.CompletedProcess:
    done = run_alone(_RUN, str(run))
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def _rewards(run: Path) -> list[float]:
    history = json.loads((run / "grpo" / "finished.json").read_text())["history"]
    return [line["reward"] for line in history if "reward" in line]


def test_a_killed_run_goes_on_to_the_same_end(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    _process(whole)
    kill_once_there(killed, "grpo/checkpoint-2/trainer_state.json", [sys.executable, "-c", _RUN, str(killed)])
    assert "checkpoint-" in _process(killed).stdout
    assert _rewards(killed) == _rewards(whole)
    assert len(set(_rewards(whole))) > 1  # something was learned from
    ours, theirs = (weights_in(run / "grpo" / "checkpoint-4") for run in (killed, whole))
    assert distance(ours, theirs) < 1e-3
    again = _process(whole)  # a finished run is taken up, not repeated
    assert "resumed from None" in again.stdout


_LEAN = """
import json, sys
from pathlib import Path
from pipeline.config import resolve
from pipeline.model import load_model
config = resolve("tiny", environ={}, num_generations=2, grpo_batch_size=4, grpo_accumulation=1)
model, tokenizer = load_model(config)
import torch
from trl import GRPOTrainer
from envs.retail.database import Shop
from pipeline.grpo import build_grpo_trainer, grpo_arguments
from pipeline.task_sets import tasks_for
shop = Shop.load()
arguments = grpo_arguments(config, Path(sys.argv[1]), max_steps=1, save_strategy="no", report_to=[])
tasks = tasks_for(shop, config, "train", 2)
trainer = build_grpo_trainer(model, tokenizer, shop, config, arguments, tasks=tasks)
trainer.current_gradient_accumulation_steps = 1
model.train()
torch.manual_seed(0)

def batch(advantages, with_tools):
    rows = len(advantages)
    prompts, answers = torch.randint(1, 30, (rows,)), torch.randint(1, 40, (rows,))
    places = torch.arange(40)
    made = {
        "prompt_ids": torch.randint(5, 2000, (rows, 40)),
        "prompt_mask": (places[None] >= 40 - prompts[:, None]).long(),
        "completion_ids": torch.randint(5, 2000, (rows, 40)),
        "completion_mask": (places[None] < answers[:, None]).long(),
        "advantages": torch.tensor(advantages),
        "num_items_in_batch": torch.tensor(77.0),
    }
    if with_tools:
        made["tool_mask"] = torch.randint(0, 2, (rows, 40))
        made["old_per_token_logps"] = -5 * torch.rand(rows, 40)
    return made

def told(compute, inputs):
    model.zero_grad()
    loss = compute(model, inputs)
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])

for advantages in ([1.0, -1.0, 0.0, 0.0], [0.0, 0.5, -0.5, 2.0], [0.0, 0.0, 0.0, 0.0]):
    for with_tools in (False, True):
        inputs = batch(advantages, with_tools)
        whole, whole_grad = told(lambda m, i: GRPOTrainer.compute_loss(trainer, m, i), dict(inputs))
        seen = []
        inner, trainer._compute_loss = trainer._compute_loss, lambda m, i: (seen.append(i), inner(m, i))[1]
        lean, lean_grad = told(trainer.compute_loss, dict(inputs))
        trainer._compute_loss = inner
        rows = sum(len(part["completion_ids"]) for part in seen)
        width = max(part["completion_ids"].shape[1] for part in seen)
        filled = min(float(part["completion_mask"].float().mean(1).min()) for part in seen)
        norm, apart = float(whole_grad.norm()), float((whole_grad - lean_grad).norm())
        worth = max(1, sum(a != 0 for a in advantages))
        print(json.dumps({"rows": rows, "worth": worth, "width": width, "all": 80, "norm": norm,
            "filled": filled, "loss": abs(whole - lean), "grad": apart / (1e-9 + norm)}))
"""


def test_leaving_out_what_teaches_nothing_changes_no_gradient(tmp_path):
    done = run_alone(_LEAN, str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    seen = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(seen) == 6 and sum(one["norm"] > 1e-6 for one in seen) == 4
    for one in seen:
        assert one["rows"] == one["worth"] and one["width"] < one["all"] and one["filled"] >= 0.9
        assert one["loss"] < 1e-5 and (one["grad"] < 1e-4 or one["norm"] == 0)
