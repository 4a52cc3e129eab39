"""What watches a training run: a line a step in metrics.jsonl, and curves that grow while a notebook runs.

    metrics_log(run, "sft")                                      # a line a step in run/metrics.jsonl
    live_curves(Panel("loss", ("loss", "eval_loss")), ...)       # a picture that is drawn again as it grows

Both are made by functions, because a callback's base class comes with transformers, which is heavy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from envs.retail.files import append_line, whole_file
from pipeline.report import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def metrics_log(run: Path, stage: str) -> Any:
    """A callback that writes every log entry of the trainer as one JSON line, each step's once."""
    from transformers import TrainerCallback

    class MetricsLog(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            if state.is_world_process_zero:  # what a killed run did after its last checkpoint is done again
                begun = state.global_step + 1 if state.global_step else 0
                forget_steps(run / "metrics.jsonl", stage, begun)
                forget_steps(run / "episodes.jsonl", stage, state.global_step)  # sampled before their step

        def on_log(self, args, state, control, logs=None, **kwargs):
            if state.is_world_process_zero and logs:
                run.mkdir(parents=True, exist_ok=True)
                numbers = {key: value for key, value in logs.items() if isinstance(value, int | float)}
                append_line(run / "metrics.jsonl", {"stage": stage, "step": state.global_step, **numbers})

    return MetricsLog()


def forget_steps(file: Path, stage: str, first: int) -> None:
    """Remove a stage's lines from a step on, and half a line at the end; other lines stay as they are."""
    if not file.exists():
        return
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    lines = [line for line in text[: text.rfind("\n") + 1].split("\n") if line]
    kept = [line for line in lines if not _is_of(line, stage, first)]
    with whole_file(file) as out:
        out.buffer.write("".join(f"{line}\n" for line in kept).encode("utf-8", "surrogateescape"))


def _is_of(line: str, stage: str, first: int) -> bool:
    try:
        entry = json.loads(line)
        return entry["stage"] == stage and entry["step"] >= first
    except (ValueError, LookupError, TypeError, RecursionError):
        return False  # damaged: the report counts such lines


@dataclass(frozen=True)
class Panel:
    """One of the small plots of a picture: its title, and the metrics it shows."""

    title: str
    names: tuple[str, ...]


def live_curves(*panels: Panel, every_seconds: float = 10.0) -> Any:
    """A callback that draws the panels while training goes on; silent outside notebooks."""
    from IPython.display import display
    from transformers import TrainerCallback

    class LiveCurves(TrainerCallback):
        def __init__(self):
            self.handle, self.drawn = None, 0.0  # others may log before training begins

        def on_train_begin(self, args, state, control, **kwargs):
            self.handle = display("training begins …", display_id=True)

        def on_log(self, args, state, control, logs=None, **kwargs):
            if self.handle and monotonic() - self.drawn > every_seconds:
                self._draw(state)

        def on_train_end(self, args, state, control, **kwargs):
            if self.handle:
                self._draw(state)

        def _draw(self, state) -> None:
            self.handle.update(curves_figure(state.log_history, panels))
            self.drawn = monotonic()

    return LiveCurves()


def without_table(trainer: Any) -> None:
    """In a notebook transformers shows each step's loss in a table, which says little here; its bar stays."""
    notebook = sys.modules.get("transformers.utils.notebook")
    if notebook is None or not trainer.pop_callback(notebook.NotebookProgressCallback):
        return

    class Bar(notebook.NotebookProgressCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            super().on_train_begin(args, state, control, **kwargs)
            self.training_tracker.inner_table = None  # else its head stands there

        def on_log(self, args, state, control, **kwargs):
            """No row."""

    trainer.add_callback(Bar)


def curves_figure(history: Sequence[Mapping[str, Any]], panels: Sequence[Panel]) -> Figure:
    """Each panel's metrics over the steps; what was measured now and then is drawn with dots."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    size = (7, 3) if columns == 1 else (4.2 * columns, 2.4 * rows)
    figure = new_figure(*size)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, panel in zip(grid, panels, strict=False):
        for name in panel.names:
            points = [(entry["step"], entry[name]) for entry in history if entry.get(name) is not None]
            if points:
                marker = "o" if name.startswith(("eval", "validation")) else None
                label = f"{name.removeprefix('terms/').removeprefix('seconds/')} {points[-1][1]:.3g}"
                axes.plot(*zip(*points, strict=True), label=label, marker=marker, markersize=3)
        axes.set_title(panel.title, fontsize="medium")
        axes.set_xlabel("step")
        if axes.lines:  # above the curves, where it covers none
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + 0.13 * (high - low) * len(axes.lines))
            axes.legend(frameon=False, fontsize="x-small", loc="upper left", borderaxespad=0)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in figure.axes[len(panels) :]:
        axes.set_visible(False)
    return figure
