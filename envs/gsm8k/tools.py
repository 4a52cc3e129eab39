"""The one tool of this domain: the shop's calculator, as the shop declares and guards it.

Nothing is written twice: parser, bounds and schema are those of `envs.retail`, without its database. A result
is rounded to two places, as there; whatever is wrong with a call comes back as text.

    call("calculate", {"expression": "48 / 2 + 48"})      # "72.0"
    schemas()                                             # for a chat template or an API
"""

from typing import Any

from envs.retail import tools
from envs.retail.calculator import calculate

TOOLS = {"calculate": tools.TOOLS["calculate"]}


def schemas() -> list[dict[str, Any]]:
    """The tool's schema in OpenAI's function format."""
    return [tool.schema for tool in TOOLS.values()]


def call(name: str, arguments: Any) -> str:
    """Run the tool; never raises: what cannot be run is answered with `Error: …` or `Unknown action …`."""
    if not isinstance(name, str):
        return tools.NAMELESS
    if name not in TOOLS:
        return f"Unknown action {name}"
    fault = tools.argument_fault(name, arguments)
    return f"Error: {fault}" if fault else calculate(arguments["expression"])
