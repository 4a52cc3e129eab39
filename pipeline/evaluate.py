"""Evaluation: serve held-out tasks, write down every episode, and make numbers of them that can be trusted.

    played = evaluate(agent, shop, tasks, run / "evaluation", stage="sft", trials=4)    # goes on where it was
    rescore(evaluation_files(run / "evaluation", "sft"), shop)                          # no model needed

    python -m pipeline.evaluate run --run demo --stage grpo --trials 4     # base, sft, grpo: the run's models
    python -m pipeline.evaluate run --run demo --stage qwen --endpoint http://localhost:8000/v1 --name qwen3
    python -m pipeline.evaluate run --run demo --shard 2/4                   # the second of four machines
    python -m pipeline.evaluate rescore outputs/demo/evaluation/sft.jsonl
    python -m pipeline.evaluate compare outputs/demo sft grpo

With one trial the model is greedy, with several it samples at the config's temperature. Each episode is one
JSON line (pipeline/episode_records.py), written as soon as it has ended; a killed evaluation goes on with the
episodes that are missing or broke off (a lost endpoint), and an episode's chance depends on its task and
trial only, so shards and resumed runs play what one run would have played. tau-bench's own tasks:
`--tau-bench PATH`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.retail.database import Shop
from envs.retail.files import FileError, json_line, whole_file
from envs.retail.tasks import Task
from envs.world import World
from pipeline.agent import Agent
from pipeline.checkpoints import FINISHED
from pipeline.config import Config
from pipeline.episode import Episode
from pipeline.episode_records import Record, differing_answers, read_records, replayed, to_record
from pipeline.metrics import Played, measured
from pipeline.rollouts import stream
from pipeline.runs import changed_settings
from pipeline.task_sets import tasks_for

SIDE_BY_SIDE = 16  # episodes, where the config allows as many
STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FILE = re.compile(r"(?P<stage>.+?)(?:\.\d+-of-(?P<parts>\d+))?\.jsonl")


def evaluate(
    agent: Agent | None,
    shop: World,
    tasks: Sequence[Task],
    folder: Path,
    *,
    stage: str,
    model: str = "",
    shard: tuple[int, int] = (1, 1),
    **settings: Any,
) -> list[Played]:
    """Serve the tasks that are not served yet, and measure all of them.

    Args:
        agent: Who acts; None where all has been played.
        shop: The shop the tasks are about.
        tasks: All tasks; of these the shard's are served.
        folder: Where `<stage>.jsonl` is written, with the settings beside it.
        stage: The name of this model in tables: "base", "sft", "grpo" or any other.
        model: What is evaluated, for the settings beside the episodes.
        shard: Which part of how many.
        settings: Passed on to `pipeline.rollouts.stream`: trials, mode, customer, seed, batch_size, …
    """
    if not STAGE.fullmatch(stage):
        raise ValueError(
            f"stage {stage!r} becomes a file's name: choose one (--stage) of letters, digits, _, . and -"
        )
    _same_settings(folder / f"{stage}.json", _described(tasks, model, settings))
    _refuse_other_parts(folder, stage, shard[1])
    own = list(tasks)[shard[0] - 1 :: shard[1]]
    file = folder / (f"{stage}.jsonl" if shard == (1, 1) else f"{stage}.{shard[0]}-of-{shard[1]}.jsonl")
    if agent:
        _without_broken_off(file)
    known = _known(file)
    with file.open("a", encoding="utf-8") as out:
        for rollout in stream(agent, shop, own, skip=known, **settings) if agent else ():
            out.write(json_line(to_record(rollout, shop, stage, settings.get("strict", True))))
            out.flush()  # a kill loses the episodes that are running, none that have ended
    return rescore([file], shop).played


def evaluation_files(folder: Path, stage: str) -> list[Path]:
    """The episodes of a stage: one file, or its shards."""
    found = stage_files(folder).get(stage)
    if not found:
        raise FileNotFoundError(
            f"{folder} has no episodes of {stage!r}: "
            f"run `python -m pipeline.evaluate run --stage {stage}` first"
        )
    _refuse_other_parts(folder, stage, next(iter(found.values())))
    return list(found)


def stage_files(folder: Path) -> dict[str, dict[Path, int]]:
    """Of each stage, its files, and of how many parts each is one."""
    found: dict[str, dict[Path, int]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        if match := _FILE.fullmatch(file.name):
            found.setdefault(match["stage"], {})[file] = int(match["parts"] or 1)
    return found


def _refuse_other_parts(folder: Path, stage: str, parts: int) -> None:
    """A task that stands in the whole and in a part, or in two divisions, would be counted twice."""
    others = [file.name for file, of in stage_files(folder).get(stage, {}).items() if of != parts]
    if others:
        raise ValueError(
            f"{folder} has {stage!r} divided otherwise, too ({', '.join(others)}), and tasks would count "
            "twice: go on with the same N of --shard I/N, use another stage, or remove these files"
        )


@dataclass(frozen=True)
class Rescored:
    """Episodes carried out anew, and whether the shop still answers as it did."""

    played: list[Played]
    answered_otherwise: int  # episodes in which a tool's answer is not the recorded one
    lost_or_won: int  # episodes that were recorded with another outcome


def rescore(files: Iterable[Path], shop: World) -> Rescored:
    """Measure recorded episodes by carrying their actions out again."""
    played, otherwise, changed = [], 0, 0
    for file in files:
        for record in read_records(file):
            episode = replayed(record, shop)
            played.append(measured(episode, record["trial"], record.get("seconds")))
            otherwise += bool(differing_answers(record, episode))
            changed += record.get("succeeded", episode.succeeded) != episode.succeeded
    return Rescored(played, otherwise, changed)


def rescore_stage(folder: Path, stage: str) -> Rescored:
    """The recorded episodes of a stage, measured anew in the project's own shop."""
    return rescore(evaluation_files(folder, stage), Shop.load())


