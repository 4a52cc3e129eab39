"""A served model as the agent: what it is asked in OpenAI's form, and its server's bad days."""

import json
import threading
from itertools import islice

import pytest
from scripted_agent import gold_plan
from served_agent import agent, calls, quietly, replies, says

from envs.retail.database import Shop
from envs.retail.domain import RETAIL
from envs.retail.generator import generate
from envs.retail.tasks import Task
from envs.retail.tools import schemas
from pipeline.agent import Told
from pipeline.demonstrations import demonstrate
from pipeline.endpoint_agent import EndpointAgent
from pipeline.harmony import Call, Final, User
from pipeline.harmony_parse import parse
from reliability.faults.chat_server import Handler, fails, half_a_body, raw


class Gold:
    """Answers each conversation with the next gold turn of its task, whoever asks first."""

    def __init__(self, shop: Shop, tasks: list[Task]):
        self.turns = {
            task.query: [m for m in demonstrate(shop, task).messages if isinstance(m, Call | Final)]
            for task in tasks
        }

    def __call__(self, handler: Handler) -> None:
        body = handler.body
        queries = [line["content"] for line in body["messages"] if line["role"] == "user"]
        number = sum(line["role"] == "assistant" for line in body["messages"])
        turn = self.turns[queries[0]][number]
        said = says(turn.text) if isinstance(turn, Final) else calls((turn.name, json.dumps(turn.arguments)))
        replies(said)(handler)


# A whole episode


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_served_model_plays_whole_episodes(server, shop, tasks, batch_size):
    server.http.otherwise = Gold(shop, tasks)
    rollouts = quietly(agent(server), shop, tasks, batch_size=batch_size)
    for task, rollout in zip(tasks, rollouts, strict=True):
        assert rollout.episode.succeeded and not rollout.error, rollout.error
        assert rollout.episode.turns == demonstrate(shop, task).episode.turns
        assert rollout.episode.tokens == 7 * len(rollout.episode.turns)
        assert rollout.completion_ids == rollout.env_mask == []
        assert rollout.text.count("<|start|>assistant") == len(rollout.episode.turns)


def test_what_the_server_is_asked(server, shop, tasks):
    task = next(task for task in tasks if len(demonstrate(shop, task).messages) > 5)
    server.http.otherwise = Gold(shop, tasks)
    (rollout,) = quietly(agent(server, options={"temperature": 0, "max_tokens": 99}), shop, [task])
    first, *_, last = server.requests
    assert first["model"] == "test-model" and first["temperature"] == 0 and first["max_tokens"] == 99
    assert first["tools"] == schemas() and "seed" not in first
    system, user = first["messages"]
    assert system == {"role": "system", "content": RETAIL.policy}
    assert user == {"role": "user", "content": task.query}
    pieces = [piece for piece in rollout.transcript[1:] if isinstance(piece, Told)]
    told = [message for piece in pieces for message in piece.messages]
    heard = [line["content"] for line in last["messages"][2:] if line["role"] != "assistant"]
    assert heard == [message.text for message in told]
    for before, line in zip(last["messages"][2:], last["messages"][3:], strict=False):
        if line["role"] == "tool":
            assert line["tool_call_id"] == before["tool_calls"][0]["id"]


def test_plans_are_asked_for_without_tools(server, shop):
    tasks = list(islice(generate(shop, seed=9, levels=(1,)), 4))
    plans = {task.query: parse(gold_plan(task)[0], ()).final for task in tasks}

    def plan(handler):
        replies(says(plans[handler.body["messages"][1]["content"]]))(handler)

    server.http.otherwise = plan
    for rollout in quietly(agent(server), shop, tasks, mode="plan"):
        assert rollout.episode.ended in ("plan", "transfer") and rollout.episode.matching.done
    assert all("tools" not in request for request in server.requests)


def test_each_trial_has_its_seed_if_the_server_is_to_have_it(server, shop, tasks):
    server.http.otherwise = replies(says("Hello."))

    def seeds(**settings):
        server.requests.clear()
        quietly(agent(server, seeded=True), shop, tasks[:3], customer=None, **settings)
        return sorted(request["seed"] for request in server.requests)

    first = seeds(trials=2)
    assert len(set(first)) == 6 and seeds(trials=2, batch_size=1) == first != seeds(trials=2, seed=1)


# Bad days


TROUBLES = [fails(429, Retry_After="1"), fails(500), half_a_body, raw(b"<html>"), raw(b'{"choices": [{}]}')]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_passing_trouble_is_asked_again(server, shop, tasks, trouble):
    server.http.otherwise = Gold(shop, tasks)
    server.script(trouble, trouble)
    (rollout,) = quietly(agent(server), shop, tasks[:1])
    assert rollout.episode.succeeded
    assert len(server.requests) == 2 + len(rollout.episode.turns)


def test_lasting_trouble_ends_that_episode_with_the_reason(server, shop, tasks):
    gold, unlucky = Gold(shop, tasks), tasks[1].query

    def moody(handler):
        fails(500)(handler) if handler.body["messages"][1]["content"] == unlucky else gold(handler)

    server.http.otherwise = moody
    rollouts = quietly(agent(server), shop, tasks[:4], batch_size=4)
    assert [one.episode.ended == "error" for one in rollouts] == [False, True, False, False]
    assert "did not answer in 3 attempts" in rollouts[1].error and "CustomerError" not in rollouts[1].error
    assert all(one.episode.succeeded for one in rollouts if not one.error)


def test_nobody_there(server, shop, tasks):
    nobody = EndpointAgent("m", "http://127.0.0.1:1/v1", attempts=1)
    for rollout in quietly(nobody, shop, tasks[:2]):
        assert "check that the server is up" in rollout.error and rollout.episode.ended == "error"


def test_a_missing_key_is_said_before_anything_is_played(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(RuntimeError, match=r"set OPENAI_API_KEY.*localhost"):
        EndpointAgent("gpt-4o")


def test_a_slow_answer_does_not_hold_up_the_others(server, shop, tasks):
    gold, slow = Gold(shop, tasks), tasks[0].query
    others = sum(len(gold.turns[task.query]) for task in tasks[1:4])
    served, all_others = [], threading.Event()

    def waiting(handler):
        if handler.body["messages"][1]["content"] == slow:
            assert all_others.wait(timeout=30)
        gold(handler)
        if handler.body["messages"][1]["content"] != slow:
            served.append(1)
            if len(served) == others:
                all_others.set()

    server.http.otherwise = waiting
    rollouts = quietly(agent(server, timeout=60), shop, tasks[:4], batch_size=4)
    assert all(one.episode.succeeded for one in rollouts)


def test_the_first_words_are_a_user_message(server, shop, tasks):
    server.http.otherwise = Gold(shop, tasks)
    (rollout,) = quietly(agent(server), shop, tasks[:1])
    assert isinstance(rollout.transcript[0].messages[-1], User)
    assert rollout.prompt_ids == [] and rollout.logprobs is None
