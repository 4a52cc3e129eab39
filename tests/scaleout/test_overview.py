"""What notebook 08 shows is what the parts say: plans, files, findings, results."""

import pytest

pytest.importorskip("pandas", reason="needs pandas (requirements-dev.txt)")
pytest.importorskip("pyarrow", reason="needs pyarrow (requirements-dev.txt)")

from envs.retail.database import Shop
from envs.retail.tasks import read_tasks
from pipeline.runs import ROOT
from scaleout import overview
from scaleout.verl.export import read_rows


@pytest.fixture(scope="module")
def tasks():
    return read_tasks(ROOT / "data" / "dataset.jsonl")[:6]


def test_more_gpus_never_need_more_memory_each_nor_more_time():
    made = overview.plans("gpt-oss-20b", gpus=(1, 2, 4, 8, 16), episodes=64, tokens=4000)
    for name in ("memory needed", "a step"):
        values = [plan.value(name) for plan in made]
        assert values == sorted(values, reverse=True) and len(set(values)) == 5
    table = overview.plans_table(made)
    assert list(table["GPUs"]) == [1, 2, 4, 8, 16]
    assert [fit == "yes" for fit in table["fits"]] == [plan.fits for plan in made]
    assert len(overview.plot_memory(made).axes[0].patches) == 5 * 4
    assert len(overview.formulas(made[3]).data) == 10


def test_an_unknown_machine_is_named():
    with pytest.raises(ValueError, match="h100-80gb"):
        overview.plans("gpt-oss-20b", gpus=(8,), episodes=64, tokens=4000, machine="abacus")


def test_both_engines_get_the_same_tasks(tasks, tmp_path):
    overview.export_for_both(tasks, tmp_path)
    verl = {row["extra_info"]["task_id"] for row in read_rows(tmp_path / "verl" / "train.parquet")}
    assert verl == {task.id for task in tasks}
    assert len(read_rows(tmp_path / "skyrl" / "train.parquet")) == len(tasks)


def test_the_recipes_pass_and_careless_changes_do_not():
    said = overview.findings().data
    by_recipe = said.groupby("recipe")["what the check says"].apply(list)
    assert by_recipe["verl, as it is"] == by_recipe["SkyRL, as it is"] == ["nothing wrong found"]
    assert len(by_recipe["verl, changed"]) >= len(overview.CARELESS)


def test_every_column_pays_the_same_and_behaviours_differ(tasks):
    table = overview.same_rewards(Shop.load(), tasks)
    assert (table["notebooks"] == table["verl"]).all() and (table["notebooks"] == table["SkyRL"]).all()
    assert table["notebooks"].iloc[0] == 1.0 and table["notebooks"].iloc[-1] < 0.5


def test_hedging_earns_nothing_in_the_table():
    table = overview.problems_table().data
    assert set(table["worked out"]) == {"1"} and set(table["without ####"]) == {"0"}


def test_commands_name_files_that_are_there(tasks, tmp_path):
    overview.export_for_both(tasks, tmp_path)
    told = overview.commands(tmp_path)
    assert str(overview.VERL_RECIPE) in told and overview.VERL_RECIPE.is_file()
    assert str(tmp_path / "skyrl" / "train.parquet") in told and str(tmp_path / "verl") in told


def test_a_folder_without_results_says_what_to_name(tmp_path):
    with pytest.raises(ValueError, match="dumped evaluations"):
        overview.read_results(tmp_path, tmp_path)
