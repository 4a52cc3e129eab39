"""Writes the project's own task files: always the same bytes, so they can be checked and made again.

    python -m envs.retail.make_data              # data/*.jsonl and data/README.md
    write_data("elsewhere", ["test.jsonl"])      # only some of them

`dataset.jsonl` is for training: half of each level for the warm-up (`"stage": "sft"`), half for reinforcement
(`"grpo"`), in order of difficulty. `3.5k.jsonl` is the same at length and is not kept in git.
"""

import argparse
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envs.retail.database import Shop
from envs.retail.files import whole_file
from envs.retail.generator import LEVELS, generate
from envs.retail.tasks import Task, read_tasks, write_tasks

FOLDER = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class File:
    """One task file: its seed, its split, how many tasks, and what it is for."""

    name: str
    seed: int
    split: str
    count: int
    purpose: str


FILES = (
    File("dataset.jsonl", 1, "train", 800, 'training: `stage` says `"sft"` (400) or `"grpo"` (400)'),
    File("3.5k.jsonl", 4, "train", 3500, "training at length; made by `make data`, not in git"),
    File("validation.jsonl", 2, "validation", 100, "early stopping and choices"),
    File("test.jsonl", 3, "test", 200, "the numbers that are reported"),
)


def make_tasks(shop: Shop, file: File) -> list[Task]:
    """The tasks of one file, easiest first; in training files half of each level is for the warm-up."""
    tasks = list(itertools.islice(generate(shop, file.seed, split=file.split), file.count))
    if file.split == "train":
        stages = ("sft", "grpo")
        # the levels come in turn, so whole rounds of levels alternate
        tasks = [
            replace(task, extra={**task.extra, "stage": stages[place // len(LEVELS) % 2]})
            for place, task in enumerate(tasks)
        ]
    return sorted(tasks, key=lambda task: task.level)


def write_data(folder: str | Path = FOLDER, names: Sequence[str] = ()) -> dict[str, str]:
    """Write the named files (all, if none is named) and return their sha256; with all comes the README."""
    shop, sums = Shop.load(), {}
    for file in FILES:
        if not names or file.name in names:
            path = Path(folder) / file.name
            write_tasks(path, make_tasks(shop, file))
            sums[file.name] = sha256(path)
    if not names:
        with whole_file(Path(folder) / "README.md") as out:
            out.write(readme(folder, sums))
    return sums


def sha256(path: str | Path) -> str:
    """Checksum of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


# ---- the README ----

INTRODUCTION = """# Tasks

All tasks here are generated from the shop in `envs/retail/data` by `python -m envs.retail.make_data`; no
line was written or chosen by hand. Each one is proven by execution: the gold actions run without an error and
lead to `gold_final`, doing nothing earns nothing (but for a few refusals, marked `"refusal": true`), and
every argument is in the query, in what the customer can tell (`facts`) or in an earlier answer of a tool.
`python -m envs.retail validate FILE` checks all this again.

Splits are by customer (hash of the user id: 80 in 100 train, 10 validation, 10 test), so no two splits share
a customer or an order.

A task is a line `{"id", "query", "gold_actions": [{"name", "arguments"}], "gold_final", "customer", "facts",
"outputs", "level", "split", "family", "source", ...}`. `outputs` must have been told to the customer; `finds`
lists what has to be found out or asked for; `refuses_part` marks tasks of which one part must be refused or
handed over to a person.

| level | |
| --- | --- |
| 1 | one look-up; everything is in the query |
| 2 | one change; everything is in the query, ids and confirmation included |
| 3 | one request in which something is found out, asked for or worked out; or one that must be refused |
| 4 | two or three requests, or a condition |
| 5 | several orders, a condition, and something that must be refused or handed over |

Files are in order of level, easiest first. More of them: `python -m envs.retail generate --seed 5 --out ...`.
Another shop altogether, to see whether a model learned the work or this shop's contents: `--shop-seed N`.
"""


def readme(folder: str | Path, sums: dict[str, str]) -> str:
    """What the files hold, counted from the files themselves."""
    tasks = {file.name: read_tasks(Path(folder) / file.name) for file in FILES}
    files = [
        f"| `{file.name}` | {file.count} | {file.split} | {file.seed} | {_customers(tasks[file.name])} "
        f"| {file.purpose} |"
        for file in FILES
    ]
    everything = [task for file in FILES for task in tasks[file.name]]
    return "\n".join(
        [
            INTRODUCTION,
            "## Files\n",
            "| file | tasks | split | seed | customers | for |",
            "| --- | ---: | --- | ---: | ---: | --- |",
            *files,
            "\n## Kinds of requests, by level\n",
            "A task of levels 4 and 5 counts once for each of its requests. All four files together.\n",
            *_family_table(everything),
            "\n## Calls in the gold actions\n",
            *_call_table(tasks),
            "\n## Checksums (sha256)\n",
            "```",
            *(f"{sums[file.name]}  {file.name}" for file in FILES),
            "```\n",
        ]
    )


def _customers(tasks: Iterable[Task]) -> int:
    return len({task.customer for task in tasks})


def _family_table(tasks: Iterable[Task]) -> list[str]:
    counts: Counter[tuple[str, int]] = Counter()
    for task in tasks:
        counts.update((family, task.level) for family in task.extra["family"].split(" + "))
    rows = [
        f"| {family} | {' | '.join(str(counts[family, level] or '') for level in LEVELS)} |"
        for family in sorted({family for family, _ in counts})
    ]
    return ["| request | 1 | 2 | 3 | 4 | 5 |", "| --- | ---: | ---: | ---: | ---: | ---: |", *rows]


def _call_table(tasks: dict[str, list[Task]]) -> list[str]:
    counts = {
        name: Counter(a.name for task in some for a in task.gold_actions) for name, some in tasks.items()
    }
    tools = sorted(set().union(*counts.values()))
    rows = [f"| {tool} | {' | '.join(str(counts[name][tool]) for name in counts)} |" for tool in tools]
    head = f"| tool | {' | '.join(f'`{name}`' for name in counts)} |"
    return [
        head,
        f"| --- |{' ---: |' * len(counts)}",
        *rows,
        "\n`think` is in no gold list: it looks up and changes nothing, so no task can need it.",
    ]


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(
        description="Write the project's own task files (always the same bytes)."
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder (default: data/)")
    folder = parser.parse_args().out
    for name, checksum in write_data(folder).items():
        print(f"{checksum}  {folder / name}")


if __name__ == "__main__":
    main()
