"""ToolRL's reward, GSM8K's reader of numbers, and the calculator, on inputs made to upset them.

    python -m reliability --only answers --case 17

A case is one of the three by turns. For the calculator the expression is made together with its value, so
that the right answer is known without evaluating any text.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from random import Random
from typing import Any

from envs.gsm8k import answers
from envs.retail.calculator import ALLOWED, calculate
from pipeline.harmony import Analysis, render
from pipeline.toolrl import compute_score
from pipeline.toolrl_score import PUBLISHED, Switches
from reliability import hostile
from reliability.reading import NAMES, Problem, attempt, smallest_failing
from reliability.transcripts import any_draft, turn
from reliability.trial import Found, Setting, Trial, sized

ABOUT = """
Three readers of what a model answers. **ToolRL's reward** gets a mutated transcript beside a right
answer, with any of the published switches: nothing raises, the parts are within their bounds and add
up, the same twice, and the right answer itself earns the maximum. **GSM8K's answer reader** gets texts
with numbers in every spelling, marks and noise: one number or none, the same twice, and an answer put
behind a text by the rule is read. **The calculator** gets expressions whose value is known, and soup of
its own characters: the known value, or an error as text. No input takes more than a second of CPU.
"""

_NUMBERS = (
    "18",
    "-18",
    "+18",
    "1,234",
    "1,23,4",
    "3.50",
    ".5",
    "1/3",
    "2/4",
    "$18",
    "18%",
    "18$",
    "#",
    "####",
    "#### ",
    "#### 18",
    "####18",
    "\n",
    "\n#### ",
    "18.",
    "1e5",
    "12:30",
    "3.14.15",
    "9" * 41,
    "9" * 400,
    "\u221218",
    "(18)",
    "\u0661\u0668",
    "18\u00a0",
    "1 000",
    "**18**",
    "=",
    "<<2+3=5>>",
    "-$-18",
    "0/0",
    "1/0",
    "00",
    "007",
    "- 18",
)
Check = Callable[[str], Problem]
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
}


def score_problem(solution: str, truth: str, switches: Switches) -> Problem:
    """What is wrong with a score of ToolRL's reward."""
    score = compute_score(solution, truth, switches=switches)
    if compute_score(solution, truth, switches=switches) != score:
        return "another score the second time"
    (least, most), (low, high) = switches.bounds.format, switches.bounds.correctness
    if not (least <= score.format <= most and low - 1e-9 <= score.correctness <= high + 1e-9):
        return f"out of bounds: {score}"
    if not 0 <= score.length <= 1 or not math.isclose(score.total, sum(score[1:])):
        return f"does not add up: {score}"
    right = compute_score(truth, truth, switches=switches)
    best = (right.format, right.correctness) in ((most, high), (most, 0.0))
    return "" if best else f"the right answer earns {right}"


def _toolrl(rng: Random) -> tuple[str, Check]:
    last = turn(rng, NAMES)[-1]
    truth = render([Analysis(hostile.words(rng)), last])  # thoughts, then a call or words, as in the data
    solution = any_draft(rng, NAMES).text if rng.random() < 0.8 else truth[rng.randrange(40) :]
    chosen = {name: rng.random() < 0.2 for name in PUBLISHED.values()}
    if chosen["schedule"]:
        chosen["correct_max_1"] = False  # refused together, with an error that says why
    switches = Switches(**chosen, step=rng.randrange(400), guess_cap=rng.choice((None, 0, 3)))
    return solution, lambda text: score_problem(text, truth, switches)


def number_problem(text: str, number: int) -> Problem:
    """What is wrong with how GSM8K's reader takes a text."""
    found = (answers.strict_answer(text), answers.flexible_answer(text), answers.read_number(text))
    if found != (answers.strict_answer(text), answers.flexible_answer(text), answers.read_number(text)):
        return "another number the second time"
    if not all(one is None or isinstance(one, Fraction) for one in found):
        return f"neither a number nor none: {found}"
    if "#" not in text and answers.strict_answer(f"{text}\n#### {number}") != number:
        return f"{number} behind the mark is not read"
    if found[1] is not None and answers.score(text, str(found[1]), strict=False) != 1.0:
        return f"the number read, {found[1]}, is not the right one"
    return ""


