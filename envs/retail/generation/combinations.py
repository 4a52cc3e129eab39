"""Several requests in one conversation: two or three at level 4; level 5 adds what must be refused.

The customer names things in any order; the gold actions are in one that works (an order's items last,
a hand-over at the very end). What cannot be told apart when asked for is said at once, not withheld.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from envs.retail.database import Record
from envs.retail.generation import (
    conditional,
    hand_overs,
    phrases,
    questions,
    refusals,
    second_choices,
    swaps,
    writes,
)
from envs.retail.generation.merging import merged
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
    ("choosy", second_choices.swap_or_other),
    ("choosy", second_choices.swap_or_give_up),
    ("status decides", conditional.status_decides),
    ("refund decides", conditional.refund_decides),
    ("price decides", conditional.price_decides),
    ("refund elsewhere", second_choices.refund_elsewhere),
    ("cancel a part", second_choices.part_or_whole),
)
QUESTIONS: tuple[tuple[str, Build], ...] = (
    ("tracking", questions.tracking),
    ("total", questions.order_total),
    ("priced item", questions.item_price),
    ("order", questions.ship_to),
    ("two items", questions.two_items),
    ("order", questions.product_price),
)
REFUSALS: tuple[tuple[str, Build], ...] = (
    ("too late", refusals.cancel_too_late),
    ("not delivered", refusals.return_too_early),
    ("on its way", refusals.address_too_late),
    ("choosy", refusals.sold_out),
    ("return", refusals.other_product),
    ("refund elsewhere", refusals.refund_not_allowed),
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
        kinds = fitting(case, other, WRITES)
        if writes.order_address in builds:  # "the same address as order …": not one that is being changed
            kinds = [build for build in kinds if build is not writes.order_address]
        if not kinds or case.random.random() < 0.25:
            kinds = fitting(case, other, QUESTIONS)
        builds.append(case.pick(kinds))
    if len(builds) < 3 and writes.order_address not in builds and case.random.random() < 0.3:
        builds.append(writes.default_address)
        orders.append(None)
    requests = [build(case, about) for build, about in zip(builds, orders, strict=True)]
    case.random.shuffle(requests)
    return merged(case, requests, later=case.random.random() < 0.25)


def _together(case: Case, quiet: bool = False) -> Case:
    return replace(case, several=True, reason=case.pick(writes.REASONS), quiet=quiet)


def _others(case: Case, order: Record) -> list[Record]:
    """The customer's other orders that something can be asked about, shuffled."""
    orders = [other for other in case.index.orders_of(case.user_id) if other is not order]
    orders = [other for other in orders if case.index.abilities[other["order_id"]]]
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
        return merged(case, [*requests, hand_overs.hand_over(case)])
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
