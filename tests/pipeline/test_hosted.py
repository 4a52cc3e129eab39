"""Colab and Kaggle, simulated: what the first cell fetches, installs and keeps; once, again, after a loss."""

import json
import shutil

import pytest
from hosted_stand_in import BROUGHT, HARMLESS, ROOT, VARIABLES, Host, copy_project, repository_of

from pipeline import hosted

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
WHERE = 'print("outputs", os.environ.get("TOOL_OUTPUTS")); print("root", ROOT)'


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    return repository_of(tmp_path_factory.mktemp("repository"))


@pytest.mark.parametrize("name", ["Colab", "Kaggle"])
@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
def test_the_first_run_fetches_and_installs_and_the_second_does_neither(tmp_path, address, name, uv):
    host = Host(tmp_path, name, uv=uv)
    first = host.run(WHERE, SHOP_REPOSITORY=address)
    assert first.code == 0, first.err
    assert f"{name} · Tesla T4 · " in first.out and f"root {host.home / 'shop-agent'}" in first.out
    assert {call["program"] for call in host.installed} == {"uv" if uv else "pip"}
    assert {"transformers==5.17.0", "trl==1.15.0", "oss-harmony==0.0.11"} <= set(host.words)
    calls = len(host.installed)
    (host.home / "shop-agent" / "mine.txt").write_text("not to be lost")
    second = host.run(WHERE, SHOP_REPOSITORY="file:///nowhere")
    assert second.code == 0 and "nothing to install" in second.out and len(host.installed) == calls
    assert (host.home / "shop-agent" / "mine.txt").exists()


def test_unsloth_goes_in_alone_and_the_hosts_own_packages_stay(tmp_path, address):
    host = Host(tmp_path, "Colab")
    host.run(SHOP_REPOSITORY=address)
    others, alone = (call["words"] for call in host.installed)
    asked = [word for word in alone if "==" in word]
    assert "--no-deps" in alone and asked == ["unsloth==2026.10.9", "unsloth-zoo==2026.10.9"]
    names = {word.split("==")[0] for word in host.words}
    assert names.isdisjoint({"torch", "torchvision", "xformers", "pandas", "ipykernel", "jupyterlab"})
    assert "--no-deps" not in others and "--constraint" in others


def test_what_must_not_change_is_held_fast_while_the_rest_is_installed(tmp_path, address):
    host = Host(tmp_path, "Colab", uv=False)
    program = host.site / "pip" / "__main__.py"
    keep = "shutil.copy(words[words.index('--constraint') + 1], os.environ['STAND_IN_SITE'] + '/held')"
    program.write_text(program.read_text() + f"if '--constraint' in words:\n    {keep}\n")
    host.run(SHOP_REPOSITORY=address)
    assert sorted((host.site / "held").read_text().split()) == sorted(BROUGHT)


@pytest.mark.parametrize(
    ("torch", "stays"),
    [
        ("2.7.1+cu126", False),
        ("2.8.0+cu126", True),
        ("2.10.0+cu128", True),
        ("2.14.1+cu130", True),
        ("2.15.0", False),
        ("", False),
    ],
)
def test_torch_stays_where_unsloth_can_work_with_it(torch, stays):
    here = {"torch": torch, "torchvision": "0.1"} if torch else {}
    wanted = hosted.to_install(hosted.pins(gpu=True), here)
    assert ("torch" not in wanted) == stays == ("torchvision" not in wanted) == ("xformers" not in wanted)


def test_what_is_right_is_left_and_what_trains_is_brought_to_its_pin():
    for gpu in (True, False):
        wanted = hosted.pins(gpu)
        assert set(hosted.EXACT) - {"torchao", "cut-cross-entropy"} <= set(wanted)
        assert not hosted.to_install(wanted, wanted)
        older = {**wanted, "transformers": "4.57.1", "pandas": "2.2.2", "tensorboard": "2.19.0"}
        assert set(hosted.to_install(wanted, older)) == {"transformers"}
    assert "torch" in hosted.pins(gpu=False) and "xformers" not in hosted.pins(gpu=False)


