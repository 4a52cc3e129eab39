"""The strict reader against a million inputs: harmony transcripts and plans, right ones and mutated ones.

    problem, verdict = read_turn("<|channel|>final<|message|>Done.<|return|>")     # "", Verdict.OK

An input holds if nothing raises, reading it twice gives the same, there is a verdict with a reason, what is
accepted reads the same after being written anew in both call forms, and right ones are read as what they were
made of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from envs.retail.tools import TOOLS
from pipeline.harmony import CallForm, Message, render
from pipeline.harmony_parse import Parsed, check_call, parse, parse_transcript
from pipeline.plan import MAX_CALLS, parse_plan, parse_plan_turn, render_plan
from pipeline.strict import Verdict
from reliability import hostile
from reliability.limits import within
from reliability.minimise import smallest
from reliability.plain import plain_plan, plain_problem
from reliability.transcripts import START, Draft, right_draft
from reliability.trial import Found, Setting, Trial, sized

NAMES = tuple(TOOLS)
SCHEMAS = {name: tool.schema for name, tool in TOOLS.items()}
FORMS: tuple[CallForm, ...] = ("role", "channel")
MAX_REASON = 2_000  # characters: it quotes up to 160, and an odd one is quoted as ten
Problem = str  # "" where the input holds

ABOUT = f"""
Inputs for the strict reader of harmony (`pipeline/harmony_parse.py`) and of plans (`pipeline/plan.py`):
right turns and episodes in both call forms, the same after mutations (special tokens and words dropped,
doubled, moved, swapped, split, replaced, cut off; JSON with duplicate keys, huge numbers, deep nesting,
broken strings), random bytes and characters, half surrogate pairs. Every fifth is a plan.

Each must hold: nothing raises; the same input twice gives the same result; there is a verdict, with a
reason of at most {MAX_REASON:,} characters where it is refused; what is accepted has the form of a
turn, told anew as one pattern, and what has it is refused for nothing but its call; the JSON that is
accepted is that of a second, plain reading; what is accepted, written anew in both call forms, reads
the same; right ones are accepted and read as what they were made of; no input takes more than a second
of CPU.
"""


def read_turn(text: str, messages: Sequence[Message] | None = None) -> tuple[Problem, Verdict]:
    """What is wrong with how a turn is read, and its verdict."""
    parsed = parse(text, NAMES)
    if parse(text, NAMES) != parsed:
        return "read differently the second time", parsed.verdict
    if messages is not None and _transcript(text) != list(messages):
        return f"what is right is read otherwise: {parsed.verdict} ({parsed.reason})", parsed.verdict
    problem = of_one(parsed) or plain_problem(text, parsed) or written_anew(parsed) or _beside(text, parsed)
    return problem, parsed.verdict


def _transcript(text: str) -> list[Message] | None:
    """All messages of an episode; None where one of its turns is not as it should be."""
    turns = parse_transcript(text, NAMES)
    whole = [message for turn in turns for message in (*turn.told, *turn.messages)]
    return whole if all(turn.well_formed for turn in turns) else None


def of_one(parsed: Parsed) -> Problem:
    """A verdict says one thing only."""
    if parsed.ok:
        if (parsed.call is None) == (parsed.final is None):
            return "accepted without exactly one call or final message"
        return "accepted with a reason" if parsed.reason else ""
    if parsed.call is not None or parsed.final is not None:
        return "refused, yet there is something to act on"
    return "" if 0 < len(parsed.reason) <= MAX_REASON else f"a reason of {len(parsed.reason)} characters"


def written_anew(parsed: Parsed) -> Problem:
    """What is accepted reads the same after being written in either call form."""
    if not parsed.ok:
        return ""
    for form in FORMS:
        again = parse(render(parsed.messages, call_form=form)[len(START) :], NAMES)
        if again.messages != parsed.messages or not again.well_formed:
            return f"accepted, but written anew ({form}) it is {again.verdict} ({again.reason})"
    return ""


def _beside(text: str, parsed: Parsed) -> Problem:
    """The other ways to read the same text agree."""
    turns = parse_transcript(text, NAMES) if parsed.messages else (parsed,)
    if not all(turn.ok for turn in turns[:-1]):
        return "the transcript goes on behind a refusal"
    if turns[0].messages != parsed.messages:
        return "the first turn of the transcript is another one"
    checked = check_call(parsed, SCHEMAS)
    if checked.verdict not in (parsed.verdict, Verdict.BAD_ARGUMENTS):
        return f"checking arguments made {checked.verdict} of {parsed.verdict}"
    plan = parse_plan_turn(text, NAMES) if parsed.ok else None
    return "a plan is accepted in a turn that is not" if plan and plan.ok and parsed.final is None else ""


def read_plan(text: str) -> tuple[Problem, Verdict]:
    """The same for a plan."""
    plan = parse_plan(text, NAMES)
    if parse_plan(text, NAMES) != plan:
        return "read differently the second time", plan.verdict
    if plan.ok and (parse_plan(render_plan(plan.calls), NAMES) != plan or len(plan.calls) > MAX_CALLS):
        return "accepted, but written anew it is another one", plan.verdict
    if plan.ok != (plain_plan(text, NAMES) is not None):
        return f"read as {plan.verdict} ({plan.reason})", plan.verdict
    if not plan.ok and (plan.calls or not 0 < len(plan.reason) <= MAX_REASON):
        said = f"refused with {len(plan.calls)} calls and a reason of {len(plan.reason)} characters"
        return said, plan.verdict
    return "", plan.verdict


def draft_plan(rng: Random) -> Draft:
    """A plan as it should be, or what is left of one."""
    calls = [(rng.choice((*NAMES, *NAMES, "fly")), hostile.json_text(rng)) for _ in range(rng.randrange(4))]
    inner = ", ".join(f'{{"name": "{name}", "arguments": {arguments}}}' for name, arguments in calls)
    text = f'{{"tool_calls": [{inner}]}}'
    if rng.random() < 0.5:
        return Draft(text, "plan")
    at = rng.randrange(len(text) + 1)
    piece = rng.choice(
        (hostile.words(rng), hostile.json_text(rng), hostile.noise(rng, 20), "", text[at : at + 20] * 2)
    )
    return Draft(text[:at] + piece + text[at + rng.choice((0, 0, 1, 5)) :], "mutated plan")


def draft_of(case: int, seed: int) -> Draft:
    """A case's input: every fifth a plan; of eight, the first is right and the others are mutated from it."""
    rng = Random(f"{seed}/parser/{case}")
    if case % 5 == 4:
        return draft_plan(rng)
    right = right_draft(f"{seed}/right/{case // 8}", NAMES)
    return right if case % 8 == 0 else right.mutated(rng)


