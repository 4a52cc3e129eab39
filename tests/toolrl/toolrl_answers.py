"""A question's right answer and some others, and their scores without the total."""

from typing import Any

from pipeline.harmony import Analysis, Call, Final, render
from pipeline.toolrl import compute_score

FIND = Call("find", {"a": "1"})
GOLD = render([Analysis("I call."), FIND])
REPLY = render([Analysis("I reply."), Final("Hello.")])
START = "<|start|>assistant"


def parts(solution: Any, gold: str = GOLD, **options: Any) -> tuple[float, float]:
    """Format and correctness."""
    score = compute_score(solution, gold, **options)
    return score.format, score.correctness
