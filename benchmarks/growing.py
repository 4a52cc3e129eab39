"""What is measured as work grows: everything that handles many tasks, long conversations, or many episodes.

    from benchmarks.growing import CURVES

Tasks are generated and so all different. A long conversation has as many turns as asked for, each a thought, a
look-up of another order and its answer. Episodes are demonstrations, some broken off, written as records.
Tokens are counted by spaces where rows are made: a tokenizer's own time is the tokenizer's.
"""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.growth import Growing, Work
from benchmarks.report import make_run
from envs.retail.database import Shop
from envs.retail.files import json_line
from envs.retail.generator import Generator, generate
from envs.retail.tasks import Action, Task, iter_tasks, read_tasks, write_tasks
from envs.retail.validate import doctor
from pipeline.agent import Told, Written
from pipeline.datasets import grpo_prompts, sft_rows
from pipeline.episode import Episode, play_turns
from pipeline.episode_records import to_record
from pipeline.evaluate import evaluation_files, rescore
from pipeline.harmony import (
    Analysis,
    Call,
    Final,
    Message,
    ToolResult,
    User,
    render,
    written_turns,
)
from pipeline.harmony_parse import parse_transcript
from pipeline.metrics import Played, compare, measured, summary
from pipeline.page.episodes import choose
from pipeline.page.numbers import read_stages
from pipeline.report_page import write_report
from pipeline.rewards import score
from pipeline.rollouts import play
from pipeline.running import Rollout

SPLITS = ("train", "validation", "test")


@cache
def _shop() -> Shop:
    return Shop.load()


@cache
def _folder() -> tempfile.TemporaryDirectory:
    """Where files of this process lie until it ends."""
    return tempfile.TemporaryDirectory(prefix="growth-")


@cache
def _tasks(count: int) -> list[Task]:
    return list(islice(generate(_shop(), seed=31), count))


@cache
def _task_file(count: int) -> Path:
    path = Path(_folder().name) / f"{count}.jsonl"
    write_tasks(path, _tasks(count))
    return path


# --- tasks


def _generating(count: int) -> Work:
    generator, start = Generator(_shop(), seed=77), iter(range(0, 10**9, count))

    def work() -> None:
        first = next(start)
        for number in range(first, first + count):
            generator.task(number)

    return work


def _reading(count: int) -> Work:
    path = _task_file(count)
    return lambda: read_tasks(path)


def _writing(count: int) -> Work:
    path = Path(_folder().name) / "written.jsonl"
    return lambda: write_tasks(path, _tasks(count))


def _validating(count: int) -> Work:
    path = _task_file(count)
    return lambda: doctor(_shop(), iter_tasks(path))


