"""ToolRL's published score of a list of calls against the right list, with its switches.

    correctness([Call("find", {"a": "1"})], [Call("find", {"a": "2"})])      # 1.0: one value wrong
    correctness(gold, calls, Switches(intermediate=True))
    Switches(schedule=True, step=75).bounds.correctness                      # (-2.5, 2.5)
    Switches.from_environment(step=75)                                       # what CORRECTMAX1=1 … ask for

From qiancheng0/ToolRL (Apache-2.0), reward_score/rlla.py, in our own words; the numbers are the same. A task
without calls is worth 0 whatever was done. Otherwise equal lists earn the maximum, an unreadable answer the
minimum, and anything between is `minimum + (maximum - minimum) * earned / earnable`, where

    earned   = overlap of the tool names
               + for each right call, in order, of the best unused call of the same tool:
                 overlap of the argument names + number of equal values
    earnable = 1 + for each right call (1 + number of its arguments)

Overlap is the Jaccard index of multisets. Known to be gameable: nine guesses beside the right call still earn
1.2 of 3, and right names with wrong values beat half of the right calls; `intermediate` stops the latter and
`guess_cap` the former: with a cap of n, only the first n calls more than the gold has can match anything, so
with 0 the nine guesses earn -0.8 and a wrong guess alone earns 1. Off by default: it is not in the original.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol


class Named(Protocol):
    """A call or an action: what has a name and arguments."""

    name: str
    arguments: Mapping[str, Any]


PUBLISHED = {  # environment variable -> switch; on where the variable is "1"
    "CORRECTMAX1": "correct_max_1",
    "COARSEREWARD": "coarse",
    "INTERMEDIATEREWARD": "intermediate",
    "REFINEDREWARD": "refined",
    "MAX1STEP30MAX3": "max1_step30_max3",
    "SCHEDULEREWARD": "schedule",
    "WITHLENGTH": "with_length",
    "SCHEDULELENGTH": "schedule_length",
}
GUESS_CAP = "GUESSCAP"  # the variable of the one switch that is ours


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
    guess_cap: int | None = None  # ours: how many calls beyond the gold's number may still match

    def __post_init__(self) -> None:
        if self.schedule and self.correct_max_1:
            raise ValueError(
                "schedule with correct_max_1 (SCHEDULEREWARD with CORRECTMAX1) turns the reward upside down"
                " from step 300 on; use one of them"
            )
        if self.guess_cap is not None and self.guess_cap < 0:
            raise ValueError(f"guess_cap {self.guess_cap} must be 0 or more; leave it out for no cap")

    @classmethod
    def from_environment(cls, step: int = 0) -> "Switches":
        """The switches the environment variables ask for now."""
        return _switches(_read_environment(), step)

    @cached_property
    def bounds(self) -> "Bounds":
        """What a step of the training can earn at least and at most."""
        form, right = 1.0, 1.0 if self.correct_max_1 else 3.0
        if self.max1_step30_max3:
            form, right = (form, right / 3) if self.step < 30 else (form / 2, right)
        if not self.schedule:
            return Bounds((0.0, form), (-right, right))
        share = self.step / 150  # both begin at 2; format falls to 1, correctness goes to what it is without
        form, right = max(2 + (form - 2) * share, 1.0), min(2 + (right - 2) * share, 3.0)
        return Bounds((min(-2 + 2 * share, -1.0), form), (-right, right))


@dataclass(frozen=True)
class Bounds:
    """Least and most of the two scores."""

    format: tuple[float, float]
    correctness: tuple[float, float]


_KEYS = (*PUBLISHED, GUESS_CAP)
_RAW_KEYS = tuple(map(os.fsencode, _KEYS))
_NOTHING_SET = (None,) * len(_KEYS)


def _read_environment() -> tuple[str | bytes | None, ...]:
    """The variables' values now.

    `os.environ` raises and catches twice for each that is not set, which takes longer than the whole score,
    so on posix its dictionary of bytes is looked into.
    """
    raw = getattr(os.environ, "_data", None) if os.name == "posix" else None
    if raw is None:
        return tuple(map(os.environ.get, _KEYS))
    return _NOTHING_SET if raw.keys().isdisjoint(_RAW_KEYS) else tuple(map(raw.get, _RAW_KEYS))


@lru_cache(maxsize=1024)
def _switches(values: tuple[str | bytes | None, ...], step: int) -> Switches:
    *published, cap = (value and os.fsdecode(value) for value in values)
    on = {name: value == "1" for name, value in zip(PUBLISHED.values(), published, strict=True)}
    if cap and not (cap.isascii() and cap.isdigit()):
        raise ValueError(f"{GUESS_CAP}={cap!r} must be a number of calls; unset it for no cap")
    return Switches(**on, step=step, guess_cap=int(cap) if cap else None)


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
    if not gold:
        return 0.0
    least, most = switches.bounds.correctness
    if calls is None:
        return least
    if len(gold) == len(calls):
        for action, call in zip(gold, calls, strict=True):
            if action.name != call.name or action.arguments != call.arguments:
                break
        else:
            return most
    if switches.coarse:
        return least
    return least + (most - least) * _earned(gold, calls, switches) / _earnable(gold, switches)


def _earnable(gold: Sequence[Named], switches: Switches) -> float:
    return 1 + len(gold) + (0 if switches.intermediate else sum([len(action.arguments) for action in gold]))


def _earned(gold: Sequence[Named], calls: Sequence[Named], switches: Switches) -> float:
    names: list[str | None] = [call.name for call in calls]
    earned = overlap([action.name for action in gold], names, in_order=switches.refined)
    unused = names if switches.guess_cap is None else names[: len(gold) + switches.guess_cap]
    for action in gold:
        if action.name not in unused:
            continue
        best, place = 0.0, None
        for number, name in enumerate(unused):
            if name == action.name and (worth := _worth(action, calls[number], switches)) > best:
                best, place = worth, number
                if best == len(action.arguments) + 1:  # nothing is worth more
                    break
        if place is not None:
            earned += best
            unused[place] = None
    return earned


def _worth(gold: Named, call: Named, switches: Switches) -> float:
    """What a call of the right tool is worth."""
    ours, theirs = gold.arguments, call.arguments
    if switches.intermediate:
        return float(ours == theirs)
    common = values = 0
    for name, value in ours.items():
        if name in theirs:
            common += 1
            values += theirs[name] == value
    if switches.refined:
        return (list(ours) == list(theirs)) + values
    either = len(ours) + len(theirs) - common
    return (common / either if either else 1.0) + values


def overlap(ours: Sequence[str], theirs: Sequence[str], *, in_order: bool = False) -> float:
    """How much two lists of names have in common: 1 if equal, the Jaccard index of multisets, or 0 or 1."""
    if ours == theirs:
        return 1.0
    if in_order or not ours or not theirs:
        return 0.0
    rest = list(theirs)
    for name in ours:
        if name in rest:
            rest.remove(name)
    common = len(theirs) - len(rest)
    return common / (len(ours) + len(theirs) - common)


def length_score(thought_words: int, switches: Switches) -> float:
    """What long thoughts are worth: words / 512 up to 1, where the schedule asks for ever more."""
    if not switches.with_length:
        return 0.0
    long = 384 + 256 * switches.step / 105 if switches.schedule_length else 512
    return min(round(thought_words / long, 2), 1.0)
