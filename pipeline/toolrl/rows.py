"""ToolRL's `rlla` rows as they come: the system prompt's tools, the dialogue so far, the right answer.

    tools = read_instruction(row.instruction).tools
    messages = read_history(row.history)         # User, Analysis, Call, ToolResult, Final; names as written
    answer = read_answer(row.answer)             # Analysis, Call, …, Final

All three are text with tags (`<think>`, `<tool_call>`, `<response>`, `<user>`, `<obs>`). What cannot be read
is `Unconvertible`, with a kind to count and a reason to read; nothing is guessed. Tags may be spoken of in
thoughts, so an answer's calls are looked for after the last `</think>`, and a tag of the dialogue ends where
its closing tag is followed by another tag or the end.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envs.retail.files import json_line
from pipeline.harmony import Analysis, Call, Final, Message, ToolResult, User
from pipeline.strict import Refused, read_object

_TOOLS = "**Available Tools**"
_REPLACED = ("Steps for Each Turn", "Output Format", "Important Notes")  # they ask for the tags
_SECTION = re.compile(r"\n\n(?=\*\*[^*\n]+\*\*\n)")
_AFTER_TOOLS = re.compile(rf"\n\n(?=\*\*(?:{'|'.join(_REPLACED)})\*\*\n)")
_BLOCK = re.compile(r"(\d+)\. Name: ([^\n]*)\nDescription: ?(.*?)\nParameters: (\{.*\})\s*", re.DOTALL)
_HISTORY = "**Dialogue Records History**"
_TAGS = "user|think|tool_call|response|obs"
_TAG = re.compile(rf"\s*<({_TAGS})>(.*?)</\1>(?=\s*(?:<(?:{_TAGS})>|\Z))", re.DOTALL)
_ANSWER = re.compile(
    r"\s*(?:<tool_call>\n(?P<calls>.*?)\n</tool_call>)?\s*(?:<response>(?P<response>.*)</response>)?\s*",
    re.DOTALL,
)


class Unconvertible(ValueError):
    """Why a row cannot be converted: a kind to count, a reason to read."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


@dataclass(frozen=True)
class Tool:
    """A tool as declared: the types are still ToolRL's words."""

    name: str
    description: str
    parameters: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Instruction:
    """What a system prompt says besides how to write tags."""

    opening: str
    tools: tuple[Tool, ...]
    sections: tuple[str, ...] = ()  # of other headings than the known ones


@dataclass(frozen=True)
class Row:
    """The three texts of a row."""

    instruction: str
    history: str
    answer: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Row":
        """The texts of a parquet row (prompt, reward_model) or a JSON row (instruction, input, output)."""
        try:
            if "prompt" in row:
                system, user = row["prompt"]
                texts = system["content"], user["content"], row["reward_model"]["ground_truth"]
            else:
                texts = row["instruction"], row["input"], row["output"]
        except (KeyError, TypeError, ValueError) as error:
            raise Unconvertible("row", f"no prompt of two messages and a ground truth: {error!r}") from None
        if not all(isinstance(text, str) for text in texts):
            raise Unconvertible("row", "prompt and ground truth must be text")
        return cls(*texts)


def read_instruction(text: str) -> Instruction:
    """A system prompt's opening words, its tools, and what else it says."""
    opening, found, rest = text.partition(_TOOLS)
    if not found:
        raise Unconvertible("instruction", f"no {_TOOLS} in the system prompt")
    declared, *tail = _AFTER_TOOLS.split(rest, maxsplit=1)
    sections = [part for part in _SECTION.split("".join(tail)) if part.strip()]
    kept = [
        part.strip() for part in sections if not part.startswith(tuple(f"**{one}**" for one in _REPLACED))
    ]
    return Instruction(opening.strip(), _read_tools(declared), tuple(kept))


