"""Reading and writing files: lines that name themselves when wrong, files that are whole or absent.

for number, value in read_lines("tasks.jsonl.gz"): ...
with whole_file("out.jsonl") as out: out.write(...)
with whole_folder("adapter") as folder: model.save_pretrained(folder)
append_line("log.jsonl", {"step": 3})
"""

import gzip
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PART = ".part"


class FileError(ValueError):
    """Something is wrong in a file; the message begins with its path and line."""

    def __init__(self, path: str | Path, line: int | None, reason: str):
        self.path, self.line, self.reason = str(path), line, reason
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")


def open_text(path: str | Path) -> IO[str]:
    """Open a plain or gzipped text file; a byte order mark at its start is skipped."""
    opener = gzip.open if str(path).endswith(".gz") else open
    return opener(path, "rt", encoding="utf-8-sig")


def read_lines(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) of a JSONL file, empty lines skipped."""
    number = 0
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _parsed(path, number, line)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise FileError(path, number + 1 if number else None, f"cannot be read: {error}") from error


def _parsed(path: str | Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FileError(path, number, f"not valid JSON: {error}") from error


def read_json(path: str | Path) -> Any:
    """The JSON value in a plain or gzipped file."""
    try:
        with open_text(path) as file:
            return json.load(file)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise FileError(path, getattr(error, "lineno", None), f"cannot be read: {error}") from error


def json_line(value: Any) -> str:
    """A value as one line of a JSONL file; half a surrogate pair is escaped, for no file could hold it."""
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(value)
    return line + "\n"


def append_line(path: str | Path, value: Any) -> None:
    """Add a value to a JSONL file, on a line of its own even where a kill or a full disk left half a line."""
    with open(path, "ab+") as out:
        size = out.seek(0, os.SEEK_END)
        if size:
            out.seek(size - 1)
            if out.read(1) != b"\n":
                out.write(b"\n")
        out.write(json_line(value).encode())


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[str]]:
    """Write to a temporary neighbour and rename it at the end: a crash leaves nothing half-written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its ending is one that no pattern looks for: a kill leaves the neighbour behind.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    os.close(handle)
    try:
        with _writer(temporary, path.suffix == ".gz") as out:
            yield out
        os.chmod(temporary, 0o644)  # mkstemp keeps files private; these are meant to be read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _writer(path: str, zipped: bool) -> IO[str]:
    if zipped:
        return gzip.open(path, "wt", encoding="utf-8", newline="\n")
    return open(path, "w", encoding="utf-8", newline="\n")


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Fill a temporary neighbour and put it in the folder's place at the end: none finds it half full."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new, old = (path.with_name(f".{path.name}.{word}{PART}") for word in ("new", "old"))
    for left in (new, old):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir()
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)
