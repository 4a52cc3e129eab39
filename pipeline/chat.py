"""Talk with a model yourself, with the shop in the loop: you are the customer, its calls are really executed.

    chat(agent, shop, config, "mia_garcia_1234")                     # typed, wherever there is input
    chat(agent, shop, config, "mia_garcia_1234", lines=["Hi, …"])    # scripted
    chat_box(agent, shop, config, "mia_garcia_1234")                 # a line in a notebook (ipywidgets)

Each line you write goes to the agent; its calls are shown as they are made, with the beginning of answers.
"bye", an empty line, or the end of the script ends the conversation.
"""

from __future__ import annotations

import json
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from envs.retail.database import Shop
from envs.retail.environment import STOP, Turn
from envs.retail.tasks import RESPOND, Task
from pipeline.agent import Agent
from pipeline.config import Config
from pipeline.episode import Episode
from pipeline.rollouts import opened

LEAVING = ("", "bye", "goodbye", "quit", "exit")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SHOWN = 300  # characters of a tool's answer


class Person:
    """A customer whose words somebody types; the episode ends when they leave."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines

    def reset(self, task: Task) -> str:
        """The first words."""
        return next(self.lines, "Hi!")

    def step(self, agent_text: str) -> str:
        """The next words."""
        line = next(self.lines, "").strip()
        return STOP if line.lower() in LEAVING else line

    def state(self) -> dict[str, Any]:
        """Nothing: what was typed is in the episode."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on with the next line."""


def chat(
    agent: Agent,
    shop: Shop,
    config: Config,
    customer: str = "",
    lines: Iterable[str] | None = None,
    show: Callable[[str], None] = print,
) -> Episode:
    """Talk with the agent until you leave.

    Args:
        agent: Who serves you.
        shop: The shop; nothing you do lasts.
        config: Effort, date and limits.
        customer: The user id of whom you play, for the record.
        lines: What you say; without, you are asked for it.
        show: Shows a line.
    """
    if config.mode != "agent":
        raise ValueError('a plan is made without a conversation: chat with mode="agent"')
    person = Person(iter(lines) if lines is not None else _typed())
    task = Task("chat", "", (), customer=customer)
    limits = {"max_turns": 10 * config.max_turns, "effort": config.effort, "date": config.date}
    running = opened(agent, shop, task, lambda: person, **limits)
    show(f"you: {running.env.opening}")
    while not running.done:
        known = len(running.env.turns)
        (written,) = agent.write([running.history])
        if written is not None:
            running.take(written)
            for turn in running.env.turns[known:]:
                show(spelled(turn))
    episode = running.rollout().episode
    if episode.ended not in ("customer", "transfer"):
        reason = episode.unread[-1].reason if episode.unread else running.error or episode.ended
        show(f"(the conversation broke off: {reason})")
    return episode


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input("you: ")
        except (EOFError, KeyboardInterrupt):
            return


def spelled(turn: Turn) -> str:
    """One turn as a line or two to read; a terminal is shown no control characters."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _spelled(turn))


def _spelled(turn: Turn) -> str:
    if turn.action.name == RESPOND:
        reply = "" if STOP in turn.observation else f"\nyou: {turn.observation}"
        return f"agent: {turn.action.arguments.get('content', '')}{reply}"
    arguments = json.dumps(turn.action.arguments, ensure_ascii=False)
    answer = turn.observation if len(turn.observation) <= SHOWN else turn.observation[:SHOWN] + " …"
    return f"  {turn.action.name}({arguments})\n  -> {answer}"


def chat_box(agent: Agent, shop: Shop, config: Config, customer: str = "") -> Any:
    """The same in a notebook: a line to type in, and what was said; other cells can run meanwhile."""
    import ipywidgets

    typed: queue.Queue[str] = queue.Queue()
    said = ipywidgets.Output()
    line = ipywidgets.Text(placeholder='Write to the agent and press Enter; "bye" ends it.')
    line.continuous_update, line.layout.width = False, "80%"

    def send(change: Mapping[str, Any]) -> None:
        if change["new"]:
            typed.put(change["new"])
            line.value = ""

    line.observe(send, "value")
    lines = iter(typed.get, object())
    arguments = (agent, shop, config, customer, lines, lambda text: said.append_stdout(text + "\n"))
    threading.Thread(target=chat, args=arguments, daemon=True).start()
    return ipywidgets.VBox([said, line])


def somebody_is_there() -> bool:
    """Whether a person can type: in Jupyter, which allows input, or in a terminal; not under papermill."""
    try:
        from IPython import get_ipython
    except ImportError:
        return sys.stdin.isatty()
    kernel = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False)) if kernel else sys.stdin.isatty()
