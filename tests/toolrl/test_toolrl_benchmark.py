"""The reward's benchmark runs through and compares like with like; no time is asserted."""

import gzip
import json

import pytest

from benchmarks.toolrl import as_published, load_public, main, measure, require_same_scores
from benchmarks.toolrl_cases import cases, read_cases

pytestmark = pytest.mark.slow

PUBLIC = """
import os
from benchmarks import toolrl_reference

def compute_score(solution_str, ground_truth, step=0):
    assert os.environ["EXPERIMENT_NAME"] == "qwen" and "CORRECTMAX1" not in os.environ
    print("so many words")
    return toolrl_reference.score(solution_str, ground_truth, step)
"""


@pytest.fixture
def public(tmp_path):
    """A public implementation in name only, in a checkout in name only."""
    path = tmp_path / "verl/utils/reward_score/rlla.py"
    path.parent.mkdir(parents=True)
    path.write_text(PUBLIC)
    return tmp_path


def test_a_quick_run_prints_its_table_and_writes_every_field(tmp_path, capsys):
    main(["--quick", "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["worlds"] == ["ours", "reference"] and found["pairs"] == 40
    assert len(found["rows"]) == 4
    for row in found["rows"]:
        assert row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]
        assert row["ours"]["cpu"] > 0 and row["reference"]["wall"] > 0
    assert "everything new" in capsys.readouterr().out


def test_the_public_one_is_measured_in_the_same_run(public, capsys, monkeypatch):
    monkeypatch.setenv("CORRECTMAX1", "1")
    main(["--quick", "--against", str(public)])
    printed = capsys.readouterr().out
    assert "the public one silenced" in printed and "times as fast" in printed
    assert "so many words" not in printed


def test_recorded_cases_are_read(tmp_path):
    case = cases(1)[0]
    row = dict(zip(("completion", "gt", "completion_seed", "gt_seed"), case, strict=True))
    path = tmp_path / "cases.jsonl.gz"
    with gzip.open(path, "wt") as out:
        for mapping, env in (("exact", []), ("analog", []), ("exact", ["CORRECTMAX1"])):
            out.write(json.dumps({**row, "mapping": mapping, "env": env}) + "\n")
    assert read_cases(path) == [case]
    path.write_bytes(gzip.compress(b'{"mapping": "exact"}\n'))
    with pytest.raises(SystemExit, match=r"cases\.jsonl\.gz:1: no recorded case"):
        main(["--cases", str(path)])


def test_different_scores_end_the_run():
    with pytest.raises(SystemExit, match="scored differently"):
        require_same_scores(cases(4), lambda solution, truth: (0.0, 0.0, 0.0, 0.0))


def test_the_environment_is_given_back(monkeypatch):
    monkeypatch.setenv("CORRECTMAX1", "1")
    import os

    with as_published():
        assert "CORRECTMAX1" not in os.environ
        assert len(measure(cases(4), None, rounds=1, passes=1)) == 4
    assert os.environ["CORRECTMAX1"] == "1" and "EXPERIMENT_NAME" not in os.environ


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"rlla\.py: not found"):
        load_public(tmp_path)
