"""ToolRL's public reward written plainly, on answers in its own tags: ours is held to it.

    score("<think> … </think>\\n<tool_call>\\n{…}\\n</tool_call>", truth, step=75)

The same numbers as qiancheng0/ToolRL's verl/utils/reward_score/rlla.py in our own words, the switches read
from the environment where they are needed, as there. Left out are its printing and the part that cuts the
answer out of a Qwen or Llama conversation. Faults are kept, among them the switches that turn the reward
round; a right answer that cannot be read raises. The tests use it as an oracle, the benchmark where the
public file is missing.
"""

import json
import os
import re
from collections import Counter
from typing import Any

_THOUGHT = r"<think>.*?</think>"
_SHAPES = {  # (has calls, has a reply) -> what an answer of the kind looks like
    (False, False): rf"^{_THOUGHT}$",
    (True, False): rf"^{_THOUGHT}\n<tool_call>\n.*?\n</tool_call>$",
    (False, True): rf"^{_THOUGHT}\n<response>.*?</response>$",
    (True, True): rf"^{_THOUGHT}\n<tool_call>\n.*?\n</tool_call>\n<response>.*?</response>$",
}


def score(solution: str, truth: str, step: int = 0) -> tuple[float, ...]:
    """Total, format, correctness, length.

    Args:
        solution: The answer.
        truth: The right answer.
        step: Of the training.
    """
    solution = solution.strip()
    form, right = _format(solution, truth, step), _correctness(solution, truth, step)
    length = _length(solution, step) if _on("WITHLENGTH") else 0.0
    return form + right + length, form, right, length


def _on(name: str) -> bool:
    return os.getenv(name) == "1"


def _format(solution: str, truth: str, step: int) -> float:
    least, most = 0.0, 1.0
    if _on("MAX1STEP30MAX3") and step >= 30:
        least, most = least / 2, most / 2
    if _on("SCHEDULEREWARD"):
        most = max(2 - (2 - most) * step / 150, 1.0)
        least = min(-2 + (2 + least) * step / 150, -1.0)
    kind = ("<tool_call>" in truth, "<response>" in truth)
    tags = [tag for tag, wanted in zip(("tool_call", "response"), kind, strict=True) if wanted]
    once = all(solution.count(f"<{tag}>") == solution.count(f"</{tag}>") == 1 for tag in tags)
    return most if once and re.search(_SHAPES[kind], solution, re.DOTALL) else least


def _correctness(solution: str, truth: str, step: int) -> float:
    most = 1.0 if _on("CORRECTMAX1") else 3.0
    if _on("MAX1STEP30MAX3") and step < 30:
        most /= 3
    least = -most
    if _on("SCHEDULEREWARD"):
        most, least = min((most - 2) * step / 150 + 2, 3.0), max((least + 2) * step / 150 - 2, -3.0)
    if "<tool_call>" not in truth:
        return 0.0
    gold = _calls(truth)
    try:
        return _worth(gold, _calls(solution), least, most)
    except (IndexError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return least


def _calls(text: str) -> list[Any]:
    inside, found, _ = text.split("<tool_call>")[1].partition("</tool_call>")
    if not found:
        raise ValueError("the calls have no end")
    return [json.loads(line) for line in inside.strip().split("\n")]


def _worth(gold: list[Any], made: list[Any], least: float, most: float) -> float:
    if gold == made:
        return most
    if _on("COARSEREWARD"):
        return least
    earned = _overlap([one["name"] for one in gold], [one["name"] for one in made])
    earnable, used = 1.0, set()
    for wanted in gold:
        earnable += 1.0 if _on("INTERMEDIATEREWARD") else 1.0 + len(wanted["parameters"])
        best, place = 0.0, None
        for number, call in enumerate(made):
            if number in used or call["name"] != wanted["name"]:
                continue
            worth = _call_worth(wanted, call)
            if worth > best:
                best, place = worth, number
        if place is not None:
            used.add(place)
            earned += best
    return (most - least) * earned / earnable + least


def _call_worth(wanted: dict[str, Any], call: dict[str, Any]) -> float:
    if _on("INTERMEDIATEREWARD"):
        return float(wanted == call)
    ours, theirs = wanted["parameters"], call["parameters"]
    equal = sum(1.0 for name, value in ours.items() if name in theirs and theirs[name] == value)
    return _overlap(list(ours.keys()), list(theirs.keys())) + equal


def _overlap(ours: list[str], theirs: list[str]) -> float:
    if ours == theirs:
        return 1.0
    if _on("REFINEDREWARD") or not ours or not theirs:
        return 0.0
    common = sum((Counter(ours) & Counter(theirs)).values())
    return common / (len(ours) + len(theirs) - common)


def _length(solution: str, step: int) -> float:
    if "<think>" not in solution or "</think>" not in solution:
        return 0.0
    long = (640 - 384) * step / 105 + 384 if _on("SCHEDULELENGTH") else 512
    thoughts = solution.split("<think>")[-1].split("</think>")[0]
    return min(round(len(thoughts.split()) / long, 2), 1.0)
