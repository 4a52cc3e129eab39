"""Rewards: the worked examples of pipeline/rewards.md, mixtures, equal worth of what is equally right."""

import json
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.tasks import Action, Task, read_tasks
from envs.retail.tools import READ, TOOLS, WRITE
from pipeline.attacks.attack import act, honest, turn, turns
from pipeline.demonstrations import report
from pipeline.episode import Episode, play_plan, play_turns
from pipeline.harmony import Analysis, Final
from pipeline.harmony_pieces import SPECIAL, Vocabulary
from pipeline.matching import READ_ALLOWANCE, must_precede
from pipeline.rewards import PROFILES, best_score, score
from pipeline.strict import Verdict
from pipeline.toolrl_score import Switches, length_score

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "pipeline" / "rewards.md").read_text(encoding="utf-8")
ALL = dict.fromkeys(PROFILES, 1.0)
ROWS = [
    [cell.strip(" `") for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if line.startswith("|")
]
SIGNS = {
    sign: Action(tool, json.loads(text))
    for sign, tool, text in (r for r in ROWS if len(r) == 3)
    if tool in TOOLS or sign == "N"
}
EXAMPLES = [row for row in ROWS if len(row) == 11 and row[1].isdigit()]
SHOP = Shop.load()
TASKS = {task.id: task for task in read_tasks(ROOT / "data" / "dataset.jsonl")}
CANCEL = TASKS["gen-1-16"]


def totals(episode: Episode) -> dict[str, float]:
    return score(episode, ALL).profiles


# The worked examples


def test_the_tables_are_there():
    assert len(SIGNS) == 13 and len(EXAMPLES) >= 15
    assert f"at most {READ_ALLOWANCE} more look-ups than the gold" in TEXT


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row[0])
def test_a_worked_example_is_scored_as_the_table_says(row):
    signs, counts = row[0].replace("(nothing)", "").split(), row[1:6]
    written = ["cut off {" if sign == "?" else turns([SIGNS[sign]])[0] for sign in signs]
    episode = play_turns(SHOP, CANCEL, [*written, turn(Final(report(CANCEL)))])
    breakdown = score(episode, ALL)
    assert [term.count for term in breakdown.terms[:5]] == list(map(int, counts))
    assert [f"{value:.2f}" for value in breakdown.profiles.values()] == row[6:10]


def test_the_published_numbers_are_the_units():
    episode = play_turns(SHOP, CANCEL, turns([SIGNS[s] for s in ("F", "O", "Cm", "N", "C")], report(CANCEL)))
    values = score(episode).values()
    assert values["tool_level/correct_name"] == 3 * 1.0
    assert values["tool_level/correct_arguments"] == 3 * 0.5
    assert values["tool_level/correct_ordering"] == 0.5
    assert values["tool_level/incorrect_action"] == pytest.approx(2 * -0.3)
    assert values["tool_level/missing_argument"] == pytest.approx(-0.4)


# Mixtures and normalisation


def test_profiles_are_mixed_by_their_weights():
    episode = honest(SHOP, CANCEL)
    assert score(episode, {"tool_level": 1.0, "outcome": 2.0}).total == 5.0 + 2 * 1.0
    assert "tool_level/correct_name" in str(score(episode))


def test_normalised_an_honest_answer_is_worth_the_same_in_every_task():
    for task in list(TASKS.values())[::20]:
        breakdown = score(honest(SHOP, task), ALL, normalise=True)
        assert breakdown.profiles == pytest.approx(dict.fromkeys(PROFILES, 1.0)), task.id


def test_a_task_without_gold_actions_can_be_scored():
    task = Task("none", "Thanks, that is all.", ())
    nothing = play_turns(SHOP, task, [turn(Final("Goodbye."))])
    assert score(nothing, ALL, normalise=True).profiles == {
        "tool_level": 0,
        "outcome": 1,
        "shaped": 1,
        "toolrl": 1,
    }
    meddling = play_turns(SHOP, task, turns([SIGNS["C"]]))
    assert all(value < score(nothing, ALL).profiles[name] for name, value in totals(meddling).items())


@pytest.mark.parametrize("order", [["#W2583499"], 7, {"id": 7}, None])
def test_a_task_with_a_nonsensical_gold_action_can_be_scored(order):
    """No order has such an id, and not to look for it is right."""
    look = Action("get_order_details", {"order_id": order})
    task = Task("nonsense", CANCEL.query, (look, *CANCEL.gold_actions), customer=CANCEL.customer)
    episode = act(SHOP, task, CANCEL.gold_actions, "agent")
    assert episode.succeeded and episode.matching.complete


