"""Endless tasks over any shop, each proven by execution: its gold actions run and lead to its `gold_final`.

    shop = Shop.load()
    for task in itertools.islice(generate(shop, seed=7, levels=(1, 2), split="train"), 100): ...

    python -m envs.retail generate --seed 7 --count 100 --levels 1,2 --split train --out tasks.jsonl
    python -m envs.retail generate --shop-seed 11 --count 100 --out tasks.jsonl   # over a shop made anew

Over the same shop, levels and split, task n depends on the seed and n only, so a task can be made again alone
(`Generator.task`). Splits are by customer, so that train, validation and test share no user and no order.
"""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from envs.retail.database import DATA, Database, Shop
from envs.retail.diff import final_state
from envs.retail.generation.families import FAMILIES, Family
from envs.retail.generation.identity import identify, identity_facts, identity_in_words
from envs.retail.generation.index import SPLITS, ShopIndex, split_of
from envs.retail.generation.requests import Case, Request, Unproven
from envs.retail.generation.wording import frame_for
from envs.retail.tasks import Action, Task, write_tasks
from envs.retail.tools import TOOLS, WRITE, call

LEVELS = (1, 2, 3, 4, 5)
ATTEMPTS = 50  # of a task whose first draft proves unfit; more than a few means a shop that cannot serve it


class Generator:
    """Makes task number n of a seed, over one shop and split."""

    def __init__(self, shop: Shop, seed: int = 0, levels: Sequence[int] = LEVELS, split: str | None = None):
        if not levels or not set(levels) <= set(LEVELS):
            raise ValueError(f"levels are among {LEVELS}, not {tuple(levels)}")
        self.shop, self.seed, self.levels, self.split = shop, seed, tuple(levels), split
        self.index = ShopIndex(shop, split)
        self._families = {level: self._possible(level) for level in set(levels)}

    def _possible(self, level: int) -> tuple[list[Family], list[int]]:
        """The families of a level this shop can serve, with their cumulated weights."""
        found = [f for f in FAMILIES[level] if f.ability is None or self.index.orders_for.get(f.ability)]
        if not found:
            raise ValueError(f"no order of this shop and split can serve level {level}; leave that level out")
        return found, list(itertools.accumulate(f.weight for f in found))

    def task(self, number: int) -> Task:
        """Task number `number`; the same whenever and in whatever order it is made."""
        level = self.levels[number % len(self.levels)]
        for attempt in range(ATTEMPTS):
            random = Random(f"{self.seed}/{number}/{attempt}")
            try:
                return self._proven(self._draft(random, number, level))
            except Unproven as error:
                reason = error
        raise ValueError(f"task {number} of seed {self.seed} cannot be made over this shop: {reason}")

    def _draft(self, random: Random, number: int, level: int) -> Task:
        case, request = self._request(random, level)
        by_email = not request.by_name and random.random() < 0.5
        hidden = level > 2 and (not request.finds or random.random() < 0.3)
        with_id = level <= 2 and any("user_id" in action.arguments for action in request.actions)
        identity = "" if hidden else identity_in_words(random, case.user, case.user_id, by_email, with_id)
        writes = any(_writes(action) for action in request.actions)
        change = writes or request.refused or request.hand_over
        query = frame_for(number, self.seed, level, change).message(identity, request.words)
        return Task(
            id=f"gen-{self.seed}-{number}",
            query=query,
            gold_actions=_distinct((identify(case.user, by_email), *request.actions)),
            customer=case.user_id,
            facts={**identity_facts(case.user, by_email), **request.facts},
            outputs=request.outputs,
            level=level,
            split=split_of(case.user_id),
            extra=_extra(request, hidden, writes),
        )

    def _request(self, random: Random, level: int) -> tuple[Case, Request]:
        families, weights = self._families[level]
        family = random.choices(families, cum_weights=weights)[0]
        order = None
        if family.ability:
            order = self.shop.orders[random.choice(self.index.orders_for[family.ability])]
        user_id = order["user_id"] if order else random.choice(self.index.user_ids)
        case = Case(self.index, random, user_id, stated=level <= 2)
        return case, family.build(case, order)

    def _proven(self, task: Task) -> Task:
        """The task with its `gold_final`, or Unproven."""
        database = self.shop.open()
        _run(database, task.gold_actions)
        final = final_state(self.shop, database)
        if not final and not task.outputs and not task.extra.get("refusal"):
            raise Unproven("nothing changes and nothing is to be told")
        said = task.query.lower().replace(",", "")
        for output in task.outputs:
            if len(output) < 4 or output.lower() in said:
                raise Unproven(f"the answer {output!r} is too short or given away")
        if task.level > 3:
            self._check_sequence(task, database)
        return replace(task, gold_final=final)

    def _check_sequence(self, task: Task, database: Database) -> None:
        """Requests about different records may be served in any order: last one first must end the same."""
        groups: dict[str, list[Action]] = {}
        for action in filter(_writes, task.gold_actions):
            groups.setdefault(action.arguments.get("order_id", ""), []).append(action)
        if len(groups) > 1:
            other = self.shop.open()
            _run(other, [action for group in reversed(groups.values()) for action in group])
            if other.changes() != database.changes():
                raise Unproven("the requests depend on each other")


