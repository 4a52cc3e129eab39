"""For models that have learned nothing: turns known by heart in place of theirs, and what is made of them.

The scripts that `fresh_process.run_alone` runs import it; the trainer, its masks and its rendering are real.

    turns = turns_by_history(row.pieces)
    turn_after(turns, history)             # fails where the trainer renders otherwise than the warm-up
    seen = episodes_trained(trainer, tokenizer)
"""

from collections.abc import Iterable, Mapping
from itertools import compress, groupby
from operator import itemgetter
from typing import Any

from pipeline.harmony import Segment, joined


def turns_by_history(pieces: Iterable[Segment]) -> dict[str, str]:
    """What the agent writes in a conversation, by all that stands before it."""
    turns, history = {}, ""
    for trained, words in joined(pieces):
        if trained:
            turns[history] = words
        history += words
    return turns


def turn_after(turns: Mapping[str, str], history: str) -> str:
    assert history in turns, "rendered otherwise than in the warm-up: " + history[-300:]
    return turns[history]


def episodes_trained(trainer: Any, tokenizer: Any) -> list[list[tuple[bool, str]]]:
    """Every episode that a loss is computed of from now on: its words, trained or not, after the prompt."""
    seen, compute = [], trainer.compute_loss

    def look(model, inputs, *arguments, **named):
        there = inputs["completion_mask"]
        trained = there * inputs.get("tool_mask", there)
        rows = (part.tolist() for part in (trained, inputs["completion_ids"], there))
        for mask, ids, real in zip(*rows, strict=True):
            groups = groupby(compress(zip(mask, ids, strict=True), real), key=itemgetter(0))
            seen.append([(bool(own), tokenizer.decode([token for _, token in some])) for own, some in groups])
        return compute(model, inputs, *arguments, **named)

    trainer.compute_loss = look
    return seen


def trained_words(episode: Iterable[tuple[bool, str]]) -> list[str]:
    """The agent's turns in an episode."""
    return [words for trained, words in episode if trained]
