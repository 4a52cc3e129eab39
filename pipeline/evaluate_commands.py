"""The command line of `pipeline.evaluate`: run, rescore, compare."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.endpoint import CustomerError
from envs.retail.tasks import Task, read_tasks
from pipeline.config import Config, from_command_line
from pipeline.evaluate import evaluate, evaluation_files, local_agent, playing_rules, rescore, stage_adapter
from pipeline.failures import BROKE_OFF, failure_counts
from pipeline.metrics import Played, compare, pass_at, pass_hat, summary
from pipeline.model import ModelError
from pipeline.runs import run_folder
from pipeline.task_sets import tasks_for
from pipeline.troubles import clear_errors

# Where a checkout holds its shop.
RETAIL_DATA = ("tau_bench/envs/retail/data", "envs/retail/data", "data", ".")
REQUESTS = 32  # at a time, of a served model


def run_command(argv: Sequence[str]) -> int:
    """Serve held-out tasks with a model of a run, an adapter, or a served model."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evaluate run", description=run_command.__doc__)
    parser.add_argument("--run", required=True, help="name of the run folder under outputs/")
    parser.add_argument("--stage", default="", help="base, sft, grpo, or your name for another model")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--adapter", type=Path, help="a LoRA adapter's folder instead of the run's own")
    who.add_argument("--endpoint", help="an OpenAI-compatible address up to and with /v1")
    parser.add_argument("--name", default="", help="the model's name at the endpoint")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--tasks", type=Path, help="a task file instead of the held-out tasks")
    what.add_argument("--tau-bench", type=Path, help="a tau-bench checkout: its shop, tasks and rule")
    parser.add_argument("--split", default="test", help="of tau-bench's tasks")
    parser.add_argument("--customer-model", default="", help="a served model that plays the customer")
    parser.add_argument("--customer-url", help="its address up to and with /v1; default: OpenAI's")
    parser.add_argument("--customer-strategy", default="llm", help="llm, react, verify or reflection")
    parser.add_argument("--trials", type=int, default=1, help="episodes of a task; 1 is greedy")
    parser.add_argument("--shard", type=_shard, default=(1, 1), metavar="I/N", help="the part I of N")
    parser.add_argument(
        "--batch-size",
        type=int,
        help="episodes (and requests) at a time; default: as the profile says, 32 for --endpoint",
    )
    options, config = from_command_line(parser, list(argv))
    options.batch_size = options.batch_size or (REQUESTS if options.endpoint else config.served_at_once)
    if options.adapter and not options.stage:
        parser.error("--adapter needs --stage, the model's name in files and tables")
    stage = options.stage or (options.name if options.endpoint else "sft")
    with clear_errors(parser, ValueError, OSError, CustomerError, ModelError):
        shop, tasks, rules = _what_is_asked(options, config)
        agent, model = _who_answers(options, config, stage)
        played = evaluate(
            agent,
            shop,
            tasks,
            run_folder(options.run, make=False) / "evaluation",
            stage=stage,
            model=model,
            shard=options.shard,
            batch_size=options.batch_size,
            **playing_rules(config, options.trials) | rules,
        )
    _print(stage, played)
    return 0


def _shard(text: str) -> tuple[int, int]:
    part, _, count = text.partition("/")
    if not (part.isdigit() and count.isdigit() and 1 <= int(part) <= int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} must look like 2/4: the second of four parts")
    return int(part), int(count)


def _what_is_asked(options: Any, config: Config) -> tuple[Shop, list[Task], dict[str, Any]]:
    """The shop, its tasks, and who plays the customer."""
    customer: Any = ScriptedCustomer
    if options.customer_model:
        from envs.retail.llm_customer import LLMCustomer

        address = {"base_url": options.customer_url} if options.customer_url else {}
        strategy = options.customer_strategy
        customer = partial(LLMCustomer, options.customer_model, strategy=strategy, **address)
        customer.__name__ = f"{options.customer_model} ({strategy})"
        customer()  # says at once what is wrong with address or key
    if not options.tau_bench:
        shop = Shop.load()
        tasks = read_tasks(options.tasks) if options.tasks else tasks_for(shop, config, "test")
        return shop, tasks, {"customer": customer}
    if not options.customer_model:
        raise ValueError(
            "tau-bench's tasks are instructions for a model that plays the customer: name one with "
            "--customer-model (and --customer-url for a served one)"
        )
    tasks = _tau_bench_tasks(options.tau_bench, options.split)
    return _tau_bench_shop(options.tau_bench), tasks, {"customer": customer, "strict": False}


