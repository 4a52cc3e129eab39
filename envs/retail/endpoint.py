"""One question to a language model behind an OpenAI-compatible address, asked until answered or hopeless.

    endpoint = ChatEndpoint("gpt-4o-mini")                           # key from OPENAI_API_KEY
    endpoint = ChatEndpoint("qwen3", "http://localhost:8000/v1")     # vLLM, Ollama: no key needed
    endpoint.complete([{"role": "user", "content": "Hello"}])        # -> str
    endpoint.usage                                                   # tokens, summed over all answers

Standard library on purpose: one POST with JSON needs no HTTP package, and the shop keeps no dependencies.
What passes (too many requests, server errors, timeouts, half a body, JSON that is none) is tried again, later
each time and as late as `Retry-After` says; what never will (wrong key, unknown model) fails at once.
"""

import email.utils
import http.client
import ipaddress
import json
import os
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

OPENAI = "https://api.openai.com/v1"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts; the server may ask for up to PATIENCE
PATIENCE = 120.0
LARGEST_ANSWER = 8_000_000  # bytes

_FIXES = {
    400: "the model may not take `temperature` or `seed`: leave them out",
    401: "the key is wrong: set OPENAI_API_KEY or pass api_key=",
    403: "the key may not use this model: check the account's permissions",
    404: "check `model` and `base_url` (it usually ends in /v1)",
}


class CustomerError(RuntimeError):
    """The model that plays the customer cannot be had; the message says what to do about it."""


class _PassingError(Exception):
    """Worth another attempt, not before `pause` seconds if the server named them."""

    def __init__(self, reason: str, pause: float | None = None):
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Usage:
    """What the answers have cost so far."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key would travel along to wherever it points."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


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
        self.model, self.base_url = model, base_url.rstrip("/")
        host = _host(self.base_url)
        self._key = _checked_key(api_key if api_key or _is_local(host) else os.environ.get("OPENAI_API_KEY"))
        if not self._key and not _is_local(host):
            raise CustomerError(
                f"{host} needs a key: set OPENAI_API_KEY, pass api_key=, or serve a model yourself and pass "
                'base_url="http://localhost:8000/v1" (or use ScriptedCustomer, which needs no model)'
            )
        if attempts < 1 or timeout <= 0:
            raise CustomerError(f"attempts={attempts} and timeout={timeout} must be above zero")
        self.timeout, self.attempts, self._sleep = timeout, attempts, sleep
        self._options = {"temperature": temperature, "seed": seed}
        proxies = {} if _is_local(host) else urllib.request.getproxies()
        self._opener = _opener(tuple(sorted(proxies.items())))
        self._usage, self._lock = Usage(), threading.Lock()
        self._jitter = random.Random()  # its own: waiting must not disturb anybody's seeded numbers

    def __repr__(self) -> str:
        return f"ChatEndpoint({self.model!r}, {self.base_url!r}, api_key={'***' if self._key else None})"

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
        for attempt in range(1, self.attempts + 1):
            try:
                return self._content(self._post(body))
            except _PassingError as error:
                if attempt == self.attempts:
                    raise CustomerError(self._given_up(error)) from error
                self._sleep(self._pause(attempt, error.pause))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _given_up(self, error: _PassingError) -> str:
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

    def _post(self, body: bytes) -> bytes:
        """One attempt."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self.base_url}/chat/completions", body, headers, method="POST")
        deadline = time.monotonic() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return _read_all(response, deadline)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, deadline) from None
        except urllib.error.URLError as error:
            raise _PassingError(f"no connection ({error.reason})") from None
        except TimeoutError:
            raise _PassingError(f"no answer within {self.timeout:g} s") from None
        except (http.client.HTTPException, OSError) as error:
            raise _PassingError(f"the connection broke ({type(error).__name__})") from None

    def _refusal(self, error: urllib.error.HTTPError, deadline: float) -> Exception:
        """The exception an HTTP status deserves."""
        try:
            said = _read_all(error, deadline)[:2_000].decode("utf-8", "replace")
        except (_PassingError, http.client.HTTPException, OSError):
            said = ""  # the status alone decides
        for key in filter(None, (self._key, os.environ.get("OPENAI_API_KEY"))):
            said = said.replace(key, "***")
        said = " ".join(said.split())[:300]
        status = f"status {error.code} {said}".strip()
        passing = error.code in (408, 409, 425, 429) or error.code >= 500
        if passing and "insufficient_quota" not in said:
            return _PassingError(status, _retry_after(error.headers.get("Retry-After")))
        if 300 <= error.code < 400:
            fix = f"it redirects to {error.headers.get('Location')}: use that address as base_url"
        elif "insufficient_quota" in said:
            fix = "the account has no credit left: add some, or use another key"
        else:
            fix = _FIXES.get(error.code, "check base_url and model")
        return CustomerError(f"{self.base_url} refused: {fix} ({status})")

    def _content(self, body: bytes) -> str:
        """The text of the first choice; counts the tokens."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise _PassingError(f"the answer is not JSON: {body[:80]!r}") from None
        usage = answer.get("usage") if isinstance(answer, dict) else None
        self._count(usage if isinstance(usage, dict) else {})
        try:
            content = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise _PassingError(f"the answer has no choices: {body[:200]!r}") from None
        if not isinstance(content, str) or not content.strip():
            raise _PassingError("the answer is empty")
        return content

    def _count(self, usage: Mapping[str, Any]) -> None:
        with self._lock:
            old = self._usage
            self._usage = Usage(
                old.requests + 1,
                old.prompt_tokens + _tokens(usage.get("prompt_tokens")),
                old.completion_tokens + _tokens(usage.get("completion_tokens")),
            )


@lru_cache(maxsize=16)
def _opener(proxies: tuple[tuple[str, str], ...]) -> urllib.request.OpenerDirector:
    """What opens connections, shared by all endpoints: making one reads all certificates anew, some 50 ms."""
    return urllib.request.build_opener(_StayHere(), urllib.request.ProxyHandler(dict(proxies)))


def _tokens(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _read_all(response: Any, deadline: float) -> bytes:
    """The whole body, by the deadline: a socket's own timeout starts anew with every byte."""
    parts, size = [], 0
    while part := response.read1(65_536):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
        if size > LARGEST_ANSWER:
            raise _PassingError(f"the answer is longer than {LARGEST_ANSWER:,} bytes")
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and size < int(announced):
        raise _PassingError(f"only {size} of {announced} bytes arrived")
    return b"".join(parts)


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date."""
    if not value:
        return None
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _host(base_url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(base_url)
    except ValueError:  # such as brackets that do not close
        parts = urllib.parse.urlsplit("")
    if "@" in base_url or parts.query or parts.fragment:  # it would stand in every log and run folder
        raise CustomerError(
            "the address holds a user, a password or a query: give the address up to and with /v1 alone, and "
            "the key as OPENAI_API_KEY or api_key="
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CustomerError(f'base_url={base_url!r} must look like "http://localhost:8000/v1"')
    return parts.hostname


def _is_local(host: str) -> bool:
    """Whether a host is this machine or its own network, where servers usually ask for no key."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def _checked_key(key: str | None) -> str | None:
    """A key that can stand in a header; what is wrong with it is said without showing it."""
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise CustomerError("the key holds spaces, line breaks or non-ASCII characters: copy it again")
    return key or None
