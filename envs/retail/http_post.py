"""One POST of JSON to a server: the answer's bytes, or an error that says whether asking again can help.

    server = Server("http://localhost:8000/v1", api_key=None, timeout=60.0)
    server.post("chat/completions", b"{...}")       # bytes, PassingError, or CustomerError with what to do

Standard library on purpose: one POST needs no HTTP package, and the shop keeps no dependencies. The key goes
to the given address alone, and into no message, log or file.
"""

import email.utils
import http.client
import ipaddress
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from functools import lru_cache
from typing import Any

LARGEST_ANSWER = 8_000_000  # bytes

_FIXES = {
    400: "the model may not take `temperature` or `seed`: leave them out",
    401: "the key is wrong: set OPENAI_API_KEY or pass api_key=",
    403: "the key may not use this model: check the account's permissions",
    404: "check `model` and `base_url` (it usually ends in /v1)",
}


class CustomerError(RuntimeError):
    """The model that plays the customer cannot be had; the message says what to do about it."""


class PassingError(Exception):
    """Worth another attempt, not before `pause` seconds if the server named them."""

    def __init__(self, reason: str, pause: float | None = None):
        super().__init__(reason)
        self.pause = pause


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key would travel along to wherever it points."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Server:
    """An address with its key; safe to share between threads."""

    def __init__(self, base_url: str, api_key: str | None, timeout: float):
        self.base_url, self.timeout = base_url.rstrip("/"), timeout
        host = _host(self.base_url)
        local = _is_local(host)
        self._key = _checked_key(api_key if api_key or local else os.environ.get("OPENAI_API_KEY"))
        if not self._key and not local:
            raise CustomerError(
                f"{host} needs a key: set OPENAI_API_KEY, pass api_key=, or serve a model yourself and pass "
                'base_url="http://localhost:8000/v1" (or use ScriptedCustomer, which needs no model)'
            )
        proxies = {} if local else urllib.request.getproxies()
        self._opener = _opener(tuple(sorted(proxies.items())))

    def __repr__(self) -> str:
        return f"Server({self.base_url!r}, api_key={'***' if self._key else None})"

    def post(self, path: str, body: bytes) -> bytes:
        """The whole answer, by the deadline."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self.base_url}/{path}", body, headers, method="POST")
        deadline = time.monotonic() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return _read_all(response, deadline)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, deadline) from None
        except urllib.error.URLError as error:
            raise PassingError(f"no connection ({error.reason})") from None
        except TimeoutError:
            raise PassingError(f"no answer within {self.timeout:g} s") from None
        except (http.client.HTTPException, OSError) as error:
            raise PassingError(f"the connection broke ({type(error).__name__})") from None

    def quoted(self, body: bytes) -> str:
        """What a body says, for messages: short, and without the key, which some servers repeat."""
        said = body[:2_000].decode("utf-8", "replace")
        for key in filter(None, (self._key, os.environ.get("OPENAI_API_KEY"))):
            said = said.replace(key, "***")
        return " ".join(said.split())[:300]

    def _refusal(self, error: urllib.error.HTTPError, deadline: float) -> Exception:
        """The exception an HTTP status deserves."""
        try:
            said = self.quoted(_read_all(error, deadline))
        except (PassingError, http.client.HTTPException, OSError):
            said = ""  # the status alone decides
        status = f"status {error.code} {said}".strip()
        passing = error.code in (408, 409, 425, 429) or error.code >= 500
        if passing and "insufficient_quota" not in said:
            return PassingError(status, _retry_after(error.headers.get("Retry-After")))
        if 300 <= error.code < 400:
            fix = f"it redirects to {error.headers.get('Location')}: use that address as base_url"
        elif "insufficient_quota" in said:
            fix = "the account has no credit left: add some, or use another key"
        else:
            fix = _FIXES.get(error.code, "check base_url and model")
        return CustomerError(f"{self.base_url} refused: {fix} ({status})")


@lru_cache(maxsize=16)
def _opener(proxies: tuple[tuple[str, str], ...]) -> urllib.request.OpenerDirector:
    """What opens connections, shared by all endpoints: making one reads all certificates anew, some 50 ms."""
    return urllib.request.build_opener(_StayHere(), urllib.request.ProxyHandler(dict(proxies)))


def _read_all(response: Any, deadline: float) -> bytes:
    """The whole body, by the deadline: a socket's own timeout starts anew with every byte."""
    parts, size = [], 0
    while part := response.read1(65_536):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
        if size > LARGEST_ANSWER:
            raise PassingError(f"the answer is longer than {LARGEST_ANSWER:,} bytes")
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and size < int(announced):
        raise PassingError(f"only {size} of {announced} bytes arrived")
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
