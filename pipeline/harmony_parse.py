"""Read what gpt-oss generated, strictly: the messages of one turn, or a verdict and the reason.

A turn is what the model writes from `<|start|>assistant` on: thoughts and preambles (each ends with <|end|>),
then one call (ends with <|call|>) or one final message (ends with <|return|>), then nothing. The header of a
call is one of

     to=functions.NAME<|channel|>commentary json<|message|>                  as the chat template writes it
    <|channel|>commentary to=functions.NAME <|constrain|>json<|message|>     as the untrained model writes it

where "json" may stand with or without <|constrain|>, or be missing; both places of the name are published
and count the same. Everything else is refused. One thing is read but marked: a call on the analysis channel
can be executed, and counts as a fault of format (`Parsed.faults`).

    parsed = parse(completion, tools={"find_user_id_by_email"})
    parsed.verdict, parsed.reason     # Verdict.OK, ""
    parsed.call                       # Call("find_user_id_by_email", {"email": "..."}), or None
    parsed.final                      # the words for the customer, or None

Text or tokens with their `Vocabulary` (pipeline/harmony_pieces.py). Rewards should read tokens.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.harmony import Analysis, Call, Final, Message, Preamble, ToolResult, User, unescape
from pipeline.harmony_pieces import PADDING, Completion, Pieces, Vocabulary
from pipeline.strict import Refused, Verdict, check_arguments, read_object

ENDS = ("<|end|>", "<|call|>", "<|return|>")
MAX_HEADER = 400  # characters; the longest allowed header has some 130
_HEADER = re.compile(
    r"(?: to=(?P<role_place>[^\s<]+))?<\|channel\|>(?P<channel>[a-z]+)(?: to=(?P<channel_place>[^\s<]+))?"
    r"(?P<content_type> json| ?<\|constrain\|>json)?"
)
_FUNCTION = re.compile(r"functions\.(?P<name>[A-Za-z0-9_-]{1,64})")
_TOOL_HEADER = re.compile(_FUNCTION.pattern + r" to=assistant<\|channel\|>commentary")
_WHAT = {Analysis: "thoughts", Preamble: "a preamble", Call: "a call", Final: "a final message"}


@dataclass(frozen=True)
class Parsed:
    """One turn of the model, as far as it could be read."""

    messages: tuple[Message, ...]  # up to the first fault; with unknown_tool the refused call is the last
    verdict: Verdict
    reason: str = ""
    faults: tuple[str, ...] = ()  # readable, but not as it should be written
    told: tuple[Message, ...] = ()  # in a transcript: what the model was told before this turn

    @property
    def ok(self) -> bool:
        """Readable: there is a call to execute or a final message to deliver."""
        return self.verdict is Verdict.OK

    @property
    def well_formed(self) -> bool:
        """Readable and written as it should be."""
        return self.ok and not self.faults

    @property
    def call(self) -> Call | None:
        """The call to execute."""
        return self.messages[-1] if self.ok and isinstance(self.messages[-1], Call) else None

    @property
    def final(self) -> str | None:
        """The words for the customer."""
        return self.messages[-1].text if self.ok and isinstance(self.messages[-1], Final) else None


def parse(completion: Completion, tools: Collection[str], vocabulary: Vocabulary | None = None) -> Parsed:
    """Read one turn; never raises, whatever the completion holds.

    Args:
        completion: What was generated after `<|start|>assistant`, as text or as token ids.
        tools: The names of the declared tools.
        vocabulary: Needed for token ids.
    """
    return _read_turn(Pieces(completion, vocabulary), tools, alone=True)


def parse_transcript(
    completion: Completion, tools: Collection[str], vocabulary: Vocabulary | None = None
) -> tuple[Parsed, ...]:
    """Read a whole episode: turns of the model with tool answers and customer's words between them.

    Reading ends at the first turn that is not ok, and leaves out answers that no turn follows. Who wrote a
    tool's answer cannot be seen here: it is the environment's as long as generation stops at <|call|> and
    <|return|>, since an answer may stand nowhere else.
    """
    pieces = Pieces(completion, vocabulary)
    turns = [_read_turn(pieces, tools, alone=False)]
    while turns[-1].ok:
        pieces.skip_padding()
        try:
            told = _read_told(pieces)
        except Refused as refusal:
            turns.append(Parsed((), refusal.verdict, refusal.reason))
            break
        if told is None:
            break
        turns.append(replace(_read_turn(pieces, tools, alone=False), told=tuple(told)))
    return tuple(turns)


def check_call(parsed: Parsed, tools: Mapping[str, Mapping[str, Any]]) -> Parsed:
    """The same turn, with verdict bad_arguments if its call does not fit the tool's schema (by name)."""
    problem = parsed.call and check_arguments(tools[parsed.call.name], parsed.call.arguments)
    return replace(parsed, verdict=Verdict.BAD_ARGUMENTS, reason=problem) if problem else parsed


def _read_turn(pieces: Pieces, tools: Collection[str], *, alone: bool) -> Parsed:
    messages: list[Message] = []
    faults: list[str] = []
    try:
        while not messages or isinstance(messages[-1], Analysis | Preamble):
            if messages:
                _expect_assistant(pieces)
            _read_message(pieces, messages, faults)
        if alone:
            pieces.skip_padding()
            if pieces.next:
                raise Refused(Verdict.TRAILING, f"text after the turn's end: {pieces.next.text[:40]!r}")
        if isinstance(call := messages[-1], Call) and call.name not in tools:
            raise Refused(Verdict.UNKNOWN_TOOL, f"tool {call.name!r} is not declared")
    except Refused as refusal:
        return Parsed(tuple(messages), refusal.verdict, refusal.reason, tuple(faults))
    return Parsed(tuple(messages), Verdict.OK, "", tuple(faults))


