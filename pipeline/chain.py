"""Run notebooks one after the other and join them into one self-contained HTML page.

    python -m pipeline.chain --run demo notebooks/00_meet_the_shop.ipynb notebooks/01_*.ipynb
    python -m pipeline.chain --run t4 -p PROFILE t4 -p SEED 7 notebooks/02_sft_warmup.ipynb

Writes `outputs/<run>/notebooks/*.ipynb` (executed copies), joined in `outputs/<run>/notebooks.html`, and
where a model was trained or evaluated `outputs/<run>/report.html` (pipeline/report_page.py). Both load
nothing from the network. A parameter goes to the notebooks that declare it; the run's name goes to RUN.
If a notebook fails the chain stops there, the page shows the error in its place, and the exit code is 1.
On SIGTERM training writes a checkpoint and the exit code is 143; the same command goes on from there.
"""

import argparse
import html
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import nbformat

from envs.retail.files import whole_file
from pipeline.runs import execute, run_folder
from pipeline.stopping import passed_on, stop

# Seconds of the notebooks with the tiny model on two cores; only their proportions matter.
USUAL = {"00": 4, "01": 13, "02": 197, "03": 245, "04": 54, "05": 18}
DOUBT = 60  # seconds for which the usual pace is believed: the first notebooks mostly start kernels
WIDGET = "application/vnd.jupyter.widget-view+json"  # a progress bar: for who watches, not for who reads

# nbconvert's page with everything left out that it would fetch: require.js, MathJax, Mermaid, widgets.
_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
"""


def run_chain(
    notebooks: Sequence[Path], run: str, parameters: Mapping[str, Any] | None = None
) -> tuple[Path, bool]:
    """Execute the notebooks in order; return the report's path and whether all of them went through."""
    folder = run_folder(run)
    given = dict(parameters or {})
    accepted = {notebook: declared_parameters(notebook) for notebook in notebooks}
    _refuse_unknown(given, set().union(*accepted.values()))
    given["RUN"] = run
    executed, failed = [], False
    start = perf_counter()
    for number, notebook in enumerate(notebooks):
        chosen = {name: value for name, value in given.items() if name in accepted[notebook]}
        copy = folder / "notebooks" / notebook.name
        left = time_left(notebooks[:number], notebooks[number:], perf_counter() - start)
        print(f"[{number + 1}/{len(notebooks)}] {notebook.stem}{left} …", end=" ", flush=True)
        begun = perf_counter()
        failed = not _execute(notebook, copy, chosen, run)
        print(f"{'failed after ' if failed else ''}{perf_counter() - begun:.0f} s", flush=True)
        executed.append(copy)
        if failed:
            break
    page = folder / "notebooks.html"
    write_page(executed, page, title=f"Run {folder.name}")
    return _reported(folder) or page, not failed


def _reported(run: Path) -> Path | None:
    """The run's report, with its verdict on the terminal; None where there is nothing to report."""
    from envs.retail.database import Shop
    from pipeline.page.numbers import read_stages
    from pipeline.report_page import NothingToShow, verdict, write_report

    shop = Shop.load()
    stages = read_stages(run / "evaluation", shop)
    print(verdict(stages), end="")
    try:
        return write_report(run, shop, stages)
    except NothingToShow:
        return None


def time_left(done: Sequence[Path], ahead: Sequence[Path], spent: float) -> str:
    """A guess at the minutes ahead, from how long what is done took here and usually takes."""
    usual, rest = (sum(USUAL.get(one.name[:2], 0) for one in some) for some in (done, ahead))
    if not usual or not rest:
        return ""
    pace = (spent + DOUBT) / (usual + DOUBT)
    return f" (about {max(1, round(rest * pace / 60))} min left)"


def declared_parameters(notebook: Path) -> set[str]:
    """Names assigned in a notebook's cell tagged `parameters`."""
    from papermill import inspect_notebook

    return set(inspect_notebook(str(notebook)))


def write_page(notebooks: Iterable[Path], report: Path, title: str) -> None:
    """Join executed notebooks into one HTML page, images inside it, with a table of contents."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"report.html.j2": _TEMPLATE})],
        template_file="report.html.j2",
        embed_images=True,
    )
    page, _ = exporter.from_notebook_node(_joined(notebooks, title))
    with whole_file(report) as out:
        out.write(page)


def _execute(notebook: Path, copy: Path, parameters: dict[str, Any], run: str) -> bool:
    """Run one notebook; whether it went through. Told to stop, it ends the chain."""
    from papermill.exceptions import PapermillExecutionError

    failure = None
    with passed_on() as told:
        try:
            execute(notebook, copy, parameters)
        except PapermillExecutionError as error:
            failure = f"{error.ename} in cell {error.exec_count}: {error.evalue}"
        except RuntimeError:  # the kernel is dead: what does not train ends at once when it is told to
            if not told:
                raise
    if told:
        stop(f"\nstopped by SIGTERM in {notebook.stem}: the same command goes on with the run {run!r}")
    if failure:
        print(f"\n{failure}", file=sys.stderr)
    return not failure


def _joined(notebooks: Iterable[Path], title: str) -> nbformat.NotebookNode:
    """One notebook that holds all cells, each part under an anchor of its own."""
    contents, cells = [f"# {html.escape(title)}", ""], []  # a run's name may be anything
    markdown = nbformat.v4.new_markdown_cell
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        contents.append(f"- [{_heading(notebook, path.stem)}](#{path.stem})")
        cells.append(markdown(f'<a id="{path.stem}"></a>'))
        cells.extend(notebook.cells)
    joined = nbformat.v4.new_notebook(cells=[markdown("\n".join(contents)), *cells])
    joined.metadata.update(title=title, language_info={"name": "python"})
    for number, cell in enumerate(joined.cells):
        cell.id = f"cell-{number}"  # two notebooks may use the same id
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    return joined


def _heading(notebook: nbformat.NotebookNode, default: str) -> str:
    """The notebook's title: its first markdown heading."""
    lines = (
        line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines()
    )
    return next((line.lstrip("# ") for line in lines if line.startswith("# ")), default)


def _refuse_unknown(given: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise SystemExit(
            f"no notebook has a parameter {', '.join(unknown)}; there are: {', '.join(sorted(known))}"
        )


def _value(text: str) -> Any:
    """A parameter's value as JSON (7, 1e-4, true); anything else is a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chain from the command line; the exit code says whether every notebook went through."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.chain", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--run", required=True, help="name of the folder under outputs/")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters"
    )
    chosen = parser.parse_args(arguments)
    missing = [str(path) for path in chosen.notebooks if not path.is_file()]
    if missing:
        parser.error(f"no such notebook: {', '.join(missing)}")
    parameters = {name: _value(text) for name, text in chosen.parameters}
    report, complete = run_chain(chosen.notebooks, chosen.run, parameters)
    print(f"report: {report}")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
