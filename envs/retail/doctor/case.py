"""A task whose gold actions have been run: what the doctor's checks and repairs look at.

case = Case.of(shop, task)
case.answers, case.writes, case.told, case.owner
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from envs.retail.database import Changes, Database, Shop
from envs.retail.reach import appears
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import TOOLS, WRITE, call


@dataclass(frozen=True)
class Case:
    """A task whose gold actions have been run on fresh data."""

    shop: Shop
    task: Task
    answers: tuple[str, ...]  # of each gold action; "" for words to the customer
    database: Database

    @classmethod
    def of(cls, shop: Shop, task: Task) -> "Case":
        """Run the gold actions of a task."""
        database = shop.open()
        answers = tuple(
            "" if action.name == RESPOND else call(database, action.name, action.arguments)
            for action in task.gold_actions
        )
        return cls(shop, task, answers, database)

    @cached_property
    def writes(self) -> tuple[Action, ...]:
        """The gold actions that are to change something."""
        return tuple(a for a in self.task.gold_actions if a.name in TOOLS and TOOLS[a.name].kind == WRITE)

    @cached_property
    def successes(self) -> tuple[Action, ...]:
        """The tool calls among the gold actions that were not answered with an error."""
        pairs = zip(self.task.gold_actions, self.answers, strict=True)
        return tuple(a for a, answer in pairs if a.name in TOOLS and not answer.startswith("Error"))

    @cached_property
    def told(self) -> str:
        """All that the customer says or can tell."""
        return "\n".join([self.task.query, *texts(self.task.facts)])

    @cached_property
    def owner(self) -> str:
        """The customer; where the task does not say, whoever the gold calls are about."""
        if self.task.customer:
            return self.task.customer
        return next(filter(None, (owner_of(self.shop, action) for action in self.task.gold_actions)), "")

    def end(self, writes: tuple[Action, ...]) -> Changes:
        """Where other writes would lead."""
        database = self.shop.open()
        for action in writes:
            call(database, action.name, action.arguments)
        return database.changes()


def owner_of(shop: Shop, action: Action) -> str:
    """Whose record an action is about, as far as its ids tell."""
    order, user = action.arguments.get("order_id"), action.arguments.get("user_id")
    if isinstance(order, str) and order in shop.orders:
        return shop.orders[order]["user_id"]
    return user if isinstance(user, str) and user in shop.users else ""


def texts(value: Any) -> Iterator[str]:
    """Every text in facts, however nested."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for element in value:
            yield from texts(element)
    elif value is not None:
        yield str(value)


def identity_told(told: str, user: dict[str, Any]) -> bool:
    """Whether a text holds the e-mail address, or both names and the zip code."""
    low = told.lower()
    if user["email"].lower() in low:
        return True
    names = (user["name"]["first_name"].lower(), user["name"]["last_name"].lower())
    return all(appears(name, low) for name in names) and appears(user["address"]["zip"], told)
