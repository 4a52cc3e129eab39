"""The project's reward as verl calls it: the same profiles, computed from what was really carried out.

    reward:
      custom_reward_function:
        path: pkg://scaleout.verl.reward
        name: compute_score
        reward_kwargs: {reward: [tool_level, "outcome:2"], normalise: true}

Profiles are those of `pipeline.rewards` (tool_level, shaped, outcome, toolrl), mixed as a project's own run
mixes them. The text verl hands over is not read. verl logs whatever stands beside "score" as a metric of
validation.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from envs.retail.tasks import Task
from pipeline.config import Config
from pipeline.episode import FINISHED, Episode
from pipeline.grpo_rewards import weights_of
from pipeline.rewards import score
from scaleout.verl.account import MESSAGES, episode_of

NO_ACCOUNT = (
    "an episode came without its account and earns what silence earns: let `agent_name` in the data, or"
    " actor_rollout_ref.rollout.agent.default_agent_loop, be retail_agent or retail_tools"
)


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward: Sequence[str] = Config.reward,
    normalise: bool = True,
    **other: Any,
) -> dict[str, float]:
    """The reward of one rollout as "score", with what it is made of.

    Args:
        data_source: Not used; all rows of an export have the same.
        solution_str: Not used: the special tokens are gone from it.
        ground_truth: The task as JSON.
        extra_info: The row's, with what the agent loop left in its extra_fields.
        reward: Profiles with their weights, such as "outcome" or "outcome:2".
        normalise: Divide each profile by the best the task allows, as the project's own training does.
        other: Whatever else verl passes.
    """
    task = _task(ground_truth)
    episode = episode_of(task, extra_info)
    if episode is None:
        warnings.warn(NO_ACCOUNT, stacklevel=2)
    return scored(episode or _silence(task), reward, normalise) | {"account_missing": float(episode is None)}


def scored(episode: Episode, reward: Sequence[str], normalise: bool = True) -> dict[str, float]:
    """An episode's reward as "score", the numbers a run is watched by, and each term."""
    breakdown = score(episode, weights_of(tuple(reward)), normalise=normalise)
    read = [attempt.turn is not None for attempt in episode.attempts]
    return {
        "score": breakdown.total,
        "task_success_rate": float(episode.succeeded),
        "tool_parse_success_rate": sum(read) / len(read) if read else 0.0,
        "avg_tool_calls": float(len(episode.calls)),
        "failed_tool_calls": float(sum(turn.failed for turn in episode.calls)),
        "ended_properly": float(episode.ended in FINISHED),
        **breakdown.values(),
    }


@lru_cache(maxsize=4096)
def _task(ground_truth: str) -> Task:
    return Task.from_json(json.loads(ground_truth))


def _silence(task: Task) -> Episode:
    """The episode of an agent that never said a word."""
    return episode_of(task, {MESSAGES: []})
