"""A ToolRL row in gpt-oss's harmony format: the prompt's messages, the right answer, the map of tool names.

    converted = convert(Row.of(row), Options())
    converted.prompt            # <|start|>system…<|start|>developer…# Tools…<|start|>user…<|start|>assistant
    converted.ground_truth      # <|start|>assistant<|channel|>analysis…<|end|><|start|>assistant to=…<|call|>
    converted.chat              # the same prompt as chat messages for `pipeline.harmony_chat.chat_template()`
    converted.names             # {"Get Order": "Get_Order"}: declared name -> name in tool list and answer

Decisions:

* Names and types of the tools are made fit for a header and a declaration (pipeline/toolrl/tools.py), in the
  tool list, the dialogue and the answer alike.
* The tools stand in the developer message, after instructions that ask for channels instead of tags.
* An answer that calls a tool or passes a parameter nobody declared is refused: no reward should ask for it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from pipeline.harmony import Call, Developer, Message, System, ToolResult, User, render
from pipeline.harmony_chat import to_chat
from pipeline.harmony_tools import declare_tools
from pipeline.toolrl.rows import (
    Instruction,
    Row,
    Tool,
    Unconvertible,
    read_answer,
    read_history,
    read_instruction,
)
from pipeline.toolrl.tools import safe_names, schema
from pipeline.toolrl.types import unknown_words

Several = Literal["keep", "drop", "first"]
LongPrompts = Literal["raise", "drop", "truncate"]
SEVERAL: tuple[Several, ...] = ("keep", "drop", "first")
LONG_PROMPTS: tuple[LongPrompts, ...] = ("raise", "drop", "truncate")
RAISED = 4096  # tokens; the longest prompt of the public data has fewer

RULES = """In each turn:
1. Think on the analysis channel: recall the relevant context and work out what the user wants now.
2. If a tool is needed, call it on the commentary channel, its parameters as one JSON object.
3. If a reply is needed, write it on the final channel, consistent with the conversation so far.

