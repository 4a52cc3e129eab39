"""Many made-up ToolRL rows: each is converted or rejected, none is lost, and harmony's parser reads them."""

import json
import random
from collections import Counter

import pytest
from rlla_samples import FAULTS, samples

from pipeline.harmony import Call, Final, unescape
from pipeline.harmony_chat import chat_template
from pipeline.harmony_parse import parse_transcript
from pipeline.toolrl import compute_score
from pipeline.toolrl.account import Account
from pipeline.toolrl.files import Reject, converted_rows


def check_every_row(count: int, seed: int) -> None:
    rows, account = samples(count, seed), Account()
    found = list(converted_rows([sample.row for sample in rows], account=account))
    assert len(found) == account.rows == count == account.written + sum(account.rejects.values())
    assert sum(account.kinds.values()) == account.written
    expected: Counter[str] = Counter()
    for sample, row in zip(rows, found, strict=True):
        if sample.fault:
            assert isinstance(row, Reject), sample.fault
            assert row.kind == FAULTS[sample.fault] and row.index == sample.row["extra_info"]["index"]
            expected[row.kind] += 1
        else:
            check_row(sample, row)
    assert account.rejects == expected
    assert account.calls == sum(len(sample.calls) for sample in rows if not sample.fault)


def check_row(sample, row) -> None:
    """The answer says what the sample says, in a form that is read strictly."""
    assert not isinstance(row, Reject), row.reason
    names, truth = json.loads(row["extra_info"]["name_map"]), row["reward_model"]["ground_truth"]
    turns = parse_transcript(
        truth.removeprefix("<|start|>assistant"), {names.get(n, n) for n, _ in sample.calls}
    )
    said = [message for turn in turns for message in turn.messages]
    wanted = [Call(names.get(name, name), values) for name, values in sample.calls]
    assert [message for message in said if isinstance(message, Call)] == wanted
    assert [message.text for message in said if isinstance(message, Final)] == [sample.reply] * (
        sample.reply is not None
    )
    assert compute_score(truth, truth)[1:3] == (1, 3 if wanted else 0)
    prompt = row["extra_info"]["input"]
    assert prompt.startswith("<|start|>system") and prompt.endswith("<|end|><|start|>assistant")
    assert all(f"type {names.get(name, name)} = " in prompt for name, _ in sample.calls)
    assert "<tool_call>" not in prompt and "</think>" not in prompt


@pytest.mark.parametrize("seed", range(3))
def test_made_up_rows_are_converted_or_rejected_and_none_is_lost(seed):
    check_every_row(150, seed)


@pytest.mark.slow
def test_four_thousand_made_up_rows():
    check_every_row(4000, 10)


def test_the_reference_reads_prompts_and_answers_of_made_up_rows():
    reference = pytest.importorskip("openai_harmony", reason="needs oss-harmony (requirements-dev.txt)")
    encoding = reference.load_harmony_encoding("HarmonyGptOss")
    for sample in samples(40, 7, faults=0):
        (row,) = converted_rows([sample.row])
        truth = row["reward_model"]["ground_truth"]
        whole = row["extra_info"]["input"] + truth.removeprefix("<|start|>assistant")
        ids = encoding.encode(whole, allowed_special="all")
        read = encoding.parse_messages_from_completion_tokens(ids)
        roles = [message.author.role.value for message in read]
        assert roles[:3] == ["system", "developer", "user"]
        answer = read[-1 - len(sample.calls) - (sample.reply is not None) :]
        assert answer[0].channel == "analysis"
        calls = [json.loads(unescape(message.content[0].text)) for message in answer if message.recipient]
        assert calls == [values for _, values in sample.calls]


def test_chat_messages_give_the_same_prompt_through_the_chat_template():
    jinja2 = pytest.importorskip("jinja2")
    source = chat_template().replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    template = environment.from_string(source)
    for sample in samples(60, 3, faults=0):
        (row,) = converted_rows([sample.row])
        blank = {"thinking": None, "name": None, "tool_calls": None}  # as a parquet column gives them back
        messages = [{**blank, **message} for message in row["prompt"]]
        assert template.render(messages=messages, add_generation_prompt=True) == row["extra_info"]["input"]
        assert messages[0]["role"] == "developer"


def test_a_shuffled_key_order_of_a_row_changes_nothing():
    (sample,) = samples(1, 1, faults=0)
    items = list(sample.row.items())
    random.Random(0).shuffle(items)
    assert next(converted_rows([dict(items)])) == next(converted_rows([sample.row]))
