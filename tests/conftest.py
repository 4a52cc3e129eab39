"""What holds for every test: no time limit on a generated example, and a quick tier that loads no torch.

And what many ask for: our shop, and a server of chats that can be told to misbehave.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from envs.retail.database import Shop
from reliability.faults.chat_server import Server

# A shared or slow machine must not turn a passing property into a failure.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.load()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _no_torch_in_the_quick_tier(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that imported torch though the quick tier promises not to."""
    yield
    if "not torch" in request.config.option.markexpr and "torch" in sys.modules:
        pytest.fail("torch was imported: mark the test `torch`, or import torch inside a function")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests come first, so that no worker is left alone with one of them at the end."""
    weights: dict[Path, int] = {}
    for item in items:
        weight = sum(bool(item.get_closest_marker(name)) for name in ("slow", "torch", "notebook"))
        weights[item.path] = max(weight, weights.get(item.path, 0))
    items.sort(key=lambda item: -weights[item.path])
