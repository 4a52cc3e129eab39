"""Agent loops for verl: one in which the customer answers, and verl's own for tools with a full account.

`python -m scaleout.verl export` writes the `agent_loops.yaml` that names them:

    retail_agent    the project's own episode (pipeline/running.py), turn by turn, with verl's server as the
                    agent: harmony, the scripted customer, the same text and tokens as `pipeline.rollouts`.
                    What tools and customer said is masked; `max_response_length` is the budget of the whole
                    episode, `max_assistant_turns` of the agent's turns.
    retail_tools    verl's ToolAgentLoop. Nobody answers the agent's words: its first ones end the episode.

Both leave the episode's account in `extra_fields` for the reward, and in the folder `episodes` for
`python -m scaleout.verl results`, because verl's own dumps of a training step lack special tokens and
metrics.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput
from verl.experimental.agent_loop.tool_agent_loop import ToolAgentLoop
from verl.utils.profiler import simple_timer

from envs.retail.customer import ScriptedCustomer
from envs.retail.environment import MAX_STEPS
from envs.retail.files import json_line
from pipeline.agent import Told, Written
from pipeline.datasets import system_messages
from pipeline.harmony_parse import Vocabulary
from pipeline.running import Rollout, Rules, Running, told
from scaleout.verl.account import EPISODE, MESSAGES, account, shop, told_by
from scaleout.verl.rows import task_of
from scaleout.verl.tool_parser import stops
from scaleout.verl.tools import leave_messages


class Reader:
    """A tokenizer as the project's episodes want it: how to encode what is told and read what is written."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.vocabulary = tokenizer, Vocabulary.of(tokenizer)
        self.stops = stops(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def write(self, histories: Any) -> Any:
        """Not here: verl's server writes."""
        raise NotImplementedError("RetailAgentLoop asks verl's server for each turn")


@cache
def _reader(tokenizer: Any) -> Reader:
    return Reader(tokenizer)


@cache
def _head(reader: Reader, effort: str) -> Told:
    """System and developer message, the same in every episode; thousands of tokens, so encoded once."""
    return told(reader, *system_messages("agent", effort=effort), prompt=False)


class RetailAgentLoop(AgentLoopBase):
    """One episode with the scripted customer."""

    def __init__(self, *args: Any, episodes: str | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.episodes = episodes
        self.reader = _reader(self.tokenizer)
        self.prompt_length = self.rollout_config.prompt_length
        self.response_length = self.rollout_config.response_length
        self.max_turns = self.rollout_config.multi_turn.max_assistant_turns or MAX_STEPS
        self.effort = (self.apply_chat_template_kwargs or {}).get("reasoning_effort", "low")

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Play the episode of a row to its end."""
        running = self._begin(row)
        request, metrics, extra = uuid4().hex, {}, {}
        stop = sorted({*(sampling_params.get("stop_token_ids") or ()), *self.reader.stops})
        output = None
        while not running.done:
            sampling = {**sampling_params, "stop_token_ids": stop, "max_tokens": running.history.room}
            with simple_timer("generate_sequences", metrics):
                output = await self.server_manager.generate(
                    request_id=request, prompt_ids=_tokens(running), sampling_params=sampling
                )
            _note(metrics, extra, output)
            with simple_timer("tool_calls", metrics):
                running.take(self._written(output, running.history.room))
        rollout = running.rollout()
        if rollout.error:  # verl leaves the whole group out then; a broken episode teaches nothing
            raise RuntimeError(f"the episode of {rollout.episode.task.id} broke off: {rollout.error}")
        return self._output(rollout, metrics, extra, getattr(output, "routed_experts", None), row)

    def _begin(self, row: dict[str, Any]) -> Running:
        head = _head(self.reader, self.effort)
        limits = (self.max_turns, self.response_length)
        rules = Rules(self.reader, shop(), "agent", ScriptedCustomer, True, *limits, 0, head)
        running = Running(rules, task_of(row.get("tools_kwargs")), 0, int(row.get("session_id") or 0))
        running.start()
        length = len(_tokens(running))
        if length > self.prompt_length:
            raise ValueError(
                f"the prompt has {length} tokens and data.max_prompt_length is {self.prompt_length}: raise it"
                " to at least that and round up, because other tasks may be longer"
            )
        return running

    def _written(self, output: Any, room: int) -> Written:
        """A turn as the project's episodes take it; one without its end token was cut by a limit."""
        ids = tuple(output.token_ids[:room])
        logprobs = tuple(output.log_probs[:room]) if output.log_probs else None
        cut = not ids or ids[-1] not in self.reader.stops
        return Written(self.reader.vocabulary.decode(list(ids)), ids, logprobs, cut=cut)

    def _output(
        self,
        rollout: Rollout,
        metrics: dict[str, Any],
        extra: dict[str, Any],
        experts: Any,
        row: dict[str, Any],
    ) -> AgentLoopOutput:
        text = account(rollout)
        _keep(self.episodes, text, row, metrics)
        prompt, length = rollout.prompt_ids, len(rollout.completion_ids)
        return AgentLoopOutput(
            prompt_ids=prompt,
            response_ids=rollout.completion_ids,
            response_mask=rollout.env_mask,
            response_logprobs=rollout.logprobs,
            routed_experts=None if experts is None else experts[: len(prompt) + length],
            multi_modal_data={},
            num_turns=len(rollout.transcript),
            metrics=metrics,
            extra_fields={**extra, "turn_scores": [], "tool_rewards": [], EPISODE: text},
        )


class RetailToolLoop(ToolAgentLoop):
    """verl's loop for tools, which leaves an account even of an episode in which no tool was called."""

    def __init__(self, *args: Any, episodes: str | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.episodes = episodes

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Play the episode of a row to its end."""
        output = await super().run(sampling_params, **row)
        messages = output.extra_fields.pop(MESSAGES)
        rollout = told_by(task_of(row.get("tools_kwargs")), messages, sum(output.response_mask))
        output.extra_fields[EPISODE] = text = account(rollout)
        _keep(self.episodes, text, row, output.metrics.model_dump())
        return output

    async def _handle_generating_state(self, agent_data: Any, *args: Any, **settings: Any) -> Any:
        state = await super()._handle_generating_state(agent_data, *args, **settings)
        leave_messages(agent_data)
        return state


def _tokens(running: Running) -> list[int]:
    """All tokens of an episode so far."""
    return [token for piece in running.history.transcript for token in piece.ids]


def _note(metrics: dict[str, Any], extra: dict[str, Any], output: Any) -> None:
    """What verl wants to know of a generation: preemptions, and which weights wrote it."""
    if "num_preempted" not in metrics:
        metrics["num_preempted"] = -1 if output.num_preempted is None else output.num_preempted
    else:
        metrics["num_preempted"] += output.num_preempted or 0
    if not extra:
        extra.update(output.extra_fields)
    elif (latest := output.extra_fields.get("max_global_steps")) is not None:
        extra["max_global_steps"] = latest


def _keep(folder: str | None, text: str, row: dict[str, Any], metrics: dict[str, Any]) -> None:
    """Append an account to this process's file, under the name that verl's dumps know the rollout by.

    With it go the seconds that generation and tools took, which verl 0.9 logs nowhere.
    """
    if folder is None:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    known = {
        "uid": f"{row.get('uid')}_{row.get('session_id', 0)}_0",
        "generation_seconds": metrics.get("generate_sequences", 0.0),
        "tool_seconds": metrics.get("tool_calls", 0.0),
    }
    path = Path(folder) / f"{os.uname().nodename}-{os.getpid()}.jsonl"
    with path.open("a", encoding="utf-8") as out:
        out.write(json_line({"verl": known, **json.loads(text)}))
