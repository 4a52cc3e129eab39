"""The shop on the command line: `python -m envs.retail COMMAND --help` tells more.

replay    run recorded tool calls, each line on fresh data
score     score recorded episodes by tau-bench's rule
play      play the agent yourself
generate  make new tasks, each proven by execution
validate  find the defects of a task file
import    bring in tasks from elsewhere
"""

import argparse
import sys
from pathlib import Path

from envs.retail.database import DATA, Shop

TASKS = Path(__file__).parents[2] / "data" / "dataset.jsonl"


def main(argv: list[str] | None = None) -> int:
    """Run one command; bad input is one line on stderr and exit code 2."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(argv)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    except ValueError as error:  # a FileError among them, which names file and line
        print(f"error: {error}", file=sys.stderr)
    return 2


def _run(argv: list[str]) -> int:
    if argv[:1] == ["generate"]:
        from envs.retail.generator import run_generate

        return run_generate(argv[1:])
    if argv[:1] == ["validate"]:
        from envs.retail.validate import run_validate

        return run_validate(argv[1:])
    if argv[:1] == ["import"]:
        from envs.retail.importers import run_import

        return run_import(argv[1:])
    options = _parser().parse_args(argv)
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m envs.retail",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shop, lines = "users/products/orders.json (or .json.gz)", "JSONL or JSONL.gz"
    tasks = "task file, or tasks_<split>.jsonl folder"
    for name, run in (("replay", _replay), ("score", _score)):
        command = commands.add_parser(name)
        command.add_argument("--data", type=Path, default=DATA, help=shop)
        command.add_argument("--in", dest="source", type=Path, required=True, help=f"{lines} to read")
        command.add_argument("--out", type=Path, required=True, help=f"{lines} to write")
        command.set_defaults(run=run)
        if name == "score":
            command.add_argument("--tasks", type=Path, required=True, help=tasks)
    command = commands.add_parser("play")
    command.add_argument("task", help="a task's id, or its number in the file (from 1)")
    command.add_argument("--tasks", type=Path, default=TASKS, help=tasks)
    command.add_argument("--data", type=Path, default=DATA, help=shop)
    command.set_defaults(run=_play)
    for name in ("generate", "validate", "import"):  # listed here for --help; they parse their own arguments
        commands.add_parser(name, add_help=False)
    return parser


def _replay(options: argparse.Namespace) -> int:
    from envs.retail.replay import replay_file

    print(f"{replay_file(options.data, options.source, options.out)} sequences -> {options.out}")
    return 0


def _score(options: argparse.Namespace) -> int:
    from envs.retail.replay import score_file

    count = score_file(options.data, options.tasks, options.source, options.out)
    print(f"{count} episodes -> {options.out}")
    return 0


def _play(options: argparse.Namespace) -> int:
    from envs.retail.play import find_task, play
    from envs.retail.replay import load_tasks

    task = find_task(load_tasks(options.tasks), options.task)
    play(Shop.load(options.data), task, sys.stdin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
