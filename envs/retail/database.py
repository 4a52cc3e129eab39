"""The shop's records: loaded once, seen by every episode through a copy-on-write view.

A record (one order, product or user) is never changed in place. A tool builds a new record that shares
its unchanged parts with the old one and commits it to its episode's view, so opening an episode costs
nothing and an episode weighs only what it changed.

    shop = Shop.load()
    database = shop.open()
    database.orders["#W1234567"]["status"]
    database.commit(orders={"#W1234567": new_order})
    database.changes()   # what differs from the shop, as canonical text
    database.sha256()    # of the whole, for comparing with other implementations
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from envs.retail.files import FileError, read_json

DATA = Path(__file__).parent / "data"
TABLES = ("orders", "products", "users")  # in the order of tau-bench's own database

Record = dict[str, Any]
Changes = dict[tuple[str, str], str]


_PRINTED = json.JSONEncoder()  # what json.dumps() writes, and what tools answer
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))  # made once: half the cost of dumps()


def canonical(value: Any) -> str:
    """The one text of a JSON value: two values are equal exactly when these texts are (50 is not 50.0)."""
    return _CANONICAL.encode(value)


class Table(Mapping[str, Record]):
    """The records of one kind as an episode sees them; reading only."""

    __slots__ = ("_base", "changed")

    def __init__(self, base: Mapping[str, Record]):
        self._base = base
        self.changed: dict[str, Record] = {}

    def __getitem__(self, key: str) -> Record:
        return self.changed[key] if key in self.changed else self._base[key]

    def get(self, key: Any, default: Any = None) -> Any:
        """The record, or `default`; an unhashable key raises as it does in a dict."""
        return self.changed[key] if key in self.changed else self._base.get(key, default)

    def __contains__(self, key: Any) -> bool:
        return key in self._base  # records are changed, never added

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __len__(self) -> int:
        return len(self._base)


class Writer:
    """Writes the records of a table as JSON text, in pieces: what an episode left alone is written only once.

    An episode's record shares its unchanged fields with the shop's, so a field that *is* the shop's has been
    written before; the whole text costs what the changed fields cost.
    """

    __slots__ = ("_encoder", "_fields", "_records", "_texts")

    def __init__(self, records: Mapping[str, Record], encoder: json.JSONEncoder):
        self._records, self._encoder = records, encoder
        self._texts: dict[str, str] = {}
        self._fields: dict[str, dict[str, str]] = {}

    def unchanged(self, key: str) -> str:
        """The text of the shop's own record; made once."""
        if key not in self._texts:
            self._texts[key] = self._encoder.encode(self._records[key])
        return self._texts[key]

    def changed(self, key: str, record: Record) -> str:
        """The text of an episode's record; the same as encoding it anew."""
        ours = self._records[key]
        if key not in self._fields:
            self._fields[key] = {field: self._field(field, value) for field, value in ours.items()}
        written = self._fields[key]
        fields = [
            written[field] if field in written and value is ours[field] else self._field(field, value)
            for field, value in (sorted(record.items()) if self._encoder.sort_keys else record.items())
        ]
        return "{" + self._encoder.item_separator.join(fields) + "}"

    def _field(self, field: str, value: Any) -> str:
        return self._encoder.encode(field) + self._encoder.key_separator + self._encoder.encode(value)


class Shop:
    """All records as they were at opening time, and what can be prepared from them once for all episodes."""

    def __init__(self, users: dict[str, Record], products: dict[str, Record], orders: dict[str, Record]):
        self.users, self.products, self.orders = map(MappingProxyType, (users, products, orders))
        self.printed = {table: Writer(getattr(self, table), _PRINTED) for table in TABLES}
        self.canonical = {table: Writer(getattr(self, table), _CANONICAL) for table in TABLES}
        self.gold_ends: dict[str, Changes] = {}  # right ends of tasks seen before, by Task.gold_key

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

    @cached_property
    def _pieces(self) -> dict[str, dict[str, str]]:
        """Every record's share of the canonical text, in its order: what `sha256` is joined from."""
        return {
            table: {
                key: f"{json.dumps(key)}:{self.canonical[table].unchanged(key)}"
                for key in sorted(getattr(self, table))
            }
            for table in TABLES
        }


class Database:
    """One episode's view of the shop: everything as it was, but for what the episode changed."""

    __slots__ = ("_canonical", "_texts", "orders", "shop", "users")

    def __init__(self, shop: Shop):
        self.shop = shop
        self.orders = Table(shop.orders)
        self.users = Table(shop.users)
        self._texts: dict[tuple[str, str], str] = {}
        self._canonical: Changes = {}

    @property
    def products(self) -> Mapping[str, Record]:
        """The catalogue, which no tool changes."""
        return self.shop.products

    def commit(
        self, orders: Mapping[str, Record] | None = None, users: Mapping[str, Record] | None = None
    ) -> None:
        """Put new records in place: all of them, or none where one cannot be written as JSON."""
        new = [("orders", key, record) for key, record in (orders or {}).items()]
        new += [("users", key, record) for key, record in (users or {}).items()]
        texts = {(table, key): self.shop.printed[table].changed(key, record) for table, key, record in new}
        canonicals = {
            (table, key): self.shop.canonical[table].changed(key, record) for table, key, record in new
        }
        for table, key, record in new:
            getattr(self, table).changed[key] = record
        self._texts |= texts
        self._canonical |= canonicals

    def text(self, table: str, key: str) -> str:
        """A record's JSON as tools print it."""
        return self._texts.get((table, key)) or self.shop.printed[table].unchanged(key)

    def changes(self) -> Changes:
        """Canonical text of each record that differs from the shop's; equal changes mean equal databases."""
        return {
            (table, key): text
            for (table, key), text in self._canonical.items()
            if text != self.shop.canonical[table].unchanged(key)
        }

    def sha256(self) -> str:
        """Hash of the whole database's canonical text (sorted compact JSON)."""
        tables = []
        for table in TABLES:
            pieces = self.shop._pieces[table]
            ours = {
                key: f"{json.dumps(key)}:{text}"
                for (name, key), text in self._canonical.items()
                if name == table
            }
            tables.append(f'"{table}":{{{",".join((pieces | ours).values())}}}')
        return hashlib.sha256(("{" + ",".join(tables) + "}").encode()).hexdigest()

    def tau_bench_hash(self) -> str:
        """tau-bench's own hash: of the printed form of nested sorted tuples. Slow: rewards use `changes`."""
        whole = {table: dict(getattr(self, table)) for table in TABLES}
        return hashlib.sha256(str(_hashable(whole)).encode("utf-8", "surrogatepass")).hexdigest()

    def state(self) -> dict[str, dict[str, Record]]:
        """The changed records as JSON, for putting an episode away."""
        return {"orders": dict(self.orders.changed), "users": dict(self.users.changed)}

    def restore(self, state: Mapping[str, Mapping[str, Record]]) -> None:
        """Take up a view that was put away."""
        self.__init__(self.shop)
        self.commit(orders=state["orders"], users=state["users"])


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
