"""Reinforcement learning's own costs: our share of a step, and our rollout loop beside TRL's.

    python -m benchmarks.grpo --adapter outputs/demo/sft/adapter
    python -m benchmarks.grpo --adapter outputs/demo/sft/adapter --steps 8 --json outputs/bench_grpo.json

*Overhead*: real training steps of the tiny model in both ways of agent mode. Ours is the time in tools,
customer, parsing, scoring, bookkeeping and logging; not ours is what the model and TRL take. Where our loop
stands in for TRL's (way "customer"), what it takes beyond the model's passes is told in a row of its own.

*Throughput*: the same model serves the same tasks with the same settings, sampled, through TRL's tool loop
and through ours, in turns; the ratio is TRL's wall clock for a generated token over ours in the same round.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import timing
from envs.retail.database import Shop
from envs.retail.files import whole_file
from pipeline import rollouts
from pipeline.config import Config, resolve, with_changes
from pipeline.datasets import grpo_prompts
from pipeline.grpo import build_grpo_trainer, grpo_arguments
from pipeline.grpo_desks import Desk
from pipeline.grpo_trainer import Clock
from pipeline.local_agent import LocalAgent
from pipeline.task_sets import tasks_for

TARGETS = {"overhead": 0.02, "throughput": 1.5}
WAYS = ("customer", "tools")


@contextmanager
def watched(trainer: Any, clock: Clock) -> Iterator[None]:
    """Count the seconds of everything that is ours, and of the model's passes while our loop writes."""
    write = LocalAgent.write

    def writing(agent: LocalAgent, histories: Any) -> Any:
        passes = clock.around("passes", agent.model.forward)
        with clock("writing"), patch.object(agent.model, "forward", passes):
            return write(agent, histories)

    ours = ((rollouts, "_side_by_side"), (Desk, "_use"), (Desk, "reset"))
    with ExitStack() as stack:
        stack.enter_context(patch.object(LocalAgent, "write", writing))
        for place, name in ours:
            stack.enter_context(patch.object(place, name, clock.around("tools", getattr(place, name))))
        for callback in trainer.callback_handler.callbacks:
            if type(callback).__name__ == "MetricsLog":
                stack.enter_context(
                    patch.object(callback, "on_log", clock.around("logging", callback.on_log))
                )
        yield


def overhead(config: Config, model: Any, tokenizer: Any, shop: Shop, steps: int) -> dict[str, float]:
    """Seconds of a training step: in all, and those that are ours."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = grpo_arguments(config, Path(folder), max_steps=steps, save_strategy="no")
        trainer = build_grpo_trainer(model, tokenizer, shop, config, arguments)
        clock = Clock()
        trainer.clock.split = dict  # its times are summed over all steps
        with watched(trainer, clock):
            trainer.train()
    spent = {name: seconds / steps for name, seconds in (clock.seconds | trainer.clock.seconds).items()}
    ours = spent.get("tools", 0.0) + spent["reward"] + spent.get("logging", 0.0)
    return {
        "step": spent["step"],
        "tools and customer": spent.get("tools", 0.0),
        "reward": spent["reward"],
        "logging": spent.get("logging", 0.0),
        "share": ours / spent["step"],
        "our loop beyond the model": spent.get("writing", 0.0) - spent.get("passes", 0.0),
    }


def throughput(
    config: Config, model: Any, tokenizer: Any, shop: Shop, rounds: int
) -> dict[str, timing.Rounds]:
    """Seconds for a token that the agent wrote, through TRL's loop and through ours."""
    tasks = tasks_for(shop, config, "train", config.grpo_batch_size, stage="grpo")
    config = with_changes(config, grpo_way="tools", num_generations=2)
    with tempfile.TemporaryDirectory() as folder:
        arguments = grpo_arguments(config, Path(folder), max_steps=1, save_strategy="no", report_to=[])
        trainer = build_grpo_trainer(model, tokenizer, shop, config, arguments, tasks=tasks)
    rows = grpo_prompts(tasks, mode="agent")
    agent = LocalAgent(
        model, tokenizer, temperature=config.temperature, max_new_tokens=config.max_turn_length
    )
    rules = {"max_turns": config.max_turns, "max_tokens": config.max_completion_length, "progress": False}
    numbers = iter(range(10**6))

    def theirs() -> int:
        model.train()
        made = trainer._generate_and_score_completions([dict(row) for row in rows])
        return int((made["completion_mask"] * made["tool_mask"]).sum())

    def ours() -> int:
        played = rollouts.play(
            agent, shop, tasks, customer=None, batch_size=len(tasks), seed=next(numbers), **rules
        )
        return sum(sum(one.env_mask) for one in played)

    return timing.interleaved({"TRL's loop": lambda: theirs, "ours": lambda: ours}, rounds)


def report(found: dict[str, Any]) -> str:
    """The findings as text, with the targets."""
    lines = []
    for way, costs in found["overhead"].items():
        share = costs["share"]
        verdict = f"below {TARGETS['overhead']:.0%}: {'met' if share < TARGETS['overhead'] else 'MISSED'}"
        lines.append(f"overhead, way {way}: {share:.2%} of a step of {costs['step']:.2f} s, {verdict}")
        lines += [f"    {name:<28}{1000 * costs[name]:9.1f} ms" for name in list(costs)[1:4]]
        if way == "customer":
            name = "our loop beyond the model"
            lines.append(f"    {name:<28}{1000 * costs[name]:9.1f} ms (in place of TRL's)")
    speed, wall = found["throughput"]["ratio"], found["throughput"]["tokens_per_second"]
    verdict = "met" if speed["median"] >= TARGETS["throughput"] else "MISSED"
    lines.append(
        f"throughput: {speed['median']:.2f} times TRL's loop ({speed['min']:.2f} to {speed['max']:.2f}), "
        f"at least {TARGETS['throughput']}: {verdict}"
    )
    lines += [f"    {name:<28}{value:9.0f} tokens/s" for name, value in wall.items()]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write the numbers where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grpo", description=__doc__.split("\n")[0])
    parser.add_argument("--adapter", type=Path, required=True, help="a warmed-up adapter of the tiny model")
    parser.add_argument("--steps", type=int, default=6, help="training steps in each way")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of rollouts")
    parser.add_argument("--batch", type=int, default=16, help="episodes side by side")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    config = resolve("tiny", grpo_batch_size=options.batch, grpo_accumulation=2)
    from pipeline.model import load_model

    model, tokenizer = load_model(config, options.adapter)
    shop = Shop.load()
    rounds = throughput(config, model, tokenizer, shop, options.rounds)
    costs = {
        way: overhead(with_changes(config, grpo_way=way), model, tokenizer, shop, options.steps)
        for way in WAYS
    }
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "overhead": costs,
        "throughput": {
            "ratio": timing.ratio(rounds["TRL's loop"], rounds["ours"], "wall").to_json(),
            "tokens_per_second": {
                name: 1 / timing.typical(samples, "wall") for name, samples in rounds.items()
            },
        },
    }
    print(report(found))
    if options.json:
        with whole_file(options.json) as out:
            json.dump(found, out, indent=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
