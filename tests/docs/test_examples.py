"""The Python of the pages runs as it stands there; what needs a model is checked name by name instead."""

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mistune", reason="mistune comes with nbconvert: requirements-dev.txt")
from doc_pages import ROOT, command_pages, fences, text_of

from pipeline.attacks import ATTACKS
from pipeline.chain import USUAL

BLOCKS = {
    page: [fence.text for fence in fences(page) if fence.language == "python"] for page in command_pages()
}
NEEDS_A_MODEL = "load_model("


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in BLOCKS if BLOCKS[page]], ids=str)
def test_examples_run_as_they_stand_on_the_page(page, tmp_path):
    code = "\n".join(block for block in BLOCKS[page] if NEEDS_A_MODEL not in block)
    shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("tiny_base", "3.5k*"))
    with (tmp_path / "data" / "dataset.jsonl").open(
        encoding="utf-8"
    ) as tasks:  # what the page has made before
        (tmp_path / "clean.jsonl").write_text(tasks.readline().replace('"level": 1', '"level": 0'))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]


WITH_MODEL = [(page, block) for page, blocks in BLOCKS.items() for block in blocks if NEEDS_A_MODEL in block]


@pytest.mark.parametrize(("page", "block"), WITH_MODEL, ids=[str(page) for page, _ in WITH_MODEL])
def test_what_needs_a_model_calls_what_exists_with_arguments_it_takes(page, block):
    before = "\n".join(one for one in BLOCKS[page] if NEEDS_A_MODEL not in one)
    names: dict[str, object] = {}
    for node in ast.walk(ast.parse(f"{before}\n{block}")):
        if isinstance(node, ast.ImportFrom):
            names |= {one.name: getattr(importlib.import_module(node.module), one.name) for one in node.names}
    called = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    checked = [node for node in called if isinstance(node.func, ast.Name) and node.func.id in names]
    assert checked
    for node in checked:
        keywords = dict.fromkeys(one.arg for one in node.keywords)
        inspect.signature(names[node.func.id]).bind(*node.args, **keywords)


# Numbers that README repeats


def test_the_minutes_of_the_readme_are_those_the_chain_counts_with():
    rows = re.findall(
        r"^\| \[(\d\d) [^|]*\|[^|]*\| ([^|]*) \|", text_of(Path("README.md")), flags=re.MULTILINE
    )
    shown = {number: seconds(time) for number, time in rows}
    assert {number: shown[number] for number in USUAL} == USUAL
    assert len(shown) == len(list((ROOT / "notebooks").glob("*.ipynb")))


def seconds(time: str) -> float | None:
    """ "3 min 17 s" in seconds; None for words."""
    parts = re.fullmatch(r"(?:(\d+) min )?(\d+) s", time.strip())
    return int(parts[1] or 0) * 60 + int(parts[2]) if parts else None


def test_the_number_of_attacks_is_right_wherever_it_stands():
    told = [
        count for page in BLOCKS for count in re.findall(r"(\d+) (?:ways|attacks|attempts)", text_of(page))
    ]
    assert told and set(told) == {str(len(ATTACKS))}
