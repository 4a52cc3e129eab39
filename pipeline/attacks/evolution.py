"""An attacker that searches by itself: it changes episodes at random, keeps what scores more, solves nothing.

    found = evolve(shop, task, "tool_level", seed=0)
    found.score, found.honest          # the best episode without success it came to, and the honest answer
    found = evolve(shop, task, "toolrl", seed=0, blind=True)      # nor doing a single gold action

Deterministic for a seed, and bounded by `rounds` (episodes played). It may make gold calls, near misses of
them, look-ups, wrong writes, hand-overs and turns nobody can read, in any order and number; what `blind`
finds is what the form alone earns.
"""

from dataclasses import dataclass
from random import Random

from envs.retail.database import Shop
from envs.retail.tasks import Action, Task
from pipeline.attacks.attack import GOODBYE, dominates, honest, partial_works, turn
from pipeline.attacks.calls import CALL_ATTACKS
from pipeline.demonstrations import report
from pipeline.episode import Episode, play_turns
from pipeline.harmony import Call, Final
from pipeline.rewards import score

POPULATION = 6
LONGEST = 40  # turns
_MATERIAL = (
    "guess arguments",
    "names only",
    "last argument wrong",
    "last argument missing",
    "other tool",
    "cancel everything",
    "every tool once",
    "read everything once",
    "padded ids",
)


@dataclass(frozen=True)
class Found:
    """The best episode an attacker came to on one task, beside honest work."""

    episode: Episode
    score: float
    honest: float
    beaten: int  # honest partial works that achieved more and score less: none, if the reward is sound


def evolve(
    shop: Shop, task: Task, profile: str, *, seed: int, rounds: int = 200, blind: bool = False
) -> Found:
    """Search for the best-paid episode that does not solve the task.

    Args:
        shop: The shop.
        task: The task not to solve.
        profile: The reward profile to raise.
        seed: Makes the search repeatable.
        rounds: How many episodes to play.
        blind: Leave out episodes that do a gold action.
    """
    random = Random(f"{seed} {task.id} {profile} {blind}")
    material = _material(task, blind)
    population = [(_worth(episode := _play(shop, task, []), profile, blind), 0, [], episode)]
    for number in range(1, rounds):
        parent = random.choice(population)[2]
        child = _changed(parent, material, random)
        episode = _play(shop, task, child)
        population.append((_worth(episode, profile, blind), -number, child, episode))
        population = sorted(population, key=lambda one: one[:2], reverse=True)[:POPULATION]
    best = population[0][3]
    earned = _total(best, profile)
    return Found(
        episode=best,
        score=earned,
        honest=_total(honest(shop, task), profile),
        beaten=_beaten(shop, best, profile, earned),
    )


def _total(episode: Episode, profile: str) -> float:
    return score(episode, {profile: 1.0}).total


def _worth(episode: Episode, profile: str, blind: bool) -> float:
    """What counts in the search: a solved task is no attack."""
    forbidden = episode.succeeded or (blind and episode.matching.done > 0)
    return float("-inf") if forbidden else _total(episode, profile)


def _beaten(shop: Shop, best: Episode, profile: str, earned: float) -> int:
    rivals = [work for work in partial_works(shop, best.task) if dominates(work, best)]
    return sum(earned > _total(work, profile) + 1e-9 for work in rivals)


def _material(task: Task, blind: bool) -> list[str]:
    """The turns the search puts together."""
    calls: list[Action] = [] if blind else list(task.gold_actions) * 3
    for attack in CALL_ATTACKS:
        if attack.name in _MATERIAL:
            calls += attack.calls(task)[:20]
    made = [turn(Call(action.name, action.arguments)) for action in calls]
    return [*made, "cut off", turn(Final(GOODBYE)), turn(Final(report(task)))]


def _changed(turns: list[str], material: list[str], random: Random) -> list[str]:
    """One to three turns put in, taken out, doubled or moved."""
    turns = list(turns)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(turns) + 1)
        kind = random.random()
        if kind < 0.5 or not turns:
            turns.insert(place, random.choice(material))
        elif kind < 0.7:
            turns.pop(place % len(turns))
        elif kind < 0.85:
            turns.insert(place, random.choice(turns))
        else:
            turns.insert(place, turns.pop(random.randrange(len(turns))))
    return turns[:LONGEST]


def _play(shop: Shop, task: Task, turns: list[str]) -> Episode:
    return play_turns(shop, task, [*turns, turn(Final(GOODBYE))], max_steps=LONGEST + 1)
