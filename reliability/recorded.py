"""The shop's tools beside tau-bench's own recorded answers: every observation and every final database.

    python -m reliability --only recorded --recorded ../shared/fixtures/tau_bench_retail

The folder holds users, products and orders, `replay_inputs.jsonl.gz` (sequences of calls, each on fresh data)
and `replay_expected_sample.jsonl.gz` (the answers: sha256 of each text, and of the database at the end).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from envs.retail.files import read_lines
from envs.retail.replay import replay_line
from reliability.trial import Found, Setting, Trial

INPUTS, EXPECTED = "replay_inputs.jsonl.gz", "replay_expected_sample.jsonl.gz"
ANY_ERROR = "any error"  # stands for a digest where any text that begins with "Error" is right

ABOUT = """
The same calls in our shop and in tau-bench's: sequences of tool calls on tau-bench's own data, its gold
actions and adversarial ones, compared with the answers recorded there, text by text, and the whole
database at the end. The recordings are no part of the project: `--recorded FOLDER` names them.
"""


@lru_cache(maxsize=1)
def recordings(folder: Path) -> tuple[Shop, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """The shop of the recordings, and each sequence with what was answered."""
    inputs = {record["id"]: record for _, record in read_lines(folder / INPUTS)}
    pairs = [(inputs[wanted["id"]], wanted) for _, wanted in read_lines(folder / EXPECTED)]
    return Shop.load(folder), pairs


def differences(shop: Shop, record: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Where our answers differ from the recorded ones."""
    answer = replay_line(shop, dict(record))
    texts, digests = answer["observations"], wanted["observation_sha256"]
    wrong = [
        f"answer {position}: {text[:200]}"
        for position, (text, digest) in enumerate(zip(texts, digests, strict=True))
        if not _right(text, digest)
    ]
    return wrong + ["final database"] * (answer["final"] != wanted["final"])


def _right(text: str, digest: str) -> bool:
    if digest == ANY_ERROR:
        return text.startswith("Error")
    return hashlib.sha256(text.encode()).hexdigest() == digest


def run(cases: range, setting: Setting) -> Found:
    """Replay each sequence."""
    found, (shop, pairs) = Found(), recordings(setting.recorded)
    for case in cases:
        record, wanted = pairs[case]
        found.counts["answers compared"] += len(wanted["observation_sha256"])
        found.counts["final databases compared"] += 1
        if wrong := differences(shop, record, wanted):
            found.fail(case, f"{record['id']}: {'; '.join(wrong)}")
    return found


def _cases(setting: Setting) -> int:
    if _unfit(setting):
        return 0
    count = len(recordings(setting.recorded)[1])
    return min(count, 20) if setting.quick else count


def _unfit(setting: Setting) -> str:
    if setting.recorded is None:
        return "the recordings are missing (--recorded FOLDER)"
    missing = [name for name in (INPUTS, EXPECTED) if not (setting.recorded / name).exists()]
    return f"the folder of recordings lacks {missing[0]}" if missing else ""


RECORDED = Trial("recorded", "Recorded answers of tau-bench", ABOUT, run, _cases, piece=50, unfit=_unfit)
