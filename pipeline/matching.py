"""Which call did which gold action, and what is wrong with the calls that did none: what all rewards count.

One-to-one: a gold action is done by one call at most, and a call does one gold action at most.

    matching = episode.matching
    matching.right        # {gold action: call}, by place: done, with the right arguments
    matching.excused      # gold look-ups that a success proved unnecessary
    matching.named        # (gold action, call): the one action only its name counts for, or None
    matching.incorrect    # (Mistake(call, why), …)

Right is the same tool with the same arguments (item lists in any order, pairs kept; free text is free) that
failed only if the gold call fails; or, for a look-up, another one that brought the very same answer.
Named, once an episode, is the right tool harmlessly called with other arguments (or not at all, call None, by
an episode that succeeded without it). A look-up that did no gold action is free up to `READ_ALLOWANCE` beyond
the gold's number of look-ups, unless it opened somebody else's records. `pipeline/rewards.md` has every rule
with examples.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envs.domain import READ, TERMINATE, WRITE, Domain
from envs.retail.domain import RETAIL
from envs.retail.environment import Turn
from envs.retail.tasks import Action
from envs.world import canonical
from pipeline.strict import check_arguments

if TYPE_CHECKING:
    from pipeline.episode import Episode

ANOTHERS = "somebody else's record"
READ_ALLOWANCE = 3  # look-ups beyond the gold's number that cost nothing


@dataclass(frozen=True)
class Mistake:
    """A call that counts as an incorrect action; `call` is None for what could not be read."""

    call: int | None
    why: str


@dataclass(frozen=True)
class Matching:
    """What became of the gold actions, and of the calls."""

    right: dict[int, int]
    excused: frozenset[int]
    named: tuple[int, int | None] | None
    incorrect: tuple[Mistake, ...]
    missing_arguments: int
    wrong_writes: int
    in_sequence: bool  # what was done right was done in an order that the gold allows
    complete: bool  # every gold action was done right or excused

    @property
    def done(self) -> int:
        """How many gold actions count as done right."""
        return len(self.right) + len(self.excused)


def match(episode: Episode) -> Matching:
    """Match an episode's calls with the gold actions."""
    domain, calls, gold = episode.domain, episode.calls, episode.gold_turns
    right = _right(domain, calls, gold)
    excused = _excused(episode, right)
    used = set(right.values())
    wrong = {
        place: why for place, turn in enumerate(calls) if place not in used and (why := _fault(episode, turn))
    }
    wrong_writes = sum(_kind(domain, calls[place]) == WRITE and not calls[place].failed for place in wrong)
    open_gold = [place for place in range(len(gold)) if place not in right and place not in excused]
    named = None if wrong_writes or not open_gold else _named(episode, used, wrong, open_gold)
    if named is None and open_gold and episode.accomplished and not wrong_writes:
        named = (open_gold[0], None)
    if named:
        wrong.pop(named[1], None)
    taken = {*used, *wrong, *(named or ())[1:]}
    free = [place for place in range(len(calls)) if place not in taken]
    wrong |= dict.fromkeys(_beyond_allowance(episode, free), "a look-up beyond the allowance")
    unread = (Mistake(None, f"{attempt.verdict}: {attempt.reason}") for attempt in episode.unread)
    return Matching(
        right=right,
        excused=excused,
        named=named,
        incorrect=(*(Mistake(place, why) for place, why in sorted(wrong.items())), *unread),
        missing_arguments=sum(_missing(domain, turn.action) for turn in calls),
        wrong_writes=wrong_writes,
        in_sequence=_in_sequence(domain, gold, right),
        complete=not open_gold,
    )


def _right(domain: Domain, calls: tuple[Turn, ...], gold: tuple[Turn, ...]) -> dict[int, int]:
    """Gold action -> call: first what is the same call, then look-ups that brought the same answer."""
    right: dict[int, int] = {}
    tried = {(turn.action.name, turn.failed) for turn in gold}
    for key in (_call_key, _answer_key):
        used = set(right.values())
        places: dict[Any, list[int]] = {}  # by what makes two of them the same, the last call first
        for at in reversed(range(len(calls))):
            if at not in used and (found := key(domain, calls[at], tried)) is not None:
                places.setdefault(found, []).append(at)
        for place, wanted in enumerate(gold):
            if place in right or (found := key(domain, wanted, tried)) is None:
                continue
            same = places.get(found, [])
            while same and key is _answer_key and _is_repeat(calls, same[-1]):
                same.pop()
            if same:
                right[place] = same.pop()
    return right


def _call_key(domain: Domain, turn: Turn, tried: Collection[tuple[str, bool]]) -> tuple[Any, ...] | None:
    """What two turns have in common if they are the same call; None for what no gold action could be."""
    what = (turn.action.name, turn.failed)
    return (what, _comparable(domain, turn.action)) if what in tried else None


def _answer_key(domain: Domain, turn: Turn, tried: Collection[tuple[str, bool]]) -> str | None:
    """What two look-ups have in common if they brought the same answer."""
    return turn.observation or None if _kind(domain, turn) == READ and not turn.failed else None