def run(cases: range, setting: Setting) -> Found:
    """Draft and read each case."""
    found = Found()
    for case in cases:
        draft = draft_of(case, setting.seed)
        read = _reader(draft)
        problem, verdict, seconds = attempt(draft.text, read)
        found.counts[f"input: {draft.kind}"] += 1
        found.counts[f"verdict: {verdict}"] += 1
        found.note("slowest input, milliseconds of CPU for all readings", 1000 * seconds, case)
        found.note("longest input, characters", len(draft.text), case)
        if problem:
            found.fail(case, problem, ascii(_smallest(draft, read)))
    return found


def _reader(draft: Draft) -> Callable[[str], tuple[Problem, Verdict]]:
    if "plan" in draft.kind:
        return read_plan
    return lambda text: read_turn(text, draft.messages)


def attempt(text: Any, read: Callable[[Any], tuple[Problem, str]]) -> tuple[Problem, str, float]:
    """The problem, the verdict and the seconds of CPU; an exception is a problem like any other."""
    began = time.process_time()
    try:
        with within(1):
            problem, verdict = read(text)
    except Exception as error:  # whatever it is: that is what is looked for
        problem, verdict = f"raised {type(error).__name__}: {error}"[:200], "raised"
    return problem, verdict, time.process_time() - began


def _smallest(draft: Draft, read: Callable[[str], tuple[Problem, Verdict]]) -> str:
    if draft.messages is not None:
        return draft.text  # made smaller it is another right turn than that of `messages`
    return smallest_failing(draft.text, read)


def smallest_failing(text: Any, read: Callable[[Any], tuple[Problem, str]]) -> Any:
    """The part of a failing input that still fails."""
    return smallest(text, lambda part: bool(attempt(part, read)[0]))


PARSER = Trial(
    "parser", "Harmony and plan parser", ABOUT, run, sized(full=1_000_000, quick=1_000), piece=5_000
)
