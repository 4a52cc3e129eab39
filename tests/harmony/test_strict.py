"""Arguments against schemas, compared with the reference implementation of JSON Schema."""

import json
import random

import pytest
from harmony_samples import arguments, parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.strict import Refused, check_arguments, read_object

TOOL = {
    "type": "function",
    "function": {
        "name": "cancel",
        "parameters": {
            "type": "object",
            "properties": {
                "order_id": {"type": "string"},
                "reason": {"type": "string", "enum": ["no longer needed", "ordered by mistake"]},
                "items": {"type": "array", "items": {"type": "string"}},
                "count": {"type": "integer"},
                "price": {"type": "number"},
                "gift": {"type": "boolean"},
                "note": {"type": ["string", "null"]},
                "when": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "old": {"type": "string", "nullable": True},
                "address": {"type": "object", "properties": {"zip": {"type": "string"}}, "required": ["zip"]},
                "free": {"type": "object"},
                "open": {"type": "object", "properties": {}, "additionalProperties": True},
                "whatever": {},
            },
            "required": ["order_id"],
        },
    },
}


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"reason": "ordered by mistake", "items": ["a", "b"], "count": 0, "price": 1, "gift": False},
        {"price": 1.5, "note": None, "when": 3, "old": None, "address": {"zip": "1"}, "free": {"a": [1]}},
        {"note": "x", "when": "now", "items": [], "open": {"a": 1}, "whatever": [None]},
    ],
)
def test_fitting_arguments_pass(rest):
    assert check_arguments(TOOL, {"order_id": "#W1", **rest}) is None
    assert check_arguments(TOOL["function"], {"order_id": "#W1", **rest}) is None
    assert check_arguments(TOOL["function"]["parameters"], {"order_id": "#W1", **rest}) is None


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        ({"order": "#W1"}, '"order"'),
        ({"order_id": 1}, '"order_id"'),
        ({"order_id": None}, '"order_id"'),
        ({"reason": "because"}, '"reason"'),
        ({"items": "a"}, '"items"'),
        ({"items": ["a", 1]}, '"items"[1]'),
        ({"count": 1.0}, '"count"'),
        ({"count": True}, '"count"'),
        ({"price": True}, '"price"'),
        ({"price": "1"}, '"price"'),
        ({"gift": 1}, '"gift"'),
        ({"note": 1}, '"note"'),
        ({"when": None}, '"when"'),
        ({"address": {}}, '"zip"'),
        ({"address": {"zip": "1", "street": "x"}}, '"street"'),
    ],
)
def test_what_does_not_fit_is_named(rest, named):
    assert named in check_arguments(TOOL, {"order_id": "#W1", **rest})


def test_a_missing_argument_is_named():
    assert check_arguments(TOOL, {}) == 'argument "order_id" is missing'


def test_a_tool_without_parameters_takes_none():
    for tool in (
        {"name": "list_all"},
        {"name": "list_all", "parameters": {"type": "object", "properties": {}}},
    ):
        assert check_arguments(tool, {}) is None
        assert '"a"' in check_arguments(tool, {"a": 1})


def closed(schema):
    """The schema in standard JSON Schema, with undeclared names forbidden as they are here."""
    result = dict(schema)
    if result.pop("nullable", False):
        return {"anyOf": [closed(result), {"type": "null"}]}
    if "items" in result:
        result["items"] = closed(result["items"])
    for choice in ("anyOf", "oneOf"):
        if choice in result:
            result["anyOf"] = [closed(one) for one in result.pop(choice)]
    if "properties" in result:
        result["properties"] = {name: closed(one) for name, one in result["properties"].items()}
        result["additionalProperties"] = False
    return result


@pytest.mark.parametrize("seed", range(60))
def test_the_verdict_is_json_schemas(seed):
    jsonschema = pytest.importorskip("jsonschema")
    rng = random.Random(seed)
    schema = parameters(rng)
    for _ in range(10):
        passed = {name: arguments(rng).get("x", rng.choice(["a", 1, None, [], ["a"], {}, True, 0.5]))
                  for name in schema["properties"] if rng.random() < 0.8}  # fmt: skip
        valid = jsonschema.Draft202012Validator(closed(schema)).is_valid(passed)
        assert (check_arguments(schema, passed) is None) == valid, (schema, passed)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_every_json_object_is_read_as_it_is(value):
    assert read_object(json.dumps(value)) == value
    assert read_object(f" \n{json.dumps(value, ensure_ascii=False)}\t\r") == value


@given(
    st.text()
    | st.text(alphabet='{}[]",:\\1eNa \n', max_size=40)
    | st.binary().map(lambda raw: raw.decode("latin-1"))
)
def test_any_other_text_is_refused_in_words(text):
    try:
        value = read_object(text)
    except Refused as refusal:
        assert refusal.reason and refusal.verdict != "ok"
    else:
        assert isinstance(value, dict) and json.loads(text) == value