def _comparable(domain: Domain, action: Action) -> str:
    """A call's arguments as text in which only differences that matter are left."""
    arguments: dict[str, Any] = dict(action.arguments)
    for name, value in arguments.items():
        if (action.name, name) in domain.free_text:
            arguments[name] = isinstance(value, str) and bool(value.strip())
    old, new = arguments.get("item_ids"), arguments.get("new_item_ids")
    if _texts(old) and _texts(new) and len(old) == len(new):
        pairs = sorted(zip(old, new, strict=True))
        arguments |= {"item_ids": [pair[0] for pair in pairs], "new_item_ids": [pair[1] for pair in pairs]}
    elif _texts(old) and new is None:
        arguments["item_ids"] = sorted(old)
    return canonical(arguments)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(element, str) for element in value)


def _kind(domain: Domain, turn: Turn) -> str | None:
    return domain.kind(turn.action.name)


def _is_repeat(calls: tuple[Turn, ...], at: int) -> bool:
    return any(earlier.action == calls[at].action for earlier in calls[:at])


def _missing(domain: Domain, action: Action) -> int:
    """How many required arguments a call lacks; all of a tool's arguments are required."""
    tool = domain.tools.get(action.name)
    return sum(name not in action.arguments for name in tool.kinds) if tool else 0


def _fault(episode: Episode, turn: Turn) -> str:
    """Why a call that did no gold action is an incorrect one; "" for a look-up that is allowed in itself."""
    kind = _kind(episode.domain, turn)
    if kind is None:
        return "no such tool"
    if kind == WRITE:
        return "a write the shop refused" if turn.failed else "a write the task does not ask for"
    if kind == TERMINATE:
        return "a hand-over the task does not ask for"
    if check_arguments(episode.domain.schemas[turn.action.name], turn.action.arguments):
        return "arguments that do not fit the tool"
    return ANOTHERS if episode.domain.opens_anothers(episode, turn) else ""


def _named(
    episode: Episode, used: set[int], wrong: dict[int, str], open_gold: list[int]
) -> tuple[int, int] | None:
    """The first call of an undone gold action's tool that did no harm: one guess an episode, not repeated."""
    domain, calls, gold = episode.domain, episode.calls, episode.gold_turns
    for place in open_gold:
        for at, turn in enumerate(calls):
            harmless = wrong.get(at) != ANOTHERS and (turn.failed or _kind(domain, turn) == READ)
            candidate = at not in used and harmless and turn.action.name == gold[place].action.name
            if candidate and not _is_repeat(calls, at):
                return place, at
    return None


def _beyond_allowance(episode: Episode, free: list[int]) -> list[int]:
    """The last of the free look-ups, as many as exceed the gold's number by more than the allowance."""
    domain, calls = episode.domain, episode.calls
    made = sum(_kind(domain, turn) == READ for turn in calls)
    excess = made - sum(_kind(domain, turn) == READ for turn in episode.gold_turns) - READ_ALLOWANCE
    look_ups = [place for place in free if _kind(domain, calls[place]) == READ]
    return look_ups[-excess:] if excess > 0 else []


def _excused(episode: Episode, right: dict[int, int]) -> frozenset[int]:
    """Gold look-ups not made, where the episode succeeded without: there are several ways to find something.

    Not excused: finding out who the customer is; looking at an order that the customer named or that the gold
    changes; anything where doing nothing would succeed, or where nobody had shown an answer before.
    """
    domain = episode.domain
    subject = domain.records[0] if domain.records else ""  # in the shop: the order
    looked_up, written = [], []
    for place, turn in enumerate(episode.gold_turns):
        kind, record = _kind(domain, turn), turn.action.arguments.get(subject)
        if kind == WRITE:
            written.append(record)
        elif kind == READ and place not in right and turn.action.name not in domain.identification:
            looked_up.append((place, record))
    needless = frozenset(
        place
        for place, record in looked_up
        if record is None or (record not in written and str(record) not in episode.customer_words)
    )
    return needless if needless and episode.accomplished and _outputs_shown(episode) else frozenset()


def _outputs_shown(episode: Episode) -> bool:
    """Whether each required output was shown to the agent before it said it itself."""
    wanted = {output.lower() for output in episode.task.outputs}
    for exchange in episode.exchanges():
        said, answer = (text.lower().replace(",", "") for text in exchange)
        if any(re.search(rf"(?<!\d){re.escape(output)}(?!\d)", said) for output in wanted):
            return False
        wanted = {output for output in wanted if output not in answer}
    return not wanted


def _in_sequence(domain: Domain, gold: tuple[Turn, ...], right: dict[int, int]) -> bool:
    """Whether no pair of gold actions of which one `must_precede` the other was done the other way round.

    Not pair by pair: of those that must come before, only the one that was done last can be too late.
    """
    identified, seen = -1, {}  # the last call so far that identified the customer; that was about each record
    for place in sorted(right):
        turn, at = gold[place], right[place]
        record = _record(domain, turn.action)
        if isinstance(record, list | dict):  # nonsense of an agent's or of a task file's: no key as it is
            record = ("JSON", canonical(record))
        before = seen.get(record, -1)
        if at < identified or (record and _kind(domain, turn) == WRITE and at < before):
            return False
        if turn.action.name in domain.identification:
            identified = max(identified, at)
        seen[record] = max(before, at)
    return True


def must_precede(first: Turn, then: Turn, domain: Domain = RETAIL) -> bool:
    """First who it is; look at a record before changing it; several changes of one record as in the gold."""
    if first.action.name in domain.identification:
        return True
    record = _record(domain, first.action)
    return _kind(domain, then) == WRITE and bool(record and record == _record(domain, then.action))


def _record(domain: Domain, action: Action) -> Any:
    """Which record a call is about, by the first of the domain's parameters that says so."""
    return next(filter(None, map(action.arguments.get, domain.records)), None)
