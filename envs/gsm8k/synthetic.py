"""Endless word problems in GSM8K's shape, for tests and for machines without the public files.

    for problem in islice(generate(seed=1, split="train"), 1000): ...

A story goes on for two to six worked lines such as `Mia has 24+6 = <<24+6=30>>30 marbles.`; every number is
computed as the line is written, so the answer is right by construction: whole, positive, never rounded.

The split is decided by what is computed, not by the seed alone: the equations of the solution are hashed into
one of ten parts (one test, one validation, eight train). So no two splits ever share a problem, nor two that
differ only in names and things, whatever their seeds.
"""

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from random import Random

from envs.gsm8k.problems import Problem

NAMES = ("Mia", "Omar", "Lena", "Ravi", "Ines", "Tom", "Aiko", "Jonas", "Zola", "Pablo", "Nora", "Kofi")
THINGS = ("marbles", "stamps", "stickers", "shells", "pencils", "apples", "cards", "beads", "cookies")
SPLITS = ("train", "validation", "test")
STEPS = range(2, 7)  # worked lines of a problem
LARGE = 400  # what is more is not multiplied


class _Story:
    """One problem while it is being made up."""

    def __init__(self, random: Random, steps: int) -> None:
        self.random, self.steps = random, steps
        self.name = random.choice(NAMES)
        self.unit = random.choice(THINGS)  # becomes dollars when they are sold
        self.amount = 0
        self.told: list[str] = []
        self.lines: list[str] = []

    @property
    def room(self) -> int:
        """How many lines may still be written."""
        return self.steps - len(self.lines)

    def work(self, start: str, left: int, sign: str, right: int) -> int:
        """Compute, and write the line that shows it."""
        result = {"+": left + right, "-": left - right, "*": left * right, "/": left // right}[sign]
        made = f"{left}{sign}{right}"
        self.lines.append(f"{start} {made} = <<{made}={result}>>{result} {self.unit}.")
        return result

    def problem(self) -> Problem:
        """The finished problem."""
        ask = f"How many {self.unit} does {self.name} have now?"
        question = " ".join([*self.told, ask])
        return Problem.of(question, "\n".join([*self.lines, f"#### {self.amount}"]))


def _begin(story: _Story) -> None:
    if story.random.random() < 0.5:
        story.amount = story.random.randint(6, 60)
        story.told.append(f"{story.name} has {story.amount} {story.unit}.")
        return
    bags, each = story.random.randint(2, 12), story.random.randint(2, 12)
    story.told.append(f"{story.name} has {bags} bags with {each} {story.unit} each.")
    story.amount = story.work(f"{story.name} has", bags, "*", each)


def _gets(story: _Story) -> None:
    more = story.random.randint(2, 40)
    story.told.append(f"{story.name} gets {more} more {story.unit} as a present.")
    story.amount = story.work(f"With the present {story.name} has", story.amount, "+", more)


def _loses(story: _Story) -> None:
    if story.amount < 5:
        return
    gone = story.random.randint(2, story.amount - 2)
    story.told.append(f"Then {story.name} gives {gone} {story.unit} away.")
    story.amount = story.work(f"After that {story.name} has", story.amount, "-", gone)


def _multiplies(story: _Story) -> None:
    if story.amount > LARGE:
        return
    times = story.random.randint(2, 5)
    story.told.append(f"A month later {story.name} has {times} times as many {story.unit}.")
    story.amount = story.work(f"A month later {story.name} has", story.amount, "*", times)


def _shares(story: _Story) -> None:
    equal = [number for number in range(2, 11) if story.amount % number == 0 and story.amount > number]
    if not equal:
        return
    people = story.random.choice(equal)
    others = "one other child" if people == 2 else f"{people - 1} other children"
    story.told.append(f"{story.name} shares all {story.unit} equally with {others} and keeps one share.")
    story.amount = story.work("One share is", story.amount, "/", people)


def _is_brought(story: _Story) -> None:
    if story.room < 2:
        return
    friends, each = story.random.randint(2, 9), story.random.randint(2, 12)
    story.told.append(f"Each of {friends} friends brings {story.name} {each} more {story.unit}.")
    brought = story.work("The friends bring", friends, "*", each)
    story.amount = story.work(f"Now {story.name} has", story.amount, "+", brought)


def _sells(story: _Story) -> None:
    if story.amount > LARGE:
        return
    price = story.random.randint(2, 9)
    story.told.append(f"{story.name} sells all {story.unit} for {price} dollars each.")
    story.unit = "dollars"
    story.amount = story.work(f"{story.name} earns", story.amount, "*", price)


def _buys(story: _Story) -> None:
    tickets, price = story.random.randint(2, 9), story.random.randint(2, 15)
    if story.room < 2 or tickets * price > story.amount - 2:
        return
    story.told.append(f"Then {story.name} buys {tickets} tickets for {price} dollars each.")
    spent = story.work("The tickets cost", tickets, "*", price)
    story.amount = story.work("What is left is", story.amount, "-", spent)


_Step = Callable[[_Story], None]
_WITH_THINGS: tuple[_Step, ...] = (_gets, _loses, _multiplies, _shares, _is_brought, _sells)
_WITH_MONEY: tuple[_Step, ...] = (_gets, _loses, _shares, _buys)


def generate(seed: int, split: str = "train") -> Iterator[Problem]:
    """Problems of a split without end, always the same ones for a seed.

    Args:
        seed: Which stream of problems.
        split: "train", "validation" or "test"; two splits never share a problem.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; use one of {', '.join(SPLITS)}")
    random = Random(f"gsm8k/{split}/{seed}")
    while True:
        problem = _made_up(random)
        if split_of(problem) == split:
            yield problem


def split_of(problem: Problem) -> str:
    """The split a problem belongs to, by its equations."""
    equations = "".join(re.findall(r"<<.*?>>", problem.solution))
    part = int(sha256(equations.encode()).hexdigest(), 16) % 10
    return {0: "test", 1: "validation"}.get(part, "train")


def _made_up(random: Random) -> Problem:
    story = _Story(random, random.choice(STEPS))
    _begin(story)
    while story.room:
        random.choice(_WITH_MONEY if story.unit == "dollars" else _WITH_THINGS)(story)
    return story.problem()
