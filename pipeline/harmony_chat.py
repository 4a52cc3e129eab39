"""harmony for transformers and TRL: the chat template, what it takes, and how TRL reads calls.

    tokenizer.chat_template = chat_template()
    tokenizer.response_template = RESPONSE_TEMPLATE
    tokenizer.apply_chat_template(to_chat(conversation)["messages"], …)

The template (pipeline/harmony.jinja) writes the same text as `pipeline.harmony.render`; the tests hold the
two together.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.harmony import (
    DATE,
    Analysis,
    Call,
    Developer,
    Final,
    Message,
    Preamble,
    System,
    ToolResult,
    User,
    check_date,
)


@cache
def chat_template(date: str = DATE) -> str:
    """The same rendering as a Jinja template for a tokenizer, with the date written into it.

    It takes `messages` as OpenAI dictionaries (an assistant's thoughts are "thinking"), `tools`,
    `add_generation_prompt`, and as options `reasoning_effort`, `call_form` and `past_finals`.
    """
    check_date(date)
    template = (Path(__file__).parent / "harmony.jinja").read_text(encoding="utf-8")
    return template.replace(DATE, date)


def to_chat(conversation: Sequence[Message]) -> dict[str, Any]:
    """The variables of the chat template: "messages" as OpenAI dictionaries, "tools", "reasoning_effort"."""
    chat: dict[str, Any] = {"messages": [], "tools": None}
    messages = chat["messages"]
    for message in conversation:
        match message:
            case System(effort, _):
                chat["reasoning_effort"] = effort
            case Developer(instructions, tools):
                messages.append({"role": "developer", "content": instructions})
                chat["tools"] = list(tools) or None
            case User(text):
                messages.append({"role": "user", "content": text})
            case ToolResult(name, text):
                messages.append({"role": "tool", "name": name, "content": text})
            case _:
                _say(messages, message)
    if any(message.get("tool_calls") == [] for message in messages):
        raise ValueError("a preamble without its call has no chat form; use render")
    return chat


def _say(messages: list[dict[str, Any]], message: Message) -> None:
    """Append what the assistant says, as one dictionary with the thoughts or preamble right before it."""
    before = messages[-1] if messages else {}
    thought = before.keys() == {"role", "thinking"}
    match message:
        case Analysis("") | Preamble(""):
            raise ValueError("empty thoughts and preambles have no chat form; leave them out or use render")
        case Analysis(text):
            messages.append({"role": "assistant", "thinking": text})
            return
        case Preamble(text):
            said: dict[str, Any] = {"content": text, "tool_calls": []}
        case Call(name, arguments):
            thought = thought or before.get("tool_calls") == []
            function = {"name": name, "arguments": arguments}
            said = {"tool_calls": [{"type": "function", "function": function}]}
        case Final(text):
            said = {"content": text}
            thought = thought and text != ""
    messages.append({**(messages.pop() if thought else {"role": "assistant"}), **said})


# How TRL's own tool loop reads a completion (`tokenizer.response_template = RESPONSE_TEMPLATE`): its stock
# pattern knows the role form only and drops every call in the form the untrained model writes. A call on the
# analysis channel is read, and so executed, too: the strict parser counts it as a fault of format, and losing
# it here would make the two disagree about what happened. Broken JSON is left to end the episode.
RESPONSE_TEMPLATE: dict[str, Any] = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|start|>assistant",
    "fields": {
        "thinking": {
            "open": "<|channel|>analysis<|message|>",
            "close": ["<|end|>", "<|return|>", "<|call|>"],
            "content": "text",
            "content_args": {"strip": False},
        },
        "content": {
            "open": ["<|channel|>final<|message|>", "<|channel|>commentary<|message|>"],
            "close": ["<|return|>", "<|end|>", "<|call|>"],
            "content": "text",
            "content_args": {"strip": False},
        },
        "tool_calls": {
            "open_pattern": r"(?:<\|channel\|>(?:commentary|analysis))?"
            r" to=functions\.(?P<name>[A-Za-z0-9_-]{1,64})"
            r"(?:<\|channel\|>(?:commentary|analysis))?(?: json| ?<\|constrain\|>json)?<\|message\|>",
            "close": ["<|call|>", "<|end|>", "<|return|>"],
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
    },
}
