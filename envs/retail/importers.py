"""Tasks and conversations from elsewhere, in this project's shape.

    python -m envs.retail import --format tau-bench --in ../tau-bench --out tau_bench.jsonl
    python -m envs.retail import --format custom --in mine.jsonl --out tasks.jsonl --rejects rejects.jsonl
    python -m envs.retail import --format apigen --in apigen-mt_5k.json --out sft.jsonl --tasks tasks.jsonl

tau-bench: a checkout (its Python task files are read as data, never executed), a folder of
`tasks_<split>.jsonl`, or one such file. custom: JSON Lines or one JSON list of
{"query", "gold_actions", "gold_final", ...}. apigen: APIGen-MT-5k; `--out` gets the conversations, `--tasks`
the retail tasks whose gold actions could be replayed in the shop of `--data`.

A row that cannot be taken is written to the rejects file with its line and the reason; the rest is kept.
Exit code: 0 everything was taken, 1 something was rejected, 2 nothing could be read.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from envs.retail.database import DATA, Shop
from envs.retail.files import FileError, json_line, whole_file
from envs.retail.sources.apigen import apigen_conversations, recover_task
from envs.retail.sources.rows import WRONG_SHAPE, Reject, rejects_beside, rows
from envs.retail.sources.tau_bench import iter_tau_bench_folder, tau_bench_task, tau_bench_tasks
from envs.retail.tasks import Task

__all__ = [
    "Reject",
    "apigen_conversations",
    "custom_tasks",
    "iter_tau_bench_folder",
    "recover_task",
    "run_import",
    "tau_bench_task",
    "tau_bench_tasks",
]

NO_TASK = "no task"


def custom_tasks(path: str | Path) -> Iterator[Task | Reject]:
    """Tasks of a JSONL file or JSON list in the public shape or tau-bench's; else a `Reject`."""
    path = Path(path)
    for row in rows(path):
        if isinstance(row, Reject):
            yield row
            continue
        try:
            place = row.line if row.index is None else row.index
            yield _custom_task(row.value, path.name.split(".")[0], place)
        except ValueError as error:
            yield Reject(str(path), row.line, row.index, WRONG_SHAPE, str(error), json.dumps(row.value))


def _custom_task(record: Any, stem: str, place: int) -> Task:
    if isinstance(record, dict) and "instruction" in record and "query" not in record:
        index = record.get("index", place)
        return tau_bench_task(record, str(record.get("split") or stem.removeprefix("tasks_")), index)
    return Task.from_json(record, fallback_id=f"{stem}/{place}")


def run_import(argv: list[str]) -> int:
    """The command `import`: read, write what could be taken, say what could not."""
    options = _options(argv)
    counts: Counter[str] = Counter()
    with ExitStack() as files:
        out = files.enter_context(whole_file(options.out))
        tasks = files.enter_context(whole_file(options.tasks)) if options.tasks else None
        rejects = files.enter_context(whole_file(options.rejects))
        if options.format == "apigen":
            found = _with_tasks(options, tasks, counts)
        else:
            found = (tau_bench_tasks if options.format == "tau-bench" else custom_tasks)(options.source)
        for row in found:
            _write(row, out, rejects, counts)
        if not counts:
            raise FileError(options.source, None, "holds no rows")
    _print_counts(options, counts)
    return 1 if any(what.startswith("rejected") for what in counts) else 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m envs.retail import",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--format", choices=("tau-bench", "apigen", "custom"), required=True)
    parser.add_argument(
        "--in", dest="source", type=Path, required=True, help="file, folder or checkout to read"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSONL (or .jsonl.gz) to write")
    parser.add_argument("--rejects", type=Path, help="where rejected rows go (default: OUT.rejects.jsonl)")
    parser.add_argument("--tasks", type=Path, help="apigen: where recovered tasks go")
    parser.add_argument("--data", type=Path, default=DATA, help="apigen: the shop to replay the calls in")
    options = parser.parse_args(argv)
    options.rejects = options.rejects or rejects_beside(options.out)
    if options.tasks and options.format != "apigen":
        parser.error("--tasks is for --format apigen; the other formats write their tasks to --out")
    paths = [path.resolve() for path in (options.source, options.out, options.rejects, options.tasks) if path]
    if len(set(paths)) < len(paths):
        parser.error("--in, --out, --tasks and --rejects must be different files")
    return options


def _with_tasks(
    options: argparse.Namespace, tasks: IO[str] | None, counts: Counter[str]
) -> Iterator[dict[str, Any] | Reject]:
    """The conversations; on the way, the tasks that can be recovered from them are written."""
    shop = Shop.load(options.data) if tasks else None
    for row in apigen_conversations(options.source):
        yield row
        if shop and isinstance(row, dict) and row["domain"] == "retail":
            try:
                task = recover_task(row, shop)
            except ValueError as error:
                index = int(row["id"].rpartition("/")[2])
                yield Reject(
                    str(options.source), None, index, NO_TASK, str(error), row["messages"][-1]["content"]
                )
            else:
                tasks.write(json_line(task.to_json()))
                counts["tasks recovered"] += 1


def _write(row: Task | dict[str, Any] | Reject, out: IO[str], rejects: IO[str], counts: Counter[str]) -> None:
    """One line into the file it belongs to, and its count."""
    if isinstance(row, Reject):
        rejects.write(json.dumps(row.to_json()) + "\n")
        counts["conversations without a task" if row.kind == NO_TASK else f"rejected: {row.kind}"] += 1
    elif isinstance(row, Task):
        out.write(json_line(row.to_json()))
        counts[f"tasks, split {row.split or '(none)'}"] += 1
    else:
        out.write(json_line(row))
        counts[f"conversations, {row['domain']}"] += 1


def _print_counts(options: argparse.Namespace, counts: Counter[str]) -> None:
    print(f"{options.source} -> {options.out}")
    for what, count in counts.items():
        print(f"{count:8,}  {what}")
    print(f"rejected rows and reasons: {options.rejects}")
