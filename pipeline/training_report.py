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
from pipeline.intervals import ratio_intervals, share_in_words
from pipeline.report import left_aligned
from pipeline.steps import SPEAK, StepReport
from pipeline.time_estimate import warm_up_time as warm_up_time

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from pandas.io.formats.style import Styler

LOSSES = Panel("loss per trained token", ("loss", "eval_loss"))
_RATES = (  # what a row is called, the report's rate, and what of each step it is made of
    ("valid call", "valid_rate", "valid"),
    ("right action", "name_accuracy", "names"),
    ("right arguments", "argument_accuracy", "arguments"),
)


def settings_table(config: Config, *beginnings: str) -> Styler:
    """The settings whose names begin with one of these, with their values."""
    settings = {name: value for name, value in asdict(config).items() if name.startswith(beginnings)}
    chosen = [(name, f"{value:g}" if isinstance(value, float) else value) for name, value in settings.items()]
    return left_aligned([("profile", config.profile), *chosen], ["setting", "value"])


def plot_losses(losses: pd.DataFrame) -> Axes:
    """Training loss of each step and validation loss of each evaluation."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(8, 3.4))
    axes.plot(losses["step"], losses["loss"], color="#9aa5b1", label="training")
    if "eval_loss" in losses:
        measured = losses.dropna(subset="eval_loss")
        axes.plot(measured["step"], measured["eval_loss"], "o-", color="#4a90d9", label="validation")
    axes.set(xlabel="step", ylabel="loss per trained token", yscale="log")  # it falls a hundredfold
    axes.set_title(f"{int(losses['step'].max())} steps")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def before_after_table(before: StepReport, after: StepReport) -> Styler:
    """The rates of the same steps before and after training, with 95 % intervals over tasks."""
    rows = [
        (name, before.rates()["calls"], *(_with_interval(report, rate, part) for report in (before, after)))
        for name, rate, part in _RATES
    ]
    return left_aligned(rows, ["", "n", "before", "after"])


def _with_interval(report: StepReport, rate: str, part: str) -> str:
    return share_in_words(getattr(report, rate), *_interval_over_tasks(report, part))


def _interval_over_tasks(report: StepReport, part: str) -> tuple[float, float]:
    """95 % interval of a rate, drawn over tasks: steps of one task stand or fall together."""
    import numpy as np

    totals: dict[str, list[float]] = {}
    for result in report.results:
        if result.step.kind != SPEAK:
            total = totals.setdefault(result.step.task_id, [0.0, 0.0])
            total[0] += getattr(result, part)
            total[1] += 1
    _, low, high = ratio_intervals(np.array(list(totals.values())).reshape(len(totals), 1, 2))
    return float(low[0]), float(high[0])
