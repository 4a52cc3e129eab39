"""The episodes a report shows: which of them, if not all fit, and what a reader wants to see of each.

    shown = choose(stages, shop, room=2_500_000)
    shown.json                   # for the page's script; nothing in it can end a script element
    shown.count, shown.of

All episodes of a task are shown together or not at all: first tasks that the last stage failed, then tasks
that another stage failed, then the rest, each in a fixed order drawn by a checksum. Texts that occur again
and again, as tools' answers do, are written once. What is not shown is never built.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from envs.retail.database import Shop
from envs.retail.tasks import RESPOND, Task
from envs.retail.tools import TOOLS
from pipeline.episode import Episode
from pipeline.episode_records import Record, differing_answers, replayed
from pipeline.failures import KINDS, failure_kind
from pipeline.harmony import Analysis, Preamble
from pipeline.harmony_parse import parse
from pipeline.page.numbers import Stage
from pipeline.rewards import score

LONGEST = 10_000  # characters of one text; the file has the rest
SHORT = 24  # characters up to which a text is written where it stands
WEIGHTS = {"tool_level": 1.0, "outcome": 1.0}
Json = dict[str, Any]


@dataclass
class Shown:
    """What the page's script is given, and how much of everything that is."""

    of: int  # episodes
    of_tasks: int
    stages: list[str]
    tasks: list[Json] = field(default_factory=list)
    texts: dict[str, int] = field(default_factory=dict)
    size: int = 0

    @property
    def count(self) -> int:
        return sum(len(task["episodes"]) for task in self.tasks)

    @property
    def json(self) -> str:
        """Everything as JSON that can stand inside a script element."""
        named = {"stages": self.stages, "kinds": KINDS, "tasks": self.tasks}
        return embedded(named | {"texts": list(self.texts)})

    def add(self, task: Json, room: int) -> bool:
        """Take a task with its episodes in; False, and nothing is changed, where they do not fit."""
        new: dict[str, int] = {}
        packed = self._packed(task, new)
        size = len(embedded([packed, *new]))
        if self.size + size > room:
            return False
        self.tasks.append(packed)
        self.texts |= new
        self.size += size
        return True

    def _packed(self, value: Any, new: dict[str, int]) -> Any:
        """The same with each long text replaced by its number."""
        if isinstance(value, dict):
            return {name: self._packed(inner, new) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._packed(inner, new) for inner in value]
        if not isinstance(value, str) or len(value) <= SHORT:
            return value
        known = self.texts.get(value)
        return {"$": new.setdefault(value, len(self.texts) + len(new)) if known is None else known}


def embedded(value: Any) -> str:
    """JSON in plain ASCII without "<": half a surrogate pair, U+2028 and `</script>` are all escaped."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


# which


def choose(stages: Sequence[Stage], shop: Shop, room: int) -> Shown:
    """As many tasks with all their episodes as `room` bytes hold."""
    places = _places(stages)
    shown = Shown(sum(map(len, places.values())), len(places), [stage.name for stage in stages])
    for task in _ordered(stages):
        if not shown.add(_task(places[task], shop), room) and shown.size > room / 2:
            break  # full; an enormous task at the beginning does not keep the others out
    return shown


def _ordered(stages: Sequence[Stage]) -> list[str]:
    """The tasks' ids, those first that are worth reading most."""
    ranks: dict[str, int] = {}
    for stage in stages:
        failing = 0 if stage is stages[-1] else 1
        for one in stage.played:
            ranks[one.task] = min(ranks.get(one.task, 2), 2 if one.succeeded else failing)
    return sorted(ranks, key=lambda task: (ranks[task], crc32(task.encode(errors="replace")), task))


def _places(stages: Sequence[Stage]) -> dict[str, list[tuple[str, Path, int]]]:
    """Of each task, where its records stand: stage, file, and the byte at which the line begins."""
    places: dict[str, list[tuple[str, Path, int]]] = {}
    for stage in stages:
        for one, (file, start) in zip(stage.played, _lines(stage.files), strict=False):  # more may have come
            places.setdefault(one.task, []).append((stage.name, file, start))
    return places


