"""The two worlds a benchmark compares, behind the same few words: our shop and a tau-bench checkout.

Both have an environment with `step(action)` that answers with `.done` and `.reward`, so all that differs is
how an episode is opened and what its actions are made of.

    ours = OurWorld(Shop.load(), tasks)
    theirs = TauBenchWorld("path/to/tau-bench", tasks)
    gold_episode(ours, ours.open(0), 0) == gold_episode(theirs, theirs.open(0), 0)

The checkout is imported as it is. It wants `litellm` at import time, for customers played by a model; no tool
and no reward uses it, so an empty stand-in takes its place in `sys.modules` and nothing needs installing but
pydantic. The customer is a silent one on both sides: it says its request and then `###STOP###`.
"""

import copy
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from envs.retail.database import Shop
from envs.retail.environment import STOP, RetailEnv
from envs.retail.importers import tau_bench_task
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import call

TAU_BENCH, TAU_BENCH_DATA = "tau_bench/envs/retail/env.py", "tau_bench/envs/retail/data"  # in a checkout


class World(Protocol):
    """A retail world that can be measured; tasks go by their index."""

    name: str
    actions: list[list[Any]]  # of each task: the gold actions and the closing words

    def open(self, index: int) -> Any:
        """A live episode of a task, in an environment of its own."""

    def reset(self, env: Any, index: int) -> None:
        """Begin a task anew in an environment."""

    def fresh(self, count: int, order_id: str, user_id: str) -> list[Any]:
        """Databases that tools may write this order and this user to, none seeing another's writes."""

    def call(self, database: Any, name: str, arguments: dict[str, Any]) -> str:
        """Run one tool."""


def closing(task: Task) -> str:
    """What the agent must have told the customer in the end."""
    return " ".join(task.outputs) or "Done."


def actions_of(task: Task) -> list[Action]:
    """The gold actions and the closing words."""
    return [*task.gold_actions, Action(RESPOND, {"content": closing(task)})]


def gold_episode(world: World, env: Any, index: int) -> float:
    """Reset, do what the gold actions do, say what must be said; the reward."""
    world.reset(env, index)
    for action in world.actions[index]:
        step = env.step(action)
        if step.done:
            return step.reward
    raise RuntimeError(f"task {index} did not end; its closing words must end it")


class OurWorld:
    """This project's shop."""

    name = "ours"

    def __init__(self, shop: Shop, tasks: Sequence[Task]):
        self.shop, self.tasks = shop, tasks
        self.actions = [actions_of(task) for task in tasks]

    def open(self, index: int) -> RetailEnv:
        """A live episode."""
        env = RetailEnv(self.shop, self.tasks[index])
        env.reset()
        return env

    def reset(self, env: RetailEnv, index: int) -> None:
        """Begin a task anew."""
        env.reset(self.tasks[index])

    def fresh(self, count: int, order_id: str, user_id: str) -> list[Any]:
        """Views of the shop, one for each call."""
        return [self.shop.open() for _ in range(count)]

    def call(self, database: Any, name: str, arguments: dict[str, Any]) -> str:
        """Run one tool."""
        return call(database, name, arguments)

    def forget(self) -> None:
        """Forget the right ends of tasks, as if each were seen for the first time."""
        self.shop.gold_ends.clear()


class _SilentCustomer:
    """Stands in for tau-bench's simulated user, which is a paid model."""

    def reset(self, instruction: str | None = None) -> str:
        return instruction or ""

    def step(self, content: str) -> str:
        return STOP

    def get_total_cost(self) -> float:
        return 0.0


class TauBenchWorld:
    """A checkout of tau-bench with its own data, on the same tasks."""

    name = "tau-bench"

    def __init__(self, checkout: str | Path, tasks: Sequence[Task]):
        self._environment, self._types = import_tau_bench(checkout)
        native = self._types.Action
        self.tasks = [self._native_task(task) for task in tasks]
        self.actions = [
            [*task.actions, native(name=RESPOND, kwargs={"content": closing(ours)})]
            for task, ours in zip(self.tasks, tasks, strict=True)
        ]
        self._env = self.open(0)
        self._data = self._env.data_load_func()

    def _native_task(self, task: Task) -> Any:
        actions = [self._types.Action(name=a.name, kwargs=a.arguments) for a in task.gold_actions]
        return self._types.Task(
            annotator="", user_id=task.customer, instruction=task.query, actions=actions, outputs=task.outputs
        )

    def open(self, index: int) -> Any:
        """A live episode in a new environment, as tau-bench's own runner makes one for each task."""
        env = self._environment(user_strategy="human", user_model="", task_split="test", task_index=0)
        env.user, env.tasks = _SilentCustomer(), self.tasks
        env.reset(index)
        return env

    def reset(self, env: Any, index: int) -> None:
        """Begin a task anew."""
        env.reset(index)

    def fresh(self, count: int, order_id: str, user_id: str) -> list[Any]:
        """Shallow copies of the data; only what the tool may change is copied deeply."""
        orders, users = self._data["orders"], self._data["users"]
        return [
            {
                **self._data,
                "orders": {**orders, order_id: copy.deepcopy(orders[order_id])},
                "users": {**users, user_id: copy.deepcopy(users[user_id])},
            }
            for _ in range(count)
        ]

    def call(self, database: Any, name: str, arguments: dict[str, Any]) -> str:
        """Run one tool."""
        return self._env.tools_map[name].invoke(data=database, **arguments)


def import_tau_bench(checkout: str | Path) -> tuple[Any, Any]:
    """The retail environment's class and the types of a checkout; says what is wrong with a path."""
    if not (Path(checkout) / TAU_BENCH).exists():
        raise SystemExit(f"{checkout} is no tau-bench checkout: it has no {TAU_BENCH}")
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    if "litellm" not in sys.modules:
        stand_in = types.ModuleType("litellm")
        stand_in.completion = None  # type: ignore[attr-defined]
        sys.modules["litellm"] = stand_in
    try:
        from tau_bench import types as tau_types
        from tau_bench.envs.retail.env import MockRetailDomainEnv
    except ImportError as error:
        raise SystemExit(f"tau-bench cannot be imported ({error}); pip install {error.name}") from error
    return MockRetailDomainEnv, tau_types


def tau_bench_test_tasks(checkout: str | Path) -> list[Task]:
    """The test split of a checkout in this project's shape."""
    environment, _ = import_tau_bench(checkout)
    env = environment(user_strategy="human", user_model="", task_split="test", task_index=0)
    return [tau_bench_task(task.model_dump(), "test", index) for index, task in enumerate(env.tasks)]
