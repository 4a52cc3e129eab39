"""ToolRL's formula by the published examples, call lists given; answers are in test_toolrl_reward.py."""

import pytest

from pipeline.harmony import Call
from pipeline.toolrl_score import Switches, correctness

A, XY, B = Call("a", {"x": 1, "y": 2}), Call("a", {"x": 1, "y": 2, "z": 3}), Call("b", {})
ONE = [Call("f", {"p": "v"})]


@pytest.mark.parametrize(
    ("gold", "calls", "expected"),
    [
        (ONE, ONE, 3.0),
        (ONE, [Call("f", {"p": "w"})], 1.0),
        (ONE, [Call("f", {})], -1.0),
        (ONE, [Call("g", {"p": "v"})], -3.0),
        (ONE, None, -3.0),
        ([], ONE, 0.0),
        ([A, B], [B, A], 3.0),
        ([A, B], [A], 1.2),
        ([A, B], [XY, B], -3 + 6 * (1 + 2 / 3 + 2 + 1) / 5),
        (ONE, [Call("f", {"p": str(n)}) for n in range(9)] + ONE, 1.2),
    ],
)
def test_correctness_is_the_published_one(gold, calls, expected):
    assert correctness(gold, calls) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("switches", "exact", "one_wrong", "wrong_tool", "form"),
    [
        (Switches(), 3, 1, -3, (0, 1)),
        (Switches(correct_max_1=True), 1, 1 / 3, -1, (0, 1)),
        (Switches(max1_step30_max3=True, step=0), 1, 1 / 3, -1, (0, 1)),
        (Switches(max1_step30_max3=True, step=30), 3, 1, -3, (0, 0.5)),
        (Switches(schedule=True, step=0), 2, 2 / 3, -2, (-2, 2)),
        (Switches(schedule=True, step=75), 2.5, 2.5 / 3, -2.5, (-1, 1.5)),
        (Switches(schedule=True, step=400), 3, 1, -3, (-1, 1)),
        (Switches(coarse=True), 3, -3, -3, (0, 1)),
        (Switches(intermediate=True), 3, 0, -3, (0, 1)),
        (Switches(refined=True), 3, 1, -3, (0, 1)),
    ],
)
def test_the_switches_do_what_is_published(switches, exact, one_wrong, wrong_tool, form):
    assert correctness(ONE, ONE, switches) == pytest.approx(exact)
    assert correctness(ONE, [Call("f", {"p": "w"})], switches) == pytest.approx(one_wrong)
    assert correctness(ONE, [Call("g", {"p": "v"})], switches) == pytest.approx(wrong_tool)
    assert switches.bounds.format == pytest.approx(form)


def test_the_switches_that_turn_the_sign_round_are_refused_together():
    with pytest.raises(ValueError, match="upside down"):
        Switches(schedule=True, correct_max_1=True)
