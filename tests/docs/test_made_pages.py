"""What docs/ says of settings and modules is what the code says, and no arrow points the wrong way."""

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.config import PROFILES, Config, resolve
from pipeline.docs import MARKS, drawing, imports, settings
from pipeline.docs.__main__ import PARTS
from pipeline.reference_page import put_into
from pipeline.runs import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def modules() -> dict[str, imports.Module]:
    return imports.read_modules(ROOT)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (page == "rewards.md")) for page in PARTS]
)
def test_the_made_part_is_what_the_code_says_today(page, modules, tmp_path):
    written = (DOCS / page).read_text(encoding="utf-8")
    (tmp_path / page).write_text(written, encoding="utf-8")
    put_into(tmp_path / page, PARTS[page](modules), MARKS)
    assert (tmp_path / page).read_text(encoding="utf-8") == written, "out of date: run `make docs`"


def test_the_picture_is_what_the_code_says_today(modules):
    drawn = drawing.picture(modules)
    assert drawn == drawing.picture(dict(modules)), "the same bytes each time"
    assert drawn == (DOCS / "architecture.svg").read_text(encoding="utf-8"), "out of date: run `make docs`"


def test_every_setting_stands_there_with_its_meaning():
    found = {one.name: one for one in settings.read_settings()}
    assert list(found) == [field.name for field in fields(Config)]
    assert all(one.meaning for one in found.values())
    assert found["tells_answers"].meaning.startswith("share of demonstrations"), "a comment on a line below"
    assert found["lora_rank"].group == "model" and found["sft_patience"].group == "supervised warm-up"
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for name in PROFILES:
        assert f" {name} " in text.replace(",", " ")


def test_the_profile_tables_hold_what_resolve_gives():
    table = settings.tables().split("### Profiles in plan mode")[1]
    titles, _, *rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()]
    cells = {row[0].strip("`"): dict(zip(titles, row, strict=True)) for row in rows}
    assert cells["train_tasks"]["tiny"] == f"`{resolve('tiny', environ={}, mode='plan').train_tasks}`"
    assert cells["lora_rank"]["t4"] == "`8`" and cells["lora_rank"]["gpu24, gpu80"] == "`16`"
    assert "sft_patience" not in cells, "a row that says nothing"


def test_a_setting_without_a_comment_is_an_error_that_names_it(monkeypatch):
    source = "class Config:\n    mode: str = 'agent'  # how\n    def f(self): ...\n"
    monkeypatch.setattr(settings.inspect, "getsource", lambda _: source)
    with pytest.raises(ValueError, match=r"say in a comment what .*seed"):
        settings.read_settings()


# The arrows


def test_no_arrow_points_the_wrong_way(modules):
    assert imports.wrong_arrows(modules) == []
    found = imports.arrows(modules)
    assert found["notebooks", "helpers"] == len(list((ROOT / "notebooks").glob("*.ipynb")))
    taken = [name for name in modules["helpers"].imports if name.startswith("scaleout")]
    assert taken == ["scaleout.overview"], "the one name that helpers may take from scaleout"


def house(root: Path, **files: str) -> dict[str, imports.Module]:
    """A small project of the same shape."""
    (root / "notebooks").mkdir(parents=True)
    for name, code in {"helpers": "", **files}.items():
        file = root / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'"""{name}."""\n{code}\n')
    return imports.read_modules(root)


def test_a_wrong_arrow_is_found_wherever_it_hides_and_drawn_in_red(tmp_path):
    right = "from pipeline import config\ndef late():\n    import envs.shop\n"
    found = house(
        tmp_path,
        pipeline__config="import os",
        envs__shop="def late():\n    from pipeline.config import resolve",
        scaleout__verl=right,
    )
    assert imports.wrong_arrows(found) == ["envs.shop imports pipeline.config: envs must not know pipeline"]
    assert imports.arrows(found) == {
        ("envs", "pipeline"): 1,
        ("scaleout", "envs"): 1,
        ("scaleout", "pipeline"): 1,
    }
    assert drawing.picture(found).count('class="arrow wrong"') == 1


def test_the_picture_is_for_light_and_dark_pages_and_shows_every_module(modules):
    drawn = drawing.picture(modules)
    assert "prefers-color-scheme: dark" in drawn and 'class="arrow wrong"' not in drawn
    for one in modules.values():
        if one.house not in ("benchmarks", "reliability") and one.name != one.package:
            assert f">{one.own_name}</text>" in drawn
