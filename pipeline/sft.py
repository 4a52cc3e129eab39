"""The supervised warm-up: TRL's SFTTrainer on demonstrations, the agent's own tokens only.

    model, tokenizer = load_model(config)
    arguments = sft_arguments(config, run)            # TRL's SFTConfig: look at it, change it
    result = train_sft(model, tokenizer, train_rows, validation_rows, arguments)
    result.adapter                                    # where the best adapter lies

A killed run goes on from its last checkpoint when called again, to the same end. Validation loss stops
training early; the best adapter is kept. Rows come tokenized with a mask from `pipeline.datasets`, so no
template or collator can change what is trained.

    python -m pipeline.sft --profile tiny --run demo
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from envs.retail.database import Shop
from envs.retail.files import FileError, read_json, whole_file, whole_folder
from pipeline.checkpoints import FINISHED, get_last_checkpoint, keep_newest, put_weights, trained_to_the_end
from pipeline.config import Config, from_command_line
from pipeline.datasets import Row, to_dataset
from pipeline.model import ModelError, load_model
from pipeline.runs import run_folder
from pipeline.task_sets import rows_for
from pipeline.troubles import clear_errors

if TYPE_CHECKING:
    import pandas as pd
    from trl import SFTConfig

STRETCH = 50  # batches among whose rows those of similar length are looked for


@dataclass(frozen=True)
class SFTResult:
    """How a warm-up went."""

    adapter: Path
    history: list[dict[str, float]]  # what the trainer logged, step by step
    resumed_from: str | None
    trainable: int
    seconds: float

    def losses(self) -> pd.DataFrame:
        """Training and validation loss by step."""
        import pandas as pd

        frame = pd.DataFrame(self.history)
        columns = [name for name in ("step", "loss", "eval_loss", "learning_rate") if name in frame]
        return frame[columns].groupby("step", as_index=False).first()


def sft_arguments(config: Config, run: Path, **changes: Any) -> SFTConfig:
    """TRL's arguments for a warm-up of this config; `changes` are SFTConfig's own names."""
    import torch
    from trl import SFTConfig

    os.environ["TENSORBOARD_LOGGING_DIR"] = str(run / "tensorboard" / "sft")
    cpu = not torch.cuda.is_available()
    settings: dict[str, Any] = {
        "output_dir": str(run / "sft"),
        "num_train_epochs": config.sft_epochs,
        "per_device_train_batch_size": config.sft_batch_size,
        "per_device_eval_batch_size": config.sft_batch_size,
        "gradient_accumulation_steps": config.sft_accumulation,
        "learning_rate": config.sft_learning_rate,
        "warmup_steps": config.sft_warmup_steps,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.001,
        "optim": "adamw_torch" if cpu else "adamw_8bit",
        "max_length": config.max_seq_length,
        "train_sampling_strategy": "sequential",  # the rows come shuffled: see alike_in_batches
        "packing": False,  # gpt-oss's attention would look across the rows of a pack
        "completion_only_loss": True,
        "router_aux_loss_coef": 0.0,  # gpt-oss's own config asks for 0.9, and TRL would add it
        "eval_strategy": "steps",
        "eval_steps": config.sft_eval_steps,
        "save_strategy": "steps",
        "save_steps": config.sft_eval_steps,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "logging_steps": 1,
        "report_to": "tensorboard",
        "seed": config.seed,
        "data_seed": config.seed,
        "restore_callback_states_from_checkpoint": True,  # or a resumed run forgets how patient it was
    }
    if cpu:
        settings |= {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}
    return SFTConfig(**settings | changes)


def build_sft_trainer(
    model: Any,
    tokenizer: Any,
    train_rows: Sequence[Row],
    validation_rows: Sequence[Row],
    arguments: SFTConfig,
    *,
    patience: int | None = 3,
) -> Any:
    """TRL's SFTTrainer over tokenized rows, with early stopping (patience None: without) and a log."""
    from transformers import EarlyStoppingCallback
    from trl import SFTTrainer

    from pipeline.callbacks import metrics_log

    callbacks = [metrics_log(Path(arguments.output_dir).parent, "sft"), keep_newest(2)]
    if patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=patience))
    train = to_dataset(train_rows, tokenizer)
    lengths = [len(ids) for ids in train["input_ids"]]
    order = alike_in_batches(lengths, arguments.per_device_train_batch_size, arguments.seed)
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=train.select(order),
        eval_dataset=to_dataset(validation_rows, tokenizer) if validation_rows else None,
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    if arguments.use_cpu:
        keep_full_precision(model)
    return trainer


