"""The doctor finds each defect planted in a good task, and what it writes is clean."""

import itertools
import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.retail.__main__ import main
from envs.retail.database import Shop
from envs.retail.doctor.defects import KINDS
from envs.retail.environment import gold_changes
from envs.retail.generator import generate
from envs.retail.tasks import Action, Task, read_tasks, write_tasks
from envs.retail.tools import TOOLS
from envs.retail.validate import doctor


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.load()


@pytest.fixture(scope="module")
def good(shop) -> list[Task]:
    return list(itertools.islice(generate(shop, seed=5), 300))


def names(shop: Shop, tasks: Iterable[Task]) -> set[str]:
    return set(doctor(shop, tasks).ids)


def test_generated_tasks_have_no_errors(shop, good):
    report = doctor(shop, good)
    assert report.clean, report.table()
    assert report.tasks == 300


def first(tasks: list[Task], tool: str) -> tuple[Task, int]:
    """A task with this gold call in which nothing is to be refused, and the call's place."""
    for task in tasks:
        if task.extra.keys() & {"refusal", "refuses_part"}:
            continue
        for place, action in enumerate(task.gold_actions):
            if action.name == tool:
                return task, place
    raise AssertionError(f"no task calls {tool}")


def changed(task: Task, place: int, name: str = "", **arguments: object) -> Task:
    action = task.gold_actions[place]
    action = Action(name or action.name, {**action.arguments, **arguments})
    gold = (*task.gold_actions[:place], action, *task.gold_actions[place + 1 :])
    return replace(task, gold_actions=gold, gold_final=None)


def test_defects_of_calls(shop, good):
    cancel, at = first(good, "cancel_pending_order")
    assert "unknown tool" in names(shop, [changed(cancel, at, "cancel_order")])
    assert "wrong arguments" in names(shop, [changed(cancel, at, why="x")])
    assert "wrong arguments" in names(shop, [changed(cancel, at, reason=None)])
    report = doctor(shop, [changed(cancel, at, reason="bored")])
    assert "Error: invalid reason" in report.defects[0].detail and not report.clean
    delivered = next(order for order in shop.orders.values() if order["status"] == "delivered")
    report = doctor(shop, [changed(cancel, at, order_id=delivered["order_id"])])
    assert {"gold write fails", "customer and gold disagree"} <= set(report.ids)
    read, place = first(good, "get_order_details")
    assert "gold read fails" in names(shop, [changed(read, place, order_id="#W0000000")])


def test_defects_of_the_end(shop, good):
    cancel, at = first(good, "cancel_pending_order")
    without = replace(cancel, gold_actions=cancel.gold_actions[:at], outputs=(), extra={})
    assert "wrong gold_final" in names(shop, [without])
    idle = replace(without, gold_final={})
    assert "doing nothing solves it" in names(shop, [idle])
    assert "doing nothing solves it" not in names(shop, [replace(idle, extra={"refusal": True})])
    assert "doing nothing solves it" not in names(shop, [replace(idle, outputs=("1234.56",))])
    swap, at = first(good, "exchange_delivered_order_items")
    same = swap.gold_actions[at].arguments["item_ids"]
    assert "same-item swap" in names(shop, [changed(swap, at, new_item_ids=same)])


def test_defects_of_people_and_addresses(shop, good):
    cancel, at = first(good, "cancel_pending_order")
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
    address, at = first(good, "modify_pending_order_address")
    for wrong in ({"city": " "}, {"zip": "123"}, {"address1": ""}):
        assert "incomplete address" in names(shop, [changed(address, at, **wrong)])
    assert "incomplete address" not in names(shop, [changed(address, at, address2="")])
    assert "incomplete address" in names(
        shop, [replace(address, facts={**address.facts, "address": "Denver"})]
    )


def test_defects_of_the_query(shop, good):
    cancel, _ = first(good, "cancel_pending_order")
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
    address, at = first(good, "modify_pending_order_address")
    assert "unreachable argument" in names(shop, [changed(address, at, address1="1 Nowhere Lane")])
    swap, at = first(good, "exchange_delivered_order_items")
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
    cancel, _ = first(good, "cancel_pending_order")
    found = names(shop, [replace(cancel, query=f"Your order? {cancel.query}", outputs=(output,))])
    assert (found & {"weak output", "impossible output"}) == ({name} if name else set())


def test_defects_between_tasks(shop, good):
    task, at = first(good, "cancel_pending_order")
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
    task, _ = first(good, "cancel_pending_order")
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


# ---- the command ----


def test_leaks_between_files_without_splits(tmp_path, shop, good, capsys):
    task, _ = first(good, "cancel_pending_order")
    for name in ("train", "test"):
        write_tasks(tmp_path / f"{name}.jsonl", [replace(task, id=name, split="")])
    assert main(["validate", str(tmp_path / "train.jsonl"), str(tmp_path / "test.jsonl")]) == 1
    assert "leaked customer" in capsys.readouterr().out


