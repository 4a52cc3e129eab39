"""What must not be done: the right end changes nothing in the shop.

A refused request says what the customer settles for ("then leave it"), so that no offer turns it into
something else. Where it is the whole task it often asks a question as well: silence does not solve that.
"""

from envs.retail.database import Record
from envs.retail.generation import phrases
from envs.retail.generation.index import split_of
from envs.retail.generation.requests import (
    Case,
    Request,
    Unproven,
    mention_item,
    mention_method,
    mention_order,
    read_product,
    read_profile,
)
from envs.retail.generation.swaps import variant_in_words
from envs.retail.generation.writes import REASON, REASONS
from envs.retail.tasks import Action

LEAVE = (
    "If that can't be done, leave everything about it as it is.",
    "If it's not possible, then don't do anything with it.",
    "If you can't do that, just leave it.",
    "If that isn't possible, I'll keep it as it is.",
)
INSTEAD_TELL = {
    "total": (
        "If that's not possible, at least tell me what that order cost in total.",
        "If you can't do that, leave it and just tell me the order's total amount.",
    ),
    "tracking": (
        "If that's not possible, at least tell me its tracking number.",
        "If you can't do that, leave it and just give me the tracking number.",
    ),
}


def _refused(
    case: Case, order: Record, name: str, words: str, reads: tuple[Action, ...], facts: dict
) -> Request:
    """A request that is refused, with what the customer says to that and may want to know instead."""
    outputs: tuple[str, ...] = ()
    total = order["payment_history"][0]["amount"]
    answers = {"total": phrases.money_output(total)} if phrases.tellable(total) else {}
    if order.get("fulfillments"):
        answers["tracking"] = order["fulfillments"][0]["tracking_id"][0]
    if answers and not case.quiet and case.random.random() < 0.7:
        kind = case.pick(sorted(answers))
        words, outputs = f"{words} {case.pick(INSTEAD_TELL[kind])}", (answers[kind],)
    elif case.several or case.random.random() < 0.5:
        words = f"{words} {case.pick(LEAVE)}"
    else:
        facts = {**facts, "preferences": [case.pick(LEAVE)]}
    return Request(name, words, reads, outputs, facts, ("policy",), refused=True)


TOO_LATE_TO_CANCEL = (
    "I want to cancel {order}. {reason}",
    "please cancel {order}. {reason}",
    "{order} should be cancelled. {reason}",
    "can you still cancel {order}? {reason}",
)


def cancel_too_late(case: Case, order: Record) -> Request:
    """Cancel an order that has left the warehouse or arrived."""
    reason = case.reason or case.pick(REASONS)
    mention = mention_order(case, order, by_status=False)
    words = case.say(TOO_LATE_TO_CANCEL, order=mention.words, reason=case.pick(REASON[reason]))
    facts = {**mention.facts, "reason": reason}
    return _refused(case, order, "refused: cancel", words, mention.reads, facts)


NOT_YET_RETURN = (
    "I want to return {item} from {order}, with the refund to the original payment method.",
    "please take back {item} from {order} and refund the original payment method.",
    "{item} from {order} should go back, and I'd like the refund on the original payment method.",
)


def return_too_early(case: Case, order: Record) -> Request:
    """Return something that has not been delivered."""
    item = case.pick(case.index.single_items(order))
    mention = mention_order(case, order, but=(item["name"],), by_status=False)
    words = case.say(NOT_YET_RETURN, item=mention_item(case, item), order=mention.words)
    facts = {**mention.facts, "items": f"I want to return {mention_item(case, item)}"}
    return _refused(case, order, "refused: return", words, mention.reads, facts)


TOO_LATE_ADDRESS = (
    "please have {order} sent to {address} instead.",
    "{order} has to go to {address}. Please change its address.",
    "can you redirect {order} to {address}?",
)


def address_too_late(case: Case, order: Record) -> Request:
    """Change where an order goes that is no longer pending."""
    mention = mention_order(case, order)
    address = phrases.address_in_words(phrases.new_address(case.random))
    words = case.say(TOO_LATE_ADDRESS, order=mention.words, address=address)
    facts = {**mention.facts, "address": address}
    return _refused(case, order, "refused: order address", words, mention.reads, facts)


