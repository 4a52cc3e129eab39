"""`python -m envs.retail`: what a person or a script gets from the command line."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from envs.retail.__main__ import main
from envs.retail.database import DATA, Shop
from envs.retail.play import play
from envs.retail.tasks import Action, Task, read_tasks, write_tasks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cancel(shop) -> Task:
    order = next(order for order in shop.orders.values() if order["status"] == "pending")
    arguments = {"order_id": order["order_id"], "reason": "no longer needed"}
    return Task("t/1", "Cancel my order, I no longer need it.", (Action("cancel_pending_order", arguments),))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_replay_answers_line_by_line_on_fresh_data(tmp_path, shop, cancel):
    action = cancel.gold_actions[0]
    recorded = [
        {"id": 1, "actions": [action.to_json(), action.to_json()]},
        {"id": 2, "actions": [{"name": action.name, "kwargs": action.arguments}]},
        {"id": 3, "actions": []},
    ]
    source, out = tmp_path / "in.jsonl.gz", tmp_path / "out.jsonl"
    with gzip.open(source, "wt") as file:
        file.writelines(json.dumps(record) + "\n" for record in recorded)
    assert main(["replay", "--in", str(source), "--out", str(out)]) == 0
    first, second, third = lines(out)
    assert first["observations"][1] == "Error: non-pending order cannot be cancelled"
    assert first["final"] == second["final"] != third["final"] == shop.open().sha256()


def test_score_follows_the_task_and_the_recorded_customer(tmp_path, cancel):
    tasks, source, out = (tmp_path / "tasks_train.jsonl", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    action = cancel.gold_actions[0].to_json()
    respond = {"name": "respond", "arguments": {"content": "Done."}}
    tasks.write_text(
        json.dumps({"user_id": "x", "instruction": "Cancel.", "actions": [action], "outputs": []})
    )
    episodes = {
        "right": ([action, respond, action], ["###STOP###"]),
        "nothing": ([respond], ["bye ###STOP###"]),
        "unfinished": ([action, respond], ["and?"]),
    }
    source.write_text(
        "\n".join(
            json.dumps(
                {"id": name, "split": "train", "index": 0, "actions": actions, "user_replies": replies}
            )
            for name, (actions, replies) in episodes.items()
        )
    )
    assert main(["score", "--tasks", str(tmp_path), "--in", str(source), "--out", str(out)]) == 0
    assert [tuple(line.values()) for line in lines(out)] == [
        ("right", True, 2, 1.0),
        ("nothing", True, 1, 0.0),
        ("unfinished", False, 2, 0.0),
    ]


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ('{"id": 1, "actions": []}\n{"id": 2', ":2:", "not valid JSON"),
        ('{"actions": []}', ":1:", '"id"'),
        ('{"id": 1, "actions": [{"name": 3}]}', ":1:", "an action is"),
        ("[1]", ":1:", '"id"'),
    ],
)
def test_bad_input_is_named_by_file_and_line_and_leaves_nothing(tmp_path, capsys, text, place, reason):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(text)
    assert main(["replay", "--in", str(source), "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert f"in.jsonl{place}" in message and reason in message
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_cut_gzip_file_and_a_missing_shop_are_clear(tmp_path, capsys):
    source = tmp_path / "in.jsonl.gz"
    source.write_bytes(gzip.compress(b'{"id": 1, "actions": []}\n' * 1000)[:40])
    assert main(["replay", "--in", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert main(["replay", "--data", str(tmp_path), "--in", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "users.json: not found" in capsys.readouterr().err


def test_a_damaged_gzip_file_is_named(tmp_path, capsys):
    source, whole = tmp_path / "in.jsonl.gz", gzip.compress(b'{"id": 1, "actions": []}\n' * 1000)
    source.write_bytes(whole[:20] + bytes([whole[20] ^ 255]) + whole[21:])
    assert main(["replay", "--in", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "in.jsonl.gz" in capsys.readouterr().err


def test_gzipped_and_plain_data_are_the_same_shop(tmp_path, shop):
    for table in ("users", "products", "orders"):
        (tmp_path / f"{table}.json.gz").write_bytes(gzip.compress((DATA / f"{table}.json").read_bytes()))
    assert Shop.load(tmp_path).open().sha256() == shop.open().sha256()


def test_a_person_plays_through_a_pipe(tmp_path, cancel):
    write_tasks(tmp_path / "tasks.jsonl", [cancel])
    action = cancel.gold_actions[0]
    typed = f"/tools\n{action.name} {json.dumps(action.arguments)}\n/diff\nYour order is cancelled.\n/quit\n"
    command = [sys.executable, "-m", "envs.retail", "play", "1", "--tasks", str(tmp_path / "tasks.jsonl")]
    run = subprocess.run(command, input=typed, capture_output=True, text=True, cwd=ROOT, check=True)
    assert cancel.query in run.stdout and "status: pending -> cancelled" in run.stdout
    assert "the shop is as it should be" in run.stdout


@pytest.mark.parametrize("typed", ["cancel_pending_order order_id={o} reason='no longer needed'", "/quit"])
def test_typed_arguments_reach_the_tool(shop, cancel, typed):
    out = io.StringIO()
    play(shop, cancel, [typed.format(o=cancel.gold_actions[0].arguments["order_id"])], out)
    right = "not as it should be" not in out.getvalue()
    assert right == typed.startswith("cancel")


def test_what_cannot_be_read_is_said_and_the_play_goes_on(shop, cancel):
    out = io.StringIO()
    play(shop, cancel, ["cancel_pending_order {", "think thought", "think thought=hm", "/what"], out)
    assert out.getvalue().count("cannot read that") == 2 and "think: " in out.getvalue()


def test_tasks_survive_the_file_and_foreign_fields_stay(tmp_path, cancel):
    path = tmp_path / "tasks.jsonl"
    odd = Task("odd", "half a pair: \ud800", ())
    write_tasks(path, [odd])
    assert read_tasks(path) == [odd]
    public = {
        "query": "Où?",
        "gold_actions": [{"name": "think", "arguments": {}}],
        "gold_final": "x",
        "mine": [1],
    }
    write_tasks(path, [cancel, Task.from_json(public, "p")])
    path.write_text(path.read_text() + json.dumps(public) + "\n")
    tasks = read_tasks(path)
    assert tasks[0] == cancel and tasks[1].extra == {"mine": [1]} and tasks[2].id == "tasks/3"
    assert public.items() <= tasks[2].to_json().items()
