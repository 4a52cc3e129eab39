"""Recorded tau-bench episodes, answered to the letter: every observation, final database and reward.

The recordings are public data that is not part of the project; without them these tests are skipped.
Where an expression is dangerous our calculator differs on purpose; `ON_PURPOSE` is the whole list.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from envs.retail.database import Shop
from envs.retail.importers import iter_tau_bench_folder
from envs.retail.replay import replay_line, score_line
from envs.retail.tools import call
from reliability.recorded import differences, recordings
from reliability.shop import plain_sha256

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "tau_bench_retail"
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs the recorded tau-bench episodes")

# What tau-bench hangs or labours on, or answers only because Python gets any text; and our words for it.
ON_PURPOSE = {
    "9**9**9": "Error: number too large",
    "9**99999": "Error: number too large",
    "2**16385": "Error: number too large",
    "(2**9000)*(2**9000)": "Error: number too large",
    "1+" * 1_000 + "1": "Error: expression is longer than 2000 characters",
    "9" * 5_000: "Error: expression is longer than 2000 characters",
    "(" * 201 + "1" + ")" * 201: "Error: expression is nested deeper than 200",
    "-" * 201 + "1": "Error: expression is nested deeper than 200",
}


def records(name: str) -> Iterator[dict]:
    with gzip.open(RECORDED / name, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.load(RECORDED)


def test_the_untouched_database_has_both_hashes_of_tau_bench(shop):
    wanted = json.loads((RECORDED / "base.json").read_text())
    assert shop.open().sha256() == wanted["canonical_sha256"]
    assert shop.open().tau_bench_hash() == wanted["tau_bench_hash"]


@pytest.mark.slow
def test_every_recorded_call_and_final_database(shop):
    _, pairs = recordings(RECORDED)
    wrong = {record["id"]: found for record, wanted in pairs if (found := differences(shop, record, wanted))}
    assert wrong == {}
    assert sum(len(wanted["observation_sha256"]) for _, wanted in pairs) > 500  # the sample was really there


def test_calls_whose_answers_are_not_given_are_answered_too(shop):
    """All 2,010 sequences run to their end, and what the shop itself holds is the same afterwards."""
    count = 0
    for record in records("replay_inputs.jsonl.gz"):
        database = shop.open()
        texts = [call(database, action["name"], action["kwargs"]) for action in record["actions"]]
        assert all(isinstance(text, str) for text in texts)
        count += 1
    assert count == 2_010
    assert plain_sha256(shop) == json.loads((RECORDED / "base.json").read_text())["canonical_sha256"]


def test_an_item_may_be_swapped_for_itself_on_an_empty_gift_card(shop):
    swap = {
        "order_id": "#W4318885",
        "item_ids": ["8293778132"],
        "new_item_ids": ["8293778132"],
        "payment_method_id": "gift_card_6767859",
    }
    answer = replay_line(shop, {"id": 0, "actions": [{"name": "modify_pending_order_items", "kwargs": swap}]})
    digest = sha256(answer["observations"][0])
    assert digest == "c512a98a15fc2b341ba8038216f2b3d87426d2340e3066c0a4ecf39091f4ffdc"
    assert answer["final"] == "9bbbe42624ef62a6edb386f5f9e75d6b92afdee46ee6a0b526a42957a3cecf13"


def test_every_recorded_reward(shop):
    """Through RetailEnv with tau-bench's duck typing: is it over, after how many steps, worth what."""
    tasks = {(task.split, task.extra["index"]): task for task in iter_tau_bench_folder(RECORDED)}
    wanted = {record["id"]: record for record in records("reward_expected_sample.jsonl.gz")}
    answers = [score_line(shop, tasks, record) for record in records("reward_inputs.jsonl.gz")]
    assert len(answers) == 1_491
    wrong = [answer for answer in answers if answer["id"] in wanted and answer != wanted[answer["id"]]]
    assert wrong == []
    assert {record["reward"] for record in wanted.values()} == {0.0, 1.0}


@pytest.mark.parametrize("expression", ON_PURPOSE, ids=lambda text: text[:20])
def test_calculate_differs_from_tau_bench_only_where_that_is_dangerous(shop, expression):
    assert call(shop.open(), "calculate", {"expression": expression}) == ON_PURPOSE[expression]