SOMEONE_ELSE = (
    "please look at order {id}, which belongs to {who}: {what}.",
    "{who} has an order with you, {id}. On their behalf: {what}.",
    "this is about order {id} of {who}: {what}.",
    "I'm asking for {who}, whose order is {id}: {what}.",
)
WHO = (
    "my neighbor",
    "a friend of mine",
    "my brother",
    "my colleague",
    "my roommate",
    "my aunt",
    "my partner",
)
WHAT = (
    "please cancel it",
    "I'd like it cancelled",
    "please send it to my address",
    "please return what's in it",
)


def someone_else(case: Case, order: Record | None = None) -> Request:
    """Something about another customer's order, of the same split so that splits share no order."""
    order_ids, split = case.index.order_ids, split_of(case.user_id)
    start = case.random.randrange(len(order_ids))
    for other in order_ids[start:] + order_ids[:start]:
        owner = case.shop.orders[other]["user_id"]
        if owner != case.user_id and split_of(owner) == split:
            break
    else:
        raise Unproven("nobody else of this split has an order")
    words = case.say(SOMEONE_ELSE, id=other, who=case.pick(WHO), what=case.pick(WHAT))
    words = f"{words} {case.pick(LEAVE[:3])}" if case.random.random() < 0.5 else words
    facts = {"order_ids": [other]}
    return Request(
        "refused: someone else's order", words, (read_profile(case),), (), facts, ("policy",), True
    )


CARD_TOO_SMALL = (
    "I'd like {order} to be paid with my gift card instead.",
    "please switch the payment of {order} to my gift card.",
    "can you charge {order} to my gift card?",
)


def card_too_small(case: Case, order: Record) -> Request:
    """Pay with a gift card that does not cover the order."""
    card, _ = case.index.small_card(order)
    mention = mention_order(case, order)
    words = case.say(CARD_TOO_SMALL, order=mention.words)
    facts = {**mention.facts, "payment_method": phrases.method_with_id(case.user, card)}
    reads = (read_profile(case), *mention.reads)
    return _refused(case, order, "refused: gift card too small", words, reads, facts)


ONLY_THIS = (
    "I want to swap {item} in {order} for {variant}. Nothing else will do.",
    "please swap {item} in {order} for {variant}; no other version, please.",
    "the only thing I want is {item} in {order} swapped for {variant}.",
)


def sold_out(case: Case, order: Record) -> Request:
    """Swap an item for a variant that is not available."""
    item = case.pick(case.index.choosy(order))
    variant = case.pick(case.index.sold_out[item["item_id"]])
    mention = mention_order(case, order, but=(item["name"],))
    words = case.say(
        ONLY_THIS,
        item=mention_item(case, item),
        order=mention.words,
        variant=variant_in_words(case, item, variant),
    )
    reads = (*mention.reads, read_product(item["product_id"]))
    return _refused(case, order, "refused: not available", words, reads, mention.facts)


OTHER_PRODUCT = (
    "please exchange {item} from {order} for {other}.",
    "I'd rather have {other} than {item} from {order}. Please exchange it.",
    "can I swap {item} in {order} for {other}?",
)


def other_product(case: Case, order: Record) -> Request:
    """Exchange an item for a product of another kind."""
    item = case.pick(case.index.single_items(order))
    names = [p["name"] for p in case.shop.products.values() if p["product_id"] != item["product_id"]]
    name = case.pick(names)
    other = phrases.item_name(name)
    mention = mention_order(case, order, but=(item["name"],))
    words = case.say(
        OTHER_PRODUCT,
        item=mention_item(case, item),
        order=mention.words,
        other=f"some {other}" if phrases.is_plural(name) else phrases.a(other),
    )
    return _refused(case, order, "refused: other product", words, mention.reads, mention.facts)


REFUND_HERE = (
    "I want to return {item} from {order}, but only if the refund goes to {method}.",
    "please take back {item} from {order} and send the refund to {method}. I won't accept another method.",
)


def refund_not_allowed(case: Case, order: Record) -> Request:
    """A return on the condition of a refund the policy does not allow."""
    wanted, _ = case.pick(case.index.refund_choices(order))
    item = case.pick(case.index.single_items(order))
    method = mention_method(case, wanted)
    mention = mention_order(case, order, but=(item["name"],))
    words = case.say(REFUND_HERE, item=mention_item(case, item), order=mention.words, method=method.words)
    reads = (read_profile(case), *mention.reads)
    facts = {**mention.facts, **method.facts}
    return _refused(case, order, "refused: refund method", words, reads, facts)
