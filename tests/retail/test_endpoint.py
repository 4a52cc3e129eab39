"""How the shop asks a language model: patient on bad days of the server, quick where waiting cannot help."""

import email.utils
import time

import pytest

from envs.retail.endpoint import OPENAI, ChatEndpoint, CustomerError
from reliability.faults.chat_server import (
    Pauses,
    Reply,
    Server,
    drips,
    fails,
    falls_silent,
    half_a_body,
    half_of_the_chunks,
    hangs_up,
    raw,
    says,
)

KEY = "sk-very-secret-1234"


def endpoint(server: Server, **options) -> ChatEndpoint:
    options = {"sleep": Pauses(), "timeout": 5.0, "attempts": 3} | options
    return ChatEndpoint("test-model", server.url, **options)


def ask(server: Server, **options) -> str:
    return endpoint(server, **options).complete([{"role": "user", "content": "Hi."}])


# --- bad days of the server ------------------------------------------------------------------------------


def test_too_many_requests_waits_as_long_as_told(server: Server):
    server.script(fails(429, Retry_After="7"), "Hello.")
    pauses = Pauses()
    assert ask(server, sleep=pauses) == "Hello."
    assert len(pauses) == 1 and 7 <= pauses[0] <= 8


def test_retry_after_may_be_a_date(server: Server):
    server.script(fails(503, Retry_After=email.utils.formatdate(time.time() + 20, usegmt=True)), "Hello.")
    pauses = Pauses()
    ask(server, sleep=pauses)
    assert 10 < pauses[0] <= 21


@pytest.mark.parametrize("header", ["soon", "-5", "nan", ""])
def test_a_senseless_retry_after_is_ignored(server: Server, header: str):
    server.script(fails(429, Retry_After=header), "Hello.")
    pauses = Pauses()
    assert ask(server, sleep=pauses) == "Hello."
    assert 0 < pauses[0] <= 1


def test_a_wait_beyond_all_patience_is_said(server: Server):
    server.script(fails(429, Retry_After="86400"))
    with pytest.raises(CustomerError, match="asks to wait 86400 s"):
        ask(server)


def test_pauses_grow(server: Server):
    server.script(*[fails(500)] * 5, "Hello.")
    pauses = Pauses()
    assert ask(server, sleep=pauses, attempts=6) == "Hello."
    assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(pauses)) and len(pauses) == 5


@pytest.mark.parametrize(
    "trouble",
    [
        fails(500, "oops"),
        fails(502),
        fails(408),
        half_a_body,
        half_of_the_chunks,
        hangs_up,
        raw(b"<html>gateway</html>"),
        raw(b'{"choices": [{"mess'),
        raw(b'{"error": {"message": "overloaded"}}'),
        raw(b'{"choices": []}'),
        raw(b"[]"),
        raw(b"[" * 100_000),
        raw(b"\xff\xfe"),
        raw(b""),
        says(None),
        says("  "),
    ],
    ids=lambda trouble: getattr(trouble, "__name__", ""),
)
def test_passing_trouble_is_tried_again_and_then_named(server: Server, trouble: Reply):
    server.script(trouble, "Hello.")
    assert ask(server) == "Hello."
    server.script(trouble, trouble)
    with pytest.raises(CustomerError, match="did not answer in 2 attempts"):
        ask(server, attempts=2)


@pytest.mark.parametrize("trouble", [falls_silent, drips])
def test_a_server_that_takes_too_long_is_given_up(server: Server, trouble: Reply):
    server.script(trouble, "Hello.")
    try:
        assert ask(server, timeout=0.2) == "Hello."
    finally:
        server.http.silence.set()
    assert len(server.requests) == 2


def test_nobody_there(server: Server):
    with pytest.raises(CustomerError, match="check that the server is up"):
        ChatEndpoint("m", "http://127.0.0.1:1/v1", attempts=2, sleep=Pauses()).complete([])


