"""The kinds of defects a task file can have, and the doctor's report on one.

    report = doctor(Shop.load(), tasks)          # envs.retail.validate
    report.clean, report.ids["gold write fails"], print(report.table())

An *error* makes the task unfit to train or test on; a *warning* may be meant, so a person should look; a
*note* is only worth knowing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

ERROR, WARNING, NOTE = "error", "warning", "note"


class Kind(NamedTuple):
    """A kind of defect: how bad it is, and what it means in a sentence."""

    severity: str
    meaning: str


# In the order of a table: the worst first.
KINDS: dict[str, Kind] = {
    "unreadable row": Kind(ERROR, "the line is not a task"),
    "unknown tool": Kind(ERROR, "a gold action names a tool the shop does not have"),
    "wrong arguments": Kind(ERROR, "the arguments of a gold action do not fit the tool's schema"),
    "gold write fails": Kind(ERROR, "a gold write returns an error, so the expected end lacks it"),
    "doing nothing solves it": Kind(
        ERROR, "gold changes nothing, nothing must be told, and it is no refusal"
    ),
    "wrong gold_final": Kind(ERROR, "gold_final is not where the gold actions lead"),
    "same-item swap": Kind(ERROR, "an item is exchanged for itself"),
    "incomplete address": Kind(ERROR, "an address lacks a part"),
    "unknown customer": Kind(ERROR, "the customer is not in the shop"),
    "customer and gold disagree": Kind(ERROR, "a gold write touches somebody else's record"),
    "query and gold disagree": Kind(
        ERROR, "the query names orders, gold writes to others and uses none of them"
    ),
    "identity unreachable": Kind(ERROR, "neither query nor facts hold the e-mail address, or name and zip"),
    "unreachable argument": Kind(ERROR, "an argument was not told, and no look-up could show it"),
    "impossible output": Kind(ERROR, "no message can hold the required output"),
    "duplicate": Kind(ERROR, "an earlier task has the same query and gold"),
    "duplicate id": Kind(ERROR, "an earlier task has the same id"),
    "leaked customer": Kind(ERROR, "the customer also appears in a split that is held out"),
    "leaked order": Kind(ERROR, "gold touches an order that a split held out touches too"),
    "customer seen in training": Kind(WARNING, "held out, but the customer appears in a split to train on"),
    "order seen in training": Kind(WARNING, "held out, but a split to train on touches the order"),
    "gold read fails": Kind(
        WARNING, "a gold look-up returns an error; harmless for the end, bad as an example"
    ),
    "argument to be inferred": Kind(WARNING, "a reason, state or country that was not told in these words"),
    "look-ups missing": Kind(WARNING, "an argument was not told, and gold does not look it up first"),
    "write without effect": Kind(WARNING, "the end is the same without this gold write"),
    "unused id in query": Kind(WARNING, "the query names an id that gold never uses"),
    "unknown id in query": Kind(WARNING, "the query names an id that is not in the shop"),
    "no customer": Kind(WARNING, "the task does not say who the customer is, nor does gold"),
    "weak output": Kind(WARNING, "the required output is easily said by chance (it is found as a substring)"),
    "same query, other gold": Kind(WARNING, "an earlier task asks the same and wants something else"),
    "same gold writes": Kind(WARNING, "an earlier task wants the same writes"),
    "order of writes matters": Kind(NOTE, "another order of the gold writes leads elsewhere"),
}


DETAILS = 100_000  # more are counted and their ids kept, but not what exactly was found


@dataclass(frozen=True)
class Defect:
    """One thing found in one task."""

    task: str  # its id
    name: str
    detail: str


@dataclass(frozen=True)
class Report:
    """What the doctor found in a file."""

    tasks: int
    defects: tuple[Defect, ...]  # the first DETAILS of them
    ids: dict[str, list[str]]  # of each kind that was found: the ids of the tasks, each once
    errors: dict[int, tuple[str, ...]] = field(repr=False)  # position of a task -> names of its errors
    leaks: dict[int, list[str]] = field(repr=False)  # position -> leaks to a split held out, in full

    @property
    def clean(self) -> bool:
        """Whether there is no error; warnings and notes may be."""
        return not any(KINDS[name].severity == ERROR for name in self.ids)

    def table(self, shown: int = 10) -> str:
        """Counts by kind, the worst first, with the ids of the first `shown` tasks (0: all)."""
        lines = [f"{self.tasks:,} tasks, {len(self.errors):,} with errors"]
        if self.ids:
            lines += ["", f"{'severity':8}  {'tasks':>7}  defect"]
        for name in (name for name in KINDS if name in self.ids):
            ids = self.ids[name]
            more = f" ... and {len(ids) - shown:,} more" if shown and len(ids) > shown else ""
            lines.append(f"{KINDS[name].severity:8}  {len(ids):7,}  {name}: {KINDS[name].meaning}")
            lines.append(" " * 19 + " ".join(ids[: shown or None]) + more)
        return "\n".join(lines)

    def examples(self, each: int = 2) -> Iterator[Defect]:
        """The first few defects of each kind but notes, the worst kinds first."""
        for name in (name for name in KINDS if name in self.ids and KINDS[name].severity != NOTE):
            yield from [defect for defect in self.defects if defect.name == name][:each]
