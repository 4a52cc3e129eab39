"""Random actions of an agent in the shop: right ids and names, mixed with wrong ones of every kind.

    Agent(shop, rng).action()      # Action("cancel_pending_order", {"order_id": "#W1234567", "reason": "…"})

An agent stays with one customer, so that several writes meet at the same order; now and then it takes
somebody else's order, item or payment method, an id that nobody has, an argument too many or too few, or a
value of another type.
"""

from __future__ import annotations

import functools
from functools import cached_property
from random import Random
from typing import Any

from envs.retail.database import Record, Shop
from envs.retail.tasks import RESPOND, Action
from envs.retail.tools import TOOLS, WRITE
from reliability import hostile

WRITES = tuple(name for name, tool in TOOLS.items() if tool.kind == WRITE)
_FITTING = {status: [name for name in WRITES if status in name] for status in ("pending", "delivered")}
_NAMES = (*WRITES * 3, *(name for name in TOOLS if name != "transfer_to_human_agents"))
_SPOKEN = (
    "May I have your name and zip code?",
    "I will cancel order #W1234567 because it is no longer needed. Do you agree?",
    "It has been done. Is there anything else?",
    "Which order is it, and which items would you like instead?",
    "I am afraid that is not possible.",
    "###STOP###",
    "",
)
_ODD_NAMES = ("", "Think", "respond ", "__init__", "get_order\ud800", None, 7, ["think"], "x" * 10_000)
_ODD_VALUES = (None, True, 0, -1, 1.5, 10**30, "", "x" * 10_000, [], {}, [[]], {"a": None}, "\ud800", [None])
_DEEP: Any = functools.reduce(lambda inner, _: [inner], range(5_000), "x")


class World:
    """A shop and what is chosen from."""

    def __init__(self, shop: Shop):
        self.shop = shop
        self.users = tuple(user for user, record in shop.users.items() if record["orders"])
        self.orders, self.products = tuple(shop.orders), tuple(shop.products)

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Every customer's payment methods."""
        return tuple(method for user in self.shop.users.values() for method in user["payment_methods"])


class Agent:
    """Acts for one customer, badly."""

    def __init__(self, world: World, rng: Random):
        self.world, self.shop, self.rng = world, world.shop, rng
        self.user_id = rng.choice(world.users)
        self.user = self.shop.users[self.user_id]

    def action(self) -> Action:
        """The next step."""
        draw = self.rng.random()
        if draw < 0.03:
            return Action(RESPOND, {"content": self._words()})
        if draw < 0.04:
            return Action("transfer_to_human_agents", {"summary": self._words()})
        if draw < 0.06:
            return Action(self.rng.choice(_ODD_NAMES), self._odd_value())
        order = self._order()
        fitting = _FITTING.get(order["status"], _NAMES)
        name = self.rng.choice(fitting if self.rng.random() < 0.6 else _NAMES)
        arguments = self._arguments(name, order)
        return Action(name, self._spoilt(arguments) if self.rng.random() < 0.12 else arguments)

    def _arguments(self, name: str, order: Record) -> dict[str, Any]:
        """Arguments that fit the tool, and mostly the order."""
        old, new = self._swap(order)
        values: dict[str, Any] = {
            "order_id": order["order_id"],
            "user_id": self.user_id,
            "product_id": order["items"][0]["product_id"],
            "email": self.user["email"],
            **self.user["name"],
            **self._address(),
            "reason": self.rng.choice(
                ("no longer needed", "ordered by mistake", "ordered by mistake", "too late")
            ),
            "item_ids": old,
            "new_item_ids": new,
            "payment_method_id": self._method(),
            "expression": self.rng.choice(("1 + 2", "9**9**9", "12.5 * 3", "1/0", "(")),
            "thought": "hm",
            "summary": "too hard",
        }
        return {parameter: values[parameter] for parameter in TOOLS[name].kinds}

    def _order(self) -> Record:
        own = self.rng.random() < 0.9
        return self.shop.orders[self.rng.choice(self.user["orders"] if own else self.world.orders)]

    def _method(self) -> str:
        own = self.rng.random() < 0.9
        return self.rng.choice(list(self.user["payment_methods"]) if own else self.world.methods)

    def _address(self) -> dict[str, str]:
        other = self.shop.users[self.rng.choice(self.world.users)]["address"]
        return self.rng.choice((other, other, self.user["address"], {**other, "address1": self._words()}))

    def _swap(self, order: Record) -> tuple[list[str], list[str]]:
        """Items of the order and what to get for them: mostly of the same product, sometimes a chain."""
        rng, items = self.rng, order["items"]
        chosen = rng.sample(items, rng.randrange(1, len(items) + 1)) if rng.random() < 0.95 else []
        old, new = [item["item_id"] for item in chosen], []
        for item in chosen:
            product = item["product_id"] if rng.random() < 0.95 else rng.choice(self.world.products)
            variants = self.shop.products[product]["variants"].values()
            in_stock = [variant["item_id"] for variant in variants if variant["available"]]
            new.append(
                rng.choice(in_stock if rng.random() < 0.95 else [variant["item_id"] for variant in variants])
            )
        if old and rng.random() < 0.1:  # a chain: what is got for one item is given away for the next
            old, new = [*old, new[-1]], [*new, rng.choice(new)]
        if old and rng.random() < 0.05:
            old, new = old + old[:1], new + new[:1]
        return old, new

    def _words(self) -> str:
        return self.rng.choice(_SPOKEN) if self.rng.random() < 0.5 else hostile.words(self.rng)

    def _odd_value(self) -> Any:
        draw = self.rng.random()
        if draw < 0.4:
            return self.rng.choice(_ODD_VALUES)
        if draw < 0.7:
            return hostile.value(self.rng)
        return hostile.noise(self.rng, 30) if draw < 0.97 else _DEEP

    def _spoilt(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The same arguments with one of them wrong in some way."""
        if not arguments:
            return {"surplus": self._odd_value()}
        name, kind = self.rng.choice(list(arguments)), self.rng.randrange(6)
        value = arguments[name]
        if kind == 0:
            return {key: inner for key, inner in arguments.items() if key != name}
        if kind == 1:
            return {
                **arguments,
                self.rng.choice(("surplus", "database", "self", "", "\ud800")): self._odd_value(),
            }
        if kind == 2:
            return {**arguments, name: self._odd_value()}
        if kind == 3:
            return {**arguments, name: value[:-1]}
        if kind == 4:
            return {**arguments, name: value * 2}
        return {**arguments, name: value.upper() + " " if isinstance(value, str) else "".join(value)}
