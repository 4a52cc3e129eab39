"""What a request is made of: the customer's words, the calls that serve it, what is told and withheld.

A family of requests is a function `(case, order) -> Request`; a `Case` is what the generator knows while it
writes one task: the shop's index, a source of chance, the customer, and how much the customer tells unasked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from envs.retail.database import Record, Shop
from envs.retail.generation import phrases
from envs.retail.generation.index import ShopIndex
from envs.retail.tasks import Action


class Unproven(ValueError):
    """A draft that does not hold: a gold call fails, nothing changes, an answer is given away."""


@dataclass(frozen=True)
class Request:
    """One thing a customer wants."""

    family: str
    words: str
    actions: tuple[Action, ...]  # after identification: reads, then writes
    outputs: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    finds: tuple[str, ...] = ()  # what the agent must find out
    refused: bool = False  # the right thing is not to do it
    hand_over: bool = False  # it ends with a human agent
    by_name: bool = False  # the customer must not be identified by e-mail


@dataclass(frozen=True)
class Case:
    """What is known while a task is written."""

    index: ShopIndex
    random: Random
    user_id: str
    stated: bool  # the query says everything, with ids (levels 1 and 2)
    several: bool = False  # this is one of several requests: what is withheld must not be mixed up
    reason: str = ""  # the reason for whatever is cancelled; one for all, so that it can be told when asked
    quiet: bool = False  # no question with an answer, since the conversation ends with a hand-over

    @property
    def user(self) -> Record:
        """The customer's record."""
        return self.index.shop.users[self.user_id]

    @property
    def shop(self) -> Shop:
        """The shop."""
        return self.index.shop

    def pick(self, options: Sequence[Any]) -> Any:
        """One of them by chance."""
        if not options:
            raise Unproven("the shop has nothing to choose from for this request")
        return self.random.choice(options)

    def say(self, templates: Sequence[str], **words: str) -> str:
        """One of the templates, filled in, beginning with a capital."""
        text = self.random.choice(templates).format(**words)
        return text[0].upper() + text[1:]


# ---- calls ----


def read_profile(case: Case) -> Action:
    """Look at the customer's profile."""
    return Action("get_user_details", {"user_id": case.user_id})


def read_order(order_id: str) -> Action:
    """Look at an order."""
    return Action("get_order_details", {"order_id": order_id})


def read_product(product_id: str) -> Action:
    """Look at a product's variants."""
    return Action("get_product_details", {"product_id": product_id})


def reckon(expression: str) -> Action:
    """Calculate."""
    return Action("calculate", {"expression": expression})


# ---- which order ----


@dataclass(frozen=True)
class Mention:
    """How the customer refers to something: the words, and what it takes to understand them."""

    words: str
    reads: tuple[Action, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    finds: tuple[str, ...] = ()


def mention_order(
    case: Case, order: Record, *, hidden: float = 0.6, but: Sequence[str] = (), by_status: bool = True
) -> Mention:
    """Refer to an order by its id, by what is in it, by its status, or not at all until asked.

    Args:
        case: The case.
        order: The order.
        hidden: How probably its id is not said.
        but: Names of products that cannot tell which order is meant, since the request is about them.
        by_status: Whether its status may tell; not where the customer does not seem to know it.
    """
    order_id = order["order_id"]
    facts, read = {"order_ids": [order_id]}, read_order(order_id)
    if case.stated or case.random.random() >= hidden:
        return Mention(case.pick(("order {}", "my order {}")).format(order_id), (read,), facts)
    words = _descriptions(case, order, but, by_status)
    only_one = len(case.user["orders"]) == 1
    if words and (only_one or case.several or case.random.random() < 0.75):
        reads = (read_profile(case), *_search(case, order))
        return Mention(case.pick(words), reads, {}, ("order",))
    if case.several:  # asked for "the order number", the customer could not know for which request
        return Mention(f"order {order_id}", (read,), facts)
    return Mention(case.pick(("one of my orders", "an order of mine")), (read,), facts, ("order id",))


def _descriptions(case: Case, order: Record, but: Sequence[str], by_status: bool) -> list[str]:
    """Ways to describe an order that fit no other order of the customer."""
    orders = case.index.orders_of(case.user_id)
    if len(orders) == 1:
        return ["my order", "the order I placed", "the only order I have with you"]
    words = [
        f"{lead} {phrases.item_name(item['name'])}"
        for item in case.index.telling_items(order)
        if item["name"] not in but
        for lead in ("the order with the", "my order with the", "the order that has the")
    ]
    # several requests may cancel an order, and then there are two cancelled ones
    telling = ("pending", "delivered") if case.several else ("pending", "delivered", "cancelled")
    if (
        by_status
        and order["status"] in telling
        and len(case.index.orders_of(case.user_id, order["status"])) == 1
    ):
        words += [f"my only {order['status']} order", f"the one order of mine that is {order['status']}"]
    return words


def _search(case: Case, order: Record) -> tuple[Action, ...]:
    """Look at the customer's orders one after the other until it is found."""
    order_ids = case.user["orders"]
    return tuple(map(read_order, order_ids[: order_ids.index(order["order_id"]) + 1]))


# ---- which items, which method ----


def mention_item(case: Case, item: Record) -> str:
    """An item of an order: with its id where all is stated, else by name, sometimes with its options."""
    name = phrases.item_name(item["name"])
    if case.stated:
        return f"the {name} (item {item['item_id']})"
    return f"the {phrases.full_name(item)}" if case.random.random() < 0.15 else f"the {name}"


def mention_items(case: Case, items: Sequence[Record]) -> str:
    """Several items in one phrase."""
    return phrases.listed(mention_item(case, item) for item in items)


def mention_method(case: Case, method_id: str, *, original: bool = False, withheld: bool = False) -> Mention:
    """A payment method: by id where everything is stated, else by words, or not until asked.

    Args:
        case: The case.
        method_id: The method.
        original: Whether it paid the order, so that one can say so.
        withheld: Whether the customer tells it only when asked; then the words are empty.
    """
    facts = {"payment_method": phrases.method_with_id(case.user, method_id)}
    if case.stated:
        return Mention(phrases.method_with_id(case.user, method_id), (), facts)
    if withheld and not case.several:
        return Mention("", (), facts, ("payment method",))
    words = phrases.methods_in_words(case.user, method_id)
    reads: tuple[Action, ...] = (read_profile(case),)
    if original and case.random.random() < 0.5:
        words, reads = ["the payment method I used for it", "the original payment method"], ()
    return Mention(case.pick(words), reads, facts, ("payment method",))
