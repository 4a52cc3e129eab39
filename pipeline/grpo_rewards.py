"""The reward inside TRL: every finished episode is accounted for, scored, counted, and some are kept to read.

    reward_funcs = episode_reward("customer", config, tokenizer, run / "episodes.jsonl")

An exception while one episode is scored never ends a run: that episode earns nothing (TRL's None), the
failure is counted in the logs as `failures/reward`, and its text goes to episodes.jsonl.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from envs.retail.files import append_line
from pipeline.config import Config
from pipeline.episode import Episode
from pipeline.grpo_desks import Desk, account
from pipeline.grpo_watch import episode_metrics
from pipeline.harmony_parse import Vocabulary
from pipeline.rewards import Breakdown, check_profiles, score

Reward = Callable[..., list[float | None]]
EVERY, SAMPLES = 5, 2  # of every fifth step, two episodes are written down; of all steps, what failed


def weights_of(reward: Sequence[str]) -> dict[str, float]:
    """A config's reward as weights: ("tool_level", "outcome:2") is {"tool_level": 1.0, "outcome": 2.0}."""
    weights = {}
    for part in reward:
        profile, _, weight = part.partition(":")
        try:
            weights[profile] = float(weight or 1)
        except ValueError as error:
            raise ValueError(f"reward {part!r} must look like outcome or outcome:2") from error
    check_profiles(weights)
    return weights


@dataclass(frozen=True)
class Scored:
    """One episode of a step with what it earned, or why it could not be scored."""

    episode: Episode | None
    breakdown: Breakdown | None
    failure: str = ""


def episode_reward(way: str, config: Config, tokenizer: Any, log: Path | None) -> Reward:
    """The reward function for TRL.

    Args:
        way: "customer", "tools" or "plan": see pipeline/grpo_desks.py.
        config: Names the profiles and their weights.
        tokenizer: The model's.
        log: Where sample episodes and failures are written, one JSON line each; None: nowhere.
    """
    vocabulary, weights = Vocabulary.of(tokenizer), weights_of(config.reward)

    def reward(completion_ids, environments, trainer_state, log_metric, **row) -> list[float | None]:
        scored = [
            _scored(way, desk, ids, vocabulary, weights)
            for desk, ids in zip(environments, completion_ids, strict=True)
        ]
        for name, value in step_metrics(scored, config.num_generations).items():
            log_metric(name, value)
        if log:
            _write(log, trainer_state.global_step, scored, completion_ids, vocabulary)
        return [one.breakdown.total if one.breakdown else None for one in scored]

    return reward


def shuffled(reward: Reward, config: Config) -> Reward:
    """A control that must not improve: each group's rewards, dealt out to its episodes by chance."""

    def dealt(trainer_state, **row) -> list[float | None]:
        earned, group = reward(trainer_state=trainer_state, **row), config.num_generations
        random = Random(f"shuffled/{config.seed}/{trainer_state.global_step}")
        return [value for one in in_groups(earned, group) for value in random.sample(one, len(one))]

    return dealt


def _scored(
    way: str, desk: Desk, ids: Sequence[int], vocabulary: Vocabulary, weights: Mapping[str, float]
) -> Scored:
    try:
        episode = account(way, desk, ids, vocabulary)
        return Scored(episode, score(episode, weights, normalise=True))
    except Exception as error:  # counted and shown: one odd episode must not end a night's run
        return Scored(None, None, f"{type(error).__name__}: {error}")


def in_groups(rewards: Sequence[Any], group: int) -> list[Sequence[Any]]:
    """A step's rewards, those of one prompt together."""
    return [rewards[start : start + group] for start in range(0, len(rewards), group)]


def flat_groups(rewards: Sequence[float | None], group: int) -> float:
    """The share of groups whose episodes all earned the same, and which therefore teach nothing."""
    return fmean(len(set(one)) == 1 for one in in_groups(rewards, group))


def step_metrics(scored: Sequence[Scored], group: int) -> dict[str, float]:
    """What a step's episodes were like: the metrics of episodes, each term's mean, flat groups, failures."""
    whole = [one for one in scored if one.breakdown]
    metrics = episode_metrics([one.episode for one in whole])
    for name in whole[0].breakdown.values() if whole else ():
        metrics[f"terms/{name}"] = fmean(one.breakdown.values()[name] for one in whole)
    totals = [one.breakdown.total if one.breakdown else None for one in scored]
    metrics["flat_groups"] = flat_groups(totals, group)
    metrics["failures/reward"] = float(len(scored) - len(whole))
    metrics["failures/episode"] = float(sum(one.episode.ended == "error" for one in whole))
    return metrics


def _write(
    log: Path, step: int, scored: Sequence[Scored], ids: Sequence[Sequence[int]], vocabulary: Vocabulary
) -> None:
    chosen = [n for n, one in enumerate(scored) if one.failure]
    if step % EVERY == 0:
        chosen += [n for n in range(len(scored)) if n not in chosen][:SAMPLES]
    log.parent.mkdir(parents=True, exist_ok=True)
    for place in chosen:
        one = scored[place]
        record: dict[str, Any] = {"stage": "grpo", "step": step, "failure": one.failure}
        if one.episode:
            record |= {
                "task": one.episode.task.to_json(),
                "mode": one.episode.mode,
                "ended": one.episode.ended,
                "succeeded": one.episode.succeeded,
                "reward": one.breakdown.total,
                "terms": one.breakdown.values(),
            }
        record["completion"] = vocabulary.decode(list(ids[place]))
        append_line(log, record)
