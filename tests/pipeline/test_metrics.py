"""Numbers about episodes: small cases by hand, pass^k by brute force, intervals by their rules."""

from itertools import combinations, islice
from math import isnan
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.retail.database import Shop
from envs.retail.generator import generate
from envs.retail.tasks import Action, Task
from pipeline import intervals
from pipeline.attacks.attack import act
from pipeline.demonstrations import report
from pipeline.episode import Episode, play_turns
from pipeline.metrics import (
    METRICS,
    Played,
    by_task,
    compare,
    interval,
    measured,
    pass_at,
    pass_hat,
    summary,
)


@pytest.fixture(scope="module")
def task(shop) -> Task:
    """Who it is, the order, and one change of it."""
    wanted = ("get_order_details", "cancel_pending_order")
    tasks = generate(shop, seed=5, levels=(1, 2))
    return next(t for t in tasks if [a.name for a in t.gold_actions][1:] == list(wanted))


def episode(shop: Shop, task: Task, actions: list[Action]) -> Episode:
    return act(shop, task, actions, "agent", report(task))


def values(*episodes: Episode) -> dict[str, float]:
    played = [measured(one, trial) for trial, one in enumerate(episodes)]
    return {name: measure.value for name, measure in summary(played).items()}


def test_gold_is_perfect_in_everything(shop, task):
    found = values(episode(shop, task, list(task.gold_actions)))
    counts = {"turns", "tool_calls", "tokens", "seconds", "final_answer_correctness"}
    assert {name: value for name, value in found.items() if name not in counts} == dict.fromkeys(
        METRICS.keys() - counts, 1.0
    )
    assert found["tool_calls"] == 3 and found["turns"] == 4
    assert isnan(found["final_answer_correctness"]), "nothing had to be told"


def test_two_of_three_actions_and_one_that_is_wrong(shop, task):
    who, look, write = task.gold_actions
    wrong = Action("get_user_details", {"user_id": "nobody_1"})
    found = values(episode(shop, task, [who, wrong, look]))
    assert found["action_precision"] == pytest.approx(2 / 3)
    assert found["action_recall"] == pytest.approx(2 / 3)
    assert found["action_f1"] == pytest.approx(2 * 2 / 6)
    assert found["tool_completion_success"] == pytest.approx(2 / 3)
    assert found["exact_match_rate"] == found["task_success_rate"] == found["completeness"] == 0
    assert found["ordering_accuracy"] == 1, "what was done was done in order"
    assert write not in (who, look)


def test_sums_are_over_calls_not_means_of_means(shop, task):
    who, look, write = task.gold_actions
    found = values(episode(shop, task, [who, look, write]), episode(shop, task, [who]))
    assert found["action_recall"] == pytest.approx((3 + 1) / 6)
    assert found["action_precision"] == 1
    assert found["tool_calls"] == 2


def test_order_and_repetition_break_the_exact_match(shop, task):
    who, look, write = task.gold_actions
    swapped = values(episode(shop, task, [look, who, write]))
    repeated = values(episode(shop, task, [who, look, look, write]))
    assert swapped["exact_match_rate"] == repeated["exact_match_rate"] == 0
    assert swapped["ordering_accuracy"] == 0 and repeated["ordering_accuracy"] == 1
    assert swapped["task_success_rate"] == repeated["task_success_rate"] == 1


def test_an_answer_that_was_asked_for(shop):
    asked = next(task for task in generate(shop, seed=5, levels=(1,)) if task.outputs)
    told = episode(shop, asked, list(asked.gold_actions))
    silent = act(shop, asked, list(asked.gold_actions), "agent", "I do not know.")
    assert values(told)["final_answer_correctness"] == 1
    assert values(silent)["final_answer_correctness"] == 0
    assert values(told, silent)["task_success_rate"] == 0.5


def test_what_nobody_can_read(shop, task):
    broken = play_turns(
        shop, task, [' to=functions.get_order_details<|channel|>commentary json<|message|>{"']
    )
    found = values(broken)
    assert found["json_parse_success"] == found["strict_format"] == found["ended_properly"] == 0
    assert isnan(found["action_precision"]) and found["action_recall"] == 0


def test_nothing_played_is_nothing_known():
    assert all(isnan(measure.value) and measure.tasks == 0 for measure in summary([]).values())
    assert pass_hat([]) == pass_at([]) == {}


def outcomes(counts: list[list[bool]]) -> list[Played]:
    return [
        Played(f"task-{number}", trial, 1, "", {name: (float(won), 1) for name in (*METRICS, "seconds")},
               None if won else "wrong tool")
        for number, trials in enumerate(counts)
        for trial, won in enumerate(trials)
    ]  # fmt: skip


