"""Tools for delivered orders: return items, or exchange them. Both only record a request."""

from envs.retail.database import Database
from envs.retail.tools.money import is_gift_card_id, swap_pairs, total_difference


def exchange_delivered_order_items(
    database: Database, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> str:
    """Exchange items of a delivered order for other variants of the same products. It works once per order.

    Explain it and get the customer's explicit yes first, and ask for all items to be exchanged at once.

    Args:
        order_id: The order id with its leading '#', such as '#W1234567'.
        item_ids: The ids of the items to be exchanged; an id may occur twice if the order has the item twice.
        new_item_ids: The ids they are exchanged for, in the same order, each of the same product.
        payment_method_id: The method that pays or gets back the difference, such as 'paypal_1234567'.
    """
    order = database.orders.get(order_id)
    if order is None:
        return "Error: order not found"
    if order["status"] != "delivered":
        return "Error: non-delivered order cannot be exchanged"
    pairs = swap_pairs(database, order, item_ids, new_item_ids)
    if isinstance(pairs, str):
        return pairs
    difference = round(total_difference(pairs), 2)
    methods = database.users[order["user_id"]]["payment_methods"]
    if payment_method_id not in methods:
        return "Error: payment method not found"
    method = methods[payment_method_id]
    if method["source"] == "gift_card" and method["balance"] < difference:
        return "Error: insufficient gift card balance to pay for the price difference"
    request = {
        "status": "exchange requested",
        "exchange_items": sorted(item_ids),  # sorted apart from each other, as upstream does: pairs are lost
        "exchange_new_items": sorted(new_item_ids),
        "exchange_payment_method_id": payment_method_id,
        "exchange_price_difference": difference,
    }
    database.commit(orders={order_id: {**order, **request}})
    return database.text("orders", order_id)


def return_delivered_order_items(
    database: Database, order_id: str, item_ids: list[str], payment_method_id: str
) -> str:
    """Return items of a delivered order. The customer gets an e-mail about how to send them back.

    Explain it and get the customer's explicit yes first.

    Args:
        order_id: The order id with its leading '#', such as '#W1234567'.
        item_ids: The ids of the items to be returned; an id may occur twice if the order has the item twice.
        payment_method_id: Where the refund goes: the order's payment method or a gift card of the customer.
    """
    order = database.orders.get(order_id)
    if order is None:
        return "Error: order not found"
    if order["status"] != "delivered":
        return "Error: non-delivered order cannot be returned"
    if payment_method_id not in database.users[order["user_id"]]["payment_methods"]:
        return "Error: payment method not found"
    paid_with = order["payment_history"][0]["payment_method_id"]
    if not is_gift_card_id(payment_method_id) and payment_method_id != paid_with:
        return "Error: payment method should be either the original payment method or a gift card"
    ordered = [item["item_id"] for item in order["items"]]
    for item_id in item_ids:
        if item_ids.count(item_id) > ordered.count(item_id):
            return "Error: some item not found"
    request = {
        "status": "return requested",
        "return_items": sorted(item_ids),
        "return_payment_method_id": payment_method_id,
    }
    database.commit(orders={order_id: {**order, **request}})
    return database.text("orders", order_id)
