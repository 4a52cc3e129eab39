"""ToolRL's reward as verl calls it, special tokens lost on the way and the training step included.

reward.custom_reward_function.path=pkg://pipeline.toolrl .name=verl_score
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pipeline.toolrl.read import answer_alone
from pipeline.toolrl.reward import compute_score
from pipeline.toolrl_score import Switches

STEPS = ("step", "global_steps", "max_global_steps")  # where verl's extra_info may tell the training step
_SWITCH_NAMES = frozenset(field.name for field in fields(Switches)) - {"step"}
_STRIPPED = re.compile(r"\s*(?:assistant)?\s*(?:to=functions\.|analysis|commentary|final)")


def verl_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, float]:
    """The reward as verl calls it: "score", and the parts as metrics.

    verl removes the special tokens from `solution_str`, and with them all that harmony consists of. So the
    agent loop has to leave the whole text (`tokenizer.decode(response_ids)`) in `extra_fields["completion"]`,
    which verl hands on in `extra_info`. Where that is missing and the tokens are gone, every answer counts as
    badly formed, a warning says so, and the metric `headers_lost` is 1.

    Args:
        data_source: Not used; every row of the converted data has the same.
        solution_str: The answer.
        ground_truth: The right answer in harmony.
        extra_info: The row's, with what the agent loop added: "completion", and the training step.
        options: From `reward.custom_reward_function.reward_kwargs`: `step`, and switches by their names in
            `Switches` (without any, the environment's count). What else verl passes is left alone.
    """
    extra = extra_info or {}
    switches = _verl_switches(options, extra)
    solution = extra.get("completion") or solution_str or ""
    lost = bool(_STRIPPED.match(solution)) and "<|" not in solution
    if lost:
        warnings.warn(
            "verl removed harmony's special tokens from the solution: let the agent loop put the whole text"
            ' into extra_fields["completion"] (see pipeline.toolrl.verl_score)',
            stacklevel=2,
        )
    score = compute_score(answer_alone(solution), ground_truth, switches=switches)
    parts = {"format": score.format, "correctness": score.correctness, "length": score.length}
    return {"score": score.total, **parts, "headers_lost": float(lost)}


def _verl_switches(options: Mapping[str, Any], extra: Mapping[str, Any]) -> Switches:
    """The switches of the configuration or the environment, at the step that verl tells."""
    told = [int(one[name]) for one in (options, extra) for name in STEPS if one.get(name) is not None]
    step = told[0] if told else 0
    chosen = {name: value for name, value in options.items() if name in _SWITCH_NAMES}
    switches = Switches(**chosen, step=step) if chosen else Switches.from_environment(step)
    if not told and (switches.schedule or switches.schedule_length or switches.max1_step30_max3):
        raise ValueError(
            "these switches depend on the training step, which verl did not tell: let the agent loop put it"
            ' into extra_fields["step"]'
        )
    return switches
