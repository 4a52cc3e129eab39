"""Plays tasks to their end: an agent writes, the shop and the customer answer, many episodes side by side.

    agent = LocalAgent(model, tokenizer)                                 # pipeline.local_agent
    agent = EndpointAgent("qwen3", "http://localhost:8000/v1")           # pipeline.endpoint_agent
    rollouts = play(agent, shop, tasks, max_turns=8, max_tokens=1024)    # in the order of the tasks
    for rollout in stream(agent, shop, tasks, trials=4): ...             # each as soon as it has ended
    rollout.episode.succeeded, rollout.completion_ids, rollout.env_mask, rollout.text

The same loop serves evaluation, training, chat (with a customer whose `step` asks a person) and inspection.
What an agent wrote stays as it is; a tool's answer and the customer's words are appended to it, escaped, so
that nothing in them becomes structure. A finished episode leaves the batch and the next task takes its place.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from threading import Event
from typing import Any

from envs.retail.customer import ScriptedCustomer
from envs.retail.domain import domain_of
from envs.retail.environment import MAX_STEPS, Customer
from envs.retail.tasks import Task
from envs.world import World
from pipeline.agent import Agent, Written
from pipeline.config import Mode
from pipeline.datasets import system_messages
from pipeline.harmony import DATE
from pipeline.running import Rollout, Rules, Running, told

__all__ = ["Rollout", "opened", "play", "stream"]
_Place = tuple[Task, int, int]  # a task, the episode's number, which trial of its task it is


def play(agent: Agent, shop: World, tasks: Iterable[Task], **settings: Any) -> list[Rollout]:
    """All episodes in the order of the tasks, the trials of a task in a row; settings as in `stream`."""
    return sorted(stream(agent, shop, tasks, **settings), key=lambda rollout: rollout.number)


def stream(
    agent: Agent,
    shop: World,
    tasks: Iterable[Task],
    *,
    mode: Mode = "agent",
    customer: Callable[[], Customer] | None = ScriptedCustomer,
    trials: int = 1,
    skip: Collection[tuple[str, int]] = (),
    strict: bool = True,
    max_turns: int = MAX_STEPS,
    max_tokens: int | None = None,
    batch_size: int = 16,
    seed: int | str = 0,
    effort: str = "low",
    date: str = DATE,
    progress: bool = True,
) -> Iterator[Rollout]:
    """Each episode as soon as it has ended.

    Args:
        agent: Who acts.
        shop: The shop as it is at the beginning of every episode.
        tasks: The tasks; one that is there twice counts as two trials.
        mode: "agent" (turns with executed calls) or "plan" (one completion, executed afterwards).
        customer: Makes the customer of an episode; without one, the first message to them ends it. The
            scripted one serves only domains whose questions it understands; elsewhere there is none.
        trials: Episodes of each task.
        skip: Tasks' ids with the numbers of trials that were played before.
        strict: Arguments that do not fit a tool's schema are refused before it runs.
        max_turns: Where the environment breaks an episode off; it has `ended` by "steps" then.
        max_tokens: What an episode may hold after its prompt, written and told; ended by "budget" beyond it.
        batch_size: How many episodes run side by side.
        seed: Together with task and trial it decides an episode's chance, whatever else is in the batch.
        effort: The reasoning effort the system message states.
        date: The date the system message states.
        progress: Show a bar.
    """
    from tqdm.auto import tqdm

    domain = domain_of(shop)
    if customer is ScriptedCustomer and not domain.converses:
        customer = None
    head = told(agent, *system_messages(mode, effort=effort, date=date, domain=domain), prompt=False)
    rules = Rules(agent, shop, mode, customer, strict, max_turns, max_tokens, seed, head)
    patient = customer not in (None, ScriptedCustomer)  # these two never keep anybody waiting
    waiting = deque(place for place in _places(tasks, trials) if (place[0].id, place[2]) not in skip)
    if getattr(agent, "one_by_one", False) and batch_size > 1:
        ended = _each_by_itself(rules, waiting, batch_size)
    else:
        ended = _in_batches(rules, waiting, batch_size, patient)
    with tqdm(total=len(waiting), desc="episodes", leave=False, disable=not progress) as bar:
        for one in ended:
            bar.update()
            yield one.rollout()


def opened(
    agent: Agent,
    shop: World,
    task: Task,
    customer: Callable[[], Customer],
    *,
    max_turns: int = MAX_STEPS,
    effort: str = "low",
    date: str = DATE,
) -> Running:
    """One episode that has begun and is left to the caller to go on with, turn by turn, as a chat is."""
    head = told(
        agent, *system_messages("agent", effort=effort, date=date, domain=domain_of(shop)), prompt=False
    )
    running = Running(Rules(agent, shop, "agent", customer, True, max_turns, None, 0, head), task, 0, 0)
    running.start()
    return running


def _places(tasks: Iterable[Task], trials: int) -> Iterator[_Place]:
    """Each episode to be played."""
    seen: Counter[str] = Counter()
    for number, task in enumerate(task for task in tasks for _ in range(trials)):
        yield task, number, seen[task.id]
        seen[task.id] += 1


def _turns(agent: Agent, episodes: list[Running]) -> list[tuple[Running, Written]]:
    """The turns that are ready, with the episodes they belong to."""
    written = agent.write([one.history for one in episodes]) if episodes else []
    return [(one, turn) for one, turn in zip(episodes, written, strict=True) if turn is not None]


def _each_by_itself(rules: Rules, waiting: deque[_Place], batch_size: int) -> Iterator[Running]:
    """Episodes in threads of their own, for an agent that answers each by itself: none waits for another."""
    stopped, under_way = Event(), set()

    def played(one: Running) -> Running:
        one.start()
        while not one.done and not stopped.is_set():
            for _, turn in _turns(rules.agent, [one]):
                one.take(turn)
        return one

    with ThreadPoolExecutor(batch_size) as pool:
        try:
            while waiting or under_way:
                while waiting and len(under_way) < batch_size:
                    under_way.add(pool.submit(played, Running(rules, *waiting.popleft())))
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (step.result() for step in done)
        finally:
            stopped.set()  # where nobody wants any more, the others stop at their next turn


def _in_batches(rules: Rules, waiting: deque[_Place], batch_size: int, patient: bool) -> Iterator[Running]:
    """Episodes side by side, for an agent that writes the turns of all of them at once."""
    running: list[Running] = []
    under_way: dict[Future[None], Running] = {}  # episodes that wait for their customer
    with ThreadPoolExecutor(batch_size) if patient else nullcontext() as pool:
        while waiting or running:
            free = min(batch_size - len(running), len(waiting))
            new = [Running(rules, *waiting.popleft()) for _ in range(free)]
            running += new
            alone = len(running) == 1  # then its customer may ask a person, which a thread could not
            threads = None if alone else pool
            _side_by_side(threads, Running.start, [(one,) for one in new], under_way)
            ready = _ready(running, under_way)
            _side_by_side(threads, Running.take, _turns(rules.agent, ready), under_way)
            busy = {id(one) for one in under_way.values()}
            yield from (one for one in running if id(one) not in busy and one.done)
            running = [one for one in running if id(one) in busy or not one.done]


def _side_by_side(
    pool: ThreadPoolExecutor | None,
    step: Callable[..., None],
    calls: list[tuple[Any, ...]],
    under_way: dict[Future[None], Running],
) -> None:
    """Steps of several episodes, each in a thread where its customer may be slow, else right here."""
    for call in calls:
        if pool is None:
            step(*call)
        else:
            under_way[pool.submit(step, *call)] = call[0]


def _ready(running: list[Running], under_way: dict[Future[None], Running]) -> list[Running]:
    """The episodes that wait for the agent, as soon as they are half of all.

    The slowest customer must not keep everybody waiting, nor the quickest make a batch of one.
    """
    while True:
        for step in [step for step in under_way if step.done()]:
            del under_way[step]
            step.result()  # raises what no episode may keep to itself
        busy = {id(one) for one in under_way.values()}
        ready = [one for one in running if id(one) not in busy]
        if 2 * len(ready) >= len(running):
            return [one for one in ready if not one.done]
        wait(under_way, return_when=FIRST_COMPLETED)
