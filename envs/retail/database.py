"""The shop's records: loaded once, seen by every episode through a copy-on-write view.

How a view shares what an episode left alone is told in `envs.world`; here are the shop's three tables and the
indices that its tools look things up in.

    shop = Shop.load()
    database = shop.open()
    database.orders["#W1234567"]["status"]
    database.commit(orders={"#W1234567": new_order})
    database.changes()   # what differs from the shop, as canonical text
    database.sha256()    # of the whole, for comparing with other implementations
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, read_json
from envs.world import Changes, Record, Table, View, World, canonical

DATA = Path(__file__).parent / "data"
TABLES = ("orders", "products", "users")  # in the order of tau-bench's own database

__all__ = ["DATA", "TABLES", "Changes", "Database", "Record", "Shop", "canonical"]


class Shop(World):
    """The retail shop's records, with the indices its tools look things up in."""

    written = ("orders", "users")
    users: Mapping[str, Record]
    products: Mapping[str, Record]
    orders: Mapping[str, Record]

    def __init__(self, users: dict[str, Record], products: dict[str, Record], orders: dict[str, Record]):
        super().__init__(None, orders=orders, products=products, users=users)

    @classmethod
    def load(cls, folder: str | Path = DATA) -> "Shop":
        """Read users, products and orders (.json or .json.gz) from a folder."""
        return cls(**{table: _read_table(Path(folder), table) for table in ("users", "products", "orders")})

    def open(self) -> "Database":
        """A fresh view for one episode."""
        return Database(self)

    @cached_property
    def user_ids_by_email(self) -> dict[str, str]:
        """First user of each e-mail address (lower case); no tool changes an e-mail address."""
        ids: dict[str, str] = {}
        for user_id, user in self.users.items():
            ids.setdefault(user["email"].lower(), user_id)
        return ids

    @cached_property
    def user_ids_by_name(self) -> dict[str, dict[str, list[str]]]:
        """first name -> last name -> user ids in file order, all lower case; no tool changes a name."""
        ids: dict[str, dict[str, list[str]]] = {}
        for user_id, user in self.users.items():
            first, last = user["name"]["first_name"].lower(), user["name"]["last_name"].lower()
            ids.setdefault(first, {}).setdefault(last, []).append(user_id)
        return ids

    @cached_property
    def product_types(self) -> str:
        """The answer of `list_all_product_types`; no tool changes the catalogue."""
        ids = {product["name"]: product["product_id"] for product in self.products.values()}
        return json.dumps(dict(sorted(ids.items())))


class Database(View):
    """One episode's view of the shop: everything as it was, but for what the episode changed."""

    def __init__(self, shop: Shop):
        self.shop, self.products = shop, shop.products  # as View does, written out: a third less time
        self.orders, self.users = Table(shop.orders), Table(shop.users)
        self._texts: dict[tuple[str, str], str] = {}
        self._canonical: Changes = {}

    def tau_bench_hash(self) -> str:
        """tau-bench's own hash: of the printed form of nested sorted tuples. Slow: rewards use `changes`."""
        whole = {table: dict(getattr(self, table)) for table in TABLES}
        return hashlib.sha256(str(_hashable(whole)).encode("utf-8", "surrogatepass")).hexdigest()


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _hashable(value[key])) for key in sorted(value))
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    return value


_NEEDED = {
    "users": ("name", "address", "email", "payment_methods", "orders"),
    "products": ("name", "product_id", "variants"),
    "orders": ("order_id", "user_id", "address", "items", "status", "payment_history"),
}


def _read_table(folder: Path, table: str) -> dict[str, Record]:
    """Read one file and say which record is unfit, before a tool stumbles over it."""
    path = next((p for p in (folder / f"{table}.json", folder / f"{table}.json.gz") if p.exists()), None)
    if path is None:
        raise FileError(folder / f"{table}.json", None, "not found (a shop is users, products and orders)")
    records = read_json(path)
    if not isinstance(records, dict):
        raise FileError(path, None, "must be an object keyed by id")
    for key, record in records.items():
        if not isinstance(record, dict):
            raise FileError(path, None, f"record {key!r} must be an object")
        missing = [name for name in _NEEDED[table] if name not in record]
        if missing:
            raise FileError(path, None, f"record {key!r} lacks {', '.join(missing)}")
    return records
