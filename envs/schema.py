"""From a typed function with a Google docstring to the schema a model is shown.

    describe(lend_book)      # {"type": "function", "function": {"name": "lend_book", "description": ...}}

Annotations give the types (`str`, `list[str]`, `Literal[...]` of strings), the docstring's text the
description and its `Args:` the parameters'. The first parameter, the database, is not the model's.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin, get_type_hints


def describe(function: Callable[..., str]) -> dict[str, Any]:
    """The OpenAI-format schema of a tool; raises where signature and docstring disagree."""
    text, arguments = _docstring(function)
    tool, hints = function.__name__, get_type_hints(function)
    names = list(inspect.signature(function).parameters)[1:]
    if not text:
        raise TypeError(f"{tool}: a tool needs a docstring, for it is what the model is told")
    if set(names) != set(arguments):
        raise TypeError(f"{tool}: Args: describes {sorted(arguments)}, the signature has {names}")
    properties = {name: _property(f"{tool}.{name}", hints.get(name), arguments[name]) for name in names}
    parameters = {"type": "object", "properties": properties, "required": names}
    return {"type": "function", "function": {"name": tool, "description": text, "parameters": parameters}}


def _property(place: str, hint: Any, description: str) -> dict[str, Any]:
    if hint is str:
        return {"type": "string", "description": description}
    if get_origin(hint) is list and get_args(hint) == (str,):
        return {"type": "array", "items": {"type": "string"}, "description": description}
    if get_origin(hint) is Literal and all(isinstance(value, str) for value in get_args(hint)):
        return {"type": "string", "enum": list(get_args(hint)), "description": description}
    raise TypeError(f"{place}: annotate it as str, list[str] or Literal of strings, not as {hint}")


def _docstring(function: Callable[..., str]) -> tuple[str, dict[str, str]]:
    """Split a Google docstring into its description and its parameters' descriptions."""
    text, _, section = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    arguments = dict(re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", section, flags=re.MULTILINE))
    return _one_line(text), {name: _one_line(words) for name, words in arguments.items()}


def _one_line(text: str) -> str:
    return " ".join(text.split())
