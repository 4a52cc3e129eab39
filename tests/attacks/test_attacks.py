"""No way to get paid for nothing: named attacks, a search, and properties of any episode at all."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.retail.database import Shop
from envs.retail.tasks import Action, Task, read_tasks
from envs.retail.tools import READ, TOOLS
from pipeline import rewards
from pipeline.attacks import ATTACKS, dominates, honest, partial_works
from pipeline.attacks.attack import MODES, act, turn, turns
from pipeline.attacks.changes import guesses_around, invented
from pipeline.attacks.evolution import evolve
from pipeline.attacks.report import examine, main
from pipeline.demonstrations import report
from pipeline.episode import Episode, play_turns
from pipeline.harmony import Call, Final
from pipeline.rewards import PROFILES, best_score, score
from pipeline.runs import ROOT

SHOP = Shop.load()
TASKS = read_tasks(ROOT / "data" / "dataset.jsonl")
FAMILIES = {task.extra["family"]: task for task in TASKS}  # the last of each
SAMPLE = [FAMILIES[name] for name in sorted(FAMILIES)][::12]
ALL = dict.fromkeys(PROFILES, 1.0)


def totals(episode: Episode) -> dict[str, float]:
    return score(episode, ALL).profiles


def none_rises(after: Episode, before: Episode) -> None:
    for profile, value in totals(after).items():
        assert value <= totals(before)[profile] + 1e-9, (profile, score(before, ALL), score(after, ALL))


# Named attacks


def test_there_are_enough_attacks_and_each_is_described_once():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{len(ATTACKS)} ways" in readme and f"{len(ATTACKS)} ways" in rewards.__doc__
    assert len({attack.name for attack in ATTACKS}) == len({a.what for a in ATTACKS}) == len(ATTACKS)
    assert all(attack.calls or attack.turns or attack.plan for attack in ATTACKS)


@pytest.mark.parametrize("task", SAMPLE, ids=lambda task: task.id)
def test_no_attack_pays_more_than_honest_work(task):
    for row in examine(SHOP, [task]):
        assert (row.above_honest, row.above_partial) == (0, 0), row.name


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_the_same_every_time_and_never_raises(attack):
    for task in SAMPLE[:2]:
        first, second = ([totals(e) for e in attack.episodes(SHOP, task)] for _ in range(2))
        assert first == second and first


@pytest.mark.parametrize(
    "name",
    ["do nothing", "claim success", "empty plan", "calls as words", "plan in a thought", "every number"],
)
def test_no_call_earns_nothing_where_something_is_to_be_done(name):
    attack = next(attack for attack in ATTACKS if attack.name == name)
    for task in (task for task in SAMPLE if task.gold_final):
        for episode in attack.episodes(SHOP, task):
            earned = totals(episode)
            assert earned["tool_level"] <= 0 and earned["outcome"] == 0 and earned["shaped"] <= 0
            assert earned["toolrl"] == -3


def test_honest_work_earns_more_the_further_it_goes():
    for task in SAMPLE:
        for mode in MODES:
            earned = [score(work).total for work in partial_works(SHOP, task, mode)]
            assert earned == sorted(earned) and earned[0] in (0.0, 1.0)
            assert score(honest(SHOP, task, mode)).total >= earned[-1]


# The search


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("blind", [False, True])
def test_the_search_finds_nothing_that_pays(profile, blind):
    for task in [task for task in SAMPLE if task.gold_final][:2]:
        found = evolve(SHOP, task, profile, seed=1, rounds=80, blind=blind)
        assert not found.episode.succeeded and found.beaten == 0
        assert found.score <= found.honest + 1e-9
        if blind:  # one bare name, or form without content
            assert found.score <= {"tool_level": 1.0, "outcome": 0.0, "shaped": 0.2, "toolrl": 1.0}[profile]


def test_the_search_is_repeatable():
    first, second = (evolve(SHOP, SAMPLE[0], "tool_level", seed=3, rounds=30) for _ in range(2))
    assert first.score == second.score and first.episode.calls == second.episode.calls


@pytest.mark.slow
def test_the_command_prints_a_table_and_succeeds(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["attack", "--tasks", "2", "--rounds", "20"])
    out = capsys.readouterr().out
    assert stopped.value.code == 0 and "0 paid more than honest work" in out
    assert all(attack.name in out for attack in ATTACKS) and "search: task not solved" in out


# Properties of any episode: calls drawn from what attackers use


@cache
def material(task_number: int) -> tuple[Action, ...]:
    """Gold calls, near misses, look-ups, wrong writes."""
    task = SAMPLE[task_number]
    others = [Action("list_all_product_types"), Action("think", {"thought": "x"}), Action("no_such_tool")]
    misses = [
        wrong for action in task.gold_actions for wrong in (invented(action), guesses_around(action)[0])
    ]
    return (*task.gold_actions * 2, *misses, *others, *(Action(a.name) for a in task.gold_actions))


@st.composite
def works(draw: st.DrawFn) -> tuple[Task, list[Action]]:
    """A task and calls an agent may make for it."""
    number = draw(st.integers(0, len(SAMPLE) - 1))
    return SAMPLE[number], draw(st.lists(st.sampled_from(material(number)), max_size=12))


def play(task: Task, calls: list[Action]) -> Episode:
    return act(SHOP, task, calls, "agent", report(task))


@given(works())
def test_a_gold_action_pays_once_and_a_call_for_one_gold_action(work):
    task, calls = work
    matching = play(task, calls).matching
    used = [*matching.right.values(), *(matching.named[1:] if matching.named else ())]
    assert len(set(used)) == len(used) and not set(used) & {m.call for m in matching.incorrect} - {None}
    assert matching.done + (matching.named is not None) <= len(task.gold_actions)


@given(works())
def test_nothing_scores_above_the_honest_answer_or_honest_work_that_achieved_more(work):
    task, calls = work
    episode = play(task, calls)
    none_rises(episode, honest(SHOP, task))
    assert all(
        value <= best_score(profile, task) + 1e-9
        for profile, value in totals(episode).items()
        if task.gold_actions
    )
    for partial in partial_works(SHOP, task):
        if dominates(partial, episode):
            none_rises(episode, partial)


@given(works(), st.data())
def test_making_a_call_again_never_pays(work, data):
    task, calls = work
    if not calls:
        return
    place = data.draw(st.integers(0, len(calls) - 1))
    again = [*calls[: place + 1], *calls[place:]]
    none_rises(play(task, again), play(task, calls))
    if calls[place].name in TOOLS and TOOLS[calls[place].name].kind == READ:
        none_rises(play(task, [*calls, calls[place]]), play(task, calls))


@given(works(), st.sampled_from(["", "cut off", "<|return|>", turn(Call("think", {"thought": "x"}))[:-9]]))
def test_a_turn_nobody_can_read_never_pays(work, text):
    task, calls = work
    written = turns(calls, report(task))
    cut = play_turns(SHOP, task, [*written[:-1], text, written[-1]])
    none_rises(cut, play_turns(SHOP, task, written[:-1]))
    none_rises(cut, play_turns(SHOP, task, written))


@given(works(), st.integers(0, 12))
def test_a_made_up_tool_never_pays(work, place):
    task, calls = work
    none_rises(play(task, [*calls[:place], Action("grant_reward"), *calls[place:]]), play(task, calls))


@given(works(), st.text(max_size=300))
@settings(max_examples=50)
def test_words_to_the_customer_earn_nothing_where_none_are_asked_for(work, words):
    task, calls = work
    if not task.outputs:
        silent, talkative = (act(SHOP, task, calls, "agent", text) for text in ("Goodbye.", words))
        assert totals(talkative) == totals(silent)


@given(works(), st.lists(st.text(max_size=80) | st.sampled_from(["<|call|>", turn(Final("x"))]), max_size=4))
@settings(max_examples=50)
def test_whatever_is_written_is_scored(work, texts):
    task, calls = work
    assert len(totals(play_turns(SHOP, task, [*turns(calls)[:-1], *texts]))) == len(PROFILES)
