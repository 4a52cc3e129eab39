"""`make bench`: its page says what was measured, and what cannot be compared is not. No time is asserted."""

import json
import math
import subprocess
from pathlib import Path

import pytest

from benchmarks import growth, load, parser, table, worlds
from benchmarks.__main__ import PARTS, main
from benchmarks.endpoint_stand_in import STOP, answer
from benchmarks.growth import Curve, cpu_seconds
from benchmarks.plots import slope
from benchmarks.speed_page import PLACES, Places, curves_of, page
from benchmarks.speed_tables import duration, number
from benchmarks.toolrl import RLLA
from benchmarks.work import held_out_tasks
from benchmarks.worlds import TAU_BENCH
from envs.retail.database import Shop
from envs.retail.files import read_json
from pipeline.runs import ROOT

# The committed page


@pytest.fixture(scope="module")
def committed() -> dict:
    return read_json(PLACES.json)


def test_the_page_says_what_the_file_holds(committed):
    assert set(committed) == set(PARTS)
    assert PLACES.page.read_text(encoding="utf-8") == page(committed, PLACES), "run `make bench ARGS=--page`"


def test_the_picture_states_the_slopes_of_the_file(committed):
    drawn = PLACES.growth.read_text(encoding="utf-8")
    for curve in curves_of(committed):
        assert f">{curve.name}<" in drawn and f">{slope(curve)}<" in drawn, "run `make bench ARGS=--page`"


def test_nothing_was_lost_and_nothing_grows_faster_than_the_work(committed):
    talks = committed["load"]["found"]["endpoint"]["curves"]
    assert {one["concurrent"] for curve in talks.values() for one in curve} == {1, 16, 64, 256}
    assert all(one["lost"] == 0 for curve in talks.values() for one in curve)
    assert all(one["asked_again"] > 0 for curve in talks.values() for one in curve[1:])
    steep = {curve.name: curve.exponent for curve in curves_of(committed) if curve.exponent > 1.25}
    assert not steep, "what is measured here must not be quadratic"


# A quick run


@pytest.mark.slow
def test_a_quick_run_measures_everything_and_writes_only_where_it_is_told(tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in vars(PLACES).values()}
    assert main(["--quick", "--quiet", "--out", str(tmp_path)]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in vars(PLACES).values()}
    places, printed = Places.of(tmp_path), capsys.readouterr().out
    found = read_json(places.json)
    assert set(found) == set(PARTS) and all(
        part["date"] and part["machine"]["cores"] for part in found.values()
    )
    assert places.page.read_text(encoding="utf-8") == page(found, places)
    for row in found["table"]["found"]:
        assert row["what"] in printed
        assert row["note"] if row["ours"] is None else row["ours"] > 0
        if row["ratio"]:
            assert 0 < row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]
    alone = [row for row in found["table"]["found"] if row["name"] == "shop"]
    assert alone and all(row["theirs"] is None and "--against" in row["note"] for row in alone)
    for curve in curves_of(found):
        assert all(0 < seconds < math.inf for seconds in curve.seconds) and curve.name in printed
    talks = found["load"]["found"]["endpoint"]["curves"]
    assert all(one["lost"] == 0 and one["answers"] > 0 for curve in talks.values() for one in curve)
    assert all(one["bytes_each"] > 0 for one in found["load"]["found"]["live"])
    assert places.growth.stat().st_size > 1000 < places.load.stat().st_size


def test_one_row_is_printed_and_replaces_nothing(tmp_path, capsys):
    words = ["--only", "loop", "--adapter", str(tmp_path / "none"), "--out", str(tmp_path)]
    assert main(["--quick", "--quiet", *words]) == 0
    assert "rollout" in (printed := capsys.readouterr().out) and "`make " in printed
    assert not list(tmp_path.iterdir())


def test_a_checkout_that_is_none_is_named(tmp_path, capsys):
    assert main(["--quick", "--quiet", "--only", "shop", "--against", str(tmp_path)]) == 2
    assert f"{tmp_path}: no checkout of tau-bench" in capsys.readouterr().err


def test_checkouts_are_known_by_what_they_hold(tmp_path):
    for name in (TAU_BENCH, RLLA):
        file = tmp_path / name.split("/")[0] / name
        file.parent.mkdir(parents=True)
        file.touch()
    found = table.Against.of([tmp_path / "verl", tmp_path / "tau_bench"])
    assert (found.tau_bench, found.rlla) == (tmp_path / "tau_bench", tmp_path / "verl")


# What is compared, and what is not


def test_what_cannot_be_measured_says_how_to_get_it(tmp_path):
    rows = table.loops(table.FULL, table.Against(adapter=tmp_path / "nowhere"))
    assert [row.name for row in rows] == ["loop", "overhead"] and all(row.ratio is None for row in rows)
    assert all("`make " in row.note for row in rows)


def test_training_that_fails_costs_its_own_rows_only(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "Traceback …\nModelError: train it again\n")
    monkeypatch.setattr(table.subprocess, "run", lambda *_, **__: failed)
    monkeypatch.setattr(table.importlib.util, "find_spec", lambda name: name)
    rows = table.loops(table.FULL, table.Against(adapter=tmp_path))
    assert [row.name for row in rows] == ["loop", "overhead"]
    assert all(row.note == "`python -m benchmarks.grpo` failed: ModelError: train it again" for row in rows)
    failed.returncode, failed.stderr = -9, ""
    assert table.loops(table.FULL, table.Against(adapter=tmp_path))[0].note.endswith("failed: exit code -9")


