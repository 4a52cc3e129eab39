"""The published switches of ToolRL's reward, from the environment or as options, and the cap that is ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toolrl_answers import FIND, GOLD, parts

from pipeline.harmony import Analysis, Call, render
from pipeline.toolrl import compute_score
from pipeline.toolrl_score import GUESS_CAP, Switches


def test_the_environment_is_read_at_every_call_and_options_go_before_it(monkeypatch):
    assert parts(GOLD) == (1, 3)
    monkeypatch.setenv("CORRECTMAX1", "1")
    assert parts(GOLD) == (1, 1)
    assert parts(GOLD, switches=Switches()) == (1, 3)
    monkeypatch.setenv("CORRECTMAX1", "true")  # the public implementation wants a 1
    assert parts(GOLD) == (1, 3)
    monkeypatch.setenv("CORRECTMAX1", "1")
    monkeypatch.setenv("SCHEDULEREWARD", "1")
    with pytest.raises(ValueError, match="SCHEDULEREWARD with CORRECTMAX1"):
        compute_score(GOLD, GOLD)


def test_the_environment_is_found_in_a_plain_dictionary_too(monkeypatch):
    monkeypatch.setattr("os.environ", {"CORRECTMAX1": "1"})
    assert parts(GOLD) == (1, 1)


def test_a_step_given_goes_before_the_options_step():
    scheduled = Switches(schedule=True, step=150)
    assert parts(GOLD, switches=scheduled) == (1, 3)
    assert parts(GOLD, switches=scheduled, step=75) == (1.5, 2.5)


def test_format_never_falls_below_one_where_two_switches_would_halve_it(monkeypatch):
    monkeypatch.setenv("SCHEDULEREWARD", "1")
    monkeypatch.setenv("MAX1STEP30MAX3", "1")
    assert [parts(GOLD, step=step)[0] for step in (0, 40, 120, 150)] == [2, pytest.approx(1.6), 1, 1]


def test_arguments_that_are_no_object_cost_everything_only_where_they_are_looked_into():
    gold = render([Analysis("t"), FIND, Call("other")])
    listed = gold.replace('{"a": "1"}', '["1"]')
    assert parts(listed, gold) == (1, -3)
    assert parts(listed, gold, switches=Switches(intermediate=True)) == (1, 1)
    assert parts(listed.replace("functions.find", "functions.none"), gold)[1] > -3


def test_a_cap_takes_the_profit_out_of_guessing(monkeypatch):
    honest = render([Analysis("t"), Call("find", {"a": "0"})])
    guesses = render([Analysis("t"), *(Call("find", {"a": f"x{n}"}) for n in range(9)), FIND])
    assert parts(guesses)[1] == pytest.approx(1.2)
    assert parts(guesses)[1] > parts(honest)[1] == 1
    monkeypatch.setenv(GUESS_CAP, "0")
    assert parts(guesses)[1] == pytest.approx(-0.8)
    assert parts(honest)[1] == 1 and parts(GOLD)[1] == 3
    monkeypatch.setenv(GUESS_CAP, "9")
    assert parts(guesses)[1] == pytest.approx(1.2)
    monkeypatch.setenv(GUESS_CAP, "few")
    with pytest.raises(ValueError, match="must be a number of calls"):
        compute_score(GOLD, GOLD)


@given(st.integers(0, 12), st.integers(0, 4))
def test_under_a_cap_guesses_beyond_it_never_pay(wrong, cap):
    guesses = [Analysis("t"), *(Call("find", {"a": f"x{n}"}) for n in range(wrong)), FIND]
    capped = parts(render(guesses), switches=Switches(guess_cap=cap))[1]
    free = parts(render(guesses))[1]
    assert (
        capped == free
        if wrong <= cap
        else capped < parts(render([Analysis("t"), Call("find", {"a": "x"})]))[1]
    )
