"""Does the model take the right next step? Given the gold history, one turn is generated and read strictly.

    steps = gold_steps(shop, held_out_tasks, mode="agent")
    report = take_steps(model, tokenizer, steps, max_new_tokens=config.max_turn_length)
    report.valid_rate, report.name_accuracy, report.argument_accuracy
    report.table()                # the same by kind of step

Where the gold calls a tool, a step is *valid* if the strict parser finds a call of a declared tool whose
arguments fit its schema, its *name* is right if it is the gold call, and its *arguments* if they equal the
gold ones. Where the gold speaks to the customer, a final message is right. In plan mode, one step is the
whole plan and names are compared in order. This is a quick look with the teacher's hand on the wheel; whether
a model solves whole tasks is for evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envs.retail.domain import RETAIL
from envs.retail.tasks import Task
from envs.retail.tools import TOOLS
from envs.world import World
from pipeline.config import Config, Mode
from pipeline.datasets import Row, plannable_actions, sft_rows
from pipeline.harmony import Call
from pipeline.harmony_parse import Vocabulary, check_call, parse
from pipeline.merged import for_writing
from pipeline.plan import parse_plan_turn
from pipeline.task_sets import tasks_for

if TYPE_CHECKING:
    import pandas as pd

SPEAK = "(speaks to the customer)"


@dataclass(frozen=True)
class GoldStep:
    """A prompt with the calls that are right next; no calls where the agent should speak."""

    task_id: str
    prompt: str
    calls: tuple[Call, ...]
    mode: Mode

    @property
    def kind(self) -> str:
        """What to do here, for tables."""
        return "(plans)" if self.mode == "plan" else self.calls[0].name if self.calls else SPEAK


@dataclass(frozen=True)
class StepResult:
    """What the model wrote for a step, and what is right about it."""

    step: GoldStep
    completion: str
    valid: bool
    reason: str  # why it is not valid
    names: float  # share of gold calls whose name is right, in order
    arguments: float  # share of gold calls that are right in name and arguments


@dataclass(frozen=True)
class StepReport:
    """All results, and the rates made from them."""

    results: tuple[StepResult, ...]

    @property
    def valid_rate(self) -> float:
        """Share of valid calls where the gold calls a tool."""
        return _mean(result.valid for result in self.results if result.step.kind != SPEAK)

    @property
    def name_accuracy(self) -> float:
        """Share of right actions where the gold calls a tool."""
        return _mean(result.names for result in self.results if result.step.kind != SPEAK)

    @property
    def argument_accuracy(self) -> float:
        """Share of calls that are right to the letter."""
        return _mean(result.arguments for result in self.results if result.step.kind != SPEAK)

    def rates(self) -> dict[str, float | int]:
        """The three rates and their n."""
        calls = sum(result.step.kind != SPEAK for result in self.results)
        return {
            "steps": len(self.results),
            "calls": calls,
            "valid_rate": round(self.valid_rate, 4),
            "name_accuracy": round(self.name_accuracy, 4),
            "argument_accuracy": round(self.argument_accuracy, 4),
        }

    def table(self) -> pd.DataFrame:
        """The rates by kind of step."""
        import pandas as pd

        rows = [
            (r.step.kind, float(r.valid), r.names, r.arguments if r.step.kind != SPEAK else None)
            for r in self.results
        ]
        frame = pd.DataFrame(rows, columns=["step", "valid", "right action", "right arguments"])
        table = frame.groupby("step").mean()
        table.insert(0, "n", frame.groupby("step").size())
        return table.sort_values("n", ascending=False).round(2).reset_index()


def gold_steps(shop: World, tasks: Iterable[Task], *, mode: Mode = "agent", **style: Any) -> list[GoldStep]:
    """Every step of the tasks' demonstrations as a prompt and the right answer; `style` as in `sft_rows`."""
    by_id = {task.id: task for task in tasks}
    rows, _ = sft_rows(
        shop, by_id.values(), mode=mode, tokenizer=_characters, max_length=10**9, rows="step", **style
    )
    return [_gold_step(row, by_id[row.task_id], mode) for row in rows]