def test_a_run_that_is_stopped_prints_its_rows_and_keeps_the_parts_that_were_done(
    tmp_path, monkeypatch, capsys
):
    def stopped(*_):
        raise KeyboardInterrupt

    words = ["--quick", "--quiet", "--out", str(tmp_path)]
    rows = {"reward": lambda *_: [table.Row("reward", "a row")], "loop": stopped}
    monkeypatch.setattr(table, "ROWS", rows)
    assert main(["--only", "table", *words]) == 130
    assert "a row" in capsys.readouterr().out and not list(tmp_path.iterdir())
    rows["loop"] = lambda *_: []
    monkeypatch.setattr(growth, "measure", stopped)
    assert main(words) == 130
    places = Places.of(tmp_path)
    found = read_json(places.json)
    assert set(found) == {"table"} and places.page.read_text(encoding="utf-8") == page(found, places)


def test_a_file_that_is_damaged_or_missing_is_named_before_anything_is_measured(tmp_path, capsys):
    assert main(["--page", "--out", str(tmp_path)]) == 2
    assert "speed.json: cannot be read" in capsys.readouterr().err
    Places.of(tmp_path).json.write_text("{")
    assert main(["--quick", "--quiet", "--out", str(tmp_path)]) == 2
    assert "speed.json:1: cannot be read" in capsys.readouterr().err


def test_the_training_benchmark_becomes_rows():
    costs = {"share": 0.004, "step": 10.0}
    speed = {
        "tokens_per_second": {"TRL's loop": 50.0, "ours": 200.0},
        "ratio": {"median": 4, "min": 3, "max": 5},
    }
    loop, overhead = table._loop_rows({"throughput": speed, "overhead": {"tools": costs}})
    assert (loop.ours, loop.theirs, loop.clock) == (0.005, 0.02, "wall")
    assert overhead.ours == pytest.approx(0.04) and overhead.note.startswith("0.40% of a step")


def test_parsers_that_read_differently_are_not_compared():
    one = parser.Reader(lambda ids: ids, lambda ids: [("text", str(ids))])
    other = parser.Reader(lambda ids: ids, lambda ids: [("text", "")])
    parser.require_same_messages({"ours": one, "theirs": one}, [[1]])
    with pytest.raises(SystemExit, match="read an episode differently"):
        parser.require_same_messages({"ours": one, "theirs": other}, [[1]])


def test_live_episodes_must_all_succeed(monkeypatch):
    shop, tasks = Shop.load(), [task for task in held_out_tasks() if task.outputs][:3]
    assert load.play_in_turn(shop, tasks, 7) == sum(len(worlds.actions_of(tasks[n % 3])) for n in range(7))
    monkeypatch.setattr(worlds, "closing", lambda task: "Bye.")
    with pytest.raises(SystemExit, match="7 of 7 gold episodes did not succeed"):
        load.play_in_turn(shop, tasks, 7)


# Slopes and words


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_that_power(power):
    sizes = (10, 30, 100, 300)
    curve = Curve("", "tasks", sizes, tuple(3e-6 * size**power for size in sizes))
    assert (curve.exponent, curve.last) == (pytest.approx(power), pytest.approx(power))


def test_a_fixed_cost_hides_in_the_first_slope_only():
    sizes = (1, 10, 100, 1000, 10_000)
    curve = Curve("", "tasks", sizes, tuple(1.0 + 1e-5 * size**2 for size in sizes))
    assert curve.exponent < 1 < 1.5 < curve.last <= 2


def test_short_work_is_repeated_until_it_can_be_measured():
    done = []
    assert 0 < cpu_seconds(lambda: done.append(sum(range(1000))), long_enough=0.002) < 0.002
    assert len(done) > 1


def test_the_stand_in_plays_customer_and_agent_by_script():
    script = {"Cancel it.": [{"content": "Which one?"}, {"content": "Done. Is there anything else?"}]}
    told = {"role": "system", "content": "… What you want: Cancel it.\nIf asked, …"}
    hello = {"role": "user", "content": "Hi!"}
    assert answer({"messages": [told, hello]}, script)["content"] == "Cancel it."
    talk = [told, hello, {"role": "assistant", "content": "Cancel it."}, {"role": "user", "content": "Sure?"}]
    assert answer({"messages": talk}, script)["content"] == "Yes, please."
    talk[-1] = {"role": "user", "content": "Is there anything else?"}
    assert answer({"messages": talk}, script)["content"] == STOP
    agent = {"messages": [{"role": "user", "content": "Cancel it."}], "tools": [{}]}
    assert answer(agent, script)["content"] == "Which one?"
    agent["messages"] += [{"role": "assistant", "content": "Which one?"}, {"role": "user", "content": "Yes."}]
    assert answer(agent, script)["content"].startswith("Done.")


def test_times_and_numbers_are_written_with_a_unit():
    assert [duration(x) for x in (12.3, 0.0123, 1.23e-5, 4.5e-8)] == [
        "12.3 s",
        "12.3 ms",
        "12.3 µs",
        "45.0 ns",
    ]
    assert [number(x) for x in (12345.6, 99.5, 1.234)] == ["12,346", "99.5", "1.23"]


def test_the_command_of_the_makefile_is_the_one_of_the_page():
    assert "-m benchmarks $(ARGS)" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "make bench" in PLACES.page.read_text(encoding="utf-8")
    assert json.loads(Path(PLACES.json).read_text())["table"]["found"]
