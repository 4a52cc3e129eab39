"""Looking at tasks: examples, how they are spread, how long they are, and whether the splits are clean.

examples_table(tasks, per_level=2)
plot_tasks(tasks)
plot_lengths(report)
show_row(row)          # what of a training row is trained; show_tokens(row, tokenizer) token by token
split_table(tasks)     # customers and orders of each split, and how many it shares with the others
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from envs.retail.tasks import Task
from pipeline.datasets import LengthReport, Row, tokenized
from pipeline.report import PLAIN, left_aligned, pd_frame

if TYPE_CHECKING:
    import pandas as pd
    from IPython.display import HTML
    from matplotlib.axes import Axes
    from pandas.io.formats.style import Styler

BLUE, GREY = "#4a90d9", "#9aa5b1"
_COLOURS = {True: "background:#4caf5040", False: "color:#888"}  # what is trained, what is given
_BOX = "border:1px solid #8884;border-radius:3px;padding:0 2px;margin:1px;display:inline-block"
_ORDER_ID = re.compile(r"#W\d{7}")


def examples_table(tasks: Sequence[Task], per_level: int = 2) -> Styler:
    """The first tasks of each level, with the calls that solve them."""
    rows = []
    for level in sorted({task.level for task in tasks}):
        for task in [task for task in tasks if task.level == level][:per_level]:
            calls = " → ".join(action.name for action in task.gold_actions)
            rows.append((level, task.extra.get("family", ""), task.query, calls, ", ".join(task.outputs)))
    return left_aligned(rows, ["level", "family", "query", "gold calls", "must be told"])


def plot_tasks(tasks: Sequence[Task]) -> Axes:
    """How many tasks there are of each level, of each length, and how often each tool is part of the gold."""
    import matplotlib.pyplot as plt

    figure, (levels, steps, tools) = plt.subplots(1, 3, figsize=(13, 4), width_ratios=[1, 1.4, 1.6])
    _bars(levels, Counter(task.level for task in tasks), "level", "tasks")
    _bars(steps, Counter(len(task.gold_actions) for task in tasks), "gold calls in a task", "tasks")
    counts = Counter(action.name for task in tasks for action in task.gold_actions).most_common()[::-1]
    tools.barh([name for name, _ in counts], [count for _, count in counts], color=BLUE)
    tools.set(xlabel="calls in all gold actions", xscale="log")
    tools.tick_params(axis="y", labelsize=8)
    figure.suptitle(f"{len(tasks)} tasks")
    figure.tight_layout()
    return tools


def _bars(axes: Axes, counts: Counter, xlabel: str, ylabel: str) -> None:
    axes.bar_label(axes.bar(list(counts), list(counts.values()), color=BLUE), fontsize=8)
    axes.set(xlabel=xlabel, ylabel=ylabel, xticks=range(min(counts), max(counts) + 1))
    axes.spines[["top", "right"]].set_visible(False)


def plot_lengths(*reports: LengthReport) -> Axes:
    """Tokens per training row for each mode, with the longest row the trainer takes."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(reports), figsize=(6 * len(reports), 3.2), squeeze=False)
    for axes, report in zip(panels[0], reports, strict=True):
        axes.hist(list(report.lengths.values()), bins=40, color=BLUE)
        axes.axvline(report.max_length, color=GREY, linestyle="--")
        dropped = f", {len(report.too_long)} too long" if report.too_long else ""
        axes.set(
            xlabel="tokens in a row",
            ylabel="rows",
            title=f"{report.mode}: n = {len(report.lengths)}{dropped}",
        )
        axes.annotate(
            f" limit {report.max_length}", (report.max_length, 0.9), xycoords=("data", "axes fraction")
        )
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return panels[0][-1]


def show_row(row: Row, longest: int = 700) -> HTML:
    """A training row with what is trained in colour; long given parts are shortened in the middle."""
    from IPython.display import HTML

    parts = []
    for piece in row.pieces:
        text = piece.text if piece.trained or len(piece.text) <= longest else _middle_cut(piece.text, longest)
        parts.append(f'<span style="{_COLOURS[piece.trained]}">{html.escape(text)}</span>')
    trained, given = (f'<span style="{_COLOURS[is_trained]}">' for is_trained in (True, False))
    legend = f"<p>{trained}trained</span> · {given}given</span></p>"
    style = "white-space:pre-wrap;font:12px/1.5 monospace;max-width:60em;overflow-wrap:anywhere"
    return HTML(f'{legend}<div class="{PLAIN}" style="{style}">{"".join(parts)}</div>')


def show_tokens(row: Row, tokenizer: Any, last: int = 160) -> HTML:
    """The last tokens of a row one by one, with those that are trained in colour."""
    from IPython.display import HTML

    tokens = tokenized(row, tokenizer)
    pairs = list(zip(tokens["input_ids"], tokens["completion_mask"], strict=True))
    shown = [(_visible(tokenizer.decode([token])), _COLOURS[bool(mask)]) for token, mask in pairs[-last:]]
    boxes = "".join(f'<span style="{colour};{_BOX}">{text}</span>' for text, colour in shown)
    count = f"{len(pairs)} tokens, {sum(mask for _, mask in pairs)} of them trained; the last {len(shown)}:"
    return HTML(
        f'<p>{count}</p><div class="{PLAIN}" style="font:12px/2 monospace;max-width:60em">{boxes}</div>'
    )


def _visible(text: str) -> str:
    return html.escape(text).replace(" ", "·").replace("\n", "⏎")


def _middle_cut(text: str, longest: int) -> str:
    return f"{text[: longest // 2]}\n… {len(text) - longest:,} more characters …\n{text[-longest // 2 :]}"


def split_table(tasks: Sequence[Task]) -> pd.DataFrame:
    """Customers and orders of each split; what it shares with the others must be 0."""
    splits = sorted({task.split for task in tasks})
    customers = {split: {task.customer for task in tasks if task.split == split} for split in splits}
    orders = {
        split: {o for task in tasks if task.split == split for o in orders_of(task)} for split in splits
    }
    rows = []
    for split in splits:
        others = [other for other in splits if other != split]
        shared = [len(held[split] & set().union(*(held[o] for o in others))) for held in (customers, orders)]
        count = sum(task.split == split for task in tasks)
        rows.append((split, count, len(customers[split]), len(orders[split]), *shared))
    return pd_frame(rows, ["split", "tasks", "customers", "orders", "shared customers", "shared orders"])


def orders_of(task: Task) -> set[str]:
    """Every order a task speaks of, in its words, its facts or its gold calls."""
    return set(_ORDER_ID.findall(repr((task.query, task.facts, task.gold_actions))))
