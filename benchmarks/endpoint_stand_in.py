"""A chat endpoint in a process of its own that answers after a stated time, and now and then badly.

    with stand_in(script, latency=0.05) as url: ...

It plays the customer (no tools in the request) and the agent (with tools) from a script: {a task's request:
the agent's turns as OpenAI messages}. The customer says the request, then yes to everything, and hangs up
when asked whether there is anything else. Of 150 answers one is a 500, one a 429, and one breaks off half
way: what a client must try again. It is one event loop, and its CPU time is not the client's.
"""

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

STOP, CLOSING = "###STOP###", "anything else"
WANTED = "What you want: "
BAD_EVERY = 50


def answer(request: Mapping[str, Any], script: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The message that the agent or the customer says next."""
    messages = request["messages"]
    if request.get("tools"):
        asked = next(one["content"] for one in messages if one["role"] == "user")
        said = sum(one["role"] == "assistant" for one in messages)
        return {"role": "assistant", **script[asked][said]}
    if len(messages) == 2:  # what it is told to play, and the agent's greeting
        wanted = messages[0]["content"].partition(WANTED)[2]
        return {"role": "assistant", "content": next(one for one in script if wanted.startswith(one))}
    return {"role": "assistant", "content": STOP if CLOSING in messages[-1]["content"] else "Yes, please."}


class Endpoint:
    """Serves one script; counts its answers, so that some of them are bad."""

    def __init__(self, script: Mapping[str, Any], latency: float) -> None:
        self.script, self.latency, self.numbers = script, latency, itertools.count(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which may hold several requests."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").lower().split("\r\n")
                length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
                body = await reader.readexactly(length)
                await asyncio.sleep(self.latency)
                whole = self._reply(writer, body)
                await writer.drain()
                if not whole or "connection: close" in lines:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    def _reply(self, writer: asyncio.StreamWriter, body: bytes) -> bool:
        """Write an answer; False where it breaks off."""
        number = next(self.numbers) % (3 * BAD_EVERY)
        status = {BAD_EVERY: 500, 2 * BAD_EVERY: 429}.get(number, 200)
        said = {"choices": [{"index": 0, "message": answer(json.loads(body), self.script)}]}
        usage = {"usage": {"prompt_tokens": len(body) // 4, "completion_tokens": 20}}
        out = json.dumps(said | usage).encode() if status == 200 else b"busy"
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(out)}\r\nRetry-After: 0\r\n\r\n".encode())
        whole = number != 0
        writer.write(out if whole else out[: len(out) // 2])
        return whole


async def _main() -> None:
    given = json.loads(sys.stdin.readline())
    endpoint = Endpoint(given["script"], given["latency"])
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the other side closes it


@contextmanager
def stand_in(script: Mapping[str, Any], latency: float) -> Iterator[str]:
    """The endpoint's address, while it runs."""
    command = [sys.executable, "-m", "benchmarks.endpoint_stand_in"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdin.write(json.dumps({"script": script, "latency": latency}) + "\n")
            process.stdin.flush()
            port = process.stdout.readline().strip()
            if not port:
                raise SystemExit(f"{' '.join(command)} did not start; what it wrote above says why")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.stdin.close()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(_main())
