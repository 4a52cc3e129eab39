"""The text that harmony messages become, and which of it the model is trained on."""

import random
from dataclasses import replace

import pytest
from harmony_samples import conversation
from hypothesis import given
from hypothesis import strategies as st

from pipeline.harmony import (
    Analysis,
    Call,
    Developer,
    Final,
    Preamble,
    System,
    ToolResult,
    User,
    escape,
    render,
    segments,
    unescape,
)
from pipeline.harmony_chat import to_chat

TOOL = {
    "type": "function",
    "function": {
        "name": "cancel",
        "description": "Cancel an order.\nOnly a pending one.",
        "parameters": {
            "type": "object",
            "properties": {
                "order_id": {"type": "string", "description": "With its #."},
                "reason": {"type": "string", "enum": ["no longer needed", "ordered by mistake"]},
                "items": {"type": "array", "items": {"type": "string"}, "default": []},
            },
            "required": ["order_id", "reason"],
        },
    },
}
THINK = {
    "type": "function",
    "function": {"name": "list_all", "parameters": {"type": "object", "properties": {}}},
}
EPISODE = [
    System("low", "2024-05-15"),
    Developer("Be kind.", (TOOL, THINK)),
    User("Cancel #W1."),
    Analysis("Easy."),
    Preamble("One moment."),
    Call("cancel", {"order_id": "#W1", "reason": "no longer needed"}),
    ToolResult("cancel", '{"status": "cancelled"}'),
    Final("Done."),
    User("Thanks."),
    Analysis("Bye."),
    Final("Goodbye."),
]

TEXT = """\
<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06
Current date: 2024-05-15

Reasoning: low

# Valid channels: analysis, commentary, final. Channel must be included for every message.
Calls to these tools must go to the commentary channel: 'functions'.<|end|>\
<|start|>developer<|message|># Instructions

Be kind.

# Tools

## functions

namespace functions {

// Cancel an order.
// Only a pending one.
type cancel = (_: {
// With its #.
order_id: string,
reason: "no longer needed" | "ordered by mistake",
items?: string[], // default: []
}) => any;

type list_all = () => any;

} // namespace functions<|end|>\
<|start|>user<|message|>Cancel #W1.<|end|>\
<|start|>assistant<|channel|>analysis<|message|>Easy.<|end|>\
<|start|>assistant<|channel|>commentary<|message|>One moment.<|end|>\
<|start|>assistant to=functions.cancel<|channel|>commentary json<|message|>\
{"order_id": "#W1", "reason": "no longer needed"}<|call|>\
<|start|>functions.cancel to=assistant<|channel|>commentary<|message|>{"status": "cancelled"}<|end|>\
<|start|>assistant<|channel|>final<|message|>Done.<|return|>\
<|start|>user<|message|>Thanks.<|end|>\
<|start|>assistant<|channel|>analysis<|message|>Bye.<|end|>\
<|start|>assistant<|channel|>final<|message|>Goodbye.<|return|>"""


def test_an_episode_reads_as_gpt_oss_expects_it():
    assert render(EPISODE) == TEXT


def test_trained_is_what_the_model_writes_from_its_turn_to_its_stop():
    trained = "".join(piece.text if piece.trained else "|NOT|" for piece in segments(EPISODE))
    assert [run for run in trained.split("|NOT|") if run] == [
        "<|channel|>analysis<|message|>Easy.<|end|>"
        "<|start|>assistant<|channel|>commentary<|message|>One moment.<|end|>"
        "<|start|>assistant to=functions.cancel<|channel|>commentary json<|message|>"
        '{"order_id": "#W1", "reason": "no longer needed"}<|call|>',
        "<|channel|>final<|message|>Done.<|return|>",
        "<|channel|>analysis<|message|>Bye.<|end|><|start|>assistant<|channel|>final<|message|>Goodbye.<|return|>",
    ]


def test_the_native_form_names_the_tool_in_the_channel():
    native = render([Call("cancel", {"order_id": "#W1"})], call_form="channel")
    header = "<|start|>assistant<|channel|>commentary to=functions.cancel <|constrain|>json<|message|>"
    assert native == header + '{"order_id": "#W1"}<|call|>'


def test_past_finals_can_be_shown_as_servers_show_them_and_are_then_not_taught_to_go_on():
    shown = render(EPISODE, past_finals="<|end|>")
    assert "Done.<|end|>" in shown and shown.endswith("Goodbye.<|return|>")
    assert render(EPISODE, past_finals="<|end|>", generation_prompt=True).endswith(
        "Goodbye.<|end|><|start|>assistant"
    )
    taught = "".join(piece.text for piece in segments(EPISODE, past_finals="<|end|>") if piece.trained)
    assert "Done.<|end|>" not in taught and "Done." in taught


def test_without_tools_nothing_speaks_of_functions():
    assert "functions" not in render([System(), Developer("Be kind."), User("Hi")])


@pytest.mark.parametrize("seed", range(40))
def test_random_conversations_hold_the_promises(seed):
    messages = conversation(random.Random(seed))
    pieces = segments(messages)
    assert "".join(piece.text for piece in pieces) == render(messages)
    for before, piece in zip([None, *pieces], pieces, strict=False):
        if piece.kind == "start":
            continued = before.kind in ("analysis", "preamble")
            assert piece.trained == continued, "the model opens only a message that follows its own <|end|>"
        else:
            written = piece.kind in ("analysis", "preamble", "call", "final")
            assert piece.trained == written
        assert (
            piece.text.count("<|end|>") + piece.text.count("<|call|>") + piece.text.count("<|return|>") <= 1
        )
    assert render(messages, generation_prompt=True) == render(messages) + "<|start|>assistant"


@given(st.text(alphabet="<|¦>ca", max_size=30) | st.text())
def test_escape_leaves_no_special_and_gives_everything_back(text):
    assert "<|" not in escape(text)
    assert unescape(escape(text)) == text


def test_escaped_arguments_stay_json():
    assert render([Call("cancel", {"order_id": "<|call|>"})]).endswith('{"order_id": "<¦|call|>"}<|call|>')


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: System(effort="maximal"),
        lambda: System(date="today"),
        lambda: render([Call("two words", {})]),
        lambda: render([ToolResult("x<|end|>", "")]),
        lambda: render([User("Hi")], call_form="xml"),
        lambda: render([Call("cancel", {"amount": float("nan")})]),
        lambda: to_chat([System(), Preamble("One moment.")]),
        lambda: to_chat([System(), Analysis("")]),
    ],
)
def test_what_cannot_be_written_is_refused(wrong):
    with pytest.raises(ValueError):
        wrong()


def test_the_date_is_the_one_given_whatever_the_day():
    assert "Current date: 2031-01-02\n" in render([replace(EPISODE[0], date="2031-01-02")])
