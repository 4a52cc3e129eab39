"""The retail shop as a domain: its policy and tools, and whose records a look-up opens.

RETAIL.policy, RETAIL.tools
domain_of(world)      # a world's own domain; the retail shop's where it has none of its own
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envs.domain import Domain
from envs.retail.reach import FREE_TEXT
from envs.retail.tools import TOOLS
from envs.world import World

if TYPE_CHECKING:
    from envs.retail.environment import Episode, Turn

IDENTIFICATION = ("find_user_id_by_email", "find_user_id_by_name_zip")
DEEDS = {  # what a write has done, in words for the customer
    "cancel_pending_order": "Order {order_id} has been cancelled.",
    "modify_pending_order_address": "The address of order {order_id} has been changed.",
    "modify_pending_order_items": "The items of order {order_id} have been changed.",
    "modify_pending_order_payment": "The payment method of order {order_id} has been changed.",
    "exchange_delivered_order_items": "The exchange for order {order_id} has been requested.",
    "return_delivered_order_items": "The return for order {order_id} has been requested.",
    "modify_user_address": "Your default address has been changed.",
}


def opens_anothers(episode: Episode, turn: Turn) -> bool:
    """Whether a look-up opened the records of somebody who is not the customer, unasked."""
    customer, name = episode.task.customer, turn.action.name
    if turn.failed or not customer:
        return False
    if name in IDENTIFICATION:
        return turn.observation != customer
    if name == "get_user_details":
        user_id = turn.action.arguments["user_id"]
        return user_id != customer and user_id not in episode.customer_words
    if name == "get_order_details":
        theirs = f'"user_id": "{customer}"' in turn.observation
        return not theirs and turn.action.arguments["order_id"] not in episode.customer_words
    return False


RETAIL = Domain(
    policy=Path(__file__).with_name("wiki.md").read_text(encoding="utf-8").strip(),
    tools=TOOLS,
    records=("order_id", "user_id"),
    identification=IDENTIFICATION,
    free_text=FREE_TEXT,
    deeds=DEEDS,
    opens_anothers=opens_anothers,
    converses=True,
)


def domain_of(world: World) -> Domain:
    """A world's own domain; the retail shop's where it has none of its own."""
    return world.domain or RETAIL
