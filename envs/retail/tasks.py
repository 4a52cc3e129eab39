"""What an agent is asked to do: tasks, the actions that solve them, and the files both live in.

A task file is JSON Lines, one task a line, in the public shape with our fields beside it:

    {"query": "...", "gold_actions": [{"name": "...", "arguments": {...}}], "gold_final": ..., "id": "...",
     "customer": "ana_lopez_1234", "facts": {...}, "outputs": [...], "level": 1, "split": "train"}

Only `query` and `gold_actions` are required, so a file in the plain public shape reads as it is, and
whatever else a line holds survives a round trip in `extra`.

    tasks = read_tasks("data/dataset.jsonl")
    write_tasks("mine.jsonl", tasks)
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, json_line, read_lines, whole_file

RESPOND = "respond"  # the action that is not a tool: the agent speaks to the customer


@dataclass(frozen=True)
class Action:
    """One step of an agent: a tool call, or `respond` with the words for the customer."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Any) -> "Action":
        """Read `{"name", "arguments"}`; tau-bench's own spelling `kwargs` is understood too."""
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            raise ValueError('an action is an object with a text "name" and an object "arguments"')
        arguments = value.get("arguments", value.get("kwargs", {}))
        if not isinstance(arguments, Mapping):
            raise ValueError(f"the arguments of {value['name']!r} must be an object, not {arguments!r:.80}")
        return cls(value["name"], dict(arguments))

    def to_json(self) -> dict[str, Any]:
        """The public shape of a call."""
        return {"name": self.name, "arguments": self.arguments}


@dataclass(frozen=True)
class Task:
    """A customer's request with the actions that solve it and what the customer can tell when asked."""

    id: str
    query: str
    gold_actions: tuple[Action, ...]
    gold_final: Any = None  # what has changed in the shop at the end, as the generator proved it
    customer: str = ""  # the user id in the shop
    facts: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()  # what the customer must have been told
    level: int = 0
    split: str = ""
    extra: dict[str, Any] = field(default_factory=dict)  # fields of foreign files, kept as they were

    @cached_property
    def gold_key(self) -> str:
        """The gold actions as text: what a shop remembers a task's right end by."""
        return json.dumps([[action.name, action.arguments] for action in self.gold_actions])

    @classmethod
    def from_json(cls, value: Any, fallback_id: str = "") -> "Task":
        """Read one line of a task file; says which field is wrong."""
        if not isinstance(value, Mapping):
            raise ValueError("a task is a JSON object")
        rest = dict(value)
        query, gold = rest.pop("query", None), rest.pop("gold_actions", None)
        if not isinstance(query, str):
            raise ValueError('"query" must be a text')
        if not isinstance(gold, list):
            raise ValueError('"gold_actions" must be a list')
        known = {name: _checked(name, rest.pop(name)) for name in _TYPES if name in rest}
        known["outputs"] = tuple(known.get("outputs", ()))
        return cls(
            id=known.pop("id", fallback_id),
            query=query,
            gold_actions=tuple(Action.from_json(action) for action in gold),
            gold_final=rest.pop("gold_final", None),
            extra=rest,
            **known,
        )

    def to_json(self) -> dict[str, Any]:
        """The line of a task file, public fields first."""
        return {
            "id": self.id,
            "query": self.query,
            "gold_actions": [action.to_json() for action in self.gold_actions],
            "gold_final": self.gold_final,
            "customer": self.customer,
            "facts": self.facts,
            "outputs": list(self.outputs),
            "level": self.level,
            "split": self.split,
            **self.extra,
        }


_TYPES = {"id": str, "customer": str, "facts": dict, "outputs": list, "level": int, "split": str}


def _checked(name: str, value: Any) -> Any:
    kind = _TYPES[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f'"{name}" must be {kind.__name__}, not {value!r:.80}')
    if name == "outputs" and not all(isinstance(output, str) for output in value):
        raise ValueError('"outputs" must be a list of texts')
    return value


def iter_tasks(path: str | Path) -> Iterator[Task]:
    """Yield the tasks of a file one by one; a bad line raises `FileError` with its number."""
    for number, value in read_lines(path):
        try:
            yield Task.from_json(value, fallback_id=f"{Path(path).stem}/{number}")
        except ValueError as error:
            raise FileError(path, number, str(error)) from error


def read_tasks(path: str | Path) -> list[Task]:
    """All tasks of a JSONL file, plain or gzipped."""
    return list(iter_tasks(path))


def write_tasks(path: str | Path, tasks: Iterable[Task]) -> None:
    """Write tasks as JSONL; the file appears whole or not at all."""
    with whole_file(path) as out:
        for task in tasks:
            out.write(json_line(task.to_json()))