def _run(database: Database, actions: Sequence[Action]) -> None:
    for action in actions:
        answer = call(database, action.name, action.arguments)
        if answer.startswith("Error"):
            raise Unproven(f"{action.name}: {answer}")


def generate(
    shop: Shop, seed: int = 0, levels: Sequence[int] = LEVELS, split: str | None = None
) -> Iterator[Task]:
    """Yield tasks without end, the levels in turn.

    Args:
        shop: The shop the customers belong to.
        seed: Another seed gives other tasks.
        levels: Which levels, among 1 (one look-up) to 5 (several orders, conditions, a refusal).
        split: "train", "validation", "test", or None for customers of all three.
    """
    generator = Generator(shop, seed, levels, split)
    return map(generator.task, itertools.count())


def _writes(action: Action) -> bool:
    return TOOLS[action.name].kind == WRITE


def _distinct(actions: Sequence[Action]) -> tuple[Action, ...]:
    """The actions without look-ups that were made before."""
    kept: dict[str, Action] = {}
    for action in actions:
        kept.setdefault(f"{action.name}{sorted(action.arguments.items())}", action)
    return tuple(kept.values())


def _extra(request: Request, hidden: bool, writes: bool) -> dict[str, Any]:
    """What kind of task it is: family, what must be found out, whether refusing is (part of) the point."""
    extra: dict[str, Any] = {"family": request.family, "source": "generated"}
    finds = (*(("identity",) if hidden else ()), *request.finds)
    if finds:
        extra["finds"] = list(dict.fromkeys(finds))
    if request.refused or request.hand_over:
        extra["refuses_part" if writes else "refusal"] = True
    return extra


# ---- command line ----


def run_generate(argv: Sequence[str] | None = None) -> int:
    """`python -m envs.retail generate`: write tasks as JSONL and say how many of which level."""
    options = _options(argv)
    try:
        shop = _shop(options)
        tasks = itertools.islice(generate(shop, options.seed, options.levels, options.split), options.count)
        if options.shop_seed is not None:
            tasks = (replace(task, extra={**task.extra, "shop_seed": options.shop_seed}) for task in tasks)
        counts: Counter[int] = Counter()
        write_tasks(options.out, _counted(tasks, counts))
    except ValueError as error:
        print(f"generate: {error}", file=sys.stderr)
        return 2
    by_level = ", ".join(f"{counts[level]} of level {level}" for level in sorted(counts))
    print(f"{options.out}: {counts.total()} tasks ({by_level}), each proven by execution")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m envs.retail generate", description="Write new tasks.")
    parser.add_argument("--out", type=Path, required=True, help="the JSONL file to write (.gz is understood)")
    parser.add_argument("--count", type=int, default=100, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other tasks")
    parser.add_argument("--levels", type=_levels, default=LEVELS, help="such as 1,2,3 (default: all five)")
    parser.add_argument("--split", choices=SPLITS, help="only customers of this split (default: all)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, default=DATA, help="folder with users, products and orders")
    source.add_argument("--shop-seed", type=int, help="make the shop itself anew from this seed")
    options = parser.parse_args(argv)
    if options.count < 0:
        parser.error(f"--count is how many tasks to write, not {options.count}")
    return options


def _levels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"levels are numbers with commas, such as 1,2,3, not {text!r}"
        ) from None


def _shop(options: argparse.Namespace) -> Shop:
    if options.shop_seed is None:
        return Shop.load(options.data)
    from envs.retail.make_shop import make_shop

    return Shop(**make_shop(options.shop_seed))


def _counted(tasks: Iterator[Task], counts: Counter[int]) -> Iterator[Task]:
    for task in tasks:
        counts[task.level] += 1
        yield task
