"""The project's markdown, read with a markdown parser: headings, links, fenced blocks and what is around."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mistune

ROOT = Path(__file__).parents[2]
NEEDS = re.compile(r"<!-- needs: (gpu|docker|cluster|account) -->")
NEEDS_A_MODEL = "load_model("  # Python that holds this is not run
_parse = mistune.create_markdown(renderer="ast", plugins=["table", "strikethrough"])


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, what it needs, and the output shown below it."""

    page: str
    language: str
    text: str
    needs: str = ""
    output: str = ""


def own_files(pattern: str) -> list[Path]:
    """Files of the project, hidden folders and runs left out."""
    found = (path.relative_to(ROOT) for path in ROOT.glob(pattern))
    return sorted(path for path in found if not any(p.startswith(".") or p == "outputs" for p in path.parts))


def pages() -> list[Path]:
    """Every page with links: markdown files and notebooks."""
    return [*own_files("**/*.md"), *own_files("notebooks/*.ipynb")]


def command_pages() -> list[Path]:
    """The pages whose commands are tested."""
    return [Path("README.md"), *own_files("docs/*.md"), *own_files("scaleout/*/README.md")]


def text_of(page: Path) -> str:
    """A page's markdown; of a notebook, that of its markdown cells."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


@cache
def tokens(page: Path) -> list[dict[str, Any]]:
    """The page as a tree."""
    return _parse(text_of(page))


def walk(parts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every node of a tree, in reading order."""
    for part in parts:
        yield part
        yield from walk(part.get("children") or [])


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures."""
    return [part["attrs"]["url"] for part in walk(tokens(page)) if part["type"] in ("link", "image")]


def anchors(page: Path) -> set[str]:
    """What can stand behind # in a link to a page, as GitHub names headings."""
    found: dict[str, int] = {}
    for part in walk(tokens(page)):
        if part["type"] == "heading":
            name = slug("".join(piece.get("raw", "") for piece in walk(part["children"])))
            found[name] = found.get(name, -1) + 1
    return {f"{name}-{again}" if again else name for name, last in found.items() for again in range(last + 1)}


def slug(heading: str) -> str:
    """A heading as GitHub writes it into an address."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def fences(page: Path) -> list[Fence]:
    """A page's fenced blocks in order, each with the comment right above and the output right below it."""
    parts = [part for part in tokens(page) if part["type"] != "blank_line"]
    found = []
    for place, part in enumerate(parts):
        if part["type"] != "block_code" or not part.get("attrs", {}).get("info"):
            continue
        above, below = parts[place - 1] if place else {}, parts[place + 1] if place + 1 < len(parts) else {}
        needs = NEEDS.fullmatch(above.get("raw", "").strip()) if above.get("type") == "block_html" else None
        shown = below["raw"] if below.get("attrs", {}).get("info") == "text" else ""
        language = part["attrs"]["info"].split()[0]
        found.append(Fence(str(page), language, part["raw"], needs[1] if needs else "", shown))
    return found
