"""The shop, tasks of all levels, and the scripted agent of tests/pipeline within reach."""

import sys
from itertools import islice
from pathlib import Path

import pytest

from envs.retail.database import Shop
from envs.retail.generator import generate
from envs.retail.tasks import Task

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "tests" / "pipeline"))


@pytest.fixture(scope="session")
def shop() -> Shop:
    from scaleout.skyrl import serving

    return serving.shop()


@pytest.fixture(scope="session")
def tasks(shop) -> list[Task]:
    found = {task.query: task for task in islice(generate(shop, seed=8, levels=(1, 2, 3, 4, 5)), 16)}
    return sorted(found.values(), key=lambda task: task.id)


@pytest.fixture(scope="session")
def tiny_base() -> str:
    return str(ROOT / "data" / "tiny_base")
