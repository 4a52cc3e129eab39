"""What this machine is and what is installed on it: facts only; verdicts.py, beside it, says what follows.

    facts = look()                      # asks nvidia-smi, the folders, the hub; never hangs
    facts.gpus, facts.installed["trl"], facts.hub.state

Only the standard library: it runs with the system's own Python right after a clone. torch, where there is a
GPU for it to find, is asked in a process of its own, so that nothing here takes GPU memory or fails with it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from pipeline.config import Config
from pipeline.installation.hub import Hub, Weights, ask, find_weights, hub_cache
from pipeline.installation.pins import ROOT, installed_versions

_GIB = 2**30
_QUERY = ("name", "memory.total", "memory.free", "driver_version", "compute_cap")
_ASK_TORCH = """
import json, torch
from pipeline.config import detect_profile
told = {"sees": torch.cuda.is_available(), "auto": detect_profile()}
if told["sees"]:
    told["memory"] = torch.cuda.mem_get_info()
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Gpu:
    """A GPU as nvidia-smi tells it; memory in GiB, None where it is the machine's own (GB10)."""

    name: str
    total: float | None
    free: float | None
    driver: str = ""
    capability: tuple[int, int] | None = None


@dataclass(frozen=True)
class Torch:
    """The torch that is installed: what it was built for, and whether it sees the GPU."""

    version: str
    cuda: str = ""  # such as "13.0"; empty for a CPU build
    sees_gpu: bool = False
    problem: str = ""  # why it could not be asked
    auto: str = "tiny"  # the profile that PROFILE=auto takes
    free_total: tuple[float, float] | None = None  # GiB of the first GPU


@dataclass(frozen=True)
class Facts:
    """All that a verdict needs to know about a machine; sizes in GiB."""

    python: tuple[int, int, int]
    system: str
    processor: str
    cores: int
    memory: float
    memory_free: float
    disk_free: float
    cache: str
    cache_free: float
    hub: Hub
    no_gpu: str = ""  # why there is no GPU in `gpus`
    gpus: tuple[Gpu, ...] = ()
    torch: Torch | None = None
    installed: Mapping[str, str] = field(default_factory=dict)  # without what only names a build (`+cpu`)
    weights: Mapping[str, Weights] = field(default_factory=dict)


def look(
    configs: Mapping[str, Config], ask_hub: bool = True, environ: Mapping[str, str] = os.environ
) -> Facts:
    """The facts of this machine, for the models of some profiles.

    Args:
        configs: Each profile as it would run.
        ask_hub: Ask the hub in any case; else only where a GPU could use what it gives.
        environ: Where the hub's settings are read from.
    """
    gpus, no_gpu = find_gpus()
    cache = hub_cache(environ)
    weights = {name: find_weights(config, cache) for name, config in configs.items()}
    wanted = next((one.source for one in weights.values() if not one.here and not one.problem), None)
    memory, memory_free = main_memory()
    asked = ask_hub or bool(gpus)
    hub = ask(wanted, environ) if asked else Hub("not asked", "not asked: the tiny model is here")
    return Facts(
        python=sys.version_info[:3],
        system=platform.system(),
        processor=platform.machine(),
        cores=os.cpu_count() or 1,
        memory=memory,
        memory_free=memory_free,
        disk_free=free_disk(ROOT),
        cache=str(cache),
        cache_free=free_disk(cache),
        hub=hub,
        no_gpu=no_gpu,
        gpus=gpus,
        torch=find_torch(bool(gpus)),
        installed={name: version.split("+")[0] for name, version in installed_versions().items()},
        weights=weights,
    )


def find_gpus() -> tuple[tuple[Gpu, ...], str]:
    """The GPUs that nvidia-smi names, or none and why."""
    if shutil.which("nvidia-smi") is None:
        return (), "nvidia-smi is not installed"
    for fields in (_QUERY, _QUERY[:-1]):  # drivers of some years ago know no compute_cap
        done = _run(["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"], 30)
        if done is not None and done.returncode == 0:
            gpus = parse_gpus(done.stdout)
            return gpus, "" if gpus else "nvidia-smi names none"
    told = (done.stdout + done.stderr).strip().splitlines()[:1] if done else ["it does not answer"]
    return (), f"nvidia-smi fails: {' '.join(told) or 'without a word'}"


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """The GPUs in nvidia-smi's comma-separated answer; a MiB that is "[N/A]" is nobody's own memory."""
    gpus = []
    for line in text.splitlines():
        told = [part.strip() for part in line.split(",")]
        if len(told) < 4:  # "No devices were found"
            continue
        name, total, free, driver, *rest = told
        major, _, minor = (rest[0] if rest else "").partition(".")
        capability = (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None
        gpus.append(Gpu(name, _gib_of_mib(total), _gib_of_mib(free), driver, capability))
    return tuple(gpus)


def _gib_of_mib(text: str) -> float | None:
    return float(text) / 1024 if re.fullmatch(r"[\d.]+", text) else None


def find_torch(gpu: bool) -> Torch | None:
    """The installed torch, from its files; imported, in a process of its own, only where there is a GPU."""
    try:
        installed = metadata.distribution("torch")
        build = Path(installed.locate_file("torch/version.py")).read_text(encoding="utf-8")
    except (metadata.PackageNotFoundError, OSError):
        return None
    cuda = re.search(r"^cuda\b.*=\s*'([\d.]+)'", build, flags=re.MULTILINE)
    version = installed.version.split("+")[0]
    if not gpu or not cuda:
        return Torch(version, cuda[1] if cuda else "")
    done = _run([sys.executable, "-c", _ASK_TORCH], 180)
    if done is None or done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1] if done else "it took more than three minutes"
        return Torch(version, cuda[1], problem=f"`import torch` fails: {last}")
    told = json.loads(done.stdout.splitlines()[-1])
    sizes = tuple(amount / _GIB for amount in told.get("memory", ()))
    return Torch(version, cuda[1], told["sees"], "", told["auto"], sizes or None)


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str] | None:
    """A finished command, or None where it cannot be run or does not end in time."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None


def main_memory() -> tuple[float, float]:
    """GiB of memory and how much of it is free, within a container's limit where there is one."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB
    free = total
    if Path("/proc/meminfo").exists():
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        free = sizes.get("MemAvailable", sizes["MemFree"]) / 2**20
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text) / _GIB)
    return total, min(free, total)


def free_disk(folder: Path) -> float:
    """GiB free where a folder is or would be made."""
    there = next(one for one in (folder, *folder.resolve().parents) if one.exists())
    return shutil.disk_usage(there).free / _GIB
