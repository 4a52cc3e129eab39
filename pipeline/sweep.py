"""Tries settings in a grid: one papermill run of a notebook for each cell, and a ranking of the cells.

    cells = grid({"grpo_learning_rate": [5e-5, 1e-4], "temperature": [0.7, 1.0]})
    results = run_sweep(Path("notebooks/03_grpo_refine.ipynb"), run, cells, WARM_UP="demo", PROFILE="tiny")
    ranking(results); plot_sweep(results)

Each cell has a run folder of its own under `<run>/sweep/`. A cell that is finished is not run again, one that
failed is tried again, and its error stands in the table: it does not end the sweep. What all cells share must
not change on the way: the ranking would compare what cannot be compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from envs.retail.files import read_json, whole_file
from pipeline.grpo_report import gain
from pipeline.intervals import interval, share_in_words
from pipeline.report import left_aligned, new_figure
from pipeline.runs import changed_settings, execute, summary_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas.io.formats.style import Styler

FAILED = "failed.json"
GIVEN = "parameters.json"  # what a cell was run with
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class CellResult:
    """What came of one cell: the held-out tasks it solved before and after, or its error."""

    settings: Settings
    before: tuple[bool, ...] = ()
    after: tuple[bool, ...] = ()
    seconds: float = 0.0
    error: str = ""

    @property
    def name(self) -> str:
        """Its settings in a line."""
        return cell_name(self.settings)


def grid(values: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values, as the settings of one cell each."""
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


def cell_name(settings: Settings) -> str:
    """What a cell is called, in tables and as a folder."""
    return ",".join(f"{name}={value}" for name, value in settings.items()).replace("/", "_") or "defaults"


def run_sweep(notebook: Path, run: Path, cells: Sequence[Settings], **parameters: Any) -> list[CellResult]:
    """Run the notebook once for each cell.

    Args:
        notebook: One that takes RUN and SETTINGS, and leaves a summary with `before`, `after` and `seconds`.
        run: The folder of the sweep.
        cells: The settings of each run, as `grid` makes them.
        parameters: The same for all cells.
    """
    from tqdm.auto import tqdm

    results = []
    for settings in tqdm(cells, desc="cells"):
        folder = run / "sweep" / cell_name(settings)
        given = parameters | {"SETTINGS": parameters.get("SETTINGS", {}) | settings}
        _check_same(folder, given)
        if not summary_file(folder, notebook.stem).exists():
            _run_cell(notebook, folder, given)
        results.append(_result(notebook, folder, settings))
    return results


def _check_same(folder: Path, given: Mapping[str, Any]) -> None:
    """Refuse to take up a cell that was run with something else."""
    if changed := changed_settings(folder / GIVEN, given):
        raise ValueError(f"{folder} was run with other {', '.join(changed)}: remove {folder.parent} first")


def _run_cell(notebook: Path, folder: Path, parameters: Mapping[str, Any]) -> None:
    (folder / FAILED).unlink(missing_ok=True)
    with whole_file(folder / GIVEN) as out:
        json.dump(parameters, out)
    try:
        execute(notebook, folder / notebook.name, {**parameters, "RUN": str(folder.resolve())})
    except Exception as error:  # whatever it is: the other cells are still worth running
        said = str(error).strip() or type(error).__name__
        with whole_file(folder / FAILED) as out:
            json.dump({"error": getattr(error, "evalue", "") or said.splitlines()[-1]}, out)


def _result(notebook: Path, folder: Path, settings: Settings) -> CellResult:
    if (folder / FAILED).exists():
        return CellResult(settings, error=read_json(folder / FAILED)["error"])
    found = read_json(summary_file(folder, notebook.stem))
    return CellResult(settings, tuple(found["before"]), tuple(found["after"]), found["seconds"])


def ranked(results: Sequence[CellResult]) -> list[CellResult]:
    """The best first, failed ones last."""
    return sorted(results, key=lambda one: (bool(one.error), -fmean(one.after or (0.0,))))


def ranking(results: Sequence[CellResult]) -> Styler:
    """The cells by success on held-out tasks, with 95 % intervals over tasks."""
    rows = []
    for place, one in enumerate(ranked(results), 1):
        if one.error:
            rows.append(("failed", one.name, one.error[:80], "", ""))
            continue
        solved = f"{share_in_words(fmean(one.after), *interval(one.after))} of {len(one.after)}"
        rows.append((place, one.name, solved, gain(one.before, one.after), f"{one.seconds:.0f} s"))
    return left_aligned(rows, ["", "settings", "tasks solved after", "gain", "training"])


def plot_sweep(results: Sequence[CellResult]) -> Figure:
    """Success after training with its interval for each cell, the best on top."""
    whole = [one for one in ranked(results) if not one.error][::-1]
    figure = new_figure(8, 1 + 0.4 * len(whole))
    axes = figure.subplots()
    for place, one in enumerate(whole):
        low, high = interval(one.after)
        axes.plot([low, high], [place, place], color="#9aa5b1")
        axes.plot(fmean(one.after), place, "o", color="#4a90d9")
    if whole:
        axes.axvline(fmean(whole[0].before), color="#d9822b", linestyle=":", label="before")
        axes.legend(frameon=False)
    axes.set_yticks(range(len(whole)), [one.name for one in whole])
    axes.set_xlabel(f"share of {len(whole[0].after) if whole else 0} held-out tasks solved")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
