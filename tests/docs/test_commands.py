"""Every command of the READMEs and docs/ is run, or its options exist and something else runs it."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("mistune", reason="mistune comes with nbconvert: requirements-dev.txt")
from doc_commands import ELSEWHERE, ELSEWHERE_ON, Command, commands
from doc_pages import NEEDS_A_MODEL, ROOT, Fence, command_pages, fences

PAGES = command_pages()
BLOCKS = {page: [fence for fence in fences(page) if fence.language == "bash"] for page in PAGES}
COMMANDS = {page: [one for fence in blocks for one in commands(fence)] for page, blocks in BLOCKS.items()}
ALL = [one for found in COMMANDS.values() for one in found]
OURS = re.compile(r"-m ((?:envs|pipeline|scaleout|benchmarks)[\w.]*)((?: [a-z][\w-]*)*)")
BUILT = {"ARGS", "RUN", "PROFILE", "MODEL", "PYTHON", "VENV"}


def test_every_command_is_of_a_known_class():
    unknown = [f"{one.page}: {one.plain}" for one in ALL if not one.known]
    assert not unknown, (
        "say in tests/docs/doc_commands.py how each is tested, or put it under <!-- needs: … -->"
    )


def test_a_reason_is_given_only_for_commands_that_are_there():
    for pattern in ELSEWHERE:
        assert any(re.search(pattern, one.plain) for one in ALL), f"{pattern} is in no page any more"
    for page, patterns in ELSEWHERE_ON.items():
        for pattern in patterns:
            found = any(re.search(pattern, one.plain) for one in COMMANDS.get(Path(page), ()))
            assert found or not (ROOT / page).exists(), f"{pattern} is not in {page} any more"
    reasons = [*ELSEWHERE.values()]
    reasons += [
        why for page, found in ELSEWHERE_ON.items() if (ROOT / page).exists() for why in found.values()
    ]
    for name in re.findall(r"tests/[\w/.]+\.py", " ".join(reasons)):
        assert (ROOT / name).exists(), name


def test_what_is_in_no_class_would_be_found():
    (made,) = commands(Fence("docs/x.md", "bash", "python -m pipeline.nothing --now   # a comment\n"))
    assert made.plain == "python -m pipeline.nothing --now" and not made.known
    block = "# only a comment\ncat > a <<'EOF'\nmake demo\nEOF\n\nmake help && \\\n  make lint\n"
    assert [one.plain for one in commands(Fence("docs/x.md", "bash", block))] == [
        "cat > a <<'EOF'",
        "make help &&    make lint",
    ]


# Targets, variables and options


MAKES = [one for one in ALL if one.plain.startswith("make ")]


@pytest.mark.parametrize("command", MAKES, ids=lambda one: f"{one.page}: {one.plain}")
def test_make_targets_and_their_variables_exist(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    target, *rest = command.words[1:]
    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"no target {target}"
    for name in (word.split("=")[0] for word in rest):
        assert re.search(rf"\$\({name}\)|^{name}\b *[?:]?=", makefile, flags=re.MULTILINE), name


@cache
def help_of(module: str, *words: str) -> str:
    """What `--help` says of a module's command."""
    asked = [sys.executable, "-m", module, *words, "--help"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.stdout if done.returncode == 0 else ""


NOT_RUN = [one for one in ALL if one.exit_code is None and OURS.search(one.plain)]


@pytest.mark.slow
@pytest.mark.parametrize("command", NOT_RUN, ids=lambda one: f"{one.page}: {one.plain}")
def test_options_of_commands_that_are_not_run_exist(command):
    module, words = OURS.search(command.plain).groups()
    asked = words.split()
    while asked and not help_of(module, *asked):
        asked.pop()  # a name of a file or a run is no command
    told = help_of(module, *asked)
    assert told, f"{module} has no --help"
    for option in re.findall(r" (-{1,2}[a-z][\w-]*)", command.plain.split(module)[1]):
        assert re.search(rf"{option}\b", told), f"{module} {' '.join(asked)} has no {option}"


# Running them


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A copy of the project with the programs of this environment, and a run to look at."""
    copy = tmp_path_factory.mktemp("docs") / "project"
    left_out = shutil.ignore_patterns(".*", "outputs", "tests", "3.5k.jsonl", "__pycache__", "*_cache")
    shutil.copytree(ROOT, copy, ignore=left_out)
    shutil.copy(ROOT / ".gitattributes", copy)
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "ruff", "nbstripout", "lint-imports"):
        real = sys.executable if name == "python" else str(Path(sys.executable).with_name(name))
        (programs / name).write_text(f'#!/bin/sh\nexec "{real}" "$@"\n')
        (programs / name).chmod(0o755)
    (copy / ".venv" / ".stamp-dev").touch()  # for make: everything is installed
    shutil.copytree(ROOT / "outputs" / "reference", copy / "outputs" / "reference")
    write_runs(copy / "outputs")
    return copy


def write_runs(outputs: Path) -> None:
    """The runs `demo` and `mine` as the pipeline would leave them, made without a model."""
    sys.path += [str(ROOT / "tests" / "report"), str(ROOT / "tests" / "pipeline")]
    from sample_run import write_run

    from envs.retail.database import Shop

    write_run(outputs / "demo", Shop.load(), count=12)
    episode = (
        '{"stage": "grpo", "step": 0, "failure": "", "ended": "customer", "reward": 1.0, "completion": "…"}\n'
    )
    (outputs / "demo" / "episodes.jsonl").write_text(episode, encoding="utf-8")
    shutil.copytree(outputs / "demo", outputs / "mine")


PYTHON = {page: [fence for fence in fences(page) if fence.language == "python"] for page in PAGES}
WORKING = [page for page in PAGES if PYTHON[page] or any(one.exit_code is not None for one in COMMANDS[page])]


@pytest.mark.slow
@pytest.mark.parametrize("page", WORKING, ids=str)
def test_the_commands_and_the_python_of_a_page_work(page, project):
    for fence in BLOCKS[page]:
        told = "".join(run(one, project) for one in commands(fence) if one.exit_code is not None)
        assert shows(told, fence.output), f"{page} shows another output than:\n{told}"
    code = "\n".join(fence.text for fence in PYTHON[page] if NEEDS_A_MODEL not in fence.text)
    if code:
        (project / "example.py").write_text(code, encoding="utf-8")
        run(Command(str(page), ".venv/bin/python example.py", ""), project, expected=0)


def run(command: Command, project: Path, expected: int | None = None) -> str:
    """Run a command as a person in the project's folder would; returns what it printed."""
    expected = command.exit_code if expected is None else expected
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GPTOSS_", "TOOL_"))
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{command.text}\n"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == expected, f"{command.text}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def shows(told: str, expected: str) -> bool:
    """Whether the expected lines were printed in this order, others in between; blanks do not count."""
    left = iter([" ".join(line.split()) for line in told.splitlines()])
    return all(" ".join(line.split()) in left for line in expected.splitlines() if line.strip())


def test_an_output_is_compared_line_by_line():
    assert (
        shows("a  b\nmore\nc\n", "a b\n\nc\n") and not shows("a b\nc\n", "c\na b\n") and not shows("", "a\n")
    )
