"""SkyRL's dumped evaluations as the project's own records, so that its tables and reports serve them.

    python -m scaleout.skyrl results outputs/skyrl/retail --run outputs/mine
    python -m pipeline.evaluate compare outputs/mine skyrl-step-5 skyrl-step-10

SkyRL writes `dumped_evals/global_step_N_evals/<data_source>.jsonl`: on each line a prompt, the text after it
with its special tokens, a score and the row's extras (`trainer.dump_eval_results`). No score is believed:
each turn is carried out anew by the shop, and the account that comes of it is recorded and scored. Where it
now answers otherwise, or the score was another, that is counted and said.

One thing a text cannot tell: whether the model wrote the token <|call|> or typed its characters; in training
the tokens were read. The pickles of `trainer.dump_data_batch` do hold tokens, but no task; they are not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.retail.environment import MAX_STEPS
from envs.retail.files import FileError, json_line, read_lines, whole_file
from pipeline.agent import Told
from pipeline.episode_records import Record, to_record
from scaleout.skyrl.reading import Reader
from scaleout.skyrl.rows import task_of
from scaleout.skyrl.serving import Serving, shop
from scaleout.skyrl.settings import RETAIL, RetailSettings

CLOSE = 1e-4  # a score went through 32-bit floats
SUMMARY = "aggregated_results.jsonl"  # SkyRL's own means, beside the episodes
_NEXT_TURN = "<|start|>assistant"
_END = re.compile(r"<\|(?:call|return|endoftext)\|>")
_STEP = re.compile(r"global_step_(\d+)_evals")
_NEEDED = ("output_response", "score", "env_class", "env_extras")


@dataclass(frozen=True)
class ReadBack:
    """What was found of one evaluation."""

    file: Path
    episodes: int
    answered_otherwise: tuple[str, ...]  # tasks in whose episodes the shop answers otherwise today
    scored_otherwise: tuple[str, ...]  # tasks whose episodes SkyRL scored otherwise

    def __str__(self) -> str:
        lines = [f"{self.episodes} episodes -> {self.file}"]
        for names, what in (
            (self.answered_otherwise, "get other answers from the shop today: use the run's own data"),
            (self.scored_otherwise, "were scored otherwise by SkyRL: give the run's own --reward"),
        ):
            if names:
                lines.append(f"  {len(names)} {what}; first {names[0]}")
        return "\n".join(lines)


def read_back(
    dumps: str | Path,
    run: str | Path,
    *,
    stage: str = "",
    settings: RetailSettings | None = None,
    tokenizer: str | Path | None = None,
) -> list[ReadBack]:
    """Write the episodes of each evaluation to RUN/evaluation/STAGE.jsonl.

    Args:
        dumps: SkyRL's export_path, its dumped_evals, the folder of one evaluation, or one file.
        run: A run folder.
        stage: The name in tables, for one evaluation; else skyrl-step-N.
        settings: The run's own reward, to compare SkyRL's scores with; by default the default one.
        tokenizer: The model's folder, to count tokens.
    """
    found = evaluations(Path(dumps).resolve())  # from within, a relative path would not name its folders
    if stage and len(found) > 1:
        raise ValueError(
            f"{dumps} holds {len(found)} evaluations: name one folder of them, or leave --stage out"
        )
    reader = _reader(tokenizer) if tokenizer else None
    return [
        _written(files, Path(run) / "evaluation" / f"{stage or name}.jsonl", settings, reader)
        for name, files in found.items()
    ]


def evaluations(dumps: Path) -> dict[str, list[Path]]:
    """The files of each evaluation by its name: skyrl-step-5."""
    files = [dumps] if dumps.is_file() else sorted(dumps.rglob("*.jsonl"))
    found: dict[str, list[Path]] = {}
    for file in files:
        if file.name != SUMMARY and (dumps.is_file() or file.parent.parent.name == "dumped_evals"):
            step = _STEP.fullmatch(file.parent.name)
            found.setdefault(f"skyrl-step-{step[1]}" if step else "skyrl-eval", []).append(file)
    if not found:
        raise ValueError(
            f"{dumps} holds no dumped evaluations; train with trainer.dump_eval_results=true, and name the "
            "folder of trainer.export_path"
        )
    return dict(sorted(found.items(), key=lambda one: (len(one[0]), one[0])))


def _written(
    files: Sequence[Path], out: Path, settings: RetailSettings | None, reader: Reader | None
) -> ReadBack:
    settings = settings or RetailSettings()
    trials: Counter[str] = Counter()
    otherwise, scored = [], []
    with whole_file(out) as lines:
        for entry in (entry for file in files for entry in retail_entries(file)):
            served, same = carried_out(entry, settings, reader)
            name = served.task.id
            lines.write(json_line(record_of(served, out.stem, trials[name])))
            trials[name] += 1
            otherwise += [] if same else [name]
            scored += [] if abs(total(entry["score"]) - served.reward) < CLOSE else [name]
    return ReadBack(out, sum(trials.values()), tuple(otherwise), tuple(scored))


def retail_entries(file: Path) -> Iterator[Record]:
    """The dumped episodes of the shop in a file; other worlds' are passed over."""
    for number, entry in read_lines(file):
        absent = [name for name in _NEEDED if not isinstance(entry, dict) or name not in entry]
        if absent:
            raise FileError(file, number, f"no dumped episode of SkyRL's: {', '.join(absent)} missing")
        if entry["env_class"] == RETAIL:
            yield entry


def carried_out(
    entry: Mapping[str, Any], settings: RetailSettings, reader: Reader | None = None
) -> tuple[Serving, bool]:
    """A dumped episode played again, and whether the shop answered as it did."""
    extras = entry["env_extras"]
    limit = extras.get("max_turns", MAX_STEPS)
    served = Serving(task_of(extras), settings, max_turns=limit, reader=reader)
    turns, told = pieces(entry["output_response"])
    for turn in turns:
        if served.done:
            break
        served.take(reader.turn(reader.encode(turn)) if reader else turn)
    served.end("budget")  # where SkyRL had no room left to ask on
    answers = [piece.text for piece in served.running.history.transcript[1:] if isinstance(piece, Told)]
    return served, answers[: len(told)] == told


def pieces(text: str) -> tuple[list[str], list[str]]:
    """The agent's own turns in a trajectory's text, and what it was told between them.

    What others say is escaped, so the first <|start|>assistant after a turn's end begins the next turn.
    """
    turns, told, place = [], [], 0
    while place < len(text):
        end = _END.search(text, place)
        turns.append(text[place : end.end() if end else len(text)])
        if not end or (start := text.find(_NEXT_TURN, end.end())) < 0:
            break
        place = start + len(_NEXT_TURN)
        told.append(text[end.end() : place])
    return turns, told


def record_of(served: Serving, stage: str, trial: int) -> Record:
    """The episode as the project writes it; how long it took is not known."""
    record = to_record(served.rollout, shop(), stage, served.settings.strict)
    del record["seconds"]
    return record | {"trial": trial}


def total(score: float | Sequence[float]) -> float:
    """SkyRL's score: one number, or one for each token."""
    return float(sum(score)) if isinstance(score, list) else float(score)


def _reader(folder: str | Path) -> Reader:
    from transformers import AutoTokenizer

    return Reader.of(AutoTokenizer.from_pretrained(str(folder)))
