"""The commands of docs/cloud.md and docs/dgx_spark.md name notebooks, parameters and options that exist."""

import argparse
import ast
import re
import shlex
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import nbformat
import pytest

from pipeline.config import MODES, PROFILES, Config, from_command_line

ROOT = Path(__file__).parents[1]
CLOUD, SPARK = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("cloud.md", "dgx_spark.md"))


def commands(page: str, about: str) -> list[list[str]]:
    """The commands in a page's blocks that hold a word, split as a shell would."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    return [words for words in found if any(about in word for word in words)]


def defaults(notebook: Path) -> dict[str, object]:
    """A notebook's parameters with their defaults."""
    cells = nbformat.read(notebook, as_version=4).cells
    source = next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(source).body}


def given(words: list[str]) -> dict[str, object]:
    """What a papermill command sets: numbers and texts with -p, all of YAML with -y."""
    import yaml

    places = range(len(words))
    values = {words[at + 1]: number_or_text(words[at + 2]) for at in places if words[at] == "-p"}
    for at in places:
        if words[at] == "-y":
            values |= yaml.safe_load(words[at + 1])
    return values


def number_or_text(word: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(word)
    return word


PAPERMILL = commands(CLOUD, "bin/papermill")


def test_each_notebook_has_its_command():
    there = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sorted(Path(words[1]).name for words in PAPERMILL) == there


@pytest.mark.parametrize("words", PAPERMILL, ids=lambda words: Path(words[1]).stem)
def test_papermill_commands_set_parameters_that_exist(words):
    known = defaults(ROOT / words[1])
    values = given(words)
    assert Path(words[2]).name == Path(words[1]).name and "--cwd" in words
    assert values and values.keys() <= known.keys()
    kinds = {name: (type(value), type(known[name])) for name, value in values.items()}
    assert all(ours is theirs for ours, theirs in kinds.values()), kinds
    for name, all_of_them in (("PROFILE", PROFILES), ("MODE", MODES)):
        assert values.get(name, next(iter(all_of_them))) in all_of_them
        if name in known and "gpu80" in values.values():
            assert name in values, f"say {name}"
    settings = values.get("SETTINGS", {}) | values.get("GRID", {})
    assert settings.keys() <= {field.name for field in fields(Config)}
    numbers = [one for value in settings.values() for one in (value if isinstance(value, list) else [value])]
    assert all(isinstance(one, int | float) for one in numbers), "1e-5 without a point is text in YAML"


@pytest.mark.parametrize("module", ["pipeline.sft", "pipeline.grpo"])
def test_training_commands_have_options_that_exist(module):
    found = [words[words.index(module) + 1 :] for words in commands(CLOUD, module)]
    assert found
    for options in found:
        parser = argparse.ArgumentParser()
        parser.add_argument("--run", required=True)
        _, config = from_command_line(parser, options)
        assert config.profile == "gpu80"


def test_every_docker_run_that_trains_has_the_options_of_the_spark():
    lines = [words for page in (CLOUD, SPARK) for words in commands(page, "docker")]
    runs = [words for words in lines if words[1] == "run" and "hf" not in words]
    assert len(runs) >= 3
    for words in runs:
        assert {"--gpus", "--ipc=host", "memlock=-1", "stack=67108864", "--stop-timeout"} <= set(words)
        volumes = {words[at + 1] for at, word in enumerate(words) if word == "-v"}
        assert volumes == {
            "$PWD/outputs:/home/ubuntu/project/outputs",
            "retail-agent-cache:/home/ubuntu/cache",
        }
    header = (ROOT / "Dockerfile_DGX_Spark").read_text(encoding="utf-8").partition("ARG")[0]
    spark = next(words for words in runs if words[-1] == "retail-agent")
    assert all(option in header for option in spark)


def test_every_block_that_needs_something_says_so():
    for page in (CLOUD, SPARK):
        for above, block in re.findall(r"^(.*)\n```bash\n((?:(?!```).*\n)*)```", page, flags=re.MULTILINE):
            said = re.fullmatch(r"<!-- needs: (gpu|docker|cluster|account) -->", above)
            assert said or not re.search(r"docker|sbatch|gpu80|nvidia-smi|aws |torchrun", block), block
