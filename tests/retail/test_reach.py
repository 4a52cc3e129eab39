"""What an agent can know of a calculation: small numbers can be counted, others must have been told."""

import pytest

from envs.retail.database import Shop
from envs.retail.reach import unreachable_arguments
from envs.retail.tasks import Action, Task


@pytest.mark.parametrize("expression", ["10 * 2", "12.5 + 3", "11", "9" * 5_000])
def test_small_whole_numbers_are_counted_and_others_must_have_been_told(expression):
    action = Action("calculate", {"expression": expression})
    untold, told = (Task("t", query, (action,)) for query in ("What is it?", f"What is {expression}?"))
    assert len(unreachable_arguments(Shop.load(), untold)) == (expression != "10 * 2")
    assert unreachable_arguments(Shop.load(), told) == []
