"""The settings of a run as tables for docs/configuration.md: names, defaults and meanings from the code.

    print(tables())

A field's meaning is the comment on its line in `pipeline/config.py`; a comment on a line of its own begins a
new group. What a profile comes to is asked of `resolve`, so that modes and overrides are counted in.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline import config
from pipeline.config import MODES, PROFILES, Config, resolve

FIRST = "the run"  # the group before the first comment on a line of its own
_FIELD = re.compile(r"    (?P<name>\w+): [^=#]+ = ")
_GROUP = re.compile(r"    # (?P<title>.+)")


@dataclass(frozen=True)
class Setting:
    """One field of Config."""

    name: str
    default: Any
    meaning: str
    group: str


def read_settings() -> list[Setting]:
    """All fields in the order of the code; one without a comment is an error that names it."""
    group, comments, groups = FIRST, {}, {}
    name = ""
    for line in inspect.getsource(config).split("class Config:")[1].splitlines():
        if line.startswith("    def "):
            break
        if begins := _FIELD.match(line):
            name = begins["name"]
            groups[name] = group
        elif title := _GROUP.fullmatch(line):
            group, name = title["title"], ""
        if name and "  # " in line:
            comments[name] = line.split("  # ", 1)[1]
    defaults = asdict(Config())
    if missing := defaults.keys() - comments.keys():
        raise ValueError(f"pipeline/config.py: say in a comment what {', '.join(sorted(missing))} is")
    return [Setting(name, value, comments[name], groups[name]) for name, value in defaults.items()]


def tables() -> str:
    """Every setting by group, then what the profiles set otherwise."""
    found = read_settings()
    parts = []
    for group in dict.fromkeys(one.group for one in found):
        rows = [(f"`{one.name}`", _shown(one.default), one.meaning) for one in found if one.group == group]
        parts.append(
            f"### {group[0].upper()}{group[1:]}\n\n{_table(('setting', 'default', 'what it is'), rows)}"
        )
    for mode in MODES:
        parts.append(f"### Profiles in {mode} mode\n\n{_profiles(mode)}")
    return "\n\n".join(["", *parts, ""])


def _profiles(mode: str) -> str:
    """What the profiles come to in a mode, where it is not the default; equal profiles share a column."""
    columns: dict[str, Mapping[str, Any]] = {}
    for profile in PROFILES:
        values = asdict(resolve(profile, environ={}, mode=mode))
        same = next(
            (names for names, other in columns.items() if _but_name(other) == _but_name(values)), None
        )
        columns[f"{same}, {profile}" if same else profile] = columns.pop(same) if same else values
    names = [one.name for one in read_settings() if one.name not in ("profile", "mode")]
    default = asdict(Config())
    rows = [
        (f"`{name}`", *(_shown(values[name]) for values in columns.values()))
        for name in names
        if any(values[name] != default[name] for values in columns.values())
    ]
    return _table(("setting", *columns), rows)


def _but_name(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "profile"}


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value) or "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
