"""Strict reading of what a model wrote: named verdicts, JSON without repair, arguments against a schema.

A reward that reads leniently teaches the model what the reader forgives. So there is one verdict a
completion, JSON is exactly one object (no duplicate key, no NaN, no depth or size that could hurt), and
arguments have the declared names and types and no others. Nothing raises but `Refused`; all of it is linear.

    read_object('{"order_id": "#W1"}')                    # {"order_id": "#W1"}
    read_object('{"a": 1, "a": 2}')                       # Refused: duplicate_key
    check_arguments(tool, {"order": "#W1"})               # 'argument "order_id" is missing'
"""

import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

MAX_JSON = 1_000_000  # characters; a completion of a few thousand tokens is far below
MAX_DEPTH = 32
_WHITESPACE = " \t\n\r"  # JSON's own
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # strings are matched to be skipped


class Verdict(StrEnum):
    """What the strict reader found; everything but `ok` earns nothing."""

    OK = "ok"
    NO_CALL = "no_call"  # the turn stopped with neither a call nor a final message
    TRUNCATED = "truncated"  # the text ends inside the turn
    BAD_HEADER = "bad_header"
    WRONG_ROLE = "wrong_role"  # the model wrote a message of somebody else
    WRONG_RECIPIENT = "wrong_recipient"
    WRONG_END = "wrong_end"  # e.g. a call that ends with <|end|>
    NESTED_SPECIAL = "nested_special"  # a special token inside a message
    BAD_JSON = "bad_json"
    DUPLICATE_KEY = "duplicate_key"
    NOT_OBJECT = "not_object"
    BAD_SHAPE = "bad_shape"  # a plan that is JSON, but no plan
    UNKNOWN_TOOL = "unknown_tool"
    BAD_ARGUMENTS = "bad_arguments"
    TRAILING = "trailing"  # something after the end


class Refused(ValueError):
    """Why a text was not read."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.verdict, self.reason = verdict, reason


def read_object(text: str) -> dict[str, Any]:
    """The one JSON object a text holds, or `Refused`."""
    text = text.strip(_WHITESPACE)
    if len(text) > MAX_JSON:
        raise Refused(Verdict.BAD_JSON, f"JSON of {len(text):,} characters; at most {MAX_JSON:,}")
    _check_depth(text)
    try:
        value, end = _DECODER.raw_decode(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could not be shown or stored
    except Refused:
        raise
    except ValueError as error:
        raise Refused(Verdict.BAD_JSON, f"not JSON: {error}"[:200]) from None
    if end != len(text):
        raise Refused(Verdict.TRAILING, f"text after the JSON value: {text[end : end + 40]!r}")
    if not isinstance(value, dict):
        raise Refused(Verdict.NOT_OBJECT, f"JSON {type(value).__name__} where an object is expected")
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            raise Refused(Verdict.BAD_JSON, f"JSON deeper than {MAX_DEPTH} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, inner in pairs:
        if key in value:
            raise Refused(Verdict.DUPLICATE_KEY, f"key {key!r:.80} occurs twice")
        value[key] = inner
    return value


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise Refused(Verdict.BAD_JSON, f"number {text:.40} is too large")
    return value


def _no_constant(text: str) -> None:
    raise Refused(Verdict.BAD_JSON, f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)

_TYPES = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def check_arguments(tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with a call's arguments, or None: a missing or extra name, a wrong type or value.

    Args:
        tool: The tool as in the tool list (OpenAI form), its function, or the parameters alone.
        arguments: What the model passed.
    """
    function = tool.get("function") or tool
    schema = function if function.get("type") == "object" else function.get("parameters") or {}
    return _check_object({"properties": {}, **schema}, arguments, "argument ")


def _check_object(schema: Mapping[str, Any], value: Mapping[str, Any], where: str) -> str | None:
    properties = schema.get("properties")
    for name in schema.get("required") or ():
        if name not in value:
            return f'{where}"{name}" is missing'
    for name, inner in value.items():
        if properties is not None and name in properties:
            if problem := _check_value(properties[name], inner, f'{where}"{name}"'):
                return problem
        elif properties is not None and not schema.get("additionalProperties"):
            return f'{where}"{name:.80}" is not declared'
    return None


def _check_value(schema: Mapping[str, Any], value: Any, where: str) -> str | None:
    if value is None and schema.get("nullable"):
        return None
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        problems = [_check_value(choice, value, where) for choice in choices]
        return None if None in problems else problems[0]
    kinds = schema.get("type") or list(_TYPES)
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is(value, kind) for kind in kinds):
        return f"{where} must be {' or '.join(kinds)}, not {type(value).__name__}"
    if schema.get("enum") and not any(value == one and type(value) is type(one) for one in schema["enum"]):
        return f"{where} must be one of {json.dumps(schema['enum'])}"
    if isinstance(value, dict):
        return _check_object(schema, value, f"{where}: ")
    if isinstance(value, list) and schema.get("items"):
        problems = (_check_value(schema["items"], item, f"{where}[{n}]") for n, item in enumerate(value))
        return next(filter(None, problems), None)
    return None


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"  # Python counts True as an int; JSON does not
    return isinstance(value, _TYPES.get(kind, (object,)))
