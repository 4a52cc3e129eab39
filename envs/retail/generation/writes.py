"""Requests that change the shop: cancel, return, address, payment, default address.

Stated in full with ids at levels 1 and 2; from level 3 on something has to be found out or asked for.
Swaps of items are in `swaps.py`.
"""

from collections.abc import Sequence

from envs.retail.database import Record
from envs.retail.generation import phrases
from envs.retail.generation.requests import (
    Case,
    Request,
    mention_items,
    mention_method,
    mention_order,
    read_order,
    read_profile,
)
from envs.retail.tasks import Action

REASONS = ("no longer needed", "ordered by mistake")

CANCEL = (
    "please cancel {order}. {reason}",
    "I want to cancel {order}. {reason}",
    "can you cancel {order} for me? {reason}",
    "I'd like {order} to be cancelled. {reason}",
    "{order} has to be cancelled, please. {reason}",
    "could you please call off {order}? {reason}",
)
CANCEL_REASON_FIRST = ("{reason} So please cancel {order}.", "{reason} Could you cancel {order}?")
REASON = {
    "no longer needed": (
        "I no longer need it.",
        "It's no longer needed.",
        "I don't need it anymore.",
        "The reason: no longer needed.",
        "I've changed my mind and no longer need any of it.",
        "We no longer need any of it.",
    ),
    "ordered by mistake": (
        "I ordered it by mistake.",
        "It was ordered by mistake.",
        "The reason: ordered by mistake.",
        "I placed it by mistake.",
        "That order was a mistake.",
        "I pressed the button by mistake.",
    ),
}


def cancel(case: Case, order: Record) -> Request:
    """Cancel a pending order."""
    mention = mention_order(case, order)
    withheld = not case.stated and case.random.random() < 0.4
    reason = case.reason or case.pick(REASONS)
    said = "" if withheld else case.pick(REASON[reason])
    can_lead = not withheld and not said.startswith("The reason") and not said.endswith("of it.")
    templates = CANCEL + CANCEL_REASON_FIRST if can_lead else CANCEL
    words = case.say(templates, order=mention.words, reason=said).strip()
    write = Action("cancel_pending_order", {"order_id": order["order_id"], "reason": reason})
    finds = (*mention.finds, "reason") if withheld else mention.finds
    return Request("cancel", words, (*mention.reads, write), (), {**mention.facts, "reason": reason}, finds)


RETURN = (
    "I want to return {items} from {order}. {refund}",
    "please arrange the return of {items} from {order}. {refund}",
    "I'd like to send back {items}, part of {order}. {refund}",
    "{items} in {order} didn't work out for me, so I want to return {them}. {refund}",
    "can I return {items} from {order}? {refund}",
    "I'm not happy with {items} from {order} and want to send {them} back. {refund}",
    "please take back {items} from {order}. {refund}",
)
RETURN_ALL = (
    "I want to return everything in {order}: {items}. {refund}",
    "please arrange a return of all of {order}, that is {items}. {refund}",
    "I'm sending back the whole of {order}, meaning {items}. {refund}",
)
REFUND = (
    "Please refund it to {method}.",
    "The refund should go to {method}.",
    "I'd like the money back on {method}.",
    "Please send the refund to {method}.",
    "I want to be refunded to {method}.",
    "Put the money back on {method}, please.",
)


def return_items(case: Case, order: Record) -> Request:
    """Return some or all items of a delivered order."""
    items = some_items(case, case.index.single_items(order))
    methods = case.index.refund_methods(order)
    method_id = methods[0] if case.random.random() < 0.7 else case.pick(methods)
    return returned(case, order, items, method_id)


def returned(
    case: Case, order: Record, items: Sequence[Record], method_id: str, *, say_method: bool = True
) -> Request:
    """The return of these items to this method."""
    original = method_id == order["payment_history"][0]["payment_method_id"]
    withheld = not say_method or case.random.random() < 0.3
    method = mention_method(case, method_id, original=original, withheld=withheld)
    mention = mention_order(case, order, but=[item["name"] for item in items])
    refund = case.pick(REFUND).format(method=method.words) if method.words and say_method else ""
    everything = len(items) == len(order["items"]) > 1 and case.random.random() < 0.7
    named = mention_items(case, items)
    them = "them" if len(items) > 1 else phrases.it(items[0]["name"])
    templates = RETURN_ALL if everything else RETURN
    words = case.say(templates, items=named, order=mention.words, refund=refund, them=them).strip()
    write = return_call(order, items, method_id)
    facts = {**mention.facts, **method.facts, "items": f"I want to return {named}"}
    finds = (*mention.finds, *method.finds, *(() if case.stated else ("items",)))
    return Request("return", words, (*method.reads, *mention.reads, write), (), facts, finds)


def return_call(order: Record, items: Sequence[Record], method_id: str) -> Action:
    """The write of a return."""
    item_ids = [item["item_id"] for item in items]
    arguments = {"order_id": order["order_id"], "item_ids": item_ids, "payment_method_id": method_id}
    return Action("return_delivered_order_items", arguments)


