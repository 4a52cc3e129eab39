"""tau-bench's tasks: from a checkout's Python files, read as data and never executed, or from JSON Lines.

    for task in tau_bench_tasks("path/to/tau-bench"): ...     # tasks_<split>.py of the retail domain
    for task in tau_bench_tasks("path/to/folder"): ...        # tasks_<split>.jsonl(.gz)
    iter_tau_bench_folder("path/to/folder")                   # the same, but the first bad line raises

A task file is one list of `Task(...)` calls. Each element is cut out by its brackets and read by itself, so a
damaged one costs itself only, and only names and literals are ever looked at.
"""

import ast
import io
import json
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, read_lines
from envs.retail.sources.rows import CUT, WRONG_SHAPE, Reject, rows, shortened
from envs.retail.sources.strict_json import Decoder
from envs.retail.tasks import Action, Task

SPLITS = ("train", "dev", "test")
RETAIL = Path("tau_bench/envs/retail")
SOURCE_LIMIT = 64 * 2**20  # bytes of a Python file; tau-bench's own have half a million


def tau_bench_task(record: Any, split: str, index: int) -> Task:
    """A tau-bench task (`user_id`, `instruction`, `actions`, `outputs`) as ours; ValueError where unfit."""
    if not isinstance(record, Mapping) or not isinstance(record.get("instruction"), str):
        raise ValueError('a tau-bench task is an object with "instruction", "user_id", "actions", "outputs"')
    if not isinstance(record.get("actions"), list):
        raise ValueError('"actions" must be a list')
    outputs = record.get("outputs") or ()
    if not isinstance(outputs, (list, tuple)):
        raise ValueError('"outputs" must be a list')
    return Task(
        id=f"{split}/{index}",
        query=record["instruction"],
        gold_actions=tuple(Action.from_json(action) for action in record["actions"]),
        customer=str(record.get("user_id") or ""),
        outputs=tuple(map(str, outputs)),
        split=split,
        extra={"source": "tau-bench", "index": index},
    )


def iter_tau_bench_folder(folder: str | Path) -> Iterator[Task]:
    """Yield the tasks of `tasks_<split>.jsonl` (or .jsonl.gz); a bad line raises `FileError`."""
    found = _files(Path(folder), (".jsonl", ".jsonl.gz"))
    if not found:
        raise FileError(Path(folder), None, f"has no tasks_<split>.jsonl (splits: {', '.join(SPLITS)})")
    for split, path in found:
        for position, (number, record) in enumerate(read_lines(path)):
            try:
                yield tau_bench_task(record, split, _index(record, position))
            except ValueError as error:
                raise FileError(path, number, str(error)) from error


def tau_bench_tasks(path: str | Path) -> Iterator[Task | Reject]:
    """Tasks of a checkout, a folder or a single file; what cannot be read comes out as a `Reject`."""
    path = Path(path)
    if path.is_dir():
        places = [path, path / RETAIL, path / RETAIL.relative_to("tau_bench")]
        found = next(filter(None, (_files(place, (".jsonl", ".jsonl.gz", ".py")) for place in places)), None)
        if not found:
            raise FileError(path, None, f"has no tasks_<split>.py or .jsonl, nor has {RETAIL} below it")
    else:
        found = [(path.name.split(".")[0].removeprefix("tasks_"), path)]
    for split, file in found:
        read = _python_records if file.suffix == ".py" else _json_records
        for position, record in enumerate(read(file)):
            yield record if isinstance(record, Reject) else _task(file, split, position, *record)


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The file of each split that is there, in the first of the forms."""
    found = []
    for split in SPLITS:
        paths = [folder / f"tasks_{split}{suffix}" for suffix in suffixes]
        found += [(split, path) for path in paths if path.exists()][:1]
    return found


def _index(record: Any, position: int) -> int:
    return record.get("index", position) if isinstance(record, Mapping) else position


def _task(file: Path, split: str, position: int, line: int, record: Any) -> Task | Reject:
    try:
        return tau_bench_task(record, split, _index(record, position))
    except ValueError as error:
        return Reject(str(file), line, position, WRONG_SHAPE, str(error), shortened(record))


def _json_records(path: Path) -> Iterator[tuple[int, Any] | Reject]:
    for row in rows(path):
        yield row if isinstance(row, Reject) else (row.line, row.value)


def _python_records(path: Path) -> Iterator[tuple[int, Any] | Reject]:
    """(line, record) of each element of the first list that a Python file assigns to a name."""
    text, decoder = _python_text(path), Decoder()
    for index, (line, element, fault) in enumerate(_list_elements(text)):
        try:
            if fault:
                raise SyntaxError(fault)
            value = _literal(ast.parse(element, mode="eval").body)
            # what JSON cannot hold could not be written again: infinity, half a surrogate pair
            value, unfit = decoder.whole(json.dumps(value))
            if unfit:
                raise ValueError(unfit.reason)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            kind = CUT if fault else WRONG_SHAPE
            yield Reject(str(path), line, index, kind, f"{error!s:.300}", shortened(element))
        else:
            yield line, value


def _python_text(path: Path) -> str:
    try:
        if path.stat().st_size > SOURCE_LIMIT:
            raise FileError(path, None, f"is larger than {SOURCE_LIMIT:,} bytes: not a task file")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(path, None, f"cannot be read: {error}") from error


_LAYOUT = (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)
_STEP = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def _list_elements(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, source, fault) of each element, found by brackets and commas alone."""
    lines = [*text.splitlines(keepends=True), ""]
    start = end = None
    try:
        for token, between in _list_tokens(text):
            if not between:
                start, end = start or token.start, token.end
            elif start:
                yield start[0], _between(lines, start, end), ""
                start = None
    except (tokenize.TokenError, SyntaxError) as error:
        start = start or (len(lines), 0)
        fault = f"the file ends or breaks inside this element: {error.args[0]}"
        yield start[0], _between(lines, start, (len(lines), 0)), fault


def _list_tokens(text: str) -> Iterator[tuple[tokenize.TokenInfo, bool]]:
    """The tokens of the first list assigned to a name; True for those between elements and at its end."""
    depth, assigned = 0, False  # depth counts only inside the list
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _LAYOUT:
            continue
        sign = token.string if token.type == tokenize.OP else ""
        if not depth:
            depth, assigned = int(assigned and sign == "["), sign == "="
            continue
        depth += _STEP.get(sign, 0)
        yield token, depth == 0 or (sign == "," and depth == 1)
        if not depth:
            return
    raise SyntaxError("no list is assigned to a name")


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text from one (line, column) to another; lines count from 1."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    first, last = lines[start[0] - 1][start[1] :], lines[end[0] - 1][: end[1]]
    return first + "".join(lines[start[0] : end[0] - 1]) + last


def _literal(node: ast.AST) -> Any:
    """The data in a node: literals, and `Task(...)` and `Action(...)` as objects. Nothing runs."""
    match node:
        case ast.Call(func=ast.Name(id="Task" | "Action"), args=[], keywords=keywords):
            if any(keyword.arg is None for keyword in keywords):
                raise ValueError("** is not data")
            return {keyword.arg: _literal(keyword.value) for keyword in keywords}
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_literal(element) for element in elements]
        case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.Constant) for key in keys):
            return {_literal(key): _literal(value) for key, value in zip(keys, values, strict=True)}
        case ast.Constant(value=str() | int() | float() | bool() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    raise ValueError(
        f"line {getattr(node, 'lineno', '?')} of the element is not data: {ast.unparse(node):.80}"
    )
