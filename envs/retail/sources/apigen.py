"""APIGen-MT-5k: conversations with tool calls, as chat messages for SFT and, where the shop allows, as tasks.

A row is ShareGPT's shape: `conversations` of {"from": human | gpt | function_call | observation, "value"},
`system`, `tools`. Conversations of other domains (airline) are kept; each says which domain it is of.

    for row in apigen_conversations("apigen-mt_5k.json"):
        if isinstance(row, dict): row["domain"], row["messages"], row["tools"]
    recover_task(row, Shop.load("their/shop"))     # raises ValueError where no task can be recovered

Arguments in `tool_calls` are objects, as chat templates want them; OpenAI's own API has them as text.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from envs.retail.diff import final_state
from envs.retail.environment import STOP
from envs.retail.sources.rows import WRONG_SHAPE, Reject, rows, shortened
from envs.retail.sources.strict_json import Decoder
from envs.retail.tasks import Action, Task
from envs.retail.tools import TOOLS, WRITE, call

Conversation = dict[str, Any]
_SHOPS_OWN = {name for name, tool in TOOLS.items() if tool.kind == WRITE}


def apigen_conversations(path: str | Path) -> Iterator[Conversation | Reject]:
    """Each row as a conversation, or why it is none; the file is a JSON list or JSON Lines."""
    path = Path(path)
    for position, row in enumerate(rows(path)):
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield {"id": f"{path.name.split('.')[0]}/{position}", **_conversation(row.value)}
        except ValueError as error:
            yield Reject(str(path), row.line, row.index, WRONG_SHAPE, str(error), shortened(row.value))


def _conversation(record: Any) -> Conversation:
    if not isinstance(record, Mapping) or not isinstance(record.get("conversations"), list):
        raise ValueError('a row is an object with a list "conversations", and "system" and "tools"')
    system = record.get("system") or ""
    if not isinstance(system, str):
        raise ValueError('"system" must be a text')
    tools = _tools(record.get("tools"))
    messages = [{"role": "system", "content": system}] if system else []
    messages += _messages(record["conversations"], {tool["function"]["name"] for tool in tools})
    return {"domain": _domain(system, tools), "messages": messages, "tools": tools, "source": "apigen-mt"}


def _tools(value: Any) -> list[dict[str, Any]]:
    """The tools in OpenAI's form; rows have a list or its JSON text, flat or already wrapped."""
    tools = _from_text(value, '"tools"') if isinstance(value, str) and value.strip() else value or []
    if not isinstance(tools, list):
        raise ValueError('"tools" must be a list, or the JSON text of one')
    found = []
    for tool in tools:
        function = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise ValueError(f'a tool is an object with a "name", not {tool!r:.80}')
        found.append({"type": "function", "function": dict(function)})
    return found


def _domain(system: str, tools: list[dict[str, Any]]) -> str:
    """retail by the shop's own tools or by the policy's words; airline by its words; else other."""
    words = system.lower()
    if _SHOPS_OWN & {tool["function"]["name"] for tool in tools} or "retail agent" in words:
        return "retail"
    return "airline" if "airline" in words or "flight" in words else "other"


def _messages(turns: list[Any], declared: set[str]) -> list[dict[str, Any]]:
    """The turns as chat messages; a call must be declared and answered next, an answer follow a call."""
    messages: list[dict[str, Any]] = []
    pending: dict[str, Any] | None = None  # the call that waits for its answer
    for number, turn in enumerate(turns):
        speaker, value = _turn(turn, number)
        if (speaker == "observation") != (pending is not None):
            wrong = "a call without its answer" if pending else "an answer without a call"
            raise ValueError(f"turn {number} ({speaker}): {wrong}")
        if speaker == "observation":
            name = pending["function"]["name"]
            messages.append({"role": "tool", "tool_call_id": pending["id"], "name": name, "content": value})
            pending = None
        elif speaker == "function_call":
            function = _function(value, number, declared)
            pending = {"id": f"call_{number}", "type": "function", "function": function}
            messages.append({"role": "assistant", "content": "", "tool_calls": [pending]})
        else:
            messages.append({"role": "user" if speaker == "human" else "assistant", "content": value})
    if not any(message["role"] == "assistant" for message in messages):
        raise ValueError("the agent says and does nothing in this conversation")
    return messages


def _turn(turn: Any, number: int) -> tuple[str, str]:
    speakers = ("human", "gpt", "function_call", "observation")
    if not isinstance(turn, Mapping) or turn.get("from") not in speakers:
        raise ValueError(f'turn {number}: "from" must be one of {", ".join(speakers)}')
    value = turn.get("value")
    if not isinstance(value, str):
        value = json.dumps(value) if turn["from"] in ("function_call", "observation") else None
    if value is None:
        raise ValueError(f'turn {number} ({turn["from"]}): "value" must be a text')
    return turn["from"], value


