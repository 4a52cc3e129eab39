"""Carries a trial out piece by piece, saves what was found after each, and goes on where it was stopped.

    result = carry_out(trial, Setting(quick=True))
    result["failed"], result["seconds"], result["peak_mb"]

`<folder>/<name>.json` is the state and the result in one: finished when `done` equals `cases`. It is taken up
only by the same code, seed and number of cases; after a change of the code a trial begins anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import sys
import time
from datetime import date
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from tqdm import tqdm

from envs.retail.files import FileError, read_json, whole_file
from pipeline.runs import ROOT
from reliability.trial import Found, Setting, Trial

TRIED = ("envs", "pipeline", "reliability")  # the code whose change makes a result old


def carry_out(
    trial: Trial, setting: Setting, *, again: bool = False, stop_after: float = inf
) -> dict[str, Any]:
    """Carry out what is left of a trial, for `stop_after` seconds at most; returns what is found by then."""
    file = setting.folder / f"{trial.name}.json"
    if reason := trial.unfit(setting):
        return _save(file, {"trial": trial.name, "setting": _name(setting), "not_run": reason})
    result = _begun(file, trial, setting, again)
    found, started = Found.from_json(result), time.monotonic()
    with tqdm(total=result["cases"], initial=result["done"], desc=trial.name, unit="case") as bar:
        while result["done"] < result["cases"] and time.monotonic() - started < stop_after:
            cases = range(result["done"], min(result["done"] + trial.piece, result["cases"]))
            began = time.monotonic()
            found.merge(trial.run(cases, setting))
            result |= found.to_json()
            result["done"] = cases.stop
            result["seconds"] = round(result["seconds"] + time.monotonic() - began, 2)
            result["peak_mb"] = max(result["peak_mb"], _peak_mb())
            result["date"] = date.today().isoformat()
            _save(file, result)
            bar.update(len(cases))
    return result


def finished(result: dict[str, Any]) -> bool:
    """Whether every case was carried out."""
    return "not_run" not in result and result["done"] == result["cases"]


def _begun(file: Path, trial: Trial, setting: Setting, again: bool) -> dict[str, Any]:
    """What was saved, if it can be gone on with; else the beginning."""
    fresh = {
        "trial": trial.name,
        "setting": _name(setting),
        "seed": setting.seed,
        "cases": trial.cases(setting),
        "done": 0,
        "seconds": 0.0,
        "peak_mb": 0,
        "machine": _machine(),
        "date": date.today().isoformat(),
        "code": code_fingerprint(),
        **Found().to_json(),
    }
    if again or not file.exists():
        return fresh
    try:
        saved = read_json(file)
    except FileError as error:
        print(f"{error}; {trial.name} begins anew", file=sys.stderr)
        return fresh
    same = all(saved.get(key) == fresh[key] for key in ("trial", "setting", "seed", "cases", "code"))
    return saved if same else fresh


def _save(file: Path, result: dict[str, Any]) -> dict[str, Any]:
    with whole_file(file) as out:
        json.dump(result, out, indent=1)  # ASCII: a failing input may be half a surrogate pair
        out.write("\n")
    return result


def _name(setting: Setting) -> str:
    return "quick" if setting.quick else "full"


def _peak_mb() -> int:
    """The most memory this process, or one it started, ever held."""
    self, children = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return max(self, children) // (1024 * 1024 if sys.platform == "darwin" else 1024)


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


@cache
def code_fingerprint() -> str:
    """A fingerprint of the code that is tried, and of the trials."""
    digest = hashlib.sha256()
    for folder in TRIED:
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]