def _tau_bench_shop(checkout: Path) -> Shop:
    data = next((place for name in RETAIL_DATA if _holds_a_shop(place := checkout / name)), None)
    if data is None:
        raise ValueError(
            f"{checkout} holds no users.json, products.json and orders.json of tau-bench's retail"
        )
    return Shop.load(data)


def _holds_a_shop(folder: Path) -> bool:
    return any((folder / f"orders.json{ending}").exists() for ending in ("", ".gz"))


def _tau_bench_tasks(checkout: Path, split: str) -> list[Task]:
    from envs.retail.sources.rows import Reject
    from envs.retail.sources.tau_bench import tau_bench_tasks

    found = [task for task in tau_bench_tasks(checkout) if not isinstance(task, Reject)]
    if tasks := [task for task in found if task.split == split]:
        return tasks
    raise ValueError(f"{checkout} has no tasks of split {split!r}")


def _who_answers(options: Any, config: Config, stage: str) -> tuple[Any, str]:
    """The agent, and what it is called beside the episodes."""
    if options.endpoint:
        from pipeline.endpoint_agent import EndpointAgent

        if not options.name:
            raise ValueError("--endpoint needs --name, the model's name there")
        sampling = {"temperature": config.temperature if options.trials > 1 else 0.0}
        limits = {"max_tokens": config.max_turn_length, "reasoning_effort": config.effort}
        asked = {"options": sampling | limits, "seeded": True, "workers": options.batch_size}
        agent = EndpointAgent(options.name, options.endpoint, **asked)
        return agent, f"{options.name} at {options.endpoint}"
    from pipeline.model import load_model

    adapter = options.adapter or stage_adapter(run_folder(options.run, make=False), stage)
    model, tokenizer = load_model(config, adapter)
    return local_agent(model, tokenizer, config, options.trials), str(adapter or config.model)


def rescore_command(argv: Sequence[str]) -> int:
    """Carry recorded episodes out again, and print their numbers."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.evaluate rescore", description=rescore_command.__doc__
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--tau-bench", type=Path, help="the checkout whose shop the episodes were played in")
    options = parser.parse_args(argv)
    with clear_errors(parser, ValueError, OSError):
        shop = _tau_bench_shop(options.tau_bench) if options.tau_bench else Shop.load()
        found = rescore(options.files, shop)
    _print(", ".join(file.stem for file in options.files), found.played)
    if found.answered_otherwise or found.lost_or_won:
        print(
            f"\nthe shop is not the one they were played in: {found.answered_otherwise} episodes were "
            f"answered otherwise, {found.lost_or_won} now end otherwise"
        )
    return 0


def compare_command(argv: Sequence[str]) -> int:
    """Compare stages of a run, each with the one before it, on the same tasks."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.evaluate compare", description=compare_command.__doc__
    )
    parser.add_argument("run", help="name of the run folder under outputs/, or its path")
    parser.add_argument("stages", nargs="+", help="two or more, in the order they are to be compared")
    options = parser.parse_args(argv)
    if len(options.stages) < 2:
        parser.error("name two stages or more")
    with clear_errors(parser, ValueError, OSError):
        folder, shop = run_folder(options.run, make=False) / "evaluation", Shop.load()
        played = {stage: rescore(evaluation_files(folder, stage), shop).played for stage in options.stages}
        for before, after in pairwise(options.stages):
            print(f"{before} -> {after}: {compare(played[before], played[after])}")
    return 0


def _print(stage: str, played: Sequence[Played]) -> None:
    print(f"{stage}: {len(played)} episodes; 95 % intervals over tasks (a point where all are alike)")
    for name, measure in summary(played).items():
        print(f"  {name:<26} {measure}")
    for name, chances in (("pass^k", pass_hat(played)), ("pass@k", pass_at(played))):
        if len(chances) > 1:
            print(f"  {name:<26} " + "  ".join(f"{k}: {value:.3f}" for k, value in chances.items()))
    failed = failure_counts(one.failure for one in played)
    for kind, count in failed.items():
        print(f"  failed: {kind:<18} {count}")
    if failed.get(BROKE_OFF):
        print(
            f"{failed[BROKE_OFF]} episodes broke off and say nothing of the agent: once what broke them is "
            "mended, the same command plays them again"
        )


COMMANDS = {"run": run_command, "rescore": rescore_command, "compare": compare_command}


def main(argv: Sequence[str]) -> int:
    """Hand the words over to their command."""
    if not argv or argv[0] not in COMMANDS:
        print(
            f"usage: python -m pipeline.evaluate {{{','.join(COMMANDS)}}} …; each explains itself with --help"
        )
        return 2
    return COMMANDS[argv[0]](argv[1:])
