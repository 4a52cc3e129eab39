"""How long prompts, episodes and answers are, in gpt-oss's own tokens: what the recipes' limits come from.

    python -m scaleout.verl lengths                  # needs the package oss-harmony
    need_of(shop, task)                              # Need(turns=5, asks=False), or None

Measured on demonstrations with short thoughts: those of at most 6 turns have up to 1,748 tokens after the
prompt, all 800 up to 6,303. A model that thinks at length needs room on top of that, so the gpt-oss recipe
allows 8,192.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from envs.retail.database import Shop
from envs.retail.tasks import RESPOND, Task
from envs.retail.tools import call
from pipeline.datasets import real_vocabulary, system_messages, token_counter
from pipeline.demonstrations import NotDemonstrable, demonstrate
from pipeline.harmony import escape, render


@dataclass(frozen=True)
class Need:
    """What it takes to serve a task."""

    turns: int  # of the agent
    asks: bool  # whether the customer is asked for anything before the last call


def need_of(shop: Shop, task: Task) -> Need | None:
    """What the task's demonstration takes; None where there is none."""
    try:
        demonstration = demonstrate(shop, task)
    except NotDemonstrable:
        return None
    names = [turn.action.name for turn in demonstration.episode.turns]
    last = max((place for place, name in enumerate(names) if name != RESPOND), default=0)
    return Need(len(names), RESPOND in names[:last])


def longest_answer(shop: Shop) -> int:
    """The most characters any look-up of the shop answers with, as they reach the model."""
    return max(len(escape(answer)) for answer in _answers(shop))


def _answers(shop: Shop) -> Iterator[str]:
    database = shop.open()
    yield call(database, "list_all_product_types", {})
    for name, parameter, keys in (
        ("get_user_details", "user_id", shop.users),
        ("get_order_details", "order_id", shop.orders),
        ("get_product_details", "product_id", shop.products),
    ):
        for key in keys:
            yield call(database, name, {parameter: key})


def measure(tasks: Sequence[Task], turns: Sequence[int] = (5, 6, 8, 12, 16)) -> str:
    """A table of lengths: prompts, episodes after the prompt, turns, answers of tools."""
    vocabulary = real_vocabulary()
    if vocabulary is None:
        raise ValueError("gpt-oss's own vocabulary is missing: pip install oss-harmony")
    shop, count = Shop.load(), token_counter(vocabulary)
    found = [one for task in tasks if (one := _measured(shop, task, count))]
    if not found:
        raise ValueError("none of these tasks can be demonstrated, so there is nothing to measure")
    prompts, responses, needed = (list(column) for column in zip(*found, strict=True))
    lines = [f"{len(found):,} of {len(tasks):,} tasks demonstrated", _line("prompt, tokens", prompts)]
    lines += [_line("episode after the prompt, tokens", responses), _line("the agent's turns", needed)]
    lines.append(_line("a look-up's answer, characters", [len(escape(answer)) for answer in _answers(shop)]))
    for most in turns:
        short = [length for length, need in zip(responses, needed, strict=True) if need <= most]
        share = f"{len(short) / len(found):.0%}"
        lines.append(f"at most {most} turns: {share} of the tasks, longest episode {max(short, default=0):,}")
    return "\n".join(lines)


def _measured(shop: Shop, task: Task, count: Callable[[str], int]) -> tuple[int, int, int] | None:
    try:
        demonstration = demonstrate(shop, task, thoughts=True)
    except NotDemonstrable:
        return None
    messages: list[Any] = [*system_messages("agent"), *demonstration.messages]
    prompt = count(render(messages[:3], generation_prompt=True))
    return prompt, count(render(messages)) - prompt, len(demonstration.episode.turns)


def _line(what: str, values: list[int]) -> str:
    ordered = sorted(values)
    at = [ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95, 0.99, 1)]
    return f"{what}: median {at[0]:,}, 95 % {at[1]:,}, 99 % {at[2]:,}, longest {at[3]:,}"
