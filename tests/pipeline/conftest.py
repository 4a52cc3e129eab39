"""The shop, and tasks with the turns that serve them: what the tests of the loop play."""

from itertools import islice

import pytest
from scripted_agent import gold_turns

from envs.retail.generator import generate
from envs.retail.tasks import Task


@pytest.fixture(scope="module")
def tasks(shop) -> list[Task]:
    """Tasks of all levels, each with words of its own and the first with many more turns than the second."""
    found = {task.query: task for task in islice(generate(shop, seed=8, levels=(1, 2, 3, 4, 5)), 24)}
    return sorted(found.values(), key=lambda task: task.id)


@pytest.fixture(scope="module")
def gold(shop, tasks) -> dict[str, list[str]]:
    return {task.query: gold_turns(shop, task) for task in tasks}
