"""Makes a whole shop from a seed: customers, catalogue and orders that agree with each other in every detail.

The shop in `data/` is seed 7. Another seed gives another shop of the same kind (other people, ids, variants,
prices and orders), to see whether an agent learned the work or one shop's contents. Standard library only.

    python -m envs.retail.make_shop --seed 7 --out envs/retail/data
    shop = make_shop(11)     # {"users": {...}, "products": {...}, "orders": {...}}
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from envs.retail.catalogue import (
    CITIES,
    FIRST_NAMES,
    LAST_NAMES,
    PRODUCT_TYPES,
    STREET_KINDS,
    STREET_NAMES,
    ProductType,
)
from envs.retail.database import DATA, Record
from envs.retail.files import whole_file

Table = dict[str, Record]

SEED = 7
USERS = 500
USERS_WITHOUT_ORDERS = 60
STATUSES = {"pending": 420, "delivered": 370, "processed": 105, "cancelled": 105}
ELSEWHERE = 200  # orders that go to an address other than the customer's own
ITEMS = (26, 26, 20, 16, 12)  # how often an order has 1, 2, 3, 4 or 5 items
LARGE_GIFT = 400.0  # above this, whoever has another method does not pay with a gift card


def make_shop(seed: int = SEED) -> dict[str, Table]:
    """The shop of a seed, in tau-bench's record formats."""
    # one generator a table, so that a change to one leaves the others as they were
    products = make_products(Random(f"{seed}/products"))
    users = make_users(Random(f"{seed}/customers"))
    orders = make_orders(Random(f"{seed}/orders"), users, products)
    return {"users": users, "products": products, "orders": orders}


def write_shop(shop: dict[str, Table], folder: str | Path) -> None:
    """Write users.json, products.json and orders.json, one record a line so that diffs stay readable."""
    for name, table in shop.items():
        with whole_file(Path(folder) / f"{name}.json") as out:
            records = (f"{json.dumps(key)}: {json.dumps(record)}" for key, record in table.items())
            out.write("{\n" + ",\n".join(records) + "\n}\n")


def _ids(random: Random, digits: int) -> Iterator[str]:
    """Endless distinct numbers of so many digits, none beginning with a zero."""
    seen: set[int] = set()
    while True:
        number = random.randrange(10 ** (digits - 1), 10**digits)
        if number not in seen:
            seen.add(number)
            yield str(number)


# ---- catalogue ----


def make_products(random: Random) -> Table:
    """All product types, each in a sample of its possible option sets."""
    ids = _ids(random, 10)
    products = {}
    for kind in PRODUCT_TYPES:
        product_id = next(ids)
        variants = {variant["item_id"]: variant for variant in _variants(random, kind, ids)}
        products[product_id] = {"name": kind.name, "product_id": product_id, "variants": variants}
    return products


def _variants(random: Random, kind: ProductType, ids: Iterator[str]) -> list[Record]:
    everything = list(itertools.product(*(range(len(axis.values)) for axis in kind.axes)))
    count = min(20, max(5, round(len(everything) * random.uniform(0.55, 0.82))))
    available = max(2, round(count * random.uniform(0.5, 0.8)))
    prices: set[float] = set()
    variants = []
    for place, chosen in enumerate(random.sample(everything, count)):
        options = {axis.name: axis.values[value] for axis, value in zip(kind.axes, chosen, strict=True)}
        price, in_stock = _price(random, kind, chosen, prices), place < available
        variants.append({"item_id": next(ids), "options": options, "available": in_stock, "price": price})
    random.shuffle(variants)
    return variants


def _price(random: Random, kind: ProductType, chosen: tuple[int, ...], taken: set[float]) -> float:
    """A price that grows with the better options; no two variants cost the same, so "the cheapest" is one."""
    price = kind.price
    for axis, value in zip(kind.axes, chosen, strict=True):
        price *= (1 + axis.step) ** value
    while True:
        drawn = round(price * random.uniform(0.94, 1.06), 2)
        if drawn not in taken:
            taken.add(drawn)
            return drawn


# ---- customers ----


def make_users(random: Random) -> Table:
    """Customers with a name, a home, an e-mail address and one to four ways to pay; no orders yet."""
    payment_ids = _ids(random, 7)
    users: Table = {}
    seen: set[str | tuple[str, ...]] = set()
    while len(users) < USERS:
        user_id, user = _user(random)
        # whatever identifies a customer must identify only one; two of the same name are welcome
        keys = {user_id, user["email"], (*user["name"].values(), user["address"]["zip"])}
        if not seen & keys:
            seen |= keys
            users[user_id] = user | {"payment_methods": _payment_methods(random, payment_ids), "orders": []}
    return users


def _user(random: Random) -> tuple[str, Record]:
    first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    in_id, in_email = random.sample(range(1000, 10000), 2)
    return f"{first}_{last}_{in_id}".lower(), {
        "name": {"first_name": first, "last_name": last},
        "address": _address(random),
        "email": f"{first}.{last}{in_email}@example.com".lower(),
    }


