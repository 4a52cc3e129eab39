"""95 % intervals by drawing tasks anew: the trials (and the steps) of a task stand or fall together.

low, high = interval([1.0, 0.0, 1.0])                 # of the mean of one value a task
ratios, low, high = ratio_intervals(sums)             # of ratios of sums, shape (tasks, ratios, 2)
share_in_words(0.55, 0.46, 0.65)                      # "55.0%  [46%, 65%]", as every table has it
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

DRAWS = 2000
AT_ONCE = 2_000_000  # numbers drawn at a time: all at once would take gigabytes for very many tasks


def interval(values: Sequence[float], draws: int = DRAWS) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of one value a task."""
    import numpy as np

    ones = np.ones(len(values))
    _, low, high = ratio_intervals(np.stack([np.asarray(values, float), ones], axis=-1)[:, None], draws)
    return float(low[0]), float(high[0])


def share_in_words(value: float, low: float, high: float) -> str:
    """A share and the ends of its interval, as tables show them."""
    return f"{value:.1%}  [{low:.0%}, {high:.0%}]"


def ratio_intervals(sums: np.ndarray, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios of sums over tasks, with the ends of their intervals; NaN where there is nothing to divide by.

    Args:
        sums: For each task and each ratio, what it adds to the numerator and to the denominator.
        draws: How many times as many tasks are drawn, with replacement.
    """
    import numpy as np

    count, ratios, _ = sums.shape
    if not count:
        return (np.full(ratios, np.nan),) * 3
    # In one order, whichever came first: the same outcomes have the same interval wherever they are shown.
    sums = np.stack([one[np.lexsort(one.T)] for one in np.moveaxis(sums, 1, 0)], axis=1)
    chance, even, part = np.random.default_rng(0), np.full(count, 1 / count), max(1, AT_ONCE // count)
    sizes = [min(part, draws - start) for start in range(0, draws, part)]
    weights = (chance.multinomial(count, even, size=size) for size in sizes)
    drawn = np.concatenate([_divided(np.tensordot(some, sums, axes=1)) for some in weights])
    known = [column[~np.isnan(column)] for column in drawn.T]
    ends = [np.percentile(column, [2.5, 97.5]) if len(column) else (np.nan, np.nan) for column in known]
    low, high = np.array(ends).T
    return _divided(sums.sum(axis=0)), low, high


def _divided(sums: np.ndarray) -> np.ndarray:
    import numpy as np

    below = sums[..., 1]
    return np.divide(sums[..., 0], below, out=np.full(below.shape, np.nan), where=below > 0)
