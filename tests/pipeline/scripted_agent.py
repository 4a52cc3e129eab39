"""An agent for the tests that says what it is told to: the gold turns of a demonstration, or others."""

from collections.abc import Callable, Sequence
from typing import Any

from envs.retail.database import Shop
from envs.retail.tasks import Task
from pipeline.agent import Agent, History, Told, Written
from pipeline.datasets import plannable_actions
from pipeline.demonstrations import demonstrate
from pipeline.harmony import Final, written_turns
from pipeline.harmony_pieces import SPECIAL, Vocabulary
from pipeline.plan import render_plan
from pipeline.rollouts import Rollout, play

SPECIALS = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>")
LETTERS = 100  # the id of the first character


def encode(text: str) -> tuple[int, ...]:
    """A token for each special token and for each other character."""
    ids, start = [], 0
    for match in SPECIAL.finditer(text):
        ids += [LETTERS + ord(letter) for letter in text[start : match.start()]]
        ids.append(SPECIALS.index(match[0]))
        start = match.end()
    return (*ids, *(LETTERS + ord(letter) for letter in text[start:]))


def decode(ids: Sequence[int]) -> str:
    return "".join(SPECIALS[token] if token < LETTERS else chr(token - LETTERS) for token in ids)


CHARACTERS = Vocabulary(dict(enumerate(SPECIALS)), decode)


def gold_turns(shop: Shop, task: Task, *, thoughts: bool = False) -> list[str]:
    return written_turns(demonstrate(shop, task, thoughts=thoughts).messages)


def gold_plan(task: Task) -> list[str]:
    return written_turns([Final(render_plan(plannable_actions(task)))])


class ScriptedAgent:
    """Finds the task by the customer's first words, and the turn by how many it has written already."""

    def __init__(
        self, script: dict[str, list[str]], *, tokens: bool = True, ready: Callable[[int], bool] | None = None
    ):
        self.script, self.tokens, self.ready = script, tokens, ready
        self.vocabulary = CHARACTERS if tokens else None
        self.asked: list[list[str]] = []  # the queries it was asked to answer side by side

    @classmethod
    def of(cls, turns: Callable[[Task], list[str]], tasks: Sequence[Task], **settings) -> "ScriptedAgent":
        return cls({task.query: turns(task) for task in tasks}, **settings)

    def encode(self, text: str) -> tuple[int, ...]:
        return encode(text) if self.tokens else ()

    def write(self, histories: Sequence[History]) -> list[Written | None]:
        self.asked.append([query(history) for history in histories])
        ready = [not self.ready or self.ready(place) for place in range(len(histories))]
        return [self.turn(one) if now else None for now, one in zip(ready, histories, strict=True)]

    def turn(self, history: History) -> Written:
        number = sum(isinstance(piece, Written) for piece in history.transcript)
        text = self.script[query(history)][number]
        ids = encode(text) if self.tokens else ()
        if self.tokens and history.room is not None and len(ids) > history.room:
            return Written(decode(ids[: history.room]), ids[: history.room], cut=True)
        return Written(text, ids, tokens=0 if self.tokens else len(text))


def quietly(agent: Agent, shop: Shop, tasks: Sequence[Task], **settings: Any) -> list[Rollout]:
    return play(agent, shop, tasks, progress=False, **settings)


def query(history: History) -> str:
    prompt = history.transcript[0]
    assert isinstance(prompt, Told)
    return prompt.messages[-1].text
