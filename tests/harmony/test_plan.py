"""The plan: one JSON object with every call, read without mercy."""

import json
import random

import pytest
from harmony_samples import NAMES, arguments, mutate
from hypothesis import given
from hypothesis import strategies as st

from envs.retail.tasks import Action
from pipeline.harmony import Analysis, Call, Final, render
from pipeline.plan import MAX_CALLS, Plan, instructions, parse_plan, parse_plan_turn, render_plan
from pipeline.strict import Verdict

TOOLS = {"find", "cancel"}
GOOD = '{"tool_calls": [{"name": "find", "arguments": {"a": 1}}, {"name": "cancel", "arguments": {}}]}'
CALLS = (Call("find", {"a": 1}), Call("cancel", {}))


@pytest.mark.parametrize("text", [GOOD, f"\n {GOOD}\r\n", GOOD.replace(" ", "")])
def test_a_plan_is_read(text):
    assert parse_plan(text, TOOLS) == Plan(CALLS, Verdict.OK)


def test_doing_nothing_is_a_plan():
    assert parse_plan('{"tool_calls": []}', TOOLS) == Plan((), Verdict.OK)


@pytest.mark.parametrize(
    ("text", "verdict", "named"),
    [
        ("", Verdict.BAD_JSON, "JSON"),
        ("I would cancel it.", Verdict.BAD_JSON, "JSON"),
        (f"```json\n{GOOD}\n```", Verdict.BAD_JSON, "JSON"),
        (f"Here it is: {GOOD}", Verdict.BAD_JSON, "JSON"),
        (f"{GOOD} That is all.", Verdict.TRAILING, "That is"),
        (GOOD + GOOD, Verdict.TRAILING, "tool_calls"),
        (GOOD[:-1], Verdict.BAD_JSON, "JSON"),
        (GOOD.replace("1", "NaN"), Verdict.BAD_JSON, "NaN"),
        (GOOD.replace('"a": 1', '"a": 1, "a": 2'), Verdict.DUPLICATE_KEY, "'a'"),
        (GOOD.replace('"name": "find"', '"name": "find", "name": "find"'), Verdict.DUPLICATE_KEY, "'name'"),
        (
            GOOD.replace('"tool_calls"', '"tool_calls": [], "tool_calls"'),
            Verdict.DUPLICATE_KEY,
            "'tool_calls'",
        ),
        ("[]", Verdict.NOT_OBJECT, "list"),
        ("{}", Verdict.BAD_SHAPE, "'tool_calls'"),
        ('{"calls": []}', Verdict.BAD_SHAPE, "'tool_calls'"),
        ('{"tool_calls": [], "thought": ""}', Verdict.BAD_SHAPE, "'thought'"),
        ('{"tool_calls": {}}', Verdict.BAD_SHAPE, "list"),
        ('{"tool_calls": null}', Verdict.BAD_SHAPE, "list"),
        ('{"tool_calls": ["find"]}', Verdict.BAD_SHAPE, "call 1"),
        ('{"tool_calls": [{"name": "find"}]}', Verdict.BAD_SHAPE, "'arguments'"),
        ('{"tool_calls": [{"arguments": {}}]}', Verdict.BAD_SHAPE, "'name'"),
        ('{"tool_calls": [{"name": "find", "arguments": {}, "id": 1}]}', Verdict.BAD_SHAPE, "'id'"),
        ('{"tool_calls": [{"name": 1, "arguments": {}}]}', Verdict.BAD_SHAPE, "call 1"),
        ('{"tool_calls": [{"name": "find", "arguments": "{}"}]}', Verdict.BAD_SHAPE, "call 1"),
        ('{"tool_calls": [{"name": "find", "arguments": null}]}', Verdict.BAD_SHAPE, "call 1"),
        ('{"tool_calls": [{"function": {"name": "find", "arguments": {}}}]}', Verdict.BAD_SHAPE, "call 1"),
        (GOOD.replace("cancel", "fly"), Verdict.UNKNOWN_TOOL, "'fly'"),
        (GOOD.replace("cancel", "Cancel"), Verdict.UNKNOWN_TOOL, "'Cancel'"),
        (render_plan([Call("find")] * (MAX_CALLS + 1)), Verdict.BAD_SHAPE, str(MAX_CALLS)),
        ('{"tool_calls": ' + "[" * 10_000_000, Verdict.BAD_JSON, "10,000,015"),
        ('{"tool_calls": ' + "[" * 900_000, Verdict.BAD_JSON, "deeper"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_everything_else_is_refused_with_its_reason(text, verdict, named):
    plan = parse_plan(text, TOOLS)
    assert (plan.verdict, plan.calls, plan.ok) == (verdict, (), False)
    assert named in plan.reason and len(plan.reason) < 400


@pytest.mark.parametrize("seed", range(40))
def test_what_is_rendered_reads_back_the_same(seed):
    rng = random.Random(seed)
    actions = [Action(rng.choice(NAMES), arguments(rng)) for _ in range(rng.randrange(6))]
    calls = tuple(Call(action.name, action.arguments) for action in actions)
    text = render_plan(actions)
    assert parse_plan(text, NAMES) == Plan(calls, Verdict.OK)
    turn = render([Analysis("Hm."), Final(text)]).removeprefix("<|start|>assistant")
    assert parse_plan_turn(turn, NAMES) == Plan(calls, Verdict.OK)
    damaged = parse_plan(mutate(rng, text), NAMES)
    assert damaged.ok or damaged.reason


def test_a_plan_is_the_final_message_and_nothing_else():
    call = " to=functions.find<|channel|>commentary json<|message|>{}<|call|>"
    assert parse_plan_turn(call, TOOLS).verdict is Verdict.NO_CALL
    assert parse_plan_turn(GOOD, TOOLS).verdict is Verdict.BAD_HEADER
    assert parse_plan_turn(f"<|channel|>final<|message|>{GOOD}", TOOLS).verdict is Verdict.TRUNCATED
    assert (
        parse_plan_turn(f"<|channel|>analysis<|message|>{GOOD}<|return|>", TOOLS).verdict is Verdict.NO_CALL
    )
    assert parse_plan_turn(f"<|channel|>final<|message|>{GOOD}<|return|>", TOOLS).calls == CALLS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["tool_calls", "name", "arguments", "a"]), inner)
    ),
)


@given(st.text() | json_values.map(json.dumps) | json_values.map(lambda v: json.dumps({"tool_calls": [v]})))
def test_any_text_gets_one_verdict(text):
    plan = parse_plan(text, TOOLS)
    assert plan == parse_plan(text, TOOLS)
    assert plan.ok == (plan.reason == "")
    if plan.ok:
        assert json.loads(text) == json.loads(render_plan(plan.calls))


def test_the_instructions_name_every_tool_with_its_arguments_and_the_form_of_the_answer():
    tool = {
        "name": "cancel",
        "description": "Cancel an order. Only\nonce.",
        "parameters": {
            "properties": {"order_id": {"type": "string"}, "reason": {"enum": ["a", "b"]}},
            "required": ["order_id"],
        },
    }
    text = instructions("\nBe kind.\n", [tool, {"type": "function", "function": {"name": "list_all"}}])
    assert text.startswith("Be kind.\n\n# Tools\n\n")
    assert '- cancel(order_id: string, reason?: "a" | "b"): Cancel an order.\n' in text
    assert "- list_all()\n" in text
    shown = next(line for line in text.splitlines() if line.startswith('{"tool_calls"'))
    assert set(json.loads(shown.replace("<value>", "1"))["tool_calls"][0]) == {"name", "arguments"}
    assert text.endswith('{"tool_calls": []}.')