def alike_in_batches(lengths: Sequence[int], batch_size: int, seed: int) -> list[int]:
    """An order in which the rows of a batch are of similar length, and batches of all lengths take turns.

    transformers' "group_by_length" pads as little, but its batches run from long to short a hundred rows at a
    time: what only long rows teach is unlearned in between, and a run ends on the shortest.
    """
    random = Random(f"batches/{seed}")
    places = random.sample(range(len(lengths)), len(lengths))
    stretch = STRETCH * batch_size
    batches, left = [], []
    for start in range(0, len(places), stretch):
        near = sorted(places[start : start + stretch], key=lengths.__getitem__)
        cut = [near[at : at + batch_size] for at in range(0, len(near), batch_size)]
        batches += [batch for batch in cut if len(batch) == batch_size]
        left += [batch for batch in cut if len(batch) < batch_size]
    random.shuffle(batches)
    return [place for batch in batches + left for place in batch]  # a batch that is not full must come last


def keep_full_precision(model: Any) -> None:
    """TRL makes the trained weights of a 4-bit model bfloat16; beside float32 ones a CPU cannot use them."""
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data = weights.data.float()


def train_sft(
    model: Any,
    tokenizer: Any,
    train_rows: Sequence[Row],
    validation_rows: Sequence[Row],
    arguments: SFTConfig,
    *,
    patience: int = 3,
    callbacks: Sequence[Any] = (),
) -> SFTResult:
    """Train a warm-up, go on with a killed one, or take up a finished one; the best adapter is kept.

    Args:
        model: A model with its adapter, as `load_model` returns it; afterwards it holds the best weights.
        tokenizer: Its tokenizer.
        train_rows: What to learn from.
        validation_rows: Rows of other customers, for early stopping.
        arguments: TRL's arguments; everything is written to their `output_dir`.
        patience: Evaluations without a better validation loss before stopping.
        callbacks: More of the trainer's callbacks, such as live curves.
    """
    output = Path(arguments.output_dir)
    if (output / FINISHED).exists():
        return _finished(model, output)
    if not train_rows or not validation_rows:
        raise ValueError("no rows to train or validate on: the length report says why each was dropped")
    trainer = build_sft_trainer(model, tokenizer, train_rows, validation_rows, arguments, patience=patience)
    if len(trainer.train_dataset) != len(train_rows):
        lost = len(train_rows) - len(trainer.train_dataset)
        raise ValueError(f"{lost} rows are longer than max_length={arguments.max_length}; drop them first")
    for callback in callbacks:
        trainer.add_callback(callback)
    last, start = get_last_checkpoint(output), perf_counter()
    record = {
        "history": trained_to_the_end(trainer, last),
        "resumed_from": last,
        "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "seconds": round(perf_counter() - start, 1),
    }
    with whole_folder(output / "adapter") as adapter:
        model.save_pretrained(str(adapter))
        tokenizer.save_pretrained(str(adapter))
    with whole_file(output / FINISHED) as out:
        json.dump(record, out)
    return SFTResult(adapter=output / "adapter", **record)


def _finished(model: Any, output: Path) -> SFTResult:
    """What an earlier call came to, with its weights put into the model."""
    put_weights(model, output / "adapter")
    return SFTResult(adapter=output / "adapter", **read_json(output / FINISHED))


def _warmed_up(config: Config, run: Path) -> SFTResult:
    """The warm-up of a config in its run folder."""
    model, tokenizer = load_model(config)
    shop = Shop.load()
    (train, lengths), (validation, _) = (
        rows_for(shop, config, tokenizer, split) for split in ("train", "validation")
    )
    print(lengths)
    arguments = sft_arguments(config, run)
    return train_sft(model, tokenizer, train, validation, arguments, patience=config.sft_patience)


def main(argv: Sequence[str] | None = None) -> int:
    """Warm a model up from the command line; the same command goes on with a run that was killed."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.sft", description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="name of the run folder under outputs/")
    options, config = from_command_line(parser, argv)
    with clear_errors(parser, ValueError, OSError):
        run = run_folder(options.run)
        config.save(run)
    with clear_errors(parser, ModelError, FileError):
        result = _warmed_up(config, run)
    resumed = f", resumed from {result.resumed_from}" if result.resumed_from else ""
    print(f"{result.adapter}: {result.seconds} s, {result.trainable:,} weights trained{resumed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
