"""ToolRL's own rows and recorded scores of the public implementation, where they lie beside the project."""

import gzip
import json
from pathlib import Path

import pytest

from pipeline.toolrl import compute_score
from pipeline.toolrl.files import Reject, converted_rows
from pipeline.toolrl.rows import Row, read_answer
from pipeline.toolrl_score import PUBLISHED, Switches

RECORDED = Path(__file__).parents[2].parent / "shared" / "fixtures" / "rlla"
pytestmark = pytest.mark.skipif(
    not RECORDED.exists(), reason="needs ToolRL's public rows in ../shared/fixtures/rlla"
)
FORMS = (("completion_seed", "gt_seed"), ("completion_doc", "gt_doc"))
REFUSED = {"SCHEDULEREWARD", "CORRECTMAX1"}  # together they turn the reward upside down
OURS = {  # format and correctness where the forms differ and we decide otherwise than the tags' reader
    "no_parameters_key_wrong_tool": (1, -3),  # a call without JSON cannot be read, whatever its name
    "no_name": (0, -3),  # JSON on the commentary channel for nobody is badly formed
}


def recorded(mapping: str) -> list[dict]:
    with gzip.open(RECORDED / "reward_cases.jsonl.gz", "rt") as lines:
        return [row for row in map(json.loads, lines) if row["mapping"] == mapping]


def rows() -> list[dict]:
    return json.loads((RECORDED / "rlla_sft.json").read_text())


@pytest.mark.parametrize(("solution", "gold"), FORMS, ids=["role form", "channel form"])
def test_every_exact_pair_scores_the_same_under_every_switch(solution, gold, monkeypatch):
    settings = set()
    for row in recorded("exact"):
        with monkeypatch.context() as patch:
            for name in row["env"]:
                patch.setenv(name, "1")
            if set(row["env"]) >= REFUSED:
                with pytest.raises(ValueError, match="upside down"):
                    compute_score(row[solution], row[gold], row["step"])
                continue
            score = compute_score(row[solution], row[gold], row["step"])
        switches = Switches(**{PUBLISHED[name]: True for name in row["env"]}, step=row["step"])
        assert score == compute_score(row[solution], row[gold], switches=switches)
        expected = (row["score"], row["format"], row["correctness"], row["length"])
        assert tuple(score) == pytest.approx(expected, abs=1e-9), row["id"]
        settings.add((*row["env"], row["step"]))
    assert len(settings) >= 20


@pytest.mark.parametrize(("solution", "gold"), FORMS, ids=["role form", "channel form"])
def test_where_the_forms_differ_the_scores_do_only_as_decided(solution, gold):
    seen = set()
    for row in recorded("analog"):
        if row["env"]:
            continue
        score = compute_score(row[solution], row[gold], row["step"])
        expected = OURS.get(row["kind"], (row["format"], row["correctness"]))
        assert tuple(score[1:3]) == pytest.approx(expected), row["id"]
        seen.add(row["kind"])
    assert seen >= set(OURS)


def test_public_rows_are_converted_or_rejected_with_the_known_faults():
    found = list(converted_rows(rows()))
    rejects = [row for row in found if isinstance(row, Reject)]
    assert len(found) == 400 and len(rejects) == 10
    kinds = sorted(reject.kind for reject in rejects)
    assert kinds == ["duplicate tool", *["undeclared parameter"] * 8, "undeclared tool"]


@pytest.mark.slow
def test_public_rows_say_the_same_in_harmony():
    reference = pytest.importorskip("openai_harmony", reason="needs oss-harmony (requirements-dev.txt)")
    encoding = reference.load_harmony_encoding("HarmonyGptOss")
    for before, after in zip(rows(), converted_rows(rows()), strict=True):
        if isinstance(after, Reject):
            continue
        names = json.loads(after["extra_info"]["name_map"])
        thought, *rest = read_answer(Row.of(before).answer)
        ids = encoding.encode(after["reward_model"]["ground_truth"], allowed_special="all")
        read = encoding.parse_messages_from_completion_tokens(ids)
        assert read[0].channel == "analysis" and read[0].content[0].text == thought.text
        for message, wanted in zip(read[1:], rest, strict=True):
            text = message.content[0].text
            if message.recipient:
                assert message.recipient == f"functions.{names.get(wanted.name, wanted.name)}"
                assert json.loads(text) == wanted.arguments
            else:
                assert (message.channel, text) == ("final", wanted.text)
        assert ids[-1] == (200012 if read[-1].recipient else 200002)


def test_a_converted_answer_scores_full_against_itself():
    for row in converted_rows(rows()):
        if not isinstance(row, Reject):
            truth = row["reward_model"]["ground_truth"]
            assert compute_score(truth, truth)[1:3] == (1, 3 if row["extra_info"]["calls"] else 0)


def test_the_splits_columns_are_verls(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow, which comes with datasets")
    from pipeline.toolrl.files import convert_folder, read_parquet

    summary = convert_folder(RECORDED, tmp_path)
    before, after = read_parquet(RECORDED / "test.parquet"), read_parquet(tmp_path / "test.parquet")
    account = summary.accounts["test"]
    assert (account.rows, account.written, dict(account.rejects)) == (80, 79, {"undeclared tool": 1})
    assert (account.kinds["tool_call"], account.kinds["response"], account.rows_with_several_calls) == (
        70,
        9,
        35,
    )
    assert before[0].keys() == after[0].keys()
    assert summary.missing == ("train.parquet",)
    indices = [row["extra_info"]["index"] for row in after]
    assert indices == [row["extra_info"]["index"] for row in before if row["extra_info"]["index"] != 9]
    for row in after:
        assert row["data_source"] == "rlla_gpt"
        prompt = row["extra_info"]["input"]
        assert not any(tag in prompt for tag in ("<think>", "<tool_call>", "<response>", "<obs>", "<user>"))
