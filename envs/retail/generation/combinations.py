"""Several requests in one conversation: two or three at level 4; level 5 adds what must be refused.

The customer names things in any order; the gold actions are in one that works (an order's items last,
a hand-over at the very end). What cannot be told apart when asked for is said at once, not withheld.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from envs.retail.database import Record
from envs.retail.generation import conditional, phrases, questions, refusals, swaps, writes
from envs.retail.generation.requests import Case, Request, mention_method, read_profile
from envs.retail.tasks import Action

Build = Callable[[Case, Record | None], Request]

WRITES: tuple[tuple[str, Build], ...] = (
    ("cancel", writes.cancel),
    ("return", writes.return_items),
    ("address", writes.order_address),
    ("payment", writes.order_payment),
    ("items", swaps.swap_items),
    ("exchange", swaps.swap_items),
)
CONDITIONS: tuple[tuple[str, Build], ...] = (
    ("choosy", conditional.swap_or_other),
    ("choosy", conditional.swap_or_give_up),
    ("status decides", conditional.status_decides),
    ("refund decides", conditional.refund_decides),
    ("price decides", conditional.price_decides),
    ("refund elsewhere", conditional.refund_elsewhere),
    ("cancel a part", conditional.part_or_whole),
)
QUESTIONS: tuple[tuple[str, Build], ...] = (
    ("tracking", questions.tracking),
    ("total", questions.order_total),
    ("priced item", questions.item_price),
    ("order", questions.ship_to),
    ("two items", questions.two_items),
    ("order", questions.product_price),
)
# One of these a conversation: "the same address as order …" must not be an address that is being changed.
ADDRESSES = {writes.order_address}
REFUSALS: tuple[tuple[str, Build], ...] = (
    ("too late", refusals.cancel_too_late),
    ("not delivered", refusals.return_too_early),
    ("on its way", refusals.address_too_late),
    ("choosy", refusals.sold_out),
    ("return", refusals.other_product),
    ("refund elsewhere", refusals.refund_not_allowed),
)

NEXT = (
    "One more thing.",
    "There's something else.",
    "And another matter.",
    "On top of that:",
    "Besides that:",
    "Apart from that:",
    "While we're at it:",
    "Also this:",
    "And then:",
    "A further point:",
    "That's not all.",
    "I have another request.",
)


def fitting(case: Case, order: Record, kinds: Sequence[tuple[str, Build]]) -> list[Build]:
    """The kinds of requests that this order can serve."""
    abilities = case.index.abilities[order["order_id"]]
    return [build for ability, build in kinds if ability in abilities]


def several(case: Case, order: Record) -> Request:
    """Two or three requests, about this order and others of the customer."""
    case = _together(case)
    builds = [case.pick(fitting(case, order, WRITES))]
    orders: list[Record | None] = [order, *_others(case, order)[: case.random.choice((1, 1, 2))]]
    for other in orders[1:]:
        kinds = [
            build for build in fitting(case, other, WRITES) if build not in ADDRESSES or build not in builds
        ]
        if not kinds or case.random.random() < 0.25:
            kinds = fitting(case, other, QUESTIONS)
        builds.append(case.pick(kinds))
    if len(builds) < 3 and not set(builds) & ADDRESSES and case.random.random() < 0.3:
        builds.append(writes.default_address)
        orders.append(None)
    requests = [build(case, about) for build, about in zip(builds, orders, strict=True)]
    case.random.shuffle(requests)
    return merged(case, requests, later=case.random.random() < 0.25)


def _together(case: Case, **changes: Any) -> Case:
    return replace(case, several=True, reason=case.pick(writes.REASONS), **changes)


def _others(case: Case, *used: Record) -> list[Record]:
    orders = [order for order in case.index.orders_of(case.user_id) if all(order is not one for one in used)]
    orders = [order for order in orders if case.index.abilities[order["order_id"]]]
    case.random.shuffle(orders)
    return orders


SAME_ADDRESS = (
    "Also send that order to {address} instead.",
    "And have that same order delivered to {address}.",
    "The order should also go to a different address: {address}.",
    "Please change its shipping address, too; it should be {address}.",
)
SAME_PAYMENT = (
    "And the order itself should be paid with {method} instead.",
    "Also switch that order's payment to {method}.",
    "Please charge the order to {method} as well, not to what I chose at checkout.",
)


def same_order(case: Case, order: Record) -> Request:
    """Items and address or payment of one pending order; said items first, which would lock the order."""
    case = _together(case)
    swap = swaps.swap_items(case, order)
    *reads, last = swap.actions
    before, words, facts = [], [swap.words], dict(swap.facts)
    means_first = "original payment method" in swap.words or "I used for it" in swap.words
    can_pay = "payment" in case.index.abilities[order["order_id"]] and not means_first
    pays = can_pay and case.random.random() < 0.5
    if not pays or case.random.random() < 0.3:
        address = phrases.new_address(case.random)
        words.append(case.pick(SAME_ADDRESS).format(address=phrases.address_in_words(address)))
        before.append(Action("modify_pending_order_address", {"order_id": order["order_id"], **address}))
        facts["address"] = phrases.address_in_words(address)
    if pays:
        method_id = case.pick(case.index.other_payers(order))
        method = mention_method(case, method_id)
        words.append(case.pick(SAME_PAYMENT).format(method=method.words))
        arguments = {"order_id": order["order_id"], "payment_method_id": method_id}
        before += [read_profile(case), Action("modify_pending_order_payment", arguments)]
        new = method.facts["payment_method"]
        facts["payment_method"] = (
            f"{facts['payment_method']} for the price difference, and {new} for the order"
        )
    return replace(
        swap,
        family=f"{swap.family} after {'payment' if pays else 'address'}",
        words=" ".join(words),
        actions=(*reads, *before, last),
        facts=facts,
        finds=(*swap.finds, "sequence"),
    )


def conditions(case: Case, order: Record) -> Request:
    """One request with a condition, mostly with a second request beside it."""
    others = _others(case, order)
    beside = case.random.random()
    if beside < 0.35:
        return case.pick(fitting(case, order, CONDITIONS))(case, order)
    case = _together(case)
    requests = [case.pick(fitting(case, order, CONDITIONS))(case, order)]
    if others and beside < 0.8:
        kinds = fitting(case, others[0], WRITES) or fitting(case, others[0], QUESTIONS)
        requests.append(case.pick(kinds)(case, others[0]))
    else:
        requests.append(writes.default_address(case))
    case.random.shuffle(requests)
    return merged(case, requests)


def hardest(case: Case, order: Record) -> Request:
    """Level 5: a condition, a change to something else, and what must be refused or handed over."""
    hands_over = case.random.random() < 0.35
    case = _together(case, quiet=hands_over)
    requests = [case.pick(fitting(case, order, CONDITIONS))(case, order)]
    others = _others(case, order)
    writable = next((other for other in others if fitting(case, other, WRITES)), None)
    if writable is not None:
        requests.append(case.pick(fitting(case, writable, WRITES))(case, writable))
        others = [other for other in others if other is not writable]
    else:
        requests.append(writes.default_address(case))
    if hands_over:
        case.random.shuffle(requests)
        return merged(case, [*requests, refusals.hand_over(case)])
    requests.append(_refusal(case, others))
    if len(others) > 1 and case.random.random() < 0.3:
        requests.append(case.pick(fitting(case, others[1], QUESTIONS))(case, others[1]))
    case.random.shuffle(requests)
    return merged(case, requests)


def _refusal(case: Case, others: Sequence[Record]) -> Request:
    """Something to refuse about one of these orders, or about somebody else's."""
    order = next((other for other in others if fitting(case, other, REFUSALS)), None)
    if order is None or case.random.random() < 0.15:
        return refusals.someone_else(case)
    return case.pick(fitting(case, order, REFUSALS))(case, order)


