"""ToolRL in gpt-oss's harmony format: its data converted, its reward with the published switches, verl's entry.

    python -m pipeline.toolrl convert --input-dir rlla_4k --output-dir rlla_gpt

    total, form, right, length = compute_score(completion, row["reward_model"]["ground_truth"], step=75)
    compute_score(completion, truth, switches=Switches(intermediate=True, guess_cap=0))

`total = format + correctness + length`. Without switches: format 0 or 1, correctness -3 to 3, length 0.

| part | decided like this |
| --- | --- |
| format | thoughts first, then calls, a final message, or calls and a final message, as the right answer has it; preambles may stand before the calls. Everything well-formed, nothing besides. |
| correctness | the published formula (pipeline/toolrl_score.py) on the calls, wherever they stand; 0 where the right answer calls nothing. Any call that cannot be read costs everything. |
| length | words of the last thoughts, where switched on |

The numbers are those of the public implementation (qiancheng0/ToolRL) for the same answer in its tags. Not the
same, because harmony has no block of calls: a preamble may announce them, arguments may span lines, and thoughts
may speak of tags. Two faults of the original are refused with an error: the switches that turn the
reward upside down, and a right answer that cannot be read (the converter rejects such rows). A solution never
raises, whatever it holds. Known to be gameable by many guesses beside the right call: `guess_cap` (GUESSCAP).

verl: `reward.custom_reward_function.path=pkg://pipeline.toolrl`, `.name=verl_score`.
"""  # noqa: E501 (a table)

import argparse
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.harmony_parse import Completion, Vocabulary
from pipeline.toolrl_read import Answer, Answers, Call, text_of
from pipeline.toolrl_score import Switches, correctness, length_score

_new = tuple.__new__  # half the time of a NamedTuple's own
STEPS = ("step", "global_steps", "max_global_steps")  # where verl's extra_info may tell the training step
_SWITCH_NAMES = frozenset(field.name for field in fields(Switches)) - {"step"}
_STRIPPED = re.compile(r"\s*(?:assistant)?\s*(?:to=functions\.|analysis|commentary|final)")


class Score(NamedTuple):
    """What an answer earns."""

    total: float
    format: float
    correctness: float
    length: float


class Gold(NamedTuple):
    """A right answer: its calls, and the shape an answer of its kind has."""

    calls: list[Call]
    names: frozenset[str]
    answers: Answers  # to this question
    wanted: "Wanted"


class Wanted(dict[str, bool]):
    """Whether an answer of a shape is as a right one of this kind is; each shape is looked at once."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def __missing__(self, shape: str) -> bool:
        fits = self.pattern.fullmatch(shape) is not None
        if len(self) < 1000:
            self[shape] = fits
        return fits


def compute_score(
    solution: Completion | None,
    ground_truth: str,
    step: int = 0,
    switches: Switches | None = None,
    vocabulary: Vocabulary | None = None,
) -> Score:
    """What a solution is worth: total, format, correctness, length.

    Args:
        solution: What the assistant wrote, alone or at the end of the whole conversation; text, or token ids.
        ground_truth: The right answer in harmony, as the converter writes it.
        step: Of the training, for the switches that depend on it; the first is 1.
        switches: Instead of those of the environment (CORRECTMAX1=1, …), which are read at every call.
        vocabulary: Needed for token ids.
    """
    switches = Switches.from_environment(step) if switches is None else _at(switches, step)
    if not isinstance(ground_truth, str):
        raise TypeError(f"the ground truth must be text, not {type(ground_truth).__name__}")
    gold = read_gold(ground_truth)
    answer = gold.answers.read(_text(solution, vocabulary))
    least, most = switches.bounds.format
    form = most if gold.wanted[answer.shape] else least
    right = correctness(gold.calls, _comparable(answer, gold, switches), switches)
    length = length_score(len(answer.thoughts.split()), switches) if switches.with_length else 0.0
    return _new(Score, (form + right + length, form, right, length))


def _at(switches: Switches, step: int) -> Switches:
    """The options at a step; theirs where none is given."""
    return replace(switches, step=step) if step and step != switches.step else switches


def _text(solution: Completion | None, vocabulary: Vocabulary | None) -> str:
    if isinstance(solution, str):
        return solution
    if solution is None:
        return ""
    if vocabulary is None:
        raise TypeError(
            "token ids need their vocabulary: compute_score(ids, truth, vocabulary=Vocabulary.of(tokenizer))"
        )
    return text_of(solution, vocabulary)


def _comparable(answer: Answer, gold: Gold, switches: Switches) -> list[Call] | None:
    """The calls, None if the formula would look into arguments that are no object."""
    looked_into = answer.odd and not switches.intermediate and not gold.names.isdisjoint(answer.odd)
    return None if looked_into else answer.calls


@lru_cache(maxsize=1024)
def read_gold(ground_truth: str) -> Gold:
    """A right answer, read once; an error where it cannot be read, because its reward would mean nothing."""
    answers = Answers()
    answer = answers.read(ground_truth)
    if answer.calls is None or not answer.shape.strip("P") or "!" in answer.shape:
        problem = "is no harmony answer"
    elif answer.odd:
        problem = "calls with arguments that are no object"
    else:
        names = frozenset(call.name for call in answer.calls)
        return Gold(answer.calls, names, answers, _wanted(answer.shape))
    raise ValueError(
        f"the ground truth {problem}: {ground_truth!r:.120}; convert the data with"
        " `python -m pipeline.toolrl convert`, which rejects rows that cannot be scored"
    )


@lru_cache(maxsize=256)
def _wanted(shape: str) -> Wanted:
    """The shape of a kind's answers; names that cannot stand in a header only where the gold has some."""
    call = "[CU]" if "U" in shape else "C"
    if "C" in shape or "U" in shape:
        return Wanted(f"A[AP]*{call}+F" if "F" in shape else f"A[AP]*{call}+")
    return Wanted("A+F" if "F" in shape else "A+")


