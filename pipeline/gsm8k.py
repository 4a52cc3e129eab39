"""GSM8K inside TRL: prompts in harmony with the shop's calculator as a tool, episodes read strictly, GRPO.

    problems = list(islice(generate(seed=1), 400))           # or read_problems("gsm8k/train.jsonl")
    train_sft(model, tokenizer, answer_rows(problems), answer_rows(others), sft_arguments(config, run))
    train_gsm8k(model, tokenizer, problems, grpo_arguments(config, run))

TRL's own loop executes the calculator (`environment_factory`); `calculator=False` is one answer, no tool. The
reward is 1 or 0: the number of the final message decides, by the rule of `envs.gsm8k.answers`. Thoughts and
calls earn nothing, and neither does an episode that its budget cut off, or that the strict parser
(pipeline/harmony_parse.py) refuses anywhere. The same code serves the tiny model and gpt-oss; with the tiny
profile set max_turn_length=192, for a worked answer is longer than the shop's turns.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from envs.gsm8k.answers import score
from envs.gsm8k.problems import Problem
from envs.gsm8k.tools import TOOLS, call, schemas
from envs.retail.tools import general
from pipeline.checkpoints import FINISHED, keep_newest
from pipeline.datasets import Row
from pipeline.grpo import GRPOResult, run_to_its_end, taken_up
from pipeline.grpo_desks import agent_turns
from pipeline.grpo_rewards import flat_groups
from pipeline.harmony import DATE, Call, Developer, Final, Message, System, ToolResult, User, segments
from pipeline.harmony_chat import to_chat
from pipeline.harmony_parse import Completion, Vocabulary, parse
from pipeline.strict import Verdict

if TYPE_CHECKING:
    from trl import GRPOConfig

INSTRUCTIONS = "Solve the problem step by step. End your answer with a line `#### ` and the number alone."
_ANNOTATION = re.compile(r"<<([^<>=]+)=[^<>]*>>")


@dataclass(frozen=True)
class Called:
    """A call of the agent with its answer."""

    name: str
    arguments: dict[str, Any]
    answer: str

    @property
    def failed(self) -> bool:
        """It was answered with an error."""
        return self.answer.startswith(("Error", "Unknown action"))


@dataclass(frozen=True)
class Solved:
    """What happened in an episode: the calls, the words of the final message, and what was refused."""

    calls: tuple[Called, ...] = ()
    final: str | None = None
    verdict: Verdict = Verdict.OK  # of the turn that ended it
    reason: str = ""

    def score(self, reference: str, strict: bool = True) -> float:
        """1.0 if the final message answers with the reference's number, else 0.0."""
        return 0.0 if self.final is None else score(self.final, reference, strict)


def conversation(
    problem: Problem, *, calculator: bool = True, effort: str = "low", date: str = DATE
) -> list[Message]:
    """System, developer and user message of a problem, with or without the calculator declared."""
    tools = tuple(schemas()) if calculator else ()
    return [System(effort=effort, date=date), Developer(INSTRUCTIONS, tools), User(problem.question)]


