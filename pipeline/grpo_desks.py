"""Where an episode of reinforcement learning takes place, in each of three ways, and the account of it.

| way | who generates and executes | who answers the agent's words |
| --- | --- | --- |
| customer | our own loop (pipeline/rollouts.py), as TRL's `rollout_func` | the scripted customer |
| tools | TRL's loop: the tools are methods of its `environment_factory` | nobody: the first words end it |
| plan | one completion, executed afterwards | nobody |

TRL keeps a pool of desks and calls `reset` with the row of the dataset. `account` gives the Episode that the
rewards read: from the loop's own account, or read strictly from the tokens, never from what TRL parsed.

    desk = tool_desk(shop)()              # what TRL's environment_factory returns
    desk.reset(task=task_json)
    desk.get_order_details(order_id="#W1234567")
"""

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

from envs.domain import Tool
from envs.retail.domain import domain_of
from envs.retail.environment import RetailEnv
from envs.retail.tasks import Action, Task
from envs.world import World
from pipeline.episode import Episode, play_plan, play_turns
from pipeline.harmony_parse import Vocabulary

OVER = "Error: the conversation is over"


class Desk:
    """One place at the shop: the task that is being served there, and the account of it once it is known."""

    def __init__(self, shop: World):
        self._shop = shop
        self._task: Task | None = None
        self._env: RetailEnv | None = None
        self._episode: Episode | None = None

    def reset(self, task: str, **row: Any) -> None:
        """Begin with a row of the dataset; TRL calls this before each episode."""
        self._task = Task.from_json(json.loads(task))
        self._env = RetailEnv(self._shop, self._task)
        self._env.reset()
        self._episode = None

    def _use(self, tool: str, arguments: dict[str, Any]) -> str:
        return OVER if self._env.done else self._env.step(Action(tool, arguments)).observation


def tool_desk(shop: World) -> Callable[[], Desk]:
    """A factory of desks whose public methods are the shop's tools, as TRL wants to find them."""
    methods = {name: _method(tool) for name, tool in domain_of(shop).tools.items()}
    desk = type("ToolDesk", (Desk,), methods)
    return lambda: desk(shop)


def _method(tool: Tool) -> Callable[..., str]:
    """A tool as a method: same name, parameters and docstring, without the database."""
    name, function = tool.name, tool.function

    def use(self: Desk, **arguments: Any) -> str:
        return self._use(name, arguments)

    own, *parameters = inspect.signature(function).parameters.values()
    hints = get_type_hints(function)
    use.__name__, use.__doc__ = name, function.__doc__
    use.__annotations__ = {key: kind for key, kind in hints.items() if key != own.name}
    use.__signature__ = inspect.Signature(
        [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters],
        return_annotation=str,
    )
    return use


def account(way: str, desk: Desk, ids: Sequence[int], vocabulary: Vocabulary) -> Episode:
    """What happened at a desk, where `ids` are the completion's tokens, tools' answers included."""
    if desk._episode is not None:
        return desk._episode
    if way == "plan":
        return play_plan(desk._shop, desk._task, ids, vocabulary)
    turns = agent_turns(ids, vocabulary)
    return play_turns(desk._shop, desk._task, turns, vocabulary=vocabulary)


def agent_turns(ids: Sequence[int], vocabulary: Vocabulary) -> list[list[int]]:
    """The agent's own turns of an episode in tokens, each from after its `<|start|>assistant`.

    Between two turns stand whole messages of others; the one that begins with "assistant" is the next turn.
    """
    specials, turns, start = vocabulary.specials, [], None
    turn: list[int] | None = []  # what TRL calls the completion begins in the middle of the first turn
    for place, token in enumerate(ids):
        special = specials.get(token)
        if turn is not None:
            turn.append(token)
            if special in ("<|call|>", "<|return|>"):
                turns.append(turn)
                turn = None
        elif special == "<|start|>":
            start = place + 1
        elif start is not None and vocabulary.decode(list(ids[start : place + 1])) == "assistant":
            turn, start = [], None
        elif special is not None:
            start = None
    return [*turns, turn] if turn else turns
