"""What is measured as work grows: everything that handles many tasks, long conversations, or many episodes.

    from benchmarks.growing import CURVES

Tasks are generated and so all different. Episodes are demonstrations, some broken off, written as records.
Tokens are counted by spaces where rows are made: a tokenizer's own time is the tokenizer's. Conversations
with more and more turns are made in `benchmarks.growing_turns`.
"""

import tempfile
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks.generator import making
from benchmarks.growing_turns import TURNS, long_episode, long_rollout, shared_shop
from benchmarks.growth import Growing, Work
from benchmarks.report import make_run
from envs.retail.database import Shop
from envs.retail.files import json_line
from envs.retail.generator import Generator, generate
from envs.retail.tasks import Task, iter_tasks, read_tasks, write_tasks
from envs.retail.validate import doctor
from pipeline.datasets import grpo_prompts, sft_rows
from pipeline.episode_records import to_record
from pipeline.evaluate import evaluation_files, rescore
from pipeline.metrics import Played, compare, measured, summary
from pipeline.page.episodes import choose
from pipeline.page.numbers import read_stages
from pipeline.report_page import write_report

SPLITS = ("train", "validation", "test")


@cache
def _folder() -> tempfile.TemporaryDirectory:
    """Where files of this process lie until it ends."""
    return tempfile.TemporaryDirectory(prefix="growth-")


@cache
def _tasks(count: int) -> list[Task]:
    return list(islice(generate(shared_shop(), seed=31), count))


@cache
def _task_file(count: int) -> Path:
    path = Path(_folder().name) / f"{count}.jsonl"
    write_tasks(path, _tasks(count))
    return path


# --- tasks


def _generating(count: int) -> Work:
    prepare = making(Generator(shared_shop(), seed=77), count)
    return lambda: prepare()()


def _reading(count: int) -> Work:
    path = _task_file(count)
    return lambda: read_tasks(path)


def _writing(count: int) -> Work:
    path = Path(_folder().name) / "written.jsonl"
    return lambda: write_tasks(path, _tasks(count))


def _validating(count: int) -> Work:
    path = _task_file(count)
    return lambda: doctor(shared_shop(), iter_tasks(path))


def _splitting(count: int) -> Work:
    """Tasks of each split, as they are asked for: customers are told apart, nothing is drawn twice."""

    def work() -> None:
        for split in SPLITS:
            list(islice(generate(shared_shop(), seed=5, split=split), count // len(SPLITS) + 1))

    return work


def _words(text: str, add_special_tokens: bool = False) -> dict[str, list[str]]:
    return {"input_ids": text.split()}


def _sft(rows: str) -> Callable[[int], Work]:
    def prepare(count: int) -> Work:
        tasks = _tasks(count)
        return lambda: sft_rows(shared_shop(), tasks, tokenizer=_words, max_length=10**6, rows=rows)

    return prepare


def _prompting(count: int) -> Work:
    tasks = _tasks(count)
    return lambda: grpo_prompts(tasks)


@cache
def _played(count: int) -> list[Played]:
    """Made-up outcomes of `count` tasks, two trials each: their numbers matter, not what happened."""
    chance = Random(0)
    episode = long_episode(3)
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


# --- episodes


@cache
def _run(episodes: int) -> Path:
    run = Path(_folder().name) / f"run-{episodes}"
    make_run(run, shared_shop(), episodes, trials=1)
    return run


def _record_writing(episodes: int) -> Work:
    """Records of very short episodes."""
    rollout, out = long_rollout(4), Path(_folder().name) / "records.jsonl"

    def work() -> None:
        with out.open("w", encoding="utf-8") as file:
            for _ in range(episodes):
                file.write(json_line(to_record(rollout, shared_shop(), "sft")))

    return work


def _record_reading(episodes: int) -> Work:
    folder = _run(episodes) / "evaluation"
    return lambda: rescore(evaluation_files(folder, "sft"), Shop.load())


def _reporting(episodes: int) -> Work:
    run = _run(episodes)
    return lambda: write_report(run, shared_shop())


def _choosing(episodes: int) -> Work:
    """The episodes that a page shows: never more than fit into its 2.9 MB."""
    stages = read_stages(_run(episodes) / "evaluation", shared_shop())
    return lambda: choose(stages, shared_shop(), 2_000_000)


CURVES = (
    Growing("reading a task file", "tasks", _reading),
    Growing("writing a task file", "tasks", _writing),
    Growing("validating", "tasks", _validating),
    Growing("generating", "tasks", _generating),
    Growing("splitting by customer", "tasks", _splitting),
    Growing("SFT rows, one a step", "tasks", _sft("step")),
    Growing("SFT rows, one an episode", "tasks", _sft("episode")),
    Growing("GRPO prompts", "tasks", _prompting),
    Growing("metrics and intervals", "tasks", _summing),
    Growing("comparing two models", "tasks", _comparing),
    *TURNS,
    Growing("writing records", "episodes", _record_writing),
    Growing("reading and carrying out anew", "episodes", _record_reading),
    Growing("choosing what a page shows", "episodes", _choosing),
    Growing("the whole report page", "episodes", _reporting),
)
