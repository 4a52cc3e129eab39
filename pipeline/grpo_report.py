"""Looking at reinforcement learning: what is paid, how it went, and what it gained.

pay_table(config, shop, task)                     # what a good, a poor and an idle episode of a task earn
refining_time(config, shop, tokenizer, 100)       # how long it will take (pipeline/time_estimate.py)
live_curves(*PANELS)                              # while it trains (pipeline/callbacks.py)
plot_curves(result.history)                       # the same panels afterwards
success_table(before, after)                      # the same held-out tasks, with intervals
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from envs.retail.database import Shop
from envs.retail.files import read_json
from envs.retail.tasks import Task
from pipeline.attacks.attack import act
from pipeline.callbacks import Panel, curves_figure
from pipeline.config import Config
from pipeline.demonstrations import report
from pipeline.episode import Episode
from pipeline.grpo_rewards import weights_of
from pipeline.grpo_watch import episode_metrics
from pipeline.intervals import interval, share_in_words
from pipeline.report import left_aligned
from pipeline.rewards import score
from pipeline.runs import ROOT
from pipeline.time_estimate import refining_time as refining_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas.io.formats.style import Styler

REFERENCE = ROOT / "outputs" / "reference" / "grpo.json"
PANELS: tuple[Panel, ...] = (
    Panel("reward of a step", ("reward",)),
    Panel("its terms", ("terms/outcome/success", "terms/tool_level/correct_name",
                        "terms/tool_level/correct_arguments", "terms/tool_level/incorrect_action")),
    Panel("success", ("task_success_rate", "validation/task_success_rate")),
    Panel("readable turns, finished episodes", ("tool_parse_success_rate", "ended_properly")),
    Panel("tokens of an episode", ("completions/mean_length",)),
    Panel("calls and turns", ("avg_tool_calls", "avg_turns")),
    Panel("entropy, clipped", ("entropy", "clip_ratio/region_mean")),
    Panel("groups without spread", ("flat_groups",)),
    Panel("seconds of a step", ("seconds/generation", "seconds/tools", "seconds/reward", "seconds/update")),
)  # fmt: skip


def plot_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """All panels of a finished run."""
    return curves_figure(list(history), PANELS)


def pay_table(config: Config, shop: Shop, task: Task) -> Styler:
    """What the config's reward pays for several ways to serve one task."""
    gold = list(task.gold_actions)
    ways = {
        "the gold actions and an answer": gold,
        "the same without the last call": gold[:-1],
        "the first call ten times": gold[:1] * 10,
        "an answer at once": [],
    }
    rows = []
    for name, actions in ways.items():
        episode = act(shop, task, actions, config.mode, report(task))
        worth = score(episode, weights_of(config.reward), normalise=True)
        parts = [f"{profile} {value:.2f}" for profile, value in worth.profiles.items()]
        rows.append((name, len(episode.calls), " · ".join(parts), f"{worth.total:.2f}"))
    return left_aligned(rows, ["an episode with", "calls", "profiles", "reward"])


def success_table(before: Sequence[Episode], after: Sequence[Episode]) -> Styler:
    """Two models on the same tasks; success with its interval over tasks, the difference task by task."""
    old, new = episode_metrics(before), episode_metrics(after)
    rows = [(f"tasks solved, of {len(before)}", *map(_share_of, (before, after)), _difference(before, after))]
    for name, unit in _ALSO:
        values = f"{old[name]:{unit}}", f"{new[name]:{unit}}", f"{new[name] - old[name]:+{unit}}"
        rows.append((name.replace("_", " "), *values))
    return left_aligned(rows, ["", "before", "after", "difference"])


def step_table(history: Sequence[Mapping[str, Any]]) -> Styler:
    """Where the wall clock of the training steps went, and how many groups had nothing to teach."""
    steps = [entry for entry in history if "loss" in entry]
    parts = {name: fmean(entry[name] for entry in steps) for name in PANELS[-1].names}
    whole = sum(parts.values()) or 1.0
    rows = [
        (name.replace("seconds/", ""), f"{value:.2f} s", f"{value / whole:.1%}")
        for name, value in parts.items()
    ]
    flat = fmean(entry["flat_groups"] for entry in steps)
    rows.append(("groups without spread", f"{flat:.0%}", "left out of the update"))
    return left_aligned(rows, [f"mean of {len(steps)} steps", "", "share of the step"])


_ALSO = (
    ("tool_parse_success_rate", ".1%"),
    ("tool_completion_success", ".1%"),
    ("ended_properly", ".1%"),
    ("avg_tool_calls", ".2f"),
    ("avg_turns", ".2f"),
    ("avg_tokens", ".0f"),
)


def _share_of(episodes: Sequence[Episode]) -> str:
    solved = [float(episode.succeeded) for episode in episodes]
    return share_in_words(fmean(solved), *interval(solved))


def _difference(before: Sequence[Episode], after: Sequence[Episode]) -> str:
    if [one.task.id for one in before] != [one.task.id for one in after]:
        raise ValueError("before and after must be the same tasks in the same order")
    return gain([one.succeeded for one in before], [one.succeeded for one in after])


def gain(before: Sequence[bool], after: Sequence[bool]) -> str:
    """How many more of the same tasks are solved, in percentage points, with the interval over tasks."""
    differences = [float(new) - float(old) for old, new in zip(before, after, strict=True)]
    low, high = interval(differences)
    return f"{100 * fmean(differences):+.1f} points  [{100 * low:+.0f}, {100 * high:+.0f}]"


_MAKE = "`make reference` measures them, in most of an hour on 2 cores"


def reference_table(reference: Path = REFERENCE) -> Styler:
    """The committed runs: success before and after for each seed, and after shuffled rewards."""
    if not reference.exists():
        return left_aligned([("no reference runs here", _MAKE)], ["", "how to get them"])
    runs, rows = read_json(reference)["runs"], []
    for real in (run for run in runs if not run["shuffled"]):
        control = next(run for run in runs if run["shuffled"] and run["seed"] == real["seed"])
        solved = f"{fmean(real['before']):.0%}", f"{fmean(real['after']):.0%}"
        gains = [gain(run["before"], run["after"]) for run in (real, control)]
        rows.append((real["seed"], len(real["before"]), *solved, *gains))
    return left_aligned(rows, ["seed", "tasks", "before", "after", "gain", "with shuffled rewards"])


def plot_collapse(reference: Path = REFERENCE) -> Figure:
    """The committed run with a learning rate that is too large."""
    if not reference.exists():
        return curves_figure([], [Panel(f"no reference runs here: {_MAKE}", ())])
    collapse = read_json(reference)["collapse"]
    figure = curves_figure(collapse["history"], [PANELS[0], *PANELS[2:4], PANELS[6], PANELS[4], PANELS[7]])
    figure.suptitle(f"learning rate {collapse['learning_rate']:g}")
    return figure
