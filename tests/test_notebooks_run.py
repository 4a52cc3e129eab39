"""Every notebook runs from its first cell to its last, by itself, and leaves its summary."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.notebook

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def run(name: str, folder: Path, *, quiet: bool = True, **parameters) -> tuple[dict, str]:
    """Execute a notebook in a run folder; returns its summary and all text it printed or showed.

    A quiet one writes nothing to stderr; trainers and progress bars do.
    """
    import papermill

    executed = papermill.execute_notebook(
        str(NOTEBOOKS / f"{name}.ipynb"),
        str(folder / f"{name}.ipynb"),
        parameters={"RUN": str(folder / "run"), **parameters},
        cwd=str(NOTEBOOKS),
        progress_bar=False,
    )
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    drawn = [
        output.data for output in outputs if "Figure size" in output.get("data", {}).get("text/plain", "")
    ]
    assert all("image/png" in data for data in drawn), "a figure that is shown as its name"
    loud = [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert not (quiet and loud)
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
    assert "will it run here?" in shown and "gpu80" in shown, "what this machine can do"


def test_preparing_tasks_finds_the_broken_ones_and_no_leak(tmp_path):
    summary, shown = run("01_prepare_the_tasks", tmp_path, COUNT=120)
    assert summary["tasks"] == 120 == sum(summary["by_split"].values()) and summary["clean"]
    assert "doing nothing solves it" in shown and "rejected: not JSON" in shown
    again, _ = run("01_prepare_the_tasks", tmp_path, COUNT=120)
    assert again == summary, "a second run in the same folder comes to the same"


def test_bringing_ones_own_file(tmp_path):
    look = {"name": "get_order_details", "arguments": {"order_id": "#W2583499"}}
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"query": "Hello", "gold_actions": [look]}) + "\n")
    _, shown = run("01_prepare_the_tasks", tmp_path, COUNT=60, LEVELS=[1], OWN_FILE=str(own))
    assert "exit code 0" in shown
    _, shown = run("00_meet_the_shop", tmp_path, TASK_FILE=str(own), REPETITIONS=3)
    assert "get_order_details {'order_id': '#W2583499'}" in shown


def test_the_control_does_not_take_up_the_run_it_is_held_against(tmp_path):
    with pytest.raises(Exception, match="the control needs another RUN"):
        run("03_grpo_refine", tmp_path, PROFILE="tiny", SHUFFLED=True)


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["agent", "plan"])
def test_warming_up_and_refining_train_and_measure_before_and_after(tmp_path, monkeypatch, mode):
    small = {"TRAIN_TASKS": 24, "VALIDATION_TASKS": 4, "SFT_EVAL_STEPS": 3, "SFT_BATCH_SIZE": 4}
    for name, value in small.items():
        monkeypatch.setenv(f"GPTOSS_{name}", str(value))
    summary, shown = run("02_sft_warmup", tmp_path, quiet=False, PROFILE="tiny", MODE=mode, HELD_OUT=2)
    assert summary["before"]["calls"] == summary["after"]["calls"] >= 2
    assert summary["before"]["valid_rate"] <= 0.5, "the base does not know the shop's tools"
    assert "sft_learning_rate" in shown
    adapter = tmp_path / "run" / "sft" / "adapter" / "adapter_model.safetensors"
    trained = adapter.stat().st_mtime_ns
    again, _ = run("02_sft_warmup", tmp_path, quiet=False, PROFILE="tiny", MODE=mode, HELD_OUT=2)
    assert again["after"] == summary["after"] and adapter.stat().st_mtime_ns == trained
    refined(tmp_path, mode)


SHORT = {
    "grpo_max_steps": 2,
    "grpo_eval_steps": 1,
    "grpo_batch_size": 4,
    "grpo_accumulation": 1,
    "num_generations": 2,
    "validation_tasks": 2,
    "max_turns": 3,
    "max_turn_length": 40,
    "max_completion_length": 400,
}


def refined(folder: Path, mode: str) -> None:
    """Reinforcement learning on top of a warm-up, its control, and in agent mode a sweep over it."""
    given = {"PROFILE": "tiny", "MODE": mode, "HELD_OUT": 2, "SETTINGS": SHORT}
    summary, shown = run("03_grpo_refine", folder, quiet=False, **given)
    assert len(summary["before"]) == len(summary["after"]) == 2
    assert [entry["step"] for entry in summary["history"] if "loss" in entry] == [1, 2]
    assert "the gold actions and an answer" in shown
    assert "Training Loss" not in shown, "curves show more than a table with a row a step"
    best = folder / "run" / "grpo" / "best" / "adapter_model.safetensors"
    trained = best.stat().st_mtime_ns
    again, _ = run("03_grpo_refine", folder, quiet=False, **given)
    assert again["after"] == summary["after"] and best.stat().st_mtime_ns == trained
    evaluated(folder, mode)
    if mode == "agent":
        exported(folder)
        given |= {"GRID": {"num_generations": [2, 3]}}
        found, ranking = run("07_sweep", folder, quiet=False, **given)
        kinds = [type(cell) for cell in found["cells"].values()]
        assert "failed" in ranking and kinds == [list, str], "a batch of 4 has no groups of 3"


def evaluated(folder: Path, mode: str) -> None:
    """All stages on the same tasks; a second run plays nothing again."""
    stages = ["base", "sft", "grpo"]
    given = {"PROFILE": "tiny", "MODE": mode, "HELD_OUT": 3, "STAGES": stages, "TRIALS": 2, "SETTINGS": SHORT}
    summary, shown = run("04_evaluate_and_compare", folder, quiet=False, **given)
    assert list(summary) == stages and all(len(outcomes) == 6 for outcomes in summary.values())
    assert "base → sft" in shown and "pass^k" in shown and "answered otherwise: 0" in shown
    episodes = folder / "run" / "evaluation" / "grpo.jsonl"
    written = episodes.read_text()
    assert written.count("\n") == 6
    again, _ = run("04_evaluate_and_compare", folder, quiet=False, **given)
    assert again == summary and episodes.read_text() == written


def exported(folder: Path) -> None:
    """Written, loaded again, compared, and talked to."""
    given = {"PROFILE": "tiny", "LINES": ["Hello there", "bye"], "SETTINGS": {"max_turn_length": 20}}
    summary, shown = run("05_export_and_chat", folder, quiet=False, **given)
    assert summary["adapter"][0] == 0.0 and 0 <= summary["merged"][0] < 1e-2 and summary["gguf"][0] is None
    assert "you: Hello there" in shown and "not written" in shown
    assert (folder / "run" / "export" / "merged" / "model.safetensors").exists()


@pytest.mark.torch
@pytest.mark.slow
def test_toolrl_rows_are_converted_learned_and_refined(tmp_path):
    short = {"sft_eval_steps": 3, "grpo_max_steps": 1, "grpo_batch_size": 4, "num_generations": 4}
    given = {"PROFILE": "tiny", "TASKS": 8, "HELD_OUT": 2, "LONGEST": 1000, "SETTINGS": short}
    summary, shown = run("06_toolrl_harmony", tmp_path, quiet=False, **given)
    assert list(summary["totals"]) == ["base", "SFT", "GRPO"]
    assert all(len(totals) == 2 and min(totals) >= -3 for totals in summary["totals"].values())
    assert "perfect" in shown and ">NO<" not in shown, "the published cases score as published"
    best = tmp_path / "run" / "grpo" / "best" / "adapter_model.safetensors"
    trained = best.stat().st_mtime_ns
    again, _ = run("06_toolrl_harmony", tmp_path, quiet=False, **given)
    assert again["totals"] == summary["totals"] and best.stat().st_mtime_ns == trained


def test_scaling_out_plans_exports_checks_and_compares(tmp_path):
    summary, shown = run("08_scale_out", tmp_path, TASKS=24, STEPS=0)
    assert summary["exported"] == 24
    assert summary["fits"]["1"] is False and summary["fits"]["16"] is True
    assert "reads no call of gpt-oss" in shown and "no finished run named" in shown
    assert (tmp_path / "run" / "scale_out" / "verl" / "tools.yaml").exists()


@pytest.mark.torch
@pytest.mark.slow
def test_scaling_out_runs_the_calculator_in_trls_loop(tmp_path):
    _, shown = run("08_scale_out", tmp_path, quiet=False, TASKS=20, STEPS=1)
    assert "avg_tool_calls" in shown and "completions/mean_length" in shown
