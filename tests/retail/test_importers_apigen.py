"""APIGen-MT conversations become messages to train on, and tasks where their calls can be played."""

import json
from pathlib import Path

import pytest

from envs.retail.__main__ import main
from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.importers import Reject, apigen_conversations, recover_task
from envs.retail.tasks import Action, read_tasks
from envs.retail.tools import call, schemas


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def conversation(shop: Shop, *turns: tuple[str, object], system: str = "You are a retail agent.") -> dict:
    said = [
        {"from": who, "value": what if isinstance(what, str) else json.dumps(what)} for who, what in turns
    ]
    tools = json.dumps([schema["function"] for schema in schemas()])
    return {"conversations": said, "system": system, "tools": tools}


@pytest.fixture(scope="module")
def cancelling(shop) -> dict:
    """A customer who gives a wrong address first, and then has an order cancelled."""
    order = next(order for order in shop.orders.values() if order["status"] == "pending")
    user = shop.users[order["user_id"]]
    database, turns = shop.open(), [("human", "Hi, I want to cancel an order.")]
    calls = [
        ("find_user_id_by_email", {"email": "wrong@example.com"}),
        ("find_user_id_by_email", {"email": user["email"]}),
        ("think", {"thought": "It must be pending."}),
        ("get_order_details", {"order_id": order["order_id"]}),
        ("cancel_pending_order", {"order_id": order["order_id"], "reason": "no longer needed"}),
    ]
    for name, arguments in calls:
        turns.append(("function_call", {"name": name, "arguments": arguments}))
        turns.append(("observation", call(database, name, arguments)))
    turns += [("gpt", "It is cancelled."), ("human", "Thanks, I don't need it."), ("gpt", "Bye.")]
    return conversation(shop, *turns)


def test_a_conversation_becomes_messages_and_a_task_that_can_be_played(tmp_path, shop, cancelling):
    path = tmp_path / "apigen.json"
    path.write_text(json.dumps([cancelling], indent=2))
    (row,) = apigen_conversations(path)
    roles = [message["role"] for message in row["messages"]]
    assert roles == ["system", "user", *["assistant", "tool"] * 5, "assistant", "user", "assistant"]
    assert row["domain"] == "retail" and row["tools"] == schemas()
    made = row["messages"][2]["tool_calls"][0]
    assert (
        row["messages"][3]["tool_call_id"] == made["id"]
        and row["messages"][3]["name"] == made["function"]["name"]
    )
    task = recover_task(row, shop)
    assert [action.name for action in task.gold_actions] == [
        "find_user_id_by_email",
        "get_order_details",
        "cancel_pending_order",
    ]
    order_id = task.gold_actions[1].arguments["order_id"]
    assert task.gold_final[order_id]["status"] == "cancelled"
    assert (
        task.customer == shop.orders[order_id]["user_id"]
        and task.facts["email"] == shop.users[task.customer]["email"]
    )
    env = RetailEnv(shop, task)
    env.reset()
    for action in (*task.gold_actions, Action("respond", {"content": "Done."})):
        step = env.step(action)
    assert step.reward == 1.0


def test_import_apigen_counts_domains_tasks_and_rejects(tmp_path, capsys, shop, cancelling):
    elsewhere = json.loads(json.dumps(cancelling).replace("#W", "#X"))
    airline = conversation(shop, ("human", "A flight?"), ("gpt", "Yes."), system="You are an airline agent.")
    airline["tools"] = ""
    unanswered = conversation(
        shop, ("human", "x"), ("function_call", {"name": "think", "arguments": {}}), ("gpt", "y")
    )
    undeclared = conversation(shop, ("human", "x"), ("function_call", {"name": "rm", "arguments": {}}))
    not_json = conversation(shop, ("human", "x"), ("function_call", "think()"))
    rows = [cancelling, elsewhere, airline, unanswered, undeclared, not_json, {"conversations": "?"}, 7]
    source, out, tasks_out = (tmp_path / name for name in ("in.json", "sft.jsonl", "tasks.jsonl"))
    source.write_text(json.dumps(rows))
    argv = ["import", "--format", "apigen", "--in", str(source), "--out", str(out), "--tasks", str(tasks_out)]
    assert main(argv) == 1
    assert [row["domain"] for row in lines(out)] == ["retail", "retail", "airline"]
    assert [task.id for task in read_tasks(tasks_out)] == ["in/0"]
    rejects = lines(tmp_path / "sft.rejects.jsonl")
    assert [(reject["index"], reject["kind"]) for reject in rejects] == [
        (1, "no task"),
        *((index, "wrong shape") for index in range(3, 8)),
    ]
    assert "without its answer" in rejects[1]["reason"] and "'rm'" in rejects[2]["reason"]
    printed = capsys.readouterr().out
    assert (
        "2  conversations, retail" in printed and "1  tasks recovered" in printed and "5  rejected" in printed
    )


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("tools", "made", "reason"),
    [
        (DEEP, "{}", "nested too deeply"),
        ("[]", DEEP, "nested too deeply"),
        ("[]", json.dumps({"name": "think", "arguments": DEEP}), "nested too deeply"),
        ("[]", '{"name": "think", "arguments": {"thought": "\\ud83d"}}', "not Unicode"),
        ("[]", '{"name": "think", "arguments": {"thought": NaN}}', "not a finite number"),
        ("[]", '{"name": "think", "name": "calculate"}', "occurs twice"),
    ],
    ids=["deep tools", "deep call", "deep arguments", "half a character", "NaN", "a key twice"],
)
def test_json_within_a_row_costs_that_row_only(tmp_path, cancelling, tools, made, reason):
    turns = [{"from": "human", "value": "x"}, {"from": "function_call", "value": made}]
    path = tmp_path / "apigen.json"
    path.write_text(json.dumps([{"conversations": turns, "tools": tools}, cancelling]))
    reject, kept = apigen_conversations(path)
    assert isinstance(reject, Reject) and reason in reject.reason
    assert kept["id"] == "apigen/1"


def test_an_address_with_a_number_for_a_zip_code_can_be_told(tmp_path, shop):
    user_id, user = next(iter(shop.users.items()))
    arguments = {"user_id": user_id, **user["address"], "zip": 12345}
    made = ("function_call", {"name": "modify_user_address", "arguments": arguments})
    path = tmp_path / "apigen.json"
    path.write_text(json.dumps([conversation(shop, ("human", "x"), made, ("observation", "ok"))]))
    (row,) = apigen_conversations(path)
    assert "12345" in recover_task(row, shop).facts["address"]


def test_json_lines_are_read_as_well_as_a_list(tmp_path, cancelling):
    path = tmp_path / "apigen.jsonl"
    path.write_text(json.dumps(cancelling) + "\n" + json.dumps(cancelling))
    assert [row["id"] for row in apigen_conversations(path)] == ["apigen/0", "apigen/1"]
