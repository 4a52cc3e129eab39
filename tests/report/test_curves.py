"""Learning curves: which value of a step counts, what is drawn of long or broken logs, and where."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st
from sample_run import write_metrics

from pipeline.grpo_report import PANELS
from pipeline.page.curves import FRAME, MOST_POINTS, PLOTS, Logs, charts, label, read_logs, term_charts, ticks
from pipeline.training_report import LOSSES


def test_the_last_line_of_a_step_wins_and_half_a_line_is_counted(tmp_path):
    lines = [
        {"stage": "sft", "step": 1, "loss": 3.0},
        {"stage": "sft", "step": 2, "loss": 2.0},
        {"stage": "sft", "step": 2, "eval_loss": 2.5},
        {"stage": "sft", "step": 2, "loss": 1.5},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '[1]\n{"stage": "sft", "st')
    logs = read_logs(tmp_path)
    assert logs.metrics == {"sft": {"loss": {1: 3.0, 2: 1.5}, "eval_loss": {2: 2.5}}}
    assert logs.unreadable == 2 and logs.steps("sft") == 2 and logs.steps("grpo") == 0
    assert read_logs(tmp_path / "nowhere") == Logs()


def test_all_that_was_logged_is_drawn_inside_its_frame(tmp_path):
    write_metrics(tmp_path)
    logs = read_logs(tmp_path)
    drawn = [*charts(logs, "sft"), *charts(logs, "grpo"), *term_charts(logs, "grpo")]
    assert [chart.title for chart in drawn[:2]] == ["Loss", "Token accuracy"]
    assert {"Reward of a step", "Success", "Entropy", "tool_level", "outcome"} <= {one.title for one in drawn}
    for chart in drawn:
        assert chart.unit and "n = " in chart.note and len(chart.x_ticks) > 1 and len(chart.y_ticks) > 1
        for x, y in [point for line in chart.lines for point in line.points]:
            assert FRAME.left <= x <= FRAME.right and FRAME.top <= y <= FRAME.bottom
    success = next(chart for chart in drawn if chart.title == "Success")
    assert [line.label for line in success.lines] == ["task success rate", "validation task success rate"]
    assert [value for _, value in success.y_ticks] == [0, 0.5, 1]


def test_a_long_run_is_drawn_as_means_and_what_is_no_number_is_left_out():
    values = {step: float(step) for step in range(1, 1001)} | {7: math.nan, 9: math.inf}
    (chart,) = charts(Logs({"grpo": {"reward": values}}), "grpo")
    assert len(chart.lines[0].points) <= MOST_POINTS and chart.lines[0].last == 1000
    assert chart.note == "n = 998 steps, means of 5 neighbours, 2 values that are no number left out"
    assert charts(Logs({"grpo": {"reward": {1: math.nan}}}), "grpo") == []
    (single,) = charts(Logs({"grpo": {"reward": {0: 0.0}}}), "grpo")
    assert single.note == "n = 1 step" and single.lines[0].dots


def test_the_page_draws_whatever_the_notebooks_draw():
    drawn = {name for plots in PLOTS.values() for _, _, names in plots for name in names}
    wanted = {name for panel in (*PANELS, LOSSES) for name in panel.names if not name.startswith("terms/")}
    assert wanted <= drawn


def test_names_in_words():
    assert label("eval_loss") == "validation loss"
    assert label("terms/tool_level/correct_name") == "correct name"
    assert label("seconds/update") == "update"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_numbers_within_the_axis(low, share):
    length = share * max(abs(low), 1e-6)
    high = low + length
    found = ticks(low, high)
    assert 1 <= len(found) <= 7 and found == sorted(set(found))
    room = length * 1e-5
    assert all(low - room <= value <= high + room for value in found)
