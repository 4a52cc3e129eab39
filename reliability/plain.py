"""What a turn, an object and a plan are, told anew and plainly, to hold the strict reader against.

plain_problem(text, parse(text, NAMES))      # "" where both take a text for the same
plain_object('{"a": 1}'), plain_plan('{"tool_calls": []}', NAMES)
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from pipeline.harmony import unescape
from pipeline.harmony_parse import Parsed
from pipeline.harmony_pieces import SPECIAL
from pipeline.plan import MAX_CALLS
from pipeline.strict import MAX_DEPTH, MAX_JSON, Verdict

# What a turn must look like, told anew: thoughts and preambles, then a call or a final message, then padding.
_BODY = rf"(?:(?!{SPECIAL.pattern}).)*"
_BEFORE = rf"<\|channel\|>(?:analysis|commentary)<\|message\|>{_BODY}<\|end\|>\s*<\|start\|>assistant"
_TO = r" to=functions\.[A-Za-z0-9_-]{1,64}"
_CALL = rf"(?:{_TO}<\|channel\|>commentary|<\|channel\|>commentary{_TO})(?: json| ?<\|constrain\|>json)?"
_FINAL = rf"(?P<final><\|channel\|>final<\|message\|>{_BODY}<\|return\|>)"
_LAST = rf"(?:{_CALL}<\|message\|>(?P<json>{_BODY})<\|call\|>|{_FINAL})"
_TURN = re.compile(rf"(?:{_BEFORE})*{_LAST}(?:<\|endoftext\|>|<\|reserved_200017\|>)*", re.DOTALL)
_IN_CALL = (
    "bad_json",
    "duplicate_key",
    "not_object",
    "unknown_tool",
    "trailing",
)  # the form says nothing of these


def plain_problem(text: str, parsed: Parsed) -> str:
    """What is well-formed has the form of a turn; what has the form is refused for its call alone."""
    form = _TURN.fullmatch(text)
    if parsed.well_formed and not form:
        return "accepted without the form of a turn"
    if form and not parsed.well_formed and (form["final"] or parsed.verdict not in _IN_CALL):
        return f"refused as {parsed.verdict} ({parsed.reason}) in spite of its form"
    if form and form["json"] is not None and parsed.verdict is not Verdict.UNKNOWN_TOOL:
        arguments = plain_object(unescape(form["json"]))
        if arguments != (parsed.call.arguments if parsed.call else None):
            return f"arguments {arguments!r:.80} read as {parsed.verdict} ({parsed.reason})"
    return ""


def plain_object(text: str) -> dict[str, Any] | None:
    """What strict JSON is, told anew: one object, no key twice, finite numbers, text that can be stored."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key occurs twice")
        return dict(pairs)

    try:
        value = json.loads(text.strip(" \t\n\r"), object_pairs_hook=once)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    fits = isinstance(value, dict) and len(text) <= MAX_JSON and _depth(value) <= MAX_DEPTH
    return value if fits else None


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def plain_plan(text: str, names: Collection[str]) -> list[Any] | None:
    """What a plan is, told anew: its calls, or None."""
    calls = (plain_object(text) or {}).get("tool_calls")
    if not isinstance(calls, list) or len(calls) > MAX_CALLS or len(plain_object(text) or {}) > 1:
        return None
    right = (
        isinstance(call, dict)
        and call.keys() == {"name", "arguments"}
        and isinstance(call["arguments"], dict)
        and call["name"] in names
        for call in calls
    )
    return calls if all(right) else None
