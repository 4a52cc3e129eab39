"""The task files in `data/` are what `python -m envs.retail.make_data` writes, and share nothing."""

import re
from collections import Counter
from pathlib import Path

import pytest

from envs.retail.make_data import FILES, FOLDER, sha256, write_data
from envs.retail.tasks import read_tasks

KEPT = [file for file in FILES if file.name != "3.5k.jsonl"]


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.name)
def test_file_is_what_the_generator_makes(file, tmp_path):
    write_data(tmp_path, [file.name])
    made, kept = (folder / file.name for folder in (tmp_path, FOLDER))
    assert made.read_bytes() == kept.read_bytes(), "run `python -m envs.retail.make_data`"


@pytest.mark.slow
def test_readme_and_long_file_are_what_the_generator_makes(tmp_path):
    sums = write_data(tmp_path)
    assert (tmp_path / "README.md").read_text() == (FOLDER / "README.md").read_text()
    assert sums["3.5k.jsonl"] in (FOLDER / "README.md").read_text()
    assert len(read_tasks(tmp_path / "3.5k.jsonl")) == 3500


def test_readme_has_the_checksums():
    text = (FOLDER / "README.md").read_text()
    for file in KEPT:
        assert f"{sha256(FOLDER / file.name)}  {file.name}" in text


def test_files_share_no_task_and_held_out_files_no_customer_and_no_order():
    tasks = {file.name: read_tasks(FOLDER / file.name) for file in KEPT}
    together = [task for some in tasks.values() for task in some]
    assert len({task.id for task in together}) == len({task.query for task in together}) == len(together)
    seen = {}
    for name, some in tasks.items():
        orders = re.findall(r"#W\d{7}", Path(FOLDER / name).read_text())
        seen[name] = {task.customer for task in some} | set(orders)
    assert not seen["dataset.jsonl"] & (seen["validation.jsonl"] | seen["test.jsonl"])
    assert not seen["validation.jsonl"] & seen["test.jsonl"]


def test_levels_and_stages_are_balanced():
    for file in KEPT:
        tasks = read_tasks(FOLDER / file.name)
        assert len(tasks) == file.count
        assert set(Counter(task.level for task in tasks).values()) == {file.count // 5}
        assert [task.level for task in tasks] == sorted(task.level for task in tasks)
    stages = Counter((t.level, t.extra["stage"]) for t in read_tasks(FOLDER / "dataset.jsonl"))
    assert set(stages.values()) == {80}
