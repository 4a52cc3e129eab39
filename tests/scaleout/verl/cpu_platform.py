"""TEST ONLY: lets verl 0.9.1 train on a CPU, through the places verl has for other hardware.

    VERL_USE_EXTERNAL_MODULES=cpu_platform VERL_PLATFORM=cpu VERL_ENGINE_DEVICE=cuda

A platform "cpu" whose device module answers every question about memory and streams with nothing, gloo
instead of NCCL, weights offloaded without pinning, and a rollout server of its own (`cpu_rollout.py`).
Nothing of this says anything about speed or GPUs; it shows that data, loops, reward and trainer fit together.
"""

import contextlib
import os
import types
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed.fsdp as fsdp
import verl.utils.distributed as distributed
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.workers.rollout import base, replica

ROLLOUT = "cpu_text"  # what `actor_rollout_ref.rollout.name` says


class Device(types.ModuleType):
    """Stands where torch.cuda would stand."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ("get_rng_state", "set_rng_state"):
            return getattr(torch, name)
        answers = {"is_available": False, "current_device": "cpu", "get_device_name": "cpu"}
        answers |= {"mem_get_info": (1 << 30, 1 << 30)}
        answers |= {f"{most}memory_{kind}": 0 for most in ("", "max_") for kind in ("allocated", "reserved")}
        return lambda *given, **named: answers.get(name)


def _nothing(self: Any, *given: Any, **named: Any) -> None:
    """What a platform must be able to do and a CPU has no need of."""


@contextlib.contextmanager
def _no_range(self: Any, message: str) -> Iterator[None]:
    yield


ANSWERS = {
    "is_available": True,
    "is_platform_available": False,
    "current_device": "cpu",
    "device_count": 1,
    "get_device_capability": (None, None),
    "communication_backend_name": "gloo",
    "visible_devices_envvar": "CUDA_VISIBLE_DEVICES",
    "ray_resource_name": "GPU",
    "ray_noset_envvars": [],
    "is_ipc_supported": False,
}


def _answering(value: Any) -> Any:
    return lambda self, *given, **named: value


def _platform() -> type:
    """The platform class: every method verl asks for, answered or empty."""
    device = Device("cpu_device")
    members: dict[str, Any] = dict.fromkeys(PlatformBase.__abstractmethods__, _nothing)
    members |= {name: _answering(value) for name, value in ANSWERS.items()}
    members |= {
        "device_name": property(_answering("cpu")),
        "vendor_name": property(_answering("generic")),
        "device_module": property(_answering(device)),
        "manual_seed": lambda self, seed: torch.manual_seed(seed),
        "manual_seed_all": lambda self, seed: torch.manual_seed(seed),
        "nvtx_range": _no_range,
        "ray_resource_options": lambda self, number: {"num_gpus": number},
    }
    return type("PlatformCPU", (PlatformBase,), members)


def _over_gloo(timeout_second: int | None = None, backend: str | None = None) -> None:
    """verl would ask torch for "cpu:gloo,cpu:gloo", which torch refuses."""
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group(
            "gloo",
            rank=int(os.environ.get("RANK", 0)),
            world_size=int(os.environ.get("WORLD_SIZE", 1)),
            init_method=os.environ.get("DIST_INIT_METHOD"),
        )


def _replica() -> type:
    from cpu_rollout import CpuReplica

    return CpuReplica


PlatformRegistry.register(platform="cpu")(_platform())
distributed.initialize_global_process_group_ray = _over_gloo
_offload = fsdp.CPUOffloadPolicy
fsdp.CPUOffloadPolicy = lambda pin_memory=True: _offload(pin_memory=False)  # pinning needs a GPU
base._ROLLOUT_REGISTRY[(ROLLOUT, "async")] = "cpu_rollout.WeightPusher"
replica.RolloutReplicaRegistry.register(ROLLOUT, _replica)
