"""The doctor finds exactly what is known to be wrong with tau-bench's own tasks."""

import json

import pytest
from task_plays import FIXTURE, needs_fixture

from envs.retail.__main__ import main
from envs.retail.database import Shop
from envs.retail.doctor.defects import Report
from envs.retail.importers import iter_tau_bench_folder
from envs.retail.tasks import read_tasks
from envs.retail.validate import doctor


@pytest.fixture(scope="module")
def audit() -> Report:
    return doctor(Shop.load(FIXTURE), iter_tau_bench_folder(FIXTURE))


def indices(report: Report, name: str, split: str) -> list[int]:
    return [int(task.partition("/")[2]) for task in report.ids.get(name, ()) if task.startswith(f"{split}/")]


FAILING = [24, 27, 81, 148, 161, 214, 229, 252, 253, 288, 314, 349, 351, 369, 376, 427, 431, 441, 469]
SAME_ITEM_TRAIN = """
5 7 8 10 22 34 35 42 53 55 64 70 130 136 142 144 145 150 154 192 206 244 267 268 288 290 305 321 328 331
334 337 353 361 368 376 389 395 402 410 412 416 444 451 464 473 497
"""
SAME_ITEM = [int(index) for index in SAME_ITEM_TRAIN.split()]


@needs_fixture
@pytest.mark.parametrize(
    ("name", "train", "dev", "test"),
    [
        ("gold write fails", FAILING, [], [12, 13, 64, 106]),
        ("same-item swap", SAME_ITEM, [], [18, 91, 108]),
        ("doing nothing solves it", [161, 214, 229, 288, 349], [17], [10, 12, 25, 50, 57, 65, 106]),
        ("duplicate", [], [], [95]),
        ("customer and gold disagree", [], [], [64]),
        ("identity unreachable", [], [], [64]),
        ("gold read fails", [], [], [2, 3, 4, 21, 35, 36, 37, 38, 39, 46, 47, 54, 55, 67, 68]),
        ("write without effect", [], [], [22, 111]),
        ("weak output", [], [], [2, 3, 4, 24, 36, 37, 38, 40, 43, 59, 89]),
        ("unknown tool", [], [], []),
        ("wrong arguments", [], [], []),
        ("unreachable argument", [], [], []),
        ("incomplete address", [], [], []),
    ],
)
def test_the_known_defects_of_tau_bench_are_found(audit, name, train, dev, test):
    assert [indices(audit, name, split) for split in ("train", "dev", "test")] == [train, dev, test]


@needs_fixture
def test_the_known_leak_from_test_to_train_is_found():
    both = (task for task in iter_tau_bench_folder(FIXTURE) if task.split != "dev")
    report = doctor(Shop.load(FIXTURE), both)
    assert len(indices(report, "customer seen in training", "test")) == 97
    assert len(indices(report, "leaked customer", "train")) == 91
    assert len(indices(report, "order seen in training", "test")) == 83
    customers = {
        defect.detail.split()[0] for defect in report.defects if defect.name == "customer seen in training"
    }
    assert len(customers) == 43


@needs_fixture
def test_the_order_of_writes_matters_where_it_is_known_to(audit):
    writes = {
        task.id: len(task.gold_actions) for task in iter_tau_bench_folder(FIXTURE) if task.split == "train"
    }
    few = [task for task in audit.ids["order of writes matters"] if writes.get(task, 9) <= 4]
    assert len(few) == 54
    assert len(indices(audit, "order of writes matters", "test")) == 15


@needs_fixture
def test_missing_look_ups_are_told_from_arguments_nobody_can_know(audit):
    missing = indices(audit, "look-ups missing", "train")
    assert len(missing) == 398
    assert indices(audit, "argument to be inferred", "train") == []


@pytest.mark.slow
@needs_fixture
def test_the_command_names_ids_and_texts_and_drops_what_is_wrong(tmp_path, capsys):
    out = tmp_path / "clean.jsonl"
    argv = ["validate", "--data", str(FIXTURE), str(FIXTURE / "tasks_train.jsonl")]
    assert main([*argv, "--drop", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "train/24 train/27 train/81" in printed
    assert "'Error: insufficient gift card balance to pay for the order'" in printed
    rejects = [json.loads(line) for line in (tmp_path / "clean.rejects.jsonl").open()]
    wrong = {f"train/{index}" for index in (*FAILING, *SAME_ITEM)}
    assert {reject["id"] for reject in rejects} == wrong
    assert all("gold write fails" in r["reason"] or "same-item swap" in r["reason"] for r in rejects)
    assert len(read_tasks(out)) == 500 - len(wrong)
    assert main(["validate", "--data", str(FIXTURE), str(out)]) == 0
