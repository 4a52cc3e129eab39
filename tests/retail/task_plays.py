"""What the tests of tasks share: shops, a task played in the environment, a task with one call changed."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.environment import STOP, RetailEnv
from envs.retail.make_shop import make_shop
from envs.retail.tasks import Action, Task
from envs.retail.tools import TOOLS, WRITE

FIXTURE = Path(__file__).parents[3] / "shared" / "fixtures" / "tau_bench_retail"
needs_fixture = pytest.mark.skipif(
    not FIXTURE.exists(), reason="needs tau-bench's shop in ../shared/fixtures/tau_bench_retail"
)
SHOPS = ("ours", "made anew", "public")


def shop_named(name: str) -> Shop:
    """Our shop, one from another seed, or tau-bench's own."""
    if name == "made anew":
        return Shop(**make_shop(11))
    if name == "ours":
        return Shop.load()
    if not FIXTURE.exists():
        pytest.skip("needs the public shop in ../shared/fixtures/tau_bench_retail")
    return Shop.load(FIXTURE)


def first(tasks: Iterable[Task], count: int) -> list[Task]:
    """The first so many tasks."""
    return list(itertools.islice(tasks, count))


def writes(task: Task) -> list[Action]:
    """The gold actions that change something."""
    return [action for action in task.gold_actions if TOOLS[action.name].kind == WRITE]


def say(*words: str) -> Action:
    """Words to the customer."""
    return Action("respond", {"content": " ".join(words)})


def solution(task: Task) -> list[Action]:
    """The gold actions, and a last word that tells what must be told; a hand-over is the last word itself."""
    handed_over = task.gold_actions[-1].name == "transfer_to_human_agents"
    return [*task.gold_actions, *([] if handed_over else [say("Done.", *task.outputs)])]


def play(shop: Shop, task: Task, actions: list[Action]) -> tuple[float, list[str]]:
    """Take the actions in a fresh episode; returns the reward and what was answered."""
    env = RetailEnv(shop, task)
    env.reset()
    answers = [env.step(action).observation for action in actions]
    return env.score().reward, answers


QUESTIONS = (
    "To find your account I need your email address, or your name and zip code.",
    "What is the order number?",
    "What is the reason for the cancellation?",
    "Which payment method would you like to use?",
    "What is the new address?",
    "Which items, and which options would you like?",
    "Unfortunately that is not possible. What would you like me to do instead?",
    "Is there anything else I can help you with?",
)


def interview(task: Task) -> str:
    """All that the scripted customer says when asked for everything."""
    customer = ScriptedCustomer()
    said = [customer.reset(task)]
    for question in QUESTIONS:
        if STOP in said[-1]:
            break
        said.append(customer.step(question))
    return "\n".join(said)


def task_with(tasks: list[Task], tool: str) -> tuple[Task, int]:
    """A task with this gold call in which nothing is to be refused, and the call's place."""
    for task in tasks:
        if not task.extra.keys() & {"refusal", "refuses_part"}:
            for place, action in enumerate(task.gold_actions):
                if action.name == tool:
                    return task, place
    raise AssertionError(f"no task calls {tool}")


def changed(task: Task, place: int, name: str = "", **arguments: object) -> Task:
    """The task with one gold call changed."""
    action = task.gold_actions[place]
    action = Action(name or action.name, {**action.arguments, **arguments})
    gold = (*task.gold_actions[:place], action, *task.gold_actions[place + 1 :])
    return replace(task, gold_actions=gold, gold_final=None)
