"""Reinforcement learning: TRL's GRPOTrainer, with rewards from tools that are really executed.

    model, tokenizer = load_model(config, run / "sft" / "adapter")
    arguments = grpo_arguments(config, run)           # TRL's GRPOConfig: look at it, change it
    result = train_grpo(model, tokenizer, shop, config, arguments)
    result.adapter                                    # the best by success on validation

`config.grpo_way` says who executes (pipeline/grpo_desks.py), `config.reward` what is paid for. Training
begins with easy levels; groups of episodes that all earn the same teach nothing, and their share is logged.
A killed run goes on from its last checkpoint when called again, to the same end.

    python -m pipeline.grpo --profile tiny --run demo
    torchrun --nproc_per_node=2 -m pipeline.grpo --profile gpu80 --run demo      # a share of the batch each
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from envs.retail.database import Shop
from envs.retail.domain import domain_of
from envs.retail.files import FileError, read_json, whole_file, whole_folder
from envs.retail.tasks import Task
from envs.world import World
from pipeline.checkpoints import FINISHED, get_last_checkpoint, keep_newest, put_weights, trained_to_the_end
from pipeline.config import Config, from_command_line
from pipeline.grpo_rewards import Reward, episode_reward, weights_of
from pipeline.grpo_rewards import shuffled as shuffled
from pipeline.grpo_rollouts import customer_rollouts, validation
from pipeline.grpo_rollouts import serve as serve
from pipeline.model import ModelError, load_model
from pipeline.runs import run_folder
from pipeline.task_sets import tasks_for
from pipeline.troubles import clear_errors

if TYPE_CHECKING:
    from trl import GRPOConfig


@dataclass(frozen=True)
class GRPOResult:
    """How reinforcement learning went."""

    adapter: Path
    history: list[dict[str, float]]  # what the trainer logged, step by step
    resumed_from: str | None
    seconds: float


def grpo_arguments(config: Config, run: Path, **changes: Any) -> GRPOConfig:
    """TRL's arguments for reinforcement learning of this config; `changes` are GRPOConfig's own names."""
    import torch
    from trl import GRPOConfig

    os.environ["TENSORBOARD_LOGGING_DIR"] = str(run / "tensorboard" / "grpo")
    cpu = not torch.cuda.is_available()
    settings: dict[str, Any] = {
        "output_dir": str(run / "grpo"),
        "num_train_epochs": config.grpo_epochs,
        "max_steps": config.grpo_max_steps,
        "per_device_train_batch_size": config.grpo_batch_size,
        "gradient_accumulation_steps": config.grpo_accumulation,
        "learning_rate": config.grpo_learning_rate,
        "lr_scheduler_type": "constant",
        "num_generations": config.num_generations,
        "temperature": config.temperature,
        "max_completion_length": config.max_completion_length,
        "generation_kwargs": {"max_new_tokens": config.max_turn_length},  # a turn's; the episode's is above
        "max_tool_calling_iterations": config.max_turns,
        "chat_template_kwargs": {"reasoning_effort": config.effort},
        "loss_type": "dapo",
        "beta": 0.0,  # no reference model: the published recipes for tools do without, and it costs a copy
        "mask_truncated_completions": False,  # an episode cut off by its budget has to count as a failure
        "shuffle_dataset": False,  # the curriculum is in the rows' order
        "router_aux_loss_coef": 0.0,  # gpt-oss's own config asks for 0.9, and TRL would add it
        "optim": "adamw_torch" if cpu else "adamw_8bit",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # or a broken run would look like a good one
        "save_strategy": "steps",
        "save_steps": config.grpo_eval_steps,
        "report_to": "tensorboard",
        "seed": config.seed,
        "data_seed": config.seed,
        "restore_callback_states_from_checkpoint": True,
    }
    if cpu:
        settings |= {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}
    return GRPOConfig(**settings | changes)


def curriculum(tasks: Sequence[Task], seed: int) -> list[Task]:
    """Easy levels rather first, but hardly a step all of a kind: what look-ups teach, writes must check."""
    random = Random(f"curriculum/{seed}")
    highest = max((task.level for task in tasks), default=1)
    return sorted(tasks, key=lambda task: task.level / highest + random.uniform(-1.0, 1.0))


def tasks_in_a_run(config: Config, arguments: GRPOConfig) -> int:
    """How many tasks a run comes to see: a curriculum over more would leave it at the easy ones."""
    if arguments.max_steps < 1:
        return config.train_tasks
    batch = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    groups = batch * arguments.world_size // config.num_generations
    return min(config.train_tasks, max(1, arguments.max_steps * groups))


def build_grpo_trainer(
    model: Any,
    tokenizer: Any,
    shop: World,
    config: Config,
    arguments: GRPOConfig,
    *,
    tasks: Sequence[Task] | None = None,
    change_reward: Callable[[Reward, Config], Reward] | None = None,
) -> Any:
    """TRL's GRPOTrainer over tasks, in the config's way; `change_reward` makes another of its reward."""
    from datasets import Dataset

    from pipeline.callbacks import metrics_log
    from pipeline.datasets import grpo_prompts
    from pipeline.grpo_desks import Desk, tool_desk
    from pipeline.grpo_trainer import shop_trainer

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # its version is pinned
    way = "plan" if config.mode == "plan" else config.grpo_way
    if tasks is None:
        count = tasks_in_a_run(config, arguments)
        tasks = curriculum(tasks_for(shop, config, "train", count, stage="grpo"), config.seed)
    run, domain = Path(arguments.output_dir).parent, domain_of(shop)
    log = run / "episodes.jsonl" if arguments.process_index == 0 else None
    reward = episode_reward(way, config, tokenizer, log)
    trainer = shop_trainer()(
        model=model,
        reward_funcs=change_reward(reward, config) if change_reward else reward,
        args=arguments,
        train_dataset=Dataset.from_list(grpo_prompts(tasks, mode=config.mode, domain=domain)),
        processing_class=tokenizer,
        environment_factory=tool_desk(shop) if way == "tools" else (lambda: Desk(shop)),
        rollout_func=customer_rollouts(shop, config, tokenizer) if way == "customer" else None,
        callbacks=[metrics_log(run, "grpo"), keep_newest(2)],
    )
    if way == "tools":  # TRL would describe the tools in its own words: other tokens than the warm-up's
        trainer._env_tools = {None: list(domain.schemas.values())}
    return trainer


def train_grpo(
    model: Any,
    tokenizer: Any,
    shop: World,
    config: Config,
    arguments: GRPOConfig,
    *,
    callbacks: Sequence[Any] = (),
    held_out: Sequence[Task] | None = None,
    **build: Any,
) -> GRPOResult:
    """Train, go on with a killed run, or take up a finished one; the adapter best on validation is kept.

    Args:
        model: A warmed-up model with its adapter; afterwards it holds the best weights.
        tokenizer: Its tokenizer.
        shop: The shop the tasks are about.
        config: The run's config.
        arguments: TRL's arguments; everything is written to their `output_dir`.
        callbacks: More of the trainer's callbacks, such as live curves.
        held_out: The tasks to choose the best weights by; the shop's validation tasks if not given.
        build: `tasks` or `change_reward` of `build_grpo_trainer`.
    """
    from pipeline.grpo_watch import watch

    output = Path(arguments.output_dir)
    if (output / FINISHED).exists():
        return taken_up(model, output)
    trainer = build_grpo_trainer(model, tokenizer, shop, config, arguments, **build)
    play = validation(model, tokenizer, shop, config, held_out)
    watch(play, config.grpo_eval_steps, config.grpo_patience, output / "best").attach(trainer)
    for callback in callbacks:
        trainer.add_callback(callback)
    run_to_its_end(trainer, tokenizer)
    return taken_up(model, output)


def run_to_its_end(trainer: Any, tokenizer: Any) -> None:
    """Train from the last checkpoint on, then note what it came to; without a best adapter, keep the last."""
    from pipeline.callbacks import without_table

    without_table(trainer)
    output = Path(trainer.args.output_dir)
    last = get_last_checkpoint(output)
    start = perf_counter()
    history = trained_to_the_end(trainer, last)
    record = {
        "history": history,
        "resumed_from": last,
        "seconds": round(perf_counter() - start, 1),
    }
    if trainer.is_world_process_zero():
        if not (output / "best").exists():
            with whole_folder(output / "best") as best:
                trainer.accelerator.unwrap_model(trainer.model).save_pretrained(str(best))
        tokenizer.save_pretrained(str(output / "best"))
        with whole_file(output / FINISHED) as out:
            json.dump(record, out)
    trainer.accelerator.wait_for_everyone()


def taken_up(model: Any, output: Path) -> GRPOResult:
    """What a finished run came to, with its best weights put into the model."""
    put_weights(model, output / "best")
    return GRPOResult(adapter=output / "best", **read_json(output / FINISHED))


def main(argv: Sequence[str] | None = None) -> int:
    """Refine a warmed-up model from the command line; the same command goes on with a run that was killed."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.grpo", description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="name of the run folder under outputs/, with its sft/")
    options, config = from_command_line(parser, argv)
    run = run_folder(options.run, make=False)
    adapter = run / "sft" / "adapter"
    if not adapter.exists():
        parser.error(f"{adapter} is missing: run `python -m pipeline.sft --run {options.run}` first")
    with clear_errors(parser, ValueError, OSError):
        weights_of(config.reward)  # a profile that there is not is refused before anything is loaded
        config.save(run / "grpo")
    with clear_errors(parser, ModelError, FileError):
        model, tokenizer = load_model(config, adapter)
        result = train_grpo(model, tokenizer, Shop.load(), config, grpo_arguments(config, run))
    resumed = f", resumed from {result.resumed_from}" if result.resumed_from else ""
    print(f"{result.adapter}: {result.seconds} s{resumed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
