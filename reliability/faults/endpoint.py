"""A served model that is lost in the middle of an evaluation: what was played stays, the rest is played."""

from __future__ import annotations

import json
import logging
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.files import read_lines
from envs.retail.generator import generate
from envs.retail.llm_customer import LLMCustomer
from envs.retail.tasks import Task
from pipeline.agent import History, Written
from pipeline.endpoint_agent import EndpointAgent
from pipeline.evaluate import evaluate
from reliability.faults import chat_server
from reliability.faults.chat_server import Handler, Reply, Server
from reliability.trial import Found, Setting, Trial, sized

ABOUT = """
An evaluation of some tasks talks to a chat server on this machine, which plays the agent or the customer. It
answers well at first, then only with the trouble of the case. Every episode that was served before must be on
disk and whole, every other must have ended as an error with its reason, never as a failure of the agent.
Then the server is well again, and the same evaluation is started once more: it must come to what an
undisturbed evaluation came to. "Once" is the same trouble a single time: nothing may break off. The quick
setting loses the agent for good in each way.
"""

TASKS, GOOD = 4, 3  # served; answered well before the trouble begins
MOST_TURNS = 3
TIMEOUT = 0.2  # seconds of one attempt


def _endless(handler: Handler) -> None:
    """An answer without end, as fast as it is read."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b" " * 65_536)
    except OSError:
        return


TROUBLES: dict[str, Reply | None] = {
    "connection refused": None,
    "no answer in time": chat_server.falls_silent,
    "a byte now and then": chat_server.drips,
    "an answer without end": _endless,
    "429, wait a second": chat_server.fails(429, Retry_After="1"),
    "429, wait a day": chat_server.fails(429, Retry_After="86400"),
    "500": chat_server.fails(500, "oops"),
    "503 with a page": chat_server.fails(503, "<html>be back soon</html>"),
    "401": chat_server.fails(401, "no"),
    "half a body": chat_server.half_a_body,
    "half of the chunks": chat_server.half_of_the_chunks,
    "hangs up": chat_server.hangs_up,
    "no JSON": chat_server.raw(b"<html>gateway</html>"),
    "JSON cut off": chat_server.raw(b'{"choices": [{"mess'),
    "JSON without an answer": chat_server.raw(b'{"choices": []}'),
    "JSON of 100,000 brackets": chat_server.raw(b"[" * 100_000),
    "bytes that are no text": chat_server.raw(b"\xff\xfe"),
}
HOPELESS = ("429, wait a day", "401")  # not worth a second attempt: even once they break an episode off


@dataclass(frozen=True)
class Case:
    """Who is lost, how, and whether for good."""

    trouble: str
    role: str  # "agent" or "customer"
    once: bool


CASES = tuple(
    Case(trouble, role, once)
    for once in (False, True)
    for role in ("agent", "customer")
    for trouble in TROUBLES
    if not (once and (trouble in HOPELESS or TROUBLES[trouble] is None))
)


class Polite:
    """An agent that needs no server: it says the same each turn."""

    vocabulary = None

    def encode(self, text: str) -> Sequence[int]:
        """Nothing: it reads text."""
        return ()

    def write(self, histories: Sequence[History]) -> list[Written]:
        """A friendly word for each."""
        return [Written("<|channel|>final<|message|>How can I help?<|return|>") for _ in histories]


def run(cases: range, setting: Setting) -> Found:
    """One lost server a case."""
    shop, found = Shop.load(), Found()
    tasks = list(islice(generate(shop, seed=setting.seed, levels=(1, 2)), TASKS))
    for number in cases:
        folder = setting.folder / "endpoint" / f"case-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        case = CASES[number]
        with _quietly("pipeline.running"):  # it has a line for each episode that breaks off
            trouble, broke_off = _tried(case, shop, tasks, folder)
        if trouble:
            found.fail(number, f"{case.trouble}, {case.role}{', once' if case.once else ''}: {trouble}")
        found.counts["episodes"] += len(tasks)
        found.counts["broke off and were played again"] += broke_off
        found.rows.append(
            {
                "trouble": case.trouble + (", once" if case.once else ""),
                "of the": case.role,
                "broke off": f"{broke_off} of {len(tasks)}",
                "in the end": trouble or "as undisturbed",
            }
        )
        shutil.rmtree(folder)
    return found


@contextmanager
def _quietly(logger: str) -> Iterator[None]:
    """Without warnings, for a while."""
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _tried(case: Case, shop: Shop, tasks: list[Task], folder: Path) -> tuple[str, int]:
    """What was not as it must be (or ""), and how many episodes broke off."""
    server = Server()
    try:
        play = partial(_evaluated, case.role, shop, tasks)
        whole = play(server.url, folder / "whole")
        disturbed = folder / "disturbed"
        _disturb(server, case)
        address = server.url if TROUBLES[case.trouble] else _nobody_listens()
        first = play(address, disturbed)
        server.http.silence.set()
        server.script()
        server.http.otherwise = chat_server.says("Hello.")
        again = play(server.url, disturbed)
    finally:
        server.http.silence.set()
        server.close()
    broken = [record for record in first.values() if record["error"]]
    return _judged(case, whole, first, again, len(broken)), len(broken)


def _disturb(server: Server, case: Case) -> None:
    """Some good answers, then the trouble, once or for good."""
    trouble = TROUBLES[case.trouble] or chat_server.hangs_up
    good = [chat_server.says("Hello.")] * GOOD
    server.script(*good, *([trouble] if case.once else []))
    server.http.otherwise = chat_server.says("Hello.") if case.once else trouble


def _judged(case: Case, whole: dict, first: dict, again: dict, broken: int) -> str:
    if len(first) != len(whole):
        return f"{len(whole) - len(first)} episodes left no record"
    if bool(broken) == case.once:
        return f"{broken} episodes broke off"
    served = {key: record for key, record in first.items() if not record["error"]}
    if any(record["ended"] != "error" for key, record in first.items() if key not in served):
        return "an episode with an error did not end as one"
    if any(whole[key] != record for key, record in served.items()):
        return "an episode that was served is not as undisturbed"
    return "" if again == whole else "started again it is not as undisturbed"


def _evaluated(role: str, shop: Shop, tasks: list[Task], address: str, folder: Path) -> dict[Any, dict]:
    """The records of an evaluation, new or gone on with, without clock times."""
    patience: dict[str, Any] = {"timeout": TIMEOUT, "attempts": 2, "sleep": chat_server.Pauses()}
    agent: Any = EndpointAgent("m", address, workers=4, **patience) if role == "agent" else Polite()
    customer: Callable[[], Any] = ScriptedCustomer
    if role == "customer":
        customer = partial(LLMCustomer, "m", address, **patience)
        customer.__name__ = "m"  # the address may differ, the model does not
    rules = {"customer": customer, "max_turns": MOST_TURNS, "batch_size": 2, "progress": False}
    evaluate(agent, shop, tasks, folder, stage="served", model="m", **rules)
    records = [record for _, record in read_lines(folder / "served.jsonl")]
    assert len({record["id"] for record in records}) == len(records), "an episode has two records"
    return {record["id"]: json.loads(json.dumps(record | {"seconds": 0})) for record in records}


def _nobody_listens() -> str:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{place.getsockname()[1]}/v1"


TRIAL = Trial(
    "endpoint",
    "A lost endpoint",
    ABOUT,
    run,
    sized(full=len(CASES), quick=len(TROUBLES)),
    piece=len(TROUBLES),
)