def some_items(case: Case, items: Sequence[Record]) -> list[Record]:
    """One to three of the items, in the order's own sequence."""
    count = min(len(items), case.random.choices((1, 2, 3), weights=(5, 3, 2))[0])
    chosen = sorted(case.random.sample(range(len(items)), count))
    return [items[place] for place in chosen]


ADDRESS = (
    "please send {order} to a different address: {address}.",
    "I need to change the shipping address of {order} to {address}.",
    "{order} should go to {address} instead.",
    "can you ship {order} to {address}?",
    "I made an error in the address of {order}. It has to be {address}.",
    "I won't be at home when {order} arrives. Please have it delivered to {address}.",
    "please correct the delivery address of {order}; the right one is {address}.",
)
ADDRESS_WITHHELD = (
    "please send {order} to a different address.",
    "I need to change the shipping address of {order}.",
    "I gave the wrong address for {order} and need it changed.",
    "can {order} still be shipped to another address?",
)
HOME_ADDRESS = ("the default address in my profile", "my default address", "the address I have on my account")


def order_address(case: Case, order: Record) -> Request:
    """Send a pending order somewhere else: to a new address, home, or where another order goes."""
    mention = mention_order(case, order)
    address, said, reads, finds = _destination(case, order)
    words = case.say(ADDRESS if said else ADDRESS_WITHHELD, order=mention.words, address=said)
    address = phrases.address_arguments(address)
    write = Action("modify_pending_order_address", {"order_id": order["order_id"], **address})
    facts = {**mention.facts, "address": phrases.address_in_words(address)}
    return Request(
        "order address", words, (*mention.reads, *reads, write), (), facts, (*mention.finds, *finds)
    )


def _destination(case: Case, order: Record) -> tuple[Record, str, tuple[Action, ...], tuple[str, ...]]:
    """An address, the words for it, and what must be read and found out to know it."""
    home = case.user["address"]
    luck = case.random.random()
    if not case.stated and luck < 0.35 and home != order["address"]:
        return home, case.pick(HOME_ADDRESS), (read_profile(case),), ("address",)
    if not case.stated and luck < 0.7:
        for other in case.index.orders_of(case.user_id):
            if other["address"] not in (order["address"], home):
                words = f"the same address as order {other['order_id']}"
                return other["address"], words, (read_order(other["order_id"]),), ("address",)
    address = phrases.new_address(case.random)
    if not case.stated and luck > 0.85 and not case.several:
        return address, "", (), ("address",)
    return address, phrases.address_in_words(address), (), ()


PAYMENT = (
    "please charge {order} to {method} instead.",
    "I'd like to pay for {order} with {method}.",
    "can you change the payment for {order} to {method}?",
    "I used the wrong payment method for {order}. It should be {method}.",
    "{order} should be paid with {method}, not with what I chose at checkout.",
    "please switch the payment of {order} to {method}.",
)
PAYMENT_WITHHELD = (
    "I'd like to change how {order} is paid.",
    "please switch {order} to another payment method of mine.",
    "I used the wrong payment method for {order} and want to change it.",
)


def order_payment(case: Case, order: Record) -> Request:
    """Pay a pending order with another method."""
    method_id = case.pick(case.index.other_payers(order))
    method = mention_method(case, method_id, withheld=case.random.random() < 0.2)
    mention = mention_order(case, order)
    words = case.say(PAYMENT if method.words else PAYMENT_WITHHELD, order=mention.words, method=method.words)
    arguments = {"order_id": order["order_id"], "payment_method_id": method_id}
    reads = (read_profile(case), *mention.reads)
    write = Action("modify_pending_order_payment", arguments)
    facts = {**mention.facts, **method.facts}
    return Request("order payment", words, (*reads, write), (), facts, (*mention.finds, *method.finds))


MOVED = (
    "I've moved. Please change my default address to {address}.",
    "please update the address in my profile to {address}.",
    "my new default address is {address}. Please save it in my account.",
    "I need my account's default address changed to {address}.",
    "could you set my default address to {address}?",
    "we moved last week, so please put {address} into my profile as the default address.",
)
MOVED_WITHHELD = (
    "I've moved and need my default address changed.",
    "please update the default address in my profile.",
    "the address in my account is out of date. I'd like to change it.",
)


def default_address(case: Case, order: None = None) -> Request:
    """Change the address in the profile: to a new one, or to where an order goes."""
    address, said, reads, finds = _new_home(case)
    address = phrases.address_arguments(address)
    words = case.say(MOVED if said else MOVED_WITHHELD, address=said)
    write = Action("modify_user_address", {"user_id": case.user_id, **address})
    facts = {"address": phrases.address_in_words(address)}
    return Request("default address", words, (*reads, write), (), facts, finds)


def _new_home(case: Case) -> tuple[Record, str, tuple[Action, ...], tuple[str, ...]]:
    home, luck = case.user["address"], case.random.random()
    if not case.stated and luck < 0.6:
        for order in case.index.orders_of(case.user_id):
            if order["address"] != home:
                words = f"the one that order {order['order_id']} goes to"
                return order["address"], words, (read_order(order["order_id"]),), ("address",)
    address = phrases.new_address(case.random)
    if not case.stated and not case.several:
        return address, "", (), ("address",)
    return address, phrases.address_in_words(address), (), ()
