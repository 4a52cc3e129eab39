"""One customer served in one of SkyRL's trajectories: the project's own loop, turned by SkyRL's.

    serving = Serving(task, RetailSettings(), max_turns=12, reader=reader, room=8192)
    serving.prompt                     # the messages SkyRL renders for the model
    serving.take(turn)                 # carry out one turn
    serving.observations               # what the model is told next; none when the episode is over
    serving.reward, serving.metrics()

`pipeline.running.Running` carries out the turns (and with it Recorder, RetailEnv and the scripted customer),
`pipeline.rewards` scores the account: nothing here decides what a call does or what it is worth.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.tasks import Task
from envs.retail.tools import schemas
from pipeline.agent import Told, Written
from pipeline.datasets import system_messages
from pipeline.episode import Episode
from pipeline.harmony import DATE, User
from pipeline.harmony_chat import to_chat
from pipeline.harmony_parse import Vocabulary
from pipeline.metrics import METRICS
from pipeline.model import STOPS
from pipeline.rewards import Breakdown, score
from pipeline.running import Rollout, Rules, Running, told
from scaleout.skyrl.reading import Reader, Turn, observation_of
from scaleout.skyrl.settings import RetailSettings

RATES = {"task_success_rate": "task_success_rate", "tool_parse_success_rate": "json_parse_success"}
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextReader:
    """The place of a reader where turns come as text and nobody counts tokens, as in skyrl-gym alone."""

    vocabulary: Vocabulary | None = None

    def encode(self, text: str) -> list[int]:
        """No tokens."""
        return []


TEXT = TextReader()


@cache
def shop() -> Shop:
    """The shop of this process; each episode opens a view of its own."""
    return Shop.load()


@lru_cache(maxsize=8)
def head(reader: Reader | TextReader, effort: str) -> Told:
    """System and developer message, rendered and tokenized once."""
    return told(reader, *system_messages("agent", effort=effort, date=DATE), prompt=False)


def opening(task: Task) -> list[dict[str, str]]:
    """The prompt as chat messages: the policy and the customer's first words. Tools go to the template."""
    conversation = [*system_messages("agent"), User(task.query)]
    return to_chat(conversation)["messages"]


def tools() -> list[dict]:
    """The tools' schemas as the chat template takes them."""
    return list(schemas())


class Serving:
    """One episode, from the customer's first words to the reward."""

    def __init__(
        self,
        task: Task,
        settings: RetailSettings,
        *,
        max_turns: int,
        reader: Reader | None = None,
        room: int | None = None,
        effort: str = "low",
    ) -> None:
        """Open the shop for a task.

        Args:
            task: The task.
            settings: Reward and referee.
            max_turns: Where the episode breaks off.
            reader: The model's tokenizer; without one, turns are text.
            room: The longest input the model may get, prompt included, in tokens; needs a reader.
            effort: The reasoning effort the system message states.
        """
        self.task, self.settings = task, settings
        agent = reader or TEXT
        self._ends = reader.ends if reader else ()
        start = head(agent, effort)
        if room is not None and reader:
            room -= len(start.ids) + len(told(agent, User(task.query)).ids)
        rules = Rules(agent, shop(), "agent", ScriptedCustomer, settings.strict, max_turns, room, 0, start)
        self.running = Running(rules, task, 0, 0)
        self.running.start()

    @property
    def prompt(self) -> list[dict[str, str]]:
        """What the model reads first, as chat messages."""
        return opening(self.task)

    def take(self, turn: str) -> None:
        """Carry out one turn; a turn that was cut off ends the episode, as everywhere in the project."""
        ids = turn.ids if isinstance(turn, Turn) and self._ends else ()
        cut = ids[-1] not in self._ends if ids else not turn.endswith(STOPS)
        if not ids and "<|" not in turn:
            LOG.warning("a turn without special tokens: train with `python -m scaleout.skyrl train`")
        self.running.take(Written(str(turn), ids, cut=cut))

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return self.running.done

    @property
    def ended(self) -> str:
        """Why it is over; empty while it goes on."""
        return self.running.env.ended

    @property
    def observations(self) -> list[dict[str, str]]:
        """What the model is told next."""
        return [] if self.done else [observation_of(m) for m in self.running.history.transcript[-1].messages]

    def end(self, reason: str) -> None:
        """End the episode from outside."""
        self.running.env.end(reason)

    @property
    def rollout(self) -> Rollout:
        """Everything that was read and written."""
        return self.running.rollout()

    @property
    def episode(self) -> Episode:
        """The account so far."""
        return self.rollout.episode

    @cached_property
    def breakdown(self) -> Breakdown | None:
        """The finished episode's worth; None, and a line in the log, where it could not be scored."""
        try:
            return score(self.episode, self.settings.weights, normalise=self.settings.normalise)
        except Exception:  # counted as reward_failures: one odd episode must not end a night's run
            LOG.exception("%s could not be scored", self.task.id)
            return None

    @property
    def reward(self) -> float:
        """What the trajectory earns: nothing before its end."""
        return self.breakdown.total if self.done and self.breakdown else 0.0

    def metrics(self) -> dict[str, float]:
        """One trajectory's numbers; `mean_metrics` puts those of many together."""
        episode = self.episode
        found = {name: METRICS[metric](episode) for name, metric in RATES.items()}
        values = {name: over / under for name, (over, under) in found.items() if under}
        read, written = found["tool_parse_success_rate"]
        values |= {
            "avg_tool_calls": float(len(episode.calls)),
            "turns_read": read,
            "turns_written": written,
            "cut_off": float(episode.ended in ("budget", "steps")),
            "errors": float(episode.ended == "error"),
        }
        if self.done:
            values["reward_failures"] = float(self.breakdown is None)
            terms = self.breakdown.values() if self.breakdown else {}
            values |= {f"terms/{name}": value for name, value in terms.items()}
        return values


def mean_metrics(metrics: list[dict[str, float]], success: str = "task_success_rate") -> dict[str, float]:
    """A batch's numbers from its trajectories', under names that SkyRL puts together rightly.

    Over the batches of an evaluation SkyRL averages what has "mean" in its name and adds up the rest, rates
    too. So means are called mean/…, and `episodes` and `successes` are counts: their ratio is exact even
    where batches differ in size. The share of readable turns is of all turns, as in the project's tables.
    """
    if not metrics:
        return {}
    names = sorted({name for one in metrics for name in one})
    columns = {name: [float(one[name]) for one in metrics if name in one] for name in names}
    means = {f"mean/{name}": sum(values) / len(values) for name, values in columns.items()}
    if written := sum(columns.get("turns_written", ())):
        means["mean/tool_parse_success_rate"] = sum(columns["turns_read"]) / written
    return means | {"episodes": float(len(metrics)), "successes": sum(columns.get(success, ()))}
