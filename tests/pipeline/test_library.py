"""A domain of one's own: the library in envs/library.py goes through everything that the retail shop does."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_agent import CHARACTERS, ScriptedAgent, encode, gold_turns

from envs.domain import READ, WRITE
from envs.library import BOOKS, DOMAIN, LIBRARY, MEMBERS, library_tasks
from envs.retail.database import Shop
from envs.retail.domain import RETAIL
from envs.retail.environment import RetailEnv
from envs.retail.tasks import Action, Task, read_tasks, write_tasks
from envs.retail.tools import call
from pipeline.attacks import ATTACKS
from pipeline.attacks.attack import MODES, act, honest, partial_works, turn, turns
from pipeline.attacks.report import Measured, References, Row
from pipeline.datasets import grpo_prompts, sft_rows, system_messages, tokenized
from pipeline.demonstrations import NotDemonstrable, demonstrate
from pipeline.episode import play_turns
from pipeline.evaluate import evaluate, evaluation_files, rescore
from pipeline.failures import failure_kind
from pipeline.grpo_desks import account, tool_desk
from pipeline.harmony import Call, Final, User, render
from pipeline.plan import render_plan
from pipeline.rewards import PROFILES, best_score, score
from pipeline.rollouts import play
from pipeline.strict import Verdict

TASKS = library_tasks()
BY_ID = {task.id: task for task in TASKS}
LEND, REFUSE = BY_ID["lend_book B1 M2"], BY_ID["B1 M3"]
ALL = dict.fromkeys(PROFILES, 1.0)
ROOT = Path(__file__).parents[2]


def characters(text, add_special_tokens=False):
    return {"input_ids": list(encode(text))}


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


# Learning


def test_rows_train_the_agents_own_words_only():
    rows, report = sft_rows(LIBRARY, TASKS, tokenizer=characters, max_length=10**6, rows="episode")
    assert report.kept == len(TASKS) and not report.not_demonstrable
    for task, row in zip(TASKS, rows, strict=True):
        trained = "".join(piece.text for piece in row.pieces if piece.trained)
        assert trained == "".join(gold_turns(LIBRARY, task))
        assert row.text.startswith(render(system_messages("agent", domain=DOMAIN)))
        ids, mask = tokenized(row, characters).values()
        assert [one for one, kept in zip(ids, mask, strict=True) if kept] == list(encode(trained))
        assert "I cannot do this" not in trained
    steps, _ = sft_rows(LIBRARY, TASKS, tokenizer=characters, max_length=10**6)
    assert len(steps) == sum(len(task.gold_actions) + 1 for task in TASKS)


def test_an_episode_in_tokens_is_the_row_that_the_warm_up_trains():
    rows, _ = sft_rows(LIBRARY, TASKS, tokenizer=characters, max_length=10**6, rows="episode")
    agent = ScriptedAgent.of(lambda task: gold_turns(LIBRARY, task), TASKS)
    for row, rollout in zip(rows, play(agent, LIBRARY, TASKS, progress=False), strict=True):
        ids, mask = tokenized(row, characters).values()
        assert rollout.prompt_ids + rollout.completion_ids == ids and rollout.episode.succeeded
        assert [0] * len(rollout.prompt_ids) + rollout.env_mask == mask


def test_what_nobody_told_is_no_demonstration():
    blind = Task("blind", "I am M2. Please lend me a book.", (LEND.gold_actions[0], lend("M2", "B1")))
    with pytest.raises(NotDemonstrable, match=r"blind: lend_book\.book_id stands neither in the query"):
        demonstrate(LIBRARY, blind)


def test_prompts_and_tools_for_reinforcement_learning():
    row = grpo_prompts([LEND], domain=DOMAIN)[0]
    assert [message["content"] for message in row["prompt"]] == [DOMAIN.policy, LEND.query]
    desk = tool_desk(LIBRARY)()
    desk.reset(task=row["task"])
    assert {name for name in dir(desk) if not name.startswith("_")} == {"reset", *DOMAIN.tools}
    assert desk.find_book(title="Salt Roads").startswith("B1: ")
    assert json.loads(desk.lend_book(member_id="M2", book_id="B1"))["lent_to"] == "M2"


@pytest.mark.parametrize("way", ["tools", "plan"])
def test_the_account_that_the_reward_gets_from_an_episodes_tokens(way):
    desk = tool_desk(LIBRARY)()
    for task in TASKS:
        desk.reset(task=json.dumps(task.to_json()))
        if way == "plan":
            ids = encode(turn(Final(render_plan(task.gold_actions))))
        else:
            told = render([*(system := system_messages("agent", domain=DOMAIN)), User(task.query)])
            whole = render([*system, *demonstrate(LIBRARY, task).messages])
            ids = encode(whole.removeprefix(f"{told}<|start|>assistant"))
        episode = account(way, desk, ids, CHARACTERS)
        assert episode.succeeded and score(episode, ALL).profiles["tool_level"] == best_score(
            "tool_level", task
        )


def test_it_is_evaluated_recorded_and_scored_again(tmp_path):
    script = {task.query: gold_turns(LIBRARY, task) for task in TASKS}
    script[LEND.query] = turns([], "I cannot find it.")
    script[REFUSE.query] = turns(REFUSE.gold_actions, "You owe something.")
    agent = ScriptedAgent(script)
    played = evaluate(agent, LIBRARY, TASKS, tmp_path, stage="mine", progress=False)
    assert {one.task: one.failure for one in played if one.failure} == {
        LEND.id: "forgot a write",
        REFUSE.id: "told the customer wrong",
    }
    again = rescore(evaluation_files(tmp_path, "mine"), LIBRARY)
    assert again.played == played and (again.answered_otherwise, again.lost_or_won) == (0, 0)


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
