"""Whether an agent can know what the gold actions say: each argument must have been told or looked up before.

    unreachable_arguments(shop, task)   # [], or "2 cancel_pending_order.order_id '#W1' appears nowhere", ...

What counts as told: the query, what the customer can tell (`facts`), the answers of the calls made so far.
Free text (a hand-over's summary, a thought) needs no source; a reason may be told in other words.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from envs.retail.database import Shop
from envs.retail.tasks import Action, Task
from envs.retail.tools import call

FREE_TEXT = frozenset({("transfer_to_human_agents", "summary"), ("think", "thought")})
REASONS = {  # in a customer's words
    "no longer needed": re.compile(
        r"no longer (?:need|want|require)|(?:don't|do not|doesn't|won't) (?:really )?(?:need|want)"
        r"|changed my mind|not needed|without (?:it|them)|any ?more",
        re.IGNORECASE,
    ),
    "ordered by mistake": re.compile(
        r"mistake|accident|didn't mean|did not mean|wrong button", re.IGNORECASE
    ),
}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def unreachable_arguments(shop: Shop, task: Task) -> list[str]:
    """The argument values of the gold actions that nobody told and no earlier call showed."""
    database, unknown = shop.open(), []
    known = [task.query, json.dumps(task.facts, ensure_ascii=False)]
    for place, action in enumerate(task.gold_actions):
        for name, value in _untold(action, known, FREE_TEXT):
            unknown.append(f"{place} {action.name}.{name} {value!r} appears nowhere")
        known.append(call(database, action.name, action.arguments))
    return unknown


def unreachable_values(action: Action, known: list[str], free_text: Collection[tuple[str, str]]) -> list[str]:
    """The parameters of one call whose values stand in none of these texts, in order."""
    return [name for name, _ in _untold(action, known, free_text)]


def _untold(
    action: Action, known: list[str], free_text: Collection[tuple[str, str]]
) -> Iterator[tuple[str, Any]]:
    for name, value in _values(action.arguments):
        if (action.name, name) not in free_text and not _told(action.name, name, value, known):
            yield name, value


def _values(arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each argument, and each element of those that are lists."""
    for name, value in arguments.items():
        if isinstance(value, list):
            yield from ((name, element) for element in value)
        else:
            yield name, value


def _told(tool: str, name: str, value: Any, known: list[str]) -> bool:
    if not isinstance(value, str):
        return False
    if tool == "calculate":
        return _numbers_told(value, known)
    if name == "reason" and value in REASONS and any(REASONS[value].search(text) for text in known):
        return True
    return not value or any(appears(value, text) for text in known)


def appears(value: str, text: str) -> bool:
    """Whether a value stands in a text as a whole: '10' does not stand in '#W1023'."""
    at = text.find(value)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(value) : at + len(value) + 1]
        if not (before.isalnum() and value[0].isalnum()) and not (after.isalnum() and value[-1].isalnum()):
            return True
        at = text.find(value, at + 1)
    return False


def _numbers_told(expression: str, known: list[str]) -> bool:
    """Whether each number of a calculation was told or shown; small whole numbers can be counted."""
    for number in _NUMBER.findall(expression):
        if "." not in number and float(number) <= 10:  # int() refuses thousands of digits
            continue
        whole = number.removesuffix(".0")
        if not any(appears(number, text) or appears(whole, text) for text in known):
            return False
    return True
