"""How the page looks in a real browser: small and wide screens, light and dark ones, paper, hostile text."""

import re

import pytest
from browsing import IN_A_BROWSER, records, solved, wait_for
from sample_run import HOSTILE

pytestmark = IN_A_BROWSER


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
