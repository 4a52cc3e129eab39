"""Whatever an agent sends is answered: what a schema allows is accepted, and nothing breaks the shop."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from shop_calls import arguments_for, busy_orders, few, json_values, many, scalars, shop

from envs.retail.environment import RetailEnv
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import TOOLS, argument_fault, call
from reliability.shop import plain_sha256

task = Task("t/1", "I want to change something about my orders.", (Action("think", {"thought": ""}),))


@pytest.fixture(scope="module", autouse=True)
def shop_stays_as_it_was_loaded():
    before = plain_sha256(shop())
    yield
    assert plain_sha256(shop()) == before


# --- schemas ----------------------------------------------------------------------------------------------


def schema_allows(name: str, arguments: Any, enums: bool) -> bool:
    parameters = json.loads(json.dumps(TOOLS[name].schema["function"]["parameters"]))
    for parameter in parameters["properties"].values():
        if not enums:
            parameter.pop("enum", None)
    return Draft202012Validator({**parameters, "additionalProperties": False}).is_valid(arguments)


@st.composite
def odd_arguments(draw) -> tuple[str, Any]:
    name = draw(st.sampled_from(sorted(TOOLS)))
    arguments = dict(draw(arguments_for(name)))
    for parameter in draw(st.lists(st.sampled_from([*TOOLS[name].kinds, "surplus"]), max_size=2)):
        if draw(st.booleans()):
            arguments[parameter] = draw(json_values | st.lists(st.text(max_size=3) | scalars, max_size=3))
        else:
            arguments.pop(parameter, None)
    return name, draw(st.just(arguments) | st.just(arguments) | st.just(arguments) | json_values)


RETURN = {"order_id": "#W1", "payment_method_id": "paypal_1"}


@many
@given(odd_arguments())
@example(("return_delivered_order_items", {**RETURN, "item_ids": ["1", 2]}))
@example(("return_delivered_order_items", {**RETURN, "item_ids": "12"}))
@example(("return_delivered_order_items", {**RETURN, "item_ids": []}))
def test_what_a_schema_allows_is_what_a_tool_accepts(case):
    name, arguments = case
    fits = schema_allows(name, arguments, enums=False)
    assert (argument_fault(name, arguments) is None) == fits
    env = RetailEnv(shop(), task)
    env.reset()
    answer = env.step(Action(name, arguments)).observation
    if not fits:
        assert answer == f"Error: {argument_fault(name, arguments)}"


@many
@given(st.text(max_size=20) | st.sampled_from(["no longer needed", "ordered by mistake", "No longer needed"]))
def test_a_reason_outside_the_enum_is_refused_in_the_tools_own_words(reason):
    pending = next(o for o in busy_orders() if shop().orders[o]["status"] == "pending")
    arguments = {"order_id": pending, "reason": reason}
    answer = call(shop().open(), "cancel_pending_order", arguments)
    assert (answer != "Error: invalid reason") == schema_allows("cancel_pending_order", arguments, enums=True)


# --- whatever comes ---------------------------------------------------------------------------------------


def nested(depth: int, value: Any = "#W1") -> Any:
    for _ in range(depth):
        value = [value]
    return value


names = st.sampled_from([*TOOLS, RESPOND, "", "Think", "__init__", "get_order\ud800"]) | json_values


@many
@given(names, json_values | odd_arguments().map(lambda case: case[1]), st.booleans())
def test_a_step_never_raises_and_an_error_changes_nothing(name, arguments, strict):
    require_text_and_no_harm(name, arguments, strict)


def require_text_and_no_harm(name: Any, arguments: Any, strict: bool) -> None:
    env = RetailEnv(shop(), task, strict=strict)
    env.reset()
    assert isinstance(env.step(Action(name, arguments)).observation, str)
    if env.turns[0].failed:
        assert env.database.changes() == {} and env.database.state() == {"orders": {}, "users": {}}
    env.score()


MONSTROUS = {
    "a long id": ("get_order_details", {"order_id": "x" * 3_000_000}),
    "a deep id": ("get_order_details", {"order_id": nested(100_000)}),
    "a deep user": ("modify_user_address", {"user_id": nested(100_000), "zip": "1"}),
    "a deep expression": ("calculate", {"expression": ["1", "+", nested(50_000)]}),
    "a lone surrogate": ("think", {"thought": "\ud800\x00" * 10_000, "\ud800": 1}),
    "deep items": ("return_delivered_order_items", {"item_ids": [nested(10_000)] * 3}),
    "a deep name": (nested(100_000), {}),
    "a deep name and deep arguments": (nested(100_000), nested(100_000)),
    "deep words": (RESPOND, {"content": nested(100_000)}),
    "a long name": ("x" * 1_000_000, None),
    "the tool's own parameter": ("find_user_id_by_email", {"database": 1, "email": "x"}),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("case", MONSTROUS)
def test_monstrous_input_is_answered_too(case, strict):
    require_text_and_no_harm(*MONSTROUS[case], strict)


@few
@given(st.sampled_from(["modify_pending_order_address", "modify_user_address"]), st.integers(1, 40))
def test_duck_typing_stores_nested_values_or_answers_an_error(name, thousands):
    """tau-bench puts any value into an address; one too deep to be written as JSON is refused, not stored."""
    order = shop().orders[busy_orders()[0]]
    address = dict.fromkeys(("address1", "address2", "city", "state", "country"), "x")
    arguments = {"order_id": order["order_id"], "user_id": order["user_id"], **address}
    arguments = {p: arguments.get(p, nested(thousands * 100)) for p in TOOLS[name].kinds}
    database = shop().open()
    answer = call(database, name, arguments)
    assert bool(database.changes()) != answer.startswith("Error")
