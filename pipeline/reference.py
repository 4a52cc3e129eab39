"""Makes the numbers that README and notebooks show: `make reference` writes outputs/reference/*.json.

    python -m pipeline.reference                       # three seeds: most of an hour on 2 cores
    python -m pipeline.reference --profile gpu24

Notebook 02 and 03 for each seed, notebook 03 with shuffled rewards as the control, and once with a learning
rate that is too large. Every run lies in `outputs/reference-…`; what is finished is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envs.retail.files import read_json, whole_file
from pipeline.grpo_report import PANELS, REFERENCE
from pipeline.runs import ROOT, execute, run_folder

SEEDS = (3407, 1, 2)
HELD_OUT = 100
COLLAPSE = {"grpo_learning_rate": 2e-3, "grpo_patience": 99, "grpo_max_steps": 16}
SHOWN = {"step", "loss", *(name for panel in PANELS for name in panel.names)}


def run_notebook(name: str, run: Path, **parameters: Any) -> dict[str, Any]:
    """What a notebook's run came to; run unless it is finished."""
    summary = run / "summaries" / f"{name}.json"
    if not summary.exists():
        print(f"{run.name}: {name} …", flush=True)
        file = f"{name}.ipynb"
        given = {**parameters, "RUN": str(run.resolve())}
        execute(ROOT / "notebooks" / file, run / "notebooks" / file, given)
    return read_json(summary)


def grpo_reference(profile: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Success before and after for each seed, with rewards and with shuffled ones, and one collapse."""
    runs = []
    for seed in seeds:
        given = {"PROFILE": profile, "SEED": seed}
        warm = run_folder(f"reference-{seed}")
        steps = run_notebook("02_sft_warmup", warm, **given, HELD_OUT=HELD_OUT)
        for shuffled in (False, True):
            run = run_folder(f"reference-{seed}-shuffled") if shuffled else warm
            refined = {"WARM_UP": str(warm.resolve()), "SHUFFLED": shuffled, "HELD_OUT": HELD_OUT}
            found = run_notebook("03_grpo_refine", run, **given, **refined)
            kept = {name: found[name] for name in ("before", "after", "seconds")}
            runs.append({"seed": seed, "shuffled": shuffled, "steps": steps["after"], **kept})
    first = run_folder(f"reference-{seeds[0]}")
    broken = run_notebook(
        "03_grpo_refine",
        run_folder("reference-collapse"),
        PROFILE=profile,
        SEED=seeds[0],
        HELD_OUT=16,
        WARM_UP=str(first.resolve()),
        SETTINGS=COLLAPSE,
    )
    history = [{name: entry[name] for name in entry if name in SHOWN} for entry in broken["history"]]
    return {
        "profile": profile,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "runs": runs,
        "collapse": {"learning_rate": COLLAPSE["grpo_learning_rate"], "history": history},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.reference", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    options = parser.parse_args(argv)
    found = grpo_reference(options.profile, options.seeds)
    with whole_file(REFERENCE) as out:
        json.dump(found, out)
        out.write("\n")
    print(f"written: {REFERENCE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
