"""Tables and plots of evaluations show the numbers of the episodes they are made of."""

from pipeline.evaluation_report import (
    comparison_table,
    failure_table,
    pass_table,
    plot_levels,
    verdict_table,
)
from pipeline.metrics import METRICS, SECONDS, Played


def stage(wins: int, tasks: int = 20, trials: int = 1) -> list[Played]:
    """The first tasks succeed; tasks take turns in two levels."""
    return [
        Played(
            f"task-{number}",
            trial,
            1 + number % 2,
            "",
            {name: (float(number < wins), 1) for name in (*METRICS, SECONDS)} | {"turns": (4, 1)},
            None if number < wins else "wrong argument" if number % 2 else "forgot a write",
        )
        for number in range(tasks)
        for trial in range(trials)
    ]


PLAYED = {"base": stage(0), "sft": stage(8), "grpo": stage(16)}


def test_the_verdict_holds_every_stage_with_its_interval():
    frame = verdict_table(PLAYED).data
    assert list(frame.columns) == ["", "base (20 episodes)", "sft (20 episodes)", "grpo (20 episodes)"]
    row = frame[frame[""] == "task success rate"].iloc[0].tolist()
    assert [cell.split()[0] for cell in row[1:]] == ["0.0%", "40.0%", "80.0%"]
    assert row[1] == "0.0%  [0%, 0%], all alike"
    assert frame[frame[""] == "turns"].iloc[0].tolist()[1:] == ["4"] * 3


def test_each_stage_is_compared_with_the_one_before():
    frame = comparison_table(PLAYED).data
    assert frame[""].tolist() == ["base → sft", "sft → grpo"]
    assert all(points.startswith("+40.0  [") for points in frame["points"])
    assert frame["tasks better"].tolist() == [8, 8] and frame["tasks worse"].tolist() == [0, 0]


def test_failures_add_up_to_all_episodes():
    frame = failure_table(PLAYED).data
    assert frame["failure"].tolist() == ["wrong argument", "forgot a write", "(succeeded)"]
    assert [int(frame[name].sum()) for name in PLAYED] == [20, 20, 20]
    assert frame["grpo"].tolist() == [2, 2, 16]


def test_trials_are_shown_for_every_k():
    frame = pass_table({"sft": stage(8, trials=3), "grpo": stage(16, trials=2)}).data
    assert list(frame.columns) == ["", "k = 1", "k = 2", "k = 3"]
    assert frame.iloc[0].tolist() == ["sft, pass^k", "40.0%", "40.0%", "40.0%"]
    assert frame.iloc[2].tolist() == ["grpo, pass^k", "80.0%", "80.0%", ""]


def test_the_plot_has_a_bar_a_stage_and_level():
    axes = plot_levels(PLAYED).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [0, 0, 0.4, 0.4, 0.8, 0.8]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "level 1\n10 tasks",
        "level 2\n10 tasks",
    ]
