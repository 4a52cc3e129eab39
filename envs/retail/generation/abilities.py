"""Which kinds of requests an order can serve: the abilities that `families.py` and `combinations.py` ask for.

abilities_of(index, order)       # frozenset({"order", "cancel", "address", ...})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envs.retail.database import Record
from envs.retail.generation.phrases import tellable

if TYPE_CHECKING:
    from envs.retail.generation.index import ShopIndex

# what makes an order fit for a request with an "if"
CONDITIONS = frozenset({"choosy", "status decides", "refund decides", "price decides", "refund elsewhere"})


def abilities_of(index: ShopIndex, order: Record) -> frozenset[str]:
    """The families of requests that this order can serve."""
    if not order["items"] or not order["payment_history"]:
        return frozenset()  # nothing to speak about
    found = _answerable(index, order)
    if order["status"] == "pending" and len(order["payment_history"]) == 1:
        found |= _pending_abilities(index, order)
    if order["status"] == "delivered" and index.refund_methods(order) and index.single_items(order):
        found |= _delivered_abilities(index, order)
    if found & {"cancel", "return"} and len(index.owner(order)["orders"]) > 1:
        found.add("one of several")
    if found & CONDITIONS:
        found.add("condition")
        if "one of several" in found:
            found.add("condition among several")
        if len(index.owner(order)["orders"]) > 2:
            found.add("condition among many")
    return frozenset(found)


def _pending_abilities(index: ShopIndex, order: Record) -> set[str]:
    found = {"cancel", "address"}
    if index.other_payers(order):
        found.add("payment")
    if _can_swap(index, order):
        found |= {"items"} | ({"choosy"} if index.choosy(order) else set())
    if index.small_card(order):
        found.add("card too small")
    if index.gift_card_choice(order):
        found.add("gift card or other")
    if len(order["items"]) > 1 and index.single_items(order):
        found.add("cancel a part")
    if index.single_items(order):
        found.add("status decides")
    return found


def _delivered_abilities(index: ShopIndex, order: Record) -> set[str]:
    found = {"return", "status decides"}
    if len(index.single_items(order)) > 1:
        found.add("refund decides")
    if index.refund_choices(order):
        found.add("refund elsewhere")
    if _can_swap(index, order):
        found |= {"exchange"} | ({"choosy"} if index.choosy(order) else set())
        found |= {"price decides"} if index.dearer(order) else set()
    return found


def _answerable(index: ShopIndex, order: Record) -> set[str]:
    """What can be asked about an order, with an answer that is not found by chance."""
    single, total = index.single_items(order), order["payment_history"][0]["amount"]
    found = (
        {"order"} | ({"tracking"} if order.get("fulfillments") else set()) | ({"item"} if single else set())
    )
    if any(tellable(item["price"]) for item in single):
        found.add("priced item")
    if tellable(total):
        found.add("total")
    if order["status"] in ("processed", "delivered"):
        found.add("too late")
    if order["status"] == "processed":
        found.add("on its way")
    if order["status"] in ("pending", "processed") and single:
        found.add("not delivered")
    if len(single) > 1:
        found.add("two items")
    if len(index.owner(order)["orders"]) > 1:
        found.add("not the only order")
    return found


def _can_swap(index: ShopIndex, order: Record) -> bool:
    """Whether some item can be swapped and some method needs no balance for it."""
    return bool(index.swappable(order)) and bool(index.payers(order, float("inf")))
