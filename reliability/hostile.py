"""Hostile raw material: words that look like structure, odd characters, JSON that is almost JSON.

    rng = Random("1/parser/7")
    words(rng), json_text(rng), nested(rng, depth=5_000)

Everything is drawn from the given `Random`, so a seed and a case's number tell the whole input.
"""

import json
from random import Random
from typing import Any

SPECIALS = (
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|channel|>",
    "<|constrain|>",
    "<|return|>",
    "<|call|>",
    "<|endoftext|>",
    "<|startoftext|>",
    "<|endofprompt|>",
    "<|reserved_200017|>",
    "<|reserved_200013|>",
)
LOOK_ALIKES = (
    "<|",
    "|>",
    "<",
    "<¦",
    "<¦|",
    "<¦¦|call|>",
    "<|call",
    "call|>",
    "<|CALL|>",
    "<| call |>",
    "<|im_end|>",
    "<\u200b|call|>",
    "\uff1c|call|\uff1e",  # full-width, which some normalisers turn into ASCII
    "<\uff5ccall\uff5c>",
    "&lt;|call|&gt;",
)
HEADERS = (
    "assistant",
    "user",
    "system",
    "developer",
    "tool",
    " to=functions.",
    " to=assistant",
    " to=functions.think",
    "functions.think",
    "functions.think to=assistant",
    "analysis",
    "commentary",
    "final",
    " json",
    " code",
    "to=",
    "functions.",
    "Final",
    "final ",
)
WORDS = (
    "order",
    "#W1234567",
    "no longer needed",
    " ",
    "\n",
    "\r\n",
    "\t",
    '"',
    "'",
    "\\",
    "\\u",
    "{}",
    "[]",
    "é",
    "日本",
    "😀",
    "0",
    "-1",
    ".",
    "null",
    "ok",
    "Your order is on its way.",
)
ODD = (
    "\x00",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\xa0",
    "\u200b",
    "\u200d",
    "\u202e",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\ufffd",
    "\uffff",
    "\ud800",
    "\udfff",
    "\U0010ffff",
    "e\u0301\u0301\u0301",
    "ﬁ",
    "İ",
    "ß",
)
NUMBERS = (
    "0",
    "-0",
    "-0.0",
    "01",
    "+1",
    "1.",
    ".5",
    "1e5",
    "1e-400",
    "1e999",
    "-1E+999",
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "1_000",
    "9" * 400,
    "9" * 5000,
    "1" + "0" * 308 + ".0",
    "0." + "0" * 400 + "1",
)
_KEYS = (
    "order_id",
    "reason",
    "thought",
    "tool_calls",
    "name",
    "arguments",
    "",
    "__class__",
    "a" * 100,
    "\u00e9",
)


def words(rng: Random, most: int = 8, hostile: float = 0.3) -> str:
    """A few words, some of them hostile."""
    pieces = []
    for _ in range(rng.randrange(most)):
        odd = rng.random() < hostile
        pieces.append(rng.choice(rng.choice((SPECIALS, LOOK_ALIKES, HEADERS, ODD)) if odd else WORDS))
    return "".join(pieces)


def noise(rng: Random, most: int = 200) -> str:
    """Random bytes read as text in one of three ways, or random characters."""
    raw = rng.randbytes(rng.randrange(most))
    kind = rng.randrange(4)
    if kind == 0:
        return raw.decode("latin-1")
    if kind == 1:
        return raw.decode("utf-8", "replace")
    if kind == 2:
        return raw.decode("utf-8", "surrogateescape")
    return "".join(chr(rng.randrange(0x110000)) for _ in range(len(raw) // 4))


def value(rng: Random, depth: int = 3) -> Any:
    """A JSON value."""
    if depth and rng.random() < 0.3:
        if rng.random() < 0.5:
            return [value(rng, depth - 1) for _ in range(rng.randrange(3))]
        return {rng.choice(_KEYS): value(rng, depth - 1) for _ in range(rng.randrange(3))}
    kind = rng.randrange(5)
    if kind < 2:
        return words(rng, 5).encode(errors="replace").decode()  # half a surrogate pair is no JSON text
    if kind == 2:
        return rng.randrange(-(10**9), 10**9)
    return rng.random() * 1e6 if kind == 3 else rng.choice((None, True, False, "", 0))


def nested(rng: Random, depth: int) -> str:
    """JSON text so many levels deep; now and then it is not closed."""
    opening = rng.choice(("[", '{"a":', '[{"a":', '{"a":[', "[[],"))
    closing = "".join({"[": "]", "{": "}"}.get(sign, "") for sign in reversed(opening.replace("[],", "")))
    times = depth // max(1, len(closing))
    return opening * times + "1" + (closing * times if rng.random() < 0.8 else "")


def json_text(rng: Random) -> str:
    """An object as text, right or broken in one of the ways JSON gets broken."""
    text = json.dumps(
        {rng.choice(_KEYS): value(rng) for _ in range(rng.randrange(4))}, ensure_ascii=rng.random() < 0.5
    )
    return rng.choice(_JSON_FAULTS)(rng, text) if rng.random() < 0.5 else text


def _insert(rng: Random, text: str, what: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + what + text[at:]


_JSON_FAULTS = (
    lambda rng, text: text[: rng.randrange(len(text) + 1)],
    lambda rng, text: _insert(rng, text, rng.choice(',:{}[]"\\')),
    lambda rng, text: f'{{"a": {rng.choice(NUMBERS)}}}',
    lambda rng, text: f'{{"a": {nested(rng, rng.choice((10, 31, 32, 33, 300)))}}}',
    lambda rng, text: '{"a": 1, "a": 2}',
    lambda rng, text: f'{{"a": {{"b": {text}, "b": {text}}}}}',
    lambda rng, text: text.replace('"', "'"),
    lambda rng, text: text + rng.choice((text, ",", " //", ";", "\u00a0", "\x00", "```")),
    lambda rng, text: rng.choice(("\ufeff", "```json\n", " \t\r\n", "\u2003", "json")) + text,
    lambda rng, text: f"[{text}]",
    lambda rng, text: text.replace("}", ",}"),
    lambda rng, text: (
        '{"a": "' + rng.choice(("\\ud800", "\\u12", "\\x", "\n", "\\", "\\ud83d\\ude00", "\\u0000")) + '"}'
    ),
    lambda rng, text: _insert(rng, text, rng.choice(ODD)),
)
