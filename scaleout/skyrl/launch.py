"""Start a training run: check the arguments, check the machine, hand over to SkyRL.

    train("scaleout/skyrl/retail_gpt_oss.args", ["trainer.epochs=1"])

Nothing is downloaded: weights and rows must be there. Paths become absolute, because SkyRL's workers run in
folders of Ray's, and the project's folder is exported to them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from envs.retail.files import read_json
from scaleout.skyrl.arguments import Arguments, read_arguments
from scaleout.skyrl.checks import mistakes
from scaleout.skyrl.spellings import ENGINE

ROOT = Path(__file__).parents[2]
FILES = ("data.train_data", "data.val_data")
FOLDERS = ("trainer.policy.model.path", "trainer.ckpt_path", "trainer.export_path", "trainer.log_path")


def train(file: str | Path, more: Sequence[str] = ()) -> int:
    """Train as an argument file says; the exit code of SkyRL, or 2 with one line for each hindrance.

    The machine is looked at only where the arguments are right.
    """
    arguments = absolute(read_arguments(file, more))
    hindrances = mistakes(arguments) or list(missing(arguments))
    for sentence in hindrances:
        print(f"{file}: {sentence}", file=sys.stderr)
    if hindrances:
        return 2
    command = [sys.executable, "-m", "scaleout.skyrl.entrypoint", *arguments.overrides]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def environment() -> dict[str, str]:
    """This process's environment, with the project in reach of SkyRL's workers."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "SKYRL_PYTHONPATH_EXPORT": "1"}


def absolute(arguments: Arguments) -> Arguments:
    """The same arguments with paths that hold in any folder, read from the project's."""
    texts = dict(arguments.texts)
    for key in FOLDERS:
        if key in texts:
            texts[key] = str(ROOT / texts[key])
    for key in FILES:
        if isinstance(paths := arguments[key] if key in texts else None, list):
            texts[key] = str([str(ROOT / str(path)) for path in paths])
    return Arguments(texts, arguments.source)


def missing(arguments: Arguments) -> Iterator[str]:
    """What this machine lacks for a run."""
    if find_spec("skyrl") is None:
        yield "SkyRL is not installed: see scaleout/skyrl/README.md for how"
    for key in FILES:
        for path in arguments[key] or [""]:
            if not Path(path).is_file():
                named = path or "file named"
                yield f"{key}: there is no {named}; make it with `python -m scaleout.skyrl export` or `gsm8k`"
    yield from _weights(Path(str(arguments["trainer.policy.model.path"])))
    wanted = arguments["trainer.placement.policy_num_gpus_per_node"]
    if (found := _gpus()) < wanted:
        yield (
            f"{wanted} GPUs are needed here and {found} found: change {ENGINE}.num_engines, "
            f"{ENGINE}.tensor_parallel_size and trainer.placement.policy_num_gpus_per_node"
        )


def _weights(folder: Path) -> Iterator[str]:
    """Whether a folder holds weights that can be trained."""
    if not (folder / "config.json").is_file():
        yield (
            f"trainer.policy.model.path: {folder} holds no model; put BF16 weights there, or the merged "
            "model that the project's export has written"
        )
        return
    config: Any = read_json(folder / "config.json")
    if "quantization_config" in config:
        yield f"{folder} holds quantized weights, which cannot be trained: save them as BF16 first"
    if config.get("model_type") != "gpt_oss":
        yield f"{folder} holds a {config.get('model_type')} model; only gpt_oss writes harmony"


def _gpus() -> int:
    """How many NVIDIA GPUs this machine shows; no library is loaded to find out."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
