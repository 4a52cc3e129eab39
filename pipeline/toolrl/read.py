"""Read a harmony answer as ToolRL's reward sees it: its shape, all its calls, its last thoughts.

    answer = read_answer("<|channel|>analysis<|message|>…<|end|><|start|>assistant to=functions.f…<|call|>")
    answer.shape, answer.calls, answer.thoughts      # "AC", (Call("f", {"a": 1}),), "I need …"

The strict parser (pipeline/harmony_parse.py) reads one turn, which ends at its first call. ToolRL's answers
hold several calls one after the other, JSON as Python's `json` reads it (the last of two equal keys counts),
and the calls are scored however the rest looks. So this reader goes on after a call and says of each message
what it is; whether the shape is the wanted one is decided by the reward. It is as strict about the messages
themselves: there is no repair, and reading ends at the first thing that is no message of the assistant.

| shape | message |
| --- | --- |
| A, P, F | thoughts, a preamble, a final message, each with its own end token |
| C | a call on the commentary channel that ends with <|call|> |
| U | the same with a name that cannot stand in a header (spaces, dots): rows that keep the original names |
| ! | anything that is not as it should be |

`calls` is None where a call cannot be read: broken JSON, cut off, no name, a wrong end. Text between the
messages may only be line breaks, as people write them. Rewards in training should read tokens: `text_of`
turns ids into the text read here, in which typed characters are never structure.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.harmony import NAME, escape, unescape
from pipeline.harmony_parse import MAX_HEADER
from pipeline.harmony_pieces import PADDING, SPECIAL, Vocabulary, split_tokens

START = "<|start|>assistant"  # the prompt's last words, and the right answer's first
_NO_SPECIAL = SPECIAL.pattern.removeprefix(r"<\|")  # what must not follow a "<" inside a message
# No possessive groups: early Python 3.11 forgets what they captured. Nothing here can be matched in two ways.
_PIECE = re.compile(  # a message as header, body, end; or the whole rest of the text, if there is none
    r"([^<]*(?:<\|(?:st|ch|co)[^<]*)*)<\|message\|>"
    rf"([^<]*(?:<(?!\|{_NO_SPECIAL})[^<]*)*)"
    r"<\|(end|call|return)\|>\s*|((?s:.+))"
)
_THOUGHTS = re.compile(  # those at the beginning, if a message follows that says who speaks
    r"(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>"
    rf"([^<]*(?:<(?!\|{_NO_SPECIAL})[^<]*)*)<\|end\|>\s*(?=<\|start\|>assistant|\Z)"
)
_HEADER = re.compile(
    r"(<\|start\|>assistant)?(?: ?to=functions\.([^<>\n]+?))?"
    r"<\|channel\|>(analysis|commentary|final)(?: to=functions\.([^<>\n]+?))?( ?<\|constrain\|>json| json)?"
)
_CALL = re.compile(  # the beginning of a call, however it goes on
    r"(?:<\|start\|>assistant)? ?(?:<\|channel\|>[a-z]*)? ?(?:to=|json<|<\|constrain\|>)"
)
_KINDS = {"analysis": "A", "commentary": "P", "final": "F"}
_OTHERS = re.compile(r"<\|start\|>(?!assistant)")
_PADDED = re.compile(rf"(?:{'|'.join(map(re.escape, PADDING))}|\s)*")
_scan = json.JSONDecoder().scan_once
BAD = object()  # the arguments of a call that cannot be read
_new = tuple.__new__  # half the time of a NamedTuple's own
KEPT, LONGEST = 16, 4000  # answers to one question, characters of an answer


class Call(NamedTuple):
    """A call as written; the arguments are whatever JSON value stood there."""

    name: str
    arguments: Any


class Answer(NamedTuple):
    """What one answer holds."""

    shape: str
    calls: list[Call] | None
    thoughts: str  # the last ones
    odd: list[str]  # names of calls whose arguments are no object
    rest: str  # what could not be read


def _json(text: str) -> Any:
    """The value, as `json.loads` has it; `BAD` where there is none."""
    text = unescape(text) if "<¦" in text else text
    try:
        value, end = _scan(text, 0)  # what `loads` does itself, but it wants no space before
    except (StopIteration, ValueError, RecursionError):
        end = -1
    if end == len(text):
        return value
    try:
        return json.loads(text) if end > 0 or text[:1].isspace() else BAD
    except (ValueError, RecursionError):
        return BAD


class _Header(NamedTuple):
    """What a message's header promises."""

    sign: str
    end: str
    called: str | None  # the tool's name; "" where it is a call but not of one tool
    started: bool  # whether it says who speaks, which only the first message may leave out


