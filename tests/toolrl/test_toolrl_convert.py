"""One ToolRL row in harmony: the prompt, the answer, what cannot be converted, what is too long."""

import json
from dataclasses import replace

import pytest

from pipeline.harmony import Analysis, Call, Final, ToolResult, User
from pipeline.toolrl.account import Account
from pipeline.toolrl.convert import Options, convert, fit
from pipeline.toolrl.files import Reject, converted_rows
from pipeline.toolrl.rows import Row, Unconvertible, read_answer, read_history

TAGS = ("<think>", "</think>", "<tool_call>", "<response>", "<obs>", "<user>")
SYSTEM = """Be helpful.

**Available Tools**
In your response, you can use the following tools:
1. Name: Get Order
Description: Finds an order.
Parameters: {"id": {"description": "Its id.", "type": "str", "default": ""}}
2. Name: get_time
Description: Tells the time.
Parameters: {}

**Steps for Each Turn**
1. **Think:** Think.

**Output Format**
<think> </think> <tool_call>

**House Rules**
Be brief.

**Important Notes**
1. Use `<think>`."""
USER = "**Dialogue Records History**\n<user> Where is it? </user>"
ANSWER = (
    '<think> I look. </think>\n<tool_call>\n{"name": "Get Order", "parameters": {"id": "7"}}\n</tool_call>'
)
ROW = Row(SYSTEM, USER, ANSWER)
SEVERAL = replace(ROW, answer=ANSWER.replace("\n</tool", '\n{"name": "get_time", "parameters": {}}\n</tool'))


def test_a_row_in_full():
    converted = convert(ROW)
    assert converted.ground_truth == (
        "<|start|>assistant<|channel|>analysis<|message|>I look.<|end|>"
        '<|start|>assistant to=functions.Get_Order<|channel|>commentary json<|message|>{"id": "7"}<|call|>'
    )
    assert converted.prompt.endswith("<|start|>user<|message|>Where is it?<|end|><|start|>assistant")
    assert "type Get_Order = (_: {\n// Its id.\nid: string,\n}) => any;" in converted.prompt
    assert "type get_time = () => any;" in converted.prompt
    assert "Be helpful." in converted.prompt and "**House Rules**\nBe brief." in converted.prompt
    assert not any(tag in converted.prompt for tag in (*TAGS, "Output Format", "Important Notes"))
    assert (converted.names, converted.kind, converted.calls) == ({"Get Order": "Get_Order"}, "tool_call", 1)


def test_a_reply_ends_with_return():
    reply = "<think> I know. </think>\n<response> It is here. </response>"
    converted = convert(replace(ROW, answer=reply))
    assert converted.ground_truth.endswith(
        "<|start|>assistant<|channel|>final<|message|>It is here.<|return|>"
    )
    both = convert(replace(ROW, answer=f"{ANSWER}\n<response> It is here. </response>"))
    assert (converted.kind, both.kind, both.calls) == ("response", "both", 1)


def test_several_calls_are_kept_dropped_or_cut_to_the_first():
    kept, first = convert(SEVERAL), convert(SEVERAL, Options(several="first"))
    assert (kept.calls, first.calls) == (2, 1)
    assert first.ground_truth == convert(ROW).ground_truth
    with pytest.raises(Unconvertible) as dropped:
        convert(SEVERAL, Options(several="drop"))
    assert dropped.value.kind == "several calls"
    assert convert(ROW, Options(several="drop")).calls == 1
    assert "one after the other" in kept.prompt and "one after the other" not in first.prompt


HISTORY = """**Dialogue Records History**
<user> Where is it? </user>

<think> I use the <tool_call> tag. </think>
<tool_call>
{"name": "Get Order", "parameters": {"id": "7"}}
{"name": "get_time", "parameters": {}}
</tool_call>
<obs> [{"name": "Get Order", "results": {"at": "ü"}}, {"name": "get_time", "results": 12}] </obs>

<think> I know. </think>
<response> It is <b>here</b>. </response>

<user> And the other? </user>"""


def test_the_dialogue_becomes_messages_each_call_with_its_own_answer():
    assert read_history(HISTORY) == [
        User("Where is it?"),
        Analysis("I use the <tool_call> tag."),
        Call("Get Order", {"id": "7"}),
        ToolResult("Get Order", '{"at": "ü"}'),
        Call("get_time", {}),
        ToolResult("get_time", "12"),
        Analysis("I know."),
        Final("It is <b>here</b>."),
        User("And the other?"),
    ]
    prompt = convert(replace(ROW, history=HISTORY)).prompt
    assert "<|start|>functions.Get_Order to=assistant<|channel|>commentary<|message|>" in prompt
    assert "Get Order" not in prompt


def test_answers_of_tools_that_cannot_be_told_apart_follow_the_calls():
    for answer in ("no JSON", '[{"name": "get_time", "results": 12}]', "{}"):
        start = HISTORY.index("<obs> ") + 6
        history = f"{HISTORY[:start]}{answer}{HISTORY[HISTORY.index(' </obs>') :]}"
        calls = [message for message in read_history(history) if isinstance(message, Call | ToolResult)]
        assert calls[2:] == [ToolResult("get_time", answer)]


