"""Requests with an "if": the shop's records decide which of two things is to be done (from level 4 on).

Both ways out occur, so an agent has to look. A fallback for something unavailable is said at once or held
back until the agent reports that it cannot be done (`preferences`).
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
    if (
        pending and case.reason == "ordered by mistake"
    ):  # no reason to cancel what one wanted in another color
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
    limit = int(total) - case.random.randrange(0, 9) if enough else int(total) + case.random.randrange(1, 10)
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
        write = Action(
            "exchange_delivered_order_items",
            {
                "order_id": order["order_id"],
                "item_ids": [item["item_id"]],
                "new_item_ids": [variant["item_id"]],
                "payment_method_id": original,
            },
        )
    facts = {**mention.facts, "payment_method": phrases.method_with_id(case.user, original)}
    finds = (*mention.finds, "variant", "difference")
    return Request("exchange if cheap enough", words, (*reads, write), (), facts, finds)


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
