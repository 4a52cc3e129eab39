"""ToolRL's rows into harmony, on the command line.

python -m pipeline.toolrl convert --input-dir rlla_4k --output-dir rlla_gpt
"""

import argparse
import sys
from collections.abc import Sequence

from pipeline.toolrl.convert import LONG_PROMPTS, SEVERAL, Options
from pipeline.toolrl.files import convert_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 all right, 1 rows were rejected and --strict was given, 2 nothing could be read."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.toolrl", description=__doc__.splitlines()[0])
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "convert", help="train.parquet and test.parquet of ToolRL into harmony"
    )
    command.add_argument("--input-dir", required=True, help="folder with train.parquet and test.parquet")
    command.add_argument("--output-dir", required=True, help="folder for the converted files and the rejects")
    command.add_argument(
        "--several",
        choices=SEVERAL,
        default="keep",
        help="rows with several calls: keep (for the reward), drop (for RL, where generation stops at the"
        " first call), first (only the first call is right)",
    )
    command.add_argument(
        "--long-prompts",
        choices=LONG_PROMPTS,
        default="raise",
        help="prompts over the limit: raise the limit to 4096, drop the row, or truncate the history",
    )
    command.add_argument("--limit", type=int, default=2048, help="tokens of a prompt (default 2048)")
    command.add_argument("--effort", choices=("low", "medium", "high"), default="medium")
    command.add_argument("--strict", action="store_true", help="exit with 1 if any row was rejected")
    given = parser.parse_args(arguments)
    try:
        options = Options(given.several, given.long_prompts, given.limit, given.effort)
        summary = convert_folder(given.input_dir, given.output_dir, options)
    except (ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    print(summary)
    if summary.rejected:
        print(f"{summary.rejected:,} rows could not be converted: {given.output_dir}/rejects.jsonl says why")
    return int(given.strict and summary.rejected > 0)


if __name__ == "__main__":
    sys.exit(main())