def _function(value: str, number: int, declared: set[str]) -> dict[str, Any]:
    function = _from_text(value, f"turn {number}: the call")
    if isinstance(function, list) and len(function) == 1:
        function = function[0]
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError(f'turn {number}: a call is one object with "name" and "arguments"')
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = _from_text(arguments or "{}", f"turn {number}: the arguments")
    if not isinstance(arguments, Mapping):
        raise ValueError(f"turn {number}: the arguments of {function['name']} must be an object")
    if declared and function["name"] not in declared:
        raise ValueError(f"turn {number}: calls {function['name']!r:.80}, which is not among the tools")
    return {"name": function["name"], "arguments": dict(arguments)}


def _from_text(text: str, what: str) -> Any:
    """The JSON value in a text of the row."""
    value, fault = Decoder().whole(text)
    if fault:
        raise ValueError(f"{what}: {fault.reason}")
    return value


def recover_task(conversation: Conversation, shop: Shop) -> Task:
    """The task a retail conversation solved: its calls that worked, replayed; ValueError says why not.

    Calls that failed back then, and thoughts, are left out. What the customer said after the first words
    becomes facts, with what the calls show they must have told.
    """
    if conversation["domain"] != "retail":
        raise ValueError(f"the domain is {conversation['domain']}")
    said = [message["content"] for message in conversation["messages"] if message["role"] == "user"]
    calls = _successful_calls(conversation["messages"])
    if not said or not calls:
        raise ValueError("nobody asks anything" if not said else "no call worked")
    database, customer = shop.open(), ""
    for action in calls:
        _check_ids(shop, action.arguments)
        answer = call(database, action.name, action.arguments)
        if answer.startswith(("Error", "Unknown action")):
            raise ValueError(f"{action.name} worked there, but not in this shop: {answer}")
        customer = customer or _customer(shop, action, answer)
    return Task(
        id=conversation["id"],
        query=said[0],
        gold_actions=calls,
        gold_final=final_state(shop, database),
        customer=customer,
        facts=_facts(calls, said[1:]),
        extra={"source": "apigen-mt"},
    )


def _successful_calls(messages: list[dict[str, Any]]) -> tuple[Action, ...]:
    answers = {
        message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"
    }
    return tuple(
        Action(made["function"]["name"], made["function"]["arguments"])
        for message in messages
        for made in message.get("tool_calls", ())
        if made["function"]["name"] != "think" and not answers.get(made["id"], "").startswith("Error")
    )


def _check_ids(shop: Shop, arguments: Mapping[str, Any]) -> None:
    for name, table in (("order_id", shop.orders), ("user_id", shop.users), ("product_id", shop.products)):
        value = arguments.get(name)
        if value is not None and (not isinstance(value, str) or value not in table):
            raise ValueError(f"{name} {value!r:.40} is not in this shop")


def _customer(shop: Shop, action: Action, answer: str) -> str:
    """Who the customer is, as far as one call tells."""
    if answer in shop.users:  # one of the find_user_id tools
        return answer
    if "order_id" in action.arguments:
        return shop.orders[action.arguments["order_id"]]["user_id"]
    return action.arguments.get("user_id", "")


def _facts(calls: tuple[Action, ...], later: list[str]) -> dict[str, Any]:
    """What the customer can tell: identity, reason, methods as the calls have them, and their later words."""
    facts: dict[str, Any] = {}
    for action in calls:
        arguments = action.arguments
        if "first_name" in arguments:
            facts["name"] = f"{arguments['first_name']} {arguments.get('last_name', '')}"
            facts["zip"] = arguments.get("zip", "")
        if "email" in arguments:
            facts["email"] = arguments["email"]
        if "reason" in arguments:
            facts["reason"] = arguments["reason"]
        if "payment_method_id" in arguments and TOOLS[action.name].kind == WRITE:
            facts["payment_method"] = arguments["payment_method_id"]
        if "address1" in arguments:
            parts = ("address1", "address2", "city", "state", "zip", "country")
            facts["address"] = ", ".join(str(arguments[part]) for part in parts if arguments.get(part))
    orders = [action.arguments["order_id"] for action in calls if "order_id" in action.arguments]
    wishes = [words for words in later if STOP not in words]
    return facts | ({"order_ids": list(dict.fromkeys(orders))} if orders else {}) | {"preferences": wishes}
