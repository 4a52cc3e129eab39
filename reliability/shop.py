"""Hundreds of thousands of random action sequences in the shop, with its rules checked after every call.

    python -m reliability --only shop --case 123

Half of the episodes are strict about arguments, half as forgiving as tau-bench; half have a customer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from random import Random
from reprlib import Repr

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import TABLES, Database, Shop
from envs.retail.environment import RetailEnv, replay
from envs.retail.tasks import RESPOND, Action, Task
from reliability.limits import within
from reliability.minimise import smallest
from reliability.shop_actions import Agent, World
from reliability.shop_rules import LEGAL, Problem, Witness
from reliability.trial import Found, Setting, Trial, sized

MOST_STEPS = 12
WHOLE = 1_000  # every so many sequences the whole database is hashed, written out plainly

ABOUT = """
Episodes of random actions: every tool with arguments from the shop (one customer's orders, items and
payment methods) mixed with other customers' records, ids that nobody has, items of other products,
chains of swaps, missing and surplus arguments, values of other types, deeply nested ones, unknown
tools, words to the customer, and hand-overs after which the agent goes on. The shop's rules are told
anew in `reliability/shop_rules.py`, apart from the tools.

After each call: it is answered with text and nothing raises; what failed or only looked changed
nothing; a write changed its own order, its owner's gift cards or one address, and nothing else; status,
references and money are as the rules say. After each episode: the calls replayed on fresh data give the
same database, the actions taken as a task's solution are its solution, and (one in three) an episode
put away as JSON and taken up again is the same. After each piece: the shop that all episodes share is
unchanged, byte for byte.

Money is conserved but for one rule that is tau-bench's own: cancelling an order whose payment was
changed before pays every earlier entry back, refunds too. These cases are counted, and come out as that
rule says.
"""


@cache
def world() -> World:
    """The shop, loaded once."""
    return World(Shop.load())


def plain_sha256(tables: Shop | Database) -> str:
    """Hash of all records, written without anything that was prepared or remembered."""
    whole = {table: dict(getattr(tables, table)) for table in TABLES}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def actions_of(case: int, seed: int) -> tuple[list[Action], bool, bool]:
    """A case's actions, whether it is strict, and whether it has a customer."""
    rng = Random(f"{seed}/shop/{case}")
    agent = Agent(world(), rng)
    return [agent.action() for _ in range(rng.randrange(1, MOST_STEPS + 1))], bool(case & 1), bool(case & 2)


def play(actions: list[Action], strict: bool, customer: bool, found: Found) -> Problem:
    """Play an episode; what broke, "" where nothing did."""
    calls = tuple(action for action in actions if action.name != RESPOND)
    gold = calls if not strict and is_json(calls) else ()
    task = Task("t", "Please.", gold, facts={"name": "Ana Lopez", "zip": "12345"}, outputs=("ok",))
    env = RetailEnv(world().shop, task, ScriptedCustomer() if customer else None, strict=strict)
    env.reset()
    witness = Witness(env.database)
    for number, action in enumerate(actions):
        ended, step = env.done, env.step(action)
        failed = ended or env.turns[-1].failed
        if problem := witness.problem(action, step.observation, failed):
            return f"step {number}, {action.name!r:.40}: {problem}"
        if (
            not isinstance(step.observation, str)
            or step.reward not in (0.0, 1.0)
            or (ended and not step.done)
        ):
            return f"step {number}: {step!r:.200}"
        found.counts[_what(action, failed, ended)] += 1
    found.counts["cancellations after a change of payment"] += witness.money_made
    return _afterwards(env, strict, gold == calls and not env.done)


def _what(action: Action, failed: bool, ended: bool) -> str:
    if ended:
        return "calls after the end"
    if isinstance(action.name, str) and action.name in LEGAL:
        return f"{action.name}: {'refused' if failed else 'carried out'}"
    return "other steps"


def _afterwards(env: RetailEnv, strict: bool, all_played: bool) -> Problem:
    """What must hold for the episode as a whole."""
    episode, shop = env.episode, world().shop
    done = tuple(turn.action for turn in episode.calls if not (strict and turn.failed))
    again = replay(shop, done)
    if again.changes() != episode.changes:
        return "the calls replayed give another database"
    if all_played and not strict and not env.score().database_equal:
        return "the actions are not their own solution"
    env.score()
    if len(env.turns) % 3 == 0 and is_json([turn.action for turn in env.turns]):
        kept = RetailEnv(shop, env.task, ScriptedCustomer() if env.customer else None, strict=strict)
        kept.restore(json.loads(json.dumps(env.state())))
        if (kept.database.changes(), kept.ended) != (episode.changes, env.ended):
            return "put away and taken up it is another episode"
    return ""


def is_json(actions: Sequence[Action]) -> bool:
    """Whether a file could hold them: names are texts, arguments objects, and not nested without end."""
    try:
        json.dumps([action.to_json() for action in actions])
    except RecursionError:
        return False
    return all(isinstance(one.name, str) and isinstance(one.arguments, dict) for one in actions)


def run(cases: range, setting: Setting) -> Found:
    """Play each case."""
    found, before = Found(), plain_sha256(world().shop)
    for case in cases:
        actions, strict, customer = actions_of(case, setting.seed)
        if problem := attempt(actions, strict, customer, found):
            fewer = smallest(
                actions, lambda few, how=(strict, customer): bool(attempt(few, *how, Found())), 300
            )
            found.fail(case, problem, _shown(fewer, strict, customer))
        if case % WHOLE == 0 and (problem := _whole(actions)):
            found.fail(case, problem)
    if plain_sha256(world().shop) != before:
        found.fail(
            cases.start, f"the shop itself was changed by one of the cases {cases.start} to {cases.stop - 1}"
        )
    return found


def attempt(actions: list[Action], strict: bool, customer: bool, found: Found) -> Problem:
    """Play, an exception being a problem like any other."""
    try:
        with within(5):
            return play(actions, strict, customer, found)
    except Exception as error:  # whatever it is: that is what is looked for
        return f"raised {type(error).__name__}: {error}"[:200]


def _shown(actions: list[Action], strict: bool, customer: bool) -> str:
    """A few actions as a line; arguments may be nested too deep to be printed."""
    short = Repr()
    short.maxlist = short.maxdict = short.maxtuple = MOST_STEPS
    short.maxstring = 60
    return f"strict={strict} customer={customer} {short.repr([(one.name, one.arguments) for one in actions])}"


def _whole(actions: list[Action]) -> Problem:
    """The fast hash is that of the whole database, and comes again."""
    calls = tuple(action for action in actions if isinstance(action.name, str))
    database = replay(world().shop, calls)
    same = database.sha256() == plain_sha256(database) == replay(world().shop, calls).sha256()
    return "" if same else "the hash is not that of the plain JSON"


SHOP = Trial("shop", "The shop", ABOUT, run, sized(full=200_000, quick=400), piece=2_000)
