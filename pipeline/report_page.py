"""One page of a run: what each stage gained, how training went, why episodes failed, and episodes to read.

    write_report(run, Shop.load())             # outputs/<run>/report.html
    python -m pipeline.report_page demo        # the name of a run folder, or its path

The page is one file below 3 MB that fetches nothing and may fetch nothing: its own style and script are named
by their checksums, and whatever an episode holds is shown as text. Numbers are of all episodes, carried out
anew; of the episodes themselves there are as many as fit, and the page says how many. What a run has not got
(no episodes, no training log) is left out with a sentence that says what to run.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from envs.retail.files import read_json, whole_file
from pipeline.page.curves import FRAME, Chart, Logs, charts, read_logs, term_charts
from pipeline.page.episodes import Shown, choose
from pipeline.page.numbers import COLUMNS, Stage, comparisons, failures, percent, read_stages
from pipeline.runs import run_folder
from pipeline.troubles import clear_errors

LIMIT = 2_900_000  # bytes of a whole page
SLACK = 5_000  # for what can only be written once the episodes are chosen
PAGE = Path(__file__).parent / "page"
TRAINED = {"sft": "Supervised warm-up", "grpo": "Reinforcement learning"}


class NothingToShow(FileNotFoundError):
    """A run without episodes, and without a log of a training that the page draws."""


def write_report(run: Path, shop: Shop, stages: Sequence[Stage] | None = None) -> Path:
    """Write the page of a run folder; refused where there is nothing to show.

    Args:
        run: The run's folder; what is missing in it is left out, and the page says so.
        shop: The shop its episodes were played in.
        stages: Its episodes, where they have been measured already.
    """
    stages = read_stages(run / "evaluation", shop) if stages is None else stages
    logs = read_logs(run)
    trainings = _trainings(logs)
    if not stages and not trainings:
        raise NothingToShow(
            f"{run} has neither episodes nor a training log: run `python -m pipeline.evaluate run "
            f"--run {run.resolve().name} --stage sft` (or `python -m pipeline.sft`, `pipeline.grpo`) first"
        )
    values = {
        "name": run.resolve().name,
        "stages": stages,
        "columns": COLUMNS,
        "comparisons": comparisons(stages),
        "tables": failures(stages),
        "trainings": trainings,
        "unreadable": logs.unreadable,
        "settings": _settings(run),
        "notebooks": (run / "notebooks.html").exists(),  # the chain's page, in the same folder
        "frame": FRAME,
    }
    room = LIMIT - SLACK - len(_page(values, None).encode())
    with whole_file(run / "report.html") as out:
        out.write(_page(values, choose(stages, shop, room) if stages else None))
    return run / "report.html"


def verdict(stages: Sequence[Stage]) -> str:
    """The verdict in a few lines, for a terminal: success of each stage, and each against the one before."""
    lines = []
    for stage in stages:
        success = stage.measures["task_success_rate"]
        span = f"[{percent(success.low)}, {percent(success.high)}]"
        lines.append(f"  {stage.name:<8} {percent(success.value):>8} of {success.tasks} tasks solved  {span}")
    lines += [f"  {old} -> {new}: {found}" for old, new, found in comparisons(stages)]
    return "".join(f"{line}\n" for line in lines)


def _trainings(logs: Logs) -> list[tuple[str, int, list[Chart], list[Chart]]]:
    """Of each kind of training that has logged anything: title, steps, curves, and the reward's terms."""
    found = [
        (title, logs.steps(stage), charts(logs, stage), term_charts(logs, stage))
        for stage, title in TRAINED.items()
    ]
    return [training for training in found if training[2] or training[3]]


def _settings(run: Path) -> dict[str, dict[str, str]]:
    """What the run, its trainers and its evaluations were set to, by file."""
    files = [run / "config.json", run / "sft" / "config.json", run / "grpo" / "config.json"]
    files += sorted((run / "evaluation").glob("*.json"))
    found = {str(file.relative_to(run)): read_json(file) for file in files if file.exists()}
    return {
        file: {name: _told(value) for name, value in values.items()}
        for file, values in found.items()
        if isinstance(values, dict)
    }


def _told(value: Any) -> str:
    """A setting for a table; a long list, as of an evaluation's tasks, is only counted."""
    if isinstance(value, list) and len(value) > 12:
        return f"{len(value):,} values"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _page(values: Mapping[str, Any], shown: Shown | None) -> str:
    """The page; nothing but its own style and script, named by their checksums, may have any effect."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    style, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    policy = (
        f"default-src 'none'; style-src '{_checksum(style)}'; script-src '{_checksum(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    environment = Environment(
        loader=FileSystemLoader(PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = environment.globals["percent"] = percent
    template = environment.get_template("report.html.j2")
    return template.render(values, shown=shown, style=style, script=script, policy=policy)


def _checksum(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def main(argv: Sequence[str] | None = None) -> int:
    """Write a run's page from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.report_page", description=__doc__.split("\n")[0]
    )
    parser.add_argument("run", help="name of the run folder under outputs/, or its path")
    options = parser.parse_args(argv)
    with clear_errors(parser, ValueError, OSError):
        print(write_report(run_folder(options.run, make=False), Shop.load()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
