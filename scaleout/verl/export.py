"""The project's tasks as the files a verl run reads: parquet, the tools, the agent loops.

    python -m scaleout.verl export --out data_verl
    python -m scaleout.verl export --tasks mine.jsonl --out data_verl --loop retail_tools --max-turns 6

writes `train.parquet`, `validation.parquet` and `test.parquet` (each task goes where its own `split` says;
one without a split is for training), `tools.yaml` with all sixteen tools, and `agent_loops.yaml`. Each file
appears whole or not at all; where tasks or options are wrong, none is touched.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from envs.retail.files import FileError, whole_file
from envs.retail.tasks import Task, read_tasks
from envs.retail.tools import TOOLS
from scaleout.verl.lengths import need_of
from scaleout.verl.rows import LOOPS, to_row

SPLITS = ("train", "validation", "test")
CUSTOMER = ("retail_agent",)  # loops in which the customer answers
OURS = {"retail_agent": "RetailAgentLoop", "retail_tools": "RetailToolLoop"}


@dataclass(frozen=True)
class Summary:
    """What was written."""

    out: Path
    loop: str
    rows: dict[str, int]  # split -> rows
    levels: dict[int, int] = field(default_factory=dict)
    left_out: int = 0  # tasks that no demonstration serves as this run would have to
    why: str = ""

    def __str__(self) -> str:
        lines = [f"{self.out / split}.parquet: {count:,} rows" for split, count in self.rows.items()]
        levels = ", ".join(f"{level}: {count:,}" for level, count in sorted(self.levels.items()))
        lines += [f"levels {levels}; loop {self.loop}: {LOOPS[self.loop]}"]
        if self.left_out:
            lines.append(f"{self.left_out:,} tasks left out: no demonstration serves them {self.why}")
        lines += [f"no tasks for {split}.parquet" for split in ("train", "test") if split not in self.rows]
        return "\n".join([*lines, f"{self.out / 'tools.yaml'}, {self.out / 'agent_loops.yaml'}"])


def export(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    loop: str = "retail_agent",
    max_turns: int | None = None,
    episodes: str | Path | None = None,
) -> Summary:
    """Write all files of a run.

    Args:
        paths: Task files.
        out: The folder to write to.
        loop: Who plays the episodes: one of `LOOPS`. Where nobody answers the agent, tasks in which the
            customer has to be asked for something are left out.
        max_turns: Leave out tasks that a demonstration cannot serve in so many of the agent's turns; the
            same number as `max_assistant_turns`.
        episodes: Where the loops keep each episode's account, for `results`; by default in `out`.
    """
    if loop not in LOOPS:
        raise ValueError(f"no agent loop {loop!r}; use one of {', '.join(LOOPS)}")
    tasks = _distinct([(path, task) for path in paths for task in read_tasks(path)])
    alone = loop not in CUSTOMER
    kept = _served(tasks, alone, max_turns) if alone or max_turns else tasks
    limits = [f"in at most {max_turns} turns"] * bool(max_turns) + ["without asking the customer"] * alone
    if not kept:
        wish = f"tasks that can be served {' and '.join(limits)}" if limits else "tasks"
        raise ValueError(f"no task is left to export: give files with {wish}")
    splits: dict[str, list[dict[str, Any]]] = {}
    for index, task in enumerate(kept):
        splits.setdefault(task.split or "train", []).append(to_row(task, index, loop))
    if unknown := sorted(set(splits) - set(SPLITS)):
        raise ValueError(f"a task's split is {unknown[0]!r}; a split is one of {', '.join(SPLITS)}")
    out = Path(out).resolve()
    for split, rows in splits.items():
        _write_parquet(out / f"{split}.parquet", rows)
    _write_yaml(out / "tools.yaml", {"tools": tool_list()})
    _write_yaml(out / "agent_loops.yaml", loop_list(Path(episodes or out / "episodes").resolve()))
    counts = {split: len(splits[split]) for split in SPLITS if split in splits}
    levels = Counter(task.level for task in kept)
    return Summary(out, loop, counts, levels, len(tasks) - len(kept), " and ".join(limits))


def _distinct(tasks: Iterable[tuple[str | Path, Task]]) -> list[Task]:
    """The tasks; an error where two have the same id, because their episodes could not be told apart."""
    found: dict[str, Task] = {}
    for path, task in tasks:
        if task.id in found:
            raise FileError(path, None, f"task {task.id!r} is there twice; give each task its own id")
        found[task.id] = task
    return list(found.values())


def _served(tasks: list[Task], alone: bool, max_turns: int | None) -> list[Task]:
    """The tasks that can be served, as far as a demonstration shows it, by an agent whom nobody answers."""
    shop = Shop.load()
    needs = ((task, need_of(shop, task)) for task in tasks)
    return [
        task
        for task, need in needs
        if need and not (alone and need.asks) and not (max_turns and need.turns > max_turns)
    ]


def tool_list() -> list[dict[str, Any]]:
    """The sixteen tools as verl's tool configuration names them."""
    kind = "scaleout.verl.tools.RetailTool"
    return [{"class_name": kind, "config": {"type": "native", "name": name}} for name in TOOLS]


def loop_list(episodes: Path) -> list[dict[str, Any]]:
    """Our agent loops as verl's configuration names them; the import registers the tool parser too."""
    return [
        {"name": name, "_target_": f"scaleout.verl.agent_loop.{kind}", "episodes": str(episodes)}
        for name, kind in OURS.items()
    ]


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with whole_file(path) as out:
        pq.write_table(pa.Table.from_pylist(rows), out.name)


def _write_yaml(path: Path, value: Any) -> None:
    with whole_file(path) as out:
        json.dump(value, out, indent=2)  # JSON is YAML
        out.write("\n")


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a parquet file as `to_row` made them."""
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()
