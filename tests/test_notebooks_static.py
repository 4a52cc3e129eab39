"""What every notebook keeps to, read from its file without running it."""

import ast
import statistics
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

import helpers

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def statements(notebook) -> list[ast.stmt]:
    return [node for cell in code_cells(notebook) for node in ast.parse(cell.source).body]


def parameters_cell(notebook) -> nbformat.NotebookNode:
    tagged = [cell for cell in code_cells(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1, "one cell is tagged `parameters`"
    return tagged[0]


def is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_is_valid_and_its_code_parses(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3", "papermill reads the kernel from here"
    assert statements(notebook)


def test_nbstripout_finds_nothing_to_strip():
    """The same call as in the commit hook and `make lint`: outputs, counts and editors' metadata."""
    command = [sys.executable, "-m", "nbstripout", "--verify", "--keep-id", *map(str, NOTEBOOKS)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}run `make format`"


def test_opens_with_a_title_and_explains_every_code_cell(notebook):
    cells = notebook.cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    for before, cell in pairwise(cells):
        assert cell.cell_type == "markdown" or before.cell_type == "markdown", cell.source


def test_parameters_are_few_literal_and_commented(notebook):
    cell = parameters_cell(notebook)
    nodes = ast.parse(cell.source).body
    assert 1 <= len(nodes) <= 8
    lines = cell.source.splitlines()
    for node in nodes:
        assert isinstance(node, ast.Assign | ast.AnnAssign) and is_literal(node.value), ast.unparse(node)
        assert "  # " in lines[node.end_lineno - 1], f"no comment on: {lines[node.end_lineno - 1]}"


def test_profile_and_mode_are_left_to_the_machine(notebook):
    given = {
        node.targets[0].id: node.value.value
        for node in ast.parse(parameters_cell(notebook).source).body
        if isinstance(node.value, ast.Constant)
    }
    assert {given.get(name, "auto") for name in ("PROFILE", "MODE")} == {"auto"}


def test_parameters_come_right_after_the_bootstrap(notebook):
    assert code_cells(notebook).index(parameters_cell(notebook)) == 1


def test_the_bootstrap_is_the_same_everywhere(notebook):
    first = nbformat.read(NOTEBOOKS[0], as_version=4)
    assert code_cells(notebook)[0].source == code_cells(first)[0].source


def test_cells_are_few_and_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    assert len(lengths) <= 15
    assert statistics.median(lengths) <= 10
    assert max(lengths) <= 25


def test_defines_no_class_and_no_long_function(notebook):
    for node in (inner for statement in statements(notebook) for inner in ast.walk(statement)):
        assert not isinstance(node, ast.ClassDef)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 3, f"{node.name} belongs into the project's code"


def test_what_it_imports_from_helpers_exists(notebook):
    for node in (inner for statement in statements(notebook) for inner in ast.walk(statement)):
        if isinstance(node, ast.ImportFrom):
            package = node.module.split(".")[0]
            assert node.module == "pipeline.hosted" or package not in {"pipeline", "envs", "scaleout"}, (
                f"import {node.module} through helpers"
            )
            if package == "helpers":
                assert {alias.name for alias in node.names} <= set(helpers.__all__)


def test_hides_nothing_behind_a_condition_that_never_holds(notebook):
    for node in (inner for statement in statements(notebook) for inner in ast.walk(statement)):
        assert not (isinstance(node, ast.If) and isinstance(node.test, ast.Constant)), ast.unparse(node)
