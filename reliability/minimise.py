"""A failing input made as small as it gets while it still fails: what a person wants to look at.

smallest(text, lambda text: fails(text))
"""

from collections.abc import Callable
from typing import TypeVar

Sliced = TypeVar("Sliced", str, list)
TRIES = 2_000


def smallest(value: Sliced, fails: Callable[[Sliced], bool], tries: int = TRIES) -> Sliced:
    """Cut out ever smaller parts as long as what is left fails too; gives up after so many tries."""
    size = len(value) // 2
    while size and tries > 0:
        at, cut = 0, False
        while at < len(value) and tries > 0:
            tries -= 1
            shorter = value[:at] + value[at + size :]
            if fails(shorter):
                value, cut = shorter, True
            else:
                at += size
        size = size if cut and size == 1 else size // 2
    return value
