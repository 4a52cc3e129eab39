"""The report's benchmark runs through; its times are the machine's, so none is asserted."""

import json

import pytest

from benchmarks.report import main


@pytest.mark.slow
def test_it_says_how_long_a_page_takes_and_how_large_it_is(tmp_path, capsys):
    assert main(["--episodes", "60", "--trials", "2", "--json", str(tmp_path / "found.json")]) == 0
    found, printed = json.loads((tmp_path / "found.json").read_text()), capsys.readouterr().out
    assert found["episodes"] == 60 and found["read"] > found["bytes"] / 10 > 0
    assert all(found["seconds"][name]["cpu"] > 0 for name in ("carried out anew", "the page"))
    assert "60 episodes" in printed and "the page" in printed and "below 3 MB: met" in printed
