"""An agent that is a model in this process: it writes the turns of many episodes in padded batches.

    agent = LocalAgent(model, tokenizer)                                        # greedy
    agent = LocalAgent(model, tokenizer, temperature=0.7, logprobs=True)        # for training
    rollouts = play(agent, shop, tasks, batch_size=32)

Any Hugging Face model whose tokenizer has harmony's special tokens. Each episode is sampled with its own
chance, one seed a token, so it comes out the same in any batch (as far as sums of floats do).
Episodes of similar length are written together. With `keep_cache` nothing is read twice, and a batch is
broken up as soon as a quarter of its turns have ended: their episodes go on with the shop's answers while the
unfinished turns are taken up where they were left. An agent writes with the weights that the model had when
the agent was made: on a CPU it uses a plain copy (pipeline/merged.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

from pipeline.agent import History, Written
from pipeline.harmony_parse import Vocabulary
from pipeline.kept_cache import Kept, KeptCache, alike
from pipeline.merged import for_writing
from pipeline.model import STOPS

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = 0.25  # the share of a batch whose turns end before it is broken up
CPU_PADDING = 16_384  # tokens of padding above which a batch is written in two; no limit on a GPU, where one
# more pass over the model costs more than any padding


@dataclass
class _Row:
    """An episode between two calls: what its transcript holds in tokens, and a turn that is not ended yet.

    It does not hold its history, which holds it: in a circle the kept cache would outlive its episode.
    """

    chance: Random
    ids: list[int] = field(default_factory=list)
    pieces: int = 0  # of the transcript that are in ids
    turn: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    kept: Kept | None = None
    room: int = 0
    ended: bool = False

    @property
    def tokens(self) -> list[int]:
        return self.ids + self.turn

    def catch_up(self, history: History, limit: int) -> None:
        """Take in what was written and told since the last call."""
        self.ids += [token for piece in history.transcript[self.pieces :] for token in piece.ids]
        self.pieces = len(history.transcript)
        self.room = limit if history.room is None else min(limit, history.room)


class LocalAgent:
    """Writes turns with a model in this process."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        temperature: float = 0.0,
        max_new_tokens: int = 512,
        logprobs: bool = False,
        keep_cache: bool | None = None,
    ) -> None:
        """Check that the model can stop where a turn ends.

        Args:
            model: A causal language model of transformers, with or without an adapter.
            tokenizer: Its tokenizer.
            temperature: 0 takes the likeliest token, anything above samples.
            max_new_tokens: What one turn may have.
            logprobs: Note each token's log-probability, at this temperature.
            keep_cache: Keep keys and values between turns; by default where model and `generate` allow it.
        """
        vocabulary = Vocabulary.of(tokenizer)
        self.ends = {token for token, text in vocabulary.specials.items() if text in STOPS}
        if len(self.ends) < 2:
            raise ValueError(
                "the tokenizer lacks <|call|> and <|return|>, so this model does not write harmony: serve it "
                "with a tool parser (vLLM, Ollama) and use EndpointAgent"
            )
        self.model, self.tokenizer = for_writing(model), tokenizer
        self.temperature, self.max_new_tokens, self.logprobs = temperature, max_new_tokens, logprobs
        self._lock, self._decode = threading.Lock(), vocabulary.decode
        self.vocabulary = replace(vocabulary, decode=self._decoded)
        if keep_cache is None:  # on a GPU, Unsloth's own generate insists on a cache of its own
            keep_cache = not hasattr(self.model, "_old_generate") and KeptCache.fits(self.model)
        self.pad = min(self.ends) if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self.cache = KeptCache(self.model, self.pad) if keep_cache else None

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        with self._lock:  # a fast tokenizer must not be used by two threads at once
            return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _decoded(self, ids: list[int]) -> str:
        with self._lock:
            return self._decode(ids)

    def write(self, histories: Sequence[History]) -> list[Written | None]:
        """The turns that ended in this call."""
        for history in histories:
            history.memory = history.memory or _Row(history.chance)
            history.memory.catch_up(history, self.max_new_tokens)
        rows = [history.memory for history in histories]
        with _evaluating(self.model):
            padding = CPU_PADDING if self.model.device.type == "cpu" else float("inf")
            for group in alike(rows, lambda row: len(row.tokens), padding):
                self._write(group)
        return [self._turn(row) if row.ended else None for row in rows]

    def _turn(self, row: _Row) -> Written:
        """Hand out an ended turn; it comes back with the transcript."""
        logprobs = tuple(row.logprobs) if self.logprobs else None
        cut = row.turn[-1] not in self.ends
        turn = Written(self._decoded(row.turn), tuple(row.turn), logprobs, cut=cut)
        row.turn, row.logprobs, row.ended = [], [], False
        return turn

    def _write(self, rows: list[_Row]) -> None:
        """Let a batch of rows write until enough of them have ended their turns."""
        from transformers import LogitsProcessorList, StoppingCriteriaList

        batch = None
        if self.cache:
            self.cache.read(rows)
            batch = self.cache.together(rows)
        pen = _Pen(self, rows, max(1, int(PATIENCE * len(rows))) if self.cache else len(rows))
        ids, mask = _left_padded([row.tokens for row in rows], self.pad, self.model.device)
        self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=batch,
            max_new_tokens=max(row.room - len(row.turn) for row in rows),
            do_sample=False,  # the pen does
            use_cache=True,
            eos_token_id=sorted(self.ends),
            pad_token_id=self.pad,
            logits_processor=LogitsProcessorList([pen]),
            stopping_criteria=StoppingCriteriaList([pen.stop]),
        )
        if self.cache:
            self.cache.keep(batch, rows, pen.written)