def _lines(files: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    for file in files:
        start = 0
        with file.open("rb") as lines:
            for line in lines:
                if line.strip():
                    yield file, start
                start += len(line)


def _task(places: Sequence[tuple[str, Path, int]], shop: Shop) -> Json:
    records = [(stage, _record(file, start)) for stage, file, start in places]
    task = Task.from_json(records[0][1]["task"])
    return {
        "id": task.id,
        "level": task.level,
        "family": str(task.extra.get("family", "")),
        "split": task.split,
        "gold": [{"name": action.name, "arguments": _text(action.arguments)} for action in task.gold_actions],
        "outputs": list(task.outputs),
        "episodes": [_episode(stage, record, shop) for stage, record in records],
    }


def _record(file: Path, start: int) -> Record:
    with file.open("rb") as lines:
        lines.seek(start)
        return json.loads(lines.readline())


# what of each


def _episode(stage: str, record: Record, shop: Shop) -> Json:
    episode = replayed(record, shop)
    return {
        "stage": stage,
        "trial": record["trial"],
        "failure": failure_kind(episode),
        "ended": str(record["ended"]),
        "error": _text(record.get("error", "")),
        "tokens": record["tokens"],
        "seconds": record.get("seconds"),
        "calls": len(episode.calls),
        "steps": _steps(record, episode),
        "gold": _fates(episode),
        "untold": list(episode.score().missing_outputs),
        "changes": _changes(record),
        "terms": [[t.profile, t.name, t.count, round(t.value, 6)] for t in score(episode, WEIGHTS).terms],
    }


def _steps(record: Record, episode: Episode) -> list[Json]:
    """The conversation in order: customer, agent, calls with their answers, and what nobody could read."""
    turns, plan = record["turns"], record["mode"] == "plan"
    written, judged = record.get("written", []), _judged(episode)
    otherwise = set(differing_answers(record, episode))
    steps: list[Json] = [{"who": "customer", "text": _text(record["opening"])}]
    for number, attempt in enumerate(record["attempts"]):
        text = "".join(written[:1] if plan else written[number : number + 1])
        about = _about(attempt, "" if plan and number else text)
        place = attempt["turn"]
        if place is None or place >= len(turns):
            steps.append({"who": "unread", "raw": _text(text), **about})
            continue
        if place in otherwise:
            about["otherwise"] = True
        steps += _turn(turns[place], about | judged.get(place, {}))
    return steps


def _about(attempt: Mapping[str, Any], text: str) -> Json:
    """What the agent thought before a step, and what the strict reader said of it."""
    messages = parse(text, TOOLS).messages if text else ()
    thoughts = [_text(one.text) for one in messages if isinstance(one, Analysis | Preamble)]
    said = [f"{attempt['verdict']}: {attempt['reason']}"] if attempt["verdict"] != "ok" else []
    said += attempt["faults"]
    return {name: value for name, value in (("thoughts", thoughts), ("reader", said)) if value}


def _turn(turn: Mapping[str, Any], about: Json) -> list[Json]:
    if turn["name"] == RESPOND and not turn["failed"]:
        reply = {"who": "customer", "text": _text(turn["answer"])}
        return [{"who": "agent", "text": _text(turn["arguments"]["content"]), **about}, reply]
    parts = {name: _text(turn[name]) for name in ("name", "arguments", "answer")}
    return [{"who": "call", **parts, "failed": turn["failed"], **about}]


def _judged(episode: Episode) -> dict[int, Json]:
    """What the rewards made of each call, by its place among the turns."""
    calls = [place for place, turn in enumerate(episode.turns) if turn.action.name != RESPOND]
    matching = episode.matching
    judged = {calls[call]: {"right": gold + 1} for gold, call in matching.right.items()}
    for mistake in matching.incorrect:
        if mistake.call is not None:
            judged[calls[mistake.call]] = {"wrong": mistake.why}
    if matching.named and matching.named[1] is not None:
        judged[calls[matching.named[1]]] = {"named": matching.named[0] + 1}
    return judged


def _fates(episode: Episode) -> list[str]:
    """What became of each gold action."""
    matching, named = episode.matching, episode.matching.named or (None,)
    fates = dict.fromkeys(range(len(episode.gold_turns)), "not done")
    fates |= {named[0]: "named"} if named[0] is not None else {}
    fates |= dict.fromkeys(matching.excused, "excused") | dict.fromkeys(matching.right, "done")
    return list(fates.values())


def _changes(record: Record) -> list[list[Any]] | None:
    """What changed in the shop beside what the gold actions change: record, field, before, after, gold."""
    if "changed" not in record or "gold_changed" not in record:
        return None
    sides = [{(c["record"], c["field"]): c for c in record[name]} for name in ("changed", "gold_changed")]
    rows = []
    for key in sorted({*sides[0], *sides[1]}):
        before = next(side[key]["before"] for side in sides if key in side)
        after = [_text(side[key]["after"]) if key in side else None for side in sides]
        rows.append([*key, _text(before), *after])
    return rows


def _text(value: Any) -> str:
    """A text, or a value as JSON; cut if it is very long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… (cut; {len(text):,} characters in the file)"
