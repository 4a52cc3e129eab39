"""One address in all places, and one command that changes it in all of them."""

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from pipeline import hosted
from pipeline.address import badges, main, places, repository

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def copy(tmp_path) -> Path:
    for place in places():
        to = tmp_path / place.relative_to(ROOT)
        to.parent.mkdir(exist_ok=True)
        shutil.copy(place, to)
    return tmp_path


def contents(root: Path) -> dict[Path, str]:
    return {place.relative_to(root): place.read_text(encoding="utf-8") for place in places(root)}


def check_agreement(root: Path, address: str) -> None:
    """Badges, first cells and README's table name this address and no other."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
        name = f"notebooks/{path.name}"
        assert notebook.cells[0].source.split("\n\n")[1] == badges(address, name)
        assert f'"https://github.com/{address}"' in first
        for link in re.findall(r"\]\((https://[^)]*)\)", badges(address, name)):
            assert link.endswith(".svg") or f"]({link})" in readme, f"README lacks {link}: run `make address`"
    assert (root / "pyproject.toml").read_text(encoding="utf-8").count(f"https://github.com/{address}") == 1


def test_all_places_name_the_address_of_pyproject():
    assert len(NOTEBOOKS) >= 9
    check_agreement(ROOT, repository())


def test_the_command_changes_every_place_and_changes_them_back(copy, capsys):
    before, old = contents(copy), repository()
    assert main(["some-body/the.shop", "--root", str(copy)]) == 0
    assert f"{len(NOTEBOOKS) + 2} files changed" in capsys.readouterr().out
    check_agreement(copy, "some-body/the.shop")
    assert not any(f"/{old}" in text for text in contents(copy).values())
    main(["https://github.com/" + old + ".git", "--root", str(copy)])
    assert contents(copy) == before


def test_without_an_address_it_writes_the_present_one_where_it_is_missing(copy, capsys):
    assert main(["--root", str(copy)]) == 0 and "0 files changed" in capsys.readouterr().out
    readme = copy / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(re.sub(r" · \[(Colab|Kaggle)\]\([^)]*\)", "", text), encoding="utf-8")
    main(["--root", str(copy)])
    assert readme.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("wrong", ["somebody", "a/b/c", "https://example.org/a/b", "-p x/y z"])
def test_what_is_no_repository_is_refused_and_changes_nothing(copy, capsys, wrong):
    before = contents(copy)
    with pytest.raises(SystemExit) as stop:
        main(["--root", str(copy), "--", wrong])
    assert stop.value.code == 2 and "REPO=owner/name" in capsys.readouterr().err
    assert contents(copy) == before


def test_a_longer_name_that_begins_alike_is_another_repository(copy):
    old, readme = repository(), copy / "README.md"
    readme.write_text(f"github.com/{old}-two, github.com/{old}.js, github.com/{old}.git, github.com/{old}.")
    main(["me/shop", "--root", str(copy)])
    ours = "github.com/me/shop.git, github.com/me/shop."
    assert readme.read_text() == f"github.com/{old}-two, github.com/{old}.js, {ours}"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_hands_the_repository_on():
    command = ["make", "--dry-run", "--assume-old=.venv/.stamp-dev", "address", "REPO=me/shop"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m pipeline.address me/shop" in shown


def test_the_first_cell_and_the_module_mean_the_same_folder():
    first = nbformat.read(NOTEBOOKS[0], as_version=4).cells[2].source
    assert first.count(f'HERE / "{hosted.NAME}"') == 2
