"""`python -m envs.retail validate`: exit codes, leaks between files, and what it writes is clean."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from task_plays import changed, task_with

from envs.retail.__main__ import main
from envs.retail.environment import gold_changes
from envs.retail.tasks import Action, Task, read_tasks, write_tasks
from envs.retail.validate import doctor


def test_leaks_between_files_without_splits(tmp_path, shop, good, capsys):
    task, _ = task_with(good, "cancel_pending_order")
    for name in ("train", "test"):
        write_tasks(tmp_path / f"{name}.jsonl", [replace(task, id=name, split="")])
    assert main(["validate", str(tmp_path / "train.jsonl"), str(tmp_path / "test.jsonl")]) == 1
    assert "leaked customer" in capsys.readouterr().out


def test_exit_codes(tmp_path, good, capsys):
    path = tmp_path / "t.jsonl"
    cancel, at = task_with(good, "cancel_pending_order")
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
    cancel, at = task_with(good, "cancel_pending_order")
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
