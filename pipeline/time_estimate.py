"""How long a stage will take, said before it starts: from the real rows' tokens and an assumed pace.

    print(warm_up_time(config, lengths, validation_lengths))        # notebook 02: its reports of row lengths
    print(refining_time(config, shop, tokenizer, held_out=100))     # notebook 03
    python -m pipeline.time_estimate --profile t4 --train-tasks 100     # both, for any profile and settings

Tokens are counted with the model's own tokenizer. The pace is an assumption that stands in the line itself:
nothing of it was measured by this project on a GPU. After a few steps the progress bar knows better. Loading,
compiling the first steps and saving are left out; early stopping may end it sooner.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from envs.retail.files import whole_file
from pipeline.config import Config, from_command_line
from pipeline.datasets import LengthReport, Row, real_vocabulary, sft_rows, token_counter
from pipeline.task_sets import rows_for, tasks_for

SAMPLE = 12  # tasks whose demonstrations stand for all


@dataclass(frozen=True)
class Pace:
    """Tokens a second, those of all rows or episodes that run side by side together."""

    trains: float  # forward, backward and update
    reads: float
    writes: float


# Assumed. For t4 and gpu80 from times in Unsloth's published gpt-oss notebooks (a T4: 30 steps of 4 rows in
# 646 s, and 465 s for a step of 2 answers; an A100: 59 s for such a step), for tiny from this project's own
# reference runs on two cores; the others are guessed around them.
ASSUMED = {
    "tiny": Pace(trains=5000, reads=15_000, writes=800),
    "t4": Pace(trains=150, reads=450, writes=4),
    "gpu24": Pace(trains=500, reads=1500, writes=40),
    "spark": Pace(trains=500, reads=1500, writes=40),
    "gpu80": Pace(trains=1500, reads=4500, writes=150),
}


@dataclass(frozen=True)
class Estimate:
    """What is to be done, in tokens, and how long that takes at a pace."""

    profile: str
    trained: int
    read: int
    written: int = 0

    @property
    def pace(self) -> Pace:
        """The pace that is assumed for the profile."""
        return ASSUMED[self.profile]

    @property
    def seconds(self) -> float:
        """The time all of it takes."""
        pace = self.pace
        return self.trained / pace.trains + self.read / pace.reads + self.written / pace.writes

    def __str__(self) -> str:
        done = (("trains", self.trained), ("reads", self.read), ("writes", self.written))
        told = (f"{name} {count:,} at {getattr(self.pace, name):,} a second" for name, count in done if count)
        return (
            f"{spoken(self.seconds)} with profile {self.profile}, if it {', '.join(told)} "
            "(tokens; the pace is assumed, not measured)"
        )


def spoken(seconds: float) -> str:
    """A time as one says it."""
    if seconds < 90:
        return "about a minute"
    return f"about {seconds / 60:.0f} minutes" if seconds < 2 * 3600 else f"about {seconds / 3600:.1f} hours"


def warm_up_time(config: Config, train: LengthReport, validation: LengthReport) -> Estimate:
    """The supervised warm-up on these rows, its validations included."""
    rows = _kept(train)
    steps = ceil(len(rows) * config.sft_epochs / (config.sft_batch_size * config.sft_accumulation))
    validations = steps // config.sft_eval_steps
    return Estimate(
        config.profile, round(sum(rows) * config.sft_epochs), validations * sum(_kept(validation))
    )


def _kept(report: LengthReport) -> list[int]:
    return [tokens for name, tokens in report.lengths.items() if name not in report.too_long]


def refining_time(config: Config, shop: Shop, tokenizer: Any, held_out: int) -> Estimate:
    """Reinforcement learning, its validations, and serving the held-out tasks before and after.

    An episode is taken to be as long as its demonstration. On a GPU each turn reads everything before it
    again; on a CPU its keys and values are kept (pipeline/kept_cache.py).
    """
    tasks = tasks_for(shop, config, "train", SAMPLE, stage="grpo")
    rows, _ = sft_rows(
        shop,
        tasks,
        mode=config.mode,
        tokenizer=tokenizer,
        max_length=config.max_seq_length,
        thoughts=config.thoughts,
        too_long="keep",
    )
    read, written, length = _an_episode(rows, tokenizer)
    read = length - written if config.profile == "tiny" else read
    steps = _steps(config)
    episodes = steps * config.grpo_batch_size * config.grpo_accumulation
    served = 2 * held_out + steps // config.grpo_eval_steps * config.validation_tasks
    played = episodes + served
    return Estimate(config.profile, round(episodes * length), round(played * read), round(played * written))


def _an_episode(rows: list[Row], tokenizer: Any) -> tuple[float, float, float]:
    """Tokens that an average episode reads and writes, and its length; `rows` has one for each turn."""
    count = token_counter(tokenizer)
    whole: dict[str, int] = {}
    read = written = 0
    for row in rows:
        own = sum(count(piece.text) for piece in row.pieces if piece.trained)
        whole[row.task_id] = count(row.text)
        read, written = read + whole[row.task_id] - own, written + own
    episodes = max(1, len(whole))
    return read / episodes, written / episodes, sum(whole.values()) / episodes


def _steps(config: Config) -> int:
    if config.grpo_max_steps > 0:
        return config.grpo_max_steps
    batch = config.grpo_batch_size * config.grpo_accumulation
    return ceil(config.grpo_epochs * config.train_tasks * config.num_generations / batch)


def both_times(config: Config, held_out: int) -> str:
    """Both estimates in gpt-oss's own vocabulary; the tiny model has another, its notebooks count in it."""
    vocabulary, shop = real_vocabulary(), Shop.load()
    if vocabulary is None:
        raise ValueError("install oss-harmony (requirements-dev.txt) to count gpt-oss's tokens")
    lengths = [rows_for(shop, config, vocabulary, split)[1] for split in ("train", "validation")]
    refining = refining_time(config, shop, vocabulary, held_out)
    return f"- warm-up: {warm_up_time(config, *lengths)}\n- refining: {refining}\n"


def put_into(page: Path, times: str) -> None:
    """Put the estimates between the marks of a page."""
    parts = _MARKED.split(page.read_text(encoding="utf-8"))
    if len(parts) != 4:
        raise ValueError(f"{page} must hold one pair of marks <!-- estimated …: begin --> and … end -->")
    before, begin, end, after = parts
    with whole_file(page) as out:
        out.write(f"{before}{begin}\n{times}{end}{after}")


_MARKED = re.compile(
    r"(<!-- estimated [^\n]*: begin -->)\n.*?(<!-- estimated [^\n]*: end -->)", flags=re.DOTALL
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print both estimates, or put them into a page of docs/."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.time_estimate", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--held-out", type=int, default=100, help="tasks served before and after (100)")
    parser.add_argument("--into", type=Path, help="a page with marks to write them between")
    options, config = from_command_line(parser, argv)
    try:
        times = both_times(config, options.held_out)
        if options.into:
            put_into(options.into, times)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(times, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
