"""Inputs of up to ten million characters for everything that reads what a model, a customer or a file says.

    python -m reliability --only giants --case 40

A case is one reader and one kind of input at one size; what is measured is CPU for a million characters.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any

from envs.gsm8k import answers
from envs.retail.calculator import calculate
from envs.retail.customer import ScriptedCustomer
from envs.retail.environment import RetailEnv
from envs.retail.tasks import RESPOND, Action, Task
from pipeline.harmony import escape, unescape
from pipeline.harmony_parse import parse, parse_transcript
from pipeline.plan import parse_plan, parse_plan_turn
from pipeline.toolrl import compute_score
from pipeline.toolrl_score import Switches
from reliability import hostile
from reliability.limits import within
from reliability.reading import NAMES
from reliability.shop import world
from reliability.transcripts import START
from reliability.trial import Found, Setting, Trial

SIZES = (100_000, 1_000_000, 10_000_000)
QUICK_SIZES = (5_000,)
SECONDS, SECONDS_EACH = 2, 4  # allowed in all, and for each million characters
BYTES_EACH = 250  # of memory, for each character

ABOUT = f"""
Everything that reads what a model or a customer says, on inputs of {SIZES[0]:,}, {SIZES[1]:,} and
{SIZES[2]:,} characters that are made to be slow: one word, quotes, backslashes, brackets, special
tokens and their halves, headers, messages without end, JSON of many keys or small lists, numbers,
marks, sums, talk, noise; alone, and as the body of a call and of a final message.

Each must hold: nothing raises; at most {SECONDS} s of CPU and {SECONDS_EACH} s for each million
characters; at most {BYTES_EACH} bytes of memory for each character. The table shows the slowest input
of each reader, from a million characters on.
"""

_CALL = f" to=functions.{NAMES[0]}<|channel|>commentary json<|message|>{{}}<|call|>"
_FINAL = "<|channel|>final<|message|>{}<|return|>"
_TRUTH = f"{START}<|channel|>analysis<|message|>Hm.<|end|>{START}{_CALL.format('{}')}"
_TASK = Task("t", "Please.", (), facts={"name": "Ana Lopez", "items": "the blue one"}, outputs=("ok",))
_UNITS = (
    "a",
    "word ",
    "\n",
    '"',
    "\\",
    '\\"',
    "[",
    "[]",
    "[],",
    "{",
    '{"a":',
    '{"a":1},',
    '"a",',
    "1",
    "1,",
    "1,234",
    "-",
    "- ",
    "$-",
    "1/",
    ".5",
    "(",
    "(1+",
    "1+1*",
    "1e",
    "#",
    "#### ",
    "#### 18\n",
    "<",
    "<|",
    "<¦",
    "<|end",
    *hostile.SPECIALS[:8],
    "<|start|>assistant",
    "<|start|>assistant<|channel|>analysis<|message|>x<|end|>",
    _TRUTH,
    f"{_TRUTH}<|start|>functions.{NAMES[0]} to=assistant<|channel|>commentary<|message|>x<|end|>",
    " to=functions.",
    "if that is not possible, ",
    "May I have your name, please? ",
    "order #W1234567 and ",
    "no, not, and, or, ",
    "😀",
    "\ud800",
)


def text_of(kind: int, size: int) -> str:
    """An input of about so many characters; the last two kinds are noise, and an object of ever new keys."""
    if kind == len(_UNITS):
        return hostile.noise(Random(size), 2 * size)[:size]
    if kind == len(_UNITS) + 1:
        return "{" + ",".join(f'"{number}":{number}' for number in range(size // 15)) + "}"
    return _UNITS[kind] * (size // len(_UNITS[kind]))


def _speak(text: str) -> Any:
    env = RetailEnv(world().shop, _TASK, ScriptedCustomer())
    env.reset()
    env.step(Action(RESPOND, {"content": text}))
    return env.score()


def _act(text: str) -> Any:
    env = RetailEnv(world().shop, _TASK)
    env.reset()
    address = dict.fromkeys(("address1", "address2", "city", "state", "country"), "x")
    env.step(Action("modify_user_address", {"user_id": world().users[0], **address, "zip": text}))
    env.step(Action("get_order_details", {"order_id": text}))
    env.step(Action(text, {text: text}))
    return env.score()


_NONE = Switches()
READERS: tuple[tuple[str, Callable[[str], Any]], ...] = (
    ("harmony", lambda text: parse(text, NAMES)),
    ("harmony, as a final message", lambda text: parse(_FINAL.format(text), NAMES)),
    ("harmony, as a call", lambda text: parse(_CALL.format(text), NAMES)),
    ("harmony, as a transcript", lambda text: parse_transcript(text.removeprefix(START), NAMES)),
    ("plan", lambda text: parse_plan(text, NAMES)),
    ("plan in a turn", lambda text: parse_plan_turn(_FINAL.format(text), NAMES)),
    ("escape and unescape", lambda text: unescape(escape(text))),
    ("ToolRL's reward", lambda text: compute_score(text, _TRUTH, switches=_NONE)),
    (
        "ToolRL's reward, as a call",
        lambda text: compute_score(_CALL.format(text), _TRUTH, switches=_NONE),
    ),
    ("GSM8K, strict", answers.strict_answer),
    ("GSM8K, flexible", answers.flexible_answer),
    ("calculator", calculate),
    ("customer", _speak),
    ("tools", _act),
)


def grid(setting: Setting) -> list[tuple[int, int, int]]:
    """Size, kind of input and reader of each case; small ones first."""
    sizes = QUICK_SIZES if setting.quick else SIZES
    return list(product(sizes, range(len(_UNITS) + 2), range(len(READERS))))


def run(cases: range, setting: Setting) -> Found:
    """Read each case's input."""
    found, of = Found(), grid(setting)
    for case in cases:
        size, kind, reader = of[case]
        name, read = READERS[reader]
        text, millions = text_of(kind, size), size / 1_000_000
        began = time.process_time()
        try:
            with within(SECONDS + SECONDS_EACH * millions):
                read(text)
        except Exception as error:  # whatever it is: that is what is looked for
            found.fail(case, f"{name}: {type(error).__name__}: {error}"[:200], ascii(text[:80]))
        seconds = time.process_time() - began
        found.counts[f"inputs of {size:,} characters"] += 1
        if millions >= 1:
            found.note(f"{name}: seconds of CPU for a million characters", seconds / millions, case)
        if size == SIZES[0]:
            _weigh(found, case, name, read, text)
    return found


def _weigh(found: Found, case: int, name: str, read: Callable[[str], Any], text: str) -> None:
    """Memory while reading; at the smallest size, because counting it is slow."""
    tracemalloc.start()
    try:
        with within(20):
            read(text)
        each = tracemalloc.get_traced_memory()[1] / len(text)
    except Exception:  # noted where it was read first
        return
    finally:
        tracemalloc.stop()
    found.note(f"{name}: bytes of memory for a character", each, case)
    if each > BYTES_EACH:
        found.fail(case, f"{name}: {each:.0f} bytes of memory for a character", ascii(text[:80]))


GIANTS = Trial("giants", "Ten million characters", ABOUT, run, lambda setting: len(grid(setting)), piece=28)
