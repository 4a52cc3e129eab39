"""Tasks examined one by one and against each other: duplicates, and customers or orders that splits share.

    examination = Examination(shop)
    for task in tasks: examination.visit(task)
    report = examination.report()

Of each task only its id, a few hashes and the places of its customer and orders stay in memory.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from envs.retail.database import Shop, canonical
from envs.retail.doctor.case import Case
from envs.retail.doctor.checks import Found, examine
from envs.retail.doctor.defects import DETAILS, ERROR, KINDS, Defect, Report
from envs.retail.sources.rows import Reject
from envs.retail.tasks import Action, Task

Places = defaultdict[str, defaultdict[str, list[int]]]  # which customer or order -> split -> positions


class Examination:
    """A way through the tasks of one or more files, one after the other."""

    def __init__(self, shop: Shop):
        self.shop = shop
        self.ids: list[str] = []  # by position
        self.unread: list[str] = []
        self.defects: list[Defect] = []
        self.found: dict[str, set[int]] = {}  # name of a defect -> positions
        self.leaks: dict[int, list[str]] = {}
        self.first: dict[bytes, int] = {}  # digest of what should not come twice -> where it was first
        self.customers: Places = defaultdict(lambda: defaultdict(list))
        self.orders: Places = defaultdict(lambda: defaultdict(list))

    def unreadable(self, row: Reject) -> None:
        """Count a row that is no task."""
        place = f"{Path(row.file).name}:{row.line}"
        self.unread.append(place)
        if len(self.defects) < DETAILS:
            self.defects.append(Defect(place, "unreadable row", f"{row.kind}: {row.reason}"))

    def visit(self, task: Task) -> None:
        """Examine the next task."""
        position = len(self.ids)
        self.ids.append(task.id)
        case = Case.of(self.shop, task)
        self._note(position, examine(case))
        self._note(position, self._again(case, position))
        if case.owner:
            self.customers[case.owner][task.split].append(position)
        for order_id in dict.fromkeys(map(_order, task.gold_actions)):
            if order_id in self.shop.orders:
                self.orders[order_id][task.split].append(position)

    def repeats(self, case: Case) -> list[str]:
        """Only the errors that come from tasks seen before: duplicates."""
        self.ids.append(case.task.id)
        found = self._again(case, len(self.ids) - 1)
        return [f"{name}: {detail}" for name, detail in found if KINDS[name].severity == ERROR]

    def _note(self, position: int, found: Iterable[tuple[str, str]], leak: bool = False) -> None:
        for name, detail in found:
            self.found.setdefault(name, set()).add(position)
            if len(self.defects) < DETAILS:
                self.defects.append(Defect(self.ids[position], name, detail[:300]))
            if leak and KINDS[name].severity == ERROR:
                self.leaks.setdefault(position, []).append(f"{name}: {detail[:300]}")

    def _again(self, case: Case, position: int) -> Found:
        """What an earlier task had already."""
        task, writes = case.task, [action.to_json() for action in case.writes]
        asked = [case.owner, " ".join(task.query.split()).casefold()]
        if first := self._first_with("id", task.id, position):
            yield "duplicate id", f"{first} was there before"
        if first := self._first_with("task", [asked, [a.to_json() for a in task.gold_actions]], position):
            yield "duplicate", f"the same as {first}"
            return
        if first := self._first_with("query", asked, position):
            yield "same query, other gold", f"the same query as {first}"
        if writes and (first := self._first_with("writes", writes, position)):
            yield "same gold writes", f"the same as {first}"

    def _first_with(self, what: str, value: Any, position: int) -> str:
        """The id of the first task with this value; "" where that is this one."""
        digest = hashlib.blake2b(canonical([what, value]).encode(), digest_size=12).digest()
        first = self.first.setdefault(digest, position)
        return "" if first == position else self.ids[first]

    def report(self) -> Report:
        """Everything found, with the leaks between splits, which show only at the end."""
        for what, places in (("customer", self.customers), ("order", self.orders)):
            for which, splits in places.items():
                if len(splits) > 1:
                    self._leaks(what, which, splits)
        ids = {name: [self.ids[position] for position in sorted(where)] for name, where in self.found.items()}
        errors: dict[int, tuple[str, ...]] = {}
        for name in (name for name in KINDS if name in self.found and KINDS[name].severity == ERROR):
            for position in self.found[name]:
                errors[position] = (*errors.get(position, ()), name)
        ids |= {"unreadable row": self.unread} if self.unread else {}
        return Report(len(self.ids), tuple(self.defects), ids, errors, self.leaks)

    def _leaks(self, what: str, which: str, splits: dict[str, list[int]]) -> None:
        """The looser split has the error: leaving out there keeps the test as it is."""
        for split, positions in splits.items():
            stricter = [other for other in splits if held_out(other) > held_out(split)]
            looser = [other for other in splits if held_out(other) < held_out(split)]
            for others, name in ((stricter, f"leaked {what}"), (looser, f"{what} seen in training")):
                if others:
                    example = self.ids[splits[others[0]][0]]
                    detail = f"{which} is also in {', '.join(others)} (such as {example})"
                    for position in positions:
                        self._note(position, [(name, detail)], leak=True)


def _order(action: Action) -> str:
    order_id = action.arguments.get("order_id")
    return order_id if isinstance(order_id, str) else ""


def held_out(split: str) -> int:
    """How far a split is kept from training: 0 trained on, 1 for choosing (validation, dev), 2 the test."""
    name = split.lower()
    return 2 if "test" in name else int(any(word in name for word in ("val", "dev", "eval")))
