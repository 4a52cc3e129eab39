"""ToolRL's tools as gpt-oss can call them: names that can stand in a header, types as JSON schemas.

    names = safe_names(["Get It", "Get_It"])      # {"Get It": "Get_It_2", "Get_It": "Get_It"}
    schema(tool, names[tool.name])                # {"type": "function", "function": {...}}

Names that can stand in a header stay as they are; different names stay different.

ToolRL does not say which parameters are required. Tools declared in Python's words ("str", "int, optional")
say what is optional, and the right answers keep to it. Tools declared in JSON's words do not: the right
answers leave out a fifth of their "string" parameters without a default. So nothing is required there.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.harmony import NAME
from pipeline.toolrl.rows import Tool
from pipeline.toolrl.types import JSON_ONLY, is_optional, schema_of


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """For each name one that can stand in a header, no two alike; names that can stay themselves."""
    found = dict.fromkeys(names, "")
    taken = {name for name in found if NAME.fullmatch(name)}
    for name in found:
        if name in taken:
            found[name] = name
            continue
        base = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64] or "tool"
        safe, number = base, 1
        while safe in taken:
            number += 1
            safe = f"{base[: 63 - len(str(number))]}_{number}"
        found[name] = safe
        taken.add(safe)
    return found


def schema(tool: Tool, name: str) -> dict[str, Any]:
    """A tool as an OpenAI function under the given name."""
    properties = {parameter: _property(spec) for parameter, spec in tool.parameters.items()}
    parameters = {"type": "object", "properties": properties, "required": _required(tool)}
    function = {"name": name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _property(spec: Mapping[str, Any]) -> dict[str, Any]:
    found = schema_of(spec.get("type"))
    if isinstance(spec.get("enum"), list):
        found["enum"] = spec["enum"]
    if spec.get("description"):
        found["description"] = str(spec["description"])
    return found | ({"default": spec["default"]} if _has_default(spec) else {})


def _has_default(spec: Mapping[str, Any]) -> bool:
    return spec.get("default") not in ("", None)


def _required(tool: Tool) -> list[str]:
    types = {name: spec.get("type") for name, spec in tool.parameters.items()}
    if any(isinstance(one, list) or one in JSON_ONLY for one in types.values()):
        return []
    return [
        name
        for name, one in types.items()
        if not is_optional(one) and not _has_default(tool.parameters[name])
    ]
