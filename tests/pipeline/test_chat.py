"""A person in the customer's place: their lines reach the agent, its calls are carried out and shown."""

from itertools import islice

import pytest
from scripted_agent import ScriptedAgent, gold_turns

from envs.retail.generator import generate
from envs.retail.tasks import Task
from pipeline import chat as chat_module
from pipeline.chat import chat
from pipeline.config import resolve

CONFIG = resolve("tiny", environ={})


@pytest.fixture(scope="module")
def task(shop) -> Task:
    tasks = islice(generate(shop, seed=5, levels=(1, 2)), 50)
    return next(task for task in tasks if task.gold_actions[-1].name == "cancel_pending_order")


def test_what_a_person_asks_for_is_really_done(shop, task):
    shown: list[str] = []
    agent = ScriptedAgent.of(lambda one: gold_turns(shop, one), [task])
    episode = chat(agent, shop, CONFIG, task.customer, lines=[task.query, "bye"], show=shown.append)
    order = task.gold_actions[-1].arguments["order_id"]
    assert episode.ended == "customer" and any(key == order for _, key in episode.changes)
    assert shown[0] == f"you: {task.query}"
    calls = [line for line in shown if line.startswith("  ")]
    assert [call.split("(")[0].strip() for call in calls] == [action.name for action in task.gold_actions]
    assert shown[-1].startswith(f"agent: Order {order} has been cancelled.")


def test_the_conversation_goes_on_until_one_leaves(shop):
    final = "<|channel|>final<|message|>Yes?<|return|>"
    for lines in (["Hi", "one", "two", ""], ["Hi", "one", "two"], ["Hi", "one", "two", "BYE", "never heard"]):
        shown: list[str] = []
        episode = chat(ScriptedAgent({"Hi": [final] * 9}), shop, CONFIG, lines=lines, show=shown.append)
        assert [turn.observation for turn in episode.turns][:-1] == ["one", "two"]
        assert shown == ["you: Hi", "agent: Yes?\nyou: one", "agent: Yes?\nyou: two", "agent: Yes?"]


def test_a_turn_nobody_can_read_says_why(shop):
    shown: list[str] = []
    agent = ScriptedAgent({"Hi": ["<|channel|>final<|message|>cut off"]})
    assert chat(agent, shop, CONFIG, lines=["Hi"], show=shown.append).ended == "unparsable"
    assert shown[-1].startswith("(the conversation broke off: ")


def test_without_lines_it_asks_and_a_closed_terminal_ends_it(shop, monkeypatch):
    answers = iter(["Hi", "really?"])

    def asked(prompt: str) -> str:
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", asked)
    agent = ScriptedAgent({"Hi": ["<|channel|>final<|message|>Yes?<|return|>"] * 9})
    episode = chat(agent, shop, CONFIG, show=lambda line: None)
    assert episode.turns[0].observation == "really?" and episode.ended == "customer"


def test_a_box_in_a_notebook_carries_the_same_conversation(shop):
    pytest.importorskip("ipywidgets")
    agent = ScriptedAgent({"Hi": ["<|channel|>final<|message|>Yes?<|return|>"] * 9})
    box = chat_module.chat_box(agent, shop, CONFIG)
    said, line = box.children
    for words in ("Hi", "bye"):
        line.value = words
    for thread in chat_module.threading.enumerate():
        if thread.daemon and thread.name.endswith("(chat)"):
            thread.join(20)
    assert line.value == "" and any("agent: Yes?" in output["text"] for output in said.outputs)


def test_a_plan_has_no_conversation(shop):
    with pytest.raises(ValueError, match='mode="agent"'):
        chat(ScriptedAgent({}), shop, resolve("tiny", mode="plan", environ={}), lines=["Hi"])
