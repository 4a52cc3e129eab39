"""Where the project can be cloned from: kept in pyproject.toml, written from there to where it is needed.

    make address REPO=owner/name                 # after you have put the project on GitHub
    python -m pipeline.address                   # write the present address again, where a place lacks it

The places are each notebook's badges and first cell, and the table of notebooks in README.md. Until it is
set, the address is a placeholder on purpose: an invented one would have people clone a stranger's code.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from envs.retail.files import whole_file

ROOT = Path(__file__).parents[1]
BADGES = {  # what a reader clicks: a picture, and where it leads
    "Open in Colab": (
        "https://colab.research.google.com/assets/colab-badge.svg",
        "https://colab.research.google.com/github/{repository}/blob/main/{notebook}",
    ),
    "Open in Kaggle": (
        "https://kaggle.com/static/images/open-in-kaggle.svg",
        "https://kaggle.com/kernels/welcome?src=https://github.com/{repository}/blob/main/{notebook}",
    ),
}
_LINKS = re.compile(r" · \[(?:Colab|Kaggle)\]\([^)]*\)")  # a picture in each row would be many
_ROW = re.compile(r"^(\| \[[^\]]+\]\((notebooks/[\w.]+)\)) *\|", re.MULTILINE)


def repository(root: Path = ROOT) -> str:
    """The address as owner/name, or the placeholder."""
    with open(root / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["tool"]["shop"]["repository"].removeprefix("https://github.com/")


def badges(repository: str, notebook: str) -> str:
    """A notebook's badges as Markdown."""
    return " ".join(
        f"[![{name}]({picture})]({link.format(repository=repository, notebook=notebook)})"
        for name, (picture, link) in BADGES.items()
    )


def places(root: Path = ROOT) -> list[Path]:
    """Every file that may speak of the address."""
    documents = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return [root / "pyproject.toml", *sorted((root / "notebooks").glob("*.ipynb")), *documents]


def write_address(new: str, root: Path = ROOT) -> list[Path]:
    """Put an address in place of the present one everywhere; returns the files that changed."""
    if not re.fullmatch(r"[A-Za-z0-9-]+/[\w.-]+", new):
        raise ValueError(f"{new!r} is no repository; write it as on GitHub, REPO=owner/name")
    old, changed = re.escape(repository(root)), []
    for place in places(root):
        before = place.read_text(encoding="utf-8")
        after = re.sub(rf"(github(?:\.com)?/){old}(?![\w-]|\.(?!git\b)\w)", rf"\g<1>{new}", before)
        after = _with_links(after, new) if place.name == "README.md" else after
        if after != before:
            with whole_file(place) as out:
                out.write(after)
            changed.append(place)
    return changed


def _with_links(readme: str, repository: str) -> str:
    """The table of notebooks with links to both hosts behind each one's name."""

    def row(found: re.Match[str]) -> str:
        links = (
            f" · [{name.split()[-1]}]({link.format(repository=repository, notebook=found[2])})"
            for name, (_, link) in BADGES.items()
        )
        return "".join([found[1], *links, " |"])

    return _ROW.sub(row, _LINKS.sub("", readme))


def main(argv: Sequence[str] | None = None) -> int:
    """Change the address from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.address", description=__doc__.splitlines()[0])
    parser.add_argument("repository", nargs="?", help="owner/name on GitHub; without, the present one")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    options = parser.parse_args(argv)
    try:
        new = options.repository or repository(options.root)
        changed = write_address(new.removeprefix("https://github.com/").removesuffix(".git"), options.root)
    except ValueError as error:
        parser.error(str(error))
    print(
        f"{new}: {len(changed)} files changed",
        *(f"  {path.relative_to(options.root)}" for path in changed),
        sep="\n",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