def gsm8k_rows(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Rows for TRL's GRPOTrainer; system message, date and tools are added by the tokenizer's template."""
    return [
        {"prompt": to_chat(conversation(problem))["messages"], "answer": problem.answer}
        for problem in problems
    ]


def demonstration(problem: Problem, *, calculator: bool = True) -> list[Message]:
    """What a good agent writes: each `<<48/2=24>>` of the solution becomes a call, then the solution."""
    asked = _ANNOTATION.findall(problem.solution) if calculator else []
    messages: list[Message] = []
    for expression in asked:
        arguments = {"expression": expression}
        answer = call("calculate", arguments)
        if not answer.startswith("Error"):  # public annotations hold what no calculator reads, such as "5%"
            messages += [Call("calculate", arguments), ToolResult("calculate", answer)]
    return [*messages, Final(re.sub(r"<<[^<>]*>>", "", problem.solution))]


def answer_rows(
    problems: Sequence[Problem], *, calculator: bool = True, effort: str = "low", date: str = DATE
) -> list[Row]:
    """Rows for the supervised warm-up, of which the agent's own words are trained."""
    rows = []
    for place, problem in enumerate(problems):
        opening = conversation(problem, calculator=calculator, effort=effort, date=date)
        pieces = segments([*opening, *demonstration(problem, calculator=calculator)])
        rows.append(Row(f"gsm8k-{place}", 0, tuple(pieces)))
    return rows


def play(turns: Iterable[Completion], vocabulary: Vocabulary | None = None) -> Solved:
    """Carry out an agent's turns up to its final message, or to the first that cannot be read.

    Args:
        turns: What the agent wrote after each `<|start|>assistant`, as text or token ids.
        vocabulary: Needed for token ids.
    """
    calls: list[Called] = []
    for turn in turns:
        parsed = parse(turn, TOOLS, vocabulary)
        if parsed.final is not None:
            return Solved(tuple(calls), parsed.final)
        if parsed.verdict not in (Verdict.OK, Verdict.UNKNOWN_TOOL):
            return Solved(tuple(calls), None, parsed.verdict, parsed.reason)
        asked = parsed.messages[-1]  # an unknown tool or wrong arguments are answered, as in TRL's loop
        calls.append(Called(asked.name, asked.arguments, call(asked.name, asked.arguments)))
    return Solved(tuple(calls), None, Verdict.TRUNCATED, "the episode ends without a final message")


def gsm8k_reward(tokenizer: Any, group: int, strict: bool = True) -> Callable[..., list[float]]:
    """The reward function for TRL, which reads an episode's tokens and logs what the episodes were like.

    Args:
        tokenizer: The model's.
        group: Episodes of a prompt.
        strict: Whether the answer has to stand behind `####`; else the last number counts.
    """
    vocabulary = Vocabulary.of(tokenizer)

    def gsm8k(completion_ids, answer, log_metric, **row) -> list[float]:
        solved = [play(agent_turns(ids, vocabulary), vocabulary) for ids in completion_ids]
        rewards = [one.score(right, strict) for one, right in zip(solved, answer, strict=True)]
        for name, value in step_metrics(solved, rewards, group).items():
            log_metric(name, value)
        return rewards

    return gsm8k


def step_metrics(solved: Sequence[Solved], rewards: Sequence[float], group: int) -> dict[str, float]:
    """Means over a step's episodes, under the names the shop's runs use."""
    calls = [one for episode in solved for one in episode.calls]
    return {
        "task_success_rate": fmean(rewards),
        "ended_properly": fmean(one.final is not None for one in solved),
        "avg_tool_calls": len(calls) / len(solved),
        "tool_completion_success": fmean(not one.failed for one in calls) if calls else 0.0,
        "flat_groups": flat_groups(rewards, group),
    }


class CalculatorDesk:
    """Where TRL's loop finds the calculator: a method of what its `environment_factory` returns."""

    def reset(self, **row: Any) -> None:
        """Nothing to prepare: the calculator remembers nothing."""

    def calculate(self, expression: str) -> str:
        return call("calculate", {"expression": expression})

    calculate.__doc__ = general.calculate.__doc__  # TRL wants the arguments described


def build_gsm8k_trainer(
    model: Any,
    tokenizer: Any,
    problems: Sequence[Problem],
    arguments: GRPOConfig,
    *,
    calculator: bool = True,
    strict: bool = True,
) -> Any:
    """TRL's GRPOTrainer over problems, with the calculator as a tool or with one answer and no tool."""
    from datasets import Dataset

    from pipeline.callbacks import metrics_log
    from pipeline.grpo_trainer import shop_trainer

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # its version is pinned
    trainer = shop_trainer()(
        model=model,
        reward_funcs=gsm8k_reward(tokenizer, arguments.num_generations, strict),
        args=arguments,
        train_dataset=Dataset.from_list(gsm8k_rows(problems)),
        processing_class=tokenizer,
        environment_factory=CalculatorDesk if calculator else None,
        callbacks=[metrics_log(Path(arguments.output_dir).parent, "gsm8k"), keep_newest(2)],
    )
    if calculator:  # TRL would describe the tool in its own words: other tokens than the warm-up's
        trainer._env_tools = {None: schemas()}
    return trainer


def train_gsm8k(
    model: Any, tokenizer: Any, problems: Sequence[Problem], arguments: GRPOConfig, **build: bool
) -> GRPOResult:
    """Train, go on with a killed run, or take up a finished one; `build` is `calculator` or `strict`.

    Args:
        model: A model with its adapter; afterwards it holds the trained weights.
        tokenizer: Its tokenizer.
        problems: What to solve, in this order.
        arguments: TRL's arguments; everything is written to their `output_dir`.
        build: What `build_gsm8k_trainer` takes.
    """
    output = Path(arguments.output_dir)
    if not (output / FINISHED).exists():
        run_to_its_end(build_gsm8k_trainer(model, tokenizer, problems, arguments, **build), tokenizer)
    return taken_up(model, output)
