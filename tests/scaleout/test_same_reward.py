"""The same turns earn the same in TRL, verl and SkyRL: 200 episodes, each under every reward profile."""

import json
import re
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("pipeline", "scaleout/skyrl")]

from scripted_agent import CHARACTERS, ScriptedAgent, gold_turns  # noqa: E402
from skyrl_lab import BYE, HOSTILE, in_channel_form, serve  # noqa: E402

from envs.retail.generator import generate  # noqa: E402
from envs.retail.tools import TOOLS  # noqa: E402
from pipeline.config import resolve  # noqa: E402
from pipeline.grpo_desks import Desk, tool_desk  # noqa: E402
from pipeline.grpo_rewards import episode_reward  # noqa: E402
from pipeline.harmony_parse import Vocabulary, parse  # noqa: E402
from pipeline.rewards import PROFILES  # noqa: E402
from pipeline.rollouts import play  # noqa: E402
from scaleout.verl.account import EPISODE, MESSAGES, account, shop  # noqa: E402
from scaleout.verl.reward import compute_score  # noqa: E402

REWARDS = [*([name] for name in PROFILES), ["tool_level", "outcome:2"]]
TASKS = 25


def calls_in(turns):
    return [place for place, turn in enumerate(turns) if "to=functions." in turn]


def without_the_last_call(turns):
    place = calls_in(turns)[-1]
    return [*turns[:place], *turns[place + 1 :]]


def with_a_wrong_digit(turns):
    place = calls_in(turns)[-1]
    wrong = re.sub(r"\d(?=\D*$)", lambda digit: str((int(digit[0]) + 1) % 10), turns[place])
    return [*turns[:place], wrong, *turns[place + 1 :]]


BEHAVIOURS = {
    "gold": list,
    "gold in the channel's form": lambda turns: [in_channel_form(turn) for turn in turns],
    "without the last call": without_the_last_call,
    "with a wrong digit": with_a_wrong_digit,
    "every call twice": lambda turns: [turn for turn in turns for _ in range(1 + ("to=" in turn))],
    "stops after the first call": lambda turns: [turns[0], BYE],
    "says goodbye at once": lambda turns: [BYE],
    "cannot be read": lambda turns: [turns[0], HOSTILE[9]],
}
READABLE = [name for name in BEHAVIOURS if name != "cannot be read"]


@pytest.fixture(scope="module")
def tasks():
    found = {task.query: task for task in islice(generate(shop(), seed=21), 2 * TASKS)}
    return list(found.values())[:TASKS]


def in_trl(rollouts, reward, way, monkeypatch):
    """What TRL's reward function pays for these episodes."""
    monkeypatch.setattr(Vocabulary, "of", lambda tokenizer: CHARACTERS)
    desks = []
    for one in rollouts:
        desks.append(Desk(shop()) if way == "customer" else tool_desk(shop())())
        desks[-1].reset(task=json.dumps(one.episode.task.to_json()))
        desks[-1]._episode = one.episode if way == "customer" else None
    config = resolve("tiny", environ={}, reward=tuple(reward), num_generations=1)
    function = episode_reward(way, config, None, None)
    ids, state = [one.completion_ids for one in rollouts], SimpleNamespace(global_step=1)
    return function(ids, desks, trainer_state=state, log_metric=lambda name, value: None)


def in_verl(task, extra, reward):
    return compute_score("retail", "", json.dumps(task.to_json()), extra, reward=reward)["score"]


def as_verl_keeps_it(rollout):
    """The conversation of verl's own loop for tools: what was called, and the last words."""
    messages = [{"role": "user", "content": rollout.episode.task.query}]
    for turn in (piece.text for piece in rollout.transcript[1::2]):
        read = parse(turn, TOOLS)
        if read.call:
            function = {"name": read.call.name, "arguments": read.call.arguments}
            messages += [{"role": "assistant", "content": "", "tool_calls": [{"function": function}]}]
            messages += [{"role": "tool", "content": "…"}]
        else:
            messages += [{"role": "assistant", "content": read.final}]
    return messages


def played(tasks, behaviour, **settings):
    script = {task.query: [*behaviour(gold_turns(shop(), task)), *[BYE] * 30] for task in tasks}
    return play(ScriptedAgent(script), shop(), tasks, progress=False, max_turns=30, **settings), script


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_with_a_customer(tasks, name, monkeypatch):
    rollouts, script = played(tasks, BEHAVIOURS[name])
    assert len(rollouts) == TASKS
    for reward in REWARDS:
        paid = in_trl(rollouts, reward, "customer", monkeypatch)
        for rollout, expected in zip(rollouts, paid, strict=True):
            task = rollout.episode.task
            assert in_verl(task, {EPISODE: account(rollout)}, reward) == pytest.approx(expected, abs=1e-12)
            served = serve(task, script[task.query], reward=reward)
            assert served.done and served.reward == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", READABLE)
def test_where_the_first_words_end_it(tasks, name, monkeypatch):
    rollouts, _ = played(tasks, BEHAVIOURS[name], customer=None)
    for reward in REWARDS:
        paid = in_trl(rollouts, reward, "tools", monkeypatch)
        for rollout, expected in zip(rollouts, paid, strict=True):
            extra = {MESSAGES: as_verl_keeps_it(rollout)}
            assert in_verl(rollout.episode.task, extra, reward) == pytest.approx(expected, abs=1e-12)


def test_the_behaviours_earn_differently(tasks, monkeypatch):
    """Else the comparison would compare nothing."""
    means = []
    for behaviour in BEHAVIOURS.values():
        rollouts, _ = played(tasks, behaviour)
        paid = in_trl(rollouts, ["tool_level"], "customer", monkeypatch)
        means.append(round(sum(paid) / len(paid), 6))
    assert means[0] == means[1] == max(means) and len(set(means)) >= 5
