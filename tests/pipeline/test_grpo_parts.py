"""The parts of reinforcement learning that need no model: desks, accounts from tokens, rewards, the alarm."""

import inspect
import json
from collections import Counter
from itertools import groupby, islice
from random import Random
from statistics import fmean
from types import SimpleNamespace

import pytest
from scripted_agent import CHARACTERS, LETTERS, encode

from envs.retail.environment import RetailEnv
from envs.retail.generator import generate
from envs.retail.tools import TOOLS
from pipeline.config import resolve
from pipeline.datasets import system_messages
from pipeline.demonstrations import NotDemonstrable, demonstrate
from pipeline.episode import play_turns
from pipeline.grpo import curriculum, tasks_in_a_run
from pipeline.grpo_desks import OVER, Desk, account, agent_turns, tool_desk
from pipeline.grpo_rewards import Scored, episode_reward, step_metrics, weights_of
from pipeline.grpo_watch import reward_is_fooled
from pipeline.harmony import segments
from pipeline.rewards import score
from pipeline.task_sets import tasks_for


@pytest.fixture(scope="module")
def demonstrations(shop):
    found = []
    for task in generate(shop, seed=11, levels=(1, 2, 3)):
        try:
            found.append(demonstrate(shop, task, thoughts=len(found) % 2 == 0))
        except NotDemonstrable:
            continue
        if len(found) == 30:
            return found


def written(demonstration) -> tuple[list[int], list[list[int]]]:
    """An episode's tokens after its prompt, and the agent's turns in it."""
    pieces = segments([*system_messages("agent"), *demonstration.messages])
    first = next(place for place, piece in enumerate(pieces) if piece.trained)
    runs = groupby(pieces[first:], key=lambda piece: piece.trained)
    runs = [(trained, list(encode("".join(piece.text for piece in run)))) for trained, run in runs]
    return [one for _, run in runs for one in run], [run for trained, run in runs if trained]


def test_the_agents_turns_are_found_among_the_others_words(demonstrations):
    for demonstration in demonstrations:
        ids, turns = written(demonstration)
        assert agent_turns(ids, CHARACTERS) == turns


def test_a_turn_that_was_cut_off_is_a_turn_too(demonstrations):
    ids, turns = written(demonstrations[0])
    assert agent_turns(ids[:-3], CHARACTERS) == [*turns[:-1], turns[-1][:-3]]


def test_typed_out_special_tokens_do_not_begin_a_turn():
    typed = [LETTERS + ord(letter) for letter in "<|start|>assistant now"]
    ids = [*encode("<|channel|>final<|message|>hello<|return|>"), *typed]
    assert len(agent_turns(ids, CHARACTERS)) == 1


def test_the_account_from_tokens_is_the_episode(shop, demonstrations):
    for demonstration in demonstrations[:10]:
        desk = Desk(shop)
        desk.reset(task=json.dumps(demonstration.task.to_json()), prompt="ignored")
        ids, turns = written(demonstration)
        episode = account("tools", desk, ids, CHARACTERS)
        assert episode == play_turns(shop, demonstration.task, turns, vocabulary=CHARACTERS)
        assert episode.calls == demonstration.episode.calls[: len(episode.calls)]


def test_a_desk_offers_every_tool_as_a_method(shop):
    desk = tool_desk(shop)()
    offered = {name for name, _ in inspect.getmembers(type(desk), inspect.isfunction) if name[0] != "_"}
    assert offered == {*TOOLS, "reset"}
    for name, tool in TOOLS.items():
        own = inspect.signature(getattr(desk, name)).parameters
        assert list(own) == tool.schema["function"]["parameters"].get("required", [])
        assert getattr(desk, name).__doc__ == tool.function.__doc__


def test_tools_at_a_desk_answer_as_the_environment_does(shop, demonstrations):
    for demonstration in demonstrations[:10]:
        desk = tool_desk(shop)()
        desk.reset(task=json.dumps(demonstration.task.to_json()))
        env = RetailEnv(shop, demonstration.task)
        env.reset()
        for action in demonstration.task.gold_actions:
            answer = getattr(desk, action.name)(**action.arguments)
            expected = OVER if env.done else env.step(action).observation
            assert answer == expected


def test_a_desk_is_as_new_after_reset(shop, demonstrations):
    demonstration = next(d for d in demonstrations if d.episode.changes)
    desk = tool_desk(shop)()
    answers = []
    for _ in range(2):
        desk.reset(task=json.dumps(demonstration.task.to_json()))
        answers.append([getattr(desk, a.name)(**a.arguments) for a in demonstration.task.gold_actions])
    assert answers[0] == answers[1]


class State:
    global_step = 0


class Tokenizer:
    """As much of a tokenizer as `Vocabulary.of` asks for."""

    def __len__(self):
        return LETTERS + 0x110000  # every character has an id

    def get_added_vocab(self):
        return {text: number for number, text in CHARACTERS.specials.items()}

    def decode(self, ids, clean_up_tokenization_spaces=False):
        return CHARACTERS.decode(ids)


