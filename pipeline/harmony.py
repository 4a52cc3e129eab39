"""gpt-oss's message format, harmony: a conversation becomes the one text that prompts and rows are made of.

    <|start|>system<|message|>You are ChatGPT, ...<|end|>        who the model is, the date, the effort
    <|start|>developer<|message|># Instructions ... # Tools ...<|end|>       the policy and the tools
    <|start|>user<|message|>Cancel my order, please.<|end|>
    <|start|>assistant<|channel|>analysis<|message|>I need the id.<|end|>      thoughts
    <|start|>assistant to=functions.find<|channel|>commentary json<|message|>{...}<|call|>
    <|start|>functions.find to=assistant<|channel|>commentary<|message|>...<|end|>   the raw answer
    <|start|>assistant<|channel|>final<|message|>It is done.<|return|>       words for the customer

(without the line breaks). `segments` is the one place where this text is made: it says of each piece whether
the model writes it (and is trained on it) or is given it; `render` joins the pieces. What a tokenizer and TRL
need to make the same text is in pipeline/harmony_chat.py.

Three decisions:

* Every final message ends with <|return|>, also in mid-conversation. The model stops at <|return|> and
  <|call|> only; a row whose earlier finals end with <|end|> would teach it to say goodbye and go on talking,
  and in a rollout the tokens it wrote stay as they are. `past_finals="<|end|>"` is what servers show it.
* Thoughts are kept: they are trained on, and a rollout never re-renders its history.
* Text from outside never becomes structure: `escape` puts a broken bar into every "<|" of a customer's or a
  tool's words ("<|call|>" becomes "<¦|call|>"), which no tokenizer takes for a special token; `unescape`
  gives back exactly what was there, and the parser (pipeline/harmony_parse.py) applies it.

    conversation = [System(effort="low"), Developer(policy, tools), User("Where is #W1234567?")]
    prompt = render(conversation, generation_prompt=True)
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from pipeline.harmony_tools import declare_tools

DATE = "2025-08-05"  # one fixed day, so that training rows and rollouts show the same prompt on every day
EFFORTS = ("low", "medium", "high")
IDENTITY = "You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06"
CHANNELS = "# Valid channels: analysis, commentary, final. Channel must be included for every message."
CALLS_GO_TO = "\nCalls to these tools must go to the commentary channel: 'functions'."
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what may stand in a header after "functions."

CallForm = Literal["role", "channel"]


@dataclass(frozen=True)
class System:
    """The first message: reasoning effort and the date the model believes in."""

    effort: str = "medium"
    date: str = DATE

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            raise ValueError(f"reasoning effort {self.effort!r} is unknown; use one of {', '.join(EFFORTS)}")
        check_date(self.date)


@dataclass(frozen=True)
class Developer:
    """The policy, and the tools as OpenAI function schemas."""

    instructions: str = ""
    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class User:
    """What the customer says."""

    text: str


@dataclass(frozen=True)
class Analysis:
    """The model's thoughts."""

    text: str


@dataclass(frozen=True)
class Preamble:
    """What the model tells the customer before it goes on to call a tool."""

    text: str


@dataclass(frozen=True)
class Call:
    """The model calls a tool; this ends its turn."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Final:
    """The model's words to the customer; this ends its turn."""

    text: str


@dataclass(frozen=True)
class ToolResult:
    """What the tool answered, as it answered it."""

    name: str
    text: str


Message = System | Developer | User | Analysis | Preamble | Call | Final | ToolResult


@dataclass(frozen=True)
class Segment:
    """A piece of the rendered text; `trained` is true where the model itself writes it."""

    text: str
    trained: bool
    kind: str  # system, developer, user, tool; start; analysis, preamble, call, final


def render(
    conversation: Iterable[Message],
    *,
    call_form: CallForm = "role",
    past_finals: str = "<|return|>",
    generation_prompt: bool = False,
) -> str:
    """The conversation as text; the arguments are those of `segments`."""
    pieces = segments(
        conversation, call_form=call_form, past_finals=past_finals, generation_prompt=generation_prompt
    )
    return "".join(piece.text for piece in pieces)


