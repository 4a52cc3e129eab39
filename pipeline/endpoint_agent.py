"""An agent behind an OpenAI-compatible address: any served model can be evaluated by the same loop.

    agent = EndpointAgent("qwen3", "http://localhost:8000/v1")        # vLLM, Ollama, ...: no key needed
    agent = EndpointAgent("gpt-4o-mini", options={"temperature": 0})  # key from OPENAI_API_KEY
    rollouts = play(agent, shop, tasks, batch_size=32)                # 32 requests at a time

The server gets messages and tools in OpenAI's form and parses its model's output itself. What it sends is
written down as harmony and read by the same strict reader as everybody's turns: broken JSON is not repaired
here either. Of several calls in one answer the first is carried out, as in tau-bench, and the others are left
out of the history too. Asking again on bad days of a server is `ChatEndpoint`'s work.
"""

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from envs.retail.endpoint import OPENAI, ChatEndpoint, CustomerError
from pipeline.agent import History, Told, Written
from pipeline.harmony import Developer, Message, ToolResult, User, escape

_THINKING = re.compile(r"(?s)\s*<think>(.*?)</think>\s*(.*)")  # left in by servers without a reasoning parser


class EndpointAgent:
    """Writes turns with a served model, each request in a thread of its own."""

    vocabulary = None  # its turns are text
    one_by_one = True  # an answer comes when it comes: no episode waits for another's

    def __init__(
        self,
        model: str,
        base_url: str = OPENAI,
        *,
        options: Mapping[str, Any] | None = None,
        seeded: bool = False,
        return_thoughts: bool = False,
        workers: int = 64,
        **connection: Any,
    ) -> None:
        """Check the address and the key.

        Args:
            model: The model's name at the endpoint.
            base_url: The address up to and with /v1.
            options: Sent along with each request: temperature, max_tokens, reasoning_effort, ...
            seeded: Send each episode's own seed, for servers that sample by it.
            return_thoughts: Show the model its earlier thoughts again; some servers refuse them.
            workers: Requests at a time at most.
            connection: api_key, timeout, attempts, sleep: see `ChatEndpoint`.
        """
        self.options, self.seeded, self.return_thoughts = dict(options or {}), seeded, return_thoughts
        self._endpoint = _WholeAnswer(model, base_url, **connection)  # says what is wrong with address or key
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="endpoint")

    def encode(self, text: str) -> Sequence[int]:
        """Nothing: it reads text."""
        return ()

    def write(self, histories: Sequence[History]) -> list[Written | None]:
        """The turns that have come in; waits for one at least."""
        for history in histories:
            history.memory = history.memory or self._pool.submit(self._ask, history)
        wait([history.memory for history in histories], return_when=FIRST_COMPLETED)
        return [_take_up(history) for history in histories]

    def _ask(self, history: History) -> Written:
        tools = [tool for piece in history.transcript for tool in _tools(piece)]
        options = self.options | ({"tools": tools} if tools else {})
        if self.seeded:
            options["seed"] = history.chance.getrandbits(31)
        try:
            answer = self._endpoint.complete(self._messages(history), **options)
            return _written(json.loads(answer))
        except CustomerError as error:  # its name would mislead here; its message says what to do
            return Written("", error=str(error))
        except Exception as error:
            return Written("", error=f"{type(error).__name__}: {error}")

    def _messages(self, history: History) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        for piece in history.transcript:
            if isinstance(piece, Told):
                messages += [line for message in piece.messages if (line := _line(message, messages))]
            else:
                messages.append(_shown(piece.raw, self.return_thoughts))
        return messages


class _WholeAnswer(ChatEndpoint):
    """The same client, which gives back the server's whole answer: a turn may be a call without any text."""

    def _content(self, body: bytes) -> str:
        answer = _whole(body)
        return json.dumps(answer) if answer else super()._content(body)  # which raises what is wrong with it


def _whole(body: bytes) -> dict[str, Any] | None:
    """An answer with a message in it."""
    try:
        answer = json.loads(body)
        return answer if isinstance(answer["choices"][0]["message"], dict) else None
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


def _take_up(history: History) -> Written | None:
    request: Future[Written] = history.memory
    if not request.done():
        return None
    history.memory = None
    return request.result()


def _tools(piece: Told | Written) -> Sequence[Mapping[str, Any]]:
    messages = piece.messages if isinstance(piece, Told) else ()
    return [tool for message in messages if isinstance(message, Developer) for tool in message.tools]


def _line(message: Message, before: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A message the model is told, in OpenAI's form; the system message is harmony's own and left out."""
    match message:
        case Developer(instructions, _):
            return {"role": "system", "content": instructions}
        case User(text):
            return {"role": "user", "content": text}
        case ToolResult(_, text):
            return {"role": "tool", "tool_call_id": before[-1]["tool_calls"][0]["id"], "content": text}
    return None


def _written(answer: Mapping[str, Any]) -> Written:
    """A server's answer as a turn; what has no right form is left to the strict reader to refuse."""
    choice = answer["choices"][0]
    message, cut = choice["message"], choice.get("finish_reason") == "length"
    text = "<|start|>assistant".join(_as_harmony(message))
    usage = answer.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    text = re.sub(r"<\|(?:call|return)\|>$", "", text) if cut else text
    return Written(text, tokens=tokens if isinstance(tokens, int) else 0, cut=cut, raw=message)


def _as_harmony(message: Mapping[str, Any]) -> list[str]:
    """Thoughts, words and the first call, each as the model would have written it in harmony."""
    thoughts = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    words = _text(message.get("content"))
    if not thoughts and (found := _THINKING.fullmatch(words)):
        thoughts, words = found.groups()
    parts = [f"<|channel|>analysis<|message|>{escape(thoughts)}<|end|>"] if thoughts else []
    call = _first_call(message)
    if call is None:
        return [*parts, f"<|channel|>final<|message|>{escape(words)}<|return|>"]
    if words.strip():
        parts.append(f"<|channel|>commentary<|message|>{escape(words)}<|end|>")
    name, arguments = escape(call["function"]["name"]), escape(call["function"]["arguments"])
    return [*parts, f" to=functions.{name}<|channel|>commentary json<|message|>{arguments}<|call|>"]


def _first_call(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first call with all of its places filled; None where there is none."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls:
        return None
    call = calls[0] if isinstance(calls[0], dict) else {}
    function = call.get("function") if isinstance(call.get("function"), dict) else {}
    arguments = function.get("arguments")
    arguments = _text(arguments) if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": _text(function.get("name")), "arguments": arguments}
    return {"id": _text(call.get("id")) or "call", "type": "function", "function": function}


def _shown(message: Mapping[str, Any], thoughts: bool) -> dict[str, Any]:
    """A turn as its model sees it again: what it sent, without the calls that were not carried out."""
    shown: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
    if call := _first_call(message):
        shown["tool_calls"] = [call]
    elif shown["content"] is None:
        shown["content"] = ""  # servers that keep to the form refuse null where there is no call
    if thoughts:
        shown |= {key: message[key] for key in ("reasoning_content", "reasoning") if message.get(key)}
    return shown


def _text(value: Any) -> str:
    """A text that can be stored: half a surrogate pair is no valid UTF-8."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
