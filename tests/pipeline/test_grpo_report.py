"""What is paid and what was gained, as tables; and the control's rewards."""

import json
import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.retail.database import Shop
from envs.retail.generator import generate
from pipeline.attacks.attack import act
from pipeline.config import resolve
from pipeline.demonstrations import report
from pipeline.grpo_report import (
    PANELS,
    interval,
    pay_table,
    plot_collapse,
    plot_curves,
    reference_table,
    step_table,
    success_table,
)
from pipeline.grpo_rewards import shuffled

SHOP = Shop.load()
TASKS = list(islice(generate(SHOP, seed=3, levels=(2, 3), split="test"), 12))
CONFIG = resolve("tiny", environ={})


def served(task, right: bool):
    return act(SHOP, task, task.gold_actions if right else task.gold_actions[:1], "agent", report(task))


@pytest.mark.parametrize("mode", ["agent", "plan"])
def test_honest_work_is_paid_best(mode):
    for task in TASKS[:6]:
        html = pay_table(resolve("tiny", environ={}, mode=mode), SHOP, task).to_html()
        rewards = [float(cell) for cell in re.findall(r">(-?\d+\.\d\d)<", html)]
        assert len(rewards) == 4 and rewards[0] == max(rewards) == 3.0 > sorted(rewards)[-2]


def test_gains_are_taken_task_by_task():
    before = [served(task, place < 3) for place, task in enumerate(TASKS)]
    after = [served(task, place < 9) for place, task in enumerate(TASKS)]
    html = success_table(before, after).to_html()
    assert "25.0%" in html and "75.0%" in html and "+50.0 points" in html
    with pytest.raises(ValueError, match="same tasks"):
        success_table(before, after[::-1])


def test_an_interval_is_wide_for_few_and_narrow_for_many():
    few, many = interval([0.0, 1.0] * 5), interval([0.0, 1.0] * 500)
    assert few[1] - few[0] > 0.4 and many[1] - many[0] < 0.08
    assert interval([1.0] * 9) == (1.0, 1.0)


@given(st.lists(st.floats(-1, 3), min_size=1, max_size=4), st.integers(0, 50))
def test_shuffled_rewards_stay_in_their_group_and_come_again(values, step):
    class State:
        global_step = step

    earned = [value + 10 * group for group in range(3) for value in (values * 8)[: CONFIG.num_generations]]
    dealt = shuffled(lambda **_: list(earned), CONFIG)
    first = dealt(trainer_state=State())
    size = CONFIG.num_generations
    for start in range(0, len(earned), size):
        assert sorted(first[start : start + size]) == sorted(earned[start : start + size])
    assert dealt(trainer_state=State()) == first


def test_pictures_and_tables_take_a_trainers_log():
    entry = {name: 0.5 for panel in PANELS for name in panel.names if not name.startswith("validation")}
    history = [{"step": 0, "validation/task_success_rate": 0.4}]
    history += [entry | {"step": step, "loss": 0.1} for step in (1, 2)]
    history += [{"step": 3, "reward": None}]  # TRL's, where nothing could be scored
    drawn = [line for axes in plot_curves(history).axes for line in axes.get_lines()]
    assert len(drawn) == sum(len(panel.names) for panel in PANELS)
    assert "25.0%" in step_table(history).to_html() and "50%" in step_table(history).to_html()


def test_reference_runs_stand_beside_their_control(tmp_path):
    path = tmp_path / "grpo.json"
    assert "make reference" in reference_table(path).to_html()
    assert "make reference" in plot_collapse(path).axes[0].get_title()
    half, most = [True] * 10 + [False] * 10, [True] * 16 + [False] * 4
    runs = [
        {"seed": seed, "shuffled": shuffled, "before": half, "after": half if shuffled else most}
        for seed in (3, 4)
        for shuffled in (False, True)
    ]
    history = [{"step": step, "loss": 0.1, "entropy": step, "reward": -step} for step in range(3)]
    path.write_text(json.dumps({"runs": runs, "collapse": {"learning_rate": 0.5, "history": history}}))
    html = reference_table(path).to_html()
    assert html.count("+30.0 points") == html.count("+0.0 points") == 2
    assert any(axes.get_lines() for axes in plot_collapse(path).axes)
