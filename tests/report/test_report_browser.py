"""The page in a real browser: reading, searching, filtering, keys, and two stages side by side."""

import json
import re

from browsing import IN_A_BROWSER, count, hash_of, records, solved, wait_for

pytestmark = IN_A_BROWSER


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


def test_parts_of_the_page_do_not_disturb_the_opened_episode(visit, run):
    one = solved(run, "grpo")
    with visit(f"#episode=grpo/0/{one['id']}") as page:
        page.get_by_role("link", name="Failures").click()
        wait_for(page, "location.hash === '#failures'")
        assert one["id"] in page.inner_text("#opened h3")


def test_an_episode_that_is_not_here_is_said_to_be_missing(visit):
    with visit("#episode=grpo/7/nobody") as page:
        assert "does not show that episode" in page.inner_text("#opened")
