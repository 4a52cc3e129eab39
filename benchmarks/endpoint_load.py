"""Episodes whose customer, or customer and agent, answer over HTTP: throughput against how many run at once.

    found = measure(FULL)        # benchmarks.load.FULL: 1, 16, 64 and 256 at once, 50 ms an answer

The endpoint is a stand-in on this machine that answers after a fixed time and now and then badly
(`benchmarks.endpoint_stand_in`); everything on our side is what an evaluation uses: `rollouts.stream`,
`LLMCustomer`, `EndpointAgent`. The agent's turns are those of demonstrations, so every episode must succeed:
one that is lost, or whose error was not tried again, is counted.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

from benchmarks.endpoint_stand_in import CLOSING, stand_in
from benchmarks.load import Effort
from envs.retail.database import Shop
from envs.retail.endpoint import ChatEndpoint
from envs.retail.generator import generate
from envs.retail.llm_customer import LLMCustomer
from envs.retail.tasks import Task
from pipeline.agent import History, Written
from pipeline.demonstrations import demonstrate
from pipeline.endpoint_agent import EndpointAgent
from pipeline.harmony import Analysis, Call, Final, Message, written_turns
from pipeline.rollouts import stream

CUSTOMER, BOTH = "the customer", "customer and agent"
ATTEMPTS = 8


class Scripted:
    """Writes a demonstration's turns, without any time of its own."""

    vocabulary = None

    def __init__(self, turns: dict[str, list[str]]) -> None:
        self.turns = turns

    def encode(self, text: str) -> tuple[int, ...]:
        """It reads text."""
        return ()

    def write(self, histories: Sequence[History]) -> list[Written]:
        """The next turn of each, found by the customer's first words."""
        return [self._next(history) for history in histories]

    def _next(self, history: History) -> Written:
        number = sum(isinstance(piece, Written) for piece in history.transcript)
        return Written(self.turns[history.transcript[0].messages[-1].text][number])


def served_tasks(shop: Shop, count: int) -> dict[str, tuple[Task, tuple[Message, ...]]]:
    """Tasks with their demonstrations, by what the customer says; those that end with one good-bye."""
    found: dict[str, tuple[Task, tuple[Message, ...]]] = {}
    for task in generate(shop, seed=3, levels=(1, 2, 3)):
        messages = demonstrate(shop, task).messages
        goodbyes = sum(isinstance(one, Final) and CLOSING in one.text for one in messages)
        if goodbyes == 1:
            found.setdefault(task.query, (task, messages))
        if len(found) == count:
            return found
    raise AssertionError("unreachable: there are tasks without end")


def as_openai(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """An agent's turns as a server sends them."""
    said: list[dict[str, Any]] = []
    thought = ""
    for message in messages:
        match message:
            case Analysis(text):
                thought = text
            case Call(name, arguments):
                call = {"id": f"call_{len(said)}", "type": "function"}
                call["function"] = {"name": name, "arguments": json.dumps(arguments)}
                said.append({"content": None, "reasoning_content": thought, "tool_calls": [call]})
                thought = ""
            case Final(text):
                said.append({"content": text, "reasoning_content": thought})
                thought = ""
    return said


def measure(effort: Effort, tick: Callable[[str], None] = print) -> dict[str, Any]:
    """A curve for the customer at an endpoint, and one for both."""
    shop = Shop.load()
    tasks = served_tasks(shop, min(effort.talks, 64))
    script = {said: as_openai(messages) for said, (_, messages) in tasks.items()}
    found: dict[str, Any] = {"latency": effort.latency, "curves": {CUSTOMER: [], BOTH: []}}
    with stand_in(script, effort.latency) as url:
        for who, curve in found["curves"].items():
            for count in effort.concurrent:
                tick(f"{who} at an endpoint, {count} at once")
                curve.append(_talk(shop, tasks, who, url, count, min(effort.talks, 16 * count)))
    return found


def _talk(shop: Shop, tasks: Any, who: str, url: str, concurrent: int, episodes: int) -> dict[str, Any]:
    """Play that many episodes, so many at once; what it took and what was lost."""
    turns = {said: written_turns(messages) for said, (_, messages) in tasks.items()}
    again: list[float] = []  # the pauses before a question was asked again; here they are not made
    asking: dict[str, Any] = {"sleep": again.append, "attempts": ATTEMPTS}
    endpoint = ChatEndpoint("stand-in", url, **asking)
    customer = partial(LLMCustomer, "stand-in", url, endpoint=endpoint)
    agent: Any = Scripted(turns)
    if who == BOTH:
        agent = EndpointAgent("stand-in", url, workers=concurrent, **asking)
    chosen = [task for task, _ in tasks.values()]
    trials = -(-episodes // len(chosen))
    played = list(islice(chosen, episodes)) if trials == 1 else chosen
    wall, cpu = time.perf_counter(), time.process_time()
    rollouts = list(
        stream(agent, shop, played, customer=customer, trials=trials, batch_size=concurrent, progress=False)
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    answers = endpoint.usage.requests
    agents = sum(len(one.episode.attempts) for one in rollouts) if who == BOTH else 0
    return {
        "concurrent": concurrent,
        "episodes": len(rollouts),
        "lost": len(played) * trials - sum(one.episode.succeeded for one in rollouts),
        "answers": answers + agents,
        "asked_again": len(again),
        "answers_per_second": (answers + agents) / wall,
        "episodes_per_second": len(rollouts) / wall,
        "cpu_per_answer": cpu / (answers + agents),
        "seconds": wall,
    }