def _address(random: Random) -> Record:
    city = random.choice(CITIES)
    street = f"{random.choice(STREET_NAMES)} {random.choice(STREET_KINDS)}"
    return {
        "address1": f"{random.randrange(11, 990)} {street}",
        "address2": f"{random.choice(('Apt', 'Suite', 'Unit'))} {random.randrange(101, 990)}",
        "city": city.name,
        "country": "USA",
        "state": city.state,
        "zip": f"{random.randint(city.first_zip, city.last_zip):05d}",
    }


def _payment_methods(random: Random, ids: Iterator[str]) -> Table:
    count = random.choices((1, 2, 3, 4), weights=(40, 40, 15, 5))[0]
    wallet = ["credit_card", "paypal", "gift_card", "credit_card", "gift_card"]
    sources = random.sample(wallet[:3] if count < 3 else wallet, count)
    methods = (_payment_method(random, source, f"{source}_{next(ids)}") for source in sources)
    return {method["id"]: method for method in methods}


def _payment_method(random: Random, source: str, method_id: str) -> Record:
    if source == "paypal":
        return {"source": source, "id": method_id}
    if source == "gift_card":
        # most cover a price difference at best; a quarter can pay for a whole order
        large = random.random() < 0.25
        balance = random.choice((150, 200, 250, 300, 500)) if large else random.randint(0, 100)
        return {"source": source, "balance": balance, "id": method_id}
    brand = random.choice(("mastercard", "visa"))
    return {"source": source, "brand": brand, "last_four": f"{random.randrange(10000):04d}", "id": method_id}


# ---- orders ----


def make_orders(random: Random, users: Table, products: Table) -> Table:
    """Orders in a fixed mix of statuses; also enters each one in its customer's record."""
    order_ids, tracking_ids = _ids(random, 7), _ids(random, 12)
    statuses = [status for status, count in STATUSES.items() for _ in range(count)]
    random.shuffle(statuses)
    away = set(random.sample(range(len(statuses)), ELSEWHERE))
    second_homes = {user_id: _address(random) for user_id in users}  # one each, so that orders can share it
    orders = {}
    buyers = _buyers(random, users, len(statuses))
    for place, (status, user_id) in enumerate(zip(statuses, buyers, strict=True)):
        order_id = f"#W{next(order_ids)}"
        items = _items(random, products)
        orders[order_id] = {
            "order_id": order_id,
            "user_id": user_id,
            "address": dict(second_homes[user_id] if place in away else users[user_id]["address"]),
            "items": items,
            "fulfillments": [] if status == "pending" else [_parcel(items, next(tracking_ids))],
            "status": status,
            "payment_history": _payment_history(random, users[user_id], items, status),
        }
        users[user_id]["orders"].append(order_id)
    return orders


def _buyers(random: Random, users: Table, count: int) -> list[str]:
    """Who placed each order: all but a few customers at least one, some several."""
    customers = random.sample(list(users), len(users) - USERS_WITHOUT_ORDERS)
    buyers = customers + random.choices(customers, k=count - len(customers))
    random.shuffle(buyers)
    return buyers


def _items(random: Random, products: Table) -> list[Record]:
    """One to five items; now and then two variants of one product or the same item twice."""
    chosen = random.sample(list(products.values()), random.choices((1, 2, 3, 4, 5), ITEMS)[0])
    pairs = [(product, random.choice(list(product["variants"].values()))) for product in chosen]
    luck = random.random()
    if len(pairs) < 5 and luck < 0.14:
        product, variant = pairs[0]
        others = [other for other in product["variants"].values() if other is not variant]
        pairs.append((product, variant if luck < 0.02 else random.choice(others)))
        random.shuffle(pairs)
    return [_item(product, variant) for product, variant in pairs]


def _item(product: Record, variant: Record) -> Record:
    return {
        "name": product["name"],
        "product_id": product["product_id"],
        "item_id": variant["item_id"],
        "price": variant["price"],
        "options": dict(variant["options"]),
    }


def _parcel(items: list[Record], tracking_id: str) -> Record:
    return {"tracking_id": [tracking_id], "item_ids": [item["item_id"] for item in items]}


def _payment_history(random: Random, user: Record, items: list[Record], status: str) -> list[Record]:
    """The payment with one of the customer's methods; for a cancelled order the refund to it as well."""
    total = round(sum(item["price"] for item in items), 2)
    methods = list(user["payment_methods"].values())
    if total > LARGE_GIFT:
        methods = [method for method in methods if method["source"] != "gift_card"] or methods
    method_id = random.choice(methods)["id"]
    kinds = ("payment", "refund") if status == "cancelled" else ("payment",)
    return [{"transaction_type": kind, "amount": total, "payment_method_id": method_id} for kind in kinds]


def main() -> None:
    """Write the shop's three files."""
    parser = argparse.ArgumentParser(description="Make the shop's data from a seed.")
    parser.add_argument("--seed", type=int, default=SEED, help="which shop (default: %(default)s, ours)")
    parser.add_argument("--out", type=Path, default=DATA, help="where they go (default: our shop's folder)")
    arguments = parser.parse_args()
    if arguments.seed != SEED and arguments.out.resolve() == DATA.resolve():
        parser.error(f"the project's own shop is seed {SEED}; give another seed's files a folder with --out")
    write_shop(make_shop(arguments.seed), arguments.out)
    print(f"users.json, products.json and orders.json of shop {arguments.seed} are in {arguments.out}")


if __name__ == "__main__":
    main()
