"""Looking at a training run: its settings, its losses, and what the model could do before and after.

settings_table(config, "sft_", "lora_")
print(warm_up_time(config, lengths, validation_lengths))      # before it starts (pipeline/time_estimate.py)
plot_losses(result.losses())
before_after_table(before, after)
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.callbacks import Panel
from pipeline.config import Config
from pipeline.intervals import ratio_intervals
from pipeline.report import left_aligned
from pipeline.steps import SPEAK, StepReport
from pipeline.time_estimate import warm_up_time as warm_up_time

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from pandas.io.formats.style import Styler

LOSSES = Panel("loss per trained token", ("loss", "eval_loss"))
_RATES = (
    ("valid call", "valid_rate", "calls"),
    ("right action", "name_accuracy", "calls"),
    ("right arguments", "argument_accuracy", "calls"),
)


def settings_table(config: Config, *beginnings: str) -> Styler:
    """The settings whose names begin with one of these, with their values."""
    chosen = [(name, value) for name, value in asdict(config).items() if name.startswith(beginnings)]
    return left_aligned([("profile", config.profile), *chosen], ["setting", "value"])


def plot_losses(losses: pd.DataFrame) -> Axes:
    """Training loss of each step and validation loss of each evaluation."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(8, 3.4))
    axes.plot(losses["step"], losses["loss"], color="#9aa5b1", label="training")
    if "eval_loss" in losses:
        measured = losses.dropna(subset="eval_loss")
        axes.plot(measured["step"], measured["eval_loss"], "o-", color="#4a90d9", label="validation")
    axes.set(xlabel="step", ylabel="loss per trained token", ylim=(0, None))
    axes.set_title(f"{int(losses['step'].max())} steps")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def before_after_table(before: StepReport, after: StepReport) -> Styler:
    """The rates of the same steps before and after training, with 95 % intervals over tasks."""
    rows = [
        (name, before.rates()[of], *(_with_interval(report, rate) for report in (before, after)))
        for name, rate, of in _RATES
    ]
    return left_aligned(rows, ["", "n", "before", "after"])


def _with_interval(report: StepReport, rate: str) -> str:
    low, high = interval_over_tasks(report, rate)
    return f"{getattr(report, rate):.1%}  [{low:.0%}, {high:.0%}]"


def interval_over_tasks(report: StepReport, rate: str) -> tuple[float, float]:
    """95 % interval of a rate, drawn over tasks: steps of one task stand or fall together."""
    import numpy as np

    totals: dict[str, list[float]] = {}
    for result in report.results:
        if result.step.kind != SPEAK:
            value = {
                "valid_rate": result.valid,
                "name_accuracy": result.names,
                "argument_accuracy": result.arguments,
            }[rate]
            total = totals.setdefault(result.step.task_id, [0.0, 0.0])
            total[0] += value
            total[1] += 1
    _, low, high = ratio_intervals(np.array(list(totals.values())).reshape(len(totals), 1, 2))
    return float(low[0]), float(high[0])