def _splitting(count: int) -> Work:
    """Tasks of each split, as they are asked for: customers are told apart, nothing is drawn twice."""

    def work() -> None:
        for split in SPLITS:
            list(islice(generate(_shop(), seed=5, split=split), count // len(SPLITS) + 1))

    return work


def _words(text: str, add_special_tokens: bool = False) -> dict[str, list[str]]:
    return {"input_ids": text.split()}


def _sft(rows: str) -> Callable[[int], Work]:
    def prepare(count: int) -> Work:
        tasks = _tasks(count)
        return lambda: sft_rows(_shop(), tasks, tokenizer=_words, max_length=10**6, rows=rows)

    return prepare


def _prompting(count: int) -> Work:
    tasks = _tasks(count)
    return lambda: grpo_prompts(tasks)


@cache
def _played(count: int) -> list[Played]:
    """Made-up outcomes of `count` tasks, two trials each: their numbers matter, not what happened."""
    chance = Random(0)
    episode = _long_episode(3)
    base = measured(episode, 0, 1.0)
    found = []
    for number in range(count):
        for trial in range(2):
            failure = None if chance.random() < 0.5 else "gave_up"
            ratios = base.ratios | {"task_success_rate": (float(failure is None), 1.0)}
            found.append(Played(f"task/{number}", trial, number % 5 + 1, "family", ratios, failure))
    return found


def _summing(count: int) -> Work:
    played = _played(count)
    return lambda: summary(played)


def _comparing(count: int) -> Work:
    played = _played(count)
    return lambda: compare(played, played)


# --- turns


@cache
def _long_task(turns: int) -> tuple[Task, tuple[Message, ...]]:
    """A task whose gold actions look up as many orders, and the conversation that does so."""
    orders = list(islice(_shop().orders, turns - 1))
    actions = tuple(Action("get_order_details", {"order_id": order}) for order in orders)
    messages: list[Message] = [User("Please look at all of these orders.")]
    for order in orders:
        answer = json.dumps(_shop().orders[order])
        messages += [Analysis("I need the next order."), Call("get_order_details", {"order_id": order})]
        messages.append(ToolResult("get_order_details", answer))
    messages += [Analysis("That was all."), Final("I have looked at all of them.")]
    return Task(f"long/{turns}", messages[0].text, actions), tuple(messages)


@cache
def _long_turns(turns: int) -> list[str]:
    return written_turns(_long_task(turns)[1])


def _long_episode(turns: int) -> Episode:
    return play_turns(_shop(), _long_task(turns)[0], _long_turns(turns), max_steps=turns + 1)


def _long_rollout(turns: int) -> Rollout:
    """An episode with its transcript in token ids."""
    pieces: list[Told | Written] = []
    for number, turn in enumerate(_long_turns(turns)):
        ids = tuple(range(len(turn) // 4))
        pieces += [Told((), "", tuple(range(200))), Written(turn, ids, (0.0,) * len(ids), number)]
    return Rollout(_long_episode(turns), tuple(pieces), 0, 0, 1.0)


def _parsing(turns: int) -> Work:
    text = render(_long_task(turns)[1][1:]).removeprefix("<|start|>assistant")

    def work() -> None:
        assert parse_transcript(text, ["get_order_details"])[-1].ok

    return work


def _rendering(turns: int) -> Work:
    return lambda: render(_long_task(turns)[1])


def _stepping(turns: int) -> Work:
    return lambda: _long_episode(turns)


def _masking(turns: int) -> Work:
    rollout = _long_rollout(turns)
    return lambda: (rollout.completion_ids, rollout.env_mask, rollout.logprobs)


def _scoring(turns: int) -> Work:
    episode = _long_episode(turns)
    profiles = dict.fromkeys(("tool_level", "outcome", "shaped", "toolrl"), 1.0)

    def work() -> None:
        vars(episode).pop("matching", None)  # remembered otherwise
        score(episode, profiles)

    return work


def _recording(turns: int) -> Work:
    rollout = _long_rollout(turns)
    return lambda: json_line(to_record(rollout, _shop(), "sft"))


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
    return lambda: play(_Script(script), _shop(), [task], **rules)


# --- episodes


@cache
def _run(episodes: int) -> Path:
    run = Path(_folder().name) / f"run-{episodes}"
    make_run(run, _shop(), episodes, trials=1)
    return run


def _record_writing(episodes: int) -> Work:
    """Records of very short episodes."""
    rollout, out = _long_rollout(4), Path(_folder().name) / "records.jsonl"

    def work() -> None:
        with out.open("w", encoding="utf-8") as file:
            for _ in range(episodes):
                file.write(json_line(to_record(rollout, _shop(), "sft")))

    return work


def _record_reading(episodes: int) -> Work:
    folder = _run(episodes) / "evaluation"
    return lambda: rescore(evaluation_files(folder, "sft"), Shop.load())


def _reporting(episodes: int) -> Work:
    run = _run(episodes)
    return lambda: write_report(run, _shop())


def _choosing(episodes: int) -> Work:
    """The episodes that a page shows: never more than fit into its 2.9 MB."""
    stages = read_stages(_run(episodes) / "evaluation", _shop())
    return lambda: choose(stages, _shop(), 2_000_000)


CURVES = (
    Growing("reading a task file", "tasks", _reading),
    Growing("writing a task file", "tasks", _writing),
    Growing("validating", "tasks", _validating),
    Growing("generating", "tasks", _generating),
    Growing("splitting by customer", "tasks", _splitting),
    Growing("SFT rows, one a step", "tasks", _sft("step"), most=3_000),
    Growing("SFT rows, one an episode", "tasks", _sft("episode"), most=3_000),
    Growing("GRPO prompts", "tasks", _prompting),
    Growing("metrics and intervals", "tasks", _summing),
    Growing("comparing two models", "tasks", _comparing),
    Growing("strict parser", "turns", _parsing),
    Growing("rendering", "turns", _rendering),
    Growing("episode in the shop", "turns", _stepping),
    Growing("rollout loop", "turns", _playing),
    Growing("masks and log-probabilities", "turns", _masking),
    Growing("matching and all rewards", "turns", _scoring),
    Growing("one record", "turns", _recording),
    Growing("writing records", "episodes", _record_writing),
    Growing("reading and carrying out anew", "episodes", _record_reading),
    Growing("choosing what a page shows", "episodes", _choosing),
    Growing("the whole report page", "episodes", _reporting),
)
