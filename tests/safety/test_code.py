"""What the code may not do: run text as code, unpickle, reach a shell; each exception stands here."""

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("envs", "pipeline", "scaleout", "benchmarks", "reliability")

# name as it is called -> why it is forbidden
FORBIDDEN = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "compile": "makes code of text",
    "__import__": "imports by text",
    "pickle": "unpickling runs what the file says",
    "cPickle": "unpickling runs what the file says",
    "dill": "unpickling runs what the file says",
    "cloudpickle": "unpickling runs what the file says",
    "joblib": "unpickling runs what the file says",
    "shelve": "unpickling runs what the file says",
    "marshal": "reads code",
    "torch.load": "unpickles, unless weights_only=True",
    "numpy.load": "may unpickle",
    "pd.read_pickle": "unpickles",
    "pandas.read_pickle": "unpickles",
    "yaml.load": "makes any object; safe_load does not",
    "os.system": "a shell",
    "os.popen": "a shell",
    "subprocess": "another program",
    "pty": "another program",
    "importlib.import_module": "imports by text",
}
FIRST_CELL = "the first cell: clones the project on Colab and Kaggle, by a list of words"
ALLOWED = {
    **{(f"notebooks/{file.name}", "subprocess"): FIRST_CELL for file in (ROOT / "notebooks").glob("*.ipynb")},
    ("pipeline/checkpoints.py", "pickle"): "only the name of the error that torch raises where it refuses",
    ("pipeline/hosted.py", "subprocess"): "pip, uv and nvidia-smi by lists of words",
    ("pipeline/installation/lock.py", "subprocess"): "uv by a list of words",
    ("pipeline/installation/machine.py", "subprocess"): "nvidia-smi, and torch in a process of its own",
    ("benchmarks/table.py", "subprocess"): "each row in a process of its own",
    ("benchmarks/endpoint_stand_in.py", "subprocess"): "the stand-in server in a process of its own",
    (
        "scaleout/skyrl/launch.py",
        "subprocess",
    ): "starts SkyRL and nvidia-smi by lists of words",
    ("reliability/__main__.py", "subprocess"): "starts each trial in a process of its own",
    ("reliability/faults/passes.py", "subprocess"): "a stage's log is written by cat, beyond what is limited",
    ("reliability/faults/passes.py", "importlib.import_module"): "one of our own commands, by name",
    ("reliability/faults/harm.py", "subprocess"): "mounts and unmounts a small disk",
}


@cache
def sources() -> list[tuple[str, ast.AST]]:
    """Every module of ours, helpers and the notebooks' code cells."""
    return list(_sources())


def _sources() -> Iterator[tuple[str, ast.AST]]:
    files = [
        ROOT / "helpers.py",
        *(file for folder in OURS for file in sorted((ROOT / folder).rglob("*.py"))),
    ]
    for file in files:
        yield str(file.relative_to(ROOT)), ast.parse(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        lines = (line for line in code.splitlines() if not line.lstrip().startswith(("!", "%")))
        yield str(file.relative_to(ROOT)), ast.parse("\n".join(lines))


def spelled(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def forbidden_in(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Forbidden names that are imported or called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call):
            names = [spelled(node.func)]
        else:
            continue
        for name in names:
            for known in (name, name.split(".")[0]):
                if known in FORBIDDEN:
                    yield known, node
                    break


def found() -> set[tuple[str, str]]:
    return {
        (file, name)
        for file, tree in sources()
        for name, node in forbidden_in(tree)
        if not (name == "torch.load" and _weights_only(node))
    }


def _weights_only(call: ast.AST) -> bool:
    words = getattr(call, "keywords", ())
    return any(one.arg == "weights_only" and getattr(one.value, "value", None) is True for one in words)


def test_nothing_runs_text_unpickles_or_starts_a_program_but_for_the_reasons_listed():
    assert found() == set(ALLOWED), "a new one needs a reason in ALLOWED; one that has gone must leave it"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("eval('1')", "eval"),
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("import os\nos.system('ls')", "os.system"),
        ("import torch\ntorch.load('x', weights_only=False)", "torch.load"),
        ("from subprocess import run", "subprocess"),
    ],
)
def test_the_search_finds_what_it_looks_for(code, name):
    nodes = [node for known, node in forbidden_in(ast.parse(code)) if known == name]
    assert nodes and not any(map(_weights_only, nodes))
    assert not list(forbidden_in(ast.parse("model.eval()\nre.compile('x')")))


def keywords() -> Iterator[tuple[str, str, ast.expr]]:
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from ((file, word.arg or "", word.value) for word in node.keywords)


def test_no_shell_and_no_code_from_a_model_hub():
    for file, name, value in keywords():
        if name in ("shell", "trust_remote_code"):
            assert isinstance(value, ast.Constant) and value.value is False, f"{file}: {name} is not False"


def test_the_shops_tools_import_nothing_that_reaches_outside():
    harmless = {
        "__future__",
        "ast",
        "collections",
        "copy",
        "dataclasses",
        "decimal",
        "functools",
        "inspect",
        "json",
    }
    harmless |= {"operator", "re", "types", "typing", "math", "enum", "itertools"}
    for file in (ROOT / "envs" / "retail" / "tools").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                assert spelled(getattr(node, "func", node)) != "open" or not isinstance(node, ast.Call)
                continue
            outside = {name for name in modules if name.split(".")[0] not in harmless | {"envs"}}
            assert not outside, f"{file.name} imports {outside}"
