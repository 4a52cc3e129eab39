"""What the task generator must know about a shop before it writes the first task: who could ask for what.

Built once per shop and split, so that making a task is choosing from lists instead of trying and rejecting.

    index = ShopIndex(shop, split="train")
    index.orders_for["exchange"]     # orders of train customers with something that can be exchanged
    index.swaps["1502972907"]        # available variants this item could be swapped for
"""

import hashlib
from collections import Counter
from functools import cached_property, lru_cache

from envs.retail.database import Record, Shop
from envs.retail.generation.abilities import abilities_of
from envs.retail.generation.phrases import tellable

SPLITS = ("train", "validation", "test")


@lru_cache(maxsize=100_000)
def split_of(user_id: str) -> str:
    """The split a customer belongs to: 80 of 100 are for training, 10 for validation, 10 for the test."""
    place = int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:4], "big") % 100
    return "train" if place < 80 else "validation" if place < 90 else "test"


class ShopIndex:
    """A shop's customers, orders and items by what can be asked about them."""

    def __init__(self, shop: Shop, split: str | None = None):
        if split not in (None, *SPLITS):
            raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}, or None for all")
        self.shop = shop
        self.user_ids = [user_id for user_id in shop.users if split is None or split_of(user_id) == split]
        order_ids = [order_id for user_id in self.user_ids for order_id in shop.users[user_id]["orders"]]
        if not order_ids:
            raise ValueError(f"the shop has no orders of customers in split {split!r}")
        self.order_ids = order_ids
        self.abilities = {order_id: abilities_of(self, shop.orders[order_id]) for order_id in order_ids}
        families = sorted(set().union(*self.abilities.values()))
        self.orders_for = {
            family: [order_id for order_id in order_ids if family in self.abilities[order_id]]
            for family in families
        }

    # ---- items and variants ----

    @cached_property
    def swaps(self) -> dict[str, tuple[Record, ...]]:
        """The available variants of the same product, with the same kinds of options, for each item id."""
        return self._other_variants(available=True)

    @cached_property
    def sold_out(self) -> dict[str, tuple[Record, ...]]:
        """The variants that an item could be swapped for if only they were available, for each item id."""
        return self._other_variants(available=False)

    def _other_variants(self, available: bool) -> dict[str, tuple[Record, ...]]:
        found = {}
        for product in self.shop.products.values():
            variants = [v for v in product["variants"].values() if v["options"]]
            others = [v for v in variants if v["available"] == available]
            for variant in variants:
                kinds = variant["options"].keys()
                found[variant["item_id"]] = tuple(
                    other for other in others if other is not variant and other["options"].keys() == kinds
                )
        return found

    @cached_property
    def extremes(self) -> dict[str, tuple[Record, Record]]:
        """The cheapest and the dearest available variant by product id, where each is alone at its price."""
        found = {}
        for product_id, product in self.shop.products.items():
            offered = sorted(
                (v for v in product["variants"].values() if v["available"]), key=lambda v: v["price"]
            )
            prices = Counter(v["price"] for v in offered)
            if len(offered) > 2 and prices[offered[0]["price"]] == prices[offered[-1]["price"]] == 1:
                found[product_id] = (offered[0], offered[-1])
        return found

    @cached_property
    def products_with_extremes(self) -> list[str]:
        """The products whose lowest and highest price can be told in one way only."""
        return [p for p, both in self.extremes.items() if all(tellable(variant["price"]) for variant in both)]

    @cached_property
    def priced_variants(self) -> list[tuple[Record, Record]]:
        """Products with each of their available variants whose price can be told in one way only."""
        return [
            (product, variant)
            for product in self.shop.products.values()
            for variant in product["variants"].values()
            if variant["available"] and variant["options"] and tellable(variant["price"])
        ]

    # ---- orders ----

    def owner(self, order: Record) -> Record:
        """The customer who placed an order."""
        return self.shop.users[order["user_id"]]

    def single_items(self, order: Record) -> list[Record]:
        """The items whose product occurs once in the order, so that its name says which is meant."""
        names = Counter(item["name"] for item in order["items"])
        return [item for item in order["items"] if names[item["name"]] == 1]

    def swappable(self, order: Record) -> list[Record]:
        """The nameable items for which another variant is available."""
        return [item for item in self.single_items(order) if self.swaps.get(item["item_id"])]

    def choosy(self, order: Record) -> list[Record]:
        """The items that can be swapped, and of which other variants are sold out."""
        return [item for item in self.swappable(order) if self.sold_out[item["item_id"]]]

    def dearer(self, order: Record) -> list[tuple[Record, Record]]:
        """The items with each available variant that costs more."""
        return [
            (item, variant)
            for item in self.swappable(order)
            for variant in self.swaps[item["item_id"]]
            if variant["price"] > item["price"] + 1
        ]

    def telling_items(self, order: Record) -> list[Record]:
        """The items whose product is in none of the customer's other orders: they say which is meant."""
        return [item for item in self.single_items(order) if self._names[order["user_id"]][item["name"]] == 1]

    @cached_property
    def _names(self) -> dict[str, Counter]:
        return {
            user_id: Counter(
                item["name"]
                for order_id in self.shop.users[user_id]["orders"]
                for item in self.shop.orders[order_id]["items"]
            )
            for user_id in self.user_ids
        }

    def orders_of(self, user_id: str, status: str | None = None) -> list[Record]:
        """A customer's orders, of one status or all."""
        orders = [self.shop.orders[order_id] for order_id in self.shop.users[user_id]["orders"]]
        return [order for order in orders if status in (None, order["status"])]

    # ---- money ----

    def payers(self, order: Record, amount: float) -> list[str]:
        """The customer's methods that can pay this much (a gift card must cover it; a refund always fits)."""
        return [
            method_id
            for method_id, method in self.owner(order)["payment_methods"].items()
            if method["source"] != "gift_card" or method["balance"] >= amount
        ]

    def other_payers(self, order: Record) -> list[str]:
        """The methods a pending order could be paid with instead."""
        payment = order["payment_history"][0]
        return [m for m in self.payers(order, payment["amount"]) if m != payment["payment_method_id"]]

    def refund_methods(self, order: Record) -> list[str]:
        """Where the money for a return may go: the original method first, then other gift cards."""
        original = order["payment_history"][0]["payment_method_id"]
        methods = self.owner(order)["payment_methods"]
        cards = [m for m, method in methods.items() if method["source"] == "gift_card" and m != original]
        return ([original] if original in methods else []) + cards

    def gift_card_choice(self, order: Record) -> tuple[str, list[str]] | None:
        """The customer's only gift card, if it did not pay the order, and what else could pay it."""
        methods = self.owner(order)["payment_methods"]
        cards = [method_id for method_id, method in methods.items() if method["source"] == "gift_card"]
        original = order["payment_history"][0]["payment_method_id"]
        others = [method_id for method_id in methods if method_id not in (*cards, original)]
        return (cards[0], others) if len(cards) == 1 and cards[0] != original and others else None

    def small_card(self, order: Record) -> tuple[str, float] | None:
        """The customer's only gift card with its balance, if it did not pay the order and cannot."""
        methods = self.owner(order)["payment_methods"].values()
        cards = [(method["id"], method["balance"]) for method in methods if method["source"] == "gift_card"]
        payment = order["payment_history"][0]
        fits = (
            len(cards) == 1
            and cards[0][0] != payment["payment_method_id"]
            and cards[0][1] < payment["amount"]
        )
        return cards[0] if fits else None

    def refund_choices(self, order: Record) -> list[tuple[str, str]]:
        """Pairs of methods for a refund: one the policy does not allow, and one that it does."""
        allowed = self.refund_methods(order)
        methods = self.owner(order)["payment_methods"]
        return [(wanted, other) for wanted in methods if wanted not in allowed for other in allowed]
