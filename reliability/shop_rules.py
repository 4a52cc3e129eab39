"""The shop's rules, told anew and apart from the tools: what a write may change, what must come out even.

    problem = Witness(database).problem(action, answer, failed)     # "" where the rules hold

* a call that failed, and one that only looks, changes nothing;
* a write changes the order it names and its owner's gift cards, or the address of the user it names;
* what was done is what the arguments ask for;
* an order's status is a legal one and follows from the one before by this very tool;
* references: items are variants of their product at its price, payment methods are the owner's;
* money: what is booked on an order to a gift card is what moves its balance, which is never negative; an
  order's payments less its refunds are what its items cost, or nothing once it is cancelled.
"""

from __future__ import annotations

import json
from collections import Counter
from math import isclose, isfinite
from typing import Any

from envs.retail.database import Database, Record, Shop
from envs.retail.tasks import Action
from envs.retail.tools import TOOLS, WRITE

CENT = 0.0051  # a balance is rounded to cents each time something is booked
LEGAL = {  # tool -> (status it needs, status it leaves, fields it may change or add)
    "cancel_pending_order": ("pending", "cancelled", {"payment_history", "cancel_reason"}),
    "modify_pending_order_address": ("pending", "pending", {"address"}),
    "modify_pending_order_payment": ("pending", "pending", {"payment_history"}),
    "modify_pending_order_items": ("pending", "pending (item modified)", {"items", "payment_history"}),
    "return_delivered_order_items": (
        "delivered",
        "return requested",
        {"return_items", "return_payment_method_id"},
    ),
    "exchange_delivered_order_items": (
        "delivered",
        "exchange requested",
        {"exchange_items", "exchange_new_items", "exchange_payment_method_id", "exchange_price_difference"},
    ),
}
Problem = str


class Witness:
    """Remembers an episode's records before a call, to compare with after it."""

    def __init__(self, database: Database):
        self.database = database
        self.orders, self.users = dict(database.orders.changed), dict(database.users.changed)
        self.money_made = (
            0  # cancellations after a change of payment, which tau-bench's rule pays back too much
        )

    def problem(self, action: Action, answer: str, failed: bool) -> Problem:
        """Which rule a call broke, "" where none; the records of now become those before the next call."""
        orders, users = _touched(self.database.orders, self.orders), _touched(self.database.users, self.users)
        writes = not failed and action.name in TOOLS and TOOLS[action.name].kind == WRITE
        if not writes:
            return (
                f"{len(orders) + len(users)} records changed by what is no write" if orders or users else ""
            )
        problem = self._of_write(action, answer, orders, users)
        self.orders, self.users = dict(self.database.orders.changed), dict(self.database.users.changed)
        return problem

    def _of_write(self, action: Action, answer: str, orders: set[str], users: set[str]) -> Problem:
        shop, arguments = self.database.shop, action.arguments
        if action.name == "modify_user_address":
            user_id = arguments["user_id"]
            if orders or users - {user_id}:
                return f"other records changed: {orders} {users - {user_id}}"
            before, after = self._user(user_id), self.database.users[user_id]
            return _only({"address"}, before, after) or _said(answer, after)
        order_id = arguments["order_id"]
        before = self.orders.get(order_id, shop.orders[order_id])
        after, owner = self.database.orders[order_id], before["user_id"]
        if orders - {order_id} or users - {owner}:
            return f"other records changed: {orders - {order_id}} {users - {owner}}"
        if action.name == "cancel_pending_order" and len(before["payment_history"]) > 1:
            self.money_made += 1
        return (
            _said(answer, after)
            or order_problem(action.name, before, after, shop)
            or money_problem(before, after, self._user(owner), self.database.users[owner])
            or asked_problem(arguments, before, after)
            or request_problem(after, self.database.users[owner], shop)
        )

    def _user(self, user_id: str) -> Record:
        return self.users.get(user_id, self.database.shop.users[user_id])


def _touched(table: Any, before: dict[str, Record]) -> set[str]:
    return {key for key, record in table.changed.items() if record is not before.get(key)}


def _said(answer: str, record: Record) -> Problem:
    return "" if answer == json.dumps(record) else "the answer is not the record"


def _only(allowed: set[str], before: Record, after: Record) -> Problem:
    """Nothing but the allowed fields differs, and no field is gone."""
    wrong = {
        field for field in before.keys() | after.keys() if before.get(field) != after.get(field)
    } - allowed
    return f"fields changed that may not: {sorted(wrong)}" if wrong else ""


