"""Problems with worked solutions: GSM8K's public files, JSONL or parquet, columns question and answer.

    problems = read_problems("gsm8k/train.jsonl")      # or test-00000-of-00001.parquet
    problems[0].question, problems[0].answer           # "Natalia sold clips …", "72"

A row that cannot be used is an error that names the file and the line: with a public benchmark a row that is
left out silently changes the number one reports. Without the files, `envs.gsm8k.synthetic` makes problems.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.gsm8k.answers import reference_answer
from envs.retail.files import FileError, read_lines

COLUMNS = ("question", "answer")


@dataclass(frozen=True)
class Problem:
    """A question, its worked solution ending in `#### <number>`, and that number as exact text."""

    question: str
    solution: str
    answer: str

    @classmethod
    def of(cls, question: str, solution: str) -> "Problem":
        """A problem with the answer read out of its solution; ValueError where there is none."""
        if "####" not in solution:
            raise ValueError("the answer has no line `#### <number>`")
        return cls(question, solution, str(reference_answer(solution)))


def read_problems(path: str | Path) -> list[Problem]:
    """All problems of a file: `.parquet`, or JSON Lines, which may be gzipped."""
    path = Path(path)
    parquet = path.suffix == ".parquet"
    problems = [
        _problem(path, number, row, parquet)
        for number, row in (_parquet_rows if parquet else read_lines)(path)
    ]
    if not problems:
        raise FileError(path, None, "holds no problems")
    return problems


def _problem(path: Path, number: int, row: Any, parquet: bool) -> Problem:
    try:
        return _checked(row)
    except ValueError as error:
        if parquet:  # has rows, but no lines
            raise FileError(path, None, f"row {number}: {error}") from error
        raise FileError(path, number, str(error)) from error


def _checked(row: Any) -> Problem:
    if not isinstance(row, dict):
        raise ValueError(f"expected an object with question and answer, not {type(row).__name__}")
    for name in COLUMNS:
        if name not in row:
            raise ValueError(f"column {name!r} is missing; there are {', '.join(map(repr, row)) or 'none'}")
        if not isinstance(row[name], str) or not row[name].strip():
            raise ValueError(f"{name} must be a text that is not empty")
    return Problem.of(row["question"], row["answer"])


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a parquet file, counted from 1 as lines are."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise FileError(path, None, "reading parquet needs pyarrow: pip install pyarrow") from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise FileError(path, None, f"cannot be read as parquet: {error}") from error
    yield from enumerate(rows, 1)