def test_a_machine_without_a_gpu_gets_the_cpu_set(tmp_path, address):
    host = Host(tmp_path, "Colab", gpu="")
    said = host.run(SHOP_REPOSITORY=address)
    assert "no GPU" in said.out and "bitsandbytes==0.50.2" in host.words
    assert not any(word.startswith("torchao==") for word in host.words), "it is of the GPU's set"


def test_of_two_gpus_one_is_used_unless_the_user_says_otherwise(tmp_path, address):
    host, shown = Host(tmp_path, "Kaggle"), "print(os.environ['CUDA_VISIBLE_DEVICES'])"
    assert host.run(shown, SHOP_REPOSITORY=address).out.endswith("\n0\n")
    assert host.run(shown, CUDA_VISIBLE_DEVICES="1").out.endswith("\n1\n")


def test_an_old_gpu_is_told_what_to_choose(tmp_path, address):
    host = Host(tmp_path, "Kaggle", gpu="Tesla P100-PCIE-16GB")
    assert "choose `GPU T4 x2`" in host.run(SHOP_REPOSITORY=address).out


# The address


def test_with_the_placeholder_one_sentence_says_what_to_do(tmp_path):
    host = Host(tmp_path, "Colab")
    said = host.run()
    assert said.sentence.startswith("AssertionError: say where the project is")
    assert "os.environ['SHOP_REPOSITORY'] = " in said.sentence and not list(host.home.iterdir())


def test_on_ones_own_machine_nothing_is_fetched_or_changed(tmp_path, address):
    laptop = Host(tmp_path, "")
    said = laptop.run(SHOP_REPOSITORY=address)
    assert "open this notebook inside it" in said.sentence and not list(laptop.home.iterdir())
    inside = copy_project(laptop.home / "mine") / "notebooks"
    inside.mkdir()
    said = laptop.run(WHERE, at=inside)
    assert said.out == f"outputs None\nroot {laptop.home / 'mine'}\n" and not laptop.installed


# A package that was loaded before it was replaced


def test_a_replaced_package_asks_for_one_restart_and_then_no_more(tmp_path, address):
    host = Host(tmp_path, "Colab")
    host.has("numpy==1.26.4")
    (host.site / "numpy").mkdir()
    (host.site / "numpy" / "__init__.py").touch()
    given = {"STAND_IN_ALSO": "numpy==2.2.6", "SHOP_REPOSITORY": address}
    first = host.run(before="import numpy", twice=True, **given)
    told = [line for line in first.out.splitlines() if line.startswith("Restart the session once")]
    assert len(told) == 2 and told[0].endswith("numpy was loaded before its new version was installed.")
    calls = len(host.installed)
    restarted = host.run(before="import numpy", **given)
    assert restarted.code == 0 and "Restart" not in restarted.out and len(host.installed) == calls


def test_what_was_loaded_and_stays_asks_for_no_restart(tmp_path, address):
    host = Host(tmp_path, "Colab")
    (host.site / "pandas").mkdir()
    (host.site / "pandas" / "__init__.py").touch()
    assert host.run(before="import pandas", SHOP_REPOSITORY=address).code == 0


def test_a_notebook_shows_the_sentence_alone():
    shown = hosted.HostError("Do this.")
    assert shown._render_traceback_() == ["Do this."]


def test_a_failed_installation_says_what_to_switch_on_and_can_be_repeated(tmp_path, address):
    host = Host(tmp_path, "Kaggle")
    failed = host.run(SHOP_REPOSITORY=address, STAND_IN_FAILS="1")
    assert failed.code and "switch Internet on" in failed.err and "no route to the index" in failed.err
    assert host.run().code == 0, "the project is there already"


# Where runs are kept


def test_without_drive_colab_offers_it_and_with_it_runs_go_there(tmp_path, address):
    host = Host(tmp_path, "Colab")
    said = host.run(WHERE, SHOP_REPOSITORY=address)
    assert "outputs None" in said.out and "drive.mount('/content/drive')" in said.out
    assert f"runs go to {host.home / 'shop-agent' / 'outputs'}" in said.out
    (host.home / "drive" / "MyDrive").mkdir(parents=True)
    said = host.run(WHERE)
    assert f"outputs {host.home / 'drive/MyDrive/shop-agent/outputs'}\n" in said.out
    assert "drive.mount" not in said.out
    said = host.run(WHERE, TOOL_OUTPUTS="/elsewhere")
    assert "outputs /elsewhere" in said.out and "runs go to /elsewhere" in said.out