def asked_problem(arguments: dict[str, Any], before: Record, after: Record) -> Problem:
    """What was done is what the arguments ask for: the items, the payment method, the reason, the address."""
    booked = after["payment_history"][len(before["payment_history"]) :]
    old, new = list(arguments.get("item_ids", ())), list(arguments.get("new_item_ids", ()))
    items, had = (Counter(item["item_id"] for item in order["items"]) for order in (after, before))
    done: dict[str, tuple[Any, Any]] = {
        "cancelled": (after.get("cancel_reason"), arguments.get("reason")),
        "pending (item modified)": (items, had - Counter(old) + Counter(new)),
        "return requested": (after.get("return_items"), sorted(old)),
        "exchange requested": (
            (after.get("exchange_items"), after.get("exchange_new_items")),
            (sorted(old), sorted(new)),
        ),
        "pending": (after["address"], {**before["address"], **_only_address(arguments)}),
    }
    found, asked = done[after["status"]]
    if found != asked:
        return f"asked for {asked}, done {found}"
    methods = {booked[0]["payment_method_id"]} if booked and "payment_method_id" in arguments else set()
    methods |= {after[key] for key in after if key.endswith("_payment_method_id") and key not in before}
    return "" if methods <= {arguments.get("payment_method_id")} else f"paid with {methods}"


def _only_address(arguments: dict[str, Any]) -> dict[str, Any]:
    fields = ("address1", "address2", "city", "state", "country", "zip")
    return {field: arguments[field] for field in fields if field in arguments}


def order_problem(tool: str, before: Record, after: Record, shop: Shop) -> Problem:
    """Status, fields and items after a write."""
    needed, left, fields = LEGAL[tool]
    if (before["status"], after["status"]) != (needed, left):
        return f"{tool} took an order from {before['status']!r} to {after['status']!r}"
    if problem := _only({*fields, "status"}, before, after):
        return problem
    was, now = ([(item["name"], item["product_id"]) for item in order["items"]] for order in (before, after))
    if was != now or not now:
        return "products of an order changed"
    for item in after["items"]:
        variant = shop.products[item["product_id"]]["variants"].get(item["item_id"])
        if variant is None or (variant["price"], variant["options"]) != (item["price"], item["options"]):
            return f"item {item['item_id']} is not as in the catalogue"
    return ""


def money_problem(before: Record, after: Record, owner: Record, owner_after: Record) -> Problem:
    """Bookings against balances, and against what the items cost."""
    old, new = before["payment_history"], after["payment_history"]
    if new[: len(old)] != old:
        return "what was booked before has changed"
    moved = _balance_problem(new[len(old) :], owner, owner_after)
    if moved or not after["status"].startswith(("pending", "cancelled")):
        return moved
    due = 0.0 if after["status"] == "cancelled" else sum(item["price"] for item in after["items"])
    if after["status"] == "cancelled" and len(old) > 1:  # each entry is paid back once more, refunds too
        due = _paid(old) - sum(entry["amount"] for entry in old)
    return "" if isclose(_paid(new), due, abs_tol=CENT) else f"{_paid(new)} paid for what costs {due}"


def _paid(history: list[Record]) -> float:
    return sum(entry["amount"] * (1 if entry["transaction_type"] == "payment" else -1) for entry in history)


def _balance_problem(booked: list[Record], owner: Record, owner_after: Record) -> Problem:
    """Each gift card moved by what was booked to it; all else about the owner is as it was."""
    methods, after = owner["payment_methods"], owner_after["payment_methods"]
    if problem := _only({"payment_methods"}, owner, owner_after):
        return problem
    for entry in booked:
        if entry["payment_method_id"] not in methods or not (
            isfinite(entry["amount"]) and entry["amount"] >= 0
        ):
            return f"booked what cannot be: {entry}"
    for key in methods.keys() | after.keys():
        entries = [entry for entry in booked if entry["payment_method_id"] == key]
        if problem := _only({"balance"}, methods.get(key, {}), after.get(key, {})):
            return problem
        balance, now = methods[key].get("balance", 0), after[key].get("balance", 0)
        due = balance - _paid(entries) if "balance" in methods[key] else 0
        if not isclose(now, due, abs_tol=CENT * (1 + len(entries))) or now < 0:
            return f"balance of {key} is {now}, not {due}"
    return ""


def request_problem(order: Record, owner: Record, shop: Shop) -> Problem:
    """A request speaks of the order's items, of variants in stock, and of the owner's payment methods."""
    ordered = Counter(item["item_id"] for item in order["items"])
    if order["status"] == "return requested":
        method, first = order["return_payment_method_id"], order["payment_history"][0]["payment_method_id"]
        if method not in owner["payment_methods"] or not (method == first or method.startswith("gift_card")):
            return f"refund to {method}"
        return "" if Counter(order["return_items"]) <= ordered else "items returned that were not ordered"
    if order["status"] != "exchange requested":
        return ""
    old, new = order["exchange_items"], order["exchange_new_items"]
    products = [shop.products[item["product_id"]]["variants"] for item in order["items"]]
    variants = {key: variant for product in products for key, variant in product.items()}
    if (
        not Counter(old) <= ordered
        or len(old) != len(new)
        or not all(variants.get(key, {}).get("available") for key in new)
    ):
        return "an exchange of items that cannot be"
    difference = sum(variants[key]["price"] for key in new) - sum(variants[key]["price"] for key in old)
    if not isclose(order["exchange_price_difference"], difference, abs_tol=CENT):
        return f"difference of {order['exchange_price_difference']}, not {difference}"
    method = owner["payment_methods"].get(order["exchange_payment_method_id"])
    return "" if method and method.get("balance", difference) >= difference - CENT else "nobody can pay that"
