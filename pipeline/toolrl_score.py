"""ToolRL's published score of a list of calls against the right list, with its switches.

    correctness([Call("find", {"a": "1"})], [Call("find", {"a": "2"})])      # 1.0: one value wrong
    correctness(gold, calls, Switches(intermediate=True))
    bounds(Switches(schedule=True, step=75)).correctness                     # (-2.5, 2.5)

From qiancheng0/ToolRL (Apache-2.0), reward_score/rlla.py, in our own words; the numbers are the same. A task
without calls is worth 0 whatever was done. Otherwise equal lists earn the maximum, an unreadable answer the
minimum, and anything between is `minimum + (maximum - minimum) * earned / earnable`, where

    earned   = overlap of the tool names
               + for each right call, in order, of the best unused call of the same tool:
                 overlap of the argument names + number of equal values
    earnable = 1 + for each right call (1 + number of its arguments)

Overlap is the Jaccard index of multisets. Known to be gameable: nine guesses beside the right call still earn
1.2 of 3, and right names with wrong values beat half of the right calls; `intermediate` stops the latter.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Named(Protocol):
    """A call or an action: what has a name and arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Switches:
    """The published switches, all off as published, with the names they have there."""

    correct_max_1: bool = False  # CORRECTMAX1: correctness from -1 to 1
    coarse: bool = False  # COARSEREWARD: equal lists or nothing
    intermediate: bool = False  # INTERMEDIATEREWARD: a call counts if it is right in full
    refined: bool = False  # REFINEDREWARD: names must be the same in the same order
    max1_step30_max3: bool = False  # MAX1STEP30MAX3: correctness counts little until step 30, format after
    schedule: bool = False  # SCHEDULEREWARD: from format to correctness over 150 steps
    with_length: bool = False  # WITHLENGTH: pay for long thoughts
    schedule_length: bool = False  # SCHEDULELENGTH: ever longer ones
    step: int = 0  # of the training; the first is 1

    def __post_init__(self) -> None:
        if self.schedule and self.correct_max_1:
            raise ValueError(
                "schedule with correct_max_1 turns the reward upside down from step 300 on; use one of them"
            )


@dataclass(frozen=True)
class Bounds:
    """Least and most of the two scores."""

    format: tuple[float, float]
    correctness: tuple[float, float]


def bounds(switches: Switches = Switches()) -> Bounds:
    """What a step of the training can earn at least and at most."""
    step = switches.step
    form, right = 1.0, 1.0 if switches.correct_max_1 else 3.0
    if switches.max1_step30_max3:
        form, right = (form, right / 3) if step < 30 else (form / 2, right)
    if not switches.schedule:
        return Bounds((0.0, form), (-right, right))
    share = min(step / 150, 1.0)  # both begin at 2 and come to what they are without a schedule
    right = 2 + (right - 2) * share
    return Bounds((min(-2 + step / 75, -1.0), 2 + (form - 2) * share), (-right, right))


def correctness(
    gold: Sequence[Named],
    calls: Sequence[Named] | None,
    switches: Switches = Switches(),
) -> float:
    """What a list of calls is worth.

    Args:
        gold: The right calls.
        calls: The calls made; None where the answer could not be read.
        switches: The published switches.
    """
    least, most = bounds(switches).correctness
    if not gold:
        return 0.0
    if calls is not None and [(g.name, g.arguments) for g in gold] == [(c.name, c.arguments) for c in calls]:
        return most
    if calls is None or switches.coarse:
        return least
    return least + (most - least) * _earned(gold, calls, switches) / _earnable(gold, switches)


def _earnable(gold: Sequence[Named], switches: Switches) -> float:
    return 1 + sum(1 if switches.intermediate else 1 + len(action.arguments) for action in gold)


def _earned(gold: Sequence[Named], calls: Sequence[Named], switches: Switches) -> float:
    unused = list(calls)
    earned = overlap([g.name for g in gold], [c.name for c in calls], in_order=switches.refined)
    for action in gold:
        worth = [_worth(action, call, switches) for call in unused]
        best = max(worth, default=0.0)
        if best > 0:
            earned += best
            unused.pop(worth.index(best))
    return earned


def _worth(gold: Named, call: Named, switches: Switches) -> float:
    if gold.name != call.name:
        return 0.0
    if switches.intermediate:
        return float(gold.arguments == call.arguments)
    values = sum(
        name in call.arguments and call.arguments[name] == value for name, value in gold.arguments.items()
    )
    return overlap(list(gold.arguments), list(call.arguments), in_order=switches.refined) + values


def overlap(ours: Sequence[Hashable], theirs: Sequence[Hashable], *, in_order: bool = False) -> float:
    """How much two lists have in common: 1 if equal, the Jaccard index of multisets, or all or nothing."""
    if list(ours) == list(theirs):
        return 1.0
    if in_order or not ours or not theirs:
        return 0.0
    common = sum((Counter(ours) & Counter(theirs)).values())
    return common / (len(ours) + len(theirs) - common)


def length_score(thought_words: int, switches: Switches) -> float:
    """What long thoughts are worth: words / 512 up to 1, where the schedule asks for ever more."""
    if not switches.with_length:
        return 0.0
    long = 384 + 256 * switches.step / 105 if switches.schedule_length else 512
    return min(round(thought_words / long, 2), 1.0)