@pytest.mark.parametrize(
    "history",
    [
        "Where is it?",
        "**Dialogue Records History**\nWhere is it?",
    ],
)
def test_a_dialogue_without_tags_is_what_the_user_says(history):
    assert read_history(history) == [User("Where is it?")]


@pytest.mark.parametrize(
    ("field", "old", "new", "kind"),
    [
        ("answer", '"Get Order"', '"get order"', "undeclared tool"),
        ("answer", '"id"', '"order"', "undeclared parameter"),
        ("answer", '{"id": "7"}', "[]", "call"),
        ("answer", '"parameters"', '"arguments"', "call"),
        ("answer", '{"id": "7"}', '{"id": "7", "id": "8"}', "call"),
        ("answer", '"7"', "NaN", "call"),
        ("answer", "</think>", "", "answer"),
        ("answer", "<tool_call>", "Well: <tool_call>", "answer"),
        ("answer", "</tool_call>", "", "answer"),
        ("history", "</user>", "", "history"),
        ("history", "</user>", "</user>\n<response> There. </response>", "history"),
        ("history", "<user>", "Well: <user>", "history"),
        ("history", "</user>", "</user>\n<obs> {} </obs>", "history"),
        ("instruction", "**Available Tools**", "Tools", "instruction"),
        ("instruction", "2. Name", "3. Name", "instruction"),
        ("instruction", '{"id": {', '{"id": [', "instruction"),
        ("instruction", '{"description": "Its id.", "type": "str", "default": ""}', '"str"', "instruction"),
        ("instruction", "get_time", "Get Order", "duplicate tool"),
    ],
)
def test_what_cannot_be_converted_says_why(field, old, new, kind):
    text = getattr(ROW, field)
    assert old in text
    with pytest.raises(Unconvertible) as problem:
        convert(replace(ROW, **{field: text.replace(old, new)}))
    assert problem.value.kind == kind and problem.value.reason


@pytest.mark.parametrize(
    "row", [{}, {"prompt": []}, {"prompt": None}, {"instruction": 1, "input": "", "output": ""}]
)
def test_a_row_of_another_shape_is_rejected(row):
    account = Account()
    (reject,) = converted_rows([row], account=account)
    assert isinstance(reject, Reject) and reject.kind == "row" and account.rejects == {"row": 1}


def test_the_calls_of_an_answer_are_looked_for_after_its_thoughts():
    thought = "I write <think>, then <tool_call>\n{}\n</tool_call> and </response>"
    answer = read_answer(ANSWER.replace("I look.", thought))
    assert answer == [Analysis(thought), Call("Get Order", {"id": "7"})]
    thought = "I close with </think> and go on."
    assert read_answer(ANSWER.replace("I look.", thought))[0] == Analysis(thought)


def test_what_else_a_row_carries_stays_with_it():
    extra = {"index": 41, "split": "test", "mine": "x", "output": ANSWER}
    rows = [{"instruction": SYSTEM, "input": USER, "output": ANSWER, "extra_info": extra, "ability": "math"}]
    (row,) = converted_rows(rows)
    kept = row["extra_info"]
    assert (kept["index"], kept["split"], kept["mine"], row["ability"]) == (41, "test", "x", "math")
    assert kept["output"] == row["reward_model"]["ground_truth"] == convert(ROW).ground_truth
    assert json.loads(kept["name_map"]) == {"Get Order": "Get_Order"}


def test_the_declared_words_nobody_knows_are_counted():
    account = Account()
    row = {"instruction": SYSTEM.replace('"str"', '"Weather"'), "input": USER, "output": ANSWER}
    assert len(list(converted_rows([row], account=account))) == 1
    assert account.unknown_types == {"Weather": 1}


# Long prompts


def test_long_prompts_lose_history_but_never_the_instruction():
    row = convert(replace(ROW, history=HISTORY))
    whole = len(row.prompt)
    assert fit(row, Options(long_prompts="truncate", limit=whole), len) == (row, whole)
    shorter, tokens = fit(row, Options(long_prompts="truncate", limit=whole - 1), len)
    assert shorter.truncated and tokens == len(shorter.prompt) < whole
    assert shorter.conversation[:2] == row.conversation[:2]
    assert shorter.conversation[2:] == (User("And the other?"),)
    for options in (
        Options(long_prompts="drop", limit=whole - 1),
        Options(long_prompts="truncate", limit=100),
    ):
        with pytest.raises(Unconvertible) as problem:
            fit(row, options, len)
        assert problem.value.kind == "too long"
    assert fit(row, Options(limit=1), lambda text: 4096)[1] == 4096  # raised to 4096
    with pytest.raises(Unconvertible):
        fit(row, Options(), lambda text: 4097)


@pytest.mark.parametrize("options", [{"several": "some"}, {"long_prompts": "cut"}])
def test_unknown_options_are_named(options):
    with pytest.raises(ValueError, match="use one of"):
        Options(**options)
