"""The shop's data is made from a seed: the committed files byte by byte, another seed another shop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from envs.retail.database import DATA
from envs.retail.files import read_json
from envs.retail.make_shop import make_shop, write_shop

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("users", "products", "orders")


def read_shop(folder: Path, suffix: str = ".json") -> dict:
    return {name: read_json(folder / f"{name}{suffix}") for name in TABLES}


@pytest.fixture(scope="module")
def ours() -> dict:
    return read_shop(DATA)


def test_the_command_writes_the_committed_files_byte_by_byte(tmp_path):
    command = [sys.executable, "-m", "envs.retail.make_shop", "--seed", "7", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for name in TABLES:
        assert (tmp_path / f"{name}.json").read_bytes() == (DATA / f"{name}.json").read_bytes()


def test_the_default_shop_is_the_one_in_the_files(ours):
    made = make_shop()
    assert [(table, list(rows.items())) for table, rows in made.items()] == [
        (table, list(rows.items())) for table, rows in ours.items()
    ]


def test_the_files_are_small_and_hold_one_record_a_line():
    assert sum((DATA / f"{name}.json").stat().st_size for name in TABLES) < 2_000_000
    for name in TABLES:
        lines = (DATA / f"{name}.json").read_text(encoding="utf-8").splitlines()
        records = [json.loads("{" + line.rstrip(",") + "}") for line in lines[1:-1]]
        assert [lines[0], lines[-1]] == ["{", "}"]
        assert all(len(record) == 1 for record in records)


def test_another_seed_is_another_shop_and_the_same_seed_the_same(ours):
    first, second = make_shop(11), make_shop(11)
    assert first == second
    for table in TABLES:
        assert not first[table].keys() & ours[table].keys()
    items = [{i for p in shop["products"].values() for i in p["variants"]} for shop in (first, ours)]
    assert not items[0] & items[1]


def test_records_share_nothing_that_a_change_could_leak_through():
    shop = make_shop(3)
    order = next(iter(shop["orders"].values()))
    before = json.dumps([shop["users"], shop["products"]])
    order["address"]["zip"] = "changed"
    order["items"][0]["options"].clear()
    assert json.dumps([shop["users"], shop["products"]]) == before


def test_another_seed_does_not_overwrite_our_shop_by_accident():
    command = [sys.executable, "-m", "envs.retail.make_shop", "--seed", "8"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "--out" in result.stderr


def test_writing_reads_back_as_it_was(tmp_path):
    shop = make_shop(5)
    write_shop(shop, tmp_path)
    assert read_shop(tmp_path) == shop


def test_a_shop_needs_nothing_but_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); from envs.retail.make_shop import make_shop; make_shop(1);"
        "print({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "{'envs'}"
