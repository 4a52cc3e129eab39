"""What can be wrong with one task: each check looks at a task whose gold actions have been run.

    case = Case.of(shop, task)
    for name, detail in examine(case): print(name, detail)

The names are explained in `defects.py`; what concerns several tasks (duplicates, leaks) is found by
`examination.py`.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from envs.retail.diff import final_state
from envs.retail.doctor.case import Case, identity_told, owner_of, texts
from envs.retail.reach import unreachable_arguments
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import TOOLS, WRITE, argument_fault

Found = Iterator[tuple[str, str]]  # name of the defect (see defects.KINDS), detail


def examine(case: Case) -> Found:
    """Every defect of one task, as (name, detail)."""
    for check in CHECKS:
        yield from check(case)


# ---- the gold actions ----


def _calls(case: Case) -> Found:
    for place, (action, answer) in enumerate(zip(case.task.gold_actions, case.answers, strict=True)):
        if action.name == RESPOND:
            continue
        if action.name not in TOOLS:
            yield "unknown tool", f"action {place}: {action.name}"
        elif fault := argument_fault(action.name, action.arguments):
            yield "wrong arguments", f"action {place}: {fault}"
        elif answer.startswith("Error"):
            name = "gold write fails" if TOOLS[action.name].kind == WRITE else "gold read fails"
            yield name, f"action {place}: {action.name} answers {answer!r}"


def _nothing(case: Case) -> Found:
    if not case.database.changes() and not case.task.outputs and not case.task.extra.get("refusal"):
        yield "doing nothing solves it", "the gold actions leave the shop as it was, and nothing must be told"


def _final(case: Case) -> Found:
    given, orders, users = case.task.gold_final, case.shop.orders, case.shop.users
    if not isinstance(given, dict) or any(key not in orders and key not in users for key in given):
        return  # another file's own form
    final = final_state(case.shop, case.database)
    if given != final:
        where = sorted(key for key in {*given, *final} if given.get(key) != final.get(key))
        yield "wrong gold_final", f"differs from the end of the gold actions in {', '.join(where)}"


def _swaps(case: Case) -> Found:
    for place, action in enumerate(case.task.gold_actions):
        old, new = action.arguments.get("item_ids"), action.arguments.get("new_item_ids")
        if isinstance(old, list) and isinstance(new, list):
            same = [before for before, after in zip(old, new, strict=False) if before == after]
            if same:
                yield "same-item swap", f"action {place}: {', '.join(map(str, same))}"


MANY_WRITES = 20  # of more, combinations are not tried: a task of a thousand writes must not take a minute


def _useless_writes(case: Case) -> Found:
    if not 2 <= len(case.writes) <= MANY_WRITES:
        return
    end = case.database.changes()
    for place, action in enumerate(case.writes):
        others = case.writes[:place] + case.writes[place + 1 :]
        if action in case.successes and case.end(others) == end:
            yield "write without effect", f"{action.name} {json.dumps(action.arguments)}"


def _order_of_writes(case: Case) -> Found:
    if not 2 <= len(case.writes) <= MANY_WRITES:
        return
    end = case.end(case.writes)
    for other in _reorderings(case.writes):
        if case.end(other) != end:
            yield "order of writes matters", "not in the order " + ", ".join(action.name for action in other)
            return


def _reorderings(writes: tuple[Action, ...]) -> Iterator[tuple[Action, ...]]:
    """Every order of up to four writes; of more, those with two neighbours exchanged."""
    if len(writes) <= 4:
        yield from itertools.islice(itertools.permutations(writes), 1, None)
        return
    for place in range(len(writes) - 1):
        yield (*writes[:place], writes[place + 1], writes[place], *writes[place + 2 :])


# ---- addresses and people ----

_PARTS = ("address1", "city", "state", "country", "zip")  # address2 may be empty


def _addresses(case: Case) -> Found:
    for place, action in enumerate(case.task.gold_actions):
        if "address1" in action.arguments:
            empty = [part for part in _PARTS if not str(action.arguments.get(part) or "").strip()]
            zip_code = str(action.arguments.get("zip"))
            if empty:
                yield "incomplete address", f"action {place}: no {', '.join(empty)}"
            elif not re.fullmatch(r"\d{5}(-\d{4})?", zip_code) and action.arguments["country"] == "USA":
                yield "incomplete address", f"action {place}: {zip_code!r} is no zip code"
    address = case.task.facts.get("address")
    if isinstance(address, str) and not (
        re.search(r"\b\d{5}\b", address) and re.match(r".*\d.*\D{4}", address)
    ):
        yield "incomplete address", f"facts: {address!r:.100} has no zip code or no street"


def _people(case: Case) -> Found:
    if not case.owner:
        yield "no customer", "customer is empty and no gold call names a user or an order"
        return
    user = case.shop.users.get(case.owner)
    if user is None:
        yield "unknown customer", f"{case.owner!r:.60} is not among the users"
        return
    others = {owner_of(case.shop, action) for action in case.writes} - {"", case.owner}
    if others:
        yield (
            "customer and gold disagree",
            f"customer {case.owner}, gold writes for {', '.join(sorted(others))}",
        )
    if not identity_told(case.told, user):
        yield (
            "identity unreachable",
            f"query and facts lack {user['email']}, and name and zip of {case.owner}",
        )


# ---- the query ----

_ORDER = re.compile(r"#?\bW\d{7}\b")
_METHOD = re.compile(r"\b(?:credit_card|gift_card|paypal)_\d+\b")
_USER = re.compile(r"\b[a-z]+_[a-z]+_\d{4}\b")


def _ids(case: Case) -> Found:
    used = set(texts([action.arguments for action in case.task.gold_actions]))
    orders = {"#" + found.lstrip("#") for found in _ORDER.findall(case.task.query)}
    methods = set(_METHOD.findall(case.task.query))
    theirs = set(case.shop.users.get(case.owner, {}).get("payment_methods", ()))
    theirs |= set(case.shop.users.get(case.owner, {}).get("orders", ()))
    if not _refuses(case.task):  # naming what is not one's own may be the point of a refusal
        named = orders | methods | set(_USER.findall(case.task.query))
        for unknown in sorted(named - theirs - {case.owner}):
            yield "unknown id in query", f"{unknown} does not belong to {case.owner or 'anybody known'}"
    for unused in sorted((orders | methods) & theirs - used):
        yield "unused id in query", f"{unused} is in no gold action"
    written = {a.arguments["order_id"] for a in case.writes if isinstance(a.arguments.get("order_id"), str)}
    if orders & theirs and written and not orders & used:
        yield "query and gold disagree", f"the query names {_list(orders)}, gold writes to {_list(written)}"


def _refuses(task: Task) -> bool:
    """Whether the task, or a part of it, is there to be refused."""
    return bool(task.extra.get("refusal") or task.extra.get("refuses_part"))


_INFERRED = ("reason ", "state ", "country ")  # an agent may know these from other words


def _reach(case: Case) -> Found:
    """Arguments nobody told: look-ups could have shown them, or not even those."""
    task = replace(case.task, gold_actions=case.successes)
    missing = unreachable_arguments(case.shop, task)
    if not missing:
        return
    all_seen = replace(task, gold_actions=(*_lookups(case), *case.successes))
    nowhere = {line.partition(" ")[2] for line in unreachable_arguments(case.shop, all_seen)}
    for line in missing:
        place, _, what = line.partition(" ")
        name = "look-ups missing"
        if what in nowhere:
            inferred = what.partition(".")[2].startswith(_INFERRED)
            name = "argument to be inferred" if inferred else "unreachable argument"
        yield name, f"action {place}: {what}"


def _lookups(case: Case) -> Iterator[Action]:
    """Everything an agent could look up about the customer."""
    if case.owner not in case.shop.users:
        return
    yield Action("get_user_details", {"user_id": case.owner})
    yield Action("list_all_product_types")
    orders = case.shop.users[case.owner]["orders"]
    yield from (Action("get_order_details", {"order_id": order_id}) for order_id in orders)
    items = (item for order_id in orders for item in case.shop.orders[order_id]["items"])
    for product_id in dict.fromkeys(item["product_id"] for item in items):
        yield Action("get_product_details", {"product_id": product_id})


# ---- the outputs ----


def _outputs(case: Case) -> Found:
    for output in case.task.outputs:
        if not output.strip():
            yield "impossible output", "an output is empty"
        elif "," in output:
            yield (
                "impossible output",
                f"{output!r:.80}: commas are taken out of what the agent says, not out of this",
            )
        elif reason := weakness(output, case.task.query):
            yield "weak output", f"{output!r:.80} {reason}"


def weakness(output: str, query: str = "") -> str:
    """Why a required output may be met, or missed, by chance; "" where it is fine."""
    if output.lower() in query.lower().replace(",", ""):
        return "stands in the query: repeating the customer's words is enough"
    if re.fullmatch(r"\d{1,3}", output):
        return "is a short number: it also stands inside longer ones"
    if re.fullmatch(r"\d+\.\d*0", output):
        return f"ends in 0, while calculate prints {float(output)}"
    if re.fullmatch(r"[A-Za-z]+", output):
        return "is a single word: it may be said in passing, or stand inside another word"
    if re.fullmatch(r"\d+ ?[A-Za-z]{1,3}", output):
        return "is a number with a unit, which may be written in other ways"
    return ""


def _list(ids: set[str]) -> str:
    return ", ".join(sorted(ids))


CHECKS: tuple[Callable[[Case], Found], ...] = (
    _calls,
    _nothing,
    _final,
    _swaps,
    _useless_writes,
    _order_of_writes,
    _addresses,
    _people,
    _ids,
    _reach,
    _outputs,
)
