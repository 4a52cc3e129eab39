"""SIGTERM lets a run end in order: `docker stop`, a preempted job, a machine that shuts down.

    train_or_stop(trainer, checkpoint)      # trainer.train; told to stop, it ends after the step under way
    with passed_on() as told: ...           # a chain of notebooks: their kernels are told, too

Left alone, Python dies on the spot, and every step since the last checkpoint is lost. Here the step under
way ends, a checkpoint is written, and the exit code is 143, so that nobody takes the run for a finished one.
Processes that train together agree on the step, or they would wait for each other for ever.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

TERMINATED = 128 + signal.SIGTERM  # what shells call a program that SIGTERM ended


class Stopped(SystemExit):
    """Training was told to stop; not an Exception, so that a sweep does not go on with its next cell."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = TERMINATED


def train_or_stop(trainer: Any, checkpoint: str | None) -> None:
    """Train to the end, from a checkpoint if there is one; on SIGTERM write one more and raise Stopped."""
    from transformers import TrainerCallback

    told: list[int] = []

    class StopWhenTold(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_save |= _anyone(told, trainer)

        def on_save(self, args, state, control, **kwargs):
            control.should_training_stop |= bool(told)  # a checkpoint must not say that all is done

    trainer.add_callback(StopWhenTold)
    with on_sigterm(lambda: told.append(trainer.state.global_step)):
        trainer.train(resume_from_checkpoint=checkpoint)
    trainer.remove_callback(StopWhenTold)
    if told:
        stop(f"stopped by SIGTERM after step {trainer.state.global_step}: the same command goes on there")


def stop(message: str) -> NoReturn:
    """Say so, and end with the exit code of a program that SIGTERM ended."""
    print(message, file=sys.stderr, flush=True)
    raise Stopped(message)


def _anyone(told: list[int], trainer: Any) -> bool:
    """Whether this process or one that trains with it was told; then all of them count as told."""
    if trainer.args.world_size > 1:
        import torch

        mine = torch.tensor(len(told), device=trainer.accelerator.device)
        if trainer.accelerator.reduce(mine, "sum").item() and not told:
            told.append(trainer.state.global_step)
    return bool(told)


@contextmanager
def passed_on() -> Iterator[list[int]]:
    """Tell the processes this one has started when it is told to stop; yields what was told so far."""
    import psutil

    told: list[int] = []

    def tell() -> None:
        told.append(signal.SIGTERM)
        for child in psutil.Process().children():
            child.terminate()

    with on_sigterm(tell):
        yield told


@contextmanager
def on_sigterm(do: Callable[[], Any]) -> Iterator[None]:
    """Do this on SIGTERM for a while; only a main thread may say so, elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: do())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
