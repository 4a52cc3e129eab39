"""A real browser for the tests of a run's page: when there is one, and what they ask it again and again."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from pipeline.episode_records import read_records

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120_000  # milliseconds: a busy machine is slow, not broken
IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]


def count(page: Any) -> int:
    """How many episodes the list says it has."""
    return int(re.match(r"[\d,]+", page.inner_text(".status"))[0].replace(",", ""))


def wait_for(page: Any, condition: str) -> None:
    """Ask from outside: the page's policy forbids what Playwright would put into it to wait."""
    deadline = monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert monotonic() < deadline, condition
        page.wait_for_timeout(20)


def hash_of(page: Any) -> str:
    return page.evaluate("decodeURIComponent(location.hash)")


def records(run: Path, stage: str) -> list[dict[str, Any]]:
    return list(read_records(run / "evaluation" / f"{stage}.jsonl"))


def solved(run: Path, stage: str, least: int = 3) -> dict[str, Any]:
    """An episode with a few calls and a change in the shop."""
    return next(
        one
        for one in records(run, stage)
        if one["succeeded"] and len(one["turns"]) >= least and one["changed"]
    )
