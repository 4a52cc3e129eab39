"""Run recorded actions against the shop: the plain way to compare this environment with another one.

    python -m envs.retail replay --data DIR --in calls.jsonl --out answers.jsonl
    python -m envs.retail score --data DIR --tasks DIR --in episodes.jsonl.gz --out rewards.jsonl

`replay` reads {"id", "actions": [{"name", "arguments" or "kwargs"}]} and writes {"id", "observations",
"final"}, every line on fresh data. `score` reads {"id", "split", "index", "actions", "user_replies"} and
writes {"id", "done", "steps", "reward"}; each `respond` is answered with the next of the replies.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.files import FileError, read_lines, whole_file
from envs.retail.importers import iter_tau_bench_folder
from envs.retail.tasks import Action, Task, iter_tasks
from envs.retail.tools import call


class RecordedCustomer:
    """Says what a recording says, whatever the agent says; silent when the recording is over."""

    def __init__(self, replies: list[str]):
        self.replies, self.said = replies, 0

    def reset(self, task: Task) -> str:
        """Begin with the task's own words."""
        self.said = 0
        return task.query

    def step(self, agent_text: str) -> str:
        """The next recorded reply."""
        self.said += 1
        return self.replies[self.said - 1] if self.said <= len(self.replies) else ""

    def state(self) -> dict[str, Any]:
        """How far the recording has run."""
        return {"said": self.said}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.said = state["said"]


def replay_line(shop: Shop, record: dict[str, Any]) -> dict[str, Any]:
    """Observations and final hash of one sequence of tool calls on fresh data."""
    database = shop.open()
    observations = [call(database, action.name, action.arguments) for action in _actions(record)]
    return {"id": record["id"], "observations": observations, "final": database.sha256()}


def score_line(shop: Shop, tasks: dict[tuple[str, Any], Task], record: dict[str, Any]) -> dict[str, Any]:
    """Outcome of one recorded episode by tau-bench's rule; actions after its end are not looked at."""
    task = tasks.get((record.get("split"), record.get("index")))
    if task is None:
        raise ValueError(f"no task with split {record.get('split')!r} and index {record.get('index')!r}")
    replies, actions = record.get("user_replies", []), _actions(record)
    if not isinstance(replies, list) or not all(isinstance(reply, str) for reply in replies):
        raise ValueError('"user_replies" must be a list of texts')
    env = RetailEnv(shop, task, RecordedCustomer(replies), max_steps=len(actions) + 1, strict=False)
    env.reset()
    for action in actions:
        if env.step(action).done:
            break
    return {"id": record["id"], "done": env.done, "steps": len(env.turns), "reward": env.score().reward}


def _actions(record: dict[str, Any]) -> list[Action]:
    if not isinstance(record.get("actions"), list):
        raise ValueError('"actions" must be a list')
    return [Action.from_json(action) for action in record["actions"]]


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, record in read_lines(path):
        if not isinstance(record, dict) or "id" not in record:
            raise FileError(path, number, 'each line must be an object with an "id"')
        yield number, record


def load_tasks(path: str | Path) -> list[Task]:
    """Tasks of a JSONL file in our shape, or of a folder with tau-bench's `tasks_<split>.jsonl`."""
    return list(iter_tau_bench_folder(path) if Path(path).is_dir() else iter_tasks(path))


def replay_file(data: Path, source: Path, out: Path) -> int:
    """Replay every line of a file; returns how many."""
    shop = Shop.load(data)
    return _each_line(source, out, lambda record: replay_line(shop, record))


def score_file(data: Path, tasks: Path, source: Path, out: Path) -> int:
    """Score every line of a file; returns how many."""
    shop = Shop.load(data)
    by_place = {(task.split, task.extra.get("index", n)): task for n, task in enumerate(load_tasks(tasks))}
    return _each_line(source, out, lambda record: score_line(shop, by_place, record))


def _each_line(source: Path, out: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    count = 0
    with whole_file(out) as lines:
        for number, record in _records(source):
            try:
                lines.write(json.dumps(answer(record)) + "\n")
            except ValueError as error:
                raise FileError(source, number, str(error)) from error
            count += 1
    return count
