"""SkyRL on this project's worlds: `python -m scaleout.skyrl COMMAND --help` tells more.

export    task file -> rows of the retail shop
gsm8k     problem file, or made-up problems -> rows of GSM8K
check     find old spellings and silent mistakes in an argument file
train     check, and train (needs the GPUs, the weights and SkyRL)
results   SkyRL's dumped evaluations -> episodes that the project's tables and reports read
keys      write down SkyRL's keys, types and defaults anew (needs SkyRL)
"""

import argparse
import json
import sys
from itertools import islice
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Run one command; bad input is one line on stderr and exit code 2."""
    options = _parser().parse_args(argv)
    try:
        return options.run(options) or 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scaleout.skyrl",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="task file -> rows")
    export.add_argument("--tasks", type=Path, required=True, help="a task file, such as data/dataset.jsonl")
    export.add_argument(
        "--split", default="", help="the name in metrics: retail_<split>; default: the task's"
    )
    gsm8k = commands.add_parser("gsm8k", help="problems -> rows")
    gsm8k.add_argument("--problems", type=Path, help="GSM8K's JSONL or parquet; without it, made-up ones")
    gsm8k.add_argument("--split", default="train", help="train, validation or test")
    gsm8k.add_argument("--seed", type=int, default=1, help="of made-up problems")
    for command in (export, gsm8k):
        command.add_argument("--out", type=Path, required=True, help="a .parquet or .jsonl file to write")
        command.add_argument("--limit", type=_count, help="at most so many rows; made-up problems: 1000")
    check = commands.add_parser("check", help="find mistakes in an argument file")
    train = commands.add_parser("train", help="check, and train")
    for command in (check, train):
        command.add_argument("arguments", type=Path, help="an argument file: key=value lines")
        command.add_argument("more", nargs="*", metavar="key=value", help="said after the file")
    results = commands.add_parser("results", help="dumped evaluations -> episodes")
    results.add_argument("dumps", type=Path, help="SkyRL's export_path, dumped_evals, or one .jsonl file")
    results.add_argument(
        "--run", dest="run_folder", type=Path, required=True, help="the run folder to write evaluation/ into"
    )
    results.add_argument("--stage", default="", help="the name in tables; default: skyrl-step-N")
    results.add_argument("--reward", nargs="+", default=["tool_level"], help="the run's profiles: outcome:2")
    results.add_argument("--tokenizer", type=Path, help="the model's folder, to count tokens")
    keys = commands.add_parser("keys", help="write SkyRL's keys down anew")
    keys.add_argument("--out", type=Path, help="default: scaleout/skyrl/keys.json")
    for name, run in COMMANDS.items():
        commands.choices[name].set_defaults(run=run)
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


def _export(options: argparse.Namespace) -> None:
    from envs.retail.tasks import iter_tasks
    from scaleout.skyrl.rows import retail_rows, write_rows

    rows = retail_rows(islice(iter_tasks(options.tasks), options.limit), options.split)
    write_rows(options.out, rows)
    print(f"{len(rows)} rows -> {options.out}")


def _gsm8k(options: argparse.Namespace) -> None:
    from envs.gsm8k.problems import read_problems
    from envs.gsm8k.synthetic import generate
    from scaleout.skyrl.gsm8k import gsm8k_rows
    from scaleout.skyrl.rows import write_rows

    if options.problems:
        problems = read_problems(options.problems)[: options.limit]
    else:
        problems = list(islice(generate(options.seed, options.split), options.limit or 1000))
    write_rows(options.out, gsm8k_rows(problems, options.split))
    made = "" if options.problems else " made-up"
    print(f"{len(problems)}{made} problems -> {options.out}")


def _check(options: argparse.Namespace) -> int:
    from scaleout.skyrl.arguments import read_arguments
    from scaleout.skyrl.checks import mistakes, validate_with_skyrl

    arguments = read_arguments(options.arguments, options.more)
    found = mistakes(arguments)
    for sentence in found:
        print(f"{options.arguments}: {sentence}", file=sys.stderr)
    if found:
        return 2
    print(f"{options.arguments}: {len(arguments.texts)} arguments, no mistake found")
    print(validate_with_skyrl(arguments))
    return 0


def _train(options: argparse.Namespace) -> int:
    from scaleout.skyrl.launch import train

    return train(options.arguments, options.more)


def _results(options: argparse.Namespace) -> None:
    from scaleout.skyrl.results import read_back
    from scaleout.skyrl.settings import RetailSettings

    settings, tokenizer = RetailSettings(options.reward), options.tokenizer
    found = read_back(
        options.dumps, options.run_folder, stage=options.stage, settings=settings, tokenizer=tokenizer
    )
    print(*found, sep="\n")


def _keys(options: argparse.Namespace) -> None:
    from scaleout.skyrl.arguments import KEYS, typed_keys
    from scaleout.skyrl.entrypoint import TrainConfig

    found = typed_keys(TrainConfig)
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(found[key])}" for key in sorted(found))
    (options.out or KEYS).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{len(found)} keys -> {options.out or KEYS}")


COMMANDS = {
    "export": _export,
    "gsm8k": _gsm8k,
    "check": _check,
    "train": _train,
    "results": _results,
    "keys": _keys,
}

if __name__ == "__main__":
    sys.exit(main())
