"""Episodes as JSON lines: everything to read them, and to score them again without a model.

    record = to_record(rollout, shop, stage="sft")        # one line of a run's episodes
    again = replayed(record, shop)                        # the Episode, carried out anew
    differing_answers(record, again)                      # places where the shop now answers otherwise

A record holds what the agent did (each call and message with its answer), what the strict reader said of
every turn, the agent's own words, and how the shop ended. A score is never read from a record: `replayed`
carries the actions out on fresh data, with the recorded customer, so that another rule or another shop gives
its own numbers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from envs.retail.diff import differences
from envs.retail.environment import RetailEnv, Turn, replay
from envs.retail.files import FileError, read_lines
from envs.retail.replay import RecordedCustomer
from envs.retail.tasks import RESPOND, Action, Task
from envs.world import World
from pipeline.agent import Written
from pipeline.episode import Attempt, Episode
from pipeline.running import Rollout
from pipeline.strict import Verdict

Record = dict[str, Any]


def to_record(rollout: Rollout, shop: World, stage: str, strict: bool = True) -> Record:
    """One played episode as JSON.

    Args:
        rollout: As `pipeline.rollouts` gives it.
        shop: The shop it was played in.
        stage: Which model it was: "base", "sft", "grpo", or any other name.
        strict: Whether the environment checked arguments before tools ran.
    """
    episode = rollout.episode
    written = [piece for piece in rollout.transcript if isinstance(piece, Written)]
    return {
        "stage": stage,
        "id": episode.task.id,
        "trial": rollout.trial,
        "task": episode.task.to_json(),
        "mode": episode.mode,
        "strict": strict,
        "opening": episode.opening,
        "turns": [_turn_json(turn) for turn in episode.turns],
        "attempts": [asdict(attempt) for attempt in episode.attempts],
        "written": [piece.text for piece in written],
        "ended": episode.ended,
        "error": rollout.error,
        "tokens": episode.tokens,
        "seconds": round(rollout.seconds, 3),
        "succeeded": episode.succeeded,
        "changed": _changed(shop, (turn.action for turn in episode.calls if not turn.failed)),
        "gold_changed": _changed(shop, episode.task.gold_actions),
    }


def _turn_json(turn: Turn) -> Record:
    return {**turn.action.to_json(), "answer": turn.observation, "failed": turn.failed}


def _changed(shop: World, actions: Iterable[Action]) -> list[Record]:
    """What actions change in a fresh shop, field by field."""
    return [asdict(difference) for difference in differences(replay(shop, tuple(actions)))]


def replayed(record: Mapping[str, Any], shop: World) -> Episode:
    """The episode of a record, its actions carried out anew on fresh data."""
    turns = record["turns"]
    replies = [turn["answer"] for turn in turns if turn["name"] == RESPOND and not turn["failed"]]
    env = RetailEnv(
        shop,
        Task.from_json(record["task"]),
        RecordedCustomer(replies),
        max_steps=len(turns) + 1,
        strict=record["strict"],
    )
    env.reset()
    env.opening = record["opening"]
    for turn in turns:
        env.step(Action.from_json(turn))
    env.ended = record["ended"]
    attempts = [_attempt(one) for one in record["attempts"]]
    return Episode.of(env, attempts, record["mode"], record["tokens"])


def _attempt(value: Mapping[str, Any]) -> Attempt:
    return Attempt(**{**value, "verdict": Verdict(value["verdict"]), "faults": tuple(value["faults"])})


def differing_answers(record: Mapping[str, Any], episode: Episode) -> list[int]:
    """Places of the turns that the shop answers otherwise than it did when the record was written."""
    pairs = zip(record["turns"], episode.turns, strict=False)
    return [place for place, (old, new) in enumerate(pairs) if old["answer"] != new.observation]


def read_records(path: str | Path) -> Iterator[Record]:
    """The records of a file; what is no record is refused with its line."""
    for number, record in read_lines(path):
        missing = [name for name in _NEEDED if not isinstance(record, dict) or name not in record]
        if missing:
            raise FileError(path, number, f"no record of an episode: {', '.join(missing)} missing")
        yield record


_NEEDED = (
    "stage",
    "id",
    "trial",
    "task",
    "mode",
    "strict",
    "opening",
    "turns",
    "attempts",
    "ended",
    "tokens",
)