@pytest.mark.parametrize(
    ("status", "fix"),
    [(400, "temperature"), (401, "OPENAI_API_KEY"), (403, "permissions"), (404, "base_url"), (422, "model")],
)
def test_hopeless_trouble_fails_at_once_with_its_fix(server: Server, status: int, fix: str):
    server.script(fails(status, '{"error": "no"}'))
    with pytest.raises(CustomerError, match=fix):
        ask(server)
    assert len(server.requests) == 1


def test_an_empty_account_is_not_asked_again(server: Server):
    server.script(fails(429, '{"error": {"code": "insufficient_quota"}}'))
    with pytest.raises(CustomerError, match="credit"):
        ask(server)
    assert len(server.requests) == 1


def test_a_redirect_does_not_take_the_key_elsewhere(server: Server):
    server.script(fails(307, Location="http://elsewhere.example/v1"))
    with pytest.raises(CustomerError, match=r"redirects to http://elsewhere\.example"):
        ask(server, api_key=KEY)
    assert len(server.requests) == 1


# --- the key ---------------------------------------------------------------------------------------------


def test_without_a_key_a_public_endpoint_says_what_to_do(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(CustomerError, match=r"set OPENAI_API_KEY.*localhost"):
        ChatEndpoint("gpt-4o")


def test_the_key_comes_from_the_argument_or_for_public_addresses_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert "***" in repr(ChatEndpoint("gpt-4o", OPENAI))
    ask(server)
    ask(server, api_key="sk-local")
    assert [request["key"] for request in server.requests] == [None, "Bearer sk-local"]


@pytest.mark.parametrize(
    "url", ["http://localhost:1/v1", "http://10.0.0.5/v1", "http://vllm:8000/v1", "http://[::1]:8000/v1"]
)
def test_local_addresses_need_no_key(url: str, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ChatEndpoint("m", url)


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "http://", "http://[::1", ""])
def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(CustomerError, match="must look like"):
        ChatEndpoint("m", url, api_key=KEY)


def test_the_key_is_never_shown(server: Server, monkeypatch, caplog, capfd):
    caplog.set_level(0)
    server.script(fails(401, f"Incorrect API key provided: {KEY}"))
    chat = endpoint(server, api_key=KEY)
    with pytest.raises(CustomerError) as error:
        chat.complete([])
    with pytest.raises(CustomerError) as broken:
        endpoint(server, api_key=f"{KEY}\nX: y")
    errors = [error.value, error.value.__context__, broken.value]
    for body in (f'{{"error": "Incorrect API key provided: {KEY}"}}', f"Incorrect API key {KEY}"):
        server.script(*[raw(body.encode())] * 3)  # some servers refuse with status 200
        with pytest.raises(CustomerError, match=r"Incorrect API key .*\*\*\*") as refused:
            chat.complete([])
        errors.append(refused.value)
    shown = "".join(map(repr, (chat, *errors)))
    assert KEY not in shown + caplog.text + "".join(capfd.readouterr())


def test_endpoints_share_what_opens_connections(monkeypatch):
    """Making it reads all certificates anew from Python 3.12 on: once a request was half of a run's time."""
    from envs.retail import http_post as module

    build, made = module.urllib.request.build_opener, []
    monkeypatch.setattr(module.urllib.request, "build_opener", lambda *a: made.append(a) or build(*a))
    module._opener.cache_clear()
    for variable in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    for _ in range(20):
        ChatEndpoint("m", "http://127.0.0.1:1/v1")
        ChatEndpoint("m", "http://example.com/v1", api_key="k")
    before = len(made)
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    ChatEndpoint("m", "http://127.0.0.1:1/v1")
    assert before <= 2 and len(made) == before, "a local address needs no proxy"
    ChatEndpoint("m", "http://example.com/v1", api_key="k")
    assert len(made) == before + 1, "another proxy needs another one"
    module._opener.cache_clear()


def test_options_of_one_question_are_not_those_of_the_next(server):
    chat = endpoint(server, temperature=0.5)
    chat.complete([], temperature=0.1, seed=7)
    chat.complete([])
    asked = [{name: one.get(name) for name in ("temperature", "seed")} for one in server.requests]
    assert asked == [{"temperature": 0.1, "seed": 7}, {"temperature": 0.5, "seed": None}]
