"""One question to a language model behind an OpenAI-compatible address, asked until answered or hopeless.

    endpoint = ChatEndpoint("gpt-4o-mini")                           # key from OPENAI_API_KEY
    endpoint = ChatEndpoint("qwen3", "http://localhost:8000/v1")     # vLLM, Ollama: no key needed
    endpoint.complete([{"role": "user", "content": "Hello"}])        # -> str
    endpoint.usage                                                   # tokens, summed over all answers

What passes (too many requests, server errors, timeouts, half a body, JSON that is none) is tried again, later
each time and as late as `Retry-After` says; what never will (wrong key, unknown model) fails at once. How one
attempt goes is in `envs.retail.http_post`.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from envs.retail.http_post import CustomerError, PassingError, Server

OPENAI = "https://api.openai.com/v1"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts; the server may ask for up to PATIENCE
PATIENCE = 120.0


@dataclass(frozen=True)
class Usage:
    """What the answers have cost so far."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatEndpoint:
    """A model behind `base_url`/chat/completions; safe to share between threads."""

    def __init__(
        self,
        model: str,
        base_url: str = OPENAI,
        *,
        api_key: str | None = None,
        temperature: float | None = None,
        seed: int | None = None,
        timeout: float = 60.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ):
        """Check what can be checked without asking.

        Args:
            model: The model's name at the endpoint.
            base_url: The address up to and with /v1.
            api_key: Default: OPENAI_API_KEY, which goes to public addresses only. Local ones need none.
            temperature: Passed on if given; else the endpoint's own default holds.
            seed: Passed on if given.
            timeout: Seconds one attempt may take, from connecting to the last byte.
            attempts: How often one question is asked at most.
            sleep: What waits between attempts (for tests).
        """
        self._server = Server(base_url, api_key, timeout)
        self.model, self.base_url = model, self._server.base_url
        if attempts < 1 or timeout <= 0:
            raise CustomerError(f"attempts={attempts} and timeout={timeout} must be above zero")
        self.attempts, self._sleep = attempts, sleep
        self._options = {"temperature": temperature, "seed": seed}
        self._usage, self._lock = Usage(), threading.Lock()
        self._jitter = random.Random()  # its own: waiting must not disturb anybody's seeded numbers

    def __repr__(self) -> str:
        return f"ChatEndpoint({self.model!r}, {self._server!r})"

    @property
    def usage(self) -> Usage:
        """Requests answered and tokens used, over the endpoint's whole life."""
        with self._lock:
            return self._usage

    def complete(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> str:
        """The model's answer to a conversation; raises `CustomerError` when there is none to be had.

        Args:
            messages: The conversation.
            more: Options of this one question, beside the endpoint's own.
        """
        options = {name: value for name, value in (self._options | more).items() if value is not None}
        body = json.dumps({"model": self.model, "messages": list(messages), **options}).encode()
        for attempt in count(1):
            try:
                return self._content(self._server.post("chat/completions", body))
            except PassingError as error:
                if attempt >= self.attempts:
                    raise CustomerError(self._given_up(error)) from error
                self._sleep(self._pause(attempt, error.pause))

    def _given_up(self, error: PassingError) -> str:
        return (
            f"{self.base_url} did not answer in {self.attempts} attempts, at last: {error}; "
            "check that the server is up, raise timeout= or attempts=, or run fewer episodes at once"
        )

    def _pause(self, attempt: int, asked_for: float | None) -> float:
        """Twice as long each time, at random between half and all of it, never before the server's time."""
        if asked_for is not None and asked_for > PATIENCE:
            raise CustomerError(
                f"{self.base_url} asks to wait {asked_for:.0f} s (limit {PATIENCE:.0f} s): try again then, "
                "or use a model with a larger quota"
            )
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
        return (asked_for or 0.0) + longest * self._jitter.uniform(0.5, 1.0)

    def _content(self, body: bytes) -> str:
        """The text of the first choice; counts the tokens."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise PassingError(f"the answer is not JSON: {self._server.quoted(body)}") from None
        usage = answer.get("usage") if isinstance(answer, dict) else None
        self._count(usage if isinstance(usage, dict) else {})
        try:
            content = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise PassingError(f"the answer has no choices: {self._server.quoted(body)}") from None
        if not isinstance(content, str) or not content.strip():
            raise PassingError("the answer is empty")
        return content

    def _count(self, usage: Mapping[str, Any]) -> None:
        with self._lock:
            old = self._usage
            self._usage = Usage(
                old.requests + 1,
                old.prompt_tokens + _tokens(usage.get("prompt_tokens")),
                old.completion_tokens + _tokens(usage.get("completion_tokens")),
            )


def _tokens(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
