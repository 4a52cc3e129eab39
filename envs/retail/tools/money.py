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


def swap_pairs(
    database: Database, order: Record, item_ids: list[str], new_item_ids: list[str]
) -> list[tuple[Record, Record]] | str:
    """Each item of the order with the variant it is swapped for; or the error why they cannot be swapped."""
    ordered = [item["item_id"] for item in order["items"]]
    for item_id in item_ids:
        if item_ids.count(item_id) > ordered.count(item_id):
            return f"Error: {item_id} not found"
    if len(item_ids) != len(new_item_ids):
        return "Error: the number of items to be exchanged should match"
    pairs = []
    for item_id, new_item_id in zip(item_ids, new_item_ids, strict=True):
        item = order["items"][ordered.index(item_id)]
        variant = database.products[item["product_id"]]["variants"].get(new_item_id)
        if variant is None or not variant["available"]:
            return f"Error: new item {new_item_id} not found or available"
        pairs.append((item, variant))
    return pairs


def total_difference(pairs: list[tuple[Record, Record]]) -> float:
    """What the new items cost more than the old ones did, unrounded."""
    difference = 0
    for item, variant in pairs:  # not sum(), which from Python 3.12 on adds up floats in another way
        difference += variant["price"] - item["price"]
    return difference
