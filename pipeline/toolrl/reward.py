"""What an answer in harmony earns by ToolRL's rule, once it is read: format, correctness, length.

compute_score(completion, row["reward_model"]["ground_truth"], step=75).total
"""

import re
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from pipeline.harmony_parse import Completion, Vocabulary
from pipeline.toolrl.read import Answer, Answers, Call, answer_alone, text_of
from pipeline.toolrl_score import Switches, correctness, length_score

_new = tuple.__new__  # half the time of a NamedTuple's own


class Score(NamedTuple):
    """What an answer earns."""

    total: float
    format: float
    correctness: float
    length: float


class Gold(NamedTuple):
    """A right answer: its calls, and the shape an answer of its kind has."""

    calls: list[Call]
    names: frozenset[str]
    answers: Answers  # to this question
    wanted: "Wanted"


class Wanted(dict[str, bool]):
    """Whether an answer of a shape is as a right one of this kind is; each shape is looked at once."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def __missing__(self, shape: str) -> bool:
        fits = self.pattern.fullmatch(shape) is not None
        if len(self) < 1000:
            self[shape] = fits
        return fits


def compute_score(
    solution: Completion | None,
    ground_truth: str,
    step: int = 0,
    switches: Switches | None = None,
    vocabulary: Vocabulary | None = None,
) -> Score:
    """What a solution is worth: total, format, correctness, length.

    Args:
        solution: What the assistant wrote: text, alone or at the end of the whole conversation; or token ids
            of the answer alone, which then cannot pass messages of others off as what came before it.
        ground_truth: The right answer in harmony, as the converter writes it.
        step: Of the training, for the switches that depend on it; the first is 1.
        switches: Instead of those of the environment (CORRECTMAX1=1, …), which are read at every call.
        vocabulary: Needed for token ids.
    """
    switches = Switches.from_environment(step) if switches is None else _at(switches, step)
    if not isinstance(ground_truth, str):
        raise TypeError(f"the ground truth must be text, not {type(ground_truth).__name__}")
    gold = read_gold(ground_truth)
    answer = gold.answers.read(_text(solution, vocabulary))
    least, most = switches.bounds.format
    form = most if gold.wanted[answer.shape] else least
    right = correctness(gold.calls, _comparable(answer, gold, switches), switches)
    length = length_score(len(answer.thoughts.split()), switches) if switches.with_length else 0.0
    return _new(Score, (form + right + length, form, right, length))


def _at(switches: Switches, step: int) -> Switches:
    """The options at a step; theirs where none is given."""
    return replace(switches, step=step) if step and step != switches.step else switches


def _text(solution: Completion | None, vocabulary: Vocabulary | None) -> str:
    if isinstance(solution, str):
        return solution
    if solution is None:
        return ""
    if vocabulary is None:
        raise TypeError(
            "token ids need their vocabulary: compute_score(ids, truth, vocabulary=Vocabulary.of(tokenizer))"
        )
    return answer_alone(text_of(solution, vocabulary))


def _comparable(answer: Answer, gold: Gold, switches: Switches) -> list[Call] | None:
    """The calls, None if the formula would look into arguments that are no object."""
    looked_into = answer.odd and not switches.intermediate and not gold.names.isdisjoint(answer.odd)
    return None if looked_into else answer.calls


@lru_cache(maxsize=1024)
def read_gold(ground_truth: str) -> Gold:
    """A right answer, read once; an error where it cannot be read, because its reward would mean nothing."""
    answers = Answers()
    answer = answers.read(ground_truth)
    if answer.calls is None or not answer.shape.strip("P") or "!" in answer.shape:
        problem = "is no harmony answer"
    elif answer.odd:
        problem = "calls with arguments that are no object"
    else:
        names = frozenset(call.name for call in answer.calls)
        return Gold(answer.calls, names, answers, _wanted(answer.shape))
    raise ValueError(
        f"the ground truth {problem}: {ground_truth!r:.120}; convert the data with"
        " `python -m pipeline.toolrl convert`, which rejects rows that cannot be scored"
    )


@lru_cache(maxsize=256)
def _wanted(shape: str) -> Wanted:
    """The shape of a kind's answers; names that cannot stand in a header only where the gold has some."""
    call = "[CU]" if "U" in shape else "C"
    if "C" in shape or "U" in shape:
        return Wanted(f"A[AP]*{call}+F" if "F" in shape else f"A[AP]*{call}+")
    return Wanted("A+F" if "F" in shape else "A+")
