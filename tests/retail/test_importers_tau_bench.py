"""tau-bench's task files: read as data from a checkout or a folder, never executed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_plays import FIXTURE, needs_fixture

from envs.retail.__main__ import main
from envs.retail.files import FileError
from envs.retail.importers import Reject, iter_tau_bench_folder, tau_bench_task, tau_bench_tasks
from envs.retail.tasks import Action, Task, read_tasks


def parted(rows) -> tuple[list[str], list[Reject]]:
    rows = list(rows)
    return [r.id for r in rows if not isinstance(r, Reject)], [r for r in rows if isinstance(r, Reject)]


PYTHON = """
from tau_bench.types import Task, Action

TASKS_TEST = [
    Task(
        annotator="0",
        user_id="ana_lopez_1234",
        instruction="You are Ana, it's [urgent), # truly.",
        actions=[
            Action(name="get_order_details", kwargs={"order_id": "#W1234567"}),
            Action(name="think", kwargs={"thought": "a " "b"}),
        ],
        outputs=["10", "-3"],
    ),
    %s
    Task(user_id="b", instruction="second", actions=[], outputs=[]),
]
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = tmp_path / "tau-bench" / "tau_bench" / "envs" / "retail"
    folder.mkdir(parents=True)
    return folder


def test_a_checkout_is_read_as_data(checkout):
    (checkout / "tasks_test.py").write_text(PYTHON % "")
    (checkout / "tasks_dev.py").write_text("TASKS = []")
    first, second = tau_bench_tasks(checkout.parents[2])
    assert first == Task(
        id="test/0",
        query="You are Ana, it's [urgent), # truly.",
        gold_actions=(
            Action("get_order_details", {"order_id": "#W1234567"}),
            Action("think", {"thought": "a b"}),
        ),
        customer="ana_lopez_1234",
        outputs=("10", "-3"),
        split="test",
        extra={"source": "tau-bench", "index": 0},
    )
    assert (second.id, second.query) == ("test/1", "second")


@pytest.mark.parametrize(
    "element",
    [
        "__import__('pathlib').Path('MARK').touch(),",
        "Task(instruction=open('MARK', 'w'), actions=[]),",
        "Task(**{'instruction': 'x', 'actions': []}),",
        "Task(instruction=f'{1}', actions=[]),",
        "Task(instruction='no actions'),",
        "Task('positional'),",
        "Task(instruction='x', actions=[SECRET]),",
        "3,",
        "Task(instruction='x', actions='y'),",
        "Task(instruction='x' 3, actions=[]),",
        "Task(instruction='x', actions=[], facts={(1, 2): 3}),",
        "Task(instruction='\\ud83d', actions=[]),",
        "Task(instruction='x', actions=[], limit=1e999),",
    ],
)
def test_what_is_not_data_is_rejected_and_never_run(checkout, monkeypatch, element):
    monkeypatch.chdir(checkout)
    (checkout / "tasks_test.py").write_text(PYTHON % element)
    kept, rejected = parted(tau_bench_tasks(checkout))
    assert kept == ["test/0", "test/2"]
    assert [(reject.line, reject.index, reject.kind) for reject in rejected] == [(15, 1, "wrong shape")]
    assert not (checkout / "MARK").exists()


@given(st.integers(60, len(PYTHON) - 6))
def test_a_task_file_cut_anywhere_keeps_its_whole_tasks(tmp_path_factory, end):
    path = tmp_path_factory.mktemp("cut") / "tasks_test.py"
    path.write_text((PYTHON % "")[:end])
    kept, rejected = parted(tau_bench_tasks(path))
    assert kept in ([], ["test/0"], ["test/0", "test/1"])
    assert rejected[-1].kind == "cut off" and len(rejected) == 1
    assert (PYTHON % "")[:end].count("    ),\n") <= 1 or "test/0" in kept


def test_a_task_of_nobody_has_no_customer():
    task = tau_bench_task({"user_id": None, "instruction": "x", "actions": []}, "dev", 3)
    assert (task.id, task.customer) == ("dev/3", "")


def test_a_folder_without_task_files_says_what_is_missing(tmp_path):
    with pytest.raises(FileError, match=r"tasks_<split>\.py"):
        list(tau_bench_tasks(tmp_path))


@needs_fixture
def test_the_fixture_reads_the_same_both_ways(tmp_path):
    strict = list(iter_tau_bench_folder(FIXTURE))
    assert list(tau_bench_tasks(FIXTURE)) == strict
    assert [sum(task.split == split for task in strict) for split in ("train", "dev", "test")] == [
        500,
        20,
        115,
    ]
    out = tmp_path / "tau.jsonl"
    assert main(["import", "--format", "tau-bench", "--in", str(FIXTURE), "--out", str(out)]) == 0
    assert read_tasks(out) == strict