class _Pen:
    """Picks each row's next token inside `generate`, and notes it."""

    def __init__(self, agent: LocalAgent, rows: list[_Row], patience: int) -> None:
        self.agent, self.rows, self.patience = agent, rows, patience
        self.written = [0] * len(rows)

    def __call__(self, _: Tensor, scores: Tensor) -> Tensor:
        """Make the picked token the likeliest."""
        import torch

        temperature = self.agent.temperature
        if temperature > 0:
            scores = scores / temperature
            picked = draw(scores, [0 if row.ended else row.chance.getrandbits(63) for row in self.rows])
        else:
            picked = scores.argmax(-1)
        logprobs = torch.log_softmax(scores, -1).gather(1, picked[:, None]) if self.agent.logprobs else None
        self._note(picked.tolist(), None if logprobs is None else logprobs[:, 0].tolist())
        return scores.scatter(1, picked[:, None], float("inf"))

    def _note(self, picked: list[int], logprobs: list[float] | None) -> None:
        for place, (row, token) in enumerate(zip(self.rows, picked, strict=True)):
            if row.ended:
                continue
            row.turn.append(token)
            if logprobs:
                row.logprobs.append(logprobs[place])
            self.written[place] += 1
            row.ended = token in self.agent.ends or len(row.turn) >= row.room

    def stop(self, ids: Tensor, _: Any, **__: Any) -> Tensor:
        """Which rows need no more tokens: those that have ended, or all when enough of them have."""
        import torch

        ended = [row.ended for row in self.rows]
        return torch.tensor([one or sum(ended) >= self.patience for one in ended], device=ids.device)


def draw(scores: Tensor, seeds: Sequence[int]) -> Tensor:
    """A token for each row, drawn from the row's distribution with its own seed.

    Tokens race, each at the speed of its probability. Looking up one random number in the summed distribution
    would be cheaper, but there the rounding of sums (another batch, another order) moves whole tails by a
    token; here it matters only in a photo finish.
    """
    import torch

    race = torch.empty_like(scores)
    generator = torch.Generator(scores.device)
    for row, seed in zip(race, seeds, strict=True):
        row.exponential_(generator=generator.manual_seed(seed))
    return (scores - race.log()).argmax(-1)


def _left_padded(rows: list[list[int]], pad: int, device: Any) -> tuple[Tensor, Tensor]:
    import torch

    width = max(map(len, rows))
    ids = [[pad] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """The model without dropout and gradients, and as it was before afterwards."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad():  # not inference_mode: training may go on with what modules remember from here
            yield
    finally:
        model.train(training)