def test_drive_that_is_mounted_later_is_taken_in_the_same_session(tmp_path, address):
    host = Host(tmp_path, "Colab")
    mount = f"os.makedirs({str(host.home / 'drive' / 'MyDrive')!r})"
    said = host.run(mount, "prepare()", WHERE, SHOP_REPOSITORY=address)
    assert "outputs None" not in said.out and "MyDrive/shop-agent/outputs\n" in said.out


def test_on_kaggle_runs_go_to_the_working_folder(tmp_path, address):
    host = Host(tmp_path, "Kaggle")
    said = host.run(WHERE, SHOP_REPOSITORY=address)
    assert f"outputs {host.home / 'outputs'}\n" in said.out and "drive" not in said.out


def test_a_project_among_kaggles_inputs_is_used_and_not_written_to(tmp_path):
    host = Host(tmp_path, "Kaggle")
    attached = copy_project(tmp_path / "kaggle" / "input" / "my-shop")
    before = sorted(attached.rglob("*"))
    said = host.run(WHERE, "print(os.environ['UNSLOTH_COMPILE_LOCATION'])")
    assert said.code == 0, said.err
    assert f"root {attached}\n" in said.out and f"outputs {host.home / 'outputs'}\n" in said.out
    assert said.out.endswith(f"{host.home / 'unsloth_compiled_cache'}\n")
    assert sorted(attached.rglob("*")) == before


def test_runs_of_an_earlier_session_are_brought_back_and_go_on(tmp_path, address):
    host = Host(tmp_path, "Kaggle")
    earlier = tmp_path / "kaggle" / "input" / "my-notebook" / "outputs" / "demo"
    (earlier / "sft" / "checkpoint-20").mkdir(parents=True)
    (earlier / "sft" / "checkpoint-20" / "trainer_state.json").write_text("{}")
    (host.home / "outputs" / ".demo.part").mkdir(parents=True)  # a copy that a lost session broke off
    look = (
        "from pipeline.runs import run_folder",
        "print(*sorted(p.name for p in run_folder('demo').rglob('*')))",
    )
    said = host.run(*look, SHOP_REPOSITORY=address)
    assert "demo was brought back from the inputs" in said.out
    assert said.out.endswith("checkpoint-20 sft trainer_state.json\n")
    here = host.home / "outputs" / "demo"
    (here / "sft" / "checkpoint-40").mkdir()
    again = host.run()
    assert "brought back" not in again.out and (here / "sft" / "checkpoint-40").exists()
    assert {one.name for one in (host.home / "outputs").iterdir()} == {"demo"}


# The whole project


@pytest.mark.notebook
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout, so there is nothing to clone")
def test_a_notebook_alone_on_kaggle_runs_to_its_end(tmp_path, monkeypatch):
    """The committed project, cloned by its own first cell; this environment has all the packages already."""
    import papermill

    working = tmp_path / "kaggle" / "working"
    working.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "00_meet_the_shop.ipynb", working)
    monkeypatch.delenv("TOOL_OUTPUTS", raising=False)
    monkeypatch.delenv("UNSLOTH_COMPILE_LOCATION", raising=False)
    for name, value in (HARMLESS | VARIABLES["Kaggle"] | {"SHOP_REPOSITORY": f"file://{ROOT}"}).items():
        monkeypatch.setenv(name, value)
    executed = papermill.execute_notebook(
        str(working / "00_meet_the_shop.ipynb"),
        str(tmp_path / "executed.ipynb"),
        parameters={"REPETITIONS": 3},
        cwd=str(working),
        progress_bar=False,
    )
    told = "".join(output.get("text", "") for cell in executed.cells for output in cell.get("outputs", ()))
    assert "nothing to install" in told and f"runs go to {working / 'outputs'}" in told
    summary = working / "outputs" / "demo" / "summaries" / "00_meet_the_shop.json"
    assert json.loads(summary.read_text())["reward"] == 1.0
