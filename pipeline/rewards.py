"""What an episode is worth: four profiles of small terms, each a pure function of the episode, freely mixed.

    breakdown = score(episode)                                             # tool_level
    breakdown = score(episode, {"tool_level": 1.0, "outcome": 2.0}, normalise=True)
    breakdown.total
    breakdown.values()            # {"tool_level/correct_name": 3.0, …}, for logs
    print(breakdown)

    python -m pipeline.rewards attack              # what 76 ways to get paid for nothing earn, as a table

| profile | terms |
| --- | --- |
| tool_level | +1.0 a correct action name, +0.5 a correct argument set, +0.5 correct ordering, -0.3 an incorrect action, -0.4 a missing required argument |
| outcome | 1 if the shop is as it should be and every required output was told: tau-bench's own rule |
| shaped | +1 correct final result, +0.2 valid calls, -0.1 a surplus call, -1 a made-up tool or a call against its schema |
| toolrl | format 0 to 1, correctness -3 to 3, optional length 0 to 1, with the published switches |

How a name, an argument set, an ordering and the rest are decided stands in `pipeline/rewards.md`, with worked
examples that the tests read and check; the counting is done once an episode, in `pipeline/matching.py`.
"""  # noqa: E501 (a table)

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from envs.retail.tasks import Action, Task
from pipeline.episode import Episode
from pipeline.strict import Verdict, check_arguments
from pipeline.toolrl_score import Switches, correctness, length_score

DEFAULT = {"tool_level": 1.0}
EPISODES = Switches(intermediate=True)  # why not the bare formula: see toolrl_score.py and rewards.md


@dataclass(frozen=True)
class Term:
    """One term of one profile: how often it applies, and what that is worth before the profile's weight."""

    profile: str
    name: str
    count: float
    value: float


@dataclass(frozen=True)
class Breakdown:
    """An episode's worth and what it is made of."""

    terms: tuple[Term, ...]
    weights: Mapping[str, float]
    best: Mapping[str, float]  # what each profile was divided by; 1 where it was not

    @property
    def profiles(self) -> dict[str, float]:
        """Each profile's own score, not weighted."""
        sums = dict.fromkeys(self.weights, 0.0)
        for term in self.terms:
            sums[term.profile] += term.value
        return {profile: value / self.best[profile] for profile, value in sums.items()}

    @property
    def total(self) -> float:
        """The weighted sum: the reward."""
        return sum(self.weights[profile] * value for profile, value in self.profiles.items())

    def values(self) -> dict[str, float]:
        """Every term's value by "profile/term"."""
        return {f"{term.profile}/{term.name}": term.value for term in self.terms}

    def __str__(self) -> str:
        lines = [f"{term.profile}/{term.name:<18} {term.count:5g}  {term.value:+.2f}" for term in self.terms]
        return "\n".join([*lines, f"total {self.total:+.3f}"])


# tool_level


def correct_names(episode: Episode) -> int:
    """Gold actions that were done, and at most one that only its name counts for."""
    return episode.matching.done + (episode.matching.named is not None)


def correct_argument_sets(episode: Episode) -> int:
    """Gold actions that were done with the right arguments."""
    return episode.matching.done


def correct_ordering(episode: Episode) -> int:
    """1 if every gold action was done, in an order the gold allows, and nothing else was changed."""
    matching = episode.matching
    in_order = matching.complete and matching.in_sequence and not matching.wrong_writes
    return int(in_order and matching.done > 0)


def incorrect_actions(episode: Episode) -> int:
    """Calls that should not have been made, and turns nobody could read."""
    return len(episode.matching.incorrect)


def missing_arguments(episode: Episode) -> int:
    """Required arguments that calls lack."""
    return episode.matching.missing_arguments


# outcome and shaped


def success(episode: Episode) -> int:
    """1 if the episode came to its end, the shop is as it should be, and every required output was told."""
    return int(episode.succeeded)


def valid_calls(episode: Episode) -> int:
    """1 if calls were made for the task, all attempts were readable, and all calls fit their schemas."""
    return int(acted(episode) and not episode.unread and not violations(episode))


def acted(episode: Episode) -> bool:
    """Whether any call did a gold action or tried to: else there is nothing whose form could be praised."""
    return episode.matching.done > 0 or episode.matching.named is not None


def violation(episode: Episode) -> int:
    """1 if a tool was made up or a schema violated, once an episode."""
    return int(violations(episode) > 0)


def violations(episode: Episode) -> int:
    """Calls of tools that do not exist, or with arguments that do not fit."""
    made_up = sum(attempt.verdict is Verdict.UNKNOWN_TOOL for attempt in episode.unread)
    return made_up + sum(_violates(episode, turn.action) for turn in episode.calls)


def _violates(episode: Episode, action: Action) -> bool:
    schema = episode.domain.schemas.get(action.name)
    return schema is None or check_arguments(schema, action.arguments) is not None


# toolrl


