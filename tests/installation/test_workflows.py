"""GitHub's workflows call targets that exist, on the Pythons README names, with no rights and no secrets."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def workflow(request) -> dict:
    return yaml.safe_load(request.param.read_text())


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def made(workflow: dict) -> list[str]:
    """The words after `make`, command by command."""
    return [step["run"].removeprefix("make ") for step in steps(workflow) if "run" in step]


def test_lint_tests_notebooks_and_lock_are_covered_and_a_night_without_pins():
    tests, nightly = (
        yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text()) for name in ("tests", "nightly")
    )
    targets = {words.split()[0] for words in made(tests)}
    assert {"lint", "test-fast", "test", "demo", "lock-check"} <= targets
    assert [words.split()[0] for words in made(nightly)] == ["newest", "check", "test", "demo"]
    assert "schedule" in nightly[True], "YAML reads `on` as true"
    assert {"push", "pull_request"} <= set(tests[True])


def test_every_command_is_a_target_of_the_makefile(workflow):
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split())
    for step in steps(workflow):
        assert ("run" in step) != ("uses" in step)
        if "run" in step:
            target, *words = step["run"].removeprefix("make ").split()
            assert step["run"].startswith("make ") and target in phony, step["run"]
            assert all(re.fullmatch(r"[A-Z]+=\w+", word) for word in words), step["run"]


def test_reads_and_nothing_else(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_uses_no_secrets_and_runs_no_text_of_others(path):
    text = path.read_text()
    assert (
        "secrets" not in text.replace("No secrets.", "")
        and "GITHUB_TOKEN" not in text
        and "github.token" not in text
    )
    assert "pull_request_target" not in text
    assert set(re.findall(r"\${{ *([\w.]+) *}}", text)) <= {"github.workflow", "github.ref", "matrix.python"}


def test_actions_are_githubs_own_at_a_stated_major_version(workflow):
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"actions/(checkout|setup-python|upload-artifact)@v\d+", step["uses"])


def test_an_older_run_makes_way_and_none_runs_for_ever(workflow):
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert all(5 <= job["timeout-minutes"] <= 120 for job in workflow["jobs"].values())


def test_pythons_are_those_that_readme_and_makefile_name(workflow):
    needed = re.search(r"Python (3\.\d+(?:, 3\.\d+)* or 3\.\d+)", (ROOT / "README.md").read_text())
    named = re.findall(r"3\.\d+", needed[1])
    assert named == re.findall(
        r"3\.\d+", re.search(r"^NO_PYTHON *= (.*)$", (ROOT / "Makefile").read_text(), re.M)[1]
    )
    matrices = [job["strategy"]["matrix"]["python"] for job in workflow["jobs"].values() if "strategy" in job]
    assert matrices and all(matrix == named for matrix in matrices)
    for step in steps(workflow):
        version = step.get("with", {}).get("python-version", named[0])
        assert version in [*named, "${{ matrix.python }}"]


def test_the_report_of_the_notebooks_is_kept():
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    names = [step.get("run", step.get("uses", "")) for step in tests["jobs"]["notebooks"]["steps"]]
    kept = tests["jobs"]["notebooks"]["steps"][-1]
    assert names.index("make demo") < len(names) - 1 and kept["uses"].startswith("actions/upload-artifact@")
    assert "outputs/demo/report.html" in kept["with"]["path"] and kept["if"] == "always()"
    assert "outputs/demo/report.html" in (ROOT / "Makefile").read_text(), "where `make demo` says it writes"
