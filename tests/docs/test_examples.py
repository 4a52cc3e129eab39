"""Python of the pages that needs a model is checked name by name, and numbers they repeat are compared.

All other Python of the pages runs: tests/docs/test_commands.py.
"""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

pytest.importorskip("mistune", reason="mistune comes with nbconvert: requirements-dev.txt")
from doc_pages import NEEDS_A_MODEL, ROOT, command_pages, fences, text_of

from pipeline.attacks import ATTACKS
from pipeline.chain import USUAL

BLOCKS = {
    page: [fence.text for fence in fences(page) if fence.language == "python"] for page in command_pages()
}


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
