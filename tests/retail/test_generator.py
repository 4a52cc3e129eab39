"""Generated tasks: proven, solvable, knowable, deterministic, on any shop.

An independent replay checks what the generator claims: here tasks are played through the environment.
"""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_plays import SHOPS, first, interview, play, say, shop_named, solution, writes

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.generator import Generator, generate
from envs.retail.reach import appears, unreachable_arguments
from envs.retail.tasks import Action, Task, read_tasks, write_tasks
from envs.retail.tools import READ, TOOLS, WRITE

COUNT = 250  # tasks a shop, 50 of each level; `test_ten_thousand_tasks` looks at more


@pytest.fixture(scope="module", params=SHOPS)
def shop(request) -> Shop:
    """Three shops: ours, one from another seed, and tau-bench's own."""
    return shop_named(request.param)


@pytest.fixture(scope="module")
def tasks(shop) -> list[Task]:
    """Tasks of all levels over a shop, with a seed that no file uses."""
    return first(generate(shop, seed=4711), COUNT)


def reads(task: Task) -> list[Action]:
    """The look-ups after identification."""
    return [action for action in task.gold_actions[1:] if TOOLS[action.name].kind == READ]


# ---- solvable, and only by doing it ----


def test_gold_runs_without_an_error_and_earns_everything(shop, tasks):
    for task in tasks:
        reward, answers = play(shop, task, solution(task))
        assert reward == 1.0, (task.id, task.query)
        assert not [answer for answer in answers if answer.startswith("Error")], task.id


def test_gold_final_is_where_the_gold_actions_lead(shop, tasks):
    for task in tasks:
        env = RetailEnv(shop, task)
        env.reset()
        for action in task.gold_actions:
            env.step(action)
        tables = {**env.database.orders.changed, **env.database.users.changed}
        assert set(task.gold_final) == set(tables), task.id
        for key, fields in task.gold_final.items():
            before = shop.orders.get(key) or shop.users[key]
            assert {**before, **fields} == tables[key], task.id
            assert all(before.get(name) != value for name, value in fields.items()), task.id


def test_doing_nothing_and_repeating_the_query_earn_nothing_but_for_refusals(shop, tasks):
    for task in tasks:
        if not task.extra.get("refusal"):
            assert play(shop, task, [say("Sorry, no.")])[0] == 0.0, (task.id, task.query)
            assert play(shop, task, [say(task.query)])[0] == 0.0, (task.id, task.query)


def test_handing_over_at_once_earns_nothing_but_for_refusals(shop, tasks):
    transfer = Action("transfer_to_human_agents", {"summary": "no idea"})
    for task in tasks:
        if not task.extra.get("refusal"):
            assert play(shop, task, [transfer])[0] == 0.0, (task.id, task.query)


def test_refusals_are_few_and_change_nothing(tasks):
    refusals = [task for task in tasks if task.extra.get("refusal")]
    assert 0 < len(refusals) <= 0.08 * len(tasks)
    assert all(task.gold_final == {} and not writes(task) for task in refusals)


def test_a_refused_customer_is_told_something_where_possible():
    refusals = [t for t in first(generate(Shop.load(), 6, (3,)), 300) if t.extra.get("refusal")]
    told = [task for task in refusals if task.outputs]
    assert len(told) > len(refusals) / 4


def test_the_customer_and_their_records_are_the_only_ones_written(shop, tasks):
    for task in tasks:
        for action in writes(task):
            order_id = action.arguments.get("order_id")
            owner = shop.orders[order_id]["user_id"] if order_id else action.arguments["user_id"]
            assert owner == task.customer, task.id


def test_requests_about_different_orders_can_be_served_in_any_order(shop, tasks):
    for task in tasks:
        groups: dict[str, list[Action]] = {}
        for action in writes(task):
            groups.setdefault(action.arguments.get("order_id", ""), []).append(action)
        for order in itertools.permutations(groups.values()):
            actions = [action for group in order for action in group]
            reward, _ = play(shop, replace(task, outputs=()), [*actions, say("Done.")])
            assert reward == 1.0, (task.id, task.query)


# ---- knowable ----


def test_every_argument_can_be_known(shop, tasks):
    for task in tasks:
        assert unreachable_arguments(shop, task) == [], (task.id, task.query)


def test_levels_1_and_2_need_no_customer_and_no_look_up_to_know_the_arguments(shop, tasks):
    for task in tasks:
        if task.level <= 2:
            for place, action in enumerate(task.gold_actions):
                alone = replace(task, gold_actions=(action,), facts={})
                assert unreachable_arguments(shop, alone) == [], (task.id, place, task.query)


