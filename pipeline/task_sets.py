"""Which tasks a run trains on, validates with and is tested on.

    tasks = tasks_for(shop, config, "train")                 # of the config's levels, as many as it says
    rows, lengths = rows_for(shop, config, tokenizer, "train")

The project's own files in `data/` come first; where they hold fewer tasks of these levels than the config
asks for, the generator goes on, with customers of the same split: no split ever meets another's customers.
Training tasks are for one stage, `sft` or `grpo`, so that reinforcement learning has something new to do.
"""

from __future__ import annotations

from itertools import islice, zip_longest
from typing import Any

from envs.retail.database import Shop
from envs.retail.generator import generate
from envs.retail.importers import run_import
from envs.retail.tasks import Task, iter_tasks, read_tasks, write_tasks
from pipeline.config import Config
from pipeline.datasets import LengthReport, Row, sft_rows
from pipeline.runs import ROOT

__all__ = ["read_tasks", "rows_for", "run_import", "tasks_for", "write_tasks"]

FILES = {"train": "dataset.jsonl", "validation": "validation.jsonl", "test": "test.jsonl"}
TOP_UP_SEEDS = {"sft": 20_251, "grpo": 20_252}  # of tasks beyond those in the files, which have others


def tasks_for(
    shop: Shop, config: Config, split: str, count: int | None = None, stage: str = "sft"
) -> list[Task]:
    """The first tasks of a split (and, in training, of a stage), as many of each of the config's levels."""
    count = getattr(config, f"{split}_tasks") if count is None else count
    by_level: dict[int, list[Task]] = {level: [] for level in config.levels}
    for task in iter_tasks(ROOT / "data" / FILES[split]):
        if task.level in by_level and task.extra.get("stage", stage) == stage:
            by_level[task.level].append(task)
    turns = zip_longest(*by_level.values())  # the files hold level after level
    tasks = [task for turn in turns for task in turn if task is not None][:count]
    if len(tasks) < count:
        more = generate(shop, seed=TOP_UP_SEEDS[stage], levels=config.levels, split=split)
        tasks += islice(more, count - len(tasks))
    return tasks


def rows_for(shop: Shop, config: Config, tokenizer: Any, split: str) -> tuple[list[Row], LengthReport]:
    """The training rows of a split, in the style the config asks for."""
    return sft_rows(
        shop,
        tasks_for(shop, config, split),
        mode=config.mode,
        tokenizer=tokenizer,
        max_length=config.max_seq_length,
        effort=config.effort,
        date=config.date,
        rows=config.rows,
        thoughts=config.thoughts,
        tells=config.tells_answers,
    )
