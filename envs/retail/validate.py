"""The doctor for task files: runs every gold action and says which tasks are unfit, and why.

    python -m envs.retail validate data/dataset.jsonl
    python -m envs.retail validate train.jsonl test.jsonl            # leaks between files as well
    python -m envs.retail validate mine.jsonl --drop clean.jsonl     # leave out what has errors
    python -m envs.retail validate mine.jsonl --fix clean.jsonl      # repair first (see repairs.py)

    report = doctor(Shop.load(), tasks)

A file is JSONL in the public shape or in tau-bench's, a JSON list of the same, a folder of
`tasks_<split>.jsonl`, or a tau-bench checkout. It is read in pieces: of each task only an id and a few hashes
stay in memory.
Exit code: 0 no errors (with --strict: no warnings either), 1 errors, 2 a row or file could not be read.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from envs.retail.database import DATA, Shop
from envs.retail.doctor.case import Case
from envs.retail.doctor.checks import examine
from envs.retail.doctor.defects import ERROR, KINDS, WARNING, Report
from envs.retail.doctor.examination import Examination
from envs.retail.doctor.repairs import repair
from envs.retail.files import FileError, json_line, whole_file
from envs.retail.importers import Reject, custom_tasks, tau_bench_tasks
from envs.retail.sources.rows import rejects_beside
from envs.retail.tasks import Task

UNIQUE = "id made unique"


def doctor(shop: Shop, tasks: Iterable[Task | Reject]) -> Report:
    """Examine tasks one by one and against each other.

    Args:
        shop: The shop the tasks are about.
        tasks: Any number of tasks; rows that could not be read may be among them as `Reject`.
    """
    examination = Examination(shop)
    for task in tasks:
        if isinstance(task, Reject):
            examination.unreadable(task)
        else:
            examination.visit(task)
    return examination.report()


def run_validate(argv: list[str]) -> int:
    """The command `validate`: print what was found, write what was asked for."""
    options = _options(argv)
    shop = Shop.load(options.data)
    report = doctor(shop, _tasks_of(options.files))
    if not report.tasks and not report.ids:
        raise FileError(options.files[0], None, "holds no tasks")
    print(report.table(shown=0 if options.all else 10))
    _print_details(report, options.all)
    if options.drop or options.fix:
        _write_clean(shop, report, options)
    if "unreadable row" in report.ids:
        return 2
    warned = any(KINDS[name].severity == WARNING for name in report.ids)
    return int(not report.clean or (options.strict and warned))


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m envs.retail validate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="task files, folders or checkouts"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the shop the tasks are about")
    cleaning = parser.add_mutually_exclusive_group()
    cleaning.add_argument("--drop", type=Path, metavar="OUT", help="write the tasks without errors")
    cleaning.add_argument(
        "--fix", type=Path, metavar="OUT", help="repair what is certain, write what is then right"
    )
    parser.add_argument("--rejects", type=Path, help="where the others go (default: OUT.rejects.jsonl)")
    parser.add_argument("--all", action="store_true", help="show all ids and details")
    parser.add_argument("--strict", action="store_true", help="warnings make the exit code 1 too")
    options = parser.parse_args(argv)
    options.out = options.drop or options.fix
    if options.out:
        options.rejects = options.rejects or rejects_beside(options.out)
        paths = [path.resolve() for path in (*options.files, options.out, options.rejects)]
        if len(set(paths)) < len(paths):
            parser.error("the files to read, the clean file and the rejects file must be different")
    elif options.rejects:
        parser.error("--rejects goes with --drop or --fix")
    return options


def _tasks_of(paths: list[Path]) -> Iterator[Task | Reject]:
    """The tasks of all files in order; of several files, one without splits is a split by its name."""
    for path in paths:
        is_tau_bench = path.is_dir() or path.suffix == ".py"
        for task in tau_bench_tasks(path) if is_tau_bench else custom_tasks(path):
            if isinstance(task, Task) and not task.split and len(paths) > 1:
                task = replace(task, split=path.name.split(".")[0])
            yield task


def _print_details(report: Report, everything: bool) -> None:
    details = report.defects if everything else tuple(report.examples())
    if details:
        print("\n" + ("everything found:" if everything else "for example:"))
    for defect in details:
        print(f"  {defect.task}  {defect.name}: {defect.detail:.160}")


def _write_clean(shop: Shop, report: Report, options: argparse.Namespace) -> None:
    """Read the files again and part the good from the rest, which is kept whole and with reasons."""
    counts: Counter[str] = Counter()
    with ExitStack() as files:
        out = files.enter_context(whole_file(options.out))
        rejects = files.enter_context(whole_file(options.rejects))
        for record, done, good in _judged(shop, report, options):
            if good:
                out.write(json_line(record))
            else:
                rejects.write(json.dumps(record) + "\n")
            counts.update(["written", *done] if good else ["rejected"])
    print(f"\n{counts.pop('written', 0):,} tasks -> {options.out}")
    print(f"{counts.pop('rejected', 0):,} rejected, with reasons -> {options.rejects}")
    for done, count in counts.items():
        print(f"{count:8,}  {done}")


def _judged(
    shop: Shop, report: Report, options: argparse.Namespace
) -> Iterator[tuple[dict[str, Any], list[str], bool]]:
    """(line to write, what was repaired, whether it is good) of every row."""
    position, written = -1, Examination(shop)
    for task in _tasks_of(options.files):
        if isinstance(task, Reject):
            yield task.to_json(), [], False
            continue
        position += 1
        clean, done = repair(Case.of(shop, task)) if options.fix else (task, [])
        reasons = list(report.leaks.get(position, ()))
        if options.fix or position in report.errors:
            reasons += _own_errors(shop, clean)
        reasons = reasons or written.repeats(Case.of(shop, clean))
        if options.fix and len(reasons) == 1 and reasons[0].startswith("duplicate id:"):
            clean, done, reasons = replace(clean, id=f"{task.id}@{position + 1}"), [*done, UNIQUE], []
        if reasons:
            yield {"id": task.id, "reason": "; ".join(reasons), "row": task.to_json()}, [], False
        else:
            yield clean.to_json(), done, True


def _own_errors(shop: Shop, task: Task) -> list[str]:
    found = examine(Case.of(shop, task))
    return [f"{name}: {detail}" for name, detail in found if KINDS[name].severity == ERROR]
