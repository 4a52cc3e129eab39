"""Checkpoints that can be trusted: the last whole one, whether training had ended in it, which to keep.

    last = get_last_checkpoint(run / "sft")      # None: begin at the beginning
    trained_to_the_end(trainer, last)            # goes on from there; returns what was logged
    keep_newest(2)                               # a callback, in place of the trainer's save_total_limit

A kill or a full disk may leave a folder that looks like a checkpoint. Each of its files is looked at before
it is believed: weights as long as their header says, archives with their table of contents, JSON that ends.
What tells one checkpoint from an earlier one is the step in its name, never a date: clocks jump.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from envs.retail.files import FileError, read_json
from pipeline.stopping import train_or_stop

FINISHED = "finished.json"  # stands beside the checkpoints once training has come to its end
STATE = "trainer_state.json"  # the trainer writes it last
ARCHIVES = (".pt", ".pth", ".bin")  # torch's own files are zip archives
LONGEST_HEADER = 100_000_000  # bytes, the format's own limit


def get_last_checkpoint(output: Path) -> str | None:
    """The newest checkpoint that was written whole, or None; what is passed over is said."""
    for folder in reversed(_numbered(output)):
        trouble = broken(folder)
        if not trouble:
            return str(folder)
        logging.getLogger(__name__).warning("%s is passed over: %s", folder, trouble)
    return None


def _numbered(output: Path) -> list[Path]:
    """All checkpoints' folders by step."""
    found = [folder for folder in output.glob("checkpoint-*") if re.fullmatch(r".*-\d+", folder.name)]
    return sorted(found, key=_step)


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def broken(checkpoint: Path) -> str:
    """What is wrong with a checkpoint, or ""."""
    if not (checkpoint / STATE).is_file():
        return f"it has no {STATE}, so it was not written to its end"
    if damage := damaged(checkpoint):
        return damage
    if not any(checkpoint.glob("*.safetensors")) and not any(part.is_dir() for part in checkpoint.iterdir()):
        return "it holds no weights"
    return ""


def damaged(folder: Path) -> str:
    """Which of a folder's files is cut off or damaged, or ""."""
    for file in sorted(folder.iterdir()):
        sound = _SOUND.get(file.suffix)
        if sound and not sound(file):
            return f"{file.name} is cut off or damaged"
    return ""


def _is_json(file: Path) -> bool:
    try:
        read_json(file)
    except FileError:
        return False
    return True


def _is_as_long_as_it_says(file: Path) -> bool:
    """Whether a safetensors file has all the bytes that its header names."""
    try:
        with file.open("rb") as weights:
            (length,) = struct.unpack("<Q", weights.read(8))
            header = json.loads(weights.read(min(length, LONGEST_HEADER)))
        ends = [place["data_offsets"][1] for name, place in header.items() if name != "__metadata__"]
    except (struct.error, ValueError, LookupError, TypeError, AttributeError):
        return False
    return file.stat().st_size == 8 + length + max(ends, default=0)


def _is_archive(file: Path) -> bool:
    """Whether a zip archive has its table of contents, which stands at its end, and undamaged parts."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError):
        return False


_SOUND = {".json": _is_json, ".safetensors": _is_as_long_as_it_says, **dict.fromkeys(ARCHIVES, _is_archive)}


def trained_to_the_end(trainer: Any, last: str | None) -> list[dict[str, float]]:
    """Train from a checkpoint on, or take it as it is if nothing was left to train; returns the log."""
    if last is None or not ended(last):
        with _only_numbers(last):
            train_or_stop(trainer, last)
        return trainer.state.log_history
    history, best = reached(last)  # killed between the last checkpoint and the note that all is done
    put_weights(trainer.accelerator.unwrap_model(trainer.model), best)
    return history


@contextmanager
def _only_numbers(checkpoint: str | None) -> Iterator[None]:
    """Say which checkpoint it was where torch has refused to load a program instead of numbers."""
    try:
        yield
    except UnpicklingError as error:
        if checkpoint is None:
            raise
        reason = "holds more than numbers and was not loaded: remove it, and the one before is used"
        raise FileError(checkpoint, None, reason) from error


def ended(checkpoint: str) -> bool:
    """Whether training had come to its end, or been stopped early, when this checkpoint was written.

    The trainer would take another step if it were started from there.
    """
    state = read_json(Path(checkpoint) / STATE)
    control = state.get("stateful_callbacks", {}).get("TrainerControl", {}).get("args", {})
    return bool(control.get("should_training_stop")) or state["global_step"] >= state["max_steps"] > 0


def reached(checkpoint: str) -> tuple[list[dict[str, float]], Path]:
    """What had been logged when a checkpoint was written, and where the best weights were by then."""
    state = read_json(Path(checkpoint) / STATE)
    best = Path(state.get("best_model_checkpoint") or checkpoint)
    return state["log_history"], best if best.is_dir() else Path(checkpoint)


def put_weights(model: Any, adapter: Path) -> None:
    """Put a saved adapter's weights into a model that has such an adapter."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(model, load_file(adapter / "adapter_model.safetensors"))


def keep_newest(count: int) -> Any:
    """A callback that removes old checkpoints, by step, and keeps the best one and the `count` newest.

    The trainer's own `save_total_limit` goes by the folders' dates: after the clock was set back it would
    remove the newest.
    """
    from transformers import TrainerCallback

    class KeepNewest(TrainerCallback):
        def on_save(self, args, state, control, **kwargs):
            if args.save_total_limit or not state.is_world_process_zero:
                return  # who sets a limit of their own gets the trainer's way
            folders = _numbered(Path(args.output_dir))
            best = Path(state.best_model_checkpoint).name if state.best_model_checkpoint else ""
            kept = {folder.name for folder in folders[-count:]} | {best}
            for folder in folders:
                if folder.name not in kept:
                    (folder / STATE).unlink(missing_ok=True)  # first, or a kill would leave what looks whole
                    shutil.rmtree(folder, ignore_errors=True)

    return KeepNewest()
