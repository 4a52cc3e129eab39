"""A notebook opened alone on Colab or Kaggle: what is missing gets installed, and runs are kept.

    from pipeline.hosted import prepare
    prepare()                        # the first cell of every notebook; elsewhere it does nothing

    python -m pipeline.hosted        # only says what it would install, on any machine

Nothing is installed that is already right, so a second call takes seconds. What decides:

- what trains (`EXACT`) is brought to its pinned version;
- torch and torchvision, which come with the machine's CUDA, stay where torch is in `TORCH`; otherwise the
  pinned ones are installed, which takes long. xformers is compiled for one torch, so it comes with ours only;
- everything else, such as pandas or the notebook's own kernel, stays in whatever version is there.

Only the standard library is imported: this runs before anything is installed.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

from pipeline.installation.pins import installed_versions, pins_for, same_name

ROOT = Path(__file__).parents[1]
NAME = "shop-agent"  # of the folder that the first cell clones into, and of ours on Drive
EXACT = (
    *("unsloth", "unsloth-zoo", "trl", "peft", "transformers", "datasets", "accelerate", "bitsandbytes"),
    *("torchao", "cut-cross-entropy", "oss-harmony"),
)
FROM_DEV = ("oss-harmony", "papermill", "nbconvert", "ipywidgets", "pandas", "matplotlib")  # for notebooks
NOT_HERE = ("jupyterlab", "ipykernel", "wheel")  # the host brings its own
WITH_TORCH = ("torch", "torchvision", "xformers")
# From what Unsloth's gpt-oss recipes ask for to what this Unsloth allows; the second number is left out.
TORCH = ((2, 8), (2, 15))
_replaced: set[str] = set()  # loaded in this process before a newer version was installed


class HostError(RuntimeError):
    """What the user has to do, in a sentence; a notebook shows it without the way here."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def which_host(environ: Mapping[str, str]) -> str:
    """ "Kaggle", "Colab", or "" elsewhere; Kaggle's image is built on Colab's and sets its variables too."""
    if "KAGGLE_KERNEL_RUN_TYPE" in environ:
        return "Kaggle"
    return "Colab" if {"COLAB_RELEASE_TAG", "COLAB_GPU"} & set(environ) else ""


def prepare() -> None:
    """Install what is missing on Colab and Kaggle, and put the outputs where they survive."""
    host = which_host(os.environ)
    if not host:
        return
    gpu, began = gpu_name(), time.monotonic()
    wanted = to_install(pins(bool(gpu)), installed_versions())
    if wanted:
        install(wanted)
    told = f"{len(wanted)} packages in {time.monotonic() - began:.0f} s" if wanted else "nothing to install"
    print(f"{host} · {gpu or 'no GPU: the tiny model runs on the CPU'} · {told}")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # or the trainer would spread a batch over both T4s
    if "P100" in gpu:
        print("A P100 is too old for the kernels that train gpt-oss: choose `GPU T4 x2` under Accelerator.")
    keep_outputs(host)
    if _replaced:
        raise HostError(
            "Restart the session once (Colab: Runtime > Restart session; Kaggle: Run > Restart) and run this "
            f"cell again: {', '.join(sorted(_replaced))} was loaded before its new version was installed."
        )


def gpu_name() -> str:
    """The first GPU as nvidia-smi names it, or an empty string."""
    if not shutil.which("nvidia-smi"):
        return ""
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    found = re.match(r"GPU 0: (.+?) \(", listed)
    return found.group(1) if found else ""


# What to install


def pins(gpu: bool) -> dict[str, str]:
    """Every package the notebooks need on this machine, with its pinned version."""
    files = ("requirements.txt" if gpu else "requirements-cpu.txt", "requirements-dev.txt")
    wanted, dev = (pins_for(ROOT / file, platform.machine()) for file in files)
    wanted |= {name: dev[name] for name in FROM_DEV}
    return {name: version for name, version in wanted.items() if name not in NOT_HERE}


