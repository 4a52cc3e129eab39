"""The reference runs on the README's first screen: one table and one picture, never written by hand.

    put_into(ROOT / "README.md", readme_table(found))      # between the two marks, and nowhere else
    write_curve(found, REFERENCE.with_name("curve.svg"))

`found` is what `make reference` writes to outputs/reference/grpo.json. A test compares the README with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from statistics import fmean
from typing import Any

from envs.retail.files import whole_file
from pipeline.intervals import interval

BEGIN, END = "<!-- measured by `make reference`: begin -->", "<!-- measured by `make reference`: end -->"
# The same tasks at each look; those of a step change with the curriculum.
SUCCESS = "validation/task_success_rate"
COLOURS = ("#2f6db5", "#c8642c", "#3c8f5a", "#8a4fa3", "#7a7a7a")


def readme_table(found: Mapping[str, Any]) -> str:
    """Success on held-out tasks by stage and seed, with 95 % intervals over tasks, and what a point means."""
    real = [run for run in found["runs"] if not run["shuffled"]]
    control = {run["seed"]: run for run in found["runs"] if run["shuffled"]}
    seeds = [run["seed"] for run in real]
    rows = [
        ["base", *[_solved(found["base"])] * len(real)],
        ["after SFT", *(_solved(run["before"]) for run in real)],
        ["after GRPO", *(f"**{_solved(run['after'])}**" for run in real)],
        ["GRPO with shuffled rewards, the control", *(_solved(control[seed]["after"]) for seed in seeds)],
    ]
    count = len(found["base"])
    title = f"solved, of {count} held-out tasks"
    lines = [[title, *(f"seed {seed}" for seed in seeds)], ["---"] * (len(seeds) + 1), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    point = next((one for one in ("[0, 0]", "[100, 100]") if one in table), None)
    return f"{table}\n\n{_no_certainty(point, count)}" if point else table


def _no_certainty(point: str, count: int) -> str:
    """Draws from outcomes that are all alike are alike, too."""
    share = 1 - 0.05 ** (1 / count)
    return (
        f"{point} is no certainty: all {count} tasks ended alike, and up to {share:.0%} of all tasks could\n"
        "still end otherwise (95 %)."
    )


def _solved(outcomes: Sequence[bool]) -> str:
    low, high = interval([float(one) for one in outcomes])
    return f"{fmean(outcomes):.0%} [{100 * low:.0f}, {100 * high:.0f}]"


def put_into(readme: Path, table: str, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Put the table between the marks of a README or another page."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ValueError(f"{readme} must hold {marks[0]} and {marks[1]}, with the table to go between them")
    with whole_file(readme) as out:
        out.write(f"{before}{begin}\n{table}\n{end}{after}")


def write_curve(found: Mapping[str, Any], file: Path) -> None:
    """Success on the validation tasks over the steps, a line a seed; dotted with shuffled rewards."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.8))
    axes = figure.subplots()
    colours = dict(zip(dict.fromkeys(run["seed"] for run in found["runs"]), cycle(COLOURS), strict=False))
    for run in found["runs"]:
        looks = [(entry["step"], entry[SUCCESS]) for entry in run["history"] if SUCCESS in entry]
        style = {"linestyle": ":" if run["shuffled"] else "-", "linewidth": 1.2 if run["shuffled"] else 2}
        style |= {"marker": "o", "markersize": 4, "color": colours[run["seed"]]}
        label = f"seed {run['seed']}" + (", rewards shuffled" if run["shuffled"] else "")
        axes.plot(*zip(*looks, strict=True), label=label, **style)
    axes.set(xlabel="GRPO step", ylabel="validation tasks solved", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", bbox_to_anchor=(1.0, 1.0), loc="upper left")
    figure.tight_layout()
    with matplotlib.rc_context({"svg.hashsalt": "reference"}), whole_file(file) as out:
        figure.savefig(out.buffer, format="svg", metadata={"Date": None})
