"""What the metrics of reinforcement learning were like in runs that went well, and in one that did not.

    print(table())          # for docs/metrics.md, from outputs/reference/grpo.json (`make reference`)

Means over the first and the last steps of the reference runs: the three seeds, the same with rewards dealt
out by chance, and the run whose learning rate is too large (of which more metrics were kept).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from envs.retail.files import read_json
from pipeline.grpo_report import PANELS, REFERENCE

STEPS = 4  # at each end: a single step has 32 episodes only
History = Sequence[Mapping[str, Any]]


def table(reference: Path = REFERENCE) -> str:
    """One row a metric that the notebooks draw, as far as the reference runs have kept it."""
    found = read_json(reference)
    columns = {
        f"{sum(not run['shuffled'] for run in found['runs'])} seeds": _histories(found, shuffled=False),
        "rewards dealt out by chance": _histories(found, shuffled=True),
        "learning rate too large": [found["collapse"]["history"]],
    }
    drawn = dict.fromkeys(name for panel in PANELS for name in panel.names if "seconds" not in name)
    lines = [
        f"Means of the first {STEPS} steps → of the last {STEPS} (of what is measured now and then: of the",
        "first look → of the last) in `outputs/reference/grpo.json`; - is what was not kept.",
        "",
        f"| metric | {' | '.join(columns)} |",
        f"| --- |{' --- |' * len(columns)}",
    ]
    rows = {name: [_ends(name, some) for some in columns.values()] for name in drawn}
    return "\n".join(["", *lines, *(f"| `{name}` | {' | '.join(row)} |" for name, row in rows.items()), ""])


def _histories(found: Mapping[str, Any], *, shuffled: bool) -> list[History]:
    return [run["history"] for run in found["runs"] if run["shuffled"] == shuffled]


def _ends(name: str, histories: Sequence[History]) -> str:
    """First and last, in the mean of the runs."""
    every = [[entry[name] for entry in history if name in entry] for history in histories]
    if not all(every):
        return "-"
    counts = [STEPS if len(values) >= 2 * STEPS else 1 for values in every]
    first = fmean(fmean(values[:count]) for values, count in zip(every, counts, strict=True))
    last = fmean(fmean(values[-count:]) for values, count in zip(every, counts, strict=True))
    return f"{_shown(first)} → {_shown(last)}"


def _shown(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2f}"
