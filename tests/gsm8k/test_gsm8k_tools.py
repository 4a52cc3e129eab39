"""The calculator of this domain is the shop's: same schema, same answers, and no call can raise."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.gsm8k.tools import call, schemas
from envs.retail import tools as shop_tools
from envs.retail.calculator import calculate
from envs.retail.database import Shop

ROOT = Path(__file__).parents[2]


def test_the_schema_is_the_shops():
    (schema,) = schemas()
    assert schema == next(one for one in shop_tools.schemas() if one["function"]["name"] == "calculate")


@pytest.mark.parametrize("expression", ["48 / 2 + 48", "9**9**9", "1/0", "two", "", "(" * 3000])
def test_it_answers_as_the_shops_does(expression):
    asked = {"expression": expression}
    assert call("calculate", asked) == shop_tools.call(Shop.load().open(), "calculate", asked)


def test_it_calculates():
    assert call("calculate", {"expression": "48 / 2 + 48"}) == "72.0"


@pytest.mark.parametrize("arguments", [None, [], "1+1", {}, {"expression": 2}, {"expression": "1", "x": "2"}])
def test_wrong_arguments_are_answered(arguments):
    assert call("calculate", arguments).startswith("Error: ")


@pytest.mark.parametrize("name", ["think", "cancel_pending_order", "", None, 3])
def test_other_tools_are_unknown_here(name):
    assert call(name, {"expression": "1+1"}).startswith("Unknown action")


@given(st.text(alphabet="0123456789+-*/(). ", max_size=30) | st.text(max_size=30))
def test_any_expression_is_answered_like_the_parser_does(expression):
    assert call("calculate", {"expression": expression}) == calculate(expression)


def test_the_domain_needs_only_the_standard_library_and_the_shop():
    code = (
        "import sys; before = set(sys.modules); from envs.gsm8k import answers, tools, problems, synthetic;"
        "print(*(name.split('.')[0] for name in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {*sys.stdlib_module_names, "envs"}