def test_what_the_query_withholds_the_scripted_customer_tells(shop, tasks):
    for task in tasks:
        if task.level > 2:
            told = interview(task)
            assert unreachable_arguments(shop, replace(task, query=told, facts={})) == [], (task.id, told)
            assert all(wish in told for wish in task.facts.get("preferences", ())), task.id


def test_gold_earns_everything_with_a_scripted_customer_as_well(shop, tasks):
    for task in tasks:
        env = RetailEnv(shop, task, ScriptedCustomer(), max_steps=60)
        env.reset()
        for action in task.gold_actions:
            env.step(action)
        for _ in range(5):
            if not env.done:
                env.step(
                    say("All of that is done.", *task.outputs, "Is there anything else I can help you with?")
                )
        assert env.score().reward == 1.0, (task.id, env.ended)


def test_an_argument_that_nobody_told_is_noticed(shop, tasks):
    task = next(task for task in tasks if task.extra["family"] == "cancel" and task.level == 2)
    other = next(order_id for order_id in shop.orders if order_id not in task.query)
    *before, last = task.gold_actions
    wrong = replace(last, arguments={**last.arguments, "order_id": other})
    assert unreachable_arguments(shop, replace(task, gold_actions=(*before, wrong))) == [
        f"{len(before)} cancel_pending_order.order_id {other!r} appears nowhere"
    ]


@given(st.text("abc1 #", max_size=5), st.text("abc1 #", max_size=12))
def test_appears_means_as_a_whole_word(value, text):
    if value and value[0].isalnum() and value[-1].isalnum():
        assert appears(value, text) == bool(re.search(rf"(?<![a-z0-9]){re.escape(value)}(?![a-z0-9])", text))


# ---- levels, families, tools ----


def test_levels_are_what_they_say(tasks):
    for task in tasks:
        changes, about = writes(task), {a.arguments.get("order_id", "profile") for a in writes(task)}
        if task.level == 1:
            assert not changes and len(reads(task)) == 1 and task.outputs
        if task.level == 2:
            assert len(changes) == 1 and not task.outputs and task.facts
        if task.level == 3:
            assert len(changes) <= 1 and task.extra["finds"]
        if task.level >= 4:
            assert changes
        if task.level == 5:
            assert len(about) >= 2 and task.extra["refuses_part"]


def test_identification_comes_first_and_hand_over_last(tasks):
    for task in tasks:
        names = [action.name for action in task.gold_actions]
        assert names[0].startswith("find_user_id_by_")
        assert not [name for name in names[1:] if name.startswith("find_user_id_by_")]
        assert "transfer_to_human_agents" not in names[:-1]


def test_orders_are_looked_at_before_they_are_changed(tasks):
    for task in tasks:
        for place, action in enumerate(task.gold_actions):
            if "order_id" in action.arguments and TOOLS[action.name].kind == WRITE:
                look = Action("get_order_details", {"order_id": action.arguments["order_id"]})
                assert look in task.gold_actions[:place], task.id


def test_items_of_an_order_are_changed_last(tasks):
    sequences = 0
    for task in tasks:
        by_order: dict[str, list[str]] = {}
        for action in writes(task):
            by_order.setdefault(action.arguments.get("order_id", ""), []).append(action.name)
        for names in by_order.values():
            sequences += len(names) > 1
            assert "modify_pending_order_items" not in names[:-1], task.id
    assert sequences > 2


def test_every_tool_has_its_use(tasks):
    used = {action.name for task in tasks for action in task.gold_actions}
    assert set(TOOLS) - used == {"think"}  # it looks up and changes nothing, so no task can need it


def test_conditions_come_out_both_ways():
    ends: dict[str, set[str]] = {}
    for task in first(generate(Shop.load(), 21, (4,)), 1500):
        write, *more = writes(task)
        if not more:
            items, method = (write.arguments.get(name, "") for name in ("item_ids", "payment_method_id"))
            end = f"{write.name} {len(items)} {method}"
            ends.setdefault(task.extra["family"], set()).add(re.sub(r"_?\d{7}$", "", end))
    for family in (
        "cancel or return",
        "exchange if cheap enough",
        "gift card or other",
        "return if enough",
        "swap or cancel",
        "swap or return",
    ):
        assert len(ends[family]) >= 2, (family, ends[family])


# ---- deterministic, split, portable ----


def test_a_task_can_be_made_again_alone(shop, tasks):
    again = Generator(shop, seed=4711)
    assert [again.task(n) for n in (249, 3, 100)] == [tasks[249], tasks[3], tasks[100]]
    other = first(generate(shop, seed=4712), 20)
    assert not {task.query for task in other} & {task.query for task in tasks}


def test_tasks_survive_a_file(tasks, tmp_path):
    write_tasks(tmp_path / "tasks.jsonl", tasks)
    assert read_tasks(tmp_path / "tasks.jsonl") == tasks
