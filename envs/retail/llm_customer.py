"""A customer played by a language model, with the four ways of playing that tau-bench published.

    customer = LLMCustomer("gpt-4o", strategy="llm")                        # needs OPENAI_API_KEY
    customer = LLMCustomer("qwen3", base_url="http://localhost:8000/v1")    # vLLM, Ollama, ...
    customer.reset(task)            # the first words
    customer.step("Your name?")     # a reply; holds "###STOP###" when the customer is done

The strategies, from cheap to dear (model calls a turn):

    llm          1       say it
    react        1 - 3   think first; the agent hears only the reply, and where there is none it thinks again
    verify       2 - 6   a second look judges each reply before it is said, three drafts at most
    reflection   2 - 5   a rejected reply is criticised and written once more

We differ from upstream where upstream is wrong, and only there; each place says so ("Upstream ...").
The model is told what the task's customer knows (`envs.retail.customer_role`) and never the gold actions.
The method is the published one; scores are comparable with others' only for the same model and strategy.
"""

import copy
import re
from collections.abc import Callable
from typing import Any

from envs.retail.customer_role import REFLECT, RULES, THINK_FIRST, VERIFY, describe_customer
from envs.retail.endpoint import OPENAI, ChatEndpoint, CustomerError, Usage
from envs.retail.environment import STOP
from envs.retail.tasks import Task

GREETING = "Hi! How can I help you today?"  # what the model hears first; the agent's history does not hold it
VERIFY_DRAFTS = 3
REACT_DRAFTS = 3
LONGEST_MESSAGE = 20_000  # characters of what the agent said that reach the model

Message = dict[str, str]


