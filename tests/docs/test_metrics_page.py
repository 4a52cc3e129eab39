"""Every metric name the code logs stands in docs/metrics.md, and no other.

What the trainers log is compared where they run anyway: tests/model/test_sft.py, test_grpo.py and
tests/gsm8k/test_gsm8k_trl.py.
"""

from types import SimpleNamespace

import pytest
from metrics_page import LOGGED_BY_HAND, TOOLS, explained, explained_of

from envs.retail.database import Shop
from envs.retail.files import read_json
from envs.retail.tasks import read_tasks
from pipeline import rewards
from pipeline.attacks.attack import honest
from pipeline.grpo_report import PANELS, REFERENCE
from pipeline.grpo_rewards import Scored, step_metrics
from pipeline.grpo_trainer import Clock
from pipeline.grpo_watch import validation_metrics
from pipeline.gsm8k import Solved
from pipeline.gsm8k import step_metrics as gsm8k_metrics
from pipeline.metrics import METRICS, SECONDS
from pipeline.page.curves import PLOTS
from pipeline.runs import ROOT
from pipeline.toolrl.training import toolrl_reward
from pipeline.toolrl_score import Switches
from pipeline.training_report import LOSSES


@pytest.fixture(scope="module")
def episode():
    task = read_tasks(ROOT / "data" / "dataset.jsonl")[0]
    return honest(Shop.load(), task)


def test_reinforcement_logs_what_the_page_explains(episode):
    breakdown = rewards.score(episode, dict.fromkeys(rewards.PROFILES, 1.0))
    logged = step_metrics([Scored(episode, breakdown)] * 2, 2).keys()
    logged = logged | validation_metrics([episode]).keys() | Clock().split().keys()
    assert logged == explained("What this project logs in reinforcement")


def test_toolrl_and_gsm8k_log_what_the_page_explains(monkeypatch):
    logged: dict[str, float] = {}
    monkeypatch.setattr("pipeline.toolrl.training.Vocabulary.of", lambda tokenizer: None)
    reward = toolrl_reward(None, 1, Switches())
    truth = "<|start|>assistant<|channel|>final<|message|>Yes.<|return|>"
    reward([truth], [truth], SimpleNamespace(global_step=0), logged.__setitem__)
    assert logged.keys() | Clock().split().keys() == explained("ToolRL")
    assert gsm8k_metrics([Solved()], [0.0], 1).keys() | Clock().split().keys() == explained("GSM8K")


def test_evaluations_have_what_the_page_explains():
    assert {*METRICS, SECONDS, "pass^k", "pass@k"} == explained("Evaluation")


def test_what_notebooks_and_report_draw_is_explained():
    assert {name for panel in PANELS for name in panel.names} <= explained_of("grpo")
    assert set(LOSSES.names) <= explained_of("sft")
    for stage, plots in PLOTS.items():
        assert {name for _, _, names in plots for name in names} <= explained_of(stage)


def test_what_the_reference_runs_logged_is_explained():
    found = read_json(REFERENCE)
    histories = [run["history"] for run in found["runs"]] + [found["collapse"]["history"]]
    logged = {name for history in histories for entry in history for name in entry}
    assert len(logged) > 15 and logged - LOGGED_BY_HAND <= explained_of("grpo")


def test_the_tables_are_read_as_they_are_written():
    assert {"loss", "eval_loss", "eval_mean_token_accuracy"} <= explained_of("sft")
    assert explained_of("grpo") >= TOOLS and "rewards/gsm8k/mean" in explained_of("gsm8k")
    assert "reward" not in explained_of("sft") and "reward" in explained_of("grpo")
