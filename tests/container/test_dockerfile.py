"""The Dockerfile as far as it can be checked without Docker: lint, stages, files, and wheels for aarch64."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile_DGX_Spark"
TEXT = DOCKERFILE.read_text(encoding="utf-8")


def installed(program: str) -> str:
    """A program of requirements-dev.txt, beside the Python that runs the tests; else the test is skipped."""
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    return found or pytest.skip(f"{program} is not installed: make setup")


def run(*command: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)


def test_hadolint_finds_nothing():
    done = run(installed("hadolint"), "--no-color", DOCKERFILE)
    assert done.returncode == 0, done.stdout


SCRIPTS = (
    *("container/entry.sh", ".ci/run", "scaleout/slurm/train.sbatch"),
    *("scaleout/skyrl/gsm8k_gpt_oss.sh", "scaleout/skyrl/retail_gpt_oss.sh"),
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_finds_nothing(script):
    done = run(installed("shellcheck"), ROOT / script)
    assert done.returncode == 0, done.stdout


# Stages: what is compiled, and when


def stages(**given: str) -> set[str]:
    """The stages that a build with these arguments makes, by their names ("image" is the last one)."""
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", TEXT, flags=re.MULTILINE)) | given
    needs: dict[str, set[str]] = {}
    for part in re.split(r"^(?=FROM )", TEXT, flags=re.MULTILINE)[1:]:
        base, name = re.match(r"FROM (\S+)(?: AS (\S+))?", part).groups()
        base = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base)
        needs[name or "image"] = {base, *re.findall(r"from=(\w+)", part)}
    made, open_ones = set(), {"image"}
    while open_ones:
        made |= open_ones
        open_ones = {below for name in open_ones for below in needs.get(name, ())} - made
    return made


def test_nothing_is_compiled_unless_a_build_argument_asks():
    assert {"image", "system", "triton-0", "xformers-0"} <= stages()
    assert not {"compiler", "triton-1", "xformers-1"} & stages()
    assert {"compiler", "triton-1"} <= stages(SOURCE_TRITON="1")
    assert {"compiler", "xformers-1", "triton-0"} <= stages(SOURCE_XFORMERS="1")
    assert "TORCH_CUDA_ARCH_LIST=12.1" in TEXT, "the GB10's own architecture"


# Files: what is copied, and what the steps find


def copied_before(step: str) -> list[str]:
    """Patterns of the COPY lines of the image's stage that come before a step."""
    image = TEXT[TEXT.rindex("\nFROM ") :]
    lines = re.findall(r"^COPY --chown=\S+ (.+) \./?$", image[: image.index(step)], flags=re.MULTILINE)
    return [word for line in lines for word in line.split()]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_setup_finds_all_it_needs_before_the_project_is_copied(tmp_path):
    step = re.search(r"^ +make setup .*$", TEXT, flags=re.MULTILINE)[0]
    for pattern in copied_before(step):
        for path in ROOT.glob(pattern):
            shutil.copy(path, tmp_path)
    done = run(
        *step.split(), "--dry-run", cwd=tmp_path, env={"PATH": os.environ["PATH"], "VENV": "elsewhere"}
    )
    assert done.returncode == 0, done.stderr
    assert "requirements.txt" in done.stdout and "requirements-cpu.txt" not in done.stdout


def carried(path: str) -> bool:
    """Whether Docker sends a file to the build: the last pattern that fits it, or a folder above, decides."""
    above = [path, *(str(folder) for folder in Path(path).parents)]
    kept = True
    for pattern in dockerignored():
        if any(meaning(pattern.removeprefix("!")).fullmatch(one) for one in above):
            kept = pattern.startswith("!")
    return kept


@cache
def dockerignored() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def meaning(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*|\?|\[[^]]+\])", pattern)
    meant = {"**/": "(.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meant.get(one, one if one[:1] == "[" else re.escape(one)) for one in parts))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_the_image_carries_what_git_has_and_nothing_else():
    there = run("git", "ls-files", cwd=ROOT, check=True).stdout.splitlines()
    assert len(there) > 100 and [path for path in there if not carried(path)] == []
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignored if line and not line.startswith(("#", "!"))]
    samples = [re.sub(r"\[.*\]$", "c", line.replace("*", "x")) for line in patterns]
    samples = [f"{sample}file" if sample.endswith("/") else sample for sample in samples]
    samples += [".git/config", ".venv/bin/python", "outputs/demo/report.html", "envs/__pycache__/x.pyc"]
    assert [sample for sample in samples if carried(sample)] == []


# Wheels


UNREACHABLE = (
    "error sending request",
    "Failed to fetch",
    "Could not connect",
    "Temporary failure",
    "timed out",
)


def resolved(folder: Path, requirements: str, *options: str) -> dict[str, str]:
    """What pip would install on a DGX Spark, from the wheels' descriptions alone: no wheel is downloaded."""
    (folder / "asked.txt").write_text(requirements)
    target = ("--python-version", "3.12", "--python-platform", "aarch64-manylinux_2_28")
    target += ("--python", sys.executable)  # or uv looks for a 3.12 here, for seconds
    quiet = ("--only-binary", ":all:", "--no-annotate", "--no-header", "--quiet")
    done = run(installed("uv"), "pip", "compile", folder / "asked.txt", *target, *quiet, *options)
    if done.returncode and any(words in done.stderr for words in UNREACHABLE):
        pytest.skip(f"no package index was reached: {done.stderr.strip().splitlines()[-1][:200]}")
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^([\w.-]+)==(\S+)", done.stdout, flags=re.MULTILINE))


@pytest.mark.slow
def test_all_that_the_image_installs_is_a_wheel_for_aarch64(tmp_path):
    lines = "".join((ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt"))
    asked = re.findall(r"^[\w-]+==.*$", lines, flags=re.MULTILINE)
    alone = [line for line in asked if line.startswith("unsloth")]
    found = resolved(tmp_path, "\n".join(line for line in asked if line not in alone))
    found |= resolved(tmp_path, "\n".join(alone), "--no-deps")
    pins = dict(line.split("==") for line in asked if ";" not in line)
    names = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    assert {name: found.get(name) for name in names} == names
    assert "xformers" not in found, "it has no wheel for aarch64"
    assert tuple(map(int, found["triton"].split(".")[:2])) >= (3, 8), "older ones do not know sm_121"