class LLMCustomer:
    """A customer whose words come from a model; one object per episode, as many at a time as you like.

    A failed call raises `CustomerError` and leaves the conversation as it was: the step can be tried again.
    Upstream spends a model call (two for react) when the customer is made; here the first one is `reset`'s.
    """

    def __init__(
        self,
        model: str,
        base_url: str = OPENAI,
        *,
        strategy: str = "llm",
        endpoint: ChatEndpoint | None = None,
        **options: Any,
    ):
        """Choose who plays and how.

        Args:
            model: The model's name at the endpoint.
            base_url: The endpoint's address up to and with /v1.
            strategy: "llm", "react", "verify" or "reflection".
            endpoint: A ready endpoint shared by many customers, so that its `usage` sums them all up.
            options: As for `ChatEndpoint`: api_key, temperature, seed, timeout, attempts.
        """
        if strategy not in STRATEGIES:
            raise CustomerError(f'strategy "{strategy}" is unknown; choose one of {", ".join(STRATEGIES)}')
        self.strategy = strategy
        self.endpoint = endpoint or ChatEndpoint(model, base_url, **options)
        self._customer, self._history, self._over = "", [], False

    def __repr__(self) -> str:
        return f"LLMCustomer(strategy={self.strategy!r}, endpoint={self.endpoint!r})"

    @property
    def usage(self) -> Usage:
        """Requests and tokens of all calls so far, checks and rejected drafts included."""
        return self.endpoint.usage

    def reset(self, task: Task) -> str:
        """Begin with a task; the model says the first words."""
        self._customer, self._history, self._over = describe_customer(task), [], False
        return self.step(GREETING)

    def step(self, agent_text: str) -> str:
        """Answer one message of the agent."""
        if self._over:
            return STOP
        history = [*self._history, {"role": "user", "content": _clean(agent_text)[:LONGEST_MESSAGE]}]
        said, stored = STRATEGIES[self.strategy](self, history)
        self._history = [*history, {"role": "assistant", "content": stored}]
        self._over = STOP in said
        return said

    def state(self) -> dict[str, Any]:
        """The conversation as JSON, to go on with later; no key, no address."""
        return {
            "strategy": self.strategy,
            "customer": self._customer,
            "history": copy.deepcopy(self._history),
            "over": self._over,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of a customer with the same strategy."""
        if state["strategy"] != self.strategy:
            raise CustomerError(
                f'the state is of strategy "{state["strategy"]}": restore it into a customer of that strategy'
            )
        self._customer, self._over = state["customer"], state["over"]
        self._history = copy.deepcopy(state["history"])

    def _llm(self, history: list[Message]) -> tuple[str, str]:
        """Say what the model says."""
        said = self._draft(history)
        return said, said

    def _react(self, history: list[Message]) -> tuple[str, str]:
        """Think, then say; the thought stays in the customer's own history and never reaches the agent.

        Upstream returns everything after `Thought:`, so the agent reads the thought; it also ends the episode
        when a thought merely mentions the stop word, and fails on a second `Thought:`.
        """
        for _ in range(REACT_DRAFTS):
            written = self._draft(history, THINK_FIRST)
            said = _response(written)
            if said:
                return said, written
        raise CustomerError(
            f"{self.endpoint.model} wrote no 'User Response:' in {REACT_DRAFTS} drafts: "
            'use a stronger model or strategy="llm"'
        )

    def _verify(self, history: list[Message]) -> tuple[str, str]:
        """Say the first draft that passes the check, or the last one.

        Upstream shows the checker the two speakers with their names swapped, takes "untrue" for "true", and
        forgets a third draft that failed the check although the agent was given it.
        """
        for _ in range(VERIFY_DRAFTS):
            said = self._draft(history)
            if self._passes(history, said):
                break
        return said, said

    def _reflection(self, history: list[Message]) -> tuple[str, str]:
        """Rewrite a rejected draft once with a critique; if that is rejected too, the first one is said.

        Upstream keeps both drafts in the history, though the agent heard one; here only what was said stays.
        """
        first = self._draft(history)
        if self._passes(history, first):
            return first, first
        advice = _after("Response:", self._ask(REFLECT, history, first))
        hint = f"(A note from your coach, not from the agent. Better say: {advice})"
        asked_again = [{"role": "assistant", "content": first}, {"role": "user", "content": hint}]
        second = self._draft([*history, *asked_again])
        said = second if self._passes(history, second) else first
        return said, said

    def _draft(self, history: list[Message], form: str = "") -> str:
        system = RULES.replace("{customer}", self._customer) + form
        return _without_thinking(self.endpoint.complete([{"role": "system", "content": system}, *history]))

    def _passes(self, history: list[Message], draft: str) -> bool:
        """Whether the check accepts a draft; anything but a clear "true" at the end does not."""
        words = re.findall(r"[a-z]+", self._ask(VERIFY, history, draft).lower())
        verdicts = [word for word in words if word in ("true", "false")]
        return bool(verdicts) and verdicts[-1] == "true"

    def _ask(self, question: str, history: list[Message], draft: str) -> str:
        """Ask the same model about a draft, outside the conversation."""
        parts = {
            "customer": self._customer,
            "transcript": "\n".join(f"{_SPEAKER[line['role']]}: {line['content']}" for line in history),
            "draft": draft,
            "stop": STOP,
        }
        # In one pass: the words that are put in may hold braces, too.
        text = re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], question)
        return _without_thinking(self.endpoint.complete([{"role": "user", "content": text}]))


STRATEGIES: dict[str, Callable[[LLMCustomer, list[Message]], tuple[str, str]]] = {
    "llm": LLMCustomer._llm,
    "react": LLMCustomer._react,
    "verify": LLMCustomer._verify,
    "reflection": LLMCustomer._reflection,
}  # each returns what the agent hears and what the history keeps
_SPEAKER = {"user": "Agent", "assistant": "Customer"}


def _response(written: str) -> str:
    """What is meant for the agent: the text after the last header, or all of it if it has no form at all."""
    if re.search(r"(?i)\buser response:", written):
        said = re.split(r"(?i)\buser response:", written)[-1].strip()
        return re.split(r"(?i)\bthought:", said)[0].strip()
    return "" if re.search(r"(?i)\bthought:", written) else written


def _after(header: str, text: str) -> str:
    return text.rpartition(header)[2].strip() or text


def _without_thinking(text: str) -> str:
    """The answer without the reasoning some servers leave in front of it."""
    return _clean(re.sub(r"(?s)^.*</think>", "", text)).strip() or _clean(text).strip()


def _clean(text: str) -> str:
    """Text that can travel: half a surrogate pair is no valid UTF-8, and servers refuse it."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
