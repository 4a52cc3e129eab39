"""Requests with an "if": the shop's records decide which of two things is to be done (from level 4 on).

Both ways out occur, so an agent has to look.
"""

from envs.retail.database import Record
from envs.retail.generation import phrases
from envs.retail.generation.requests import (
    Case,
    Request,
    mention_item,
    mention_items,
    mention_method,
    mention_order,
    read_product,
    read_profile,
    reckon,
)
from envs.retail.generation.swaps import Swap, swap_call, variant_in_words
from envs.retail.generation.writes import REASONS, return_call
from envs.retail.tasks import Action

STATUS = (
    "I'm not sure how far order {id} is. If it is still pending, please cancel it; {reason} If it has been "
    "delivered already, I want to return {items} instead, with the refund to {method}.",
    "please look at order {id}. In case it's still pending, cancel it; {reason} In case it has already "
    "arrived, take back {items} and refund that to {method}.",
    "has order {id} been delivered yet? If so, I'd like to return {items} and be refunded on {method}. "
    "If it's still pending, just cancel it; {reason}",
)
IT_REASON = {"no longer needed": "it's no longer needed.", "ordered by mistake": "I ordered it by mistake."}


def status_decides(case: Case, order: Record) -> Request:
    """Cancel an order while it is pending, or return items once it is delivered."""
    reason = case.reason or case.pick(REASONS)
    items = [case.pick(case.index.single_items(order))]
    named = mention_items(case, items)
    words = case.say(
        STATUS,
        id=order["order_id"],
        reason=IT_REASON[reason],
        items=named,
        method="the original payment method",
    )
    mention = mention_order(case, order, hidden=0.0)
    original = order["payment_history"][0]["payment_method_id"]
    write = return_call(order, items, original)
    if order["status"] == "pending":
        write = Action("cancel_pending_order", {"order_id": order["order_id"], "reason": reason})
    facts = {**mention.facts, "reason": reason, "items": f"I'd return {named}"}
    facts["payment_method"] = phrases.method_with_id(case.user, original)
    return Request("cancel or return", words, (*mention.reads, write), (), facts, ("status", "items"))


CARD_OR = (
    "I'd like to pay for {order} with my gift card. If its balance doesn't cover the order, use {method}.",
    "please charge {order} to my gift card, or to {method} if there is not enough left on the card.",
    "can {order} be paid with my gift card? If the balance is too low, switch it to {method}.",
    "switch {order} to my gift card if it covers the total. If it does not, {method} should pay for it.",
)


def gift_card_or_other(case: Case, order: Record) -> Request:
    """Pay a pending order with the gift card if it covers it, else with another method."""
    card, others = case.index.gift_card_choice(order)
    other = case.pick(others)
    method = mention_method(case, other)
    mention = mention_order(case, order)
    amount = order["payment_history"][0]["amount"]
    covered = case.user["payment_methods"][card]["balance"] >= amount
    method_id = card if covered else other
    words = case.say(CARD_OR, order=mention.words, method=method.words)
    arguments = {"order_id": order["order_id"], "payment_method_id": method_id}
    write = Action("modify_pending_order_payment", arguments)
    text = (
        f"my gift card ({card}) if it covers the total, otherwise {phrases.method_with_id(case.user, other)}"
    )
    facts = {**mention.facts, "payment_method": text}
    reads = (read_profile(case), *mention.reads)
    return Request("gift card or other", words, (*reads, write), (), facts, (*mention.finds, "balance"))


AT_LEAST = (
    "if the {first} and the {second} in {order} give me back at least ${limit} together, return both; if "
    "not, only return the {first}. The refund goes to {method}.",
    "I'm thinking of returning the {first} and the {second} from {order}. Do it for both if the refund comes "
    "to ${limit} or more, and otherwise just send back the {first}. Refund it to {method}, please.",
    "please check whether the {first} and the {second} in {order} together cost ${limit} or more. If they "
    "did, I return both, else only the {first}. The money should go to {method}.",
)


def refund_decides(case: Case, order: Record) -> Request:
    """Return two items if that pays enough, else only one of them."""
    places = sorted(case.random.sample(range(len(case.index.single_items(order))), 2))
    first, second = (case.index.single_items(order)[place] for place in places)
    total = round(first["price"] + second["price"], 2)
    enough = case.random.random() < 0.5
    distance = -case.random.randrange(0, 9) if enough else case.random.randrange(1, 10)
    limit = max(1, int(total) + distance)
    original = order["payment_history"][0]["payment_method_id"]
    mention = mention_order(case, order, but=(first["name"], second["name"]))
    names = {"first": phrases.item_name(first["name"]), "second": phrases.item_name(second["name"])}
    words = case.say(
        AT_LEAST, order=mention.words, limit=str(limit), method="the original payment method", **names
    )
    reads = (*mention.reads, reckon(f"{first['price']} + {second['price']}"))
    write = return_call(order, [first, second] if total >= limit else [first], original)
    facts = {**mention.facts, "payment_method": phrases.method_with_id(case.user, original)}
    return Request("return if enough", words, (*reads, write), (), facts, (*mention.finds, "sum", "items"))


AT_MOST = (
    "I'd like to exchange {item} from {order} for {variant}. Only do it if it costs no more than ${limit} "
    "extra; if it's more than that, I want to return {them} instead. Either way, settle it with {method}.",
    "please exchange {item} in {order} for {variant}, provided that the extra cost is at most ${limit}. If "
    "it is higher, take {them} back instead. Use {method} for the money in both cases.",
    "how about swapping {item} from {order} for {variant}? I'd pay up to ${limit} more for that. If it's "
    "more, just return {them}. The money goes through {method} in any case.",
)


def price_decides(case: Case, order: Record) -> Request:
    """Exchange an item if the new one does not cost too much more, else return it."""
    item, variant = case.pick(case.index.dearer(order))
    extra = round(variant["price"] - item["price"], 2)
    limit = max(1, int(extra) + case.pick((-15, -8, -4, -1, 1, 3, 6, 12)))
    original = order["payment_history"][0]["payment_method_id"]
    mention = mention_order(case, order, but=(item["name"],))
    words = case.say(
        AT_MOST,
        item=mention_item(case, item),
        order=mention.words,
        variant=variant_in_words(case, item, variant),
        limit=str(limit),
        them=phrases.it(item["name"]),
        method="the original payment method",
    )
    reads = (
        *mention.reads,
        read_product(item["product_id"]),
        reckon(f"{variant['price']} - {item['price']}"),
    )
    write = return_call(order, [item], original)
    if extra <= limit:
        write = swap_call(order, [Swap(item, variant, "")], original)
    facts = {**mention.facts, "payment_method": phrases.method_with_id(case.user, original)}
    finds = (*mention.finds, "variant", "difference")
    return Request("exchange if cheap enough", words, (*reads, write), (), facts, finds)
