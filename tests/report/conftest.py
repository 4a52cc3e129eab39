"""One run for all tests of its report, a browser for those that read it, and tests/pipeline within reach."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browsing import CHROMIUM, PATIENCE

from envs.retail.database import Shop

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))


@pytest.fixture(scope="session")
def shop() -> Shop:
    return Shop.load()


@pytest.fixture(scope="session")
def run(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stages with two trials of each task, and a training log; its report is written already."""
    from sample_run import write_run

    from pipeline.report_page import write_report

    folder = tmp_path_factory.mktemp("runs") / "demo"
    write_run(folder, shop, count=24, trials=2)
    write_report(folder, shop)
    return folder


@pytest.fixture(scope="module")  # no longer: while it is open no other test can run an event loop
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, run) -> Iterator[Any]:
    """Opens the page; at the end nothing may have been asked for, reported or popped up."""
    seen: list[str] = []

    @contextmanager
    def opened(hash: str = "", width: int = 1280, **settings: Any) -> Iterator[Any]:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda message: seen.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (seen.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: _note_request(seen, request.url, run))
        page.goto(f"{(run / 'report.html').as_uri()}{hash}")
        yield page
        assert page.evaluate("window.pwned") is None
        context.close()

    yield opened
    assert seen == []


def _note_request(seen: list[str], url: str, run: Path) -> None:
    if url.split("#")[0] != (run / "report.html").as_uri() and not url.startswith("data:"):
        seen.append(f"request: {url}")