def to_install(wanted: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """What of the wanted is missing or, where the version matters, another than pinned."""
    torch_stays = _fits(here.get("torch", ""))
    return {
        name: version
        for name, version in wanted.items()
        if not (name in WITH_TORCH and torch_stays)
        and (name not in here or (name in (*EXACT, *WITH_TORCH) and _public(here[name]) != version))
    }


def _fits(torch: str) -> bool:
    """Whether a torch can stay."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", torch)[:2])
    return TORCH[0] <= numbers < TORCH[1]


def _public(version: str) -> str:
    """A version without what its builder added: 2.14.1 of 2.14.1+cu130."""
    return version.split("+")[0]


# Installing


def install(wanted: Mapping[str, str]) -> None:
    """Install these versions, Unsloth without its dependencies; notes which loaded modules are now old."""
    before = installed_versions()
    stay = [f"{name}=={version}" for name, version in before.items() if name in _staying(wanted)]
    with tempfile.TemporaryDirectory() as scratch:
        constraints = Path(scratch) / "constraints.txt"
        constraints.write_text("\n".join(stay) + "\n")
        alone = [f"{name}=={version}" for name, version in wanted.items() if name.startswith("unsloth")]
        others = [f"{name}=={version}" for name, version in wanted.items() if not name.startswith("unsloth")]
        print(f"installing {len(wanted)} packages with {'uv' if shutil.which('uv') else 'pip'} …", flush=True)
        if others:
            _run([*_installer(), "--constraint", str(constraints), *others])
        if alone:  # it asks for a certifi that some indexes do not hold yet: requirements.txt says more
            _run([*_installer(), "--no-deps", *alone])
    _replaced.update(stale(before, installed_versions()))


def _staying(wanted: Mapping[str, str]) -> set[str]:
    """Packages that must not change while others are installed."""
    torch = set() if "torch" in wanted else {*WITH_TORCH, "torchaudio", "triton"}
    return torch | {*NOT_HERE, *FROM_DEV} - set(wanted)


def _installer() -> list[str]:
    """uv where there is one, because it takes a fraction of pip's time."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise HostError(
            f"The installation failed (on Kaggle, switch Internet on under Settings):\n"
            f"{' '.join(command)}\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )


def stale(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Packages whose modules were loaded when another version took their place."""
    changed = {name for name, version in after.items() if before.get(name, version) != version}
    return {
        same_name(package)
        for module, packages in packages_distributions().items()
        for package in packages
        if module in sys.modules and same_name(package) in changed
    }


# Where runs are kept


def keep_outputs(host: str) -> None:
    """Say where runs go, and send them to a place that outlives the session, unless TOOL_OUTPUTS is set."""
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(home() / "unsloth_compiled_cache"))
    if (lasting := lasting_folder(host)) and not os.environ.get("TOOL_OUTPUTS"):
        os.environ["TOOL_OUTPUTS"] = str(lasting)
    folder = Path(os.environ.get("TOOL_OUTPUTS") or ROOT / "outputs")
    brought = bring_back(folder) if host == "Kaggle" else []
    print(f"runs go to {folder}", *(f"{name} was brought back from the inputs" for name in brought), sep="; ")
    if host == "Colab" and "MyDrive" not in folder.parts:
        print(
            "They are lost when the session ends. To keep them, and to go on after a disconnect, run this "
            "first, then this cell:\n    from google.colab import drive; drive.mount('/content/drive')"
        )


def home() -> Path:
    """The host's own folder: where the project lies, or the working folder of a project among inputs."""
    if "input" in ROOT.parts:
        return Path(*ROOT.parts[: ROOT.parts.index("input")], "working")
    return ROOT.parent


def lasting_folder(host: str) -> Path | None:
    """Where runs survive the session: a mounted Drive, or Kaggle's working folder, which it saves."""
    if host == "Kaggle":
        return home() / "outputs"
    drive = home() / "drive" / "MyDrive"
    return drive / NAME / "outputs" if drive.is_dir() else None


def bring_back(outputs: Path) -> list[str]:
    """Copy runs of an earlier session, added as an input, to where they can go on; returns their names."""
    brought = []
    for run in sorted(home().parent.glob("input/*/outputs/*/")):
        if run.name != "reference" and not (outputs / run.name).exists():
            part = outputs / f".{run.name}.part"  # a copy that was broken off must not pass for a run
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(run, part)
            part.rename(outputs / run.name)
            brought.append(run.name)
    return brought


if __name__ == "__main__":
    missing = to_install(pins(bool(gpu_name())), installed_versions())
    print("to install:", *(f"{name}=={version}" for name, version in missing.items()))
