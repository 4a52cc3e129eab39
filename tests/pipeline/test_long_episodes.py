"""What long episodes cost, counted in operations, and that counting them quickly counts the same."""

from hypothesis import given
from hypothesis import strategies as st

from envs.retail.domain import RETAIL
from envs.retail.environment import Turn
from envs.retail.tasks import Action
from envs.retail.tools import READ
from pipeline import matching
from pipeline.matching import _comparable, _in_sequence, _is_repeat, _kind, _right, must_precede

NAMES = st.sampled_from(
    ["find_user_id_by_email", "get_order_details", "get_user_details", "cancel_pending_order", "no_such_tool"]
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["order_id", "user_id", "reason", "item_ids"]),
    st.sampled_from(["", "#W1", "#W2", "ana", 1, 1.0, True, None, ["b", "a"], ["a", "b"]]),
    max_size=2,
)
TURN = st.builds(
    Turn, st.builds(Action, NAMES, ARGUMENTS), st.sampled_from(["", "same", "other"]), st.booleans()
)
TURNS = st.lists(TURN, max_size=9).map(tuple)


def pair_by_pair(calls, gold):
    """What `_right` means, tried pair by pair."""

    def same_call(turn, wanted):
        alike = turn.action.name == wanted.action.name and turn.failed == wanted.failed
        return alike and _comparable(RETAIL, turn.action) == _comparable(RETAIL, wanted.action)

    def same_answer(turn, wanted):
        look_ups = (
            _kind(RETAIL, turn) == READ == _kind(RETAIL, wanted) and not turn.failed and not wanted.failed
        )
        return look_ups and turn.observation != "" and turn.observation == wanted.observation

    right = {}
    for same in (same_call, same_answer):
        for place, wanted in enumerate(gold):
            fitting = (
                at
                for at, turn in enumerate(calls)
                if at not in right.values() and same(turn, wanted)
                if same is same_call or not _is_repeat(calls, at)
            )
            if place not in right and (at := next(fitting, None)) is not None:
                right[place] = at
    return right


@given(TURNS, TURNS)
def test_calls_are_matched_as_if_every_pair_were_tried(calls, gold):
    assert _right(RETAIL, calls, gold) == pair_by_pair(calls, gold)


@given(TURNS, st.randoms(use_true_random=False))
def test_the_order_is_judged_as_if_every_pair_were_looked_at(gold, random):
    done = [place for place in range(len(gold)) if random.random() < 0.8]
    right = dict(zip(done, random.sample(range(20), len(done)), strict=True))
    wrong = any(
        right[first] > right[then] and must_precede(gold[first], gold[then])
        for first in done
        for then in done
        if first < then
    )
    assert _in_sequence(RETAIL, gold, right) is not wrong


def test_twice_the_calls_are_twice_the_comparisons(monkeypatch):
    def counted(turns):
        made = []
        monkeypatch.setattr(matching, "canonical", lambda value: made.append(1) or repr(value))
        calls = tuple(
            Turn(Action("get_order_details", {"order_id": f"#W{n}"}), f"{n}", False) for n in range(turns)
        )
        assert len(_right(RETAIL, calls, calls)) == turns and _in_sequence(
            RETAIL, calls, {n: n for n in range(turns)}
        )
        return len(made)

    assert counted(80) == 2 * counted(40)
