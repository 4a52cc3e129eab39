"""Reading answers: every decision of the table holds, exact numbers are read, and nothing blows up."""

import re
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envs.gsm8k import answers
from envs.gsm8k.answers import flexible_answer, read_number, reference_answer, score, strict_answer

TABLE = re.findall(r"^\| `(.*?)` \| (\S+) \| (\S+) \| .+ \|$", answers.__doc__, flags=re.MULTILINE)


def expected(cell: str) -> Fraction | None:
    return None if cell == "none" else Fraction(cell)


def test_the_table_is_read_in_full():
    body = answers.__doc__.split("| --- | --- | --- | --- |\n")[1]
    assert len(TABLE) == body.count("\n") > 50


@pytest.mark.parametrize(("solution", "strict", "flexible"), TABLE)
def test_each_decision_of_the_table(solution, strict, flexible):
    text = re.sub(r"U\+(.{4})", lambda code: chr(int(code[1], 16)), solution.replace("⏎", "\n"))
    assert strict_answer(text) == expected(strict)
    assert flexible_answer(text) == expected(flexible)
    assert flexible_answer(f"It follows that {text.removeprefix('#### ')} \n") == expected(flexible)


@given(
    st.integers(-(10**12), 10**12), st.sampled_from(["{}", "{:,}", "{}.", "{}.0", "{:,}.00", "{}%", " {} "])
)
def test_whole_numbers_are_read_however_they_are_written(number, form):
    text = form.format(number)
    assert read_number(text) == strict_answer(f"so\n#### {text}") == flexible_answer(f"so {text}") == number


@given(st.decimals(-(10**9), 10**9, places=4))
def test_decimals_are_read_exactly(number):
    assert read_number(f"{number:,}") == flexible_answer(f"It is {number}!") == Fraction(number)


@given(st.fractions(-(10**9), 10**9, max_denominator=10**6))
def test_a_number_is_read_from_its_own_text(number):
    assert read_number(str(number)) == strict_answer(f"#### {number}") == number


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_only_the_right_number_earns(told, right):
    assert score(f"#### {told}", f"2 + 2 = 4\n#### {right}") == float(told == right)
    assert score(f"It is {told}", str(right), strict=False) == float(told == right)
    if told != right:
        assert score(f"#### {told}\n#### {right}", str(right)) == 0.0


@given(st.lists(st.integers(0, 999), min_size=2))
def test_a_list_of_numbers_is_no_strict_answer(numbers):
    for separator in (" ", ", ", ",", " or ", "; ", "/"):
        answer = strict_answer("#### " + separator.join(map(str, numbers)))
        assert answer is None or separator in ",/"  # 1,234 is one number, and so is 1/2
        assert answer not in numbers


NUMBERISH = st.text(alphabet="0123456789.,/$%+-#eE \n:x_()" + answers.MINUS, max_size=60)


@given(NUMBERISH | st.text(max_size=60))
@example("#### -." + "0" * 38 + "1")
def test_any_text_earns_nothing_or_everything(text):
    for strict in (True, False):
        assert score(text, "18", strict) in (0.0, 1.0)
    for answer in (strict_answer(text), flexible_answer(text), read_number(text)):
        assert answer is None or len(str(abs(answer.numerator))) <= answers.MAX_CHARACTERS
        assert answer is None or read_number(str(answer)) == answer  # what a row of a data set holds


@given(NUMBERISH)
def test_what_strict_reads_stands_in_the_text_as_digits(text):
    answer = strict_answer(text)
    if answer is not None and answer.denominator == 1:
        assert str(abs(answer.numerator)) in re.sub(r"[,.]", "", text)


# 200,000 characters: work that grows with their square would never end, and Python refuses so long a number.
BOMBS = ["9" * 200_000, "1," * 100_000, "#### " * 40_000, "#### 1" + " " * 200_000 + "x", "1,234" * 40_000]
BOMBS += ["-" * 200_000, "$" * 200_000, "1/" * 100_000, "." * 200_000, "#" * 200_000, "1e" * 100_000]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda text: text[:12].strip())
def test_long_nonsense_is_no_answer(bomb):
    assert score(bomb, "18") == score(bomb, "18", strict=False) == 0.0
    assert score(f"#### {bomb}", "18") == 0.0


def test_a_reference_without_an_answer_is_refused():
    assert reference_answer("a\n#### 1,000") == reference_answer(" 1000 ") == 1000
    for wrong in ("", "eighteen", "18 apples", "#### 1 2", "#### 1\n#### 2"):
        with pytest.raises(ValueError, match="must end in a line"):
            score("eighteen", wrong)
