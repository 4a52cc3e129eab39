"""One episode while it is being played, and what is left of it when it has ended.

    running = Running(rules, task, number=0, trial=0)
    running.start()                                   # the prompt: policy, tools, the customer's first words
    while not running.done:
        running.take(*agent.write([running.history]))     # carry out a turn, append the answer
    running.rollout()

`pipeline.rollouts` does so for many at once. An exception in a tool, in the customer or on the way to a
served model ends the one episode in which it happens, as "error" and with its reason.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from envs.retail.environment import Customer, RetailEnv
from envs.retail.tasks import RESPOND, Task
from envs.world import World
from pipeline.agent import Agent, History, Told, Written
from pipeline.config import Mode
from pipeline.episode import Episode, Recorder, play_plan
from pipeline.harmony import Message, ToolResult, User, render


@dataclass(frozen=True)
class Rollout:
    """One episode with everything that was read and written in it."""

    episode: Episode
    transcript: tuple[Told | Written, ...]  # the prompt first
    number: int  # its place among all tasks and trials
    trial: int  # counts the episodes of one task
    seconds: float  # from its start to its end, with the rest of the batch running beside it
    error: str = ""  # what a tool, the customer or the endpoint died of; `episode.ended` is "error" then

    @property
    def prompt_ids(self) -> list[int]:
        """The tokens before the agent's first turn."""
        return [token for piece in self.transcript[:1] for token in piece.ids]

    @property
    def completion_ids(self) -> list[int]:
        """All tokens after the prompt: the agent's, the tools' and the customer's."""
        return [token for piece in self.transcript[1:] for token in piece.ids]

    @property
    def env_mask(self) -> list[int]:
        """1 for each completion token that the agent wrote, 0 for each that it was told."""
        return [int(isinstance(piece, Written)) for piece in self.transcript[1:] for _ in piece.ids]

    @property
    def logprobs(self) -> list[float] | None:
        """One for each completion token, 0 where it was told; None if the agent did not note them."""
        found = [_logprobs(piece) for piece in self.transcript[1:]]
        return None if None in found else [value for values in found for value in values]

    @property
    def text(self) -> str:
        """The whole conversation."""
        return "".join(piece.text for piece in self.transcript)


def _logprobs(piece: Told | Written) -> tuple[float, ...] | None:
    return piece.logprobs if isinstance(piece, Written) else (0.0,) * len(piece.ids)


def told(agent: Agent, *messages: Message, prompt: bool = True) -> Told:
    """Messages as text and tokens; after a prompt the agent writes."""
    text = render(messages, generation_prompt=prompt)
    return Told(messages, text, tuple(agent.encode(text)))


@dataclass(frozen=True)
class Rules:
    """What holds for all episodes of a call of `stream`."""

    agent: Agent
    shop: World
    mode: Mode
    customer: Callable[[], Customer] | None
    strict: bool
    max_turns: int
    max_tokens: int | None
    seed: int | str
    head: Told  # system and developer message


class Running:
    """One episode from its first words to its end; an exception in it ends this episode only."""

    def __init__(self, rules: Rules, task: Task, number: int, trial: int) -> None:
        self.rules, self.number, self.trial = rules, number, trial
        customer = rules.customer() if rules.customer and rules.mode == "agent" else None
        self.env = RetailEnv(rules.shop, task, customer, max_steps=rules.max_turns, strict=rules.strict)
        self.recorder = Recorder(self.env, rules.agent.vocabulary)
        self.history = History([], rules.max_tokens, random.Random(f"{rules.seed}/{task.id}/{trial}"))
        self.length = 0  # of all after the prompt, in tokens
        self.planned: Episode | None = None
        self.error, self.began = "", time.perf_counter()

    @property
    def done(self) -> bool:
        return self.env.done

    def start(self) -> None:
        """The customer's first words make the prompt."""
        try:
            words = told(self.rules.agent, User(self.env.reset()))
        except Exception as error:
            return self._break_off(_spelled(error))
        head = self.rules.head
        prompt = Told(head.messages + words.messages, head.text + words.text, head.ids + words.ids)
        self.history.transcript.append(prompt)

    def take(self, written: Written) -> None:
        """Carry out a turn and append the answer."""
        if written.error:
            return self._break_off(written.error)
        self._append(written)
        try:
            if self.rules.mode == "plan":
                self._follow(written)
            else:
                self._act(written)
        except Exception as error:
            self._break_off(_spelled(error))

    def _act(self, written: Written) -> None:
        if written.cut:
            self.env.end("budget")
        answer = self.recorder.take(written.ids or written.text)
        self.recorder.tokens += 0 if written.ids else written.tokens
        if not self.env.done:
            name = self.env.turns[-1].action.name
            self._tell(User(answer) if name == RESPOND else ToolResult(name, answer))

    def _tell(self, message: Message) -> None:
        """Append an answer if it leaves the agent room for a word."""
        answer = told(self.rules.agent, message)
        if self.rules.max_tokens is not None:
            self.history.room = self.rules.max_tokens - self.length - len(answer.ids)
            if self.history.room < 1:
                return self.env.end("budget")
        self._append(answer)

    def _append(self, piece: Told | Written) -> None:
        self.history.transcript.append(piece)
        self.length += len(piece.ids) or getattr(piece, "tokens", 0)

    def _follow(self, plan: Written) -> None:
        episode = play_plan(self.rules.shop, self.env.task, plan.ids or plan.text, self.recorder.vocabulary)
        ended = "budget" if plan.cut else episode.ended
        self.planned = replace(episode, ended=ended, tokens=len(plan.ids) or plan.tokens)
        self.env.end(ended)

    def _break_off(self, reason: str) -> None:
        logging.getLogger(__name__).warning("%s breaks off: %s", self.env.task.id, reason)
        known = len(self.env.turns)  # the turn that could not be carried out is not among them, and no fault
        attempts = self.recorder.attempts
        self.recorder.attempts = [one for one in attempts if one.turn is None or one.turn < known]
        self.error = reason
        self.env.end("error")

    def rollout(self) -> Rollout:
        """The finished episode."""
        recorded = self.recorder
        episode = self.planned or Episode.of(self.env, recorded.attempts, self.rules.mode, recorded.tokens)
        seconds = time.perf_counter() - self.began
        return Rollout(episode, tuple(self.history.transcript), self.number, self.trial, seconds, self.error)


def _spelled(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
