"""What a pass over the pipeline came to, as checksums: two passes that were the same have the same.

whole = end_of(run)                 # weights, logs, episodes, the report's tables, which files there are
differences(whole, other_run)       # ["episodes of grpo"]; empty where nothing differs
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

TIMES = re.compile(r"second|time|flos|num_tokens")  # what no two runs share


def differences(whole: dict[str, str], run: Path) -> list[str]:
    """Where a run folder is other than the undisturbed one."""
    end = end_of(run)
    return sorted(name for name in whole.keys() | end.keys() if whole.get(name) != end.get(name))


def end_of(run: Path) -> dict[str, str]:
    """What a pass came to: weights by checksum, every number it logged, its episodes, its report's tables."""
    found = {
        f"weights {file.relative_to(run)}": _checksum(file)
        for part in ("sft/adapter", "grpo/best", "export/adapter", "export/merged")
        for file in sorted((run / part).glob("*.safetensors"))
    }
    for stage in ("sft", "grpo"):
        history = json.loads((run / stage / "finished.json").read_text())["history"]
        found[f"history of {stage}"] = _numbers([line for line in history if "train_runtime" not in line])
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    log.sort(key=lambda line: (line["stage"], line["step"]))
    found["metrics.jsonl"] = _numbers([line for line in log if "train_runtime" not in line])
    found["episodes.jsonl"] = _numbers(map(json.loads, (run / "episodes.jsonl").read_text().splitlines()))
    for file in sorted((run / "evaluation").glob("*.jsonl")):
        records = map(json.loads, file.read_text(encoding="utf-8").splitlines())
        ordered = sorted(records, key=lambda one: (one["id"], one["trial"]))
        found[f"episodes of {file.stem}"] = _numbers(ordered)
    page = (run / "report.html").read_text(encoding="utf-8").replace(str(run), "RUN")
    found["tables of the report"] = _digest("".join(re.findall(r"(?s)<table.*?</table>", page)))
    found["files"] = _digest("\n".join(sorted(_names(run))))
    return found


def _names(run: Path) -> list[str]:
    """The files of a run without what carries a date or a process in its name, or was left by a kill."""
    names = (str(file.relative_to(run)) for file in run.rglob("*") if file.is_file())
    return [name for name in names if "tensorboard" not in name and ".part" not in name]


def _numbers(lines: Any) -> str:
    kept = [{name: value for name, value in line.items() if not TIMES.search(name)} for line in lines]
    return _digest(json.dumps(kept, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