def test_the_reward_is_the_score_and_failures_are_counted_not_raised(
    shop, demonstrations, tmp_path, monkeypatch
):
    config = resolve("tiny", environ={}, reward="tool_level,outcome:2", num_generations=2)
    logged, log = {}, tmp_path / "episodes.jsonl"
    desks, completions, expected = [], [], []
    for demonstration in demonstrations[:3]:
        desk = Desk(shop)
        desk.reset(task=json.dumps(demonstration.task.to_json()))
        ids, turns = written(demonstration)
        desks.append(desk)
        completions.append(ids)
        episode = play_turns(shop, demonstration.task, turns, vocabulary=CHARACTERS)
        expected.append(score(episode, {"tool_level": 1.0, "outcome": 2.0}, normalise=True).total)
    broken = Desk(shop)  # never reset: something in it will fail
    reward = episode_reward("tools", config, Tokenizer(), log)
    totals = reward([*completions, encode("<|return|>")], [*desks, broken], State, logged.__setitem__)
    assert totals == [*expected, None]
    assert logged["failures/reward"] == 1
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(bool(line["failure"]) for line in lines) == 1
    assert {"task", "reward", "terms", "completion"} <= lines[-1].keys()
    log.unlink()
    monkeypatch.setattr(State, "global_step", 1)
    reward([*completions, encode("<|return|>")], [*desks, broken], State, logged.__setitem__)
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert line["failure"], "whatever the step"


def test_flat_groups_are_those_that_all_earn_the_same(shop, demonstrations):
    episodes = [demonstration.episode for demonstration in demonstrations[:4]]
    accounts = [play_turns(shop, episode.task, []) for episode in episodes]
    nothing = [Scored(one, score(one)) for one in accounts]
    assert step_metrics(nothing, 2)["flat_groups"] == 1.0
    acted = play_turns(shop, episodes[0].task, written(demonstrations[0])[1], vocabulary=CHARACTERS)
    assert step_metrics([Scored(acted, score(acted)), *nothing[1:]], 2)["flat_groups"] == 0.5


def test_weights_are_read_from_the_config():
    assert weights_of(("tool_level", "outcome:2")) == {"tool_level": 1.0, "outcome": 2.0}
    with pytest.raises(ValueError, match="outcome:2"):
        weights_of(("outcome:much",))
    with pytest.raises(ValueError, match="no reward profile 'outcom'; there are tool_level, outcome"):
        weights_of(("outcom:2",))


RISING = [(step, 0.1 * step) for step in range(1, 21)]


@pytest.mark.parametrize(
    ("rewards", "validation", "fooled"),
    [
        (RISING, [(0, 0.4), (5, 0.6), (10, 0.4), (15, 0.3)], True),
        (RISING, [(0, 0.4), (5, 0.6), (10, 0.4), (15, 0.58)], False),  # recovered
        (RISING, [(0, 0.4), (5, 0.6), (10, 0.65), (15, 0.7)], False),
        ([(s, -r) for s, r in RISING], [(0, 0.4), (5, 0.6), (10, 0.4), (15, 0.3)], False),  # both fall
        (RISING, [(0, 0.4)], False),
    ],
)
def test_the_alarm_rings_when_reward_rises_and_validation_falls(rewards, validation, fooled):
    assert bool(reward_is_fooled(rewards, validation)) == fooled


def test_a_hand_over_ends_a_desks_conversation(shop, demonstrations):
    desk = tool_desk(shop)()
    desk.reset(task=json.dumps(demonstrations[0].task.to_json()))
    desk.transfer_to_human_agents(summary="no")
    assert desk.get_order_details(order_id="#W0000000") == OVER


def test_the_curriculum_begins_easy_and_keeps_every_task(shop):
    tasks = list(islice(generate(shop, seed=5, levels=(1, 2, 3)), 60))
    Random(0).shuffle(tasks)
    ordered = curriculum(tasks, 1)
    assert sorted(t.id for t in ordered) == sorted(t.id for t in tasks)
    half = len(ordered) // 2
    assert sum(t.level for t in ordered[:half]) < sum(t.level for t in ordered[half:])
    assert len({t.level for t in ordered[:half]}) > 1
    assert ordered == curriculum(tasks, 1)


def test_a_short_run_meets_every_level_and_not_the_easy_ones_only(shop):
    config = resolve("tiny", environ={})
    arguments = SimpleNamespace(
        max_steps=24, per_device_train_batch_size=16, gradient_accumulation_steps=2, world_size=1
    )
    count = tasks_in_a_run(config, arguments)
    assert count == 24 * 32 / config.num_generations
    tasks = curriculum(tasks_for(shop, config, "train", count, stage="grpo"), config.seed)
    assert Counter(task.level for task in tasks) == {1: count / 2, 2: count / 2}
    early, late = (fmean(task.level for task in part) for part in (tasks[:32], tasks[-32:]))
    assert 1 < early < 1.5 < late < 2
    arguments.max_steps = -1
    assert tasks_in_a_run(config, arguments) == config.train_tasks
    arguments.max_steps = 10**6
    assert tasks_in_a_run(config, arguments) == config.train_tasks, "then they come again"