def toolrl_format(episode: Episode, switches: Switches = EPISODES) -> float:
    """The upper bound if all is well-formed and calls were made just if the gold has any, else the lower."""
    least, most = switches.bounds.format
    of_the_kind = acted(episode) if episode.gold_turns else not episode.calls
    return most if episode.well_formed and of_the_kind else least


def toolrl_correctness(episode: Episode, switches: Switches = EPISODES) -> float:
    """The published score of the calls as `comparable_calls` gives them."""
    return correctness(episode.task.gold_actions, comparable_calls(episode), switches)


def toolrl_length(episode: Episode, switches: Switches = EPISODES) -> float:
    """What the last thoughts' length earns where switched on; 0 by default, since it can be farmed."""
    return length_score(episode.attempts[-1].thought_words if episode.attempts else 0, switches)


def comparable_calls(episode: Episode) -> list[Action]:
    """The calls as a list to hold against the gold's, so that what is as right as the gold looks like it.

    What did a gold action stands as that action (in the gold's order unless the order was wrong), a free
    look-up is left out, and an incorrect call keeps its place but no name the gold could have.
    """
    matching, gold = episode.matching, episode.task.gold_actions
    done = {call: gold[place] for place, call in matching.right.items()}
    if matching.in_sequence:
        done = dict(zip(sorted(done), [gold[place] for place in sorted(matching.right)], strict=True))
    if matching.named and matching.named[1] is not None:
        done[matching.named[1]] = episode.calls[matching.named[1]].action
    spoilt = {
        mistake.call: Action(f"({mistake.why})") for mistake in matching.incorrect if mistake.call is not None
    }
    calls = [action for _, action in sorted((done | spoilt).items())]
    calls += [Action(f"({mistake.why})") for mistake in matching.incorrect if mistake.call is None]
    if matching.complete and matching.in_sequence and not matching.incorrect:
        return list(gold)
    if matching.named and matching.named[1] is None:
        calls.append(Action(gold[matching.named[0]].name, {"(left out)": ""}))
    return calls + [gold[place] for place in sorted(matching.excused)]


# profile -> (term, what one is worth, how many there are)
COUNTED: dict[str, tuple[tuple[str, float, Callable[[Episode], int]], ...]] = {
    "tool_level": (
        ("correct_name", 1.0, correct_names),
        ("correct_arguments", 0.5, correct_argument_sets),
        ("correct_ordering", 0.5, correct_ordering),
        ("incorrect_action", -0.3, incorrect_actions),
        ("missing_argument", -0.4, missing_arguments),
    ),
    "outcome": (("success", 1.0, success),),
    "shaped": (
        ("correct_result", 1.0, success),
        ("valid_calls", 0.2, valid_calls),
        ("surplus_call", -0.1, incorrect_actions),
        ("violation", -1.0, violation),
    ),
}
TOOLRL = {"format": toolrl_format, "correctness": toolrl_correctness, "length": toolrl_length}
PROFILES = (*COUNTED, "toolrl")


def score(
    episode: Episode,
    weights: Mapping[str, float] = DEFAULT,
    *,
    normalise: bool = False,
    switches: Switches = EPISODES,
) -> Breakdown:
    """Score an episode by one profile or a mixture.

    Args:
        episode: The account of what happened.
        weights: Profile -> weight.
        normalise: Divide each profile by the best the task allows, so that long tasks do not dominate.
        switches: ToolRL's, for the profile `toolrl`.
    """
    check_profiles(weights)
    terms = [term for profile in weights for term in _terms(profile, episode, switches)]
    best = {p: best_score(p, episode.task, switches) if normalise else 1.0 for p in weights}
    return Breakdown(tuple(terms), dict(weights), best)


def check_profiles(names: Iterable[str]) -> None:
    """Refuse the name of a profile that there is not."""
    known = dict.fromkeys((*COUNTED, *PROFILES))  # COUNTED may have been given one more: docs/rewards.md
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"no reward profile {unknown[0]!r}; there are {', '.join(known)}")


def _terms(profile: str, episode: Episode, switches: Switches) -> list[Term]:
    if profile == "toolrl":
        values = {name: part(episode, switches) for name, part in TOOLRL.items()}
        return [Term(profile, name, value, value) for name, value in values.items()]
    counts = [(name, unit, count(episode)) for name, unit, count in COUNTED[profile]]
    return [Term(profile, name, count, unit * count if count else 0.0) for name, unit, count in counts]


def best_score(profile: str, task: Task, switches: Switches = EPISODES) -> float:
    """The most an episode of a task can earn; 1 where that is nothing, so that it can be divided by."""
    actions = len(task.gold_actions)
    if profile == "tool_level":
        return 1.5 * actions + 0.5 if actions else 1.0
    if profile == "toolrl":
        most = switches.bounds
        return most.format[1] + most.correctness[1] * bool(actions) + switches.with_length
    return 1.2 if profile == "shaped" and actions else 1.0


if __name__ == "__main__":
    from pipeline.attacks.report import main

    main(sys.argv[1:])
