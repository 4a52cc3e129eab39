"""The metric names that docs/metrics.md explains, read from its tables; other tests compare logs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
PARTS = {
    "sft": ("What TRL logs in the warm-up",),
    "grpo": ("What this project logs in reinforcement", "What TRL logs in reinforcement"),
    "toolrl": ("ToolRL", "What TRL logs in reinforcement"),
    "gsm8k": ("GSM8K", "What TRL logs in reinforcement"),
    "evaluation": ("Evaluation",),
}
LOGGED_BY_HAND = {"stage", "step"}  # of every line of metrics.jsonl: no metrics
TOOLS = {"tools/call_frequency", "tools/failure_frequency"}


def explained(heading: str) -> set[str]:
    """Names in the first column of the tables under a heading."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    body = dict(zip(parts[1::2], parts[2::2], strict=True))[heading]
    rows = re.findall(r"^\| (`[^|]*) \|", body, flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def explained_of(stage: str) -> set[str]:
    """All names that lines of a stage may hold."""
    names = set().union(*(explained(heading) for heading in PARTS[stage]))
    renamed = {name for name in names if name.startswith("rewards/reward/")}
    if stage in ("toolrl", "gsm8k"):
        names = names - renamed | {name.replace("/reward/", f"/{stage}/") for name in renamed}
    return names


def unpaid(*profiles: str) -> set[str]:
    """Explained terms of profiles that a run's reward does not name."""
    terms = {name for name in explained_of("grpo") if name.startswith("terms/")}
    return {name for name in terms if name.split("/")[1] not in profiles}
