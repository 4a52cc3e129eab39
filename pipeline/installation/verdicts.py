"""Which profiles will run on a machine, and of the others what is missing: facts in, verdicts out.

    verdict(facts, resolve("gpu24"))    # Verdict("gpu24", lacks=("an NVIDIA GPU (...)",), to_do=())

Pure: machine.py looks for the facts, check.py shows both. What is an estimate says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import Config
from pipeline.installation.machine import Facts, Gpu
from pipeline.model import ModelError, check_memory

NEEDED = "torch transformers trl peft datasets accelerate bitsandbytes unsloth unsloth-zoo"  # to train at all
# GiB of GPU memory from which a profile is the right one; the model itself needs what pipeline/model.py says.
# `spark` plays gpu24's episodes and keeps the embeddings, about 1 GiB, on the GPU: an estimate.
LEAST_GPU_MEMORY = {"gpu24": 21, "gpu80": 70, "spark": 22}
BFLOAT16 = (8, 0)  # before it gpt-oss trains in float32, and an agent's long episodes find no room
CUDA_13 = {"driver": 580, "capability": (7, 5)}  # what CUDA 13 itself asks for
# GiB on disk: the 20B's weights in 4 bits and the environment with its CUDA libraries, both estimates.
WEIGHTS_DISK = {"unsloth/gpt-oss-20b-unsloth-bnb-4bit": 13}
ENVIRONMENT_DISK = 7
# GiB of main memory, with room to spare: a short warm-up took 0.75 at its peak, a step of GRPO 0.86.
TINY_MEMORY = 3


@dataclass(frozen=True)
class Verdict:
    """Whether a profile runs: what the machine lacks, and what an installation or a download would cure."""

    profile: str
    lacks: tuple[str, ...] = ()
    to_do: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Nothing is missing."""
        return not (self.lacks or self.to_do)

    def __str__(self) -> str:
        if self.runs:
            return "runs here"
        return f"no: needs {' and '.join(self.lacks)}" if self.lacks else f"not yet: {'; '.join(self.to_do)}"


def verdict(facts: Facts, config: Config) -> Verdict:
    """What a profile with its config needs and this machine does not have."""
    tiny = config.profile == "tiny"
    lacks = _lacking_memory(facts) if tiny else _lacking_gpu(facts, config)
    to_do = [
        *_missing_packages(facts),
        *([] if tiny else _blind_torch(facts)),
        *_missing_weights(facts, config),
    ]
    return Verdict(config.profile, tuple(lacks), tuple(to_do))


def verdicts(facts: Facts, configs: dict[str, Config]) -> list[Verdict]:
    """One verdict a profile."""
    return [verdict(facts, config) for config in configs.values()]


def _lacking_memory(facts: Facts) -> list[str]:
    if facts.memory >= TINY_MEMORY:
        return []
    return [f"{TINY_MEMORY} GiB of main memory (there are {facts.memory:.1f})"]


def _lacking_gpu(facts: Facts, config: Config) -> list[str]:
    if not facts.gpus:
        return [f"an NVIDIA GPU ({facts.no_gpu})"]
    gpu = facts.gpus[0]
    lacks = []
    if gpu.capability and gpu.capability < CUDA_13["capability"]:
        lacks.append(f"a GPU of compute capability 7.5 or newer for CUDA 13 ({gpu.name} has {dotted(gpu)})")
    elif config.mode == "agent" and gpu.capability and gpu.capability < BFLOAT16:
        lacks.append(f"a GPU with bfloat16, capability 8.0 or newer ({gpu.name} has {dotted(gpu)})")
    free, total = gpu_memory(facts)
    if total < (least := LEAST_GPU_MEMORY.get(config.profile, 0)):
        return [*lacks, f"{least} GiB of GPU memory ({gpu.name} has {total:.1f})"]
    try:
        check_memory(config, free, total)
    except ModelError as error:
        return [*lacks, f"more room: {error}"]
    return lacks


def gpu_memory(facts: Facts) -> tuple[float, float]:
    """GiB free and in all of the first GPU; a GPU without memory of its own has the machine's."""
    if facts.torch and facts.torch.free_total:
        return facts.torch.free_total
    gpu = facts.gpus[0]
    total = facts.memory if gpu.total is None else gpu.total
    free = facts.memory_free if gpu.free is None else gpu.free
    return free, total


def dotted(gpu: Gpu) -> str:
    return ".".join(map(str, gpu.capability or ()))


def _missing_packages(facts: Facts) -> list[str]:
    needs = []
    if not (3, 11) <= facts.python[:2] <= (3, 13):
        needs.append(f"Python 3.11, 3.12 or 3.13 (this is {'.'.join(map(str, facts.python))})")
    absent = [name for name in NEEDED.split() if name not in facts.installed]
    if absent:
        needs.append(f"not installed: {', '.join(absent)} (`make setup`)")
        if facts.disk_free < ENVIRONMENT_DISK:
            free = f"{facts.disk_free:.1f} are free; an estimate"
            needs.append(f"about {ENVIRONMENT_DISK} GiB of disk to install ({free})")
    return needs


def _blind_torch(facts: Facts) -> list[str]:
    """Why an installed torch does not use the GPU that is there."""
    torch = facts.torch
    if not facts.gpus or torch is None or torch.sees_gpu:
        return []
    driver = facts.gpus[0].driver
    release = int(driver.split(".")[0]) if driver.split(".")[0].isdigit() else None
    if not torch.cuda:
        return [f"torch {torch.version} is a CPU build (`make clean`, then `make setup MODEL=gpu`)"]
    if release and torch.cuda.startswith("13") and release < CUDA_13["driver"]:
        return [f"an NVIDIA driver of release 580 or later for CUDA {torch.cuda} (this is {driver})"]
    return [torch.problem or f"torch {torch.version} for CUDA {torch.cuda} does not see the GPU"]


def _missing_weights(facts: Facts, config: Config) -> list[str]:
    weights = facts.weights[config.profile]
    if weights.here:
        return []
    if weights.problem:
        return [weights.problem]
    needs = []
    if facts.hub.state in ("off", "unreachable"):
        needs.append(f"the weights of {weights.source}: not in {facts.cache}; hub: {facts.hub.detail}")
    if facts.cache_free < (size := WEIGHTS_DISK.get(weights.source, 0)):
        free = f"{facts.cache_free:.1f} are free; an estimate"
        needs.append(f"about {size} GiB of disk for the weights in {facts.cache} ({free})")
    return needs
