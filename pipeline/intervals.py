"""95 % intervals by drawing tasks anew: the trials (and the steps) of a task stand or fall together.

low, high = interval([1.0, 0.0, 1.0])                 # of the mean of one value a task
ratios, low, high = ratio_intervals(sums)             # of ratios of sums, shape (tasks, ratios, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

DRAWS = 2000


def interval(values: Sequence[float], draws: int = DRAWS) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of one value a task."""
    import numpy as np

    ones = np.ones(len(values))
    _, low, high = ratio_intervals(np.stack([np.asarray(values, float), ones], axis=-1)[:, None], draws)
    return float(low[0]), float(high[0])


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
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)
    drawn = _divided(np.tensordot(weights, sums, axes=1))
    known = [column[~np.isnan(column)] for column in drawn.T]
    ends = [np.percentile(column, [2.5, 97.5]) if len(column) else (np.nan, np.nan) for column in known]
    low, high = np.array(ends).T
    return _divided(sums.sum(axis=0)), low, high


def _divided(sums: np.ndarray) -> np.ndarray:
    import numpy as np

    below = sums[..., 1]
    return np.divide(sums[..., 0], below, out=np.full(below.shape, np.nan), where=below > 0)
