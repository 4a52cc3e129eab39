"""Tasks as the rows SkyRL reads: prompt, env_class, reward_spec, and what an episode is made from.

    write_rows("train.parquet", retail_rows(read_tasks("data/dataset.jsonl")))
    task_of(row)                      # the very task again: SkyRL hands an environment all columns but two

A task travels as one JSON text. As a table its gold actions would become columns in which every action has
every other action's arguments, filled with null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from envs.retail.files import json_line, read_lines, whole_file
from envs.retail.tasks import Task
from scaleout.skyrl.serving import opening
from scaleout.skyrl.settings import RETAIL

Row = dict[str, Any]
ENDINGS = (".parquet", ".jsonl")


def retail_rows(tasks: Iterable[Task], split: str = "") -> list[Row]:
    """One row a task; `index` tells rows apart where a file holds a task twice."""
    return [
        {
            "data_source": f"retail_{split or task.split or 'tasks'}",
            "env_class": RETAIL,
            "prompt": opening(task),
            "reward_spec": {
                "method": "rule",
                "ground_truth": json.dumps(task.to_json(), ensure_ascii=False),
            },
            "extra_info": {"index": index, "id": task.id, "level": task.level},
        }
        for index, task in enumerate(tasks)
    ]


def task_of(extras: Mapping[str, Any]) -> Task:
    """The task of a row, or of what SkyRL makes of a row for an environment."""
    return Task.from_json(json.loads(ground_truth(extras)))


def ground_truth(extras: Mapping[str, Any]) -> str:
    """What a row's episode is judged by."""
    text = (extras.get("reward_spec") or {}).get("ground_truth")
    if not isinstance(text, str):
        raise ValueError(
            'the row has no reward_spec.ground_truth: make rows with "python -m scaleout.skyrl export"'
        )
    return text


def write_rows(path: str | Path, rows: Sequence[Row]) -> None:
    """Write rows as parquet or JSON lines; the file appears whole or not at all."""
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path}: SkyRL tells a file's form by its name; end it in .parquet or .jsonl")
    if not rows:
        raise ValueError(f"{path}: no rows to write; SkyRL would die of an empty data set much later")
    if path.suffix == ".jsonl":
        with whole_file(path) as out:
            out.writelines(json_line(row) for row in rows)
    else:
        _write_parquet(path, rows)


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError(f"{path} needs pyarrow: install it, or name a .jsonl file") from error
    with whole_file(path) as out:
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), out.name)


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a file that `write_rows` has written."""
    path = Path(path)
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(path).to_pylist()
    return [row for _, row in read_lines(path)]
