"""Tasks without a defect: what the tests of the doctor plant theirs in."""

import pytest
from task_plays import first

from envs.retail.generator import generate
from envs.retail.tasks import Task


@pytest.fixture(scope="module")
def good(shop) -> list[Task]:
    return first(generate(shop, seed=5), 300)
