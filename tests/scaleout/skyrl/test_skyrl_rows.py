"""Rows: a task or problem comes back as it was, and what cannot become a row is refused with a reason."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from envs.retail.tasks import Action, Task, read_tasks
from scaleout.skyrl.rows import read_rows, retail_rows, task_of, write_rows

TEXT = some.text(some.characters(codec="utf-8"), max_size=12)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-9, 9) | TEXT,
    lambda v: some.lists(v) | some.dictionaries(TEXT, v),
    max_leaves=4,
)
ACTIONS = some.builds(Action, name=TEXT, arguments=some.dictionaries(TEXT, VALUES, max_size=3))
TASKS = some.builds(
    Task,
    id=TEXT,
    query=TEXT,
    gold_actions=some.lists(ACTIONS, max_size=3).map(tuple),
    gold_final=VALUES,
    facts=some.dictionaries(TEXT, VALUES, max_size=2),
    outputs=some.lists(TEXT, max_size=2).map(tuple),
    level=some.integers(0, 5),
)


@settings(max_examples=25)
@given(task=TASKS)
def test_a_task_survives_the_row(task):
    (row,) = retail_rows([task])
    assert task_of(json.loads(json.dumps(row))) == task
    assert row["prompt"][-1] == {"role": "user", "content": task.query}


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_the_tasks_of_a_file_survive_the_file(tmp_path, tiny_base, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    tasks = read_tasks(Path(tiny_base).parent / "validation.jsonl")
    rows = retail_rows(tasks, "validation")
    write_rows(tmp_path / f"rows{ending}", rows)
    again = read_rows(tmp_path / f"rows{ending}")
    assert again == rows
    assert [task_of(row) for row in again] == tasks
    assert {row["env_class"] for row in again} == {"retail"}
    assert [row["extra_info"]["index"] for row in again] == list(range(len(tasks)))
    assert list(tmp_path.iterdir()) == [tmp_path / f"rows{ending}"], "nothing half-written is left"


def test_what_cannot_be_written_says_why(tmp_path, tasks):
    with pytest.raises(ValueError, match=r"end it in .parquet or .jsonl"):
        write_rows(tmp_path / "rows.csv", retail_rows(tasks))
    with pytest.raises(ValueError, match="no rows to write"):
        write_rows(tmp_path / "rows.jsonl", [])
    with pytest.raises(ValueError, match=r"python -m scaleout.skyrl export"):
        task_of({"extra_info": {}})
