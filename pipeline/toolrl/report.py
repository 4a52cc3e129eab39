"""Looking at ToolRL in harmony: rows side by side, lengths, published cases, switches, what was gained.

row_beside("rlla/test.parquet")        # the tags and the harmony text of one row
plot_lengths(summary)                  # tokens of prompts and answers against the recipe's limits
cases_table()                          # seven published cases, scored now
plot_switches("schedule", …)           # what a step of the training can earn
gain_table({"base": scores, …})        # stages on the same questions, with intervals
show_answers(questions, answers, scores)
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from pipeline.callbacks import Panel
from pipeline.harmony import Analysis, Call, Final, render
from pipeline.intervals import interval
from pipeline.report import PLAIN, left_aligned, new_figure
from pipeline.toolrl import Score, compute_score
from pipeline.toolrl.account import ANSWER_LIMIT, PROMPT_LIMIT, Summary
from pipeline.toolrl.convert import Options, convert
from pipeline.toolrl.files import read_parquet
from pipeline.toolrl.read import START
from pipeline.toolrl.rows import Row
from pipeline.toolrl.training import Question
from pipeline.toolrl_score import Switches

if TYPE_CHECKING:
    from IPython.display import HTML
    from matplotlib.figure import Figure
    from pandas.io.formats.style import Styler

PANELS: tuple[Panel, ...] = (
    Panel("reward of a step", ("reward",)),
    Panel("its terms", ("terms/format", "terms/correctness")),
    Panel("right in full", ("right_in_full",)),
    Panel("tokens of an answer", ("completions/mean_length",)),
    Panel("entropy", ("entropy",)),
    Panel("groups without spread", ("flat_groups",)),
)
_FIND = Call("find", {"a": "1"})
_GOLD = render([Analysis("I look for it."), _FIND])
_REPLY = render([Analysis("I greet."), Final("Hello.")])
CASES: tuple[tuple[str, str, str, tuple[float, float]], ...] = (  # name, answer, truth, published scores
    ("perfect", _GOLD, _GOLD, (1.0, 3.0)),
    ("partial parameters", render([Analysis("Hm."), Call("find", {"a": "2"})]), _GOLD, (1.0, 1.0)),
    ("wrong tool", render([Analysis("Hm."), Call("other", {"a": "1"})]), _GOLD, (1.0, -3.0)),
    ("missing analysis", render([_FIND]), _GOLD, (0.0, 3.0)),
    ("multiple calls", *[render([Analysis("Twice."), _FIND, _FIND])] * 2, (1.0, 3.0)),
    ("final only", _REPLY, _REPLY, (1.0, 0.0)),
    ("wrong format", "I think I should call find with a = 1.", _GOLD, (0.0, -3.0)),
)
_SIDE = "width:50%;vertical-align:top;text-align:left;white-space:pre-wrap;overflow-wrap:anywhere"


def row_beside(file: Path, place: int = 0, longest: int = 1500) -> HTML:
    """A row's tools, dialogue and right answer, in tags on the left and in harmony on the right."""
    from IPython.display import HTML

    texts = Row.of(read_parquet(file)[place])
    converted = convert(texts, Options())
    left = (texts.instruction, texts.history, texts.answer)
    dialogue = converted.prompt.partition("<|end|><|start|>developer<|message|>")[2]
    developer, _, history = dialogue.partition("<|end|>")
    right = (developer, history.removesuffix(START), converted.ground_truth)
    titles = "instructions and tools", "dialogue so far", "right answer"
    rows = [
        f"<tr><th colspan=2 style='text-align:left'>{title}</th></tr>"
        "<tr>" + "".join(f"<td style='{_SIDE}'>{_shown(text, longest)}</td>" for text in pair) + "</tr>"
        for title, *pair in zip(titles, left, right, strict=True)
    ]
    style = "width:100%;table-layout:fixed;font-family:monospace"
    return HTML(f"<table class='{PLAIN}' style='{style}'>{''.join(rows)}</table>")


def _shown(text: str, longest: int) -> str:
    return html.escape(_short(text, longest))


def _short(text: str, longest: int = 200) -> str:
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text):,} characters)"


