"""Tasks from elsewhere, in this project's shape.

    tasks = read_tau_bench_folder("path/to/tasks")   # tasks_train.jsonl, tasks_dev.jsonl, tasks_test.jsonl
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, read_lines
from envs.retail.tasks import Action, Task

SPLITS = ("train", "dev", "test")


def tau_bench_task(record: Any, split: str, index: int) -> Task:
    """A tau-bench task (`user_id`, `instruction`, `actions`, `outputs`) as ours; raises ValueError where unfit."""
    if not isinstance(record, Mapping) or not isinstance(record.get("instruction"), str):
        raise ValueError('a tau-bench task is an object with "instruction", "user_id", "actions", "outputs"')
    if not isinstance(record.get("actions"), list):
        raise ValueError('"actions" must be a list')
    return Task(
        id=f"{split}/{index}",
        query=record["instruction"],
        gold_actions=tuple(Action.from_json(action) for action in record["actions"]),
        customer=str(record.get("user_id", "")),
        outputs=tuple(map(str, record.get("outputs") or ())),
        split=split,
        extra={"source": "tau-bench", "index": index},
    )


def iter_tau_bench_folder(folder: str | Path) -> Iterator[Task]:
    """Yield the tasks of `tasks_<split>.jsonl` (or .jsonl.gz) for each split that is there."""
    found = [
        (split, path)
        for split in SPLITS
        for path in (Path(folder) / f"tasks_{split}.jsonl", Path(folder) / f"tasks_{split}.jsonl.gz")
        if path.exists()
    ]
    if not found:
        raise FileError(Path(folder), None, f"has no tasks_<split>.jsonl (splits: {', '.join(SPLITS)})")
    for split, path in found:
        for position, (number, record) in enumerate(read_lines(path)):
            try:
                index = record.get("index", position) if isinstance(record, dict) else position
                yield tau_bench_task(record, split, index)
            except ValueError as error:
                raise FileError(path, number, str(error)) from error
