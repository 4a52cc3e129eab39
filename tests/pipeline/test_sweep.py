"""A sweep runs every cell once, survives one that fails, goes on where it was, and ranks what it found."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from pipeline import sweep
from pipeline.intervals import interval
from pipeline.sweep import CellResult, cell_name, grid, ranked, ranking, run_sweep

NOTEBOOK = """
import json
from pathlib import Path
if SETTINGS["rate"] == 0:
    raise ValueError("a rate of nothing")
count = Path(RUN) / "count"
count.write_text(count.read_text() + "x" if count.exists() else "x")
after = [task < 4 + SETTINGS["rate"] * SETTINGS["warmth"] for task in range(TASKS)]
(Path(RUN) / "summaries").mkdir()
found = {"before": [task < 4 for task in range(TASKS)], "after": after, "seconds": 1.0}
(Path(RUN) / "summaries" / "one.json").write_text(json.dumps(found))
"""


@pytest.fixture
def notebook(tmp_path):
    parameters = new_code_cell('RUN = ""\nTASKS = 4\nSETTINGS = {}', metadata={"tags": ["parameters"]})
    cells = [parameters, new_code_cell(NOTEBOOK)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "one.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_a_grid_is_every_combination():
    cells = grid({"rate": [1, 2], "warmth": [0.5, 1.0, 2.0]})
    assert len(cells) == 6 == len({cell_name(cell) for cell in cells})
    assert grid({}) == [{}]


@pytest.mark.notebook
def test_one_failing_cell_does_not_end_a_sweep_and_nothing_is_done_twice(notebook, tmp_path):
    cells = grid({"rate": [0, 1, 2]})
    results = run_sweep(notebook, tmp_path, cells, TASKS=8, SETTINGS={"warmth": 2})
    assert [one.error for one in results] == ["a rate of nothing", "", ""]
    assert [sum(one.after) for one in results[1:]] == [6, 8] and sum(results[1].before) == 4
    assert [one.settings["rate"] for one in ranked(results)] == [2, 1, 0]
    again = run_sweep(notebook, tmp_path, cells, TASKS=8, SETTINGS={"warmth": 2})
    assert again == results
    with pytest.raises(ValueError, match=r"was run with other TASKS: remove .*sweep first"):
        run_sweep(notebook, tmp_path, cells, TASKS=9, SETTINGS={"warmth": 2})
    assert [path.read_text() for path in sorted(tmp_path.glob("sweep/*/count"))] == ["x", "x"]
    shown = ranking(results).to_html()
    assert shown.index("rate=2") < shown.index("rate=1") < shown.index("a rate of nothing")


def test_an_error_without_words_is_called_by_its_kind(monkeypatch, tmp_path):
    def broken(*_):
        raise TimeoutError

    monkeypatch.setattr(sweep, "execute", broken)
    (result,) = run_sweep(tmp_path / "one.ipynb", tmp_path, [{}])
    assert result.error == "TimeoutError"


def test_the_ranking_shows_success_its_interval_and_the_gain():
    before, after = (True,) * 20 + (False,) * 80, (True,) * 50 + (False,) * 50
    shown = ranking([CellResult({"rate": 1}, before, after, 12.0)]).to_html()
    low, high = interval(after)  # as wide as theory says: tests/pipeline/test_metrics.py
    assert f"50.0%  [{low:.0%}, {high:.0%}] of 100" in shown and 0.38 < low < 0.42 and 0.58 < high < 0.62
    assert "+30.0 points" in shown and "12 s" in shown
