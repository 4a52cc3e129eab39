"""Makes the numbers that README and notebooks show: `make reference` writes outputs/reference/*.json.

    python -m pipeline.reference --jobs 2              # three seeds: most of an hour on 2 cores
    python -m pipeline.reference --profile gpu24

Notebook 02 and 03 for each seed, notebook 03 with shuffled rewards as the control, and once with a learning
rate that is too large; 04 once, for the untrained base. Every run lies in `outputs/reference-…`; what is
finished is not run again. The README's table and picture are made from the same file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from envs.retail.files import read_json, whole_file
from pipeline.grpo_report import PANELS, REFERENCE
from pipeline.reference_page import put_into, readme_table, write_curve
from pipeline.runs import ROOT, execute, run_folder, summary_file

SEEDS = (3407, 1, 2)
HELD_OUT = 100
COLLAPSE = {"grpo_learning_rate": 4e-3, "grpo_patience": 99, "grpo_max_steps": 16}
SHOWN = {"step", "loss", *(name for panel in PANELS for name in panel.names)}
CURVE = {"step", "reward", "task_success_rate", "validation/task_success_rate"}


def run_notebook(name: str, run: Path, **parameters: Any) -> dict[str, Any]:
    """What a notebook's run came to; run unless it is finished."""
    summary = summary_file(run, name)
    if not summary.exists():
        print(f"{run.name}: {name} …", flush=True)
        file = f"{name}.ipynb"
        given = {**parameters, "RUN": str(run.resolve())}
        execute(ROOT / "notebooks" / file, run / "notebooks" / file, given)
    return read_json(summary)


def grpo_reference(profile: str, seeds: Sequence[int], jobs: int = 1) -> dict[str, Any]:
    """Success before and after for each seed, with rewards and with shuffled ones, and one collapse."""
    with ThreadPoolExecutor(jobs) as pool:
        warm = pool.map(lambda seed: _warmed_up(profile, seed), seeds)
        steps = dict(zip(seeds, warm, strict=True))
        cells = [(seed, shuffled) for seed in seeds for shuffled in (False, True)]
        broken = pool.submit(_collapsed, profile, seeds[0])
        base = pool.submit(_base, profile, seeds[0])
        refined = pool.map(lambda cell: _refined(profile, *cell), cells)
        runs = [
            {"seed": seed, "shuffled": shuffled, "steps": steps[seed]["after"], **found}
            for (seed, shuffled), found in zip(cells, refined, strict=True)
        ]
    return {
        "profile": profile,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "base": base.result(),
        "runs": runs,
        "collapse": {
            "learning_rate": COLLAPSE["grpo_learning_rate"],
            "history": _only(SHOWN, broken.result()["history"]),
        },
    }


def _warmed_up(profile: str, seed: int) -> dict[str, Any]:
    run = run_folder(f"reference-{seed}")
    return run_notebook("02_sft_warmup", run, PROFILE=profile, SEED=seed, HELD_OUT=HELD_OUT)


def _refined(profile: str, seed: int, shuffled: bool) -> dict[str, Any]:
    warm = run_folder(f"reference-{seed}")
    run = run_folder(f"reference-{seed}-shuffled") if shuffled else warm
    given = {"SHUFFLED": shuffled, "HELD_OUT": HELD_OUT, "WARM_UP": str(warm.resolve())}
    found = run_notebook("03_grpo_refine", run, PROFILE=profile, SEED=seed, **given)
    kept = {name: found[name] for name in ("before", "after", "seconds")}
    return kept | {"history": _only(CURVE, found["history"])}


def _only(names: set[str], history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: round(entry[name], 4) for name in entry if name in names} for entry in history]


def _base(profile: str, seed: int) -> list[bool]:
    """Which of the same held-out tasks the model solves before any training."""
    given = {"STAGES": ["base"], "HELD_OUT": HELD_OUT, "SEED": seed, "PROFILE": profile}
    return run_notebook("04_evaluate_and_compare", run_folder("reference-base"), **given)["base"]


def _collapsed(profile: str, seed: int) -> dict[str, Any]:
    warm, run = run_folder(f"reference-{seed}"), run_folder("reference-collapse")
    given = {"SETTINGS": COLLAPSE, "HELD_OUT": 16, "WARM_UP": str(warm.resolve())}
    return run_notebook("03_grpo_refine", run, PROFILE=profile, SEED=seed, **given)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.reference", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at a time, sharing the cores")
    options = parser.parse_args(argv)
    if options.jobs > 1:
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // options.jobs))
    found = grpo_reference(options.profile, options.seeds, options.jobs)
    with whole_file(REFERENCE) as out:
        json.dump(found, out)
        out.write("\n")
    write_curve(found, REFERENCE.with_name("curve.svg"))
    put_into(ROOT / "README.md", readme_table(found))
    print(f"written: {REFERENCE}, its curve.svg, and the README's table")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
