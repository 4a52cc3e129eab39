"""Long conversations: what one episode costs as its turns become more.

    from benchmarks.growing_turns import TURNS, long_episode

As many turns as asked for, each a thought, a look-up of another order and its answer, and a last word.
"""

import json
from functools import cache
from itertools import islice
from typing import Any

from benchmarks.growth import Growing, Work
from envs.retail.database import Shop
from envs.retail.files import json_line
from envs.retail.tasks import Action, Task
from pipeline.agent import Told, Written
from pipeline.episode import Episode, play_turns
from pipeline.episode_records import to_record
from pipeline.harmony import Analysis, Call, Final, Message, ToolResult, User, render, written_turns
from pipeline.harmony_parse import parse_transcript
from pipeline.rewards import score
from pipeline.rollouts import play
from pipeline.running import Rollout


@cache
def shared_shop() -> Shop:
    """The project's own, loaded once."""
    return Shop.load()


@cache
def _long_task(turns: int) -> tuple[Task, tuple[Message, ...]]:
    """A task whose gold actions look up as many orders, and the conversation that does so."""
    orders = list(islice(shared_shop().orders, turns - 1))
    actions = tuple(Action("get_order_details", {"order_id": order}) for order in orders)
    messages: list[Message] = [User("Please look at all of these orders.")]
    for order in orders:
        answer = json.dumps(shared_shop().orders[order])
        messages += [Analysis("I need the next order."), Call("get_order_details", {"order_id": order})]
        messages.append(ToolResult("get_order_details", answer))
    messages += [Analysis("That was all."), Final("I have looked at all of them.")]
    return Task(f"long/{turns}", messages[0].text, actions), tuple(messages)


@cache
def _long_turns(turns: int) -> list[str]:
    return written_turns(_long_task(turns)[1])


def long_episode(turns: int) -> Episode:
    return play_turns(shared_shop(), _long_task(turns)[0], _long_turns(turns), max_steps=turns + 1)


def long_rollout(turns: int) -> Rollout:
    """An episode with its transcript in token ids."""
    pieces: list[Told | Written] = []
    for number, turn in enumerate(_long_turns(turns)):
        ids = tuple(range(len(turn) // 4))
        pieces += [Told((), "", tuple(range(200))), Written(turn, ids, (0.0,) * len(ids), number)]
    return Rollout(long_episode(turns), tuple(pieces), 0, 0, 1.0)


def _parsing(turns: int) -> Work:
    text = render(_long_task(turns)[1][1:]).removeprefix("<|start|>assistant")

    def work() -> None:
        assert parse_transcript(text, ["get_order_details"])[-1].ok

    return work


def _rendering(turns: int) -> Work:
    return lambda: render(_long_task(turns)[1])


def _stepping(turns: int) -> Work:
    return lambda: long_episode(turns)


def _masking(turns: int) -> Work:
    rollout = long_rollout(turns)
    return lambda: (rollout.completion_ids, rollout.env_mask, rollout.logprobs)


def _scoring(turns: int) -> Work:
    episode = long_episode(turns)
    profiles = dict.fromkeys(("tool_level", "outcome", "shaped", "toolrl"), 1.0)

    def work() -> None:
        vars(episode).pop("matching", None)  # remembered otherwise
        score(episode, profiles)

    return work


def _recording(turns: int) -> Work:
    rollout = long_rollout(turns)
    return lambda: json_line(to_record(rollout, shared_shop(), "sft"))


class _Script:
    """An agent that writes a long conversation's turns one after the other."""

    vocabulary = None

    def __init__(self, turns: list[str]) -> None:
        self.turns, self.number = turns, 0

    def encode(self, text: str) -> tuple[int, ...]:
        return ()

    def write(self, histories: Any) -> list[Written]:
        self.number += 1
        return [Written(self.turns[self.number - 1]) for _ in histories]


def _playing(turns: int) -> Work:
    task, script = _long_task(turns)[0], _long_turns(turns)
    rules = {"customer": None, "max_turns": turns + 1, "max_tokens": 10**9, "progress": False}
    return lambda: play(_Script(script), shared_shop(), [task], **rules)


TURNS = (
    Growing("strict parser", "turns", _parsing),
    Growing("rendering", "turns", _rendering),
    Growing("episode in the shop", "turns", _stepping),
    Growing("rollout loop", "turns", _playing),
    Growing("masks and log-probabilities", "turns", _masking),
    Growing("matching and all rewards", "turns", _scoring),
    Growing("one record", "turns", _recording),
)
