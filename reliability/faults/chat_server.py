"""A chat endpoint on this machine: a real HTTP server that answers by script, well or badly.

    server = Server()
    server.script("Hello.", fails(503), half_a_body)     # one reply a request; then `server.http.otherwise`
    ChatEndpoint("m", server.url, sleep=Pauses())
    server.close()

The trial of lost endpoints and the tests of everything that talks to a model's server play against it.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the next reply of the script."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            asked = {"path": self.path, "key": self.headers.get("Authorization")}
            self.server.requests.append(asked | self.body)
            reply = self.server.replies.pop(0) if self.server.replies else self.server.otherwise
        reply(self)

    def log_message(self, *_) -> None:
        """No log is needed."""


class Server:
    """A chat endpoint that answers what it is told to."""

    def __init__(self) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.lock, self.http.requests, self.http.replies = threading.Lock(), [], []
        self.http.otherwise = says("Hello.")
        self.http.silence = threading.Event()
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def script(self, *replies: Reply | str) -> None:
        self.http.replies = [says(reply) if isinstance(reply, str) else reply for reply in replies]

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    @property
    def requests(self) -> list[dict]:
        return self.http.requests


def send(
    handler: Handler, status: int, body: bytes, headers: dict[str, str], announced: int | None = None
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body) if announced is None else announced))
    handler.end_headers()
    handler.wfile.write(body)
    if announced is not None:
        handler.close_connection = True


def completion(content: str | None) -> bytes:
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    return json.dumps({"choices": [{"index": 0, "message": message}], "usage": usage}).encode()


def says(content: str | None) -> Reply:
    return lambda handler: send(handler, 200, completion(content), {})


def fails(status: int, body: str = "", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: send(handler, status, body.encode(), named)


def raw(body: bytes) -> Reply:
    return lambda handler: send(handler, 200, body, {})


def half_a_body(handler: Handler) -> None:
    body = completion("Hello.")
    send(handler, 200, body[: len(body) // 2], {}, announced=len(body))


def half_of_the_chunks(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"20\r\n" + completion("Hello.")[:10])
    handler.close_connection = True


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True


def drips(handler: Handler) -> None:
    """A byte at a time, each within a socket's timeout, all of them never."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(1000):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        handler.close_connection = True  # the client has given up, as it should


def falls_silent(handler: Handler) -> None:
    handler.server.silence.wait(10)
    handler.close_connection = True


class Pauses(list):
    """Stands in for sleep and notes how long it was asked to."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)
