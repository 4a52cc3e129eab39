"""Requests with a second choice, for where the first cannot be had (from level 4 on).

A variant may be sold out, a refund not allowed, a part of an order not cancelled alone. What the customer
wants then is said at once or held back until the agent reports that it cannot be done (`preferences`).
"""

from envs.retail.database import Record
from envs.retail.generation import phrases
from envs.retail.generation.requests import Case, Request, mention_item, mention_order, read_profile
from envs.retail.generation.swaps import INTO, Swap, near_variant, swapped, variant_in_words
from envs.retail.generation.writes import REASONS, return_call, returned
from envs.retail.tasks import Action

OTHER_VARIANT = (
    "If that version is not available, take {other}.",
    "If you don't have that one, make it {other}.",
    "If that's not in stock, I'd settle for {other}.",
    "Should that not be available, I'll take {other}.",
)


def swap_or_other(case: Case, order: Record) -> Request:
    """Swap an item for one variant, or for another where the first cannot be had."""
    item = case.pick(case.index.choosy(order))
    second = near_variant(case, item)
    first = _first_choice(case, item, second)
    got = first if first["available"] else second
    words = f"{mention_item(case, item)} {INTO[order['status']]} {variant_in_words(case, item, first)}"
    fallback = case.pick(OTHER_VARIANT).format(other=variant_in_words(case, item, second))
    family = "swap or other variant"
    return swapped(case, order, [Swap(item, got, words)], fallback=fallback, family=family)


def _first_choice(case: Case, item: Record, second: Record) -> Record:
    """The variant wanted first: mostly one that is sold out."""
    others = [v for v in case.index.swaps[item["item_id"]] if v is not second]
    if others and case.random.random() < 0.4:
        return case.pick(others)
    return case.pick(case.index.sold_out[item["item_id"]])


RETURN_IT = (
    "If that version is not available, I want to return {item} instead, with the refund to {method}.",
    "If you don't have that one, please take {item} back and refund it to {method}.",
    "Should that not be available, I'd rather return {item} and get the money back on {method}.",
)
CANCEL_IT = (
    "If that version is not available, cancel the whole order instead; then I no longer need it.",
    "If you don't have that one, please cancel the entire order, because then it's no longer needed.",
    "Should that not be available, I no longer need the order, so cancel all of it.",
)
ORIGINAL = "the payment method I used for it"


def swap_or_give_up(case: Case, order: Record) -> Request:
    """Swap an item, or return it (or cancel the order) where the wanted variant cannot be had."""
    pending = order["status"] == "pending"
    # "ordered by mistake" is no reason to cancel what one wanted in another color
    if pending and case.reason == "ordered by mistake":
        return swap_or_other(case, order)
    item = case.pick(case.index.choosy(order))
    first = _first_choice(case, item, near_variant(case, item))
    words = f"{mention_item(case, item)} {INTO[order['status']]} {variant_in_words(case, item, first)}"
    original = order["payment_history"][0]["payment_method_id"]
    name = phrases.item_name(item["name"])
    fallback = case.pick(CANCEL_IT if pending else RETURN_IT).format(item=f"the {name}", method=ORIGINAL)
    instead = None
    if not first["available"]:
        reason = {"order_id": order["order_id"], "reason": "no longer needed"}
        instead = Action("cancel_pending_order", reason) if pending else return_call(order, [item], original)
    facts = {"reason": "no longer needed"} if pending else {}
    family = "swap or cancel" if pending else "swap or return"
    return swapped(
        case,
        order,
        [Swap(item, first, words)],
        fallback=fallback,
        family=family,
        instead=instead,
        facts=facts,
    )


REFUND_ELSEWHERE = (
    "The refund should go to {wanted}. If that's not possible, {allowed} will do.",
    "I'd like the money on {wanted}; if you cannot do that, use {allowed}.",
    "Please refund it to {wanted} if you can. If not, send it to {allowed}.",
)


def refund_elsewhere(case: Case, order: Record) -> Request:
    """Return an item with a refund the policy does not allow, and one that it does as the second choice."""
    wanted, allowed = case.pick(case.index.refund_choices(order))
    item = case.pick(case.index.single_items(order))
    request = returned(case, order, [item], allowed, say_method=False)
    original = allowed == order["payment_history"][0]["payment_method_id"]
    methods = [case.pick(phrases.methods_in_words(case.user, wanted)), ORIGINAL]
    if not original:
        methods[1] = case.pick(phrases.methods_in_words(case.user, allowed))
    refund = case.pick(REFUND_ELSEWHERE).format(wanted=methods[0], allowed=methods[1])
    text = f"{phrases.method_with_id(case.user, wanted)}, and if that's not possible, "
    facts = {**request.facts, "payment_method": text + phrases.method_with_id(case.user, allowed)}
    actions = (read_profile(case), *request.actions)
    finds = (*request.finds, "payment method")
    return Request("return, second choice of refund", f"{request.words} {refund}", actions, (), facts, finds)


PART_OF_ORDER = (
    "please take the {item} out of {order} and leave the rest. {reason} If single items cannot be "
    "cancelled, cancel the whole order.",
    "I'd like to cancel only the {item} in {order}. {reason} If it's not possible to cancel just a part, "
    "then cancel all of it.",
    "can you remove the {item} from {order}? {reason} If you can't, the entire order has to be cancelled.",
)
PART_REASON = {
    "no longer needed": (
        "I no longer need {it}.",
        "I don't need {it} anymore.",
        "The reason: no longer needed.",
    ),
    "ordered by mistake": (
        "I ordered {it} by mistake.",
        "The reason: ordered by mistake.",
        "That was a mistake.",
    ),
}


def part_or_whole(case: Case, order: Record) -> Request:
    """Cancel one item of a pending order, which cannot be done, or else the whole order."""
    item = case.pick(case.index.single_items(order))
    reason = case.reason or case.pick(REASONS)
    mention = mention_order(case, order, but=(item["name"],))
    words = case.say(
        PART_OF_ORDER,
        item=phrases.item_name(item["name"]),
        order=mention.words,
        reason=case.pick(PART_REASON[reason]).format(it=phrases.it(item["name"])),
    )
    write = Action("cancel_pending_order", {"order_id": order["order_id"], "reason": reason})
    facts = {**mention.facts, "reason": reason}
    return Request(
        "cancel part or whole", words, (*mention.reads, write), (), facts, (*mention.finds, "policy")
    )