def recorded_episodes(folder: Path, stage: str, *, succeeded: bool | None = None) -> list[Episode]:
    """The episodes of a stage to look at; all of them, or those with this outcome."""
    shop = Shop.load()
    records = (record for file in evaluation_files(folder, stage) for record in read_records(file))
    found = (replayed(record, shop) for record in records)
    return [episode for episode in found if succeeded in (None, episode.succeeded)]


def _resumed(file: Path) -> list[Record]:
    """The episodes of an evaluation that was killed; half a line at its end is cut away."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        return []
    with file.open("rb+") as out:
        out.truncate(out.read().rfind(b"\n") + 1)
    try:
        return list(read_records(file))
    except FileError as error:
        fix = "remove this line, and its episode is played again"
        raise FileError(error.path, error.line, f"{error.reason}; {fix}") from error


def _known(file: Path) -> set[tuple[str, int]]:
    """Which trials of which tasks were played to their end."""
    return {(record["id"], record["trial"]) for record in _resumed(file) if not record.get("error")}


def _without_broken_off(file: Path) -> None:
    """Forget episodes that broke off (a lost endpoint): no doing of the agent, they are played again."""
    records = _resumed(file)
    whole = [record for record in records if not record.get("error")]
    if len(whole) < len(records):
        with whole_file(file) as out:
            out.writelines(map(json_line, whole))


def _described(tasks: Sequence[Task], model: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What makes two evaluations the same; how fast they run does not."""
    told = {name: value for name, value in settings.items() if name not in ("batch_size", "progress")}
    told = {name: getattr(value, "__name__", value) for name, value in told.items()}
    return {"model": model, "tasks": [task.id for task in tasks], **told}


def _same_settings(file: Path, settings: dict[str, Any]) -> None:
    if other := changed_settings(file, settings):
        raise ValueError(
            f"{file} was begun with other settings ({', '.join(other)}); "
            "use another stage, or remove the files of this one"
        )
    with whole_file(file) as out:
        json.dump(settings, out, indent=2)
        out.write("\n")


def stage_adapter(run: Path, stage: str) -> Path | None:
    """The adapter a run's stage has left; None for the base."""
    if stage == "base":
        return None
    adapter = {"sft": run / "sft" / "adapter", "grpo": run / "grpo" / "best"}.get(stage)
    if adapter is None or not adapter.exists():
        raise FileNotFoundError(
            f"{run} has no model of stage {stage!r}: train it first (`python -m pipeline.sft`, "
            "`python -m pipeline.grpo`), or name a model with --adapter or --endpoint"
        )
    if not (adapter.parent / FINISHED).exists():
        raise FileNotFoundError(
            f"the training in {adapter.parent} has not come to its end: the command or notebook that began "
            "it goes on with it"
        )
    return adapter


def evaluate_stage(
    config: Config, run: Path, stage: str, *, trials: int = 1, count: int | None = None, **settings: Any
) -> list[Played]:
    """Evaluate the model that a stage of a run has left; loaded only if there is something left to play."""
    shop = Shop.load()
    tasks = tasks_for(shop, config, "test", count)
    adapter, folder = stage_adapter(run, stage), run / "evaluation"
    known = _known(folder / f"{stage}.jsonl")
    agent: Agent | None = None
    if any((task.id, trial) not in known for task in tasks for trial in range(trials)):
        from pipeline.model import load_model

        agent = local_agent(*load_model(config, adapter), config, trials)
    side_by_side = {"batch_size": min(SIDE_BY_SIDE, config.served_at_once)}
    rules = playing_rules(config, trials) | side_by_side | settings
    return evaluate(agent, shop, tasks, folder, stage=stage, model=str(adapter or config.model), **rules)


def playing_rules(config: Config, trials: int = 1) -> dict[str, Any]:
    """How a config's episodes are played: limits, effort, date and seed."""
    return {
        "mode": config.mode,
        "trials": trials,
        "max_turns": config.max_turns,
        "max_tokens": config.max_completion_length,
        "effort": config.effort,
        "date": config.date,
        "seed": config.seed,
    }


def local_agent(model: Any, tokenizer: Any, config: Config, trials: int = 1) -> Agent:
    """A loaded model as an agent: greedy for one trial, sampling for several."""
    from pipeline.local_agent import LocalAgent

    length = config.max_completion_length if config.mode == "plan" else config.max_turn_length
    temperature = config.temperature if trials > 1 else 0.0
    return LocalAgent(model, tokenizer, temperature=temperature, max_new_tokens=length)


if __name__ == "__main__":
    from pipeline.evaluate_commands import main

    raise SystemExit(main(sys.argv[1:]))
