"""The types ToolRL's tools are declared with, as JSON schemas: Python's words, JSON's words, and mixtures.

    schema_of("List[Union[str, float]]")     # {"type": "array", "items": {"anyOf": [{"type": "string"}, …]}}
    schema_of("str, optional")               # {"type": "string"}; is_optional("str, optional") is True
    schema_of(["string", "null"])            # {"type": "string", "nullable": True}
    schema_of("Weather")                     # {}, printed as `any`; unknown_words("Weather") is ["Weather"]

Without this gpt-oss's tool declaration prints `any` for "str", "int" or "List[float]", and the model loses
what the original prompt told it.
"""

import re
from functools import lru_cache
from typing import Any

_KINDS = {
    "string": ("string", "str", "text", "callable", "function"),  # a function is passed as its source text
    "integer": ("integer", "int", "long"),
    "number": ("number", "float", "double"),
    "boolean": ("boolean", "bool"),
    "array": ("array", "list", "tuple", "set", "sequence", "iterable"),
    "object": ("object", "dict", "mapping", "map", "json"),
    "null": ("null", "none", "nonetype"),
}
_WORDS = {word: kind for kind, words in _KINDS.items() for word in words}
_GRAMMAR = ("any", "union", "optional", "literal", "or", "typing")
JSON_ONLY = ("string", "boolean", "array", "number", "integer", "object")  # words that Python does not use
_LONGEST = 200  # characters; nested deeper than any real type


def schema_of(declared: Any) -> dict[str, Any]:
    """The JSON schema of a declared type; empty, which allows anything, where it is not understood."""
    if isinstance(declared, list):
        return _any_of([schema_of(one) for one in declared])
    return dict(_schema(_first(declared)))


def is_optional(declared: Any) -> bool:
    """Whether the type itself says that the parameter may be left out, as in "int, optional"."""
    return isinstance(declared, str) and bool(re.search(r"\boptional\b", declared, re.IGNORECASE))


def unknown_words(declared: Any) -> list[str]:
    """The words of a type that were not understood."""
    if isinstance(declared, list):
        return [word for one in declared for word in unknown_words(one)]
    if not _first(declared):
        return [repr(declared)[:40]] if declared else []
    return [word for word in _words(_first(declared)) if word.lower() not in (*_WORDS, *_GRAMMAR)]


@lru_cache(maxsize=4096)
def _words(text: str) -> list[str]:
    """The words of a type that stand in no quotes."""
    return re.findall(r"[^\W\d]\w*", re.sub(r"'[^']*'|\"[^\"]*\"", "", text))


def _first(declared: Any) -> str:
    """The type without what follows a comma ("optional", a default)."""
    return _parts(declared, ",")[0] if isinstance(declared, str) and len(declared) <= _LONGEST else ""


@lru_cache(maxsize=4096)  # thousands of tools, a few dozen types
def _schema(text: str) -> dict[str, Any]:
    choices = [choice for part in _parts(text, "|") for choice in re.split(r"\s+or\s+", part)]
    if len(choices) > 1:
        return _any_of([_schema(choice) for choice in choices])
    name, inner = _split(text)
    if name == "optional" and inner:
        return _any_of([_schema(inner[0]), {"type": "null"}])
    if name == "union":
        return _any_of([_schema(one) for one in inner])
    if name == "literal":
        return {"enum": [one.strip("'\" ") for one in inner]}
    kind = _WORDS.get(name)
    if kind == "array":
        items = _any_of([_schema(one) for one in inner if one.strip() != "..."])
        return {"type": "array", "items": items} if items else {"type": "array"}
    return {"type": kind} if kind else {}


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """One schema for several; "or null" is said the short way, and an integer is a number too."""
    null, chosen = {"type": "null"}, []
    for schema in schemas:
        if schema not in (null, *chosen):
            chosen.append(schema)
    if {"type": "number"} in chosen and {"type": "integer"} in chosen:
        chosen.remove({"type": "integer"})
    if {} in chosen or not chosen:
        return null if null in schemas and not chosen else {}
    result = chosen[0] if len(chosen) == 1 else {"anyOf": chosen}
    return {**result, "nullable": True} if null in schemas else result


def _split(text: str) -> tuple[str, list[str]]:
    """A type's name in small letters, and what stands in its brackets."""
    found = re.fullmatch(r"\s*(?:typing\.)?([^\s\[\]]*)\s*(?:\[(.*)\])?\s*", text, re.DOTALL)
    if not found:
        return "", []
    return found[1].lower(), _parts(found[2], ",") if found[2] else []


def _parts(text: str, mark: str) -> list[str]:
    """The pieces of a text between the marks that stand outside all brackets."""
    depth, pieces = 0, [""]
    for letter in text:
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(letter, 0)
        if letter == mark and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return pieces
