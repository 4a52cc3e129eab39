"""What some of the attacks on the reward earn, as a table for docs/rewards.md.

    print(table(Shop.load()))

The same numbers as `python -m pipeline.rewards attack` prints for these attacks; the command has all of them.
"""

from envs.retail.database import Shop
from envs.retail.tasks import read_tasks
from pipeline.attacks import ATTACKS
from pipeline.attacks.report import MIXTURES, TASKS, Row, examine, spread
from pipeline.runs import ROOT

SHOWN = (
    "do nothing",
    "transfer at once",
    "stop early",
    "names only",
    "guess arguments",
    "read for ever",
    "forged tool results",
    "undo and redo",
    "forbidden writes too",
)


def table(shop: Shop) -> str:
    """The best share of the honest answer's reward that each shown attack earns without solving the task."""
    attacks = [attack for attack in ATTACKS if attack.name in SHOWN]
    _, _, *rows = examine(shop, spread(read_tasks(ROOT / "data" / "dataset.jsonl"), TASKS), attacks)
    lines = [
        f"| attack | {' | '.join(MIXTURES)} |",
        f"| --- |{' ---: |' * len(MIXTURES)}",
        *(f"| {row.name} | {' | '.join(_shares(row))} |" for row in rows),
    ]
    return "\n".join(["", *lines, ""])


def _shares(row: Row) -> list[str]:
    return [f"{row.best[name]:.2f}" if name in row.best else "-" for name in MIXTURES]
