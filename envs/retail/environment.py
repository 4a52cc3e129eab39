"""The world an agent lives in: it speaks with a customer, calls tools, and is scored by how the shop ends up.

    env = RetailEnv(Shop.load(), task, ScriptedCustomer())
    words = env.reset()
    step = env.step(Action("get_order_details", {"order_id": "#W1234567"}))
    env.step(Action("respond", {"content": "It is on its way."}))
    env.score().reward

The rule is tau-bench's: an episode ends when the customer says `###STOP###` or the agent hands over to a
human; then it is worth 1 if the database equals the one the gold actions lead to and every required output
was told to the customer, else 0. Without a customer, the agent's first message to them ends the episode.

`strict=True` (default) answers arguments that do not fit a tool's schema with an error before the tool runs;
`strict=False` is tau-bench's duck typing to the letter, where a number may become somebody's zip code.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from envs.domain import READ, TERMINATE, WRITE, Domain
from envs.retail.domain import RETAIL, domain_of
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import NAMELESS, argument_fault, call
from envs.world import Changes, View, World

STOP = "###STOP###"
MAX_STEPS = 30


class Customer(Protocol):
    """Who the agent speaks with: scripted (`customer.py`) or played by a model (`llm_customer.py`)."""

    def reset(self, task: Task) -> str:
        """Begin with a task; returns the first words."""

    def step(self, agent_text: str) -> str:
        """Answer the agent; contains `###STOP###` when the customer is done."""

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


@dataclass(frozen=True)
class Turn:
    """One action with its answer; `failed` if the answer is an error."""

    action: Action
    observation: str
    failed: bool


@dataclass(frozen=True)
class Step:
    """What one step brought: the observation, and at the end of the episode its reward."""

    observation: str
    reward: float
    done: bool
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """An episode's worth and its reasons."""

    reward: float
    database_equal: bool
    missing_outputs: tuple[str, ...]


@dataclass(frozen=True)
class Episode:
    """The account of what happened: all that rewards, metrics and pictures are made from."""

    task: Task
    opening: str
    turns: tuple[Turn, ...]
    ended: str  # "" while it goes on; "customer", "transfer", "steps", "budget", "unparsable", …
    changes: Changes
    gold_changes: Changes
    domain: Domain = field(default=RETAIL, repr=False)

    @property
    def calls(self) -> tuple[Turn, ...]:
        """The tool calls among the turns."""
        return tuple(turn for turn in self.turns if turn.action.name != RESPOND)

    @property
    def messages(self) -> tuple[str, ...]:
        """What the agent told the customer."""
        return tuple(
            turn.action.arguments["content"]
            for turn in self.turns
            if turn.action.name == RESPOND and not turn.failed
        )

    @property
    def customer_words(self) -> str:
        """Everything the customer said."""
        return "\n".join([self.opening, *(t.observation for t in self.turns if t.action.name == RESPOND)])

    def score(self) -> Score:
        """tau-bench's rule, whether or not the episode has ended."""
        said = [message.lower().replace(",", "") for message in self.messages]
        missing = tuple(
            output for output in self.task.outputs if not any(output.lower() in words for words in said)
        )
        equal = self.changes == self.gold_changes
        return Score(float(equal and not missing), equal, missing)


def gold_changes(shop: World, task: Task) -> Changes:
    """What the gold actions change, their errors ignored and hand-overs skipped. Remembered by the shop."""
    changes = shop.gold_ends.get(task.gold_key)
    if changes is None:
        changes = replay(shop, task.gold_actions).changes()
        if len(shop.gold_ends) >= 20_000:  # an endless stream of tasks must not fill the memory
            shop.gold_ends.clear()
        shop.gold_ends[task.gold_key] = changes
    return changes  # not looked up again: another thread may have cleared it


def replay(shop: World, actions: tuple[Action, ...]) -> View:
    """Run tool calls on fresh data and return the database they lead to."""
    database, domain = shop.open(), domain_of(shop)
    for action in actions:
        if isinstance(action.name, str) and domain.kind(action.name) in (READ, WRITE):
            call(database, action.name, action.arguments)
    return database


