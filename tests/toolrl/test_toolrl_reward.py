"""ToolRL's reward in harmony: the published cases, the switches, what is not read, and what always holds."""

import random
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from toolrl_answers import FIND, GOLD, REPLY, START, parts

from benchmarks import toolrl_reference
from benchmarks.toolrl_cases import Reply, cases
from pipeline.harmony import Analysis, Call, Final, render
from pipeline.toolrl import compute_score
from pipeline.toolrl.read import Answers, read_answer
from pipeline.toolrl_score import PUBLISHED, Switches

# What is published


@pytest.mark.parametrize(
    ("solution", "gold", "expected"),
    [
        (GOLD, GOLD, (1, 3)),
        (render([Analysis("t"), Call("find", {"a": "2"})]), GOLD, (1, 1)),
        (render([Analysis("t"), Call("other", {"a": "1"})]), GOLD, (1, -3)),
        (render([FIND]), GOLD, (0, 3)),
        (render([Analysis("t"), FIND, FIND]), render([Analysis("t"), FIND, FIND]), (1, 3)),
        (render([Analysis("t"), Final("Hi.")]), REPLY, (1, 0)),
        ("I think I should call find with a = 1.", GOLD, (0, -3)),
    ],
    ids=["perfect", "partial", "wrong tool", "no analysis", "several calls", "final only", "wrong format"],
)
def test_the_seven_published_cases(solution, gold, expected):
    assert parts(solution, gold) == expected
    assert compute_score(solution, gold).total == sum(expected)


@pytest.mark.parametrize("seed", range(8))
def test_made_up_answers_score_as_in_the_public_formula(seed, monkeypatch):
    rng = random.Random(seed)
    for case in cases(60, seed):
        on = {name for name in PUBLISHED if rng.random() < 0.3}
        step = rng.choice([0, 1, 29, 30, 75, 105, 120, 150, 151, 400])
        for name in PUBLISHED:
            monkeypatch.setenv(name, "1" if name in on else "0")
        expected = pytest.approx(toolrl_reference.score(case.tags, case.truth_tags, step), abs=1e-9)
        if {"SCHEDULEREWARD", "CORRECTMAX1"} <= on:
            with pytest.raises(ValueError, match="upside down"):
                compute_score(case.harmony, case.truth_harmony, step)
            continue
        assert tuple(compute_score(case.harmony, case.truth_harmony, step)) == expected, (on, step)
        chosen = Switches(**{PUBLISHED[name]: True for name in on}, step=step)
        assert tuple(compute_score(case.harmony, case.truth_harmony, switches=chosen)) == expected


NAMES = st.sampled_from(["find", "f.ind", "Find It", "other"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False, width=16)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
CALLS = st.lists(
    st.builds(Call, NAMES, st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)), max_size=4
)
SWITCHES = st.builds(
    Switches,
    coarse=st.booleans(),
    intermediate=st.booleans(),
    refined=st.booleans(),
    max1_step30_max3=st.booleans(),
    schedule=st.booleans(),
    with_length=st.booleans(),
    schedule_length=st.booleans(),
    step=st.integers(0, 400),
)
SWITCHES |= st.builds(Switches, correct_max_1=st.booleans(), guess_cap=st.none() | st.integers(0, 3))


def in_seed_form(reply: Reply) -> str:
    """As the data's own names would stand in a header, with a line break between the messages."""
    renamed = replace(
        reply, calls=tuple(replace(one, name=f"n{number}") for number, one in enumerate(reply.calls))
    )
    text = renamed.harmony.replace(f"<|{START[2:]}", f"\n{START}").strip()
    for number, call in enumerate(reply.calls):
        text = text.replace(f"functions.n{number}<", f"functions.{call.name}<")
    return text


@example(  # all values right beside one argument too many: the call after it is worth more
    gold=[Call("find", {"a": None})],
    made=[Call("find", {"a": None, "b": None}), Call("find", {"a": None})],
    words=None,
    thought=None,
)
@given(
    gold=CALLS, made=CALLS, words=st.none() | st.just("Hi."), thought=st.none() | st.text("ab ", max_size=9)
)
def test_any_calls_score_as_in_the_public_formula(gold, made, words, thought):
    gold = [*gold, Call("Find It")] if gold else gold  # else names with spaces would be badly formed
    truth = Reply("t", tuple(gold), words or (None if gold else ""))
    reply = Reply(thought, tuple(made), words)
    expected = toolrl_reference.score(reply.tags, truth.tags)
    assert tuple(compute_score(in_seed_form(reply), in_seed_form(truth))) == pytest.approx(expected, abs=1e-9)


# What always holds


PIECES = [
    START,
    "<|start|>user",
    "<|start|>functions.find to=assistant",
    " to=functions.find",
    " to=functions.x y",
]
PIECES += [
    "<|channel|>analysis",
    "<|channel|>commentary",
    "<|channel|>final",
    "<|channel|>",
    "<|message|>",
    " json",
]
PIECES += [
    " <|constrain|>json",
    '{"a": "1"}',
    "{}",
    "[1]",
    "NaN",
    "{",
    "<|end|>",
    "<|call|>",
    "<|return|>",
    "\n",
]
PIECES += ["<|endoftext|>", "<", "<|", "|>", "word ", "to=", "assistant", "<¦|", "\ud800", " ", GOLD, REPLY]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=60)


@given(solution=TEXTS, gold=st.sampled_from([GOLD, REPLY]), switches=SWITCHES)
def test_no_solution_raises_or_leaves_the_bounds(solution, gold, switches):
    score = compute_score(solution, gold, switches=switches)
    least = switches.bounds
    assert score.format in least.format
    assert least.correctness[0] <= score.correctness <= least.correctness[1]
    assert 0 <= score.length <= (1 if switches.with_length else 0)
    assert score.total == pytest.approx(score.format + score.correctness + score.length)
    best = compute_score(gold, gold, switches=switches)
    assert score.format <= best.format and score.correctness <= best.correctness


@given(TEXTS, TEXTS)
def test_what_is_remembered_of_a_question_changes_nothing(one, other):
    answers = Answers()
    for text in (one, other, one, START + "<|channel|>analysis<|message|>t<|end|>" + one):
        assert answers.read(text) == read_answer(text)


@pytest.mark.parametrize(
    "solution", [None, "", " ", "\n", "<|start|>", "<|start|>user<|message|>hi", "[" * 100_000]
)
def test_nothing_to_read_is_badly_formed(solution):
    assert parts(solution) == (0, -3)


def test_hostile_json_is_no_call():
    for body in ("[" * 100_000, "1" * 100_000, '{"a": ' * 5_000, '{"a": "\ud800"}', "{" * 5, '{"a": 1} x'):
        solution = GOLD.replace('{"a": "1"}', body)
        assert parts(solution)[1] <= 1


def test_long_hostile_text_takes_no_time_that_grows_faster_than_it():
    for text in (
        "<" * 200_000,
        "<|start|>assistant" * 20_000,
        "a" * 500_000,
        f"{START} to=functions.{'x ' * 99_999}",
    ):
        assert parts(text) == (0, -3)