def segments(
    conversation: Iterable[Message],
    *,
    call_form: CallForm = "role",
    past_finals: str = "<|return|>",
    generation_prompt: bool = False,
) -> list[Segment]:
    """The conversation piece by piece, with what the model is trained on marked.

    Args:
        conversation: The messages in order.
        call_form: Where a call names its tool: "role" as in gpt-oss's own chat template, or "channel" as the
            untrained model writes it. The parser reads both.
        past_finals: What ends a final message that is not the last: "<|return|>" or "<|end|>".
        generation_prompt: Add the `<|start|>assistant` after which the model writes.
    """
    if call_form not in ("role", "channel") or past_finals not in ("<|return|>", "<|end|>"):
        raise ValueError('call_form is "role" or "channel", past_finals is "<|return|>" or "<|end|>"')
    messages = list(conversation)
    has_tools = any(isinstance(message, Developer) and message.tools for message in messages)
    pieces: list[Segment] = []
    goes_on = False  # the model ended its last message with <|end|>, so it opens the next one itself
    for position, message in enumerate(messages):
        if isinstance(message, Analysis | Preamble | Call | Final):
            last = position == len(messages) - 1 and not generation_prompt
            pieces.append(Segment("<|start|>assistant", goes_on, "start"))
            pieces.extend(_written(message, call_form, "<|return|>" if last else past_finals))
            goes_on = isinstance(message, Analysis | Preamble)
        else:
            pieces.append(_given(message, has_tools))
            goes_on = False
    if generation_prompt:
        pieces.append(Segment("<|start|>assistant", False, "start"))
    return pieces


def joined(pieces: Iterable[Segment]) -> list[tuple[bool, str]]:
    """Neighbouring pieces as one, trained or not; these meet at special tokens, so no token spans two."""
    groups = groupby(pieces, key=lambda piece: piece.trained)
    return [(trained, "".join(piece.text for piece in group)) for trained, group in groups]


def written_turns(conversation: Iterable[Message], call_form: CallForm = "role") -> list[str]:
    """What the agent writes in a conversation, turn by turn."""
    return [text for trained, text in joined(segments(conversation, call_form=call_form)) if trained]


def _written(message: Analysis | Preamble | Call | Final, form: CallForm, end: str) -> Iterator[Segment]:
    """What the model writes for a message, from after `<|start|>assistant` to the token that ends it."""
    match message:
        case Analysis(text):
            yield Segment(f"<|channel|>analysis<|message|>{escape(text)}<|end|>", True, "analysis")
        case Preamble(text):
            yield Segment(f"<|channel|>commentary<|message|>{escape(text)}<|end|>", True, "preamble")
        case Call(name, arguments):
            yield Segment(f"{_call_header(name, form)}<|message|>{_json(arguments)}<|call|>", True, "call")
        case Final(text):
            yield Segment(f"<|channel|>final<|message|>{escape(text)}", True, "final")
            yield Segment(end, end == "<|return|>", "final")  # <|end|> does not stop: never teach it here


def _given(message: System | Developer | User | ToolResult, has_tools: bool) -> Segment:
    """A message that the model only reads."""
    match message:
        case System():
            kind, header, body = "system", "system", _system_text(message, has_tools)
        case Developer():
            kind, header, body = "developer", "developer", _developer_text(message)
        case User(text):
            kind, header, body = "user", "user", text
        case ToolResult(name, text):
            kind, body = "tool", text
            header = f"functions.{_checked_name(name)} to=assistant<|channel|>commentary"
        case _:
            raise TypeError(f"{message!r:.80} is no harmony message; use the classes of pipeline.harmony")
    return Segment(f"<|start|>{header}<|message|>{escape(body)}<|end|>", False, kind)


def _system_text(system: System, has_tools: bool) -> str:
    day = f"Current date: {system.date}\n\nReasoning: {system.effort}"
    return f"{IDENTITY}\n{day}\n\n{CHANNELS}{CALLS_GO_TO if has_tools else ''}"


def _developer_text(developer: Developer) -> str:
    parts = [f"# Instructions\n\n{developer.instructions}"] if developer.instructions else []
    if developer.tools:
        parts.append(declare_tools(developer.tools))
    return "\n\n".join(parts)


def _call_header(name: str, form: CallForm) -> str:
    if form == "role":
        return f" to=functions.{_checked_name(name)}<|channel|>commentary json"
    return f"<|channel|>commentary to=functions.{_checked_name(name)} <|constrain|>json"


def _json(arguments: dict[str, Any]) -> str:
    return escape(json.dumps(arguments, ensure_ascii=False, allow_nan=False))


def _checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"tool name {name!r:.80} cannot stand in a header; use 1-64 of A-Z a-z 0-9 _ -")
    return name


def check_date(date: str) -> None:
    """Refuse what is no date: it becomes part of the prompt, and of a template."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date):
        raise ValueError(f"date {date!r:.40} must look like {DATE}")


def escape(text: str) -> str:
    """Make text harmless: a ¦ after every < that a | or ¦ follows, so that no "<|" is left."""
    return text.replace("<¦", "<¦¦").replace("<|", "<¦|")


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return text.replace("<¦|", "<|").replace("<¦¦", "<¦")
