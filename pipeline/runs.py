"""Run folders: everything a run made lies in `outputs/<run>/`, and each notebook leaves a summary there.

    run = run_folder("demo")
    write_summary(run, "00_meet_the_shop", {"reward": 1.0})

`TOOL_OUTPUTS` in the environment moves the outputs elsewhere (a mounted drive, a scratch disk).
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envs.retail.files import read_json, whole_file

ROOT = Path(__file__).parents[1]


def run_folder(name: str, make: bool = True) -> Path:
    """The folder of a run, made if need be; `name` may also be a path. Who only reads makes none."""
    outputs = Path(os.environ.get("TOOL_OUTPUTS") or ROOT / "outputs")
    folder = Path(name) if os.sep in name else outputs / name
    if make:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def execute(notebook: Path, copy: Path, parameters: Mapping[str, Any]) -> None:
    """Run a notebook as Jupyter would, in its own folder; its copy is written cell by cell."""
    from papermill import execute_notebook

    copy.parent.mkdir(parents=True, exist_ok=True)
    execute_notebook(
        str(notebook),
        str(copy.resolve()),
        dict(parameters),
        kernel_name="python3",
        cwd=str(notebook.parent.resolve()),
        progress_bar=False,
        extra_arguments=["--log-level=ERROR"],  # else each kernel warns about its local TCP connection
    )


def changed_settings(file: Path, settings: Mapping[str, Any]) -> list[str]:
    """Which settings are others than those that a file has kept; none where there is no file."""
    if not file.exists():
        return []
    before, now = read_json(file), json.loads(json.dumps(settings))  # as they come back from a file
    return [name for name in now | before if now.get(name) != before.get(name)]


def summary_file(run: Path, notebook: str) -> Path:
    """Where a notebook leaves its numbers, once it has run to its end."""
    return run / "summaries" / f"{notebook}.json"


def write_summary(run: Path, notebook: str, summary: dict[str, Any]) -> Path:
    """Leave a notebook's numbers for the next one; replaces the summary of an earlier run of it."""
    path = summary_file(run, notebook)
    with whole_file(path) as out:
        json.dump(summary, out, indent=2, ensure_ascii=False)
        out.write("\n")
    return path
