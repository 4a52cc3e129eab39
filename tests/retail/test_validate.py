"""The doctor finds each defect planted in a good task."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_plays import changed, task_with

from envs.retail.database import Shop
from envs.retail.doctor.defects import KINDS
from envs.retail.tasks import Action, Task
from envs.retail.tools import TOOLS
from envs.retail.validate import doctor


def names(shop: Shop, tasks: Iterable[Task]) -> set[str]:
    return set(doctor(shop, tasks).ids)


def test_generated_tasks_have_no_errors(shop, good):
    report = doctor(shop, good)
    assert report.clean, report.table()
    assert report.tasks == 300


def test_defects_of_calls(shop, good):
    cancel, at = task_with(good, "cancel_pending_order")
    assert "unknown tool" in names(shop, [changed(cancel, at, "cancel_order")])
    assert "wrong arguments" in names(shop, [changed(cancel, at, why="x")])
    assert "wrong arguments" in names(shop, [changed(cancel, at, reason=None)])
    report = doctor(shop, [changed(cancel, at, reason="bored")])
    assert "Error: invalid reason" in report.defects[0].detail and not report.clean
    delivered = next(order for order in shop.orders.values() if order["status"] == "delivered")
    report = doctor(shop, [changed(cancel, at, order_id=delivered["order_id"])])
    assert {"gold write fails", "customer and gold disagree"} <= set(report.ids)
    read, place = task_with(good, "get_order_details")
    assert "gold read fails" in names(shop, [changed(read, place, order_id="#W0000000")])


def test_defects_of_the_end(shop, good):
    cancel, at = task_with(good, "cancel_pending_order")
    without = replace(cancel, gold_actions=cancel.gold_actions[:at], outputs=(), extra={})
    assert "wrong gold_final" in names(shop, [without])
    idle = replace(without, gold_final={})
    assert "doing nothing solves it" in names(shop, [idle])
    assert "doing nothing solves it" not in names(shop, [replace(idle, extra={"refusal": True})])
    assert "doing nothing solves it" not in names(shop, [replace(idle, outputs=("1234.56",))])
    swap, at = task_with(good, "exchange_delivered_order_items")
    same = swap.gold_actions[at].arguments["item_ids"]
    assert "same-item swap" in names(shop, [changed(swap, at, new_item_ids=same)])


def test_defects_of_people_and_addresses(shop, good):
    cancel, at = task_with(good, "cancel_pending_order")
    bare = replace(cancel, query=f"Cancel {cancel.gold_actions[at].arguments['order_id']}.", facts={})
    assert "identity unreachable" in names(shop, [bare])
    user = shop.users[cancel.customer]
    for facts in (
        {"email": user["email"].upper()},
        {"name": " ".join(user["name"].values()), "zip": user["address"]["zip"]},
    ):
        assert "identity unreachable" not in names(shop, [replace(bare, facts=facts)])
    assert "identity unreachable" in names(shop, [replace(bare, facts={"zip": user["address"]["zip"]})])
    assert "unknown customer" in names(shop, [replace(cancel, customer="no_body_0000")])
    other = next(user_id for user_id in shop.users if user_id != cancel.customer)
    assert "customer and gold disagree" in names(shop, [replace(cancel, customer=other)])
    assert "no customer" in names(shop, [Task("x", "Hello", (), outputs=("hello you",))])
    address, at = task_with(good, "modify_pending_order_address")
    for wrong in ({"city": " "}, {"zip": "123"}, {"address1": ""}):
        assert "incomplete address" in names(shop, [changed(address, at, **wrong)])
    assert "incomplete address" not in names(shop, [changed(address, at, address2="")])
    assert "incomplete address" in names(
        shop, [replace(address, facts={**address.facts, "address": "Denver"})]
    )


def test_defects_of_the_query(shop, good):
    cancel, _ = task_with(good, "cancel_pending_order")
    foreign = next(order["order_id"] for order in shop.orders.values() if order["user_id"] != cancel.customer)
    said = replace(cancel, query=f"{cancel.query} {foreign} #W0000000 paypal_0000000")
    report = doctor(shop, [said])
    assert sum(defect.name == "unknown id in query" for defect in report.defects) == 3
    assert "unknown id in query" not in names(shop, [replace(said, extra={"refuses_part": True})])


def test_a_query_about_another_order_than_gold(shop):
    orders = (order for order in shop.orders.values() if order["status"] == "pending")
    order = next(order for order in orders if len(shop.users[order["user_id"]]["orders"]) > 1)
    mine, user_id = order["order_id"], order["user_id"]
    other = next(order_id for order_id in shop.users[user_id]["orders"] if order_id != mine)
    gold = (Action("cancel_pending_order", {"order_id": mine, "reason": "no longer needed"}),)
    both = {"query and gold disagree", "unused id in query"}
    for query, wrong in (
        (f"Cancel {other}.", both),
        (f"{other}, no, {mine}.", {"unused id in query"}),
        (mine, set()),
    ):
        assert names(shop, [Task("t", query, gold, customer=user_id)]) & both == wrong


def test_arguments_nobody_could_know(shop, good):
    address, at = task_with(good, "modify_pending_order_address")
    assert "unreachable argument" in names(shop, [changed(address, at, address1="1 Nowhere Lane")])
    swap, at = task_with(good, "exchange_delivered_order_items")
    blind = replace(swap, gold_actions=(swap.gold_actions[at],), gold_final=None)
    assert "look-ups missing" in names(shop, [blind])


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("10", "weak output"),
        ("625.60", "weak output"),
        ("IL", "weak output"),
        ("64GB", "weak output"),
        ("your order", "weak output"),
        ("1,093.34", "impossible output"),
        (" ", "impossible output"),
        ("1093.34", None),
        ("840887978435", None),
        ("943 Maple Drive", None),
    ],
)
def test_outputs_that_chance_or_nothing_can_meet(shop, good, output, name):
    cancel, _ = task_with(good, "cancel_pending_order")
    found = names(shop, [replace(cancel, query=f"Your order? {cancel.query}", outputs=(output,))])
    assert (found & {"weak output", "impossible output"}) == ({name} if name else set())


def test_defects_between_tasks(shop, good):
    task, at = task_with(good, "cancel_pending_order")
    twin = replace(task, id="twin", query=f"  {task.query.upper()} ")
    report = doctor(shop, [task, twin])
    assert report.ids["duplicate"] == ["twin"]
    assert doctor(shop, [task, replace(task, query="?", level=3)]).ids["duplicate id"] == [task.id]
    reworded = replace(task, id="b", query=f"Please: {task.query}")
    assert doctor(shop, [task, reworded]).ids["same gold writes"] == ["b"]
    other_gold = changed(replace(task, id="c"), at, reason="ordered by mistake")
    if other_gold.gold_actions == task.gold_actions:
        other_gold = changed(other_gold, at, reason="no longer needed")
    assert doctor(shop, [task, other_gold]).ids["same query, other gold"] == ["c"]


@pytest.mark.parametrize("strict", ["test", "validation", "dev"])
def test_leaks_are_errors_where_one_trains_and_warnings_where_one_tests(shop, good, strict):
    task, _ = task_with(good, "cancel_pending_order")
    trained = replace(task, id="a", split="train")
    held = replace(task, id="b", split=strict, query=f"{task.query} Please.")
    report = doctor(shop, [held, trained])
    assert report.ids["leaked customer"] == report.ids["leaked order"] == ["a"]
    assert report.ids["customer seen in training"] == report.ids["order seen in training"] == ["b"]
    assert "leaked customer" not in names(shop, [trained, replace(held, split="train")])


def test_leaks_are_listed_in_the_order_of_the_calls(shop, good):
    order_ids = [order_id for order_id, order in shop.orders.items() if order["status"] == "delivered"][:8]
    reads = tuple(Action("get_order_details", {"order_id": order_id}) for order_id in order_ids)
    task = replace(good[0], gold_actions=reads, customer="", gold_final=None)
    report = doctor(shop, [replace(task, split=split, id=split) for split in ("train", "test")])
    leaks = [defect.detail.split()[0] for defect in report.defects if defect.name == "leaked order"]
    assert leaks == order_ids


odd = (
    st.none()
    | st.integers()
    | st.sampled_from(["", "#W0", "USA", "9**9**9"])
    | st.lists(st.just("1"), max_size=2)
)
parameters = sorted({name for tool in TOOLS.values() for name in tool.kinds} | {"nothing"})
odd_actions = st.builds(
    Action,
    st.sampled_from([*TOOLS, "respond", "nothing"]),
    st.dictionaries(
        st.sampled_from(parameters), odd | st.lists(odd, max_size=2) | st.dictionaries(odd.map(str), odd)
    ),
)


@given(
    st.integers(0, 299),
    st.lists(odd_actions, max_size=6),
    st.dictionaries(st.sampled_from(["zip", "address"]), odd),
)
def test_no_task_however_odd_stops_the_round(shop, good, index, actions, facts):
    report = doctor(shop, [replace(good[index], gold_actions=tuple(actions), facts=facts), good[index]])
    assert report.tasks == 2


def test_every_kind_is_explained_and_shown(shop, good):
    assert all(kind.severity in ("error", "warning", "note") and kind.meaning for kind in KINDS.values())
    cancel, at = task_with(good, "cancel_pending_order")
    bad = [changed(replace(cancel, id=f"bad{n}"), at, reason="bored") for n in range(12)]
    table = doctor(shop, bad).table(shown=3)
    assert "bad0 bad1 bad2 ... and 9 more" in table and "12  gold write fails" in table
