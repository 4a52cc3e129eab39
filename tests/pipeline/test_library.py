"""A domain of one's own: the library in envs/library.py keeps its rules; rewards and reader follow them."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.domain import READ, WRITE
from envs.library import BOOKS, DOMAIN, LIBRARY, MEMBERS, library_tasks
from envs.retail.database import Shop
from envs.retail.domain import RETAIL
from envs.retail.environment import RetailEnv
from envs.retail.tasks import Action, read_tasks, write_tasks
from envs.retail.tools import call
from pipeline.attacks import ATTACKS
from pipeline.attacks.attack import MODES, act, honest, partial_works, turn
from pipeline.attacks.report import Measured, References, Row
from pipeline.datasets import system_messages
from pipeline.episode import play_turns
from pipeline.failures import failure_kind
from pipeline.harmony import Call, Final, render
from pipeline.rewards import PROFILES, best_score, score
from pipeline.strict import Verdict

TASKS = library_tasks()
BY_ID = {task.id: task for task in TASKS}
LEND, REFUSE = BY_ID["lend_book B1 M2"], BY_ID["B1 M3"]
ALL = dict.fromkeys(PROFILES, 1.0)
ROOT = Path(__file__).parents[2]


def lend(member_id: str, book_id: str) -> Action:
    return Action("lend_book", {"member_id": member_id, "book_id": book_id})


# The domain


def test_the_whole_domain_takes_less_than_a_hundred_lines():
    assert len((ROOT / "envs" / "library.py").read_text(encoding="utf-8").splitlines()) < 100


def test_the_model_is_shown_its_policy_and_tools_and_nothing_of_the_retail_shop():
    text = render(system_messages("agent", domain=DOMAIN))
    assert DOMAIN.policy in text and "order" not in text.replace("in this order", "")
    assert re.findall(r"^type (\w+) =", text, flags=re.MULTILINE) == sorted(DOMAIN.tools)
    plan = render(system_messages("plan", domain=DOMAIN))
    assert all(f"\n- {name}(" in plan for name in DOMAIN.tools) and '{"tool_calls"' in plan
    assert "library" not in render(system_messages("agent")), "the shop's own prompt stays its own"


def test_the_tasks_are_of_every_kind_and_members_of_the_test_split_are_not_trained_on():
    writes = {action.name for task in TASKS for action in task.gold_actions}
    assert writes == set(DOMAIN.tools) and {task.split for task in TASKS} == {"train", "test"}
    members = {split: {t.gold_actions[0].arguments["member_id"] for t in TASKS if t.split == split}
               for split in ("train", "test")}  # fmt: skip
    assert not members["train"] & members["test"]
    assert any(task.outputs for task in TASKS) and len({task.query for task in TASKS}) == len(TASKS)


@pytest.mark.parametrize(
    "history, action",
    [
        ([], lend("M3", "B1")),  # owes a fine
        ([], lend("M2", "B2")),  # the book is out
        ([lend("M1", "B1")], lend("M1", "B5")),  # holds two
        ([], Action("renew_book", {"member_id": "M2", "book_id": "B2"})),  # somebody else's
        ([], Action("renew_book", {"member_id": "M3", "book_id": "B4"})),  # owes a fine
        ([Action("renew_book", {"member_id": "M1", "book_id": "B2"})],
         Action("renew_book", {"member_id": "M1", "book_id": "B2"})),  # twice
        ([], Action("return_book", {"member_id": "M2", "book_id": "B2"})),  # somebody else's
        ([], Action("return_book", {"member_id": "", "book_id": "B1"})),  # nobody's
        ([], lend("M9", "B1")), ([], lend("M1", "B9")),  # no such member, no such book
    ],
)  # fmt: skip
def test_the_tools_enforce_the_policy(history, action):
    view = LIBRARY.open()
    for before in history:
        assert not call(view, before.name, before.arguments).startswith("Error")
    changes, whole = view.changes(), view.sha256()
    assert call(view, action.name, action.arguments).startswith("Error")
    assert view.changes() == changes and view.sha256() == whole


VALUES = st.sampled_from([*MEMBERS, *BOOKS, "", "M9", "B9", "Winter Bees", 3, None, ["M1"], {"M1": 1}])
ARGUMENTS = st.dictionaries(st.sampled_from(["member_id", "book_id", "title", "x"]), VALUES)
SENSIBLE = st.builds(
    lambda name, member, book: Action(name, {"member_id": member, "book_id": book}),
    st.sampled_from(["lend_book", "renew_book", "return_book"]),
    st.sampled_from(list(MEMBERS)),
    st.sampled_from(list(BOOKS)),
)
ANY = st.builds(Action, st.sampled_from([*DOMAIN.tools, "cancel_pending_order", ""]), ARGUMENTS)


@settings(max_examples=25, deadline=None)
@given(st.lists(SENSIBLE | ANY, max_size=20), st.booleans())
def test_whatever_is_called_the_library_keeps_its_rules(actions, strict):
    env = RetailEnv(LIBRARY, LEND, strict=strict)
    env.reset()
    fined = {member_id for member_id, member in MEMBERS.items() if member["fine"] != "none"}
    for action in actions:
        before = {key: dict(book) for key, book in env.database.books.items()}
        failed = env.step(action).observation.startswith(("Error", "Unknown action"))
        books = env.database.books
        assert not failed or dict(books) == before
        holders = [book["lent_to"] for book in books.values() if book["lent_to"]]
        assert set(holders) <= set(MEMBERS) and all(holders.count(one) <= 2 for one in holders)
        assert all(book["lent_to"] or book["renewed"] == "no" for book in books.values())
        new = {b["lent_to"] for key, b in books.items() if b["lent_to"] != before[key]["lent_to"]}
        assert not new & fined, "who owes a fine may not borrow"
    again = RetailEnv(LIBRARY, LEND)
    again.restore(json.loads(json.dumps(env.state())))
    assert again.database.sha256() == env.database.sha256() and again.episode == env.episode
    assert (env.database.changes() == {}) == (env.database.sha256() == LIBRARY.open().sha256())
    assert {key: dict(book) for key, book in LIBRARY.open().books.items()} == BOOKS, "episodes share nothing"


# Rewards


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
@pytest.mark.parametrize("mode", MODES)
def test_gold_earns_everything_and_doing_nothing_earns_nothing(task, mode):
    gold = honest(LIBRARY, task, mode)
    assert gold.succeeded and gold.accomplished and failure_kind(gold) is None
    for profile, value in score(gold, ALL).profiles.items():
        assert value == best_score(profile, task)
    nothing = act(LIBRARY, task, [], mode)
    assert not nothing.succeeded and failure_kind(nothing) is not None
    assert score(nothing, ALL).profiles == {"tool_level": 0, "outcome": 0, "shaped": 0, "toolrl": -3}


def test_what_is_left_out_or_wrong_earns_less():
    def earned(*actions):
        return score(act(LIBRARY, LEND, actions, "agent"), ALL).values()

    gold, (member, book, wish) = earned(*LEND.gold_actions), LEND.gold_actions
    for actions in ([member], [member, book], [member, book, lend("M1", "B5")], [wish], [book, wish, member]):
        values = earned(*actions)
        assert values["tool_level/correct_ordering"] == 0, "who it is comes first, and all belongs to it"
        assert sum(values.values()) < sum(gold.values())
    other = earned(member, book, wish, Action("return_book", {"member_id": "M2", "book_id": "B3"}))
    assert other["outcome/success"] == 0 and other["tool_level/incorrect_action"] == -0.3
    short = earned(member, book, Action("lend_book", {"member_id": "M2"}))
    assert short["tool_level/missing_argument"] == -0.4 and short["shaped/violation"] == -1
    assert earned(member, book, wish, Action("cancel_pending_order", {}))["shaped/violation"] == -1


ABOUT_RETAIL = {  # these ask the shop's own tools what is a look-up and what a change
    "look up, then transfer",
    "act first, look later",
    "guess arguments",
    "read for ever",
    "read everything once",
    "other tool",
    "undo and redo",
    "forbidden writes too",
}


@pytest.mark.parametrize("task", [LEND, REFUSE], ids=lambda task: task.id)
def test_no_attack_pays_more_than_honest_work(task):
    attacks = [attack for attack in ATTACKS if attack.name not in ABOUT_RETAIL]
    assert len(attacks) == len(ATTACKS) - len(ABOUT_RETAIL)
    works = {mode: References.of(LIBRARY, task, mode) for mode in MODES}
    for attack in attacks:
        row = Row(attack.name)
        for episode in attack.episodes(LIBRARY, task):
            works[episode.mode].hold_against(row, Measured.of(episode))
        assert (row.above_honest, row.above_partial) == (0, 0), attack.name


# Reading


@pytest.mark.parametrize(
    "written, verdict",
    [
        (
            " to=functions.lend_book<|channel|>commentary json<|message|>{'member_id': 'M2'}<|call|>",
            "bad_json",
        ),
        (turn(Call("lend_books", {})), "unknown_tool"),
        (turn(Call("get_order_details", {"order_id": "#W1"})), "unknown_tool"),
        (turn(Call("lend_book", {"member_id": "M2"})), "bad_arguments"),
        (turn(Call("get_member", {"member_id": 2})), "bad_arguments"),
        (turn(Call("get_member", {"member_id": "M2"})).replace("<|call|>", "<|end|>"), "wrong_end"),
    ],
)
def test_only_strictly_valid_calls_of_the_librarys_own_tools_are_carried_out(written, verdict):
    episode = play_turns(LIBRARY, LEND, [written])
    assert episode.attempts[0].verdict == Verdict(verdict) and not episode.changes
    assert all(turn.failed for turn in episode.calls) and not episode.succeeded


def test_tasks_survive_a_file(tmp_path):
    write_tasks(tmp_path / "library.jsonl", TASKS)
    assert read_tasks(tmp_path / "library.jsonl") == TASKS


def test_both_worlds_live_side_by_side():
    shop = Shop.load()
    assert call(shop.open(), "get_member", {"member_id": "M1"}) == "Unknown action get_member"
    assert call(LIBRARY.open(), "list_all_product_types", {}) == "Unknown action list_all_product_types"
    assert play_turns(LIBRARY, LEND, [turn(Final("Hello."))]).domain is DOMAIN
    assert RETAIL.kind("lend_book") is None and DOMAIN.kind("lend_book") == WRITE
    assert DOMAIN.kind("find_book") == READ
    assert [score(work).total for work in partial_works(LIBRARY, LEND)] == [0.0, 1.5, 3.0, 5.0]


# The page


def test_the_page_shows_the_files_own_lines_and_its_python_runs():
    page = (ROOT / "docs" / "custom_domain.md").read_text(encoding="utf-8")
    source = (ROOT / "envs" / "library.py").read_text(encoding="utf-8")
    shown = re.findall(r"```py\n(.*?)```", page, flags=re.DOTALL)
    assert len(shown) == 5 and all(f"\n{code}" in source for code in shown)
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        if "load_model" not in code:  # tests/model/test_library_trl.py runs the rest
            exec(code, names)
    assert names["breakdown"].total == 5.0 and names["report"].kept == len(names["rows"]) > len(TASKS)
