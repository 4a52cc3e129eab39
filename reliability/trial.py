"""What a trial is: numbered cases that are carried out in pieces, and what was found in them.

    def run(cases: range, setting: Setting) -> Found:
        found = Found()
        for case in cases:
            found.add(verdict=1) if works(case, setting.seed) else found.fail(case, "what went wrong")
        return found

    TRIAL = Trial("kill", "Killed at random moments", ABOUT, run, sized(full=50, quick=2))

A case is told by its number and the seed alone, so that any one of them can be repeated by itself. After each
piece what was found so far is saved, and a run that was killed goes on behind the last piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MAX_FAILURES = 20  # kept in full; all of them are counted
SEED = 1


@dataclass(frozen=True)
class Setting:
    """How a trial is run."""

    quick: bool = False
    seed: int = SEED
    folder: Path = Path("outputs/reliability")  # a trial may write to `folder / <its name>`
    recorded: Path | None = None  # recorded answers of tau-bench's shop, where there are any


@dataclass(frozen=True)
class Failure:
    """A case that broke a promise: which, how, and the input made as small as it gets."""

    case: int
    what: str
    input: str = ""


@dataclass
class Found:
    """What some cases brought; pieces are put together with `merge`."""

    failed: int = 0
    failures: list[Failure] = field(default_factory=list)  # the first of them
    counts: Counter[str] = field(default_factory=Counter)  # summed: "verdict: ok"
    largest: dict[str, tuple[float, int]] = field(default_factory=dict)  # label with its unit: (value, case)
    rows: list[dict[str, str | int | float]] = field(default_factory=list)  # a table, one row a case

    def fail(self, case: int, what: str, input: str = "") -> None:
        """A case broke a promise."""
        self.failed += 1
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(Failure(case, what, input))

    def note(self, label: str, value: float, case: int) -> None:
        """Keep the largest of a measure, and which case it was."""
        if label not in self.largest or value > self.largest[label][0]:
            self.largest[label] = (value, case)

    def merge(self, other: Found) -> None:
        """Put the next piece behind this one."""
        self.failed += other.failed
        self.failures = [*self.failures, *other.failures][:MAX_FAILURES]
        self.counts += other.counts
        for label, (value, case) in other.largest.items():
            self.note(label, value, case)
        self.rows += other.rows

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "failed": self.failed,
            "failures": [asdict(failure) for failure in self.failures],
            "counts": dict(sorted(self.counts.items())),
            "largest": {label: list(pair) for label, pair in sorted(self.largest.items())},
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Found:
        """What `to_json` wrote."""
        return cls(
            saved["failed"],
            [Failure(**failure) for failure in saved["failures"]],
            Counter(saved["counts"]),
            {label: (value, case) for label, (value, case) in saved["largest"].items()},
            list(saved["rows"]),
        )


@dataclass(frozen=True)
class Trial:
    """A named trial.

    Args:
        name: One word, for `--only` and the result's file.
        title: The heading of its section on the page.
        about: What is tried, and what must hold; Markdown, without numbers that were measured.
        run: Carries out some of the cases.
        cases: How many there are.
        piece: How many are carried out between two saves; some seconds' worth.
        unfit: Why it cannot be run here, or "".
    """

    name: str
    title: str
    about: str
    run: Callable[[range, Setting], Found]
    cases: Callable[[Setting], int]
    piece: int = 1
    unfit: Callable[[Setting], str] = lambda setting: ""


def sized(full: int, quick: int) -> Callable[[Setting], int]:
    """So many cases in the full setting, and so many in the quick one."""
    return lambda setting: quick if setting.quick else full
