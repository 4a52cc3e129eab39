"""Episodes for the tests of scaleout.verl: gold ones as text, token and message, and ways to spoil them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from envs.retail.customer import ScriptedCustomer
from envs.retail.tasks import Task, read_tasks
from pipeline.demonstrations import demonstrate
from pipeline.episode import play_turns
from pipeline.harmony import Analysis, Call, Final, written_turns
from pipeline.running import Rollout
from scaleout.verl.account import shop

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "scaleout" / "verl" / "recipes"
TINY = ROOT / "data" / "tiny_base"
BOTH_FORMS = ("role", "channel")


@cache
def tasks() -> tuple[Task, ...]:
    """Held-out tasks of all levels."""
    return tuple(read_tasks(ROOT / "data" / "validation.jsonl"))


def task_at(level: int, number: int = 0) -> Task:
    """A task of a level."""
    return [task for task in tasks() if task.level == level][number]


def gold_turns(task: Task, form: str = "role", thoughts: bool = False) -> list[str]:
    """The turns of a task's demonstration, with the customer's answers left to the customer."""
    return written_turns(demonstrate(shop(), task, thoughts=thoughts).messages, form)


def rollout_of(task: Task, turns: Sequence[str]) -> Rollout:
    """The project's own account of these turns, with the scripted customer."""
    return Rollout(play_turns(shop(), task, turns, customer=ScriptedCustomer()), (), 0, 0, 0.0)


def called(name: str, arguments: object) -> dict:
    """An assistant's message of verl's own loop that calls a tool."""
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def gold_messages(task: Task, *, last: str | None = "All done.") -> list[dict]:
    """A conversation of verl's own loop in which the gold actions are made and the outputs told."""
    messages = [{"role": "system", "content": "policy"}, {"role": "user", "content": task.query}]
    for action in task.gold_actions:
        messages += [called(action.name, action.arguments), {"role": "tool", "content": "…"}]
    told = " ".join([last, *task.outputs]) if last is not None else None
    return messages if told is None else [*messages, {"role": "assistant", "content": told}]


def spoken_turns(task: Task, form: str = "role") -> list[str]:
    """The same conversation as harmony turns, a thought before each call."""
    turns = []
    for message in gold_messages(task)[2:]:
        if "tool_calls" in message:
            turns += written_turns([Analysis("Next."), Call(**message["tool_calls"][0]["function"])], form)
        elif message["role"] == "assistant":
            turns += written_turns([Final(message["content"])], form)
    return turns
