"""Where an episode ends: by turns, by tokens, by what nobody can read; and which one an exception ends."""

import json
import logging
from dataclasses import replace

import pytest
from scripted_agent import (
    ScriptedAgent,
    encode,
    query,
    quietly,
)

from envs.retail import environment
from envs.retail.customer import ScriptedCustomer
from envs.retail.tools import TOOLS
from pipeline.harmony_parse import parse
from pipeline.strict import Verdict


def test_too_many_turns(shop, tasks, gold):
    for rollout in quietly(ScriptedAgent(gold), shop, tasks, max_turns=2):
        task = rollout.episode.task
        if len(gold[task.query]) > 2:
            assert rollout.episode.ended == "steps" and len(rollout.episode.turns) == 2
            assert not rollout.episode.succeeded and rollout.env_mask[-1] == 1


@pytest.mark.parametrize("limit", [1, 40, 150, 700, 1500])
def test_no_episode_is_longer_than_its_budget(shop, tasks, gold, limit):
    whole = {one.number: one for one in quietly(ScriptedAgent(gold), shop, tasks)}
    for rollout in quietly(ScriptedAgent(gold), shop, tasks, max_tokens=limit):
        full = whole[rollout.number]
        assert len(rollout.completion_ids) <= limit
        assert rollout.completion_ids == full.completion_ids[: len(rollout.completion_ids)]
        assert rollout.env_mask[-1] == 1, "what leaves no room for a turn is not told"
        if len(full.completion_ids) <= limit:
            assert rollout.episode == full.episode
        else:
            assert rollout.episode.ended == "budget" and not rollout.episode.succeeded


def test_an_answer_that_leaves_no_room_for_a_word_is_not_told(shop, tasks, gold):
    task = next(task for task in tasks if len(gold[task.query]) > 1)
    (whole,) = quietly(ScriptedAgent(gold), shop, [task])
    turn, answer = (len(piece.ids) for piece in whole.transcript[1:3])
    (full,) = quietly(ScriptedAgent(gold), shop, [task], max_tokens=turn + answer)
    assert full.completion_ids == whole.completion_ids[:turn] and full.episode.ended == "budget"
    (one_more,) = quietly(ScriptedAgent(gold), shop, [task], max_tokens=turn + answer + 1)
    assert one_more.completion_ids == whole.completion_ids[: turn + answer + 1]


def test_a_turn_cut_off_in_the_middle_is_kept_and_not_carried_out(shop, tasks, gold):
    (rollout,) = quietly(ScriptedAgent(gold), shop, tasks[:1], max_tokens=20)
    assert rollout.completion_ids == list(encode(gold[tasks[0].query][0])[:20])
    assert rollout.episode.turns == () and rollout.episode.ended == "budget"
    assert [attempt.verdict for attempt in rollout.episode.unread] == [Verdict.TRUNCATED]


def test_a_turn_nobody_can_read_ends_its_own_episode_only(shop, tasks, gold):
    script = gold | {tasks[1].query: ["<|channel|>final<|message|>Hello<|end|>"]}
    rollouts = quietly(ScriptedAgent(script), shop, tasks[:4], batch_size=4)
    assert [one.episode.succeeded for one in rollouts] == [True, False, True, True]
    assert rollouts[1].episode.ended == "unparsable" and not rollouts[1].error
    assert rollouts[1].episode.unread[0].verdict is Verdict.WRONG_END


def test_a_call_named_like_speaking_does_not_speak(shop, tasks, gold):
    words = json.dumps({"content": " ".join(tasks[0].outputs) or "done"})
    call = f" to=functions.respond<|channel|>commentary json<|message|>{words}<|call|>"
    script = {tasks[0].query: [call, *gold[tasks[0].query]]}
    (rollout,) = quietly(ScriptedAgent(script), shop, tasks[:1])
    first = rollout.episode.turns[0]
    assert first.failed and first.observation == f"Unknown action {first.action.name}"
    assert rollout.episode.attempts[0].verdict is Verdict.UNKNOWN_TOOL
    assert first in rollout.episode.calls, "it counts as a call, not as words"


class Moody(ScriptedCustomer):
    """Dies at one task, when it is told to."""

    where, who = "step", ""

    def reset(self, task):
        self.task = task
        if self.where == "reset" and task.id == self.who:
            raise ConnectionError("the customer cannot be reached")
        return super().reset(task)

    def step(self, words):
        if self.where == "step" and self.task.id == self.who:
            raise ConnectionError("the customer cannot be reached")
        return super().step(words)


@pytest.mark.parametrize("where", ["reset", "step"])
def test_a_customer_who_dies_ends_one_episode_with_the_reason(shop, tasks, gold, where, caplog):
    talker = next(task for task in tasks if "<|channel|>final" in gold[task.query][0])
    customer = type("Customer", (Moody,), {"where": where, "who": talker.id})
    with caplog.at_level(logging.WARNING):
        rollouts = quietly(ScriptedAgent(gold), shop, tasks, customer=customer, batch_size=5)
    broken = [one for one in rollouts if one.episode.ended == "error"]
    assert [one.episode.task for one in broken] == [talker]
    assert broken[0].error == "ConnectionError: the customer cannot be reached"
    assert broken[0].error in caplog.text
    assert not broken[0].episode.succeeded
    assert broken[0].episode.attempts == () == broken[0].episode.turns, "no fault of the agent"
    assert broken[0].completion_ids == ([] if where == "reset" else list(encode(gold[talker.query][0])))
    assert all(one.episode.succeeded for one in rollouts if one not in broken)


def test_a_tool_that_dies_ends_one_episode_with_the_reason(shop, tasks, gold, monkeypatch):
    made = {task.id: [parse(turn, TOOLS).call for turn in gold[task.query]] for task in tasks}
    victim = next(task for task in tasks if made[task.id][0] is None)
    first_call = next(filter(None, made[victim.id]))
    before, call, arguments = made[victim.id].index(first_call), environment.call, first_call.arguments

    def broken_call(database, name, given):
        if given == arguments:
            raise ZeroDivisionError("a bug in a tool")
        return call(database, name, given)

    monkeypatch.setattr(environment, "call", broken_call)
    others = [task for task in tasks if first_call not in made[task.id]]
    rollouts = quietly(ScriptedAgent(gold), shop, [victim, *others], batch_size=4)
    assert rollouts[0].error == "ZeroDivisionError: a bug in a tool" and rollouts[0].episode.ended == "error"
    assert len(rollouts[0].episode.turns) == len(rollouts[0].episode.attempts) == before
    assert all(one.episode.succeeded for one in rollouts[1:])


def test_an_agent_that_cannot_be_reached_ends_one_episode_with_the_reason(shop, tasks, gold):
    class Away(ScriptedAgent):
        def turn(self, history):
            turn = super().turn(history)
            return replace(turn, error="no answer") if query(history) == tasks[0].query else turn

    rollouts = quietly(Away(gold), shop, tasks[:3])
    assert [one.error for one in rollouts] == ["no answer", "", ""]
    assert [one.episode.ended == "error" for one in rollouts] == [True, False, False]
    assert rollouts[0].completion_ids == [], "there was no turn"
