"""Every notebook runs from its first cell to its last, by itself, and leaves its summary."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.notebook

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def run(name: str, folder: Path, **parameters) -> tuple[dict, str]:
    """Execute a notebook in a run folder; returns its summary and all text it printed or showed."""
    import papermill

    executed = papermill.execute_notebook(
        str(NOTEBOOKS / f"{name}.ipynb"),
        str(folder / f"{name}.ipynb"),
        parameters={"RUN": str(folder / "run"), **parameters},
        cwd=str(NOTEBOOKS),
        progress_bar=False,
    )
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    shown = "".join(
        output.get("text", "") or "".join(output.get("data", {}).get("text/html", "")) for output in outputs
    )
    return json.loads((folder / "run" / "summaries" / f"{name}.json").read_text()), shown


@pytest.mark.parametrize("level", [1, 3])
def test_meeting_the_shop_earns_the_reward_by_hand(tmp_path, level):
    family = {1: "order total", 3: "return"}[level]
    summary, shown = run("00_meet_the_shop", tmp_path, LEVEL=level, FAMILY=family, REPETITIONS=3)
    assert summary["reward"] == 1.0
    assert {"reset", "gold episode and reward"} <= summary["speed_us"].keys()
    assert "Policy for the shop" in shown or "find_user_id" in shown


def test_preparing_tasks_finds_the_broken_ones_and_no_leak(tmp_path):
    summary, shown = run("01_prepare_the_tasks", tmp_path, COUNT=120)
    assert summary["tasks"] == 120 == sum(summary["by_split"].values()) and summary["clean"]
    assert "doing nothing solves it" in shown and "rejected: not JSON" in shown
    again, _ = run("01_prepare_the_tasks", tmp_path, COUNT=120)
    assert again == summary, "a second run in the same folder comes to the same"


def test_bringing_ones_own_file(tmp_path):
    own = tmp_path / "own.jsonl"
    own.write_text('{"query": "Hello", "gold_actions": []}\n')
    _, shown = run("01_prepare_the_tasks", tmp_path, COUNT=60, OWN_FILE=str(own))
    assert "exit code 0" in shown
