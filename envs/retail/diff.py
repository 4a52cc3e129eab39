"""What an episode changed in the shop: field by field for a person to read, or as a task's `gold_final`.

for change in differences(database): print(change.record, change.field, change.before, "->", change.after)
final_state(shop, database)         # {"#W1234567": {"status": "cancelled", …}}
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from envs.retail.database import Database, Record, Shop, canonical
from envs.world import View

_ABSENT = "(none)"


@dataclass(frozen=True)
class Difference:
    """One field of one record that is no longer what it was."""

    table: str
    record: str
    field: str  # a path such as `items[1].price`
    before: Any
    after: Any


def differences(database: View) -> list[Difference]:
    """All changed fields of an episode's database, in order of record and field."""
    found = []
    for table, key in sorted(database.changes()):
        before, after = getattr(database.shop, table)[key], getattr(database, table)[key]
        found += [Difference(table, key, *change) for change in _walk("", before, after)]
    return found


def _walk(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            inner = f"{path}.{name}" if path else name
            yield from _walk(inner, before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            pair = (side[index] if index < len(side) else _ABSENT for side in (before, after))
            yield from _walk(f"{path}[{index}]", *pair)
    elif before != after or type(before) is not type(after):
        yield path, before, after


def final_state(shop: Shop, database: Database) -> dict[str, dict[str, Any]]:
    """What an episode changed: {record id: {field: new value}}."""
    final = {}
    for table in ("orders", "users"):
        before = getattr(shop, table)
        for key, record in getattr(database, table).changed.items():
            changed = {name: value for name, value in record.items() if _differs(before[key], name, value)}
            if changed:
                final[key] = changed
    return final


def _differs(before: Record, name: str, value: Any) -> bool:
    """Whether a field is new or another; 50.0 is not 50, as in the database's own comparison."""
    old = before.get(name)
    return name not in before or (old is not value and canonical(old) != canonical(value))
