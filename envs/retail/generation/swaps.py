"""Swaps of items for other variants: of a pending order ("modify"), or of a delivered one ("exchange").

Which variant is wanted is said by its id (level 2), by what should be different, by all its options, or as
the cheapest or most expensive one that can be had; one variant only fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from envs.retail.database import Record
from envs.retail.generation import phrases
from envs.retail.generation.requests import (
    Case,
    Mention,
    Request,
    mention_item,
    mention_method,
    mention_order,
    read_product,
    read_profile,
    reckon,
)
from envs.retail.tasks import Action

TOOL = {"pending": "modify_pending_order_items", "delivered": "exchange_delivered_order_items"}
FAMILY = {"pending": "modify items", "delivered": "exchange"}
INTO = {"pending": "to", "delivered": "for"}

SWAP = {
    "pending": (
        "in {order}, please change {swaps}. {rest}",
        "before {order} ships, I'd like you to change {swaps}. {rest}",
        "can you modify {order} for me? Please change {swaps}. {rest}",
        "please update {order} by changing {swaps}. {rest}",
        "I picked the wrong options in {order}. Please change {swaps}. {rest}",
        "I want {order} modified: change {swaps}. {rest}",
    ),
    "delivered": (
        "from {order}, I want to exchange {swaps}. {rest}",
        "I'd like to exchange {swaps}. This is about {order}. {rest}",
        "{order} has arrived, but I want to exchange {swaps}. {rest}",
        "please exchange {swaps}; I got that with {order}. {rest}",
        "can I exchange part of {order}? I'd like to swap {swaps}. {rest}",
        "something in {order} isn't right for me, so please exchange {swaps}. {rest}",
    ),
}
PAY = (
    "Use {method} for the price difference.",
    "Any price difference goes on {method}.",
    "Please settle the difference with {method}.",
    "{method} can be used for the difference.",
    "Charge or refund the difference to {method}.",
    "For the difference, take {method}.",
)
HOW_MUCH = (
    "How much is the price difference?",
    "And tell me what the price difference comes to.",
    "I also want to know the exact price difference.",
    "Please tell me the amount of the difference, too.",
)


@dataclass(frozen=True)
class Swap:
    """One item, the variant it becomes, and how the customer says so."""

    item: Record
    variant: Record
    words: str

    @property
    def difference(self) -> float:
        """What the new one costs more."""
        return self.variant["price"] - self.item["price"]


def swap_items(case: Case, order: Record) -> Request:
    """Swap one or two items of a pending or delivered order."""
    items = case.index.swappable(order)
    count = min(len(items), 2 if case.random.random() < 0.3 else 1)
    places = sorted(case.random.sample(range(len(items)), count))
    return swapped(case, order, [_swap(case, items[place], INTO[order["status"]]) for place in places])


def _swap(case: Case, item: Record, into: str) -> Swap:
    """One swap: to the cheapest or dearest variant, or to one that differs in as little as possible."""
    variants = case.index.swaps[item["item_id"]]
    named = mention_item(case, item)
    cheapest, dearest = case.index.extremes.get(item["product_id"], (None, None))
    if not case.stated and cheapest and case.random.random() < 0.2:
        variant, extreme = case.pick(((cheapest, "cheapest"), (dearest, "most expensive")))
        if variant["item_id"] != item["item_id"] and variant in variants:
            return Swap(item, variant, f"{named} {into} the {extreme} version you have available")
    variant = near_variant(case, item)
    return Swap(item, variant, f"{named} {into} {variant_in_words(case, item, variant)}")


def near_variant(case: Case, item: Record) -> Record:
    """An available variant, more probably one that differs in few options."""
    variants = case.index.swaps[item["item_id"]]
    return min(case.pick(variants), case.pick(variants), key=lambda v: _distance(item, v))


def _distance(item: Record, variant: Record) -> int:
    return sum(item["options"][option] != value for option, value in variant["options"].items())


def variant_in_words(case: Case, item: Record, variant: Record) -> str:
    """Which variant is wanted: by its id, by what is different, or by all its options."""
    if case.stated:
        return f"item {variant['item_id']}"
    changes = phrases.differences(item["options"], variant["options"])
    plural = phrases.is_plural(item["name"])
    if len(changes) == len(item["options"]) or case.random.random() < 0.25:
        return f"this version: {phrases.options_in_words(variant['options'])}"
    one = "ones" if plural else "one"
    same = case.pick(
        (", otherwise the same", " with everything else the same", " but the same in all other ways")
    )
    return f"{one} {phrases.change_in_words(changes, plural)}{same}"


def swapped(
    case: Case,
    order: Record,
    swaps: Sequence[Swap],
    *,
    fallback: str = "",
    family: str = "",
    instead: Action | None = None,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Request:
    """The request for these swaps.

    Args:
        case: The case.
        order: A pending or delivered order.
        swaps: What becomes what.
        fallback: What the customer wants if it cannot be had; said at once or when it is refused.
        family: The family's name, where it is more than a swap.
        instead: The write that is right instead, where it cannot be had.
        facts: What else the customer can tell.
    """
    status, difference = order["status"], sum(swap.difference for swap in swaps)
    method_id = _payer(case, order, difference)
    original = method_id == order["payment_history"][0]["payment_method_id"]
    method = mention_method(case, method_id, original=original, withheld=case.random.random() < 0.2)
    mention = mention_order(case, order, but=[swap.item["name"] for swap in swaps])
    listed = ", and also ".join(swap.words for swap in swaps)
    asks = _asks_difference(case, difference) and not instead
    later = bool(fallback) and not case.several and case.random.random() < 0.4
    pay = _capital(case.pick(PAY).format(method=method.words)) if method.words else ""
    sentences = ("" if later else fallback, pay, case.pick(HOW_MUCH) if asks else "")
    words = case.say(SWAP[status], order=mention.words, swaps=listed, rest=" ".join(filter(None, sentences)))
    wish = f"I want to {'change' if status == 'pending' else 'exchange'} {listed}"
    told = {**mention.facts, **method.facts, "items": wish, **facts}
    found = () if case.stated else ("variant", *(("difference",) * asks), *(("fallback",) * later))
    return Request(
        family or FAMILY[status],
        words.strip(),
        (*_reads(case, method, mention, swaps, asks), instead or swap_call(order, swaps, method_id)),
        (phrases.money_output(difference),) if asks else (),
        {**told, "preferences": [fallback]} if later else told,
        (*mention.finds, *method.finds, *found),
    )


def _asks_difference(case: Case, difference: float) -> bool:
    """Whether the customer also wants to know the price difference."""
    return not (case.stated or case.quiet) and phrases.tellable(difference) and case.random.random() < 0.3


def _payer(case: Case, order: Record, difference: float) -> str:
    """A method that can pay the difference, one that can be named without its id if there is one.

    With several requests it is no gift card, since their effects on its balance would mix.
    """
    payers = case.index.payers(order, float("inf") if case.several else difference)
    words = {method_id: phrases.methods_in_words(case.user, method_id)[0] for method_id in payers}
    named = [method_id for method_id in payers if method_id not in words[method_id]]
    return case.pick(payers if case.stated else named or payers)


def _reads(
    case: Case, method: Mention, mention: Mention, swaps: Sequence[Swap], asks: bool
) -> tuple[Action, ...]:
    """The look-ups: the profile for a gift card's balance, the order, the products, the arithmetic."""
    gift = "gift_card_" in method.facts["payment_method"]
    reads = (*((read_profile(case),) if gift else ()), *method.reads, *mention.reads)
    if not case.stated:
        products = dict.fromkeys(swap.item["product_id"] for swap in swaps)
        reads += tuple(read_product(product_id) for product_id in products)
    if asks:
        reads += (reckon(" + ".join(f"({s.variant['price']} - {s.item['price']})" for s in swaps)),)
    return reads


def swap_call(order: Record, swaps: Sequence[Swap], method_id: str) -> Action:
    """The write."""
    arguments = {
        "order_id": order["order_id"],
        "item_ids": [swap.item["item_id"] for swap in swaps],
        "new_item_ids": [swap.variant["item_id"] for swap in swaps],
        "payment_method_id": method_id,
    }
    return Action(TOOL[order["status"]], arguments)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