def test_an_unknown_profile_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="no reward profile 'tool_lvl'; there are tool_level, outcome"):
        score(honest(SHOP, CANCEL), {"tool_lvl": 1.0})


# What is equally right scores equally


def test_another_way_to_find_the_customer_is_as_good():
    customer = SHOP.users[CANCEL.customer]
    by_email = Action("find_user_id_by_email", {"email": customer["email"].upper()})
    episode = act(SHOP, CANCEL, [by_email, *CANCEL.gold_actions[1:]], "agent", report(CANCEL))
    assert totals(episode) == totals(honest(SHOP, CANCEL))


def searching_tasks() -> list[tuple[Task, Action]]:
    """Tasks with a look-up that only serves to find something."""
    found = []
    for task in TASKS.values():
        needless = [a for a in task.gold_actions if a.name in ("get_user_details", "list_all_product_types")]
        writes = any(TOOLS[action.name].kind == WRITE for action in task.gold_actions)
        found += [(task, needless[0])] if needless and writes else []
    return found


def test_other_look_ups_that_lead_to_the_right_writes_are_as_good():
    for task, needless in searching_tasks()[:15]:
        others = [Action("list_all_product_types"), Action("think", {"thought": "Let me see."})]
        rest = [action for action in task.gold_actions if action != needless]
        episode = act(SHOP, task, [rest[0], *others, *rest[1:]], "agent", report(task))
        assert totals(episode) == pytest.approx(totals(honest(SHOP, task))), task.id


def test_items_may_be_listed_in_any_order_if_pairs_stay_pairs():
    task, swap = next(
        (task, action)
        for task in TASKS.values()
        for action in task.gold_actions
        if len(action.arguments.get("new_item_ids", ())) > 1
    )
    lists = {name: value[::-1] for name, value in swap.arguments.items() if isinstance(value, list)}
    turned = Action(swap.name, swap.arguments | lists)
    gold = [turned if action == swap else action for action in task.gold_actions]
    assert totals(act(SHOP, task, gold, "agent", report(task))) == totals(honest(SHOP, task))
    lists["item_ids"] = swap.arguments["item_ids"]
    crossed = Action(swap.name, swap.arguments | lists)
    gold = [crossed if action == swap else action for action in task.gold_actions]
    assert score(act(SHOP, task, gold, "agent", report(task))).total < score(honest(SHOP, task)).total


@given(st.sampled_from([t for t in TASKS.values() if len(t.gold_actions) > 4]), st.integers(0, 10**6))
def test_any_order_that_the_gold_allows_is_as_good(task, seed):
    random, left, order = Random(seed), list(honest(SHOP, task).gold_turns), []
    while left:
        free = [g for n, g in enumerate(left) if not any(must_precede(before, g) for before in left[:n])]
        free = [g for g in free if TOOLS[g.action.name].kind != "terminate"] or free
        order.append(random.choice(free))
        left.remove(order[-1])
    episode = act(SHOP, task, [turn.action for turn in order], "agent", report(task))
    assert totals(episode) == pytest.approx(totals(honest(SHOP, task)))


def test_changes_of_one_record_in_the_wrong_order_lose_the_ordering():
    task = next(
        task
        for task in TASKS.values()
        if any(
            a.arguments.get("order_id") == b.arguments.get("order_id") and TOOLS[b.name].kind == WRITE
            for n, a in enumerate(task.gold_actions)
            if TOOLS[a.name].kind == READ and a.arguments
            for b in task.gold_actions[n:]
        )
    )
    writes = [action for action in task.gold_actions if TOOLS[action.name].kind == WRITE]
    others = [action for action in task.gold_actions if TOOLS[action.name].kind != WRITE]
    first_act = act(SHOP, task, [others[0], *writes, *others[1:]], "agent", report(task))
    assert score(first_act).values()["tool_level/correct_ordering"] == 0


# Episodes


def test_what_could_not_be_read_ends_the_episode_and_says_why():
    episode = play_turns(SHOP, CANCEL, [turns([SIGNS["F"]])[0], " to=functions.think<|channel|>commentary"])
    assert episode.ended == "unparsable" and len(episode.calls) == 1
    assert [(a.verdict, a.turn) for a in episode.attempts] == [(Verdict.OK, 0), (Verdict.TRUNCATED, None)]
    assert episode.unread[0].reason and not episode.succeeded


