"""Single steps are judged as they are written: gold is right, all else only as far as it is the same."""

from itertools import islice

import pytest
from scripted_agent import CHARACTERS, encode

from envs.retail.generator import generate
from pipeline.harmony import Call, Final, written_turns
from pipeline.plan import render_plan
from pipeline.steps import SPEAK, GoldStep, StepReport, gold_steps, judge


def turn(message: Call | Final) -> str:
    (text,) = written_turns([message])
    return text


LOOK = Call("get_order_details", {"order_id": "#W0000000"})


def right_answer(step: GoldStep) -> str:
    if step.mode == "plan":
        return turn(Final(render_plan(step.calls)))
    return turn(Final("Hello.") if step.kind == SPEAK else step.calls[0])


def judged(step: GoldStep, text: str) -> tuple[bool, float, float]:
    result = judge(step, encode(text), CHARACTERS)
    return result.valid, result.names, result.arguments


@pytest.mark.parametrize("mode", ["agent", "plan"])
def test_gold_is_right_at_every_step(shop, mode):
    steps = gold_steps(shop, islice(generate(shop, seed=5, levels=(1, 2)), 10), mode=mode)
    assert len(steps) >= 10
    assert {judged(step, right_answer(step)) for step in steps} == {(True, 1.0, 1.0)}


def test_a_call_is_right_by_name_and_by_arguments(shop):
    steps = gold_steps(shop, islice(generate(shop, seed=5, levels=(1, 2)), 10))
    step = next(step for step in steps if step.kind == "get_order_details")
    assert judged(step, turn(LOOK)) == (True, 1.0, 0.0)
    assert judged(step, turn(Call(LOOK.name))) == (False, 0.0, 0.0), "against the schema"
    assert judged(step, turn(Call("get_lost", LOOK.arguments))) == (False, 0.0, 0.0)
    assert judged(step, turn(Final("Hello."))) == (False, 0.0, 0.0)
    spoken = next(step for step in steps if step.kind == SPEAK)
    assert judged(spoken, turn(LOOK)) == (False, 0.0, 0.0)


def test_a_plan_that_does_nothing_is_right_where_nothing_is_to_be_done():
    nothing = GoldStep("none", "", (), "plan")
    assert judged(nothing, right_answer(nothing)) == (True, 1.0, 1.0)
    assert judged(nothing, turn(Final(render_plan([LOOK])))) == (True, 0.0, 0.0)
    assert judged(nothing, "nothing") == (False, 0.0, 0.0)
    report = StepReport((judge(nothing, encode(right_answer(nothing)), CHARACTERS),))
    assert report.name_accuracy == 1.0 and len(report.table()) == 1
