"""The scripted customer an agent talks to: deterministic, and tells what it is asked for.

    customer = ScriptedCustomer()
    customer.reset(task)                                    # "I'd like to cancel order #W1234567."
    customer.step("May I have your name and zip code?")     # "My name is Ana Lopez and my zip code is 12345."
    customer.step("It has been cancelled. Anything else?")  # "###STOP###"

A scripted customer costs nothing, answers the same to the same words, and so takes the noise of a simulated
customer out of training and measurements. It knows `task.query` and `task.facts` and says nothing else:

    name, zip, email, user_id, reason, payment_method, address, items    told when asked for
    order_ids       list, told when asked for
    preferences     list of wishes the query withheld, told one by one when something is not possible or the
                    agent asks what else is wanted; "if that is not possible, ..." not after a success
    confirm         "yes" (default), "no", or the words to say; confirm_note is said along with it

`envs.retail.llm_customer` has a customer with the same methods that a language model plays.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

from envs.retail.environment import STOP
from envs.retail.hearing import Heard, hear
from envs.retail.tasks import Task

MAX_TURNS = 24  # then the customer leaves, whatever the agent does
PATIENCE = 3  # messages in a row that neither ask nor report anything

# What is asked for -> the fact that answers it, as a clause and as a whole sentence (those that stand alone).
_CLAUSES = {
    "name": ("name", "my name is {}"),
    "zip": ("zip", "my zip code is {}"),
    "email": ("email", "my email is {}"),
    "user_id": ("user_id", "my user ID is {}"),
    "order": ("order_ids", "my order number is {}"),
    "reason": ("reason", "the reason is: {}"),
    "payment": ("payment_method", "please use {}"),
    "address": ("address", "the address is {}"),
    "items": ("items", "{}"),
}
_SPOKEN = {
    "name": "name",
    "zip": "zip code",
    "email": "email",
    "user_id": "user ID",
    "order": "order number",
    "address": "address",
}
# Signs that the query has already told what the facts leave out; then the customer says the query again.
_IN_QUERY = {
    "name": re.compile(r"(?i)\b(?:my name is|i am|i'm|this is|your name is)\b"),
    "zip": re.compile(r"\b\d{5}\b"),
    "email": re.compile(r"\w@\w"),
    "user_id": re.compile(r"\b[a-z]+_[a-z]+_\d{4}\b"),
    "order": re.compile(r"#W\d"),
    "reason": re.compile(r"(?i)no longer need|mistake|because"),
    "payment": re.compile(r"(?i)paypal|\bcards?\b|_\d{7}|payment method"),
    "address": re.compile(r"\b\d{5}\b"),
    "items": re.compile(""),  # what is wanted is what the query is about
    "wish": re.compile(""),
}
_FALLBACK = re.compile(
    r"(?i)^\W*(?:otherwise|failing that|else\b|alternatively)"
    r"|\b(?:if|in case|should|when|unless)\b.{0,80}?(?:\bno\b|\bnot\b|n't\b|cannot|unavailable|impossible"
    r"|out of stock|sold out|unable|insufficient|fails?\b|declined|too (?:low|little|expensive))"
)
_OPEN_TO_WISHES = frozenset({"items", "payment", "wish", "address"})  # what a refusal may leave open


class ScriptedCustomer:
    """Answers what it is asked from the task's facts; deterministic, and never at a loss for an end.

    It trusts the agent: asked to confirm, it says what `confirm` says without checking the details.
    """

    __slots__ = ("_facts", "_over", "_query", "_served", "_told", "_turns", "_unclear")

    def __init__(self) -> None:
        self._begin("", {})

    def _begin(self, query: str, facts: Mapping[str, Any]) -> None:
        self._query, self._facts = query, facts
        self._told: list[int] = []  # which preferences have been told, in that order
        self._turns = self._unclear = 0
        self._served = False  # something has been reported done: "if that is not possible" is settled
        self._over = False

    def reset(self, task: Task) -> str:
        """Begin with a task; the first words are its query."""
        self._begin(task.query, task.facts)
        return task.query

    def step(self, agent_text: str) -> str:
        """Answer one message of the agent; `###STOP###` ends the conversation."""
        self._turns += 1
        if self._over or self._turns > MAX_TURNS:
            return self._stop()
        heard = hear(agent_text) if isinstance(agent_text, str) else Heard(empty=True)
        self._served |= "done" in heard.signals
        reply = self._answer(heard) or self._react(heard)
        if reply:
            self._unclear = 0
            return reply
        self._unclear += 1
        return self._stop() if self._unclear >= PATIENCE else _puzzled(heard)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON; holds what the customer knows, so no task is needed."""
        return {
            "query": self._query,
            "facts": copy.deepcopy(dict(self._facts)),
            "told": list(self._told),
            "turns": self._turns,
            "unclear": self._unclear,
            "served": self._served,
            "over": self._over,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self._begin(state["query"], copy.deepcopy(state["facts"]))
        self._told = list(state["told"])
        self._turns, self._unclear = state["turns"], state["unclear"]
        self._served, self._over = state["served"], state["over"]

    def _stop(self) -> str:
        self._over = True
        return STOP

    def _answer(self, heard: Heard) -> str:
        """What is said to a message that asks for something; "" if nothing in it was understood."""
        if "handed over" in heard.signals:
            return self._stop()
        asked = heard.asked
        if "not found" in heard.signals and not asked:
            asked = frozenset({"identity"})
        if "done" in heard.signals:
            asked = asked - {"wish"}  # "done! how can I help you further?"
        open_to_wishes = asked <= _OPEN_TO_WISHES and (asked or heard.confirm)
        if "refused" in heard.signals and open_to_wishes and (wish := self._next_wish(fallbacks=True)):
            return wish
        if "hand-over offered" in heard.signals and heard.question and not asked:
            return "If you cannot help me with it yourself, yes, please."
        parts = [self._confirmation(heard)] if heard.confirm else []
        parts += self._told_about(asked)
        if parts and "all of it" in heard.signals:
            parts.append("That is everything.")
        return " ".join(parts)

    def _react(self, heard: Heard) -> str:
        """What is said to a message that reports, refuses or asks what else; "" if it does not."""
        fallbacks = "refused" in heard.signals or not self._served
        if "all of it" in heard.signals and "done" not in heard.signals:
            return self._next_wish(fallbacks) or "That is everything."
        if heard.signals & {"done", "refused", "anything else", "goodbye"}:
            return self._next_wish(fallbacks) or self._stop()
        return ""

    def _confirmation(self, heard: Heard) -> str:
        if heard.instead and "refused" in heard.signals:
            return "No, thank you, then I leave it at that."  # an offer that nobody asked for
        word = _text(self._facts.get("confirm")) or "yes"
        spoken = {"yes": "Yes, please go ahead.", "no": "No, please do not do that."}.get(word.lower(), word)
        return f"{spoken} {_text(self._facts.get('confirm_note'))}".strip()

    def _next_wish(self, fallbacks: bool) -> str:
        """The next preference that fits and has not been told; remembers it as told."""
        for index, wish in enumerate(self._preferences()):
            if index not in self._told and (fallbacks or not _FALLBACK.search(wish)):
                self._told.append(index)
                return wish
        return ""

    def _preferences(self) -> list[str]:
        return _texts(self._facts.get("preferences"))

    def _told_about(self, asked: frozenset[str]) -> list[str]:
        """Sentences about what was asked for: facts, then what the query says, then what is unknown."""
        asked = self._identity(asked)
        known = [(topic, fact) for topic in _CLAUSES if topic in asked and (fact := self._fact(topic))]
        missing = [topic for topic in _IN_QUERY if topic in asked and topic not in dict(known)]
        wishes = [wish for index, wish in enumerate(self._preferences()) if index in self._told]
        if "items" in missing and not wishes and (wish := self._next_wish(fallbacks=True)):
            wishes = [wish]
        sentences = _sentences(known) + (wishes if asked & {"items", "wish"} else [])
        repeat = [topic for topic in missing if self._query and _IN_QUERY[topic].search(self._query)]
        if repeat:
            sentences.append(self._query if repeat == ["wish"] else f"As I said: {self._query}")
        return sentences + _unknown([topic for topic in missing if topic not in repeat])

    def _identity(self, asked: frozenset[str]) -> frozenset[str]:
        """Asked who they are in general, customers tell what they have: not all of it is needed."""
        if "identity" not in asked:
            return asked
        known = {topic for topic in ("name", "zip", "email") if self._fact(topic)}
        return (asked - {"identity"}) | (known or {"name", "zip"})

    def _fact(self, topic: str) -> str:
        return _and(_texts(self._facts.get(_CLAUSES[topic][0])))


def _sentences(known: list[tuple[str, str]]) -> list[str]:
    """Facts as English: who one is in one sentence, the rest in one sentence each."""
    who, rest = [], []
    for topic, fact in known:
        clause = _CLAUSES[topic][1].format(fact)
        if topic == "order" and " and " in fact:
            clause = f"my order numbers are {fact}"
        (who if clause.startswith("my ") else rest).append(clause)
    return [_sentence(clause) for clause in ([_and(who)] if who else []) + rest]


def _unknown(topics: list[str]) -> list[str]:
    """What a customer says who does not know, or does not mind."""
    sentences = []
    absent = [_SPOKEN[topic] for topic in topics if topic in _SPOKEN]
    if absent:
        sentences.append(f"I don't have my {_and(absent, 'or')} at hand.")
    if "payment" in topics:
        sentences.append("I have no preference about the payment method.")
    if "reason" in topics:
        sentences.append("I have no particular reason.")
    return sentences


def _puzzled(heard: Heard) -> str:
    if heard.empty:
        return "Sorry, I did not get that."
    return "I don't have that at hand." if heard.question else "All right. What do you need from me?"


def _sentence(clause: str) -> str:
    clause = clause[:1].upper() + clause[1:]
    return clause if clause.endswith((".", "!", "?")) else f"{clause}."


def _and(words: list[str], word: str = "and") -> str:
    return f"{', '.join(words[:-1])} {word} {words[-1]}" if len(words) > 1 else "".join(words)


def _text(value: Any) -> str:
    """A fact as words; files from elsewhere may hold numbers, or nothing."""
    return "" if value is None else str(value).strip()


def _texts(value: Any) -> list[str]:
    values: Iterable[Any] = value if isinstance(value, list | tuple) else [value]
    return [text for text in map(_text, values) if text]
