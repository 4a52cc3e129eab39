"""A verl run's episodes as the project's own records, so that its report and its metrics serve them.

    python -m scaleout.verl results DATA/dumps/train --episodes DATA/episodes --out episodes.jsonl
    read = read_back("dumps/train", "episodes", "episodes.jsonl")
    print(read)                       # how many, what they were like, where verl's scores differ

verl dumps each rollout of a step as a line with its text and score (`trainer.rollout_data_dir`). The text
has lost its special tokens, so nobody can read harmony from it; the account of the same rollout, which our
agent loops keep, is found by the rollout's name. No score is believed: every episode is carried out and
scored anew, and where verl's dump says otherwise, that is reported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from envs.retail.files import FileError, json_line, read_lines, whole_file
from pipeline.config import Config
from pipeline.episode import Episode
from pipeline.episode_records import Record, differing_answers, replayed, to_record
from pipeline.running import Rollout
from scaleout.verl.account import shop
from scaleout.verl.reward import scored

SECONDS = ("generation_seconds", "tool_seconds")
CLOSE = 1e-4  # verl keeps scores as 32-bit floats


@dataclass(frozen=True)
class ReadBack:
    """What was found in a run's dumps."""

    episodes: int
    metrics: dict[str, float]  # means over the episodes, as the reward names them
    slowest: dict[str, float]  # the most seconds an episode waited for generation, and for tools
    without_account: tuple[str, ...]  # rollouts in the dumps of which no account was found
    differing_scores: tuple[str, ...]  # rollouts that verl scored otherwise
    differing_answers: tuple[str, ...]  # rollouts to which the shop answers otherwise today

    @property
    def ok(self) -> bool:
        """Whether every rollout was found and means what verl said."""
        return not (self.without_account or self.differing_scores or self.differing_answers)

    def __str__(self) -> str:
        lines = [f"{self.episodes:,} episodes"]
        lines += [f"  {name:<28} {value:.3f}" for name, value in self.metrics.items()]
        lines += [f"  slowest {name:<20} {value:.3f}" for name, value in self.slowest.items()]
        for names, what in (
            (self.without_account, "have no account: name the folder the agent loops wrote to (--episodes)"),
            (self.differing_scores, "were scored otherwise by verl: give the run's own profiles (--reward)"),
            (
                self.differing_answers,
                "get other answers from the shop today: use the run's own data and code",
            ),
        ):
            if names:
                lines.append(f"{len(names):,} rollouts {what}; first {names[0]}")
        return "\n".join(lines)


def read_back(
    dumps: str | Path,
    episodes: str | Path,
    out: str | Path,
    *,
    stage: str = "grpo",
    reward: Sequence[str] = Config.reward,
) -> ReadBack:
    """Write the records of all dumped rollouts; says what does not fit.

    Args:
        dumps: The folder of `trainer.rollout_data_dir` or `trainer.validation_data_dir`.
        episodes: The folder our agent loops wrote to.
        out: The file to write, one record a line.
        stage: The name that reports show.
        reward: The profiles and weights of the run.
    """
    accounts = {record["verl"]["uid"]: record for record in read_accounts(episodes)}
    missing, scores, answers, values = [], [], [], []
    slowest = dict.fromkeys(SECONDS, 0.0)
    with whole_file(out) as lines:
        for name, dumped in read_dumps(dumps):
            record = accounts.get(name)
            if record is None:
                missing.append(name)
                continue
            episode = replayed(record, shop())
            if differing_answers(record, episode):
                answers.append(name)
            value = scored(episode, reward)
            if abs(value["score"] - dumped["score"]) > CLOSE:
                scores.append(name)
            values.append(value)
            slowest = {what: max(most, record["verl"][what]) for what, most in slowest.items()}
            lines.write(json_line(_record(record, episode, stage, dumped["step"])))
    means = {name: fmean(value[name] for value in values) for name in (values[0] if values else ())}
    return ReadBack(len(values), means, slowest, tuple(missing), tuple(scores), tuple(answers))


def _record(account: Record, episode: Episode, stage: str, step: Any) -> Record:
    """The project's record of an episode carried out anew; only the agent's own words are the account's."""
    rollout = Rollout(episode, (), 0, int(account["trial"]), 0.0)
    return {**to_record(rollout, shop(), stage), "written": account.get("written", []), "step": step}


def read_dumps(folder: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The dumped rollouts of a run by their names, in the order of its steps."""
    files = sorted(Path(folder).glob("*.jsonl"), key=lambda path: (len(path.stem), path.stem))
    if not files:
        raise ValueError(f"{folder} holds no dumps of verl: set trainer.rollout_data_dir before the run")
    for path in files:
        for number, line in read_lines(path):
            if not isinstance(line, dict) or not {"uid", "score", "step"} <= line.keys():
                raise FileError(path, number, "is no line of a verl dump: uid, score or step is missing")
            if not isinstance(line["score"], int | float):
                raise FileError(path, number, "the score of a verl dump must be a number")
            yield str(line["uid"]), line


def read_accounts(folder: str | Path) -> Iterator[Record]:
    """The accounts that our agent loops kept, of all their processes."""
    files = sorted(Path(folder).glob("*.jsonl"))
    if not files:
        raise ValueError(f"{folder} holds no episodes: it is the folder `episodes` names in agent_loops.yaml")
    for path in files:
        for number, record in read_lines(path):
            if not _is_account(record):
                reason = "is no account of an episode as scaleout.verl.agent_loop writes it"
                raise FileError(path, number, reason)
            yield record


def _is_account(record: Any) -> bool:
    if not isinstance(record, dict) or not {"verl", "task", "turns", "attempts"} <= record.keys():
        return False
    return isinstance(record["verl"], dict) and {"uid", *SECONDS} <= record["verl"].keys()
