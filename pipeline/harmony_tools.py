"""Tools as gpt-oss reads them: a TypeScript namespace made from OpenAI function schemas.

    // Cancel a pending order.
    type cancel_pending_order = (_: {
    // The order's id, with its #.
    order_id: string,
    reason: "no longer needed" | "ordered by mistake",
    }) => any;

The text equals that of gpt-oss's chat template for tools of flat parameters. `pipeline/harmony.jinja`
writes the same in Jinja; the tests hold the two together.

    declare_tools(schemas)        # the "# Tools" section of the developer message
    type_of({"type": "string"})   # "string"
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

_PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}


def declare_tools(tools: Iterable[Mapping[str, Any]]) -> str:
    """The "# Tools" section for these schemas."""
    declared = "".join(_declare(function_of(tool)) for tool in tools)
    return f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{declared}}} // namespace functions"


def function_of(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """The function inside an OpenAI tool, or the schema itself where it comes bare."""
    return tool.get("function") or tool


def type_of(schema: Mapping[str, Any]) -> str:
    """A JSON schema as a TypeScript type, on one line."""
    kind = schema.get("type")
    if schema.get("enum"):
        choices = [json.dumps(value, ensure_ascii=False) for value in schema["enum"]]
    elif schema.get("anyOf") or schema.get("oneOf"):
        choices = [type_of(choice) for choice in schema.get("anyOf") or schema["oneOf"]]
    elif isinstance(kind, list):
        choices = [type_of({**schema, "type": one, "nullable": False}) for one in kind]
    elif kind == "array":
        inner = type_of(schema["items"]) if schema.get("items") else "any"
        choices = [f"({inner})[]" if " | " in inner else f"{inner}[]"]
    elif kind == "object":
        choices = [_object(schema)]
    else:
        choices = [_PLAIN.get(kind or "", "any")]
    return " | ".join([*choices, "null"] if schema.get("nullable") else choices)


def _object(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties")
    if not properties:
        return "object"
    fields = (f"{name}{_mark(name, schema)}: {type_of(inner)}" for name, inner in properties.items())
    return "{" + ", ".join(fields) + "}"


def _declare(function: Mapping[str, Any]) -> str:
    parameters = function.get("parameters") or {}
    lines = [_comment(function.get("description")), f"type {function['name']} = "]
    if parameters.get("properties"):
        lines.append("(_: {\n")
        for name, schema in parameters["properties"].items():
            lines.append(_comment(schema.get("description")))
            lines.append(f"{name}{_mark(name, parameters)}: {type_of(schema)},{_default(schema)}\n")
        lines.append("}) => any;\n\n")
    else:
        lines.append("() => any;\n\n")
    return "".join(lines)


def _mark(name: str, schema: Mapping[str, Any]) -> str:
    return "" if name in (schema.get("required") or ()) else "?"


def _default(schema: Mapping[str, Any]) -> str:
    return f" // default: {json.dumps(schema['default'], ensure_ascii=False)}" if "default" in schema else ""


def _comment(text: str | None) -> str:
    return "".join(f"// {line}\n" for line in text.split("\n")) if text else ""
