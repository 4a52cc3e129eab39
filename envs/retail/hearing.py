"""What a customer understands of an agent's message: which things it asks for, and what it is about.

The scripted customer answers only what it is asked. A message is cut into clauses, each held against the
patterns of `envs.retail.agent_words`; topics count only in clauses that ask: "your email was found" asks for
nothing.

    heard = hear("Thanks! Which payment method, and what is the reason for the return?")
    heard.asked    # {"payment", "reason"}

Agents write anything: only the beginning and the end of a long message are read, and nothing here raises.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from envs.retail.agent_words import (
    ASKS,
    CHOICE,
    CHOSEN,
    IDENTITY,
    INSTEAD,
    NEEDED_FIRST,
    OF_ITSELF,
    SHALL_I,
    SIGNALS,
    STATED,
    TOPICS,
    WARNING,
    WRITES,
    YES_OR_NO,
)

HEARD_CHARS = 2_000  # read from the beginning and again from the end of a message

_CLAUSE_ENDS = re.compile(
    r"(?<! \d)(?<=[.!?]) |\n|; "
    r"|,? (?:and|but) (?=(?:(?:also|please|then) ){0,2}"
    r"(?:provide|share|tell|let me know|which|what|how|confirm|do you|would you|may i|could you))"
)
_LIST_ITEM = re.compile(r"(?m)^ ?(?:[-*+\u2022\u2013\u2014]|\(?\d{1,2}[.)]) ")
_PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "*": None, "`": None}
    | {chr(code): "-" for code in range(0x2010, 0x2016)}
)


@dataclass(frozen=True)
class Heard:
    """What a message asks for and does."""

    asked: frozenset[str] = frozenset()  # keys of TOPICS
    signals: frozenset[str] = frozenset()  # keys of SIGNALS
    confirm: bool = False  # a yes or no is wanted
    instead: bool = False  # ... about something else than was asked for
    question: bool = False  # it asks something, understood or not
    empty: bool = False


@dataclass
class _Listening:
    asked: set[str] = field(default_factory=set)
    signals: set[str] = field(default_factory=set)
    confirm: bool = False
    instead: bool = False
    question: bool = False
    mentioned: frozenset[str] = frozenset()  # topics of the latest clause that had any
    listing: str = ""  # inside a list of things to "ask" or to "confirm"


def hear(text: str) -> Heard:
    """Understand one message of the agent."""
    now = _Listening()
    for clause in _clauses(text):
        _listen(now, clause)
    _end_list(now)
    if now.asked & IDENTITY or ("address" in now.asked and len(now.asked) > 1):
        now.asked.discard("identity")
    return Heard(
        frozenset(now.asked), frozenset(now.signals), now.confirm, now.instead, now.question, not text.strip()
    )


def _clauses(text: str) -> Iterator[str]:
    """Cut a message into clauses, after making its many ways to write a quote or a dash one."""
    if len(text) > 2 * HEARD_CHARS:
        text = f"{text[:HEARD_CHARS]}\n{text[-HEARD_CHARS:]}"
    text = re.sub(r"[^\S\n]+", " ", unicodedata.normalize("NFKC", text)[: 4 * HEARD_CHARS])
    text = _LIST_ITEM.sub("- ", text).translate(_PLAIN).lower()
    for clause in _CLAUSE_ENDS.split(text):
        if clause and not clause.isspace():
            yield clause.strip()


def _listen(now: _Listening, clause: str) -> None:
    """Take in one clause."""
    signals, topics = _signals(clause), _topics(clause)
    now.signals |= signals
    if now.listing and (clause.startswith("- ") or (len(clause) < 60 and clause[-1] not in ".!?")):
        _listen_in_list(now, clause, topics)
        return
    _end_list(now)
    bare = OF_ITSELF.sub("", clause)
    if "anything else" in signals or not ASKS.search(bare):
        now.mentioned = topics or now.mentioned
        return
    if "all of it" in signals:  # answered by itself; only an explicit yes is more than that
        now.question, now.confirm = True, now.confirm or bool(re.search(r"\byes\b", clause))
        return
    now.question = True
    _listen_to_question(now, bare, topics)


def _listen_in_list(now: _Listening, clause: str, topics: frozenset[str]) -> None:
    """A line of a list: a thing to tell, or (with its value) a thing to say yes to."""
    if now.listing == "confirm" and STATED.search(clause) and not CHOICE.search(clause):
        now.confirm = True
    else:
        now.asked |= topics


def _end_list(now: _Listening) -> None:
    """What was listed for a yes, and asked for nothing else, wants one."""
    now.confirm |= now.listing == "confirm" and not now.asked
    now.listing = ""


def _listen_to_question(now: _Listening, clause: str, topics: frozenset[str]) -> None:
    """A clause that asks: for a yes, for topics, or for what was mentioned before it."""
    opens_list = clause.endswith(":")
    if _wants_yes(clause, topics):
        if not YES_OR_NO.search(clause):  # "shall I refund it to your card?" is best answered with both
            now.asked |= topics & {"payment", "reason", "address"}
        now.instead |= bool(INSTEAD.search(clause))
        now.listing = "confirm" if opens_list and not YES_OR_NO.search(clause) else ""
        now.confirm |= not now.listing
        return
    now.listing = "ask" if opens_list else ""
    now.instead |= bool(INSTEAD.search(clause)) and not topics
    now.asked |= topics or (frozenset() if opens_list else now.mentioned & CHOSEN)
    if not now.asked and SHALL_I.search(clause):
        now.asked.add("wish")  # "would you like to cancel it or to return it?"


def _wants_yes(clause: str, topics: frozenset[str]) -> bool:
    """Whether yes or no answers the clause; never for who one is, which is answered with the fact itself."""
    writes = WRITES.search(clause)
    if topics & (IDENTITY | {"identity"}) and not writes:
        return False
    if YES_OR_NO.search(clause):
        return True
    if re.search(r"\bconfirm\b", clause):
        return not topics or bool(STATED.search(clause) and not CHOICE.search(clause))
    if "payment" in topics and not writes:
        return False  # "would you like it on your gift card?"
    return bool(SHALL_I.search(clause)) and not CHOICE.search(clause)


def _topics(clause: str) -> frozenset[str]:
    found = {topic for topic, pattern in TOPICS.items() if pattern.search(clause)}
    if "address" in found and "name" not in found:
        found.discard("zip")  # a part of the address, not the customer's own zip code
    if "wish" in found and len(found) > 1:
        found.discard("wish")  # "what would you like to exchange it for?" asks for the items
    return frozenset(found)


def _signals(clause: str) -> frozenset[str]:
    found = {signal for signal, pattern in SIGNALS.items() if pattern.search(clause)}
    if "handed over" in found and "?" in clause:
        found.discard("handed over")
    warns = WARNING.search(clause) and "unfortunately" not in clause
    if warns or "not found" in found or re.search(NEEDED_FIRST, clause):
        found.discard("refused")
    if "all of it" in found:
        found.discard("anything else")
    return frozenset(found)
