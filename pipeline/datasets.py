"""From tasks to what the trainers read: SFT rows, GRPO prompts, and an honest account of their lengths.

    rows, report = sft_rows(shop, tasks, mode="agent", tokenizer=tokenizer, max_length=5632)
    print(report)                                  # how many rows, how long, which were dropped and why
    dataset = to_dataset(rows)                     # input_ids and completion_mask, ready for TRL's SFTTrainer
    prompts = grpo_prompts(tasks, mode="agent")    # rows for TRL's GRPOTrainer

Two modes. `agent`: the conversation of a demonstration, one row for each of the agent's steps, of which the
last is trained (`rows="episode"` puts all steps of an episode into one row and trains each: the same targets
for a fraction of the tokens, because a rollout's history is never rendered anew). `plan`: one row a task, the
answer is one JSON object with all the calls.

Rows hold text; `tokenized` turns them into ids with a mask. A row that does not fit is reported and dropped,
never cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from envs.domain import READ, Domain
from envs.retail.domain import RETAIL, domain_of
from envs.retail.reach import unreachable_values
from envs.retail.tasks import Action, Task
from envs.world import World
from pipeline import plan
from pipeline.config import Mode
from pipeline.demonstrations import NotDemonstrable, demonstrate
from pipeline.harmony import DATE, Developer, Final, Message, Segment, System, User, joined, segments

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Row:
    """One training text in pieces; `trained` pieces are what the model is to write."""

    task_id: str
    step: int
    pieces: tuple[Segment, ...]

    @property
    def name(self) -> str:
        """What length reports call it."""
        return f"{self.task_id}/{self.step}"

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class LengthReport:
    """What became of the tasks, in rows and tokens."""

    mode: str
    max_length: int
    lengths: dict[str, int] = field(default_factory=dict)  # "task/step" -> tokens, also of dropped rows
    too_long: tuple[str, ...] = ()
    kept: int = 0
    not_demonstrable: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.mode}: no rows"]
        if tokens := sorted(self.lengths.values()):
            lines = [
                f"{self.mode}: {self.kept} rows kept of {len(tokens)}; tokens min {tokens[0]}, "
                f"median {tokens[len(tokens) // 2]}, max {tokens[-1]} of {self.max_length} allowed"
            ]
        if self.too_long:
            lines.append(f"too long: {len(self.too_long)}, first {self.too_long[0]}")
        lines += [f"not demonstrable: {reason}" for reason in self.not_demonstrable[:5]]
        return "\n".join(lines)


def system_messages(
    mode: Mode, *, effort: str = "low", date: str = DATE, domain: Domain = RETAIL
) -> list[Message]:
    """System and developer message every conversation of a mode begins with."""
    system, tools = System(effort=effort, date=date), tuple(domain.schemas.values())
    if mode == "plan":
        return [system, Developer(plan.instructions(domain.policy, tools))]
    return [system, Developer(domain.policy, tools)]


def sft_rows(
    shop: World,
    tasks: Iterable[Task],
    *,
    mode: Mode = "agent",
    tokenizer: Any,
    max_length: int,
    effort: str = "low",
    date: str = DATE,
    rows: Literal["step", "episode"] = "step",
    thoughts: bool = False,
    tells: float = 1.0,
    too_long: Literal["drop", "keep"] = "drop",
) -> tuple[list[Row], LengthReport]:
    """Rows of all tasks that can be demonstrated and fit, with a report of those that cannot or do not.

    Args:
        shop: The shop the tasks are about.
        tasks: The tasks.
        mode: "agent" (a conversation with executed calls) or "plan" (one JSON object with all calls).
        tokenizer: Anything `count_tokens` understands.
        max_length: The longest row the trainer takes, in tokens.
        effort: The reasoning effort the system message states.
        date: The date the system message states.
        rows: In agent mode, a row for each step, or one for the whole episode.
        thoughts: In agent mode, put a short analysis before each turn.
        tells: In agent mode, the share of tasks whose demonstrator tells what was asked (`demonstrate`).
        too_long: Whether rows beyond `max_length` are dropped or kept; reported they are either way.
    """
    opening = segments(system_messages(mode, effort=effort, date=date, domain=domain_of(shop)))  # once
    found, refused = [], []
    for task in tasks:
        try:
            found += _rows_of(shop, task, opening, mode, rows, thoughts, tells)
        except NotDemonstrable as error:
            refused.append(str(error))
    count = cache(token_counter(tokenizer))  # rows share most of their messages, above all the policy
    lengths = {row.name: sum(map(count, _whole_messages(row.pieces))) for row in found}
    over = {name for name, length in lengths.items() if length > max_length}
    kept = [row for row in found if too_long == "keep" or row.name not in over]
    return kept, LengthReport(mode, max_length, lengths, tuple(sorted(over)), len(kept), tuple(refused))


def _rows_of(
    shop: World, task: Task, opening: list[Segment], mode: Mode, rows: str, thoughts: bool, tells: float
) -> list[Row]:
    if mode == "plan":
        answer = Final(plan.render_plan(plannable_actions(task, domain_of(shop))))
        return [Row(task.id, 0, (*opening, *segments([User(task.query), answer])))]
    told = Random(f"tells/{task.id}").random() < tells
    messages = demonstrate(shop, task, thoughts=thoughts, tells=told).messages
    pieces = opening + segments(messages)
    if rows == "episode":
        return [Row(task.id, 0, tuple(pieces))]
    return [Row(task.id, step, _step(pieces, end)) for step, end in enumerate(_turn_ends(pieces))]


def plannable_actions(task: Task, domain: Domain = RETAIL) -> list[Action]:
    """The gold actions one can plan from the query alone; all writes must be among them."""
    actions = [action for action in task.gold_actions if not _unplannable(task, action, domain)]
    for action in task.gold_actions:
        if domain.kind(action.name) != READ and action not in actions:
            unknown = _unplannable(task, action, domain)[0]
            raise NotDemonstrable(f"{task.id}: {action.name}.{unknown} cannot be planned from the query")
    return actions


def _unplannable(task: Task, action: Action, domain: Domain) -> list[str]:
    return unreachable_values(action, [task.query], domain.free_text)


def _turn_ends(pieces: Sequence[Segment]) -> list[int]:
    """Positions after each of the agent's turns: where what it wrote is followed by what it did not."""
    return [
        place + 1
        for place, piece in enumerate(pieces)
        if piece.trained and (place + 1 == len(pieces) or not pieces[place + 1].trained)
    ]