def _gsm8k(rng: Random) -> tuple[str, Check]:
    pieces = [
        rng.choice((*_NUMBERS, " ", " ", hostile.words(rng, 3), hostile.noise(rng, 8)))
        for _ in range(rng.randrange(12))
    ]
    number = rng.randrange(-(10**6), 10**6)
    return "".join(pieces), lambda text: number_problem(text, number)


def expression(rng: Random, depth: int = 4) -> tuple[str, Any]:
    """An expression in brackets, and its value; None where working it out fails."""
    if depth == 0 or rng.random() < 0.3:
        number = rng.choice((rng.randrange(100), rng.randrange(10**6), round(rng.random() * 1000, 2)))
        return (str(number), number) if rng.random() < 0.8 else (f"-{number}", -number)
    sign, blank = rng.choice(list(_OPERATIONS)), rng.choice(("", " "))
    (left, a), (right, b) = expression(rng, depth - 1), expression(rng, depth - 1)
    try:
        value = None if a is None or b is None else _OPERATIONS[sign](a, b)
    except (ArithmeticError, ValueError):
        value = None
    return f"({left}{blank}{sign}{blank}{right})", value


def value_problem(text: str, value: Any) -> Problem:
    """What is wrong with the calculator's answer; a value of None stands for an error."""
    answer = calculate(text)
    if calculate(text) != answer or not isinstance(answer, str):
        return f"no text, or another the second time: {answer!r:.80}"
    if value is None:
        return "" if answer.startswith("Error: ") else f"{answer!r:.80} where nothing can be worked out"
    wanted = str(round(float(value), 2))
    return "" if answer == wanted else f"{answer!r:.80} instead of {wanted}"


def soup_problem(text: str) -> Problem:
    """What is wrong with the calculator's answer to anything: it must be a number or an error."""
    answer = calculate(text)
    if calculate(text) != answer:
        return "another answer the second time"
    if answer.startswith("Error: "):
        return ""
    float(answer)
    return "" if ALLOWED.issuperset(text) else f"{answer!r:.80} for characters that are not allowed"


def _calculator(rng: Random) -> tuple[str, Check]:
    if rng.random() < 0.5:
        whole, value = expression(rng)
        return whole, lambda text: value_problem(text, value) if text == whole else ""  # a part has another
    letters = (*sorted(ALLOWED), "**", "//", "(" * 50, ")" * 50, "9" * 50, "1", "2", "3.5")
    soup = "".join(rng.choice(letters) for _ in range(rng.randrange(30)))
    return soup if rng.random() < 0.9 else soup + hostile.noise(rng, 20), soup_problem


_READERS = (("ToolRL's reward", _toolrl), ("GSM8K's reader", _gsm8k), ("calculator", _calculator))


def run(cases: range, setting: Setting) -> Found:
    """Make and read each case."""
    found = Found()
    for case in cases:
        name, make = _READERS[case % len(_READERS)]
        text, check = make(Random(f"{setting.seed}/answers/{case}"))
        read = partial(_read, check)
        problem, _, seconds = attempt(text, read)
        found.counts[f"inputs of {name}"] += 1
        found.note(f"slowest input of {name}, milliseconds of CPU", 1000 * seconds, case)
        if problem:
            found.fail(case, f"{name}: {problem}", ascii(smallest_failing(text, read)))
    return found


def _read(check: Check, text: str) -> tuple[Problem, str]:
    """In the form of `reading.attempt`; there is no verdict."""
    return check(text), ""


ANSWERS = Trial(
    "answers", "Rewards, answers and the calculator", ABOUT, run, sized(full=120_000, quick=600), piece=3_000
)