def test_exit_codes(tmp_path, good, capsys):
    path = tmp_path / "t.jsonl"
    cancel, at = first(good, "cancel_pending_order")
    write_tasks(path, good[:20])
    assert main(["validate", str(path)]) == 0
    write_tasks(path, [replace(good[0], outputs=("10",))])
    assert main(["validate", str(path)]) == 0 and main(["validate", str(path), "--strict"]) == 1
    write_tasks(path, [changed(cancel, at, reason="bored")])
    assert main(["validate", str(path)]) == 1
    path.write_text(json.dumps(good[0].to_json()) + "\n{broken\n")
    assert main(["validate", str(path)]) == 2
    assert "t.jsonl:2" in capsys.readouterr().out
    path.write_text("")
    assert main(["validate", str(path)]) == 2
    assert main(["validate", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err


def test_fix_repairs_what_is_certain_and_rejects_the_rest(tmp_path, shop, good):
    cancel, at = first(good, "cancel_pending_order")
    order_id = cancel.gold_actions[at].arguments["order_id"]
    lookup = Action("get_product_details", {"product_id": "0"})
    broken = replace(
        cancel,
        query=f"I no longer need {order_id}.",
        customer="",
        facts={},
        outputs=("1,234.56",),
        gold_final=None,
        gold_actions=(lookup, cancel.gold_actions[at]),
    )
    hopeless = changed(replace(cancel, id="hopeless", query="Hm"), at, reason="bored")
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    renamed = replace(good[0], id=cancel.id)
    write_tasks(source, [broken, hopeless, renamed, replace(renamed, id="again")])
    assert main(["validate", str(source), "--fix", str(out)]) == 1
    fixed, kept = read_tasks(out)
    assert fixed.gold_actions == (cancel.gold_actions[at],)
    assert fixed.outputs == ("1234.56",) and fixed.customer == cancel.customer
    assert fixed.facts["zip"] == shop.users[cancel.customer]["address"]["zip"]
    assert fixed.gold_final[order_id]["status"] == "cancelled"
    assert kept == replace(renamed, id=f"{cancel.id}@3")
    rejects = [json.loads(line) for line in (tmp_path / "out.rejects.jsonl").open()]
    assert [reject["id"] for reject in rejects] == ["hopeless", "again"]
    assert "invalid reason" in rejects[0]["reason"] and "duplicate" in rejects[1]["reason"]
    assert Task.from_json(rejects[0]["row"]) == hopeless
    assert main(["validate", str(out)]) == 0


DAMAGE = {
    "none": lambda task: task,
    "gold lost": lambda task: replace(task, gold_actions=()),
    "facts lost": lambda task: replace(task, facts={}),
    "final lost": lambda task: replace(task, gold_final=None),
    "stranger": lambda task: replace(task, customer="no_body_0000"),
    "failing look-up": lambda task: replace(
        task, gold_actions=(*task.gold_actions, Action("get_order_details", {"order_id": "#"}))
    ),
    "odd arguments": lambda task: replace(
        task, gold_actions=(*task.gold_actions, Action("modify_user_address", {"user_id": [], "address1": 3}))
    ),
    "outputs": lambda task: replace(task, outputs=("", "1,000.5", "x")),
}


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 299), st.sampled_from(list(DAMAGE))), min_size=1, max_size=8))
@pytest.mark.parametrize("how", ["--drop", "--fix"])
def test_what_is_written_is_clean_and_nothing_is_lost(tmp_path_factory, shop, good, how, drawn):
    folder = tmp_path_factory.mktemp("damage")
    damaged = [DAMAGE[damage](good[index]) for index, damage in drawn]
    write_tasks(folder / "in.jsonl", damaged)
    code = main(["validate", str(folder / "in.jsonl"), how, str(folder / "out.jsonl")])
    kept = read_tasks(folder / "out.jsonl")
    rejects = [json.loads(line) for line in (folder / "out.rejects.jsonl").open()]
    assert len(kept) + len(rejects) == len(damaged) and all(reject["reason"] for reject in rejects)
    assert not kept or doctor(shop, kept).clean
    assert code == int(not doctor(shop, damaged).clean)
    for task in kept:
        assert gold_changes(shop, task) or task.outputs or task.extra.get("refusal")


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
    cancel, at = first(good, "cancel_pending_order")
    bad = [changed(replace(cancel, id=f"bad{n}"), at, reason="bored") for n in range(12)]
    table = doctor(shop, bad).table(shown=3)
    assert "bad0 bad1 bad2 ... and 9 more" in table and "12  gold write fails" in table
