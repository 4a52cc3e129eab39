"""What a served model may send, and an `EndpointAgent` that asks the tests' own server."""

import json

from pipeline.endpoint_agent import EndpointAgent
from pipeline.rollouts import play
from reliability.faults.chat_server import Pauses, Reply, Server, raw


def calls(*named: tuple[str, str], content: str | None = None, **more) -> dict:
    listed = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(named)
    ]
    return {"role": "assistant", "content": content, "tool_calls": listed} | more


def says(content: str | None) -> dict:
    return {"role": "assistant", "content": content}


def replies(message: dict, finish: str = "stop") -> Reply:
    """The server's answer with this message in it."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    return raw(json.dumps({"choices": [choice], "usage": usage}).encode())


def agent(server: Server, **settings) -> EndpointAgent:
    settings = {"sleep": Pauses(), "timeout": 5.0, "attempts": 3} | settings
    return EndpointAgent("test-model", server.url, **settings)


def quietly(*args, **settings):
    return play(*args, progress=False, **settings)
