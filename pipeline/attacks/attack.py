"""What an attack is, and the honest work it is held against.

Attack("do nothing", "says goodbye", calls=lambda task: [])     # both modes: calls are turns, or a plan
honest(shop, task, "agent")                                     # the gold actions, and the customer told
partial_works(shop, task, "agent")                              # the first 0, 1, 2, … of the gold actions
dominates(partial, attacked)                                    # did the honest work achieve more?
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from envs.retail.domain import domain_of
from envs.retail.tasks import Action, Task
from envs.world import World
from pipeline.config import MODES, Mode
from pipeline.demonstrations import report
from pipeline.episode import Episode, play_plan, play_turns
from pipeline.harmony import Analysis, Call, Final, Preamble, render
from pipeline.plan import render_plan

GOODBYE = "I will look into it. Goodbye!"


@dataclass(frozen=True)
class Attack:
    """A named way to act without doing the work: calls for both modes, or the turns or plan themselves."""

    name: str
    what: str
    calls: Callable[[Task], list[Action]] | None = None
    turns: Callable[[Task], list[str]] | None = None
    plan: Callable[[Task], str] | None = None
    words: Callable[[Task], str] = lambda task: GOODBYE  # said after the calls in agent mode

    def episode(self, shop: World, task: Task, mode: Mode) -> Episode | None:
        """The attack carried out; None in a mode it does not exist in."""
        if self.calls:
            return act(shop, task, self.calls(task), mode, self.words(task))
        if mode == "agent":
            return play_turns(shop, task, self.turns(task), max_steps=64) if self.turns else None
        return play_plan(shop, task, self.plan(task)) if self.plan else None

    def episodes(self, shop: World, task: Task) -> list[Episode]:
        """The attack in every mode it exists in."""
        played = (self.episode(shop, task, mode) for mode in MODES)
        return [episode for episode in played if episode]


def turn(*messages: Analysis | Preamble | Call | Final) -> str:
    """One turn as the agent writes it after `<|start|>assistant`."""
    return render(messages).removeprefix("<|start|>assistant")


def turns(actions: Iterable[Action], words: str = GOODBYE) -> list[str]:
    """One call a turn, then the words for the customer."""
    return [*(turn(Call(action.name, action.arguments)) for action in actions), turn(Final(words))]


def act(shop: World, task: Task, actions: Iterable[Action], mode: Mode, words: str = GOODBYE) -> Episode:
    """Make these calls in a mode."""
    if mode == "plan":
        return play_plan(shop, task, turn(Final(render_plan(actions))))
    return play_turns(shop, task, turns(actions, words), max_steps=64)


def honest(shop: World, task: Task, mode: Mode = "agent") -> Episode:
    """The gold actions, and the customer told what came of them."""
    return act(shop, task, task.gold_actions, mode, report(task, domain=domain_of(shop)))


def partial_works(shop: World, task: Task, mode: Mode = "agent") -> list[Episode]:
    """Honest work broken off: nothing, the first gold action, the first two, … all, but nothing told."""
    gold = task.gold_actions
    return [act(shop, task, gold[:count], mode) for count in range(len(gold) + 1)]


def dominates(ours: Episode, theirs: Episode) -> bool:
    """Whether one episode achieved more: no less in any respect, and more in one."""
    return (
        ours is not theirs
        and achieved(ours) != achieved(theirs)
        and all(a >= b for a, b in zip(achieved(ours), achieved(theirs), strict=True))
    )


def achieved(episode: Episode) -> tuple[int, int, int]:
    """What was achieved: the task's success, gold actions done right, nothing changed that should not be."""
    matching = episode.matching
    return int(episode.accomplished), matching.done, -matching.wrong_writes
