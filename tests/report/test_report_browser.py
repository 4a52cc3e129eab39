"""The page in a real browser: reading, filtering, keys, two stages together, hostile text, small screens."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sample_run import HOSTILE

from pipeline.episode_records import read_records

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]
PATIENCE = 120_000  # milliseconds: a busy machine is slow, not broken


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tool:
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


def test_it_opens_with_a_list_in_windows_and_an_episode(visit):
    with visit() as page:
        assert page.inner_text("h1") == "demo" and count(page) == 144
        made = page.locator("#rows a").count()
        assert made < 144, "rows are made as they are needed"
        page.locator("#rows").evaluate("list => { list.scrollTop = list.scrollHeight; }")
        wait_for(page, f"document.querySelectorAll('#rows a').length > {made}")
        assert page.locator("#opened article").count() == 1


def test_filters_leave_what_they_say_and_stay_in_the_address(visit, run):
    failed = [one for one in records(run, "base") if not one["succeeded"]]
    with visit() as page:
        page.select_option("[name=stage]", "base")
        page.select_option("[name=outcome]", "failed")
        wait_for(page, f"document.querySelector('.status').textContent.startsWith('{len(failed)} ')")
        assert set(page.locator("#rows .pill").all_inner_texts()).isdisjoint({"solved"})
        assert "stage=base" in hash_of(page) and "outcome=failed" in hash_of(page)
        page.select_option("[name=kind]", "invalid call")
        wait_for(
            page, "[...document.querySelectorAll('#rows .pill')].every(p => p.textContent === 'invalid call')"
        )
        page.select_option("[name=level]", "3")
        wait_for(
            page,
            "[...document.querySelectorAll('#rows small')].every(p => p.textContent.includes('level 3'))",
        )
        left = count(page)
        page.reload()
        assert count(page) == left and page.input_value("[name=kind]") == "invalid call"


def test_search_finds_words_ids_and_tools_together(visit, run):
    one = solved(run, "grpo")
    order = re.search(r"#W\d{7}", json.dumps(one["turns"]))[0]
    with visit() as page:
        page.fill("[name=q]", f"{order.lower()} {one['turns'][-2]['name'].upper()}")
        wait_for(page, "location.hash.includes('q=')")
        names = page.locator("#rows .name").all_inner_texts()
        assert one["id"] in names and count(page) < 144
        page.fill("[name=q]", "no such words anywhere")
        wait_for(page, "document.querySelector('.status').textContent.startsWith('0 ')")
        assert "No episode fits" in page.inner_text("#rows")


def test_an_opened_episode_shows_all_of_it_and_a_link_leads_back(visit, run):
    one = solved(run, "grpo")
    with visit(f"#stage=grpo&q={one['id']}") as page:
        page.locator("#rows a", has=page.get_by_text(one["id"], exact=True)).first.click()
        wait_for(page, "location.hash.includes('episode=')")
        address = hash_of(page)
        assert f"q={one['id']}" in address and "stage=grpo" in address
    with visit(address) as page:
        shown = page.inner_text("#opened")
        assert one["id"] in shown and one["opening"][:40] in shown
        assert page.locator("#opened .call code").all_inner_texts() == [
            turn["name"] for turn in one["turns"] if turn["name"] != "respond"
        ]
        answer = page.locator("#opened .call details", has_text="answer").first
        assert not answer.locator("pre").is_visible()
        answer.locator("summary").click()
        assert answer.locator("pre").is_visible()
        thoughts = page.locator("#opened details.thoughts").first
        assert not thoughts.locator(".text").first.is_visible()
        for change in one["changed"]:
            assert f"{change['record']} {change['field']}" in shown
        assert "Gold actions" in shown and "correct ordering" in shown and "outcome in all" in shown
        assert page.locator("#rows a[aria-current]").count() == 1


def test_an_unreadable_turn_is_marked_with_the_readers_reason(visit, run):
    one = next(
        record
        for record in records(run, "base")
        if record["ended"] == "unparsable" and not record["id"].endswith("-0")
    )
    with visit(f"#episode=base/{one['trial']}/{one['id']}") as page:
        mark = page.inner_text("#opened .unread")
        assert (
            "could not be read" in mark and "strict reader: truncated: the text ends inside a message" in mark
        )
        assert one["written"][-1] in page.locator("#opened .unread pre").text_content()


def test_the_keyboard_does_everything(visit):
    with visit() as page:
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "q"
        page.keyboard.type("j")
        wait_for(page, "location.hash.includes('q=j')")
        page.keyboard.press("Escape")
        place = "Number(document.activeElement.dataset.place)"
        assert page.evaluate(place) == 0
        for key, wanted in (("j", 1), ("ArrowDown", 2), ("j", 3), ("k", 2), ("ArrowUp", 1)):
            page.keyboard.press(key)
            assert page.evaluate(place) == wanted
        name = page.evaluate("document.activeElement.querySelector('.name').textContent")
        page.keyboard.press("Enter")
        wait_for(page, "location.hash.includes('episode=')")
        assert name in page.inner_text("#opened h3")
        page.keyboard.press("Escape")
        wait_for(page, "!location.hash.includes('episode=')")
        assert "Choose an episode" in page.inner_text("#opened")


def test_tab_reaches_every_control_and_shows_where_it_is(visit):
    with visit("#stage=grpo") as page:
        wait_for(page, "document.querySelector('#opened article')")
        reached = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            name, outline = page.evaluate(
                "(() => { const e = document.activeElement;"
                "return [e.name || e.id || e.className || e.tagName, getComputedStyle(e).outlineStyle]; })()"
            )
            reached.add(name)
            assert name in ("BODY", "opened") or outline != "none", name
        assert {"q", "stage", "level", "outcome", "kind", "row", "BUTTON", "SUMMARY"} <= reached


def test_every_control_has_a_name(visit):
    with visit() as page:
        nameless = page.evaluate(
            "[...document.querySelectorAll('input, select, button, a, summary')].filter(e =>"
            "!(e.textContent.trim() || e.ariaLabel || e.labels?.[0]?.textContent.trim())).length"
        )
        assert nameless == 0


def test_two_stages_stand_side_by_side_in_their_order(visit, run):
    one = solved(run, "grpo")
    with visit(f"#episode=grpo/0/{one['id']}") as page:
        page.select_option("[aria-label='Side by side with']", "base")
        wait_for(page, "document.querySelectorAll('#opened article').length === 2")
        labels = page.evaluate("[...document.querySelectorAll('#opened article')].map(a => a.ariaLabel)")
        assert labels == [f"{one['id']}, base", f"{one['id']}, grpo"]
        boxes = [page.locator("#opened article").nth(place).bounding_box() for place in (0, 1)]
        assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
        assert "beside=base" in hash_of(page)
        page.get_by_role("button", name="Next").click()
        wait_for(page, "!location.hash.includes('episode=grpo/0/" + one["id"] + "&')")
        assert "beside=base" in hash_of(page)


@pytest.mark.parametrize("width", [360, 1280])
def test_hostile_text_is_text_and_breaks_no_layout(visit, run, width):
    task = records(run, "grpo")[0]["id"]
    with visit(f"#episode=grpo/0/{task}&beside=base", width=width) as page:
        texts = page.evaluate("[...document.querySelectorAll('#opened .text')].map(e => e.textContent)")
        wanted = HOSTILE
        for letter in "\u2028\x1b\u202e\x00":
            wanted = wanted.replace(letter, f"⟨U+{ord(letter):04X}⟩")
        assert sum(wanted in text for text in texts) >= 2
        assert page.locator("#opened img, #opened script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_list_stands_above_and_nothing_scrolls_sideways(visit, run):
    one = solved(run, "grpo")
    for hash in ("", f"#episode=grpo/0/{one['id']}", f"#episode=grpo/0/{one['id']}&beside=sft"):
        with visit(hash, width=360) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            boxes = [page.locator(name).bounding_box() for name in (".list", "#opened")]
            assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
            page.get_by_role("button", name="Back to the list").click()
            wait_for(page, "document.activeElement.closest('#rows')")
            assert abs(page.locator("#viewer").bounding_box()["y"]) < 5


def test_no_width_makes_the_page_scroll_sideways(visit, run):
    with visit(f"#episode=grpo/0/{solved(run, 'grpo')['id']}&beside=base") as page:
        for width in (320, 480, 640, 770, 900, 1000, 1090, 1150, 1300, 1700):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


CONTRAST = """() => {
  const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
  const ratio = (name) => {
    let behind = document.querySelector(name);
    const front = light(getComputedStyle(behind).color);
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    const back = light(getComputedStyle(behind).backgroundColor);
    return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
  };
  const names = ["h1", ".note", "nav a", ".pill.bad", ".agent .text", ".customer .who", ".right",
    ".legend .s1", ".legend .s4"];
  return Object.fromEntries(names.map((name) => [name, ratio(name)]));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_screens_colours_and_can_be_read_in_both(visit, run, scheme):
    one = solved(run, "grpo")
    with visit(f"#episode=grpo/0/{one['id']}&kind=invalid+call", color_scheme=scheme) as page:
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(re.search(r"\d+", back)[0]) > 128) == (scheme == "light")
        faint = {name: ratio for name, ratio in page.evaluate(CONTRAST).items() if ratio < 4.5}
        assert not faint


def test_paper_has_the_opened_episode_as_it_was_left_and_no_list(visit, run):
    one = solved(run, "grpo")
    with visit(f"#episode=grpo/0/{one['id']}") as page:
        page.locator("#opened summary").first.click()
        page.emulate_media(media="print")
        assert not page.locator("#filters").is_visible() and page.locator("#opened article").is_visible()
        assert page.locator("#opened details[open]").count() == 1 and page.locator(".chart").count() > 5


def test_parts_of_the_page_do_not_disturb_the_opened_episode(visit, run):
    one = solved(run, "grpo")
    with visit(f"#episode=grpo/0/{one['id']}") as page:
        page.get_by_role("link", name="Failures").click()
        wait_for(page, "location.hash === '#failures'")
        assert one["id"] in page.inner_text("#opened h3")


def test_an_episode_that_is_not_here_is_said_to_be_missing(visit):
    with visit("#episode=grpo/7/nobody") as page:
        assert "does not show that episode" in page.inner_text("#opened")
