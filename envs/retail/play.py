"""Play the agent yourself, in a terminal or through a pipe.

    python -m envs.retail play TASK            # TASK: a task's id, or its number in the file
    echo 'get_order_details order_id=#W1234567' | python -m envs.retail play 1

A line that begins with a tool's name is a call: `tool {"json": "arguments"}` or `tool name=value name=value`
(a value with spaces in quotes, a list as a,b,c). `/policy`, `/tools`, `/diff` and `/quit` are for you;
anything else is said to the customer.
"""

import json
import shlex
import sys
from collections.abc import Iterable
from typing import IO

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.diff import differences
from envs.retail.domain import RETAIL
from envs.retail.environment import RetailEnv
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import TOOLS

HELP = "tool name=value … | tool {json} | words for the customer | /policy /tools /diff /quit"


def find_task(tasks: list[Task], wanted: str) -> Task:
    """A task by id or by its number (from 1)."""
    for number, task in enumerate(tasks, 1):
        if wanted in (task.id, str(number)):
            return task
    known = f"1 to {len(tasks)}, or an id such as {tasks[0].id}" if tasks else "none: the file is empty"
    raise ValueError(f"no task {wanted!r}; known are {known}")


def read_action(line: str) -> Action:
    """What a typed line means; raises ValueError where a call cannot be read."""
    name, _, rest = line.partition(" ")
    if name not in TOOLS:
        return Action(RESPOND, {"content": line})
    rest = rest.strip()
    if rest.startswith("{"):
        return Action(name, json.loads(rest))
    arguments = {}
    for word in shlex.split(rest):
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is not name=value (quote a value with spaces)")
        arguments[key] = value.split(",") if TOOLS[name].kinds.get(key) == "array" else value
    return Action(name, arguments)


def play(shop: Shop, task: Task, lines: Iterable[str], out: IO[str] = sys.stdout) -> float:
    """Play one episode from typed lines and return its reward."""
    env = RetailEnv(shop, task, ScriptedCustomer(), max_steps=200)
    _say(out, f"[{task.id}] {HELP}", f"customer: {env.reset()}")
    for line in filter(None, map(str.strip, lines)):
        if line == "/quit":
            break
        if line.startswith("/"):
            _say(out, _aside(env, line))
            continue
        try:
            step = env.step(read_action(line))
        except ValueError as error:
            _say(out, f"cannot read that: {error}")
            continue
        source = step.info["source"]
        _say(out, f"{'customer' if source == 'user' else source}: {step.observation}")
        if step.done:
            break
    return _close(env, out)


def _aside(env: RetailEnv, line: str) -> str:
    if line == "/policy":
        return RETAIL.policy
    if line == "/tools":
        return "\n".join(f"{name}({', '.join(tool.kinds)})" for name, tool in TOOLS.items())
    if line == "/diff":
        return "\n".join(f"{d.record} {d.field}: {d.before} -> {d.after}" for d in differences(env.database))
    return HELP


def _close(env: RetailEnv, out: IO[str]) -> float:
    score = env.score()
    missing = f", never told: {', '.join(score.missing_outputs)}" if score.missing_outputs else ""
    verdict = "as it should be" if score.database_equal else "not as it should be"
    _say(out, f"ended: {env.ended or 'by you'}; reward {score.reward:g}; the shop is {verdict}{missing}")
    return score.reward


def _say(out: IO[str], *lines: str) -> None:
    for line in lines:
        out.write(line + "\n")
    out.flush()
