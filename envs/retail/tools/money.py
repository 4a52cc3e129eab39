"""What several tools share about money and swaps: gift card balances, price differences, fit of a swap."""

from envs.retail.database import Database, Record


def is_gift_card_id(payment_method_id: str) -> bool:
    """Whether an id names a gift card; where upstream looks at the id, not at the method's source."""
    return "gift_card" in payment_method_id


def credited(user: Record, payment_method_id: str, amount: float) -> Record:
    """The user with `amount` more on a gift card, rounded to cents."""
    method = user["payment_methods"][payment_method_id]
    method = {**method, "balance": round(method["balance"] + amount, 2)}
    return {**user, "payment_methods": {**user["payment_methods"], payment_method_id: method}}


def swap_fault(database: Database, order: Record, item_ids: list[str], new_item_ids: list[str]) -> str | None:
    """Why these items of the order cannot become those, or None."""
    ordered = [item["item_id"] for item in order["items"]]
    for item_id in item_ids:
        if item_ids.count(item_id) > ordered.count(item_id):
            return f"Error: {item_id} not found"
    if len(item_ids) != len(new_item_ids):
        return "Error: the number of items to be exchanged should match"
    for item_id, new_item_id in zip(item_ids, new_item_ids, strict=True):
        variant = _variants(database, order, item_id).get(new_item_id)
        if variant is None or not variant["available"]:
            return f"Error: new item {new_item_id} not found or available"
    return None


def total_difference(
    database: Database, order: Record, item_ids: list[str], new_item_ids: list[str]
) -> float:
    """What the new items cost more than the old ones did, summed left to right; unrounded."""
    difference = 0
    for item_id, new_item_id in zip(item_ids, new_item_ids, strict=True):
        price = _variants(database, order, item_id)[new_item_id]["price"]
        difference += price - _ordered(order, item_id)["price"]
    return difference


def _ordered(order: Record, item_id: str) -> Record:
    return next(item for item in order["items"] if item["item_id"] == item_id)


def _variants(database: Database, order: Record, item_id: str) -> Record:
    return database.products[_ordered(order, item_id)["product_id"]]["variants"]