class _Headers(dict[str, _Header | None]):
    """The headers met so far with their meaning, None where it has none: there are few different ones."""

    def __missing__(self, header: str) -> _Header | None:
        found = _HEADER.fullmatch(header) if len(header) <= MAX_HEADER else None
        meaning = found and _meaning(*found.groups())
        if found and len(self) < 10_000:
            self[header] = meaning
        return meaning


def _meaning(
    start: str | None, by_role: str | None, channel: str, by_channel: str | None, content_type: str | None
) -> _Header:
    if not by_role and not by_channel and not content_type:
        kind = _KINDS[channel]
        return _Header(kind, "return" if kind == "F" else "end", None, bool(start))
    if bool(by_role) == bool(by_channel):
        return _Header("!", "call", "", bool(start))
    name = by_role or by_channel or ""
    sign = "C" if NAME.fullmatch(name) else "U"
    return _Header(sign if channel == "commentary" else "!", "call", name, bool(start))


_headers = _Headers()
_NO_HEADER = ("", "", None, False)


def read_answer(text: str) -> Answer:
    """Read an answer, or the assistant's part of a whole conversation; never raises.

    Args:
        text: From `<|start|>assistant` or right after it on; or a conversation, from its first message on.
    """
    return _read(assistant_part(text))


def _read(text: str) -> Answer:
    shape, thoughts, rest, calls, odd, broken = "", "", "", [], [], False
    for header, body, end, rest in _PIECE.findall(text):
        sign, right_end, called, started = (None if rest else _headers[header]) or _NO_HEADER
        if not sign or not (started or not shape):
            rest = _unread(rest or f"{header}<|message|>")
            break
        right = end == right_end
        shape += sign if right else "!"
        if called is not None:
            arguments = _json(body) if called and right else BAD
            calls.append(_new(Call, (called, arguments)))
            if type(arguments) is not dict:
                odd.append(called)
                broken = broken or arguments is BAD
        elif sign == "A" and right:
            thoughts = body
    if rest:
        shape, broken = shape + "!", broken or _CALL.match(rest) is not None
    return _new(Answer, (shape, None if broken else calls, thoughts, odd, rest))


class Answers(dict[str, Answer]):
    """Answers to one question, kept without the thoughts they begin with: these differ, the calls are often
    alike. `answers.read(text)` is `read_answer(text)`."""

    def __missing__(self, text: str) -> Answer:
        answer = _read(text)
        if len(self) < KEPT and len(text) < LONGEST:
            self[text] = answer
        return answer

    def read(self, text: str) -> Answer:
        """What `read_answer` makes of the text."""
        text = assistant_part(text)
        found = _THOUGHTS.match(text)
        if not found:
            return self[text]
        shape, calls, thoughts, odd, rest = self[text[found.end() :]]
        return _new(Answer, (f"A{shape}", calls, thoughts if "A" in shape else found[1], odd, rest))


def _unread(rest: str) -> str:
    """What could not be read, padding left out."""
    return rest[_PADDED.match(rest).end() :]


def assistant_part(text: str) -> str:
    """What the assistant wrote last: all of an answer, the end of a conversation."""
    text = text.strip()
    if not text.startswith("<|start|>") or text.startswith(START):
        return text
    *_, last = _OTHERS.finditer(text)
    return text[last.end() :].partition("<|end|>")[2].lstrip()


def answer_alone(text: str) -> str:
    """What the assistant wrote, as an answer that no conversation can stand before."""
    return text if text.startswith(START) else START + text


def text_of(ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """Token ids as text to be read here: only real special tokens are structure, typed ones are escaped."""
    return "".join(
        piece.text if piece.special else escape(piece.text) for piece in split_tokens(ids, vocabulary)
    )