TRIALS = st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=6)


@given(TRIALS)
def test_pass_k_is_what_trying_all_choices_of_k_trials_gives(counts):
    played, most = outcomes(counts), min(map(len, counts))
    for k in range(1, most + 1):
        every = fmean(fmean(all(chosen) for chosen in combinations(trials, k)) for trials in counts)
        some = fmean(fmean(any(chosen) for chosen in combinations(trials, k)) for trials in counts)
        assert pass_hat(played)[k] == pytest.approx(every)
        assert pass_at(played)[k] == pytest.approx(some)
    assert set(pass_hat(played)) == set(range(1, most + 1))


@given(TRIALS)
def test_intervals_hold_the_value_and_stay_within_what_was_seen(counts):
    measure = summary(outcomes(counts), draws=50)["task_success_rate"]
    rates = [fmean(trials) for trials in counts]
    assert min(rates) - 1e-9 <= measure.low <= measure.high <= max(rates) + 1e-9
    assert measure.value == pytest.approx(sum(map(sum, counts)) / sum(map(len, counts)))
    assert measure.tasks == len(counts)


def test_an_interval_is_as_wide_as_theory_says():
    values = [1.0] * 60 + [0.0] * 40
    low, high = interval(values, draws=5_000)
    deviation = (0.6 * 0.4 / 100) ** 0.5
    assert low == pytest.approx(0.6 - 1.96 * deviation, abs=0.015)
    assert high == pytest.approx(0.6 + 1.96 * deviation, abs=0.015)


def test_the_same_outcomes_have_the_same_interval_in_any_order_and_beside_any_other_metric():
    values = [True] * 11 + [False] * 9
    shown = {interval(values), interval(values[::-1]), interval(values[::2] + values[1::2])}
    measure = summary(outcomes([[one] for one in values[::2] + values[1::2]]))["task_success_rate"]
    assert shown == {(measure.low, measure.high)}


def test_trials_of_a_task_do_not_make_an_interval_narrower():
    once = outcomes([[True]] * 6 + [[False]] * 6)
    often = outcomes([[True] * 10] * 6 + [[False] * 10] * 6)
    first, second = (summary(played)["task_success_rate"] for played in (once, often))
    assert (first.low, first.high) == (second.low, second.high)


def test_a_comparison_is_made_task_by_task():
    before = outcomes([[False]] * 10 + [[True]] * 10)
    after = outcomes([[True]] * 10 + [[True]] * 9 + [[False]])
    found = compare(before, after)
    assert found.difference == pytest.approx(9 / 20)
    assert (found.better, found.worse, found.tasks) == (10, 1, 20)
    assert found.low < found.difference < found.high and found.low > 0
    assert found.p_value < 0.05
    back = compare(after, before)
    assert back.difference == -found.difference and back.p_value == found.p_value


@given(st.lists(st.booleans(), min_size=1, max_size=10))
def test_p_values_are_those_of_trying_all_signs(gains):
    """With one trial a task, all sign changes can be counted."""
    before = outcomes([[not gain] for gain in gains])
    after = outcomes([[gain] for gain in gains])
    total = abs(sum(1 if gain else -1 for gain in gains))
    exact = fmean(
        abs(len(gains) - 2 * sum(signs)) >= total
        for signs in (tuple(n >> bit & 1 for bit in range(len(gains))) for n in range(2 ** len(gains)))
    )
    assert compare(before, after).p_value == pytest.approx(exact, abs=0.03)


def test_other_tasks_are_not_compared():
    with pytest.raises(ValueError, match="not the same tasks: 1 "):
        compare(outcomes([[True]]), outcomes([[True], [True]]))
    with pytest.raises(ValueError, match="no episodes"):
        compare([], [])


def test_tasks_keep_their_trials_together(shop):
    tasks = list(islice(generate(shop, seed=5), 3))
    played = [measured(episode(shop, task, []), trial) for task in tasks for trial in range(2)]
    assert {task: len(trials) for task, trials in by_task(played).items()} == {task.id: 2 for task in tasks}
    assert played[0].family == tasks[0].extra["family"] and played[0].level == tasks[0].level


def test_drawing_in_parts_draws_the_same(monkeypatch):
    """Thousands of tasks at once would take gigabytes."""
    import numpy as np

    sums = np.random.default_rng(3).random((40, 5, 2))
    whole = intervals.ratio_intervals(sums)
    for at_once in (1, 40 * 7, 40 * 300):
        monkeypatch.setattr(intervals, "AT_ONCE", at_once)
        parts = intervals.ratio_intervals(sums)
        assert all(np.allclose(*pair, rtol=1e-12) for pair in zip(parts, whole, strict=True))
