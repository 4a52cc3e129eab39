"""What watches reinforcement learning: validation with early stopping, the alarm for hacked rewards, NaN.

    watch(play, every=5, patience=4, best=run / "grpo" / "best").attach(trainer)

`play` serves the validation tasks greedily and returns their episodes. The best adapter is kept; the state
travels with TRL's checkpoints, so a resumed run is as patient as it was. Reward that rises while validation
falls is reported as what it usually is: a reward being fooled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from envs.retail.files import whole_folder
from pipeline.checkpoints import get_last_checkpoint
from pipeline.episode import Episode

Points = Sequence[tuple[int, float]]  # steps with a value


class LossIsNaN(RuntimeError):
    """Training has broken down; says where the last good checkpoint is."""


def validation_metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    """The numbers validation is judged by."""
    return {f"validation/{name}": value for name, value in episode_metrics(episodes).items()}


def episode_metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    """What users of such recipes ask for, as means over episodes (or over their turns and calls)."""
    attempts = [attempt for episode in episodes for attempt in episode.attempts]
    calls = [turn for episode in episodes for turn in episode.calls]
    return {
        "task_success_rate": _share(episode.succeeded for episode in episodes),
        "tool_parse_success_rate": _share(attempt.turn is not None for attempt in attempts),
        "tool_completion_success": _share(not turn.failed for turn in calls),
        "avg_tool_calls": len(calls) / max(1, len(episodes)),
        "avg_turns": len(attempts) / max(1, len(episodes)),
        "avg_tokens": sum(episode.tokens for episode in episodes) / max(1, len(episodes)),
        "ended_properly": _share(episode.ended in ("customer", "transfer", "plan") for episode in episodes),
    }


def _share(truths: Iterable[bool]) -> float:
    truths = list(truths)
    return sum(truths) / len(truths) if truths else 0.0


def reward_is_fooled(rewards: Points, validation: Points, fall: float = 0.1) -> str | None:
    """A warning where training reward has risen since validation was best, while validation fell twice.

    Args:
        rewards: Training reward by step.
        validation: Success on validation by step.
        fall: How much validation must have fallen, since a few tasks change their result by chance.
    """
    if len(validation) < 3:
        return None
    best_step, best = max(validation, key=lambda point: point[1])
    last_two = [value for step, value in validation[-2:] if step > best_step]
    before = [value for step, value in rewards if best_step - 5 < step <= best_step]
    now = [value for _, value in rewards[-5:]]
    if len(last_two) < 2 or max(last_two) > best - fall or not before or fmean(now) <= fmean(before):
        return None
    return (
        f"the reward is being fooled: it rose from {fmean(before):.2f} to {fmean(now):.2f} since step "
        f"{best_step}, while success on validation fell from {best:.0%} to {last_two[-1]:.0%}; look at the "
        "last episodes, and mix in the profile that measures success (reward=tool_level,outcome:2)"
    )


def watch(play: Callable[[], Sequence[Episode]], every: int, patience: int, best: Path) -> Any:
    """The callback; `attach` it to the trainer, which has to write its logs.

    Args:
        play: Serves the validation tasks and returns their episodes.
        every: Steps between two validations; one comes before the first step.
        patience: Validations without a better success before training stops.
        best: Where the best adapter is kept.
    """
    from transformers import Trainer, TrainerCallback
    from transformers.trainer_callback import ExportableState

    trainers: list[Any] = []  # not the callback's own: a resumed trainer makes its callbacks anew

    class Watch(TrainerCallback, ExportableState):
        def __init__(self):
            self.seen: list[tuple[int, float]] = []  # success on validation by step
            self.rewards: list[tuple[int, float]] = []
            self.waited, self.warned = 0, False

        def attach(self, trainer: Any) -> None:
            trainers.append(trainer)
            trainer.add_callback(self)

        def state(self) -> dict[str, Any]:
            kept = {"seen": self.seen, "rewards": self.rewards, "waited": self.waited, "warned": self.warned}
            return {"args": {}, "attributes": kept}

        def on_train_begin(self, args, state, control, **kwargs):
            if not self.seen:
                self._validate(state, control)

        def on_log(self, args, state, control, logs=None, **kwargs):
            if not logs or "loss" not in logs:  # not a step's, but a validation's or the last word of all
                return
            if not all(_is_number(logs.get(name, 0.0)) for name in ("loss", "grad_norm", "reward")):
                raise LossIsNaN(_broken(state.global_step, Path(args.output_dir)))
            if "reward" in logs:  # with several updates to a batch, only the first has one
                self.rewards.append((state.global_step, logs["reward"]))
            if state.global_step % every == 0:
                self._validate(state, control)

        def _validate(self, state, control) -> None:
            metrics = validation_metrics(play())
            success = metrics["validation/task_success_rate"]
            improved = not self.seen or success > max(value for _, value in self.seen)
            self.seen.append((state.global_step, success))
            self.waited = 0 if improved else self.waited + 1
            if improved and state.is_world_process_zero:
                with whole_folder(best) as folder:
                    trainers[0].accelerator.unwrap_model(trainers[0].model).save_pretrained(str(folder))
            Trainer.log(trainers[0], metrics)  # TRL's own would add, and forget, what the step has measured
            warning = reward_is_fooled(self.rewards, self.seen)
            if warning and not self.warned:
                self.warned = True
                print(warning)
            if self.waited >= patience:
                control.should_training_stop = True

    return Watch()


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)  # None: TRL's mean of nothing but NaN


def _broken(step: int, output: Path) -> str:
    last = get_last_checkpoint(output)
    where = f"the last good checkpoint is {last}" if last else "no checkpoint was written yet"
    return (
        f"loss, gradient or reward is not a number at step {step}; {where}; lower grpo_learning_rate, or, if "
        "failures/reward is not 0, see in episodes.jsonl why nothing could be scored"
    )
