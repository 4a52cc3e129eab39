"""Who imports whom, read from the files without running them, and which of these arrows point the wrong way.

    modules = read_modules(ROOT)
    arrows(modules)                    # {("pipeline", "envs"): 116, …}: pairs of modules, by house
    wrong_arrows(modules)              # [] as long as everything points down

The houses are the top folders, notebooks and helpers.py. Imports inside functions count like all others.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# House -> what it may import besides itself. helpers -> scaleout is one name: the overview of notebook 08.
ALLOWED: dict[str, frozenset[str]] = {
    "notebooks": frozenset({"helpers"}),
    "helpers": frozenset({"pipeline", "envs", "scaleout"}),
    "scaleout": frozenset({"pipeline", "envs"}),
    "pipeline": frozenset({"envs"}),
    "envs": frozenset(),
    "benchmarks": frozenset({"pipeline", "envs", "scaleout"}),
    "reliability": frozenset({"pipeline", "envs"}),
}
# Every first cell calls it before anything is installed: no arrow of what the notebook is about.
FIRST_CELL = "pipeline.hosted"


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, the folder it lies in, its first words, and what of ours it imports."""

    name: str
    package: str
    summary: str
    imports: frozenset[str]

    @property
    def house(self) -> str:
        """The top folder, or helpers."""
        return self.name.split(".")[0]

    @property
    def own_name(self) -> str:
        """What it is called in its folder; a package's own code is called after the folder."""
        return self.name.removeprefix(f"{self.package}.")


def read_modules(root: Path) -> dict[str, Module]:
    """All modules and notebooks of the project by name."""
    files = {_name(file.relative_to(root)): file for file in _files(root)}
    trees = {name: ast.parse(_code(file)) for name, file in files.items()}
    return {
        name: Module(
            name=name,
            package=".".join(file.relative_to(root).parent.parts) or name,
            summary=_summary(file, trees[name]),
            imports=frozenset(_imported(trees[name], files) - {name, FIRST_CELL}),
        )
        for name, file in sorted(files.items())
    }


def _files(root: Path) -> Iterator[Path]:
    for house in ALLOWED:
        yield from sorted((root / house).rglob("*.py"))
    yield from sorted((root / "notebooks").glob("*.ipynb"))
    yield root / "helpers.py"


def _name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _code(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def _summary(file: Path, tree: ast.Module) -> str:
    if file.suffix == ".ipynb":
        title = json.loads(file.read_text(encoding="utf-8"))["cells"][0]["source"]
        return "".join(title).splitlines()[0].lstrip("# ")
    lines = (ast.get_docstring(tree) or "").splitlines()
    return lines[0] if lines else ""


def _imported(tree: ast.AST, known: Iterable[str]) -> set[str]:
    """The project's modules a file imports; `from package import module` counts as the module."""
    known, found = set(known), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in (_nearest(one, known) for one in found) if name}


def _nearest(name: str, known: set[str]) -> str:
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def arrows(modules: Mapping[str, Module]) -> dict[tuple[str, str], int]:
    """How many pairs of modules stand behind the arrow from one house to another."""
    pairs = ((one.house, modules[other].house) for one in modules.values() for other in one.imports)
    return dict(sorted(Counter(pair for pair in pairs if pair[0] != pair[1]).items()))


def wrong_arrows(modules: Mapping[str, Module]) -> list[str]:
    """Imports that the houses do not allow, as sentences."""
    return [
        f"{one.name} imports {other}: {one.house} must not know {modules[other].house}"
        for one in modules.values()
        for other in sorted(one.imports)
        if modules[other].house not in ALLOWED[one.house] | {one.house}
    ]


def tables(modules: Mapping[str, Module]) -> str:
    """The arrows with their numbers, then every module with the first line of its docstring."""
    parts = ["", "### Arrows", "", "| from | to | pairs of modules |", "| --- | --- | ---: |"]
    parts += [f"| {start} | {end} | {count} |" for (start, end), count in arrows(modules).items()]
    for package in dict.fromkeys(one.package for one in modules.values()):
        rows = [one for one in modules.values() if one.package == package]
        parts += ["", f"### {package}", "", "| module | what it is |", "| --- | --- |"]
        parts += [f"| `{one.own_name}` | {one.summary.replace('|', chr(92) + '|')} |" for one in rows]
    return "\n".join([*parts, ""])
