"""Tools for orders that have not been sent yet: cancel them, or change address, payment or items.

All checks come first, in tau-bench's order, so that the same one fails first; then a new order (and, for gift
cards, a new user) is built and committed in one go, so a call that fails has changed nothing.
"""

from typing import Any, Literal

from envs.retail.database import Database, Record
from envs.retail.tools.money import credited, is_gift_card_id, swap_pairs, total_difference


def cancel_pending_order(
    database: Database, order_id: str, reason: Literal["no longer needed", "ordered by mistake"]
) -> str:
    """Cancel an order that is still pending. Explain it and get the customer's explicit yes first.

    The order's status becomes 'cancelled' and what was paid goes back to where it came from: at once for a
    gift card, within 5 to 7 business days otherwise.

    Args:
        order_id: The order id with its leading '#', such as '#W1234567'.
        reason: Why the customer cancels: 'no longer needed' or 'ordered by mistake'.
    """
    order = database.orders.get(order_id)
    if order is None:
        return "Error: order not found"
    if order["status"] != "pending":
        return "Error: non-pending order cannot be cancelled"
    if reason not in ("no longer needed", "ordered by mistake"):
        return "Error: invalid reason"
    refunds, owner = [], database.users[order["user_id"]]
    for payment in order["payment_history"]:  # whatever its type: upstream "refunds" refunds, too
        method = payment["payment_method_id"]
        refunds.append(_transaction("refund", payment["amount"], method))
        if is_gift_card_id(method):
            owner = credited(owner, method, payment["amount"])
    history = order["payment_history"] + refunds
    order = {**order, "status": "cancelled", "payment_history": history, "cancel_reason": reason}
    return _committed(database, order_id, order, owner)


def modify_pending_order_address(
    database: Database,
    order_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> str:
    """Change where a pending order is sent. Explain it and get the customer's explicit yes first.

    Args:
        order_id: The order id with its leading '#', such as '#W1234567'.
        address1: First line of the address, such as '12 Elm Street'.
        address2: Second line of the address, such as 'Apt 4'; may be empty.
        city: The city, such as 'Denver'.
        state: The state, such as 'CO'.
        country: The country, such as 'USA'.
        zip: The zip code, such as '12345'.
    """
    order = database.orders.get(order_id)
    if order is None:
        return "Error: order not found"
    if order["status"] != "pending":
        return "Error: non-pending order cannot be modified"
    address = {
        "address1": address1,
        "address2": address2,
        "city": city,
        "state": state,
        "country": country,
        "zip": zip,
    }
    return _committed(database, order_id, {**order, "address": address})


def modify_pending_order_payment(database: Database, order_id: str, payment_method_id: str) -> str:
    """Pay a pending order with another method. Explain it and get the customer's explicit yes first.

    Args:
        order_id: The order id with its leading '#', such as '#W1234567'.
        payment_method_id: The new method from the customer's profile, such as 'gift_card_1234567'.
    """
    order = database.orders.get(order_id)
    if order is None:
        return "Error: order not found"
    if order["status"] != "pending":
        return "Error: non-pending order cannot be modified"
    owner = database.users[order["user_id"]]
    if payment_method_id not in owner["payment_methods"]:
        return "Error: payment method not found"
    history = order["payment_history"]
    if len(history) > 1 or history[0]["transaction_type"] != "payment":
        return "Error: there should be exactly one payment for a pending order"
    old, amount = history[0]["payment_method_id"], history[0]["amount"]
    if old == payment_method_id:
        return "Error: the new payment method should be different from the current one"
    method = owner["payment_methods"][payment_method_id]
    if method["source"] == "gift_card" and method["balance"] < amount:
        return "Error: insufficient gift card balance to pay for the order"
    if method["source"] == "gift_card":
        owner = credited(owner, payment_method_id, -amount)
    if is_gift_card_id(old):
        owner = credited(owner, old, amount)
    moved = [_transaction("payment", amount, payment_method_id), _transaction("refund", amount, old)]
    return _committed(database, order_id, {**order, "payment_history": history + moved}, owner)


def modify_pending_order_items(
    database: Database, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> str:
    """Swap items of a pending order for other variants of the same products. It works once per order.

    Explain it and get the customer's explicit yes first; ask for all items to be changed at once, because
    afterwards the order can neither be changed nor cancelled.

    Args:
        order_id: The order id with its leading '#', such as '#W1234567'.
        item_ids: The ids of the items to be swapped; an id may occur twice if the order has the item twice.
        new_item_ids: The ids they are swapped for, in the same order, each of the same product.
        payment_method_id: The method that pays or gets back the difference, such as 'paypal_1234567'.
    """
    order = database.orders.get(order_id)
    if order is None:
        return "Error: order not found"
    if order["status"] != "pending":
        return "Error: non-pending order cannot be modified"
    pairs = swap_pairs(database, order, item_ids, new_item_ids)
    if isinstance(pairs, str):
        return pairs
    difference = total_difference(pairs)  # unrounded, as upstream books it
    owner = database.users[order["user_id"]]
    if payment_method_id not in owner["payment_methods"]:
        return "Error: payment method not found"
    method = owner["payment_methods"][payment_method_id]
    if method["source"] == "gift_card":
        if method["balance"] < difference:
            return "Error: insufficient gift card balance to pay for the new item"
        owner = credited(owner, payment_method_id, -difference)
    kind = "payment" if difference > 0 else "refund"
    booked = _transaction(kind, abs(difference), payment_method_id)
    changed = {
        **order,
        "items": _swapped(database, order["items"], item_ids, new_item_ids),
        "status": "pending (item modified)",
        "payment_history": [*order["payment_history"], booked],
    }
    return _committed(database, order_id, changed, owner)


def _swapped(database: Database, items: list[Record], old_ids: list[str], new_ids: list[str]) -> list[Record]:
    """Each pair replaces the first item whose id is the old one by then: a chain may hit one just written."""
    items = list(items)
    for old, new in zip(old_ids, new_ids, strict=True):
        index = [item["item_id"] for item in items].index(old)
        variant = database.products[items[index]["product_id"]]["variants"][new]
        items[index] = {
            **items[index],
            "item_id": new,
            "price": variant["price"],
            "options": variant["options"],
        }
    return items


def _transaction(kind: str, amount: float, method: str) -> dict[str, Any]:
    return {"transaction_type": kind, "amount": amount, "payment_method_id": method}


def _committed(database: Database, order_id: str, order: Record, owner: Record | None = None) -> str:
    gift_card_took_part = owner is not None and owner is not database.users[order["user_id"]]
    users = {order["user_id"]: owner} if gift_card_took_part else {}
    database.commit(orders={order_id: order}, users=users)
    return database.text("orders", order_id)
