"""ToolRL from its files to a trained model: convert, warm up on right answers, refine with its reward.

    summary = convert_folder("rlla_4k", run / "rlla_gpt", Options())
    questions = read_questions(run / "rlla_gpt" / "train.parquet", tokenizer, longest=1024)
    train_sft(model, tokenizer, answer_rows(questions), answer_rows(others), sft_arguments(config, run))
    train_toolrl(model, tokenizer, questions, grpo_arguments(config, run), Switches())
    scores(held_out, answers(model, tokenizer, held_out, config.max_turn_length))

One question, one answer: generation stops where a call or a reply ends, so a row whose right answer makes
several calls could never be answered in full; such rows are left out here and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pipeline.checkpoints import FINISHED, keep_newest
from pipeline.datasets import Row, token_counter
from pipeline.grpo import GRPOResult, grpo_arguments, run_to_its_end, taken_up
from pipeline.grpo_rewards import flat_groups
from pipeline.harmony import Segment
from pipeline.harmony_parse import Vocabulary
from pipeline.merged import for_writing
from pipeline.sft import sft_arguments, train_sft
from pipeline.steps import generate
from pipeline.toolrl import Score, compute_score
from pipeline.toolrl.convert import Options
from pipeline.toolrl.files import convert_folder, read_parquet
from pipeline.toolrl.read import START, text_of
from pipeline.toolrl.shop import write_shop_rows
from pipeline.toolrl_score import Switches

if TYPE_CHECKING:
    from trl import GRPOConfig

__all__ = [
    "Options",
    "Question",
    "Switches",
    "answer_rows",
    "answers",
    "convert_folder",
    "grpo_arguments",
    "read_questions",
    "scores",
    "sft_arguments",
    "train_sft",
    "train_toolrl",
    "write_shop_rows",
]

AT_ONCE = 16  # prompts answered in one batch: they are long


@dataclass(frozen=True)
class Question:
    """A converted row: the prompt as text up to where the model writes, and the right answer."""

    name: str
    prompt: str
    truth: str


def read_questions(file: Path, tokenizer: Any, longest: int, count: int | None = None) -> list[Question]:
    """The first rows of a converted file that one answer can answer and whose prompts are not too long.

    Args:
        file: train.parquet or test.parquet as `convert_folder` wrote it.
        tokenizer: The model's, to count with.
        longest: Tokens a prompt may have.
        count: How many; None: all.
    """
    tokens, chosen = token_counter(tokenizer), []
    for row in read_parquet(file):
        extra = row["extra_info"]
        if extra["calls"] > 1 or extra["kind"] == "both" or tokens(extra["input"]) > longest:
            continue
        name = f"{file.stem}-{extra['index']}"
        chosen.append(Question(name, extra["input"], row["reward_model"]["ground_truth"]))
        if len(chosen) == count:
            break
    if not chosen:
        raise ValueError(
            f"{file}: no row with one call or reply and at most {longest:,} tokens; raise longest"
        )
    return chosen


def answer_rows(questions: Sequence[Question]) -> list[Row]:
    """The questions with their right answers, of which only the answers are trained."""
    return [
        Row(one.name, 0, (Segment(one.prompt, False, "user"), Segment(_own_words(one), True, "call")))
        for one in questions
    ]


def _own_words(question: Question) -> str:
    if not question.prompt.endswith(START) or not question.truth.startswith(START):
        raise ValueError(
            f"{question.name}: prompt and right answer do not meet at {START!r}; convert it again"
        )
    return question.truth.removeprefix(START)


def answers(model: Any, tokenizer: Any, questions: Sequence[Question], max_new_tokens: int) -> list[str]:
    """What the model answers, greedily; special tokens that it typed out in letters are escaped."""
    from tqdm.auto import tqdm

    vocabulary, writer = Vocabulary.of(tokenizer), for_writing(model)
    written: dict[int, str] = {}
    order = sorted(range(len(questions)), key=lambda place: len(questions[place].prompt))  # little padding
    for start in tqdm(range(0, len(order), AT_ONCE), desc="questions", unit="batch", leave=False):
        places = order[start : start + AT_ONCE]
        batch = generate(writer, tokenizer, [questions[place].prompt for place in places], max_new_tokens)
        written |= {place: text_of(ids, vocabulary) for place, ids in zip(places, batch, strict=True)}
    return [written[place] for place in range(len(questions))]


def scores(
    questions: Sequence[Question], written: Sequence[str], switches: Switches | None = None
) -> list[Score]:
    """What answers are worth."""
    switches = switches or Switches()
    return [
        compute_score(START + text, one.truth, switches=switches)
        for one, text in zip(questions, written, strict=True)
    ]


def toolrl_reward(tokenizer: Any, group: int, switches: Switches) -> Callable[..., list[float]]:
    """ToolRL's reward for TRL; format, correctness and the share of answers right in full are logged."""
    vocabulary = Vocabulary.of(tokenizer)

    def toolrl(completion_ids, truth, trainer_state, log_metric, **row) -> list[float]:
        step = trainer_state.global_step + 1  # the published switches count from 1
        found = [
            compute_score(ids, gold, step, switches, vocabulary)
            for ids, gold in zip(completion_ids, truth, strict=True)
        ]
        totals = [one.total for one in found]
        log_metric("terms/format", fmean(one.format for one in found))
        log_metric("terms/correctness", fmean(one.correctness for one in found))
        best = [compute_score(gold, gold, step, switches).total for gold in truth]
        log_metric("right_in_full", fmean(total >= most for total, most in zip(totals, best, strict=True)))
        log_metric("flat_groups", flat_groups(totals, group))
        return totals

    return toolrl


def train_toolrl(
    model: Any,
    tokenizer: Any,
    questions: Sequence[Question],
    arguments: GRPOConfig,
    switches: Switches | None = None,
    *,
    callbacks: Sequence[Any] = (),
) -> GRPOResult:
    """GRPO with ToolRL's reward: train, go on with a killed run, or take up a finished one.

    Args:
        model: A warmed-up model with its adapter; afterwards it holds the trained weights.
        tokenizer: Its tokenizer.
        questions: What to answer, in this order.
        arguments: TRL's arguments; everything is written to their `output_dir`.
        switches: Of the reward; those that depend on the step follow the training.
        callbacks: More of the trainer's callbacks, such as live curves.
    """
    from datasets import Dataset

    from pipeline.callbacks import metrics_log
    from pipeline.grpo_trainer import shop_trainer

    output = Path(arguments.output_dir)
    if (output / FINISHED).exists():
        return taken_up(model, output)
    rows = [{"prompt": one.prompt, "truth": one.truth} for one in questions]
    trainer = shop_trainer()(
        model=model,
        reward_funcs=toolrl_reward(tokenizer, arguments.num_generations, switches or Switches()),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[metrics_log(output.parent, "toolrl"), keep_newest(2), *callbacks],
    )
    run_to_its_end(trainer, tokenizer)
    return taken_up(model, output)
