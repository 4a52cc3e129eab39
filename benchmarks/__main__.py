"""`make bench`: what is fast beside what, how cost grows with the work, and what many episodes at once do.

    python -m benchmarks                   # all three parts, some ten minutes
    python -m benchmarks --only table      # one part: table, growth or load
    python -m benchmarks --only reward     # one row of the table: only printed
    python -m benchmarks --quick           # only see that everything runs
    python -m benchmarks --only table --against TAU_BENCH --against TOOLRL --adapter ADAPTER    # every row

TAU_BENCH and TOOLRL are checkouts; of ToolRL the file rlla.py is enough. ADAPTER is the folder of a warmed-up
tiny model's adapter, which the rows "loop" and "overhead" need: without the option, the one of `make demo`.

A part that was measured whole replaces itself in `outputs/reference/speed.json`, with its date and machine;
`docs/speed.md` and its pictures are made from that file. A run that is stopped keeps the parts that were done
and prints the rows of an unfinished table. A quick run writes only where `--out` says.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import endpoint_load, growing, growth, load, table
from benchmarks.speed_page import PLACES, Places, as_text, write_all
from envs.retail.files import FileError, read_json, whole_file

PARTS = ("table", "growth", "load")
NAMES = (*PARTS, *table.ROWS)
Tick = Callable[[str], None]


def measure_table(options: argparse.Namespace, tick: Tick) -> list[dict[str, Any]]:
    """The table's rows; what was measured before a run is stopped is printed."""
    against = table.Against.of(options.against, pairs=options.pairs, adapter=options.adapter)
    effort, rows = table.QUICK if options.quick else table.FULL, []
    try:
        for row in table.measure(effort, against, single_rows(options), tick):
            rows.append(asdict(row))
    except BaseException:
        if rows:
            print(as_text({"table": {"found": rows}}))
        raise
    return rows


def measure_growth(options: argparse.Namespace, tick: Tick) -> list[dict[str, Any]]:
    """The curves."""
    effort = growth.QUICK if options.quick else growth.FULL
    return [curve.to_json() for curve in growth.measure(growing.CURVES, effort, tick)]


def measure_load(options: argparse.Namespace, tick: Tick) -> dict[str, Any]:
    """Live episodes, threads, processes, and the endpoint."""
    effort = load.QUICK if options.quick else load.FULL
    return load.measure(effort, tick) | {"endpoint": endpoint_load.measure(effort, tick)}


def single_rows(options: argparse.Namespace) -> list[str]:
    """The rows that are asked for one by one; none where the whole table is."""
    return [] if "table" in options.only else [name for name in options.only if name in table.ROWS]


MEASURES = {"table": measure_table, "growth": measure_growth, "load": measure_load}


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def processor() -> str:
    """Its name as the system tells it, or the architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next((name for name in names if name not in ("", "unknown")), platform.machine())


def stamped(work: Callable[[], Any]) -> dict[str, Any]:
    """What a part found, with the date, the machine, and how busy that was with this and other work."""
    began, before = time.perf_counter(), busy()
    found = work()
    stamp = {"date": date.today().isoformat(), "machine": machine(), "busy": [before, busy()]}
    return {**stamp, "seconds": round(time.perf_counter() - began), "found": found}


def busy() -> float | None:
    """How many processes wanted a core in the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def run(options: argparse.Namespace, places: Places | None) -> dict[str, Any]:
    """Measure what is asked for; a part that was measured whole is written to `places` at once."""
    from tqdm.auto import tqdm

    rows = single_rows(options)
    parts = [part for part in PARTS if not options.only or part in options.only or (rows and part == "table")]
    kept = read_json(places.json) if places and places.json.exists() else {}
    found: dict[str, Any] = {}
    with tqdm(desc="bench", unit=" steps", disable=options.quiet) as bar:

        def tick(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        try:
            for part in parts:
                found[part] = stamped(partial(MEASURES[part], options, tick))
                if places and not (part == "table" and rows):
                    kept[part] = found[part]
                    with whole_file(places.json) as out:
                        json.dump(kept, out, indent=1)
                        out.write("\n")
        finally:  # stopped or not, the page says what the file holds
            if any(kept.get(part) is one for part, one in found.items()):
                write_pages(places)
    return found


def write_pages(places: Places) -> None:
    """Page and pictures of what has been measured so far."""
    print(f"written: {', '.join(map(str, write_all(places)))}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", default=[], choices=NAMES, help="a part, or a row (loop: overhead too)"
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        type=Path,
        help="a checkout of tau-bench or of ToolRL, or its rlla.py",
    )
    parser.add_argument("--pairs", type=Path, help="recorded ToolRL answers (JSONL) instead of made-up ones")
    parser.add_argument("--adapter", type=Path, default=table.ADAPTER, help="for loop and overhead: a folder")
    parser.add_argument("--out", type=Path, help="write speed.json, speed.md and the pictures here")
    parser.add_argument("--page", action="store_true", help="measure nothing; write page and pictures again")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    places = Places.of(options.out) if options.out else None if options.quick else PLACES
    try:
        if options.page:
            write_pages(places or PLACES)
        else:
            print(as_text(run(options, places)))
    except FileError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the parts that were done are kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
