"""The records of a world: loaded once, seen by every episode through a copy-on-write view.

A world is its tables of records and its domain (`envs.domain`: policy and tools). A record is never changed
in place: a tool builds a new one that shares its unchanged parts with the old and commits it to its episode's
view. So opening an episode costs nothing, and an episode weighs only what it changed.

    world = World(domain, books={"B1": {...}}, members={"M1": {...}})
    view = world.open()
    view.commit(books={"B1": {**view.books["B1"], "lent_to": "M1"}})
    view.changes()   # what differs from the world, as canonical text: equal changes, equal worlds

The retail shop (`envs.retail.database`) is one world, the example in `envs/library.py` another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envs.domain import Domain

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

    An episode's record shares its unchanged fields with the world's, so a field that *is* the world's has
    been written before; the whole text costs what the changed fields cost.
    """

    __slots__ = ("_encoder", "_fields", "_records", "_texts")

    def __init__(self, records: Mapping[str, Record], encoder: json.JSONEncoder):
        self._records, self._encoder = records, encoder
        self._texts: dict[str, str] = {}
        self._fields: dict[str, dict[str, str]] = {}

    def unchanged(self, key: str) -> str:
        """The text of the world's own record; made once."""
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


class World:
    """All records as they were at opening time, and what can be prepared from them once for all episodes."""

    written: tuple[str, ...] = ()  # the tables that tools change; all of them where none are named

    def __init__(self, domain: Domain | None, **tables: dict[str, Record]):
        """`domain` is the world's policy and tools; without one it is the retail shop's."""
        self.domain = domain
        self.tables: dict[str, Mapping[str, Record]] = {
            name: MappingProxyType(records) for name, records in tables.items()
        }
        self.written = self.written or tuple(tables)
        self.printed = {name: Writer(records, _PRINTED) for name, records in self.tables.items()}
        self.canonical = {name: Writer(records, _CANONICAL) for name, records in self.tables.items()}
        vars(self).update(self.tables)  # each also by its name: world.books
        self.gold_ends: dict[str, Changes] = {}  # right ends of tasks seen before, by Task.gold_key

    def open(self) -> View:
        """A fresh view for one episode."""
        return View(self)

    @cached_property
    def _pieces(self) -> dict[str, dict[str, str]]:
        """Every record's share of the canonical text, in its order: what `sha256` is joined from."""
        return {
            table: {
                key: f"{json.dumps(key)}:{self.canonical[table].unchanged(key)}" for key in sorted(records)
            }
            for table, records in self.tables.items()
        }


class View:
    """One episode's view of a world: everything as it was, but for what the episode changed."""

    def __init__(self, shop: World):
        self.shop = shop
        for name in shop.tables:
            setattr(self, name, Table(shop.tables[name]) if name in shop.written else shop.tables[name])
        self._texts: dict[tuple[str, str], str] = {}
        self._canonical: Changes = {}

    def commit(self, **tables: Mapping[str, Record]) -> None:
        """Put new records in place: all of them, or none where one cannot be written as JSON."""
        new = [(table, key, one) for table, records in tables.items() for key, one in records.items()]
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
        """Canonical text of each record that differs from the world's; equal changes mean equal databases."""
        return {
            (table, key): text
            for (table, key), text in self._canonical.items()
            if text != self.shop.canonical[table].unchanged(key)
        }

    def sha256(self) -> str:
        """Hash of the whole database's canonical text (sorted compact JSON)."""
        tables = []
        for table in self.shop.tables:
            pieces = self.shop._pieces[table]
            ours = {
                key: f"{json.dumps(key)}:{text}"
                for (name, key), text in self._canonical.items()
                if name == table
            }
            tables.append(f'"{table}":{{{",".join((pieces | ours).values())}}}')
        return hashlib.sha256(("{" + ",".join(tables) + "}").encode()).hexdigest()

    def state(self) -> dict[str, dict[str, Record]]:
        """The changed records as JSON, for putting an episode away."""
        return {name: dict(getattr(self, name).changed) for name in self.shop.written}

    def restore(self, state: Mapping[str, Mapping[str, Record]]) -> None:
        """Take up a view that was put away."""
        self.__init__(self.shop)
        self.commit(**state)
