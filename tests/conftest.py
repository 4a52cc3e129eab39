"""What holds for every test: no time limit on a generated example, and a quick tier that loads no torch."""

import sys

import pytest
from hypothesis import settings

# A shared or slow machine must not turn a passing property into a failure.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the quick tier if anything in it imported torch: mark that test `torch`, or import inside."""
    if "not torch" in session.config.option.markexpr and "torch" in sys.modules:
        print("\nthe quick tier imported torch: mark the test `torch` or import torch inside a function")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
