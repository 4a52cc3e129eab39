"""What an agent or a file says stays text: it opens nothing, starts nothing, and no page runs it."""

import re
import sys
import threading
from html.parser import HTMLParser
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.retail.environment import RetailEnv
from envs.retail.generator import generate
from envs.retail.tasks import RESPOND, Action
from envs.retail.tools import TOOLS
from pipeline import chain, chat, report

HOSTILE = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror='window.pwned=1'>",
    '"><svg onload=alert(1)>',
    "</td></table><style>*{display:none}</style>",
    "javascript:alert(1)",
    "[click](javascript:alert(1))",
    "$\\href{javascript:alert(1)}{x}$ and $5",
    "$(touch /tmp/pwned)",
    "; rm -rf /",
    "../../../../etc/passwd",
    "/etc/passwd\0",
    "__import__('os').system('id')",
    "{0.__class__.__mro__}",
    "\ud800",
    "\x1b]0;pwned\x07",
)
EVENTS = (
    "open",
    "os.",
    "subprocess.",
    "socket.",
    "shutil.",
    "exec",
    "compile",
    "import",
    "ctypes.",
    "tempfile.",
)


class Watch:
    """What this thread does to the world while it is being watched; Python tells by its audit events."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.thread = 0
        sys.addaudithook(self.note)

    def note(self, event: str, arguments: tuple) -> None:
        if self.thread == threading.get_ident() and event.startswith(EVENTS):
            self.seen.append(f"{event} {arguments!r}"[:200])

    def __enter__(self) -> "Watch":
        self.seen, self.thread = [], threading.get_ident()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread = 0


WATCH = Watch()  # a hook stays for good: one for all tests


@pytest.fixture(scope="module")
def task(shop):
    return next(generate(shop, seed=3, levels=(3,)))


hostile = st.sampled_from(HOSTILE) | st.text(max_size=30)
values = st.recursive(
    hostile | st.integers() | st.floats() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=5,
)


def test_the_watch_sees_what_it_is_for(tmp_path):
    with WATCH:
        (tmp_path / "x").write_text("")
    assert any(event.startswith("open ") for event in WATCH.seen)
    with WATCH:
        pass
    (tmp_path / "y").write_text("")
    assert not WATCH.seen


@settings(max_examples=40)
@given(
    name=st.sampled_from([*TOOLS, RESPOND]) | hostile,
    arguments=st.dictionaries(hostile, values, max_size=2),
    filled=st.lists(values, min_size=8, max_size=8),
    strict=st.booleans(),
)
def test_whatever_an_agent_asks_for_reaches_no_file_and_no_program(
    shop, task, name, arguments, filled, strict
):
    if name in TOOLS:  # under the tool's own names too, where it would be read
        wanted = TOOLS[name].schema["function"]["parameters"]["properties"]
        arguments = arguments | dict(zip(wanted, filled, strict=False))
    env = RetailEnv(shop, task, strict=strict)
    env.reset()
    env.step(Action("get_user_details", {"user_id": "nobody"}))  # what is loaded at first use is loaded now
    with WATCH:
        env.step(Action(name, arguments))
    assert not WATCH.seen


class Tags(HTMLParser):
    """The elements and their attributes that a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.events: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.events += [name for name, _ in attributes if name.startswith("on")]


def assert_harmless(page: str) -> None:
    tags = Tags(page)
    assert not set(tags.names) & {"script", "img", "svg", "iframe", "object"} and not tags.events
    assert "javascript:" not in re.sub(r">[^<]*<", "><", page), "only as text between tags"
    assert page.count("display:none") == page.count("&lt;style&gt;*{display:none}&lt;/style&gt;")


@pytest.fixture(scope="module")
def episode(shop, task):
    env = RetailEnv(shop, task, strict=False)
    env.reset()
    env.opening = " ".join(HOSTILE)
    for text in HOSTILE:
        env.step(Action(text, {text: text}))
        env.step(Action("calculate", {"expression": text}))
    env.step(Action(RESPOND, {"content": " ".join(HOSTILE)}))
    return env.episode


def test_an_episode_in_a_notebook_is_text(episode):
    page = report.show_episode(episode).data
    assert_harmless(page)
    assert "mathjax_ignore" in page, "no formula either"
    assert page.count("&lt;script&gt;") >= 3


def test_what_never_reached_the_customer_is_not_shown_as_their_answer(shop, task):
    env = RetailEnv(shop, task)
    env.reset()
    env.step(Action(RESPOND, {"words": "Hello"}))
    page = report.show_episode(env.episode).data
    assert page.count('class="customer"') == 1 and 'class="call failed"' in page


def test_tables_in_a_notebook_are_text():
    table = report.left_aligned([(text, text) for text in HOSTILE if text != "\ud800"], ["a", HOSTILE[0]])
    page = table.to_html()
    assert_harmless(page.replace(re.search(r"(?s)<style.*?</style>", page)[0], ""))
    assert "&lt;img" in page and "mathjax_ignore" in page


def test_a_number_in_a_table_stays_a_number():
    assert ">0.250000<" in report.left_aligned([("x", 0.25)], ["a", "b"]).to_html()


def test_a_runs_name_is_text_on_the_notebooks_page(tmp_path):
    import nbformat

    notebook = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title")]), notebook)
    chain.write_page([notebook], tmp_path / "page.html", title="Run <img src=x onerror=alert(1)>")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" not in page and page.count("Run &lt;img") == 2, "in the title and in the heading"


def test_a_terminal_is_shown_no_control_characters(episode):
    printed = "".join(chat.spelled(turn) for turn in episode.turns)
    assert "\x1b" not in printed and "\x07" not in printed and "rm -rf /" in printed


def test_generated_tasks_hold_nothing_hostile(shop):
    texts = " ".join(task.query for task in islice(generate(shop, seed=5), 50))
    assert not re.search(r"[<>\x00-\x08]|javascript:", texts)
