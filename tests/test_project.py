"""The project's own promises: helpers, the Makefile, pinned requirements, and arrows that point one way."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import helpers

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "unsloth", "accelerate", "bitsandbytes")
REQUIREMENTS = sorted(path.name for path in ROOT.glob("requirements*.txt"))


def loaded_by(statement: str) -> set[str]:
    """Top-level names of the modules a fresh interpreter holds after running a statement."""
    code = f"{statement}\nimport sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return {name.split(".")[0] for name in result.stdout.split()}


# helpers.py


def test_helpers_load_no_torch_and_no_pandas():
    loaded = loaded_by("import helpers")
    assert "helpers" in loaded
    assert loaded.isdisjoint({*HEAVY, "pandas", "matplotlib", "numpy"})


def test_helpers_export_exactly_what_they_import():
    tree = ast.parse((ROOT / "helpers.py").read_text(encoding="utf-8"))
    docstring, *statements = tree.body
    *imports, exported = statements
    assert isinstance(docstring, ast.Expr) and all(isinstance(node, ast.ImportFrom) for node in imports), (
        "helpers.py holds imports and __all__, no logic"
    )
    names = [alias.asname or alias.name for node in imports for alias in node.names]
    assert ast.unparse(exported.targets[0]) == "__all__"
    assert sorted(names) == sorted(helpers.__all__)
    assert all(hasattr(helpers, name) for name in helpers.__all__)


def test_helpers_stay_small_and_documented():
    assert len((ROOT / "helpers.py").read_text(encoding="utf-8").splitlines()) <= 120
    assert len(helpers.__all__) <= 30
    undocumented = [name for name in helpers.__all__ if not re.search(rf"\b{name}\b", helpers.__doc__)]
    assert not undocumented, f"the map in helpers.__doc__ lacks {undocumented}"


# The arrows: notebooks -> helpers -> scaleout -> pipeline -> envs


def test_arrows_point_one_way():
    contracts = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(contracts, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_shop_needs_only_the_standard_library():
    ours = {"envs"}
    others = loaded_by("from envs.retail import customer, environment, tasks, tools") - loaded_by("pass")
    assert others - set(sys.stdlib_module_names) <= ours


# Makefile


def makefile_targets() -> dict[str, str]:
    """Each target a person may call, with its help text ('' where it has none)."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z][a-z-]*):[^=\n]*?(?:## (.*))?$", text, flags=re.MULTILINE))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_every_target_with_its_text():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = makefile_targets()
    assert {"help", "demo", "test", "test-fast", "train", "notebook", "bench", "lint"} <= set(targets)
    for name, text in targets.items():
        assert text, f"make {name} has no help text"
        assert re.search(rf"^  make {name} +{re.escape(text)}$", shown, flags=re.MULTILINE)


def test_every_target_is_phony():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE).group(1).split())
    assert phony == set(makefile_targets())


def test_what_make_runs_as_a_module_exists():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for module in set(re.findall(r"-m ((?:envs|pipeline|benchmarks|reliability)[\w.]*)", text)) - {
        "pipeline.tiny.base"
    }:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


# Requirements


def requirement_lines(name: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_to_one_version(name):
    for line in requirement_lines(name):
        assert re.fullmatch(r'[\w.-]+==[\w.]+(; platform_machine == "x86_64")?', line), line


def test_requirement_files_agree_with_each_other():
    versions: dict[str, set[str]] = {}
    for name in {
        name for name in REQUIREMENTS if "scaleout" not in name
    }:  # those have their own environments
        for line in requirement_lines(name):
            package, version = line.split(";")[0].split("==")
            versions.setdefault(package, set()).add(version)
    differing = {package for package, found in versions.items() if len(found) > 1}
    assert differing <= {"torch"}, "the CPU and the GPU set differ in torch only"


def test_hooks_use_the_same_versions_as_the_requirements():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    lines = (line.split(";")[0] for line in requirement_lines("requirements-dev.txt"))
    pins = dict(line.split("==") for line in lines)
    for package in ("ruff", "nbstripout"):
        assert set(re.findall(rf"{package}==([\d.]+)", hooks)) == {pins[package]}


# What belongs in git


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_git_ignores_what_runs_make_and_keeps_the_reference():
    def ignored(path: str) -> bool:
        return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0

    assert all(map(ignored, [".venv", "outputs/demo/report.html", "data/3.5k.jsonl"]))
    assert all(
        map(ignored, ["unsloth_compiled_cache/x.py", ".hypothesis/unicode_data", "a/__pycache__/b.pyc"])
    )
    assert not any(map(ignored, ["outputs/reference/table.json", "data/dataset.jsonl", "helpers.py"]))


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS" in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_ci_prints_pytests_closing_line_last_and_keeps_the_exit_code(tmp_path):
    """`.ci/run` around a stand-in for make, so that the tests do not call themselves."""
    fake = tmp_path / "make"
    fake.write_text('#!/bin/sh\necho "make $*"\necho "1 failed, 2 passed in 0.12s"\necho noise\nexit 2\n')
    fake.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(["bash", ROOT / ".ci/run"], cwd=tmp_path, env=env, capture_output=True, text=True)
    lines = result.stdout.splitlines()
    assert lines[0] == "make test"
    assert lines[-1] == "1 failed, 2 passed in 0.12s"
    assert result.returncode == 2
