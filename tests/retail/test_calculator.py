"""The calculator says what Python says about every sane expression, and survives every other one."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from envs.retail.calculator import calculate

ROOT = Path(__file__).resolve().parents[2]

numbers = st.integers(0, 99_999).map(str) | st.decimals(0, 9_999, places=2).map(str) | st.just(".5")
spaces = st.sampled_from(["", " "])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "/", "//", "+", "-"])
    infix = st.tuples(inner, spaces, operators, spaces, inner).map("".join)
    power = st.tuples(inner.map("({})".format), st.sampled_from(["**2", " ** 3", "**0", "**.5"])).map("".join)
    return infix | inner.map("({})".format) | inner.map("-{}".format) | power


sane = st.recursive(numbers, combined, max_leaves=8)


def python_says(expression: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(round(float(eval(expression, {"__builtins__": {}})), 2))
    except Exception as error:
        return f"Error: {error}"


@settings(deadline=None, max_examples=300)
@given(sane)
@example("-0.001")
@example("(-8)**0.5")
@example("1/0")
@example("007")
@example("1e5 .")
@example("10**400")
@example("+".join(["1.1"] * 400))
def test_calculate_says_what_python_says(expression):
    if set(expression) <= set("0123456789+-*/(). "):
        assert calculate(expression) == python_says(expression)
    else:
        assert calculate(expression) == "Error: invalid characters in expression"


@settings(deadline=None, max_examples=150)
@given(st.text("0123456789+-*/(). ", max_size=25).filter(lambda text: "**" not in text))
def test_calculate_fails_where_python_fails(expression):
    ours, python = calculate(expression), python_says(expression)
    assert ours == python or (ours.startswith("Error") and python.startswith("Error"))


HOSTILE = [
    "9**9**9",
    "9**9**9**9",
    "(9**9)**(9**9)",
    "2**(2**62)",
    "-9**99999999",
    "(" * 100_000 + "1" + ")" * 100_000,
    "-" * 1_000_000 + "1",
    "1" * 1_000_000,
    "*".join(["9" * 400] * 300),
    "**".join(["3"] * 500),
    "()*99999999999",
    "()" * 900,
    "9" * 1_900 + "**99",
    "9" * 1_900 + "//7" + "**9" * 20,
    "1(" * 900,
    "1" + "*10**99" * 250,
    " " * 5_000_000,
    "." * 1_999,
]


def test_calculate_never_hangs():
    """In a process of its own, so that a hang is a failure and not a hang of the tests."""
    code = "import json, sys; from envs.retail.calculator import calculate as c; "
    code += "print(json.dumps([c(text) for text in json.load(sys.stdin)]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(HOSTILE),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(HOSTILE) and all(answer.startswith("Error") for answer in answers)
