"""What makes a domain: an agent's policy, the tools it may call, and what rewards must know of them.

    domain = Domain(
        policy="You work at the desk of a small library. ...",
        tools=tools_of(reads=[find_book], writes=[lend_book]),
        records=("book_id", "member_id"),
        deeds={"lend_book": "Book {book_id} has been lent."},
    )
    world = World(domain, books={...}, members={...})       # envs.world: the records

A tool is a typed function with a Google docstring; what the model is shown is derived from these
(`envs.schema`), so there is one source of truth. `envs/library.py` is a whole domain, in under 100 lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from envs.schema import describe

READ, WRITE, TERMINATE = "read", "write", "terminate"


@dataclass(frozen=True)
class Tool:
    """A tool: what it does, and whether it reads, writes or ends the episode."""

    function: Callable[..., str]
    kind: str

    @property
    def name(self) -> str:
        """The name the model calls it by."""
        return self.function.__name__

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The function in OpenAI's format."""
        return describe(self.function)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Each parameter's type in the schema: string or array."""
        properties = self.schema["function"]["parameters"]["properties"]
        return {name: value["type"] for name, value in properties.items()}


def tools_of(
    reads: Iterable[Callable[..., str]] = (),
    writes: Iterable[Callable[..., str]] = (),
    ends: Iterable[Callable[..., str]] = (),
) -> dict[str, Tool]:
    """Functions as tools, by name in alphabetical order: look-ups, changes, and what ends the episode."""
    kinds = ((reads, READ), (writes, WRITE), (ends, TERMINATE))
    tools = (Tool(function, kind) for functions, kind in kinds for function in functions)
    return {tool.name: tool for tool in sorted(tools, key=lambda tool: tool.name)}


def nobodys(episode: Any, turn: Any) -> bool:
    """No look-up of this domain opens somebody else's records."""
    return False


@dataclass(frozen=True)
class Domain:
    """A policy, its tools, and what rewards and demonstrations need to know of these tools."""

    policy: str
    tools: Mapping[str, Tool]
    records: tuple[str, ...] = ()  # parameters that say which record a tool is about; the first counts most
    identification: tuple[str, ...] = ()  # look-ups that find out who the customer is: they come first
    free_text: frozenset[tuple[str, str]] = frozenset()  # (tool, parameter) that may hold any words
    deeds: Mapping[str, str] = field(default_factory=dict)  # write -> what is told the customer of it
    opens_anothers: Callable[[Any, Any], bool] = nobodys  # of an Episode and one of its look-ups, a Turn
    converses: bool = False  # the scripted customer understands this domain's questions

    @cached_property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """Each tool's schema in OpenAI's function format."""
        return {name: tool.schema for name, tool in self.tools.items()}

    def kind(self, name: str) -> str | None:
        """Whether a tool reads, writes or ends the episode; None if there is no such tool."""
        tool = self.tools.get(name)
        return tool and tool.kind
