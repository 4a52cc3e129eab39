"""Tasks as verl's parquet files: nothing is lost, nothing is half-written, and bad input is said."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verl_samples import ROOT, task_at, tasks

from envs.retail.tasks import Action, Task, write_tasks
from envs.retail.tools import TOOLS
from scaleout.verl.__main__ import main
from scaleout.verl.account import shop
from scaleout.verl.export import export, read_rows
from scaleout.verl.lengths import need_of
from scaleout.verl.rows import task_of, to_row

pytest.importorskip("pyarrow", reason="the parquet files need pyarrow")

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
ACTIONS = st.builds(Action, TEXT, st.dictionaries(TEXT, VALUES, max_size=3))
TASKS = st.builds(
    Task,
    id=TEXT,
    query=TEXT,
    gold_actions=st.lists(ACTIONS, max_size=3).map(tuple),
    gold_final=VALUES,
    customer=TEXT,
    facts=st.dictionaries(TEXT, VALUES, max_size=3),
    outputs=st.lists(TEXT, max_size=3).map(tuple),
    level=st.integers(0, 5),
    split=st.sampled_from(["", "train", "test"]),
)


@settings(max_examples=30)
@given(st.lists(TASKS, min_size=1, max_size=3))
def test_any_tasks_come_back_from_parquet_as_they_were(found: list[Task]):
    import pyarrow as pa

    table = pa.Table.from_pylist([to_row(task, index) for index, task in enumerate(found)])
    rows = table.to_pylist()
    assert [task_of(row["extra_info"]["tools_kwargs"]) for row in rows] == found
    assert [Task.from_json(json.loads(row["reward_model"]["ground_truth"])) for row in rows] == found
    assert [row["extra_info"]["index"] for row in rows] == list(range(len(found)))


def test_every_task_of_the_project_is_in_the_file_of_its_split(tmp_path):
    files = [ROOT / "data" / f"{name}.jsonl" for name in ("dataset", "validation", "test")]
    summary = export(files, tmp_path)
    assert summary.rows == {"train": 800, "validation": 100, "test": 200}
    rows = [row for split in summary.rows for row in read_rows(tmp_path / f"{split}.parquet")]
    assert len({row["extra_info"]["index"] for row in rows}) == 1100, "an index stands for one row only"
    assert {row["agent_name"] for row in rows} == {"retail_agent"}
    held_out = read_rows(tmp_path / "validation.parquet")
    assert tuple(task_of(row["extra_info"]["tools_kwargs"]) for row in held_out) == tasks()
    assert [row["prompt"][-1] for row in held_out] == [
        {"role": "user", "content": task.query} for task in tasks()
    ]


def test_gold_actions_are_text_in_the_file_and_no_structure_that_arrow_fills_with_nulls(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    export([ROOT / "data" / "validation.jsonl"], tmp_path)
    schema = pq.read_schema(tmp_path / "validation.parquet")
    assert schema.field("reward_model").type.field("ground_truth").type == pa.string()
    assert schema.field("extra_info").type.field("tools_kwargs").type.field("task").type == pa.string()


def test_the_tools_and_the_loops_are_named_as_verl_reads_them(tmp_path):
    yaml = pytest.importorskip("yaml")
    export([ROOT / "data" / "validation.jsonl"], tmp_path, episodes=tmp_path / "kept")
    tools = yaml.safe_load((tmp_path / "tools.yaml").read_text())["tools"]
    assert [tool["config"] for tool in tools] == [{"type": "native", "name": name} for name in TOOLS]
    assert {tool["class_name"] for tool in tools} == {"scaleout.verl.tools.RetailTool"}
    loops = yaml.safe_load((tmp_path / "agent_loops.yaml").read_text())
    assert {loop["name"]: loop["_target_"].rsplit(".", 1)[0] for loop in loops} == dict.fromkeys(
        ("retail_agent", "retail_tools"), "scaleout.verl.agent_loop"
    )
    assert {loop["episodes"] for loop in loops} == {str(tmp_path / "kept")}


def test_tasks_that_take_more_turns_than_allowed_are_left_out_and_counted(tmp_path):
    summary = export([ROOT / "data" / "validation.jsonl"], tmp_path, max_turns=6)
    rows = read_rows(tmp_path / "validation.parquet")
    kept = [task_of(row["extra_info"]["tools_kwargs"]) for row in rows]
    assert kept == [task for task in tasks() if need_of(shop(), task).turns <= 6]
    assert 0 < len(kept) < 100 and summary.left_out == 100 - len(kept)
    said = f"{summary.left_out} tasks left out: no demonstration serves them in at most 6 turns"
    assert said in str(summary)


def test_where_nobody_answers_tasks_that_need_an_answer_are_left_out(tmp_path):
    summary = export([ROOT / "data" / "validation.jsonl"], tmp_path, loop="retail_tools")
    rows = read_rows(tmp_path / "validation.parquet")
    levels = [task_of(row["extra_info"]["tools_kwargs"]).level for row in rows]
    assert levels.count(1) == levels.count(2) == 20, "there the query says all that is needed"
    assert not {4, 5} & set(levels) and summary.left_out == 100 - len(levels)
    assert {row["agent_name"] for row in rows} == {"retail_tools"}
    assert "without asking the customer" in str(summary)


def test_a_crash_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    export([ROOT / "data" / "validation.jsonl"], tmp_path)
    before = (tmp_path / "validation.parquet").read_bytes()

    def full(table: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        export([ROOT / "data" / "validation.jsonl"], tmp_path)
    assert (tmp_path / "validation.parquet").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "agent_loops.yaml",
        "tools.yaml",
        "validation.parquet",
    ]


def test_two_tasks_of_one_name_are_refused_before_anything_is_written(tmp_path, capsys):
    write_tasks(tmp_path / "mine.jsonl", [task_at(1), task_at(1)])
    assert main(["export", "--tasks", str(tmp_path / "mine.jsonl"), "--out", str(tmp_path / "out")]) == 2
    assert "give each task its own id" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tasks", "absent.jsonl"], "absent.jsonl"),
        (["--max-turns", "1"], "give files with tasks that can be served in at most 1 turns"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, capsys, arguments, said):
    data = ["--tasks", str(ROOT / "data" / "validation.jsonl")]
    assert main(["export", *data, *arguments, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_split_is_refused_by_name(tmp_path):
    write_tasks(tmp_path / "mine.jsonl", [Task("a", "Hello", (), split="dev")])
    with pytest.raises(ValueError, match="'dev'; a split is one of train, validation, test"):
        export([tmp_path / "mine.jsonl"], tmp_path / "out")


def test_a_row_without_its_task_says_how_to_get_one():
    with pytest.raises(ValueError, match=r"scaleout\.verl export"):
        task_of({"create_kwargs": {}})
