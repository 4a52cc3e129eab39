"""The frame of the trials: pieces, resuming, results, the command line, and the page made from them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reliability import __main__ as command
from reliability.limits import TookTooLong, within
from reliability.minimise import smallest
from reliability.page import PAGE, page, read_results
from reliability.runner import carry_out, finished
from reliability.trial import MAX_FAILURES, Found, Setting, Trial, sized
from reliability.trials import TRIALS

ROOT = Path(__file__).parents[2]


class Stopped(BaseException):
    """Stands for a kill in the middle of a piece."""


class Toy:
    """A trial that can be told where to be killed and what fails; it remembers what it carried out."""

    def __init__(self, *, kill_at: int = -1, bad: tuple[int, ...] = ()):
        self.kill_at, self.bad, self.carried_out = kill_at, bad, []
        self.trial = Trial("toy", "A toy", "What is tried.", self.run, sized(full=10, quick=4), piece=2)

    def run(self, cases: range, setting: Setting) -> Found:
        found = Found()
        for case in cases:
            if case == self.kill_at:
                raise Stopped
            self.carried_out.append(case)
            found.counts["even" if case % 2 == 0 else "odd"] += 1
            found.note("largest square, units", case * case, case)
            found.rows.append({"case": case, "what": "<|a|> `b`"})
            if case in self.bad:
                found.fail(case, f"case {case} broke", "x")
        return found


def figures(result):
    return {name: result[name] for name in ("done", "failed", "failures", "counts", "largest", "rows")}


def test_a_killed_trial_goes_on_behind_its_last_piece_and_ends_the_same(tmp_path):
    undisturbed = carry_out(Toy(bad=(1, 7)).trial, Setting(folder=tmp_path / "one"))
    with pytest.raises(Stopped):
        carry_out(Toy(kill_at=5, bad=(1, 7)).trial, Setting(folder=tmp_path / "two"))
    again = Toy(bad=(1, 7))
    result = carry_out(again.trial, Setting(folder=tmp_path / "two"))
    assert again.carried_out == [4, 5, 6, 7, 8, 9]
    assert figures(result) == figures(undisturbed) and finished(result)
    assert result == json.loads((tmp_path / "two" / "toy.json").read_text())
    assert [failure["case"] for failure in result["failures"]] == [1, 7]


@pytest.mark.parametrize(
    ("setting", "again", "carried_out"),
    [
        (Setting(), False, 0),
        (Setting(), True, 10),
        (Setting(seed=2), False, 10),
        (Setting(quick=True), False, 4),
    ],
)
def test_what_is_finished_is_not_run_again_unless_asked_or_something_else(
    setting, again, carried_out, tmp_path
):
    carry_out(Toy().trial, Setting(folder=tmp_path))
    toy = Toy()
    here = Setting(setting.quick, setting.seed, tmp_path)
    assert finished(carry_out(toy.trial, here, again=again))
    assert len(toy.carried_out) == carried_out


def test_a_damaged_state_is_named_and_the_trial_begins_anew(tmp_path, capsys):
    carry_out(Toy().trial, Setting(folder=tmp_path))
    (tmp_path / "toy.json").write_text('{"trial": "to')
    toy = Toy()
    carry_out(toy.trial, Setting(folder=tmp_path))
    assert len(toy.carried_out) == 10
    assert "toy.json" in capsys.readouterr().err


def test_it_stops_after_the_seconds_it_was_given(tmp_path):
    toy = Toy()
    result = carry_out(toy.trial, Setting(folder=tmp_path), stop_after=0)
    assert not finished(result) and toy.carried_out == []


def test_what_is_stopped_before_its_first_piece_leaves_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "TRIALS", (Toy().trial,))
    monkeypatch.setattr(command, "REFERENCE", tmp_path / "kept")
    assert command.main(["--only", "toy", "--out", str(tmp_path / "out"), "--stop-after", "0"]) == 0
    assert not (tmp_path / "kept").exists()


def test_all_failures_are_counted_and_the_first_kept():
    found = Found()
    for start in (0, 30):
        piece = Found()
        for case in range(start, start + 30):
            piece.fail(case, "broke")
        found.merge(piece)
    assert found.failed == 60
    assert [failure.case for failure in found.failures] == list(range(MAX_FAILURES))
    assert Found.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_trial_that_cannot_run_here_says_why_and_replaces_no_result(tmp_path, monkeypatch, capsys):
    toy = Toy().trial
    unfit = Trial(toy.name, toy.title, toy.about, toy.run, toy.cases, unfit=lambda setting: "needs a moon")
    monkeypatch.setattr(command, "TRIALS", (toy,))
    monkeypatch.setattr(command, "REFERENCE", tmp_path / "kept")
    monkeypatch.setattr(command, "write_page", lambda: None)
    assert command.main(["--only", "toy", "--out", str(tmp_path / "out")]) == 0
    kept = (tmp_path / "kept" / "toy.json").read_text()
    monkeypatch.setattr(command, "TRIALS", (unfit,))
    assert command.main(["--only", "toy", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "kept" / "toy.json").read_text() == kept
    assert command.main(["--only", "toy", "--case", "0"]) == 2
    assert "toy: not run: needs a moon" in capsys.readouterr().err
    assert "not run: needs a moon" in page({"toy": {"not_run": "needs a moon"}}, [unfit])


def test_a_failure_is_told_with_the_line_that_repeats_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "TRIALS", (Toy(bad=(3,)).trial,))
    assert command.main(["--quick", "--only", "toy", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "again: python -m reliability --only toy --seed 1 --quick --case 3" in told
    assert command.main(["--only", "toy", "--seed", "1", "--quick", "--case", "3"]) == 1
    assert "case 3 broke" in capsys.readouterr().out
    assert command.main(["--only", "toy", "--quick", "--case", "2"]) == 0
    assert command.main(["--only", "toy", "--quick", "--case", "4"]) == 2


@pytest.mark.slow
def test_several_trials_run_in_processes_of_their_own(tmp_path):
    names = ["recorded", "answers"]
    line = [sys.executable, "-m", "reliability", "--quick", "--only", *names, "--out", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "recorded: not run" in done.stdout and "0 failures" in done.stdout
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == sorted(names)


def test_all_trials_are_listed_without_the_recordings_too(capsys):
    assert command.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [one.name for one in TRIALS]


def test_case_wants_one_trial(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--case", "3"])
    assert stopped.value.code == 2 and "--only NAME" in capsys.readouterr().err


def test_the_page_is_what_the_results_say():
    results = read_results()
    assert results, "outputs/reference/reliability holds no results: make reliability"
    assert PAGE.read_text(encoding="utf-8") == page(results)
    assert all(result["setting"] == "full" for result in results.values())


def test_the_page_shows_every_figure_and_hostile_text_as_text(tmp_path):
    toy = Toy(bad=(3,)).trial
    text = page({"toy": carry_out(toy, Setting(folder=tmp_path))}, [toy])
    assert "| [A toy](#a-toy) | 10 | 1 |" in text
    assert "| largest square, units | 81 | 9 |" in text and "| odd | 5 |" in text
    assert "| 3 | case 3 broke |" in text
    assert "| 0 | &lt;\\|a\\|> 'b' |" in text


def test_an_unfinished_result_is_shown_as_one_and_replaces_no_finished_one(tmp_path, monkeypatch):
    toy = Toy().trial
    monkeypatch.setattr(command, "TRIALS", (toy,))
    monkeypatch.setattr(command, "REFERENCE", tmp_path / "kept")
    monkeypatch.setattr(command, "write_page", lambda: None)
    with pytest.raises(Stopped):
        carry_out(Toy(kill_at=5).trial, Setting(folder=tmp_path / "out"))
    assert command.main(["--only", "toy", "--out", str(tmp_path / "out"), "--stop-after", "0"]) == 0
    kept = json.loads((tmp_path / "kept" / "toy.json").read_text())
    assert kept["done"] == 4 and "| 4 of 10 |" in page({"toy": kept}, [toy])
    assert command.main(["--only", "toy", "--out", str(tmp_path / "out")]) == 0
    assert (
        command.main(["--only", "toy", "--out", str(tmp_path / "out"), "--again", "--stop-after", "0"]) == 0
    )
    assert json.loads((tmp_path / "kept" / "toy.json").read_text())["done"] == 10


def test_trials_have_names_of_their_own():
    assert len({trial.name for trial in TRIALS}) == len({trial.title for trial in TRIALS}) == len(TRIALS)


def test_what_takes_too_long_is_stopped():
    with pytest.raises(TookTooLong, match=r"more than 0\.05 s"), within(0.05):
        while True:
            pass


def test_a_failing_input_is_made_small():
    assert smallest("aaaa<|call|>bbbb", lambda text: "<|c" in text) == "<|c"
    assert smallest(list(range(50)), lambda numbers: {3, 41} <= set(numbers)) == [3, 41]
