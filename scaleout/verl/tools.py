"""The shop's tools for verl's own tool loop: one shop a rollout, shared by all its calls.

`python -m scaleout.verl export` writes the `tools.yaml` that names this class sixteen times. Three things
that verl would do otherwise:

* Its loop makes and releases a tool instance for every single call, so a shop kept by `instance_id` would
  forget each change at once. The shop is kept by the rollout's `agent_data`, weakly, and goes with it.
* Its schema drops what it does not know: "items" of an array, and `item_ids: string[]` becomes `any[]` in the
  prompt, which is not the prompt of the warm-up. The schema here is passed on as it is.
* It puts an answer into the text as it is, so that "<|end|>" in an order's note would become a real token.
  The answer is escaped as everywhere in this project.
"""

import contextlib
import copy
import io
from typing import Any
from weakref import WeakKeyDictionary

from verl.tools.base_tool import BaseTool
from verl.tools.schemas import OpenAIFunctionToolSchema, ToolResponse

from envs.retail.environment import RetailEnv
from envs.retail.tasks import Action
from envs.retail.tools import TOOLS
from pipeline.grpo_desks import OVER
from pipeline.harmony import escape
from scaleout.verl import tool_parser  # noqa: F401 (registers the format)
from scaleout.verl.account import MESSAGES, shop
from scaleout.verl.rows import task_of

MAX_CALLS = 1000  # verl's own limits come first
_envs: "WeakKeyDictionary[Any, RetailEnv]" = WeakKeyDictionary()


class WholeSchema(OpenAIFunctionToolSchema):
    """A tool's schema that keeps all its keys on the way to the prompt."""

    whole: dict[str, Any]

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """The schema as the project wrote it."""
        return copy.deepcopy(self.whole)


class RetailTool(BaseTool):
    """One of the sixteen tools; `config["name"]` says which."""

    def __init__(self, config: dict[str, Any], tool_schema: OpenAIFunctionToolSchema | None = None) -> None:
        name = config.get("name")
        if name not in TOOLS:
            raise ValueError(
                f"no tool {name!r} in the shop: write tools.yaml with `python -m scaleout.verl export`"
            )
        schema = TOOLS[name].schema
        with contextlib.redirect_stdout(io.StringIO()):  # verl prints every schema in every worker
            super().__init__(config, WholeSchema.model_validate({**schema, "whole": schema}))

    async def execute(
        self, instance_id: str, parameters: dict[str, Any], **context: Any
    ) -> tuple[ToolResponse, float, dict[str, Any]]:
        """Carry out one call in the rollout's shop; the reward is computed when the episode has ended."""
        agent_data = context["agent_data"]
        env = environment(agent_data)
        answer = OVER if env.done else env.step(Action(self.name, parameters)).observation
        leave_messages(agent_data)
        return ToolResponse(text=escape(answer)), 0.0, {}


def environment(agent_data: Any) -> RetailEnv:
    """The rollout's own shop, opened at its first call."""
    env = _envs.get(agent_data)
    if env is None:
        env = _envs[agent_data] = RetailEnv(shop(), task_of(agent_data.tools_kwargs), max_steps=MAX_CALLS)
        env.reset()
    return env


def leave_messages(agent_data: Any) -> None:
    """Let the reward see the conversation, which the loop goes on writing to; never before the first turn.

    verl notes the version of the weights in `extra_fields` only while these are empty.
    """
    agent_data.extra_fields.setdefault(MESSAGES, agent_data.messages)