Always think first, then call or reply. Call only the functions declared below."""
HOW_MANY = {
    "keep": "If several calls are needed, make them one after the other.",
    "drop": "Make one call in a turn.",
    "first": "Make one call in a turn; if several are needed, make the first.",
}
CALLS_GO_TO = "Calls to these tools must go to the commentary channel: 'functions'."


@dataclass(frozen=True)
class Options:
    """What is done where a row leaves a choice."""

    several: Several = "keep"  # calls in a row: keep (for the reward), drop (for RL), or the first only
    long_prompts: LongPrompts = "raise"  # raise the limit to 4096, drop, or truncate the history
    limit: int = 2048  # tokens of a prompt; for drop and truncate
    effort: str = "medium"  # of reasoning, in the system message

    def __post_init__(self) -> None:
        for name, allowed in (("several", SEVERAL), ("long_prompts", LONG_PROMPTS)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} {getattr(self, name)!r} is unknown; use one of {', '.join(allowed)}"
                )

    @property
    def longest(self) -> int:
        """The most tokens a prompt may have."""
        return RAISED if self.long_prompts == "raise" else self.limit


DEFAULT = Options()


@dataclass(frozen=True)
class Converted:
    """One row in harmony."""

    conversation: tuple[Message, ...]  # system, developer, then the dialogue so far
    answer: tuple[Message, ...]
    names: Mapping[str, str]  # only of names that had to be changed
    unknown_types: tuple[str, ...] = ()
    truncated: bool = False

    @cached_property
    def prompt(self) -> str:
        """The prompt as text, up to where the model writes."""
        return render(self.conversation, generation_prompt=True)

    @cached_property
    def ground_truth(self) -> str:
        """The right answer as text."""
        return render(self.answer)

    @property
    def chat(self) -> list[dict[str, Any]]:
        """The prompt as chat messages; arguments are JSON text, which is what a parquet column can hold."""
        messages = to_chat(self.conversation)["messages"]
        return [{"content": "", **message, **_calls_as_text(message)} for message in messages]

    @property
    def instructions(self) -> str:
        """The developer message."""
        return self.conversation[1].instructions

    @property
    def calls(self) -> int:
        """How many calls the right answer makes."""
        return sum(isinstance(message, Call) for message in self.answer)

    @property
    def kind(self) -> str:
        """What the right answer is: "tool_call", "response" or "both"."""
        if not self.calls:
            return "response"
        return "tool_call" if isinstance(self.answer[-1], Call) else "both"


def _calls_as_text(message: Mapping[str, Any]) -> dict[str, Any]:
    if "tool_calls" not in message:
        return {}
    calls = [call["function"] for call in message["tool_calls"]]
    texts = [{**call, "arguments": json.dumps(call["arguments"], ensure_ascii=False)} for call in calls]
    return {"tool_calls": [{"type": "function", "function": text} for text in texts]}


def convert(row: Row, options: Options = DEFAULT) -> Converted:
    """A row in harmony, or `Unconvertible`."""
    instruction = read_instruction(row.instruction)
    history, answer = read_history(row.history), read_answer(row.answer)
    _check_declared(answer, instruction.tools)
    answer = _as_many_calls(answer, options.several)
    called = [message.name for message in history if isinstance(message, Call)]
    names = safe_names([*(tool.name for tool in instruction.tools), *called])
    developer = Developer(_instructions(instruction, names, options))
    conversation = [System(options.effort), developer, *_renamed(history, names)]
    types = [spec.get("type") for tool in instruction.tools for spec in tool.parameters.values()]
    return Converted(
        tuple(conversation),
        tuple(_renamed(answer, names)),
        {name: safe for name, safe in names.items() if name != safe},
        tuple(word for declared in types for word in unknown_words(declared)),
    )


def _check_declared(answer: Iterable[Message], tools: Iterable[Tool]) -> None:
    declared = {tool.name: tool.parameters for tool in tools}
    for call in answer:
        if not isinstance(call, Call):
            continue
        if call.name not in declared:
            raise Unconvertible(
                "undeclared tool", f"the answer calls {call.name!r:.100}, which is not declared"
            )
        for name in call.arguments:
            if name not in declared[call.name]:
                raise Unconvertible(
                    "undeclared parameter", f"{call.name!r:.100} has no parameter {name!r:.100}"
                )


def _as_many_calls(answer: list[Message], several: Several) -> list[Message]:
    calls = [message for message in answer if isinstance(message, Call)]
    if len(calls) < 2 or several == "keep":
        return answer
    if several == "drop":
        raise Unconvertible("several calls", f"{len(calls)} calls; rows with several are dropped as asked")
    return [message for message in answer if not isinstance(message, Call) or message is calls[0]]


def _renamed(messages: Iterable[Message], names: Mapping[str, str]) -> list[Message]:
    return [
        replace(message, name=names[message.name]) if isinstance(message, Call | ToolResult) else message
        for message in messages
    ]


def _instructions(instruction: Instruction, names: Mapping[str, str], options: Options) -> str:
    parts = [instruction.opening, f"{RULES} {HOW_MANY[options.several]}", *instruction.sections]
    if instruction.tools:
        parts += [CALLS_GO_TO, declare_tools([schema(tool, names[tool.name]) for tool in instruction.tools])]
    return "\n\n".join(part for part in parts if part)


def fit(converted: Converted, options: Options, count: Callable[[str], int]) -> tuple[Converted, int]:
    """The row, shortened as the options say if its prompt is too long, and its prompt's tokens.

    Args:
        converted: The row.
        options: What to do with long prompts.
        count: How many tokens a text has.
    """
    tokens = count(converted.prompt)
    if tokens <= options.longest:
        return converted, tokens
    if options.long_prompts == "truncate":
        for start in _places_to_begin(converted.conversation):
            conversation = (*converted.conversation[:2], *converted.conversation[start:])
            shorter = replace(converted, conversation=conversation, truncated=True)
            if (left := count(shorter.prompt)) <= options.longest:
                return shorter, left
    raise Unconvertible("too long", f"prompt of {tokens} tokens, at most {options.longest}")


def _places_to_begin(conversation: Sequence[Message]) -> list[int]:
    """Where a shorter history can begin: at the user's words, the first ones left out."""
    return [place for place, message in enumerate(conversation) if isinstance(message, User)][1:]
