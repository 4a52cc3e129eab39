"""Which kinds of requests there are at each level, and how often each comes.

Level 1: one look-up. Level 2: one change, everything stated. Level 3: one request in which something must be
found out, asked for or worked out. Levels 4 and 5 put several together (see `combinations.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from envs.retail.database import Record
from envs.retail.generation import combinations, conditional, hand_overs, questions, refusals, swaps, writes
from envs.retail.generation.requests import Case, Request


@dataclass(frozen=True)
class Family:
    """A kind of request: who writes it, for which orders (None: for a customer), how often."""

    build: Callable[[Case, Record | None], Request]
    ability: str | None
    weight: int


LEVEL_1 = (
    Family(questions.tracking, "tracking", 5),
    Family(questions.order_total, "total", 5),
    Family(questions.item_price, "priced item", 5),
    Family(questions.item_number, "item", 3),
    Family(questions.ship_to, "order", 4),
    Family(questions.paid_with, "order", 3),
    Family(questions.home_address, None, 2),
    Family(questions.email_on_file, None, 2),
    Family(questions.product_price, None, 4),
    Family(questions.product_extreme, None, 3),
)
LEVEL_2 = (
    Family(writes.cancel, "cancel", 5),
    Family(writes.return_items, "return", 5),
    Family(writes.order_address, "address", 4),
    Family(writes.order_payment, "payment", 4),
    Family(writes.default_address, None, 3),
    Family(swaps.swap_items, "items", 3),
    Family(swaps.swap_items, "exchange", 3),
)
LEVEL_3 = (
    Family(writes.cancel, "cancel", 20),
    Family(writes.return_items, "return", 24),
    Family(writes.order_address, "address", 18),
    Family(writes.order_payment, "payment", 18),
    Family(writes.default_address, None, 12),
    Family(swaps.swap_items, "items", 24),
    Family(swaps.swap_items, "exchange", 24),
    Family(questions.tracking, "tracking", 4),
    Family(questions.order_total, "total", 4),
    Family(questions.item_price, "priced item", 4),
    Family(questions.ship_to, "order", 4),
    Family(questions.product_price, None, 8),
    Family(questions.product_extreme, None, 8),
    Family(questions.two_items, "two items", 6),
    Family(questions.rest_of_order, "two items", 6),
    Family(questions.two_orders, "not the only order", 6),
    Family(refusals.cancel_too_late, "too late", 2),
    Family(refusals.return_too_early, "not delivered", 2),
    Family(refusals.address_too_late, "on its way", 2),
    Family(refusals.someone_else, "order", 2),
    Family(refusals.card_too_small, "card too small", 2),
    Family(refusals.sold_out, "choosy", 2),
    Family(refusals.other_product, "return", 1),
    Family(refusals.refund_not_allowed, "refund elsewhere", 1),
    Family(hand_overs.hand_over, None, 4),
)
LEVEL_4 = (
    Family(combinations.several, "one of several", 45),
    Family(combinations.same_order, "items", 15),
    Family(combinations.conditions, "condition", 35),
    Family(conditional.gift_card_or_other, "gift card or other", 8),
)
LEVEL_5 = (
    Family(combinations.hardest, "condition among many", 3),  # three orders or more
    Family(combinations.hardest, "condition among several", 1),
)
FAMILIES = {1: LEVEL_1, 2: LEVEL_2, 3: LEVEL_3, 4: LEVEL_4, 5: LEVEL_5}