def _read_tools(text: str) -> tuple[Tool, ...]:
    blocks = re.split(r"\n(?=\d+\. Name: )", text)[1:]
    tools = tuple(_read_tool(number, block) for number, block in enumerate(blocks, 1))
    names = [tool.name for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise Unconvertible("duplicate tool", f"tool {name!r} is declared {names.count(name)} times")
    return tools


def _read_tool(number: int, block: str) -> Tool:
    found = _BLOCK.fullmatch(block)
    if not found or int(found[1]) != number:
        raise Unconvertible(
            "instruction", f"tool {number} is not Name, Description, Parameters: {block[:80]!r}"
        )
    try:
        parameters = read_object(found[4])
    except Refused as refusal:
        raise Unconvertible("instruction", f"parameters of {found[2]!r}: {refusal.reason}") from None
    if not all(isinstance(one, dict) for one in parameters.values()):
        raise Unconvertible("instruction", f"parameters of {found[2]!r} must each be an object")
    return Tool(found[2], found[3].strip(), parameters)


def read_history(text: str) -> list[Message]:
    """The dialogue so far as harmony messages, the tools' names as they are written."""
    text = text.removeprefix(_HISTORY).strip()
    if not text.startswith("<user>"):
        if re.search(rf"</?(?:{_TAGS})>", text):
            raise Unconvertible("history", f"the dialogue does not begin with <user>: {text[:80]!r}")
        return [User(text)]
    messages: list[Message] = []
    place = 0
    while found := _TAG.match(text, place):
        messages += _messages(found[1], found[2], messages)
        place = found.end()
    if text[place:].strip():
        raise Unconvertible("history", f"not a dialogue from here on: {text[place : place + 80]!r}")
    if not isinstance(messages[-1], User | ToolResult):
        raise Unconvertible("history", "the dialogue ends with the assistant: nothing is asked")
    return messages


def _messages(tag: str, body: str, before: list[Message]) -> list[Message]:
    match tag:
        case "user":
            return [User(body.strip())]
        case "think":
            return [Analysis(body.strip())] if body.strip() else []
        case "response":
            return [Final(body.strip())]
        case "tool_call":
            return list(_read_calls(body, "history"))
    calls = _unanswered(before)
    if not calls:
        raise Unconvertible("history", f"an answer of a tool with no call before it: {body[:80]!r}")
    del before[-len(calls) :]
    return _answered(calls, body.strip())


def _unanswered(messages: list[Message]) -> list[Call]:
    calls: list[Call] = []
    for message in reversed(messages):
        if not isinstance(message, Call):
            break
        calls.insert(0, message)
    return calls


def _answered(calls: list[Call], answer: str) -> list[Message]:
    """Each call with its own result behind it; where results cannot be told apart, all of them at the end."""
    try:
        results = json.loads(answer)
    except (ValueError, RecursionError):
        results = None
    if not isinstance(results, list) or len(results) != len(calls):
        return [*calls, ToolResult(calls[-1].name, answer)]
    paired: list[Message] = []
    for call, result in zip(calls, results, strict=True):
        only = isinstance(result, dict) and result.keys() == {"name", "results"}
        told = json_line(result["results"] if only else result)
        paired += [call, ToolResult(call.name, told.rstrip("\n"))]
    return paired


def read_answer(text: str) -> list[Message]:
    """The right answer: thoughts, then calls, a final message, or both."""
    thought, found, tail = text.strip().rpartition("</think>")
    if not found or not thought.startswith("<think>"):
        raise Unconvertible("answer", f"the answer has no <think>…</think>: {text[:80]!r}")
    parts = _ANSWER.fullmatch(tail)
    if not parts:
        raise Unconvertible("answer", f"not <tool_call> or <response> after the thoughts: {tail[:80]!r}")
    calls = _read_calls(parts["calls"], "call") if parts["calls"] is not None else []
    said = [Final(parts["response"].strip())] if parts["response"] is not None else []
    if not calls and not said:
        raise Unconvertible("answer", "the answer has neither <tool_call> nor <response>")
    return [Analysis(thought.removeprefix("<think>").strip()), *calls, *said]


def _read_calls(block: str, kind: str) -> list[Call]:
    calls = []
    for line in block.strip("\n").split("\n"):
        try:
            call = read_object(line)
        except Refused as refusal:
            raise Unconvertible(kind, f"{refusal.reason} in {line[:80]!r}") from None
        name, parameters = call.get("name"), call.get("parameters")
        if (
            call.keys() != {"name", "parameters"}
            or not isinstance(name, str)
            or not isinstance(parameters, dict)
        ):
            raise Unconvertible(kind, f'a call must be {{"name": …, "parameters": {{…}}}}: {line[:80]!r}')
        calls.append(Call(name, parameters))
    return calls
