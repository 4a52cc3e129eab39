"""Why an episode failed: one kind for each, the first that applies, so that a table of kinds adds up.

    failure_kind(episode)      # "wrong argument"; None for a success

| kind | the episode … |
| --- | --- |
| broke off | died of an error in a tool, the customer or the endpoint: not the agent's doing |
| invalid call | held a turn nobody could read, or a plan that was refused |
| ran out of turns | was ended by a limit of turns or tokens |
| policy broken | opened the records of somebody else |
| wrong argument | changed the right thing wrongly, or was refused the right change or look-up |
| wrong tool | changed something nobody asked for, or handed over without need |
| forgot a write | left out a change without having tried it |
| wrong order | made every change, in an order that ends elsewhere |
| told the customer wrong | left the shop as it should be, and the customer without the answer |
"""

from collections import Counter
from collections.abc import Iterable

from envs.domain import READ, TERMINATE, WRITE
from envs.retail.environment import Turn
from pipeline.episode import FINISHED, Episode
from pipeline.matching import ANOTHERS

BROKE_OFF = "broke off"
KINDS = (
    BROKE_OFF,
    "invalid call",
    "ran out of turns",
    "policy broken",
    "wrong argument",
    "wrong tool",
    "forgot a write",
    "wrong order",
    "told the customer wrong",
)


def failure_kind(episode: Episode) -> str | None:
    """The first of `KINDS` that applies to an episode that failed."""
    if episode.succeeded:
        return None
    if episode.ended == "error":
        return BROKE_OFF
    if episode.unread:
        return "invalid call"
    if episode.ended not in FINISHED:
        return "ran out of turns"
    if any(mistake.why == ANOTHERS for mistake in episode.matching.incorrect):
        return "policy broken"
    return _wrongly_done(episode) or _not_done(episode) or "told the customer wrong"


def _wrongly_done(episode: Episode) -> str | None:
    """What is wrong with the changes and hand-overs that were made or tried."""
    others = [turn for turn in _unmatched(episode) if _kind(episode, turn) in (WRITE, TERMINATE)]
    undone = _undone(episode, WRITE)
    if any(turn.action.name in undone for turn in others):
        return "wrong argument"
    return (
        "wrong tool" if any(not turn.failed or _kind(episode, turn) == TERMINATE for turn in others) else None
    )


def _not_done(episode: Episode) -> str | None:
    """What is missing: a change, an order, or a look-up that was tried with something else."""
    if _undone(episode, WRITE) or _undone(episode, TERMINATE):
        return "forgot a write"
    if episode.changes != episode.gold_changes:
        return "wrong order"
    missed = _undone(episode, READ)
    return "wrong argument" if any(turn.action.name in missed for turn in _unmatched(episode)) else None


def _unmatched(episode: Episode) -> list[Turn]:
    """The calls that did no gold action."""
    matched = set(episode.matching.right.values())
    return [turn for place, turn in enumerate(episode.calls) if place not in matched]


def _undone(episode: Episode, kind: str) -> set[str]:
    """The tools of this kind whose gold action was not done."""
    matching = episode.matching
    return {
        turn.action.name
        for place, turn in enumerate(episode.gold_turns)
        if place not in matching.right and place not in matching.excused and _kind(episode, turn) == kind
    }


def _kind(episode: Episode, turn: Turn) -> str | None:
    return episode.domain.kind(turn.action.name)


def failure_counts(kinds: Iterable[str | None]) -> dict[str, int]:
    """How many failures of each kind, in the order of `KINDS`; successes are left out."""
    found = Counter(kinds)
    return {kind: found[kind] for kind in KINDS if found[kind]}