def _read_message(pieces: Pieces, messages: list[Message], faults: list[str]) -> None:
    """Read a message from its header to its end token and append it."""
    header = _HEADER.fullmatch(text := _read_header(pieces))
    if not header or header["channel"] not in ("analysis", "commentary", "final"):
        raise Refused(Verdict.BAD_HEADER, f"not a header: {text[:80]!r}")
    name = _called_name(header)
    body, end = _read_body(pieces)
    if name is not None:
        _expect_end(Call, end, "<|call|>")
        message: Message = Call(name, read_object(body))
        if header["channel"] == "analysis":
            faults.append("call on the analysis channel")
    else:
        kind = {"analysis": Analysis, "commentary": Preamble, "final": Final}[header["channel"]]
        _expect_end(kind, end, "<|return|>" if kind is Final else "<|end|>")
        message = kind(body)
    messages.append(message)


def _read_header(pieces: Pieces) -> str:
    """Everything up to <|message|>, with channel and constrain tokens spelled out."""
    header = ""
    while not pieces.take_if("<|message|>"):
        piece = pieces.take()
        if piece is None and "<|channel|>" not in header and not header.startswith(" to=") and header:
            raise Refused(Verdict.BAD_HEADER, f"text without a header: {header[:80]!r}")
        if piece is None or (piece.special and piece.text in PADDING):
            raise Refused(Verdict.TRUNCATED, "the text ends before or in a header")
        typed_out = not piece.special and "<" in piece.text  # else "<|channel|>" in words would look special
        if typed_out or (piece.special and piece.text not in ("<|channel|>", "<|constrain|>")):
            raise Refused(Verdict.BAD_HEADER, f"{piece.text[:40]!r} in a header")
        header += piece.text
        if len(header) > MAX_HEADER:
            raise Refused(Verdict.BAD_HEADER, f"text without a header: {header[:80]!r}")
    return header


def _called_name(header: re.Match[str]) -> str | None:
    """The function a header calls, None if it calls nothing."""
    places = [place for place in (header["role_place"], header["channel_place"]) if place]
    if not places and not header["content_type"]:
        return None
    if len(places) != 1:
        raise Refused(Verdict.WRONG_RECIPIENT, f"{len(places)} recipients in {header[0][:160]!r}")
    function = _FUNCTION.fullmatch(places[0])
    if not function:
        raise Refused(Verdict.WRONG_RECIPIENT, f"{places[0][:80]!r} is no functions.NAME")
    if header["channel"] == "final":
        raise Refused(Verdict.WRONG_RECIPIENT, "a final message speaks to the customer, not to a function")
    return function["name"]


def _read_body(pieces: Pieces) -> tuple[str, str]:
    body, end = pieces.take_text(), pieces.take()
    if end is None or end.text in PADDING:
        raise Refused(Verdict.TRUNCATED, "the text ends inside a message")
    if end.text not in ENDS:
        raise Refused(Verdict.NESTED_SPECIAL, f"{end.text} inside a message")
    return unescape(body), end.text


def _expect_end(kind: type, end: str, right: str) -> None:
    if end == right:
        return
    if kind in (Analysis, Preamble) and end == "<|return|>":
        raise Refused(Verdict.NO_CALL, f"the turn stops after {_WHAT[kind]}: no call and no final message")
    raise Refused(Verdict.WRONG_END, f"{_WHAT[kind]} must end with {right}, not {end}")


def _expect_assistant(pieces: Pieces) -> None:
    """Between two messages of a turn: the model opens the next one, in its own name."""
    pieces.skip_space_between_messages()
    if pieces.next is None:
        raise Refused(Verdict.TRUNCATED, "the text ends between two messages")
    if pieces.next.special and pieces.next.text in PADDING:
        raise Refused(Verdict.NO_CALL, "the turn stops with no call and no final message")
    if not pieces.take_if("<|start|>"):
        raise Refused(Verdict.BAD_HEADER, f"{pieces.next.text[:40]!r} between two messages")
    if not pieces.take_prefix("assistant"):
        raise _other_role(pieces)


def _read_told(pieces: Pieces) -> list[Message] | None:
    """What comes between two turns: tool answers and the customer's words, then `<|start|>assistant`."""
    told: list[Message] = []
    while pieces.next:
        if not pieces.take_if("<|start|>"):
            raise Refused(Verdict.TRAILING, f"text between two turns: {pieces.next.text[:40]!r}")
        if pieces.take_prefix("assistant"):
            return told
        header = _read_header(pieces)
        body, end = _read_body(pieces)
        tool = _TOOL_HEADER.fullmatch(header)
        if end != "<|end|>" or not (tool or header == "user"):
            raise Refused(Verdict.WRONG_ROLE, f"{header[:80]!r} ({end}) is no tool and no customer")
        told.append(ToolResult(tool["name"], body) if tool else User(body))
    return None


def _other_role(pieces: Pieces) -> Refused:
    if pieces.next is None:
        return Refused(Verdict.TRUNCATED, "the text ends before or in a header")
    return Refused(Verdict.WRONG_ROLE, f"the model opens a message as {pieces.next.text[:40]!r}")