def verl_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, float]:
    """The reward as verl calls it: "score", and the parts as metrics.

    verl removes the special tokens from `solution_str`, and with them all that harmony consists of. So the
    agent loop has to leave the whole text (`tokenizer.decode(response_ids)`) in `extra_fields["completion"]`,
    which verl hands on in `extra_info`. Where that is missing and the tokens are gone, every answer counts as
    badly formed, a warning says so, and the metric `headers_lost` is 1.

    Args:
        data_source: Not used; every row of the converted data has the same.
        solution_str: The answer.
        ground_truth: The right answer in harmony.
        extra_info: The row's, with what the agent loop added: "completion", and the training step.
        options: From `reward.custom_reward_function.reward_kwargs`: `step`, and switches by their names in
            `Switches` (without any, the environment's count). What else verl passes is left alone.
    """
    extra = extra_info or {}
    switches = _verl_switches(options, extra)
    solution = extra.get("completion") or solution_str or ""
    lost = bool(_STRIPPED.match(solution)) and "<|" not in solution
    if lost:
        warnings.warn(
            "verl removed harmony's special tokens from the solution: let the agent loop put the whole text"
            ' into extra_fields["completion"] (see pipeline.toolrl.verl_score)',
            stacklevel=2,
        )
    score = compute_score(solution, ground_truth, switches=switches)
    parts = {"format": score.format, "correctness": score.correctness, "length": score.length}
    return {"score": score.total, **parts, "headers_lost": float(lost)}


def _verl_switches(options: Mapping[str, Any], extra: Mapping[str, Any]) -> Switches:
    """The switches of the configuration or the environment, at the step that verl tells."""
    told = [int(one[name]) for one in (options, extra) for name in STEPS if one.get(name) is not None]
    step = told[0] if told else 0
    chosen = {name: value for name, value in options.items() if name in _SWITCH_NAMES}
    switches = Switches(**chosen, step=step) if chosen else Switches.from_environment(step)
    if not told and (switches.schedule or switches.schedule_length or switches.max1_step30_max3):
        raise ValueError(
            "these switches depend on the training step, which verl did not tell: let the agent loop put it"
            ' into extra_fields["step"]'
        )
    return switches


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 all right, 1 rows were rejected and --strict was given, 2 nothing could be read."""
    from pipeline.toolrl_convert import LONG_PROMPTS, SEVERAL, Options
    from pipeline.toolrl_files import convert_folder

    parser = argparse.ArgumentParser(prog="python -m pipeline.toolrl", description=__doc__.split("\n")[0])
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "convert", help="train.parquet and test.parquet of ToolRL into harmony"
    )
    command.add_argument("--input-dir", required=True, help="folder with train.parquet and test.parquet")
    command.add_argument("--output-dir", required=True, help="folder for the converted files and the rejects")
    command.add_argument(
        "--several",
        choices=SEVERAL,
        default="keep",
        help="rows with several calls: keep (for the reward), drop (for RL, where generation stops at the"
        " first call), first (only the first call is right)",
    )
    command.add_argument(
        "--long-prompts",
        choices=LONG_PROMPTS,
        default="raise",
        help="prompts over the limit: raise the limit to 4096, drop the row, or truncate the history",
    )
    command.add_argument("--limit", type=int, default=2048, help="tokens of a prompt (default 2048)")
    command.add_argument("--effort", choices=("low", "medium", "high"), default="medium")
    command.add_argument("--strict", action="store_true", help="exit with 1 if any row was rejected")
    given = parser.parse_args(arguments)
    try:
        options = Options(given.several, given.long_prompts, given.limit, given.effort)
        summary = convert_folder(given.input_dir, given.output_dir, options)
    except (ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    print(summary)
    if summary.rejected:
        print(f"{summary.rejected:,} rows could not be converted: {given.output_dir}/rejects.jsonl says why")
    return int(given.strict and summary.rejected > 0)


if __name__ == "__main__":
    sys.exit(main())
