"""The kind of a failure, each shown by an episode that fails in this one way."""

from dataclasses import replace

import pytest

from envs.retail.database import Shop
from envs.retail.generator import generate
from envs.retail.tasks import Action, Task
from pipeline.attacks.attack import act, turns
from pipeline.demonstrations import report
from pipeline.episode import Episode, play_plan, play_turns
from pipeline.failures import KINDS, failure_counts, failure_kind

CANCEL, RETURN, TRANSFER = "cancel_pending_order", "return_delivered_order_items", "transfer_to_human_agents"


@pytest.fixture(scope="module")
def tasks(shop) -> list[Task]:
    stream = generate(shop, seed=5, levels=(1, 2, 3, 4, 5))
    return [next(stream) for _ in range(400)]


def first(tasks: list[Task], tool: str, size: int = 3) -> Task:
    """A task that ends in this tool, after finding out who it is and looking at the order."""
    return next(t for t in tasks if len(t.gold_actions) == size and t.gold_actions[-1].name == tool)


def played(shop: Shop, task: Task, actions: list[Action], words: str | None = None) -> Episode:
    return act(shop, task, actions, "agent", report(task) if words is None else words)


def test_successes_have_no_kind(shop, tasks):
    task = first(tasks, CANCEL)
    assert failure_kind(played(shop, task, list(task.gold_actions))) is None


def test_what_was_left_out(shop, tasks):
    task = first(tasks, CANCEL)
    assert failure_kind(played(shop, task, list(task.gold_actions[:-1]))) == "forgot a write"
    assert failure_kind(played(shop, task, [])) == "forgot a write"


def test_the_right_tool_with_other_arguments(shop, tasks):
    task = first(tasks, CANCEL)
    *before, gold = task.gold_actions
    other = {"no longer needed": "ordered by mistake", "ordered by mistake": "no longer needed"}
    reason = Action(CANCEL, gold.arguments | {"reason": other[gold.arguments["reason"]]})
    assert failure_kind(played(shop, task, [*before, reason])) == "wrong argument"
    unknown = Action(CANCEL, gold.arguments | {"order_id": "#W0000000"})
    assert failure_kind(played(shop, task, [*before, unknown])) == "wrong argument", "refused by the shop"


def test_a_change_nobody_asked_for(shop, tasks):
    look = next(
        t for t in tasks if len(t.gold_actions) == 2 and t.outputs and _order(shop, t)["status"] == "pending"
    )
    order = look.gold_actions[-1].arguments["order_id"]
    cancel = Action(CANCEL, {"order_id": order, "reason": "no longer needed"})
    assert failure_kind(played(shop, look, [*look.gold_actions, cancel])) == "wrong tool"
    handed_over = Action(TRANSFER, {"summary": "I cannot help"})
    assert failure_kind(played(shop, look, [handed_over])) == "wrong tool"


def _order(shop: Shop, task: Task) -> dict:
    return shop.orders.get(task.gold_actions[-1].arguments.get("order_id"), {"status": ""})


def test_the_customer_was_told_something_else(shop, tasks):
    look = next(t for t in tasks if len(t.gold_actions) == 2 and t.outputs)
    assert failure_kind(played(shop, look, list(look.gold_actions), "It is 1.")) == "told the customer wrong"
    assert failure_kind(played(shop, look, [], "I do not know.")) == "told the customer wrong"
    who = look.gold_actions[0]
    elsewhere = Action("get_order_details", {"order_id": "#W0000000"})
    assert failure_kind(played(shop, look, [who, elsewhere], "It is 1.")) == "wrong argument"


def test_somebody_elses_records(shop, tasks):
    task = first(tasks, CANCEL)
    other = next(user for user in shop.users if user != task.customer)
    peek = Action("get_user_details", {"user_id": other})
    assert failure_kind(played(shop, task, [peek])) == "policy broken"


def test_an_order_that_ends_elsewhere(shop, tasks):
    """Two changes of the same address: the last one counts."""
    customer = first(tasks, CANCEL).customer
    address = {"address2": "", "city": "Austin", "state": "TX", "country": "USA", "zip": "78701"}
    there, elsewhere = (
        Action("modify_user_address", {"user_id": customer, "address1": street, **address})
        for street in ("1 Oak Street", "2 Elm Street")
    )
    task = Task("two-addresses", "First there, then elsewhere.", (there, elsewhere), customer=customer)
    assert failure_kind(played(shop, task, [there, elsewhere], "Done.")) is None
    assert failure_kind(played(shop, task, [elsewhere, there], "Done.")) == "wrong order"


def test_what_cannot_be_read_and_what_was_broken_off(shop, tasks):
    task = first(tasks, CANCEL)
    assert failure_kind(play_turns(shop, task, ["to=functions.x"])) == "invalid call"
    assert failure_kind(play_plan(shop, task, "I would cancel it.")) == "invalid call"
    endless = turns([Action("think", {"thought": "hm"})] * 9)
    assert failure_kind(play_turns(shop, task, endless, max_steps=3)) == "ran out of turns"
    assert failure_kind(replace(play_turns(shop, task, endless[:2]), ended="budget")) == "ran out of turns"
    assert failure_kind(replace(play_turns(shop, task, endless[:2]), ended="error")) == "broke off"


def test_every_failure_has_one_kind_and_the_counts_add_up(shop, tasks):
    episodes = [
        played(shop, task, list(task.gold_actions[:keep]), words)
        for task in tasks[:80]
        for keep in range(len(task.gold_actions) + 1)
        for words in (None, "Goodbye!")
    ]
    kinds = [failure_kind(episode) for episode in episodes]
    assert all((kind is None) == episode.succeeded for kind, episode in zip(kinds, episodes, strict=True))
    counts = failure_counts(kinds)
    assert set(counts) <= set(KINDS)
    assert sum(counts.values()) == sum(not episode.succeeded for episode in episodes) > 0