def test_a_readable_call_that_does_not_fit_is_answered_and_the_episode_goes_on():
    episode = play_turns(SHOP, CANCEL, turns([SIGNS["N"], SIGNS["Cm"], *CANCEL.gold_actions]))
    assert [turn.failed for turn in episode.calls] == [True, True, False, False, False]
    assert [a.verdict for a in episode.attempts[:2]] == [Verdict.UNKNOWN_TOOL, Verdict.BAD_ARGUMENTS]
    assert episode.succeeded and not episode.well_formed


def test_an_episode_broken_off_is_no_success():
    episode = play_turns(SHOP, CANCEL, turns(CANCEL.gold_actions)[:-1])
    assert episode.score().reward == 1.0 and episode.ended == "" and not episode.succeeded


def test_a_plan_and_turns_make_the_same_calls():
    plan, agent = honest(SHOP, CANCEL, "plan"), honest(SHOP, CANCEL)
    assert plan.calls == agent.calls and plan.changes == agent.changes
    assert totals(plan) == totals(agent)


def test_after_a_hand_over_a_plan_does_nothing_more():
    episode = act(SHOP, CANCEL, [SIGNS["H"], *CANCEL.gold_actions], "plan")
    assert len(episode.calls) == 1 and len(episode.unread) == 3 and not episode.changes


def test_a_plan_with_one_bad_call_is_not_carried_out():
    plan = json.dumps({"tool_calls": [CANCEL.gold_actions[0].to_json(), {"name": "x", "arguments": {}}]})
    episode = play_plan(SHOP, CANCEL, turn(Final(plan)))
    assert episode.calls == () and episode.unread[0].verdict is Verdict.UNKNOWN_TOOL
    assert score(episode, {"shaped": 1.0}).values()["shaped/violation"] == -1.0


def test_the_scripted_customer_can_be_part_of_it():
    withheld = next(task for task in TASKS.values() if "identity" in task.extra.get("finds", ()))
    asked = [turn(Final("May I have your name and zip code, or your email?"))]
    episode = play_turns(
        SHOP, withheld, [*asked, *turns(withheld.gold_actions, report(withheld))], customer=ScriptedCustomer()
    )
    assert episode.succeeded and len(episode.messages) == 2
    assert score(episode, normalise=True).total == 1.0


def characters() -> tuple[Vocabulary, dict[str, int]]:
    """A vocabulary of characters, with the special tokens behind them."""
    names = ["start", "end", "message", "channel", "constrain", "return", "call"]
    specials = {f"<|{name}|>": 2_000_000 + n for n, name in enumerate(names)}
    return Vocabulary({n: text for text, n in specials.items()}, lambda ids: "".join(map(chr, ids))), specials


def test_token_ids_are_read_as_their_text_is_and_typed_out_tokens_are_words():
    vocabulary, specials = characters()
    ids = []
    for text in turns(CANCEL.gold_actions, "Done."):
        pieces = re.split(f"({SPECIAL.pattern})", text)
        ids.append([n for p in pieces for n in ([specials[p]] if p in specials else map(ord, p))])
    episode = play_turns(SHOP, CANCEL, ids, vocabulary=vocabulary)
    assert episode.succeeded and episode.tokens == sum(map(len, ids))
    typed = list(map(ord, "".join(turns(CANCEL.gold_actions))))
    assert play_turns(SHOP, CANCEL, [typed], vocabulary=vocabulary).ended == "unparsable"


def test_length_is_paid_only_where_it_is_switched_on():
    thoughtful = play_turns(SHOP, CANCEL, [turn(Analysis("so " * 256), Final("Done."))])
    assert score(thoughtful, {"toolrl": 1.0}).values()["toolrl/length"] == 0
    paid = score(thoughtful, {"toolrl": 1.0}, switches=Switches(with_length=True))
    assert paid.values()["toolrl/length"] == 0.5 and paid.best == {"toolrl": 1.0}
    assert length_score(256, Switches(with_length=True, schedule_length=True, step=105)) == 0.4
    assert best_score("toolrl", CANCEL, Switches(with_length=True)) == 5.0


@pytest.mark.slow
def test_the_rewards_need_no_torch():
    code = "import pipeline.rewards, pipeline.attacks, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
