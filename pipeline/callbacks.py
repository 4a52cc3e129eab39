"""What watches a training run: a line a step in metrics.jsonl, and curves that grow while a notebook runs.

    metrics_log(run, "sft")                # appends {"stage", "step", "loss", …} to run/metrics.jsonl
    live_curves("loss", "eval_loss")       # one picture in the notebook, drawn again every few seconds

Both are made by functions, because a callback's base class comes with transformers, which is heavy.
"""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic
from typing import Any

NOT_METRICS = {"epoch", "total_flos"}


def metrics_log(run: Path, stage: str) -> Any:
    """A callback that writes every log entry of the trainer as one JSON line."""
    from transformers import TrainerCallback

    class MetricsLog(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if state.is_world_process_zero and logs:
                run.mkdir(parents=True, exist_ok=True)
                numbers = {key: value for key, value in logs.items() if isinstance(value, int | float)}
                with (run / "metrics.jsonl").open("a", encoding="utf-8") as out:
                    out.write(json.dumps({"stage": stage, "step": state.global_step, **numbers}) + "\n")

    return MetricsLog()


def live_curves(*names: str, every_seconds: float = 3.0) -> Any:
    """A callback that draws the named metrics while training goes on; silent outside notebooks."""
    from IPython.display import display
    from transformers import TrainerCallback

    class LiveCurves(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.handle, self.drawn = display("training begins …", display_id=True), 0.0

        def on_log(self, args, state, control, logs=None, **kwargs):
            if self.handle and monotonic() - self.drawn > every_seconds:
                self._draw(state)

        def on_train_end(self, args, state, control, **kwargs):
            if self.handle:
                self._draw(state)

        def _draw(self, state) -> None:
            figure = curves_figure(state.log_history, names)
            self.handle.update(figure)
            self.drawn = monotonic()

    return LiveCurves()


def curves_figure(history: list[dict[str, Any]], names: tuple[str, ...]) -> Any:
    """The named metrics of a log over its steps, each in a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3))
    axes = figure.subplots()
    for name in names:
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        if points:
            marker = "o" if name.startswith("eval") else None
            axes.plot(*zip(*points, strict=True), label=f"{name} (last {points[-1][1]:.3g})", marker=marker)
    axes.set(xlabel="step", title=f"{len(history)} log entries")
    if axes.lines:
        axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