class RetailEnv:
    """One episode at a time of one task: `reset`, `step` until done, `score`."""

    def __init__(
        self,
        shop: World,
        task: Task,
        customer: Customer | None = None,
        *,
        max_steps: int = MAX_STEPS,
        strict: bool = True,
    ):
        self.shop, self.task, self.customer = shop, task, customer
        self.max_steps, self.strict = max_steps, strict
        self.domain = domain_of(shop)
        self.database = shop.open()
        self.opening, self.ended = "", ""
        self.turns: list[Turn] = []

    def reset(self, task: Task | None = None) -> str:
        """Open a fresh episode and return the customer's first words."""
        self.task = task or self.task
        self.database = self.shop.open()
        self.turns, self.ended = [], ""
        self.opening = self.customer.reset(self.task) if self.customer else self.task.query
        return self.opening

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return bool(self.ended)

    def step(self, action: Action) -> Step:
        """Carry out one action; whatever an agent may send is answered with text, never with an exception."""
        if self.ended:
            return Step("Error: the episode is over; call reset()", 0.0, True, {"ended": self.ended})
        observation, failed = self._answer(action)
        self.turns.append(Turn(action, observation, failed))
        if not self.ended and len(self.turns) >= self.max_steps:
            self.ended = "steps"
        info = {"source": "user" if action.name == RESPOND else action.name}
        if not self.ended:
            return Step(observation, 0.0, False, info)
        score = self.score()
        return Step(observation, score.reward, True, info | {"ended": self.ended, "score": score})

    def _answer(self, action: Action) -> tuple[str, bool]:
        """The observation, and whether it is an error; notes when the episode ends."""
        if action.name == RESPOND:
            return self._speak(action.arguments)
        if not isinstance(action.name, str):
            return NAMELESS, True
        tool = self.domain.tools.get(action.name)
        if tool is None:
            return f"Unknown action {action.name:.200}", True
        if tool.kind == TERMINATE:
            self.ended = "transfer"  # even with wrong arguments, as upstream does
        fault = argument_fault(action.name, action.arguments, self.domain.tools) if self.strict else None
        observation = f"Error: {fault}" if fault else call(self.database, action.name, action.arguments)
        return observation, observation.startswith("Error")

    def _speak(self, arguments: Any) -> tuple[str, bool]:
        content = arguments.get("content") if isinstance(arguments, dict) else None
        if not isinstance(content, str):
            return "Error: respond needs the words for the customer as 'content'", True
        reply = self.customer.step(content) if self.customer else STOP
        if STOP in reply:
            self.ended = "customer"
        return reply, False

    def end(self, reason: str) -> None:
        """End the episode from outside: the agent ran out of tokens, or wrote what nobody can read."""
        self.ended = self.ended or reason

    @property
    def episode(self) -> Episode:
        """The account so far."""
        return Episode(
            task=self.task,
            opening=self.opening,
            turns=tuple(self.turns),
            ended=self.ended,
            changes=self.database.changes(),
            gold_changes=gold_changes(self.shop, self.task),
            domain=self.domain,
        )

    def score(self) -> Score:
        """tau-bench's reward: an episode not ended by the customer or a hand-over is worth nothing."""
        score = self.episode.score()
        finished = self.ended in ("customer", "transfer")
        return score if finished else Score(0.0, score.database_equal, score.missing_outputs)

    def state(self) -> dict[str, Any]:
        """The episode as JSON, to go on with later or elsewhere."""
        return {
            "opening": self.opening,
            "turns": [[turn.action.to_json(), turn.observation, turn.failed] for turn in self.turns],
            "ended": self.ended,
            "database": self.database.state(),
            "customer": self.customer.state() if self.customer else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of an episode of the same task in the same shop."""
        self.opening, self.ended = state["opening"], state["ended"]
        self.turns = [Turn(Action.from_json(a), text, failed) for a, text, failed in state["turns"]]
        self.database.restore(state["database"])
        if self.customer:
            self.customer.restore(state["customer"])
