"""The README's table and picture say what the committed runs say."""

import pytest

from envs.retail.files import read_json
from pipeline.grpo_report import REFERENCE
from pipeline.reference_page import BEGIN, END, put_into, readme_table, write_curve
from pipeline.runs import ROOT


def run(seed: int, shuffled: bool, before: int, after: int) -> dict:
    history = [{"step": n, "validation/task_success_rate": n / 10} for n in range(5)]
    outcomes = {"before": [n < before for n in range(20)], "after": [n < after for n in range(20)]}
    return {"seed": seed, "shuffled": shuffled, "history": [*history, {"step": 4, "reward": 1.0}], **outcomes}


FOUND = {
    "base": [False] * 20,
    "runs": [run(7, False, 5, 12), run(7, True, 5, 4), run(8, False, 6, 20), run(8, True, 6, 6)],
}


def test_each_stage_has_its_row_and_each_seed_its_column():
    table, _, note = readme_table(FOUND).partition("\n\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")]
    assert rows[0] == ["solved, of 20 held-out tasks", "seed 7", "seed 8"]
    shares = {row[0]: [cell.strip("*").split(" ")[0] for cell in row[1:]] for row in rows[2:]}
    assert shares == {
        "base": ["0%", "0%"],
        "after SFT": ["25%", "30%"],
        "after GRPO": ["60%", "100%"],
        "GRPO with shuffled rewards, the control": ["20%", "30%"],
    }
    assert rows[-2][2] == "**100% [100, 100]**"
    assert note.startswith("[0, 0] is no certainty: all 20 tasks") and "14% of all tasks" in note


def test_only_what_stands_between_the_marks_is_written(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    put_into(readme, "| new |")
    assert readme.read_text() == f"# Title\n\n{BEGIN}\n| new |\n{END}\n\nThe end.\n"
    readme.write_text("# Title\n")
    with pytest.raises(ValueError, match="must hold"):
        put_into(readme, "| new |")
    assert readme.read_text() == "# Title\n"


def test_the_picture_is_the_same_each_time_and_has_a_line_a_run(tmp_path):
    pictures = []
    for name in ("one.svg", "two.svg"):
        write_curve(FOUND, tmp_path / name)
        pictures.append((tmp_path / name).read_text())
    assert pictures[0] == pictures[1]
    assert pictures[0].count("stroke-dasharray") >= 2, "the controls are dotted"
    many = {"runs": [run(seed, False, 5, 12) for seed in range(7)]}
    write_curve(many, tmp_path / "many.svg")  # more seeds than colours


@pytest.mark.skipif(not REFERENCE.exists(), reason="no reference runs yet: `make reference`")
def test_the_readme_shows_the_committed_runs():
    found, text = read_json(REFERENCE), (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{BEGIN}\n{readme_table(found)}\n{END}" in text
    assert "outputs/reference/curve.svg" in text and REFERENCE.with_name("curve.svg").exists()
