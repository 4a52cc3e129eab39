"""The order rows are trained in: alike within a batch, of all lengths from batch to batch."""

import random
from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sft import alike_in_batches

LENGTHS = [100 + 7 * (place % 131) for place in range(1300)]


@given(st.lists(st.integers(1, 5000), max_size=200), st.integers(1, 9), st.integers(0, 5))
def test_every_row_comes_once_and_the_order_is_the_seeds(lengths, batch_size, seed):
    order = alike_in_batches(lengths, batch_size, seed)
    assert sorted(order) == list(range(len(lengths)))
    assert order == alike_in_batches(lengths, batch_size, seed)


def batches(order: list[int], size: int) -> list[list[int]]:
    return [[LENGTHS[place] for place in order[at : at + size]] for at in range(0, len(order), size)]


def test_rows_of_a_batch_are_alike():
    grouped = fmean(max(batch) - min(batch) for batch in batches(alike_in_batches(LENGTHS, 4, 1), 4))
    shuffled = random.Random(1).sample(range(len(LENGTHS)), len(LENGTHS))
    by_chance = fmean(max(batch) - min(batch) for batch in batches(shuffled, 4))
    assert grouped < 0.2 * by_chance


def test_no_part_of_the_run_sees_short_or_long_rows_only():
    means = [fmean(batch) for batch in batches(alike_in_batches(LENGTHS, 2, 1), 2)]
    whole = fmean(LENGTHS)
    for start in range(0, len(means) - 50, 50):
        assert abs(fmean(means[start : start + 50]) - whole) < 0.2 * whole
    assert abs(fmean(means[-25:]) - whole) < 0.25 * whole


def test_another_seed_is_another_order():
    assert alike_in_batches(LENGTHS, 4, 1) != alike_in_batches(LENGTHS, 4, 2)
