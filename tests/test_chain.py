"""Running notebooks in a chain: parameters arrive, errors stop it, the page needs no network."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from pipeline.chain import USUAL, declared_parameters, main, run_chain, time_left, write_page
from pipeline.runs import ROOT

PICTURE = """import matplotlib.pyplot as plt
plt.plot([1, 2]);"""
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def write_notebook(
    path: Path, *code: str, parameters: str = 'RUN = "x"  # the run\nN = 1  # a number'
) -> Path:
    cells = [new_markdown_cell(f"# Title of {path.stem}"), new_code_cell(parameters)]
    cells[1].metadata.tags = ["parameters"]
    cells += [new_code_cell(source) for source in code]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), path)
    return path


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TOOL_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def test_parameters_are_those_of_the_tagged_cell(tmp_path):
    assert declared_parameters(write_notebook(tmp_path / "a.ipynb", "other = 3")) == {"RUN", "N"}


def test_a_parameter_nobody_declares_is_refused_with_the_known_ones(tmp_path, outputs):
    notebook = write_notebook(tmp_path / "a.ipynb")
    with pytest.raises(SystemExit, match=r"M; there are: N, RUN"):
        run_chain([notebook], "r", {"M": 2})


def test_the_page_fetches_nothing_and_links_to_each_part(tmp_path):
    first, second = (write_notebook(tmp_path / f"{name}.ipynb", "1 + 1") for name in ("one", "two"))
    write_page([first, second], tmp_path / "report.html", title="Both")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(
        r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(["']?https?:|import .*https?:""", html
    )
    for name in ("one", "two"):
        assert f'href="#{name}"' in html and f'id="{name}"' in html and f"Title of {name}" in html


def test_progress_bars_are_left_out_of_the_page(tmp_path):
    path = write_notebook(tmp_path / "one.ipynb", "1 + 1")
    notebook = nbformat.read(path, as_version=4)
    bar = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "rows: 0% of them"}
    notebook.cells[-1].outputs = [
        nbformat.v4.new_output("display_data", bar),
        nbformat.v4.new_output("display_data", {"text/plain": "something to read"}),
    ]
    nbformat.write(notebook, path)
    write_page([path], tmp_path / "report.html", title="One")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "something to read" in html and "0% of them" not in html


@pytest.mark.notebook
def test_a_chain_runs_in_order_with_its_parameters(tmp_path, outputs, capsys):
    first = write_notebook(
        tmp_path / "nb" / "one.ipynb", 'open("seen.txt", "w").write(f"{RUN} {N}")', PICTURE
    )
    second = write_notebook(tmp_path / "nb" / "two.ipynb", 'print("after", open("seen.txt").read())')
    assert main(["--run", "r", "-p", "N", "7", str(first), str(second)]) == 0
    html = (outputs / "r" / "notebooks.html").read_text(encoding="utf-8")
    assert "after r 7" in html and "data:image/png;base64," in html
    assert {path.name for path in (outputs / "r" / "notebooks").iterdir()} == {"one.ipynb", "two.ipynb"}
    assert re.search(r"\[1/2\] one … \d+ s\n\[2/2\] two … \d+ s\n", capsys.readouterr().out)
    assert not nbformat.read(first, as_version=4).cells[2].outputs, "the source notebook stays clean"


@pytest.mark.notebook
def test_a_failing_notebook_stops_the_chain_and_shows_its_error(tmp_path, outputs, capsys):
    first = write_notebook(tmp_path / "one.ipynb", 'raise ValueError("the till is empty")')
    second = write_notebook(tmp_path / "two.ipynb")
    assert main(["--run", "r", str(first), str(second)]) == 1
    assert "the till is empty" in (outputs / "r" / "notebooks.html").read_text(encoding="utf-8")
    assert "the till is empty" in capsys.readouterr().err
    assert not (outputs / "r" / "notebooks" / "two.ipynb").exists()


def test_the_time_left_follows_how_fast_this_machine_is():
    done, ahead = (
        [Path("00_meet.ipynb"), Path("01_prepare.ipynb")],
        [Path("02_sft.ipynb"), Path("03_grpo.ipynb")],
    )
    usual = sum(USUAL[name] for name in ("00", "01"))
    as_usual, slower = time_left(done, ahead, usual), time_left(done, ahead, 3 * usual)
    minutes = [int(re.search(r"about (\d+) min", text)[1]) for text in (as_usual, slower)]
    assert minutes[0] == round((USUAL["02"] + USUAL["03"]) / 60) < minutes[1] < 3 * minutes[0]
    late = time_left([*done, ahead[0]], ahead[1:], 3 * (usual + USUAL["02"]))
    assert int(re.search(r"about (\d+) min", late)[1]) > 2 * USUAL["03"] / 60, "by now the pace is known"
    assert time_left([], ahead, 0.0) == time_left(done, [], 9.0) == ""


def test_a_run_that_leaves_nothing_to_report_ends_with_its_notebooks(tmp_path, outputs):
    """As notebook 06 alone, whose training the report does not draw, or 04 that failed before an episode."""
    run = outputs / "r"
    (run / "evaluation").mkdir(parents=True)
    (run / "metrics.jsonl").write_text('{"stage": "toolrl", "step": 1, "loss": 1.0}\n')
    page, complete = run_chain([], "r")
    assert complete and page == run / "notebooks.html" and not (run / "report.html").exists()


@pytest.mark.slow
def test_a_run_that_was_evaluated_gets_its_report_and_its_verdict(tmp_path, outputs, capsys):
    lines = (
        "from pathlib import Path",
        "from itertools import islice",
        "from envs.retail.database import Shop",
        "from envs.retail.generator import generate",
        "from pipeline.attacks.attack import honest",
        "from pipeline.episode_records import to_record",
        "from pipeline.running import Rollout",
        "from envs.retail.files import json_line",
        "import os",
        "shop, folder = Shop.load(), Path(os.environ['TOOL_OUTPUTS']) / 'r' / 'evaluation'",
        "folder.mkdir(parents=True)",
        "episodes = [honest(shop, task) for task in islice(generate(shop, seed=1, levels=(1,)), 3)]",
        "rollouts = [Rollout(one, (), number, 0, 1.0) for number, one in enumerate(episodes)]",
        "records = [json_line(to_record(one, shop, 'sft')) for one in rollouts]",
        "(folder / 'sft.jsonl').write_text(''.join(records))",
    )
    notebook = write_notebook(tmp_path / "a.ipynb", f"import sys\nsys.path.insert(0, {str(ROOT)!r})", *lines)
    page, complete = run_chain([notebook], "r")
    assert complete and page == outputs / "r" / "report.html" and "sft" in page.read_text(encoding="utf-8")
    assert "100.0 % of 3 tasks solved" in capsys.readouterr().out