def plot_lengths(summary: Summary) -> Figure:
    """Tokens of prompts and right answers, with the limits of the public recipe."""
    figure = new_figure(10, 3.2)
    for axes, name, limit in zip(
        figure.subplots(1, 2), ("prompt", "answer"), (PROMPT_LIMIT, ANSWER_LIMIT), strict=True
    ):
        counted = {
            split: tokens
            for split, account in summary.accounts.items()
            if (tokens := getattr(account, f"{name}_tokens"))
        }
        for split, tokens in counted.items():
            axes.hist(tokens, bins=30, alpha=0.6, label=f"{split}, n = {len(tokens):,}")
        if limit < 1.5 * max((max(tokens) for tokens in counted.values()), default=0):
            axes.axvline(limit, color="#b23b3b", linestyle="--")
        axes.set(xlabel=f"tokens in {name}s; the recipe allows {limit:,}", ylabel="rows")
        if counted:
            axes.legend(frameon=False)
        else:
            axes.set_title("not counted: pip install oss-harmony", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def cases_table() -> Styler:
    """The published cases: what is published, and what the reward says now."""
    rows = []
    for name, answer, truth, published in CASES:
        score = compute_score(answer, truth, switches=Switches())
        same = (score.format, score.correctness) == published
        here = f"{score.format} / {score.correctness}"
        rows.append((name, "{} / {}".format(*published), here, "yes" if same else "NO"))
    return left_aligned(rows, ["case", "published: format / correctness", "here", "equal"])


def switches_table(step: int = 75) -> Styler:
    """The same cases under switches that change how answers are compared; totals at a step."""
    chosen = {
        "as published": Switches(),
        "intermediate": Switches(intermediate=True),
        "refined": Switches(refined=True),
        "coarse": Switches(coarse=True),
        "correct_max_1": Switches(correct_max_1=True),
        "schedule": Switches(schedule=True),
    }
    rows = [
        (name, *(f"{compute_score(answer, truth, step, one).total:+.2f}" for one in chosen.values()))
        for name, answer, truth, _ in CASES
    ]
    return left_aligned(rows, [f"total at step {step}", *chosen])


def plot_switches(*names: str, steps: int = 200) -> Figure:
    """What a step of the training can earn under single switches: format on the left, correctness right.

    Args:
        names: Fields of `Switches`.
        steps: How far to draw.
    """
    figure = new_figure(10, 3.4)
    parts = figure.subplots(1, 2)
    for name in names:
        settings = [Switches(**{name: True}, step=step) for step in range(1, steps + 1)]
        for axes, part in zip(parts, ("format", "correctness"), strict=True):
            least, most = zip(*(getattr(one.bounds, part) for one in settings), strict=True)
            (line,) = axes.plot(range(1, steps + 1), most, label=name)
            axes.plot(range(1, steps + 1), least, color=line.get_color(), linestyle=":")
    for axes, part in zip(parts, ("format", "correctness"), strict=True):
        axes.set(xlabel="training step", ylabel=part, title=f"{part}: most (line) and least (dots)")
        axes.spines[["top", "right"]].set_visible(False)
    parts[0].legend(frameon=False)
    return figure


def gain_table(stages: Mapping[str, Sequence[Score]]) -> Styler:
    """Stages on the same questions: mean scores with 95 % intervals over questions."""
    rows = [
        (name, len(found), *(_mean([getattr(one, part) for one in found]) for part in Score._fields[:3]))
        for name, found in stages.items()
    ]
    return left_aligned(rows, ["stage", "questions", "total", "format", "correctness"])


def _mean(values: Sequence[float]) -> str:
    low, high = interval(values)
    return f"{fmean(values):+.2f}  [{low:+.2f}, {high:+.2f}]"


def show_answers(
    questions: Sequence[Question],
    written: Mapping[str, Sequence[str]],
    scores: Mapping[str, Sequence[Score]],
) -> Styler:
    """What each stage said to one question, beside the right answer: where the last stage lost most."""
    last = list(scores.values())[-1]
    place = min(range(len(last)), key=lambda one: last[one].total)
    asked = questions[place].prompt.rpartition("<|start|>user<|message|>")[2].partition("<|end|>")[0]
    truth = questions[place].truth.removeprefix(START)
    rows = [("the user", asked, ""), ("right answer", truth, "")]
    rows += [
        (name, _short(texts[place]), f"{scores[name][place].total:+.2f}") for name, texts in written.items()
    ]
    return left_aligned(rows, ["", "says", "total"])
