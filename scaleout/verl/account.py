"""What an agent loop leaves behind for the reward: the account of an episode, in the project's own form.

    extra_fields[EPISODE] = account(rollout)           # by our loops, when an episode has ended
    episode = episode_of(task, extra_info)             # in the reward: carried out anew, or None
    rollout = told_by(task, agent_data.messages)       # what verl's own loop for tools has gone through

verl hands the reward a text from which the special tokens are removed; harmony cannot be read from that. So
the reward reads the account: which actions were carried out and what the strict reader said of each turn.
Scores are not in it as far as the reward is concerned: `replayed` carries the actions out again on fresh
data.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from envs.retail.database import Shop
from envs.retail.domain import RETAIL
from envs.retail.environment import RetailEnv
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import TOOLS
from pipeline.episode import Attempt, Episode, as_called
from pipeline.episode_records import replayed, to_record
from pipeline.running import Rollout
from pipeline.strict import Verdict, check_arguments

EPISODE = "retail_episode"  # in extra_fields: the account as JSON
MESSAGES = "retail_messages"  # in extra_fields: the conversation of verl's own loop, which goes on growing
STAGE = "verl"
_UNREAD = re.compile(r"\[unread: (?P<verdict>[a-z_]+)\] (?P<reason>.*)", re.DOTALL)


@cache
def shop() -> Shop:
    """The shop as it is at the beginning of every episode; loaded once in a process."""
    return Shop.load()


def account(rollout: Rollout) -> str:
    """An episode as text."""
    return json.dumps(to_record(rollout, shop(), STAGE))


def episode_of(task: Task, extra: Mapping[str, Any] | None) -> Episode | None:
    """The episode of a rollout, carried out anew; None where its loop left no account.

    Args:
        task: The row's, whatever the account says.
        extra: verl's extra_info, in which the loop's extra_fields are merged.
    """
    extra = extra or {}
    if text := extra.get(EPISODE):
        return replayed({**json.loads(text), "task": task.to_json()}, shop())
    messages = extra.get(MESSAGES)
    return told_by(task, list(messages)).episode if messages is not None else None


def unread(verdict: Verdict, reason: str) -> str:
    """What our tool parser leaves as a turn's words where the strict reader refused the turn."""
    return f"[unread: {verdict}] {reason}"


def told_by(task: Task, messages: Sequence[Mapping[str, Any]], tokens: int = 0) -> Rollout:
    """The episode that a conversation of verl's own loop tells of, its calls carried out anew.

    Args:
        task: The row's.
        messages: As the loop kept them; a call stands there as it was parsed, before it was executed.
        tokens: How many the agent generated.
    """
    env = RetailEnv(shop(), task, max_steps=len(messages) + 1)
    env.reset()
    attempts: list[Attempt] = []
    for message in messages:
        for called in message.get("tool_calls") or ():
            if not env.done:
                action = _action(called["function"])
                attempts.append(_attempt(action, len(env.turns)))
                env.step(action)
    last = messages[-1] if messages else {}
    if not env.done and last.get("role") == "assistant" and not last.get("tool_calls"):
        attempts.append(_spoken(env, last.get("content") or ""))
    env.end("budget")  # where nothing else has ended it, one of verl's limits has
    return Rollout(Episode.of(env, attempts, tokens=tokens), (), 0, 0, 0.0)


def _action(called: Mapping[str, Any]) -> Action:
    """A call as an action; no tool speaks to the customer, and arguments that are no object fit no schema."""
    name, arguments = called["name"], called["arguments"]
    if not isinstance(arguments, dict):
        arguments = {"(no object)": str(arguments)[:80]}
    return Action(as_called(name), arguments)


def _attempt(action: Action, turn: int) -> Attempt:
    if action.name not in TOOLS:
        return Attempt(turn, Verdict.UNKNOWN_TOOL, f"tool {action.name!r:.80} is not declared")
    fault = check_arguments(RETAIL.schemas[action.name], action.arguments)
    return Attempt(turn, Verdict.BAD_ARGUMENTS if fault else Verdict.OK, fault or "")


def _spoken(env: RetailEnv, words: str) -> Attempt:
    """The agent's last words: said to the customer, or refused by the strict reader."""
    if refused := _UNREAD.fullmatch(words):
        env.end("unparsable")
        return Attempt(None, Verdict(refused["verdict"]), refused["reason"])
    if "<tool_call>" in words:  # the hermes parser leaves a call it cannot read among the words
        env.end("unparsable")
        return Attempt(None, Verdict.BAD_JSON, "a call that verl's hermes parser could not read")
    env.step(Action(RESPOND, {"content": words}))
    return Attempt(len(env.turns) - 1)
