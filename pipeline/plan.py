"""The cheap way to act: one completion that plans every call, executed afterwards in order.

    {"tool_calls": [{"name": "cancel_pending_order", "arguments": {"order_id": "#W1", "reason": "..."}}]}

A plan is exactly this object and nothing else: no text around it, no code fence, no further key, no repair.
The model writes it as its final message, so a completion is read in two strict steps, harmony then plan.

    prompt = render([System(), Developer(instructions(policy, tools)), User(query)], generation_prompt=True)
    plan = parse_plan_turn(completion, names)    # from a completion, as text or tokens
    plan = parse_plan(text, names)               # from the object alone
    plan.ok, plan.calls, plan.reason
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from envs.retail.tasks import Action
from pipeline.harmony import Call
from pipeline.harmony_parse import Completion, Vocabulary, parse
from pipeline.harmony_tools import function_of, type_of
from pipeline.strict import Refused, Verdict, read_object

MAX_CALLS = 64  # the longest gold list of the public benchmark has 14

_OUTPUT = """# Output

Answer with one JSON object and nothing else, no code fence and no text around it:
{"tool_calls": [{"name": "<tool>", "arguments": {"<name>": <value>}}]}
The calls are executed in this order, after you have answered: you see no result in between. Use only the \
tools above, with exactly their arguments. If nothing may be done, answer {"tool_calls": []}."""


@dataclass(frozen=True)
class Plan:
    """The calls of a completion in order; none of them where the verdict is not ok."""

    calls: tuple[Call, ...]
    verdict: Verdict
    reason: str = ""

    @property
    def ok(self) -> bool:
        """The plan can be executed."""
        return self.verdict is Verdict.OK


def render_plan(actions: Iterable[Call | Action]) -> str:
    """The object for these calls, as a row to train on shows it."""
    calls = [{"name": action.name, "arguments": dict(action.arguments)} for action in actions]
    return json.dumps({"tool_calls": calls}, ensure_ascii=False, allow_nan=False)


def instructions(policy: str, tools: Iterable[Mapping[str, Any]]) -> str:
    """The developer instructions: policy, tools one a line, and how to answer."""
    lines = "\n".join(_line(function_of(tool)) for tool in tools)
    return f"{policy.strip()}\n\n# Tools\n\n{lines}\n\n{_OUTPUT}"


def _line(function: Mapping[str, Any]) -> str:
    properties = (function.get("parameters") or {}).get("properties") or {}
    required = (function.get("parameters") or {}).get("required") or ()
    arguments = ", ".join(
        f"{name}{'' if name in required else '?'}: {type_of(schema)}" for name, schema in properties.items()
    )
    purpose = " ".join((function.get("description") or "").split()).split(". ")[0].rstrip(".")
    return f"- {function['name']}({arguments})" + (f": {purpose}." if purpose else "")


def parse_plan_turn(
    completion: Completion, tools: Collection[str], vocabulary: Vocabulary | None = None
) -> Plan:
    """Read a whole completion: thoughts, then a final message that is a plan."""
    turn = parse(completion, tools, vocabulary)
    if turn.final is not None:
        return parse_plan(turn.final, tools)
    if turn.call:
        return Plan((), Verdict.NO_CALL, "the turn calls a tool; a plan is its final message")
    return Plan((), turn.verdict, turn.reason)


def parse_plan(text: str, tools: Collection[str]) -> Plan:
    """Read the object; never raises, and tells in `reason` what is wrong."""
    try:
        return Plan(tuple(_calls(read_object(text), tools)), Verdict.OK)
    except Refused as refusal:
        return Plan((), refusal.verdict, refusal.reason)


def _calls(plan: dict[str, Any], tools: Collection[str]) -> Iterable[Call]:
    _expect_keys(plan, {"tool_calls"}, "the plan")
    calls = plan["tool_calls"]
    if not isinstance(calls, list) or len(calls) > MAX_CALLS:
        raise Refused(Verdict.BAD_SHAPE, f'"tool_calls" must be a list of at most {MAX_CALLS} calls')
    for number, call in enumerate(calls, start=1):
        if not isinstance(call, dict):
            raise Refused(Verdict.BAD_SHAPE, f"call {number} must be an object, not {type(call).__name__}")
        _expect_keys(call, {"name", "arguments"}, f"call {number}")
        if not isinstance(call["name"], str) or not isinstance(call["arguments"], dict):
            raise Refused(Verdict.BAD_SHAPE, f'call {number} needs a text "name" and an object "arguments"')
        if call["name"] not in tools:
            raise Refused(Verdict.UNKNOWN_TOOL, f"call {number}: tool {call['name']!r:.80} is not declared")
        yield Call(call["name"], call["arguments"])


def _expect_keys(value: dict[str, Any], keys: set[str], what: str) -> None:
    if missing := sorted(keys - value.keys()):
        raise Refused(Verdict.BAD_SHAPE, f"{what} has no {missing[0]!r}")
    if extra := sorted(value.keys() - keys):
        raise Refused(Verdict.BAD_SHAPE, f"{what} has a further key {extra[0]!r:.80}")
