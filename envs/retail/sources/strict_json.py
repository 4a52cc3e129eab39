"""JSON as the standard has it (unique keys, finite numbers, Unicode texts), with the reason where it is not.

value, fault = Decoder().whole('{"a": 1, "a": 2}')     # fault.reason: the key 'a' occurs twice
"""

import json
import math
import re
from typing import Any, NamedTuple

NOT_JSON, NOT_TEXT = "not JSON", "not UTF-8"


class Fault(NamedTuple):
    """What is wrong with a row; `unfinished` if it might be right with more text after it."""

    kind: str
    reason: str
    unfinished: bool = False


class Decoder:
    """Reads values and says what is wrong with them."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.json = json.JSONDecoder(
            object_pairs_hook=self._unique, parse_float=self._finite, parse_constant=self._finite
        )

    def __call__(self, text: str, at: int) -> tuple[Any, int, Fault | None]:
        """A value, where it ends (0 if it does not), and what is wrong with it."""
        self.wrong.clear()
        try:
            value, end = self.json.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            return None, 0, _fault(error, text, at)
        if self.wrong:
            return None, end, Fault(NOT_JSON, self.wrong[0])
        if not _is_text(text[at:end]) or not _is_text_escaped(text[at:end], value):
            return None, end, Fault(NOT_TEXT, "holds bytes or escapes that are not Unicode text")
        return value, end, None

    def whole(self, text: str) -> tuple[Any, Fault | None]:
        """The one value that a text holds, and what is wrong with it."""
        text = text.strip()
        value, end, fault = self(text, 0)
        if not fault and text[end:].strip():
            fault = Fault(NOT_JSON, f"text after the end of the value: {text[end : end + 40]!r}")
        return value, fault

    def _unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            self.wrong.append(f"the key {twice!r:.80} occurs twice")
        return value

    def _finite(self, number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            self.wrong.append(f"{number:.40} is not a finite number")
        return value


def _fault(error: Exception, text: str, at: int) -> Fault:
    """Why a value could not be read. An error at the very end of the text may be gone when more is read."""
    if isinstance(error, RecursionError):
        return Fault(NOT_JSON, "nested too deeply")
    message, place = getattr(error, "msg", str(error)), getattr(error, "pos", at)
    unfinished = message.startswith("Unterminated string") or place >= len(text) - 12
    kind = NOT_JSON if _is_text(text[at : place + 1]) else NOT_TEXT
    return Fault(kind, f"not valid JSON: {message}, {place - at:,} characters into it", unfinished)


def _is_text(text: str) -> bool:
    """Whether nothing is left of bytes that were not UTF-8."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return False
    return True


_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def _is_text_escaped(text: str, value: Any) -> bool:
    r"""Whether escapes such as \ud83d come in pairs: a half could not be written as UTF-8 again."""
    return not _HALF_PAIR.search(text) or _is_text(json.dumps(value, ensure_ascii=False))
