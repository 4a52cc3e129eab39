"""verl on the command line: `python -m scaleout.verl COMMAND --help` tells more.

export    the project's tasks as parquet, with the tools' and the agent loops' YAML
check     what is wrong with a configuration, one sentence each; exit code 1 if anything is
lengths   how long prompts, episodes and answers are, in gpt-oss's own tokens
results   a run's episodes, carried out and scored anew
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from envs.retail.tasks import read_tasks
from pipeline.config import Config
from scaleout.verl.rows import LOOPS

DATA = Path(__file__).parents[2] / "data"
TASKS = [DATA / "dataset.jsonl", DATA / "validation.jsonl", DATA / "test.jsonl"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 all right, 1 something is wrong with what was looked at, 2 it could not be read."""
    given = _parser().parse_args(arguments)
    try:
        return given.run(given)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scaleout.verl",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write the data of a run")
    export.add_argument(
        "--tasks", nargs="+", type=Path, default=TASKS, help="task files (default: the project's)"
    )
    export.add_argument("--out", type=Path, required=True, help="the folder to write to")
    export.add_argument("--loop", default="retail_agent", choices=LOOPS, help="who plays the episodes")
    export.add_argument(
        "--max-turns", type=int, help="only tasks that a demonstration serves in so many turns"
    )
    export.add_argument("--episodes", type=Path, help="where episodes are kept (default: OUT/episodes)")
    export.set_defaults(run=_export)
    check = commands.add_parser("check", help="look for settings that fail in silence")
    check.add_argument("config", type=Path, help="a YAML file for verl")
    check.add_argument("overrides", nargs="*", help="a.b=value, as at the launch")
    check.set_defaults(run=_check)
    lengths = commands.add_parser("lengths", help="measure what the limits must hold")
    lengths.add_argument("--tasks", nargs="+", type=Path, default=TASKS[:1], help="task files")
    lengths.set_defaults(run=_lengths)
    results = commands.add_parser("results", help="read a run's episodes back")
    results.add_argument("dumps", type=Path, help="trainer.rollout_data_dir or validation_data_dir")
    results.add_argument("--episodes", type=Path, required=True, help="the folder the agent loops wrote to")
    results.add_argument("--out", type=Path, required=True, help="the project's records, JSON lines")
    results.add_argument("--stage", default="grpo", help="the name reports show (default grpo)")
    results.add_argument("--reward", nargs="+", default=Config.reward, help="the run's profiles and weights")
    results.set_defaults(run=_results)
    return parser


def _export(given: argparse.Namespace) -> int:
    from scaleout.verl.export import export

    print(export(given.tasks, given.out, loop=given.loop, max_turns=given.max_turns, episodes=given.episodes))
    return 0


def _check(given: argparse.Namespace) -> int:
    from scaleout.verl.check import check

    checked = check(given.config, given.overrides)
    print(checked)
    return 0 if checked.ok else 1


def _lengths(given: argparse.Namespace) -> int:
    from scaleout.verl.lengths import measure

    print(measure([task for path in given.tasks for task in read_tasks(path)]))
    return 0


def _results(given: argparse.Namespace) -> int:
    from scaleout.verl.results import read_back

    read = read_back(given.dumps, given.episodes, given.out, stage=given.stage, reward=given.reward)
    print(read)
    return 0 if read.ok else 1


if __name__ == "__main__":
    sys.exit(main())