def _step(pieces: Sequence[Segment], end: int) -> tuple[Segment, ...]:
    """The conversation up to one turn, of which only that turn is trained."""
    start = end
    while start and pieces[start - 1].trained:
        start -= 1
    history = [Segment(piece.text, False, piece.kind) for piece in pieces[:start]]
    return (*history, *pieces[start:end])


def _whole_messages(pieces: Sequence[Segment]) -> Iterator[str]:
    """A row's text message by message: each begins with a special token, so no token spans two of them."""
    text = ""
    for piece in pieces:
        if text and piece.text.startswith("<|start|>"):
            yield text
            text = ""
        text += piece.text
    yield text


def token_counter(tokenizer: Any) -> Callable[[str], int]:
    """How many tokens a text has, for a Hugging Face tokenizer or harmony's own encoding."""
    if hasattr(tokenizer, "encode") and hasattr(tokenizer, "stop_tokens"):  # openai_harmony's encoding
        return lambda text: len(tokenizer.encode(text, allowed_special="all"))
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


@cache
def real_vocabulary() -> Any | None:
    """gpt-oss's own vocabulary where the package `oss-harmony` is installed, else None."""
    try:
        from openai_harmony import HarmonyEncodingName, load_harmony_encoding
    except ImportError:
        return None
    return load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


def tokenized(row: Row, tokenizer: Any) -> dict[str, list[int]]:
    """A row as ids, and a mask that is 1 exactly on what the model is to write."""
    ids: list[int] = []
    mask: list[int] = []
    for trained, text in joined(row.pieces):
        piece = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += piece
        mask += [int(trained)] * len(piece)
    return {"input_ids": ids, "completion_mask": mask}


def to_dataset(rows: Sequence[Row], tokenizer: Any) -> Dataset:
    """The rows as TRL's SFTTrainer reads them without touching them again."""
    from datasets import Dataset

    return Dataset.from_list([tokenized(row, tokenizer) for row in rows])


def grpo_prompts(
    tasks: Iterable[Task], *, mode: Mode = "agent", domain: Domain = RETAIL
) -> list[dict[str, Any]]:
    """One row a task: the prompt as chat messages, and the task as JSON for environment and reward."""
    opening = system_messages(mode, domain=domain)
    developer = next(message for message in opening if isinstance(message, Developer))
    return [
        {
            "prompt": [
                {"role": "developer", "content": developer.instructions},
                {"role": "user", "content": task.query},
            ],
            "task": json.dumps(task.to_json(), ensure_ascii=False),
        }
        for task in tasks
    ]