# ---- putting together ----


def merged(case: Case, requests: Sequence[Request], *, later: bool = False) -> Request:
    """Several requests as one: words in this order, facts that say which order they are about.

    Args:
        case: The case.
        requests: In the order they are said; a hand-over must be the last.
        later: Whether the last one is said only when the agent asks what else there is.
    """
    *first, last = requests
    words, facts = [first[0].words], _merged_facts(requests)
    links = case.random.sample(NEXT, len(requests))
    words += [f"{link} {request.words}" for link, request in zip(links, first[1:], strict=False)]
    found = [found for request in requests for found in request.finds]
    if later:
        facts["preferences"] = [*facts.get("preferences", ()), f"{links[-1]} {last.words}"]
        found.append("second request")
    else:
        words.append(f"{links[-1]} {last.words}")
    return Request(
        family=" + ".join(request.family for request in requests),
        words=" ".join(words),
        actions=tuple(action for request in requests for action in request.actions),
        outputs=tuple(dict.fromkeys(output for request in requests for output in request.outputs)),
        facts=facts,
        finds=tuple(dict.fromkeys(found)),
        refused=any(request.refused for request in requests),
        hand_over=any(request.hand_over for request in requests),
    )


def _merged_facts(requests: Sequence[Request]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    order_ids = [order_id for request in requests for order_id in request.facts.get("order_ids", ())]
    wishes = [wish for request in requests for wish in request.facts.get("preferences", ())]
    if order_ids:
        facts["order_ids"] = list(dict.fromkeys(order_ids))
    for key in ("reason", "payment_method", "address", "items"):
        told = [(request.facts[key], _subject(request)) for request in requests if key in request.facts]
        if len({text for text, _ in told}) == 1:
            facts[key] = told[0][0]
        elif told:
            facts[key] = phrases.listed(f"{text} ({subject})" for text, subject in told)
    if wishes:
        facts["preferences"] = wishes
    return facts


def _subject(request: Request) -> str:
    """What a fact is about, where several are told in one breath."""
    for action in reversed(request.actions):
        if "order_id" in action.arguments:
            return f"for order {action.arguments['order_id']}"
    return "for my profile"
