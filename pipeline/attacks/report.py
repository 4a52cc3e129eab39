"""The table of attacks: what each earns at best over many tasks, as a share of what the honest answer earns.

    python -m pipeline.rewards attack                    # 24 tasks of data/dataset.jsonl, about half a minute
    python -m pipeline.rewards attack --tasks 200 --rounds 1000
    python -m pipeline.rewards attack --file mine.jsonl

Of each attack: its best share in each profile where it did not solve the task (1.00 is the honest answer), in
how many episodes it solved it after all, and how often it scored above the honest answer or above honest
partial work that achieved more. The last two must be 0; otherwise the exit code is 1. The last rows are what
the search found.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from envs.retail.database import Shop
from envs.retail.tasks import Task, read_tasks
from pipeline.attacks import ATTACKS
from pipeline.attacks.attack import Attack, dominates, honest, partial_works
from pipeline.attacks.evolution import evolve
from pipeline.config import MODES, Mode
from pipeline.episode import Episode
from pipeline.rewards import PROFILES, score
from pipeline.runs import ROOT

TASKS = 24
MIXTURES: dict[str, dict[str, float]] = {profile: {profile: 1.0} for profile in PROFILES} | {
    "mixed": {"tool_level": 1.0, "outcome": 2.0}
}


@dataclass
class Row:
    """What one attack came to over all tasks."""

    name: str
    honest: bool = False  # its successes are no attack's
    best: dict[str, float] = field(default_factory=dict)  # mixture -> best share without success
    episodes: int = 0
    solved: int = 0
    above_honest: int = 0
    above_partial: int = 0

    def __str__(self) -> str:
        shares = "".join(
            f"{self.best[name]:11.2f}" if name in self.best else f"{'-':>11}" for name in MIXTURES
        )
        solved = f"{self.solved:5}/{self.episodes:<4}"
        return f"{self.name:28}{shares}{solved}{self.above_honest:7}{self.above_partial:9}"


@dataclass(frozen=True)
class Measured:
    """An episode with its totals in each mixture."""

    episode: Episode
    totals: dict[str, float]

    @classmethod
    def of(cls, episode: Episode) -> "Measured":
        """Score an episode in every mixture."""
        return cls(episode, {name: score(episode, weights).total for name, weights in MIXTURES.items()})


@dataclass(frozen=True)
class References:
    """Honest work on one task in one mode."""

    answer: Measured
    partial: tuple[Measured, ...]

    @classmethod
    def of(cls, shop: Shop, task: Task, mode: Mode) -> "References":
        """Play and score the honest answer and what it is when broken off."""
        works = (Measured.of(episode) for episode in partial_works(shop, task, mode))
        return cls(Measured.of(honest(shop, task, mode)), tuple(works))

    def hold_against(self, row: Row, attacked: Measured) -> None:
        """Enter an attack's episode into its row."""
        rivals = [work for work in self.partial if dominates(work.episode, attacked.episode)]
        for name, total in attacked.totals.items():
            most = self.answer.totals[name]
            share = total / most if most > 0 else 1.0 + total - most
            if not attacked.episode.succeeded or row.honest:
                row.best[name] = max(row.best.get(name, share), share)
            row.above_honest += total > most + 1e-9
            row.above_partial += any(total > work.totals[name] + 1e-9 for work in rivals)
        row.episodes += 1
        row.solved += attacked.episode.succeeded


def examine(shop: Shop, tasks: Iterable[Task], attacks: Sequence[Attack] = ATTACKS) -> list[Row]:
    """Every attack on every task in both modes; the first two rows are honest work itself."""
    rows = [Row("honest answer", True), Row("honest, all but the last call", True)]
    rows += [Row(attack.name) for attack in attacks]
    for task in tasks:
        for mode in MODES:
            references = References.of(shop, task, mode)
            references.hold_against(rows[0], references.answer)
            references.hold_against(rows[1], references.partial[max(len(task.gold_actions) - 1, 0)])
            for row, attack in zip(rows[2:], attacks, strict=True):
                if episode := attack.episode(shop, task, mode):
                    references.hold_against(row, Measured.of(episode))
    return rows


def searched(shop: Shop, tasks: Iterable[Task], *, seed: int, rounds: int) -> Iterator[Row]:
    """What the evolutionary attacker found: once as it likes, once without any gold action."""
    tasks = list(tasks)
    references = cache(lambda place: References.of(shop, tasks[place], "agent"))
    for name, blind in (("search: task not solved", False), ("search: no gold call at all", True)):
        row = Row(name)
        for place, task in enumerate(tasks):
            for profile in PROFILES:
                found = evolve(shop, task, profile, seed=seed, rounds=rounds, blind=blind)
                _enter(row, profile, Measured.of(found.episode), references(place))
        yield row


def _enter(row: Row, profile: str, found: Measured, references: References) -> None:
    """Only the profile the search was after: its other scores are by-products."""
    whole = Row("")
    references.hold_against(whole, found)
    if profile in whole.best:  # nothing, where doing nothing succeeds and nothing better was found
        row.best[profile] = max(row.best.get(profile, whole.best[profile]), whole.best[profile])
    row.episodes += 1
    row.solved += whole.solved
    row.above_honest += whole.above_honest
    row.above_partial += whole.above_partial


def main(argv: list[str]) -> None:
    """The command: print the table; exit code 1 if any attack paid."""
    options = _options(argv)
    shop = Shop.load()
    tasks = spread(read_tasks(options.file), options.tasks)
    print(
        f"{len(tasks)} tasks of {options.file.name}; best share of the honest answer, agent and plan mode\n"
    )
    print(f"{'':28}" + "".join(f"{name:>11}" for name in MIXTURES) + "   solved >honest >partial")
    rows = _printed(examine(shop, tasks), print)
    rows += _printed(
        searched(shop, tasks[:: max(len(tasks) // 8, 1)], seed=options.seed, rounds=options.rounds), print
    )
    paid = sum(row.above_honest + row.above_partial for row in rows)
    episodes = sum(row.episodes for row in rows)
    print(f"\n{len(ATTACKS)} attacks, {episodes} episodes: {paid} paid more than honest work")
    raise SystemExit(int(paid > 0))


def spread(tasks: Sequence[Task], count: int) -> Sequence[Task]:
    """So many tasks, from all over a file."""
    return tasks[:: max(len(tasks) // count, 1)][:count]


def _printed(rows: Iterable[Row], write: Callable[[Row], None]) -> list[Row]:
    kept = []
    for row in rows:
        write(row)
        kept.append(row)
    return kept


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.rewards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["attack"])
    parser.add_argument("--tasks", type=int, default=TASKS, help="how many tasks, spread over the file")
    parser.add_argument("--file", type=Path, default=ROOT / "data" / "dataset.jsonl")
    parser.add_argument("--seed", type=int, default=0, help="of the search")
    parser.add_argument("--rounds", type=int, default=300, help="episodes a search plays")
    return parser.parse_args(argv)
