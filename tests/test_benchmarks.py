"""The shop's benchmark runs through and says what it found; times are the machine's, so none is asserted."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.retail import QUICK, main
from benchmarks.timing import Sample, interleaved, ratio
from benchmarks.work import example_calls, example_tasks, require_same_work, spread
from benchmarks.worlds import OurWorld, gold_episode
from envs.retail.database import Shop
from envs.retail.tasks import write_tasks
from envs.retail.tools import TOOLS

ROOT = Path(__file__).resolve().parents[1]


def quick(folder: Path, *options: str) -> tuple[dict, str]:
    """A quick run in a process of its own, where few objects are alive: what it wrote and what it printed."""
    command = [sys.executable, "-m", "benchmarks.retail", "--quick", "--json", str(folder / "found.json")]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "found.json").read_text()), done.stdout


@pytest.mark.slow
def test_a_quick_run_prints_its_table_and_writes_every_field(tmp_path):
    found, printed = quick(tmp_path)
    assert set(found) == {"machine", "work", "rounds", "worlds", "rows", "targets"}
    assert (found["worlds"], found["rounds"]) == (["ours"], QUICK.rounds)
    names = [row["name"] for row in found["rows"]]
    wanted = [
        "reset",
        "gold episode, reset and reward",
        "memory of an idle episode",
        "10 live episodes, each",
    ]
    assert {*wanted, "gold episode, 2 threads", *(f"tool {name}" for name in TOOLS)} <= set(names)
    assert all(name in printed for name in names)
    for row in found["rows"]:
        value = row["ours"]
        measured = list(value.values()) if row["unit"] == "seconds" else [value]
        assert all(math.isfinite(number) and number > 0 for number in measured), row
    assert "idle episode: " in printed and found["targets"]["gold_ratio"]["found"] is None


@pytest.mark.slow
def test_tasks_of_a_file_are_played(tmp_path, shop):
    write_tasks(tmp_path / "tasks.jsonl", example_tasks(shop, 3)[:1])
    found, _ = quick(tmp_path, "--tasks", str(tmp_path / "tasks.jsonl"))
    assert found["work"]["tasks"] == 1


# A checkout in name only: tau-bench's classes and files as the benchmark sees them, our shop behind them.
CHECKOUT = {
    "tau_bench/__init__.py": "",
    "tau_bench/envs/__init__.py": "",
    "tau_bench/envs/retail/__init__.py": "",
    "tau_bench/types.py": """
class Action:
    def __init__(self, name, kwargs):
        self.name, self.kwargs = name, kwargs

class Task:
    def __init__(self, annotator, user_id, instruction, actions, outputs):
        self.user_id, self.instruction, self.actions, self.outputs = user_id, instruction, actions, outputs

    def model_dump(self):
        return {**vars(self), "actions": [vars(action) for action in self.actions]}
""",
    "tau_bench/envs/retail/env.py": """
import functools, json, pathlib
from litellm import completion
from benchmarks.work import example_tasks
from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.tasks import Action as OurAction, Task as OurTask
from envs.retail.tools import TOOLS, call
from tau_bench.types import Action, Task

DATA = pathlib.Path(__file__).parent / "data"

@functools.cache
def gold_actions():
    return [Action(a.name, a.arguments) for a in example_tasks(Shop.load(DATA), 1)[0].gold_actions]

class Tool:
    def __init__(self, name):
        self.name = name

    def invoke(self, data, **arguments):
        return call(Shop(**data).open(), self.name, arguments)

class MockRetailDomainEnv:
    def __init__(self, user_strategy, user_model, task_split, task_index):
        self.tools_map = {name: Tool(name) for name in TOOLS}
        self.tasks = [Task("", "someone", "Please.", gold_actions(), [])]

    def data_load_func(self):
        tables = ("orders", "products", "users")
        return {name: json.loads((DATA / f"{name}.json").read_text()) for name in tables}

    def reset(self, index):
        gold = tuple(OurAction(a.name, a.kwargs) for a in self.tasks[index].actions)
        task = OurTask("", self.user.reset(instruction="Please."), gold)
        self.env = RetailEnv(Shop(**self.data_load_func()), task)

    def step(self, action):
        if action.name == "respond":
            assert self.user.step(action.kwargs["content"]) == "###STOP###"
        return self.env.step(OurAction(action.name, action.kwargs))
""",
}


def write_small_shop(shop: Shop, folder: Path) -> None:
    orders = dict(list(shop.orders.items())[:60])
    users = {order["user_id"]: shop.users[order["user_id"]] for order in orders.values()}
    folder.mkdir(parents=True)
    for name, table in {"orders": orders, "users": users, "products": dict(shop.products)}.items():
        (folder / f"{name}.json").write_text(json.dumps(table))


@pytest.mark.slow
def test_a_checkout_is_measured_in_the_same_run(tmp_path, shop):
    for name, text in CHECKOUT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    write_small_shop(shop, tmp_path / "tau_bench/envs/retail/data")
    found, printed = quick(tmp_path, "--against", str(tmp_path))
    assert found["worlds"] == ["ours", "tau-bench"]
    rows = {row["name"]: row for row in found["rows"]}
    for name in ("reset", "gold episode, reset and reward", "tool think", "memory of an idle episode"):
        assert 0 < rows[name]["ratio"]["min"] <= rows[name]["ratio"]["median"] <= rows[name]["ratio"]["max"]
    assert (
        found["targets"]["gold_ratio"]["found"] == rows["gold episode, reset and reward"]["ratio"]["median"]
    )
    assert "ratio of CPU, median (min to max)" in printed and "gold episode against tau-bench: " in printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--against", "nowhere"], "users.json: not found"),
        (["--data", "nowhere"], "users.json: not found"),
        (["--tasks", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_a_wrong_path_is_named(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["--quick", *options])
    assert words in str(stopped.value)


def test_every_tool_has_a_working_call_and_the_tasks_are_solved(shop):
    assert set(example_calls(shop)) == set(TOOLS)
    world = OurWorld(shop, example_tasks(shop, 8))
    assert [gold_episode(world, world.open(0), index) for index in range(8)] == [1.0] * 8


def test_worlds_that_answer_differently_are_not_compared(shop):
    class Slower(OurWorld):
        name = "theirs"

    worlds = [OurWorld(shop, example_tasks(shop, 2)), Slower(shop, example_tasks(shop, 2))]
    require_same_work(worlds, example_calls(shop))

    class Wrong(Slower):
        def call(self, database, name, arguments):
            return super().call(database, name, arguments) + " "

    with pytest.raises(SystemExit, match="answered differently"):
        require_same_work([worlds[0], Wrong(shop, worlds[0].tasks)], example_calls(shop))


@pytest.mark.slow
def test_works_take_turns_and_the_first_turn_does_not_count():
    turns = []

    def work(name):
        return lambda: lambda: turns.append(name) or 1

    samples = interleaved({"a": work("a"), "b": work("b")}, rounds=2)
    assert turns == ["a", "b"] * 3
    assert [len(rounds) for rounds in samples.values()] == [2, 2]


def test_a_ratio_is_taken_within_each_round():
    slow, fast = [Sample(8, 2), Sample(9, 9), Sample(30, 40)], [Sample(1, 1), Sample(3, 3), Sample(3, 4)]
    assert ratio(slow, fast).to_json() == {"median": 3, "min": 2, "max": 10}
    assert ratio(slow, fast, "wall").to_json() == {"median": 8, "min": 3, "max": 10}


def test_tasks_are_picked_evenly():
    assert spread(list(range(100)), 4) == [0, 25, 50, 75]
    assert spread([1, 2], 4) == [1, 2]