def held_out_steps(shop: World, config: Config, count: int) -> list[GoldStep]:
    """The steps of the first test tasks of a config, whose customers no training has met."""
    tasks = tasks_for(shop, config, "test", count)
    style = {"effort": config.effort, "date": config.date, "thoughts": config.thoughts}
    return gold_steps(shop, tasks, mode=config.mode, **style)


def _characters(text: str, add_special_tokens: bool = False) -> dict[str, str]:
    return {"input_ids": text}  # lengths do not matter here: nothing is dropped


def _gold_step(row: Row, task: Task, mode: Mode) -> GoldStep:
    answer = "".join(piece.text for piece in row.pieces if piece.trained)
    prompt = row.text.removesuffix(answer)
    if mode == "plan":
        calls = tuple(Call(action.name, action.arguments) for action in plannable_actions(task))
    else:
        call = parse(answer, TOOLS).call
        calls = (call,) if call else ()
    return GoldStep(row.task_id, prompt, calls, mode)


def take_steps(
    model: Any, tokenizer: Any, steps: Sequence[GoldStep], *, max_new_tokens: int, batch_size: int = 32
) -> StepReport:
    """Generate each step greedily and compare it with the gold."""
    from tqdm.auto import tqdm

    order = sorted(range(len(steps)), key=lambda place: len(steps[place].prompt))  # little padding
    completions: dict[int, list[int]] = {}
    writer = for_writing(model)
    with tqdm(total=len(steps), desc="steps", leave=False) as bar:
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            prompts = [steps[place].prompt for place in places]
            written = generate(writer, tokenizer, prompts, max_new_tokens)
            completions |= dict(zip(places, written, strict=True))
            bar.update(len(places))
    vocabulary = Vocabulary.of(tokenizer)
    return StepReport(tuple(judge(step, completions[n], vocabulary) for n, step in enumerate(steps)))


def generate(model: Any, tokenizer: Any, prompts: Sequence[str], max_new_tokens: int) -> list[list[int]]:
    """Greedy completions of a batch of prompts as token ids, without the padding after their end."""
    import torch

    batch = tokenizer(
        list(prompts), return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
    ).to(model.device)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        out = model.generate(**batch, max_new_tokens=max_new_tokens, do_sample=False)
    model.train(was_training)
    ends = model.generation_config.eos_token_id
    ends = set(ends if isinstance(ends, list) else [ends])
    return [_until_end(row, ends) for row in out[:, batch["input_ids"].shape[1] :].tolist()]


def _until_end(ids: list[int], ends: set[int]) -> list[int]:
    return next((ids[: place + 1] for place, token in enumerate(ids) if token in ends), ids)


def judge(step: GoldStep, ids: Sequence[int], vocabulary: Vocabulary) -> StepResult:
    """Read a completion strictly, as tokens, and compare it with the gold step."""
    text = vocabulary.decode(list(ids))
    if step.mode == "plan":
        plan = parse_plan_turn(ids, TOOLS, vocabulary)
        written, ok, reason, spoke = plan.calls, plan.ok, plan.reason, False
    else:
        parsed = check_call(parse(ids, TOOLS, vocabulary), RETAIL.schemas)
        written = (parsed.call,) if parsed.call else ()
        ok, reason, spoke = parsed.ok, parsed.reason or parsed.verdict, parsed.final is not None
    if step.kind == SPEAK:
        return StepResult(step, text, spoke, reason, float(spoke), float(spoke))
    ok = ok and not spoke
    if not step.calls:  # of a plan that does nothing, only the same is right
        return StepResult(step, text, ok, reason, float(ok and not written), float(ok and not written))
    pairs = list(zip(step.calls, written, strict=False))
    names = sum(gold.name == call.name for gold, call in pairs) / len(step.calls)
    return StepResult(step, text, ok, reason, names, sum(g == c for g, c in pairs) / len(step.calls))


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values) if values else float("nan")
