"""A host in a temporary folder: its variables, its folders, packages that are only names, an installer.

The first cell of the notebooks runs there as on Colab or Kaggle, in a fresh interpreter that sees none of
the real site-packages, with a git repository to clone from and a stand-in for uv or pip that notes its words.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
PARTS = (
    "helpers.py",
    "pipeline/__init__.py",
    "pipeline/hosted.py",
    "pipeline/installation/__init__.py",
    "pipeline/installation/pins.py",
    "pipeline/runs.py",
    "envs/__init__.py",
    "envs/retail/__init__.py",
    "envs/retail/files.py",
)
# Should a real installer be reached after all, it must not touch the environment that runs the tests.
HARMLESS = {"PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "UV_OFFLINE": "1"}
VARIABLES = {
    "Colab": {"COLAB_RELEASE_TAG": "release-colab", "COLAB_GPU": "1"},
    # Kaggle's image is built on Colab's and keeps its variable
    "Kaggle": {"KAGGLE_KERNEL_RUN_TYPE": "Interactive", "COLAB_RELEASE_TAG": "release-colab"},
    "": {},
}
BROUGHT = ("torch==2.9.0+cu126", "torchvision==0.24.0+cu126", "pandas==2.2.2", "ipykernel==6.17.1")
INSTALLER = """#!{python} -S
import json, os, pathlib, shutil, sys
words = sys.argv[1:]
with open(os.environ["STAND_IN_LOG"], "a") as log:
    log.write(json.dumps({{"program": {program!r}, "words": words}}) + "\\n")
if os.environ.get("STAND_IN_FAILS"):
    sys.exit("no route to the index")
site = pathlib.Path(os.environ["STAND_IN_SITE"])
also = os.environ.get("STAND_IN_ALSO", "").split()
for word in [word for word in words if "==" in word] + also:
    name, version = word.split("==")
    for old in site.glob(name.replace("-", "_") + "-*.dist-info"):
        shutil.rmtree(old)
    folder = site / (name.replace("-", "_") + "-" + version + ".dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Name: " + name + "\\nVersion: " + version + "\\n")
    (folder / "RECORD").write_text(name.replace("-", "_") + "/__init__.py,,\\n")
"""


@dataclass(frozen=True)
class Said:
    """What a run of the first cell came to."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line of an error."""
        return self.err.strip().splitlines()[-1]


class Host:
    """One machine of Colab or Kaggle."""

    def __init__(self, folder: Path, name: str, *, uv: bool = True, gpu: str = "Tesla T4") -> None:
        self.name, self.top = name, folder
        self.home = folder / {"Colab": "content", "Kaggle": "kaggle/working", "": "home/someone"}[name]
        self.site, self.bin, self.log = folder / "site", folder / "bin", folder / "installer.jsonl"
        for one in (self.home, self.site, self.bin):
            one.mkdir(parents=True)
        (self.bin / "git").symlink_to(shutil.which("git"))
        if uv:
            self._program(self.bin / "uv", "uv")
        else:
            (self.site / "pip").mkdir()
            (self.site / "pip" / "__init__.py").touch()  # or the real one would be found first
            self._program(self.site / "pip" / "__main__.py", "pip")
        if gpu:
            listed = f"#!/bin/sh\necho 'GPU 0: {gpu} (UUID: GPU-0)'\n"
            (self.bin / "nvidia-smi").write_text(listed)
            (self.bin / "nvidia-smi").chmod(0o755)
        self.has(*BROUGHT)

    def _program(self, path: Path, program: str) -> None:
        path.write_text(INSTALLER.format(python=sys.executable, program=program))
        path.chmod(0o755)

    def has(self, *packages: str) -> None:
        """Put packages on it that an installation would find."""
        for package in packages:
            name, version = package.split("==")
            folder = self.site / f"{name}-{version}.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
            (folder / "RECORD").write_text(f"{name}/__init__.py,,\n")

    def run(
        self, *lines: str, before: str = "", twice: bool = False, at: Path | None = None, **environ: str
    ) -> Said:
        """The first cell with lines before and after it, in a fresh interpreter as after a restart."""
        again = f"try:\n    exec({first_cell()!r})\nexcept RuntimeError as error:\n    print(error)"
        code = "\n".join([before, *([again, again] if twice else [first_cell()]), *lines])
        given = {
            "PATH": str(self.bin),
            "PYTHONPATH": str(self.site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.home),
            "STAND_IN_LOG": str(self.log),
            "STAND_IN_SITE": str(self.site),
        }
        done = subprocess.run(
            [sys.executable, "-S", "-c", code],
            cwd=at or self.home,
            env=HARMLESS | given | VARIABLES[self.name] | environ,
            capture_output=True,
            text=True,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    @property
    def installed(self) -> list[dict]:
        """Every call of the installer so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @property
    def words(self) -> list[str]:
        """All packages the installer was asked for."""
        return [word for call in self.installed for word in call["words"] if "==" in word]


def first_cell(address: str = "OWNER/REPOSITORY") -> str:
    """The first code cell, as it is while the address is a placeholder."""
    from pipeline.address import repository

    notebook = nbformat.read(ROOT / "notebooks" / "00_meet_the_shop.ipynb", as_version=4)
    source = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return source.replace(f"github.com/{repository()}", f"github.com/{address}")


def copy_project(to: Path) -> Path:
    """As much of the project as its first cell needs."""
    for name in [*PARTS, *(path.name for path in ROOT.glob("requirements*.txt"))]:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    return to


def repository_of(folder: Path) -> str:
    """A bare git repository of the project, as an address to clone from."""
    work = copy_project(folder / "work")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], cwd=work, check=True, env={**os.environ, "HOME": str(folder)})
    subprocess.run([*git, "clone", "-q", "--bare", "work", "shop.git"], cwd=folder, check=True)
    return f"file://{folder / 'shop.git'}"
