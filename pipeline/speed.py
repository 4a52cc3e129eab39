"""How fast the shop is on this machine: a reset, each kind of call, a whole episode with its reward.

time_shop(Shop.load(), task)   # a table of median microseconds
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import call

if TYPE_CHECKING:
    import pandas as pd


def time_shop(shop: Shop, task: Task, repetitions: int = 200) -> pd.DataFrame:
    """Median time of the operations training repeats most, on a warmed-up shop."""
    import pandas as pd

    env = RetailEnv(shop, task)
    operations: dict[str, Callable[[], object]] = {"reset": env.reset}
    for action in task.gold_actions:
        operations.setdefault(action.name, _fresh_call(shop, action))
    operations["gold episode and reward"] = lambda: _gold_episode(env)
    rows = [
        (name, _microseconds(operation, repetitions), repetitions) for name, operation in operations.items()
    ]
    return pd.DataFrame(rows, columns=["operation", "microseconds", "n"])


def _fresh_call(shop: Shop, action: Action) -> Callable[[], object]:
    return lambda: call(shop.open(), action.name, action.arguments)


def _gold_episode(env: RetailEnv) -> None:
    env.reset()
    for action in env.task.gold_actions:
        env.step(action)
    env.step(Action(RESPOND, {"content": "Done. " + " ".join(env.task.outputs)}))


def _microseconds(operation: Callable[[], object], repetitions: int) -> float:
    times = []
    for _ in range(repetitions + 5):
        start = perf_counter()
        operation()
        times.append(perf_counter() - start)
    return median(times[5:]) * 1e6  # the first few fill caches
