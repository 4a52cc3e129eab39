"""The sixteen tools of the shop, as functions to call and as schemas to show a model.

A tool is a typed function with a Google docstring; its OpenAI-format schema is derived from these, so there
is one source of truth. `call` behaves exactly as tau-bench does, also for odd arguments: whatever goes wrong
comes back as text.

    call(database, "get_order_details", {"order_id": "#W1234567"})
    schemas()             # for a chat template or an API
    argument_fault("think", {"thought": 3})   # stricter than `call`: what the schema does not allow
"""

from collections.abc import Mapping
from typing import Any

from envs.domain import READ, TERMINATE, WRITE, Tool, tools_of
from envs.retail.tools import delivered, general, lookups, pending
from envs.world import View

__all__ = ["NAMELESS", "READ", "TERMINATE", "TOOLS", "WRITE", "Tool", "argument_fault", "call", "schemas"]

NAMELESS = "Unknown action: the name of a tool must be a string"

TOOLS = tools_of(  # in alphabetical order, which is the one models of tau-bench see them in
    reads=(
        general.calculate,
        general.think,
        lookups.find_user_id_by_email,
        lookups.find_user_id_by_name_zip,
        lookups.get_order_details,
        lookups.get_product_details,
        lookups.get_user_details,
        lookups.list_all_product_types,
    ),
    writes=(
        delivered.exchange_delivered_order_items,
        delivered.return_delivered_order_items,
        general.modify_user_address,
        pending.cancel_pending_order,
        pending.modify_pending_order_address,
        pending.modify_pending_order_items,
        pending.modify_pending_order_payment,
    ),
    ends=(general.transfer_to_human_agents,),
)


def schemas() -> list[dict[str, Any]]:
    """All sixteen schemas in OpenAI's function format."""
    return [tool.schema for tool in TOOLS.values()]


def call(database: View, name: str, arguments: Any) -> str:
    """Run a tool of the database's world as tau-bench does; never raises; a failed call changes nothing."""
    if not isinstance(name, str):
        return NAMELESS  # without repeating it: printing deeply nested input can fail
    domain = database.shop.domain
    tool = (TOOLS if domain is None else domain.tools).get(name)
    if tool is None:
        return f"Unknown action {name}"
    try:
        return tool.function(database, **arguments)
    except Exception as error:  # an agent's mistake is an answer, not a crash
        return f"Error: {error}"


def argument_fault(name: str, arguments: Any, tools: Mapping[str, Tool] = TOOLS) -> str | None:
    """Which argument does not fit the tool's schema (missing, unknown, of the wrong type), or None.

    The values an enum allows are left to the tool, which answers in its own words and in its own order.
    """
    if not isinstance(arguments, dict):
        return f"{name} takes its arguments as an object"
    kinds = tools[name].kinds
    for parameter in kinds:
        if parameter not in arguments:
            return f"{name} needs the argument {parameter!r}"
    for parameter, value in arguments.items():
        if parameter not in kinds:
            return f"{name} has no argument {parameter!r:.80}"
        if not _fits(kinds[parameter], value):
            wanted = "a list of strings" if kinds[parameter] == "array" else "a string"
            return f"{name} needs {wanted} as {parameter!r}"
    return None


def _fits(kind: str, value: Any) -> bool:
    if kind == "array":
        return isinstance(value, list) and all(isinstance(element, str) for element in value)
    return isinstance(value, str)
