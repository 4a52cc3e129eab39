"""TRL's GRPOTrainer with two additions: where a step's time goes, and no work for what teaches nothing.

    trainer = shop_trainer()(model=..., args=..., ...)      # a subclass, made when TRL is first needed

*Time*: `seconds/generation`, `seconds/tools` (shop, customer and the loop around them), `seconds/reward` and
`seconds/update` in the logs of each step.

*Work* (on a CPU only): in a group whose episodes all earned the same, every advantage is zero, and so is its
gradient; `worth_learning` leaves such rows out of the update, and the padding with them; `of_a_length` goes
through what is left in parts of similar length; and only tokens that the agent wrote are given a probability.
The loss is a sum over tokens, divided by those of the whole batch, so loss and gradient stay what they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Batch = dict[str, Any]
SUMS = ("dapo", "cispo")  # losses that are a sum over tokens, divided by a number of the whole batch
PADDING = 0.1  # share of a part's width that may be padding
IGNORED = -100  # the label of a token that is not asked for
NOISE = 0.01  # rounding leaves the episodes of a flat group with advantages of some thousandths


class Clock:
    """Seconds by name; what runs inside another name's time is counted for both."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count the time of a block."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += perf_counter() - start

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        def timed(*arguments: Any, **named: Any) -> Any:
            with self(name):
                return function(*arguments, **named)

        timed.__name__ = getattr(function, "__name__", name)  # TRL names a reward's metrics after it
        return timed

    def split(self) -> dict[str, float]:
        """What a step's time went into; begins anew."""
        spent = self.seconds
        self.seconds = defaultdict(float)
        return {
            "seconds/generation": spent["generation"],
            "seconds/tools": spent["rollout"] - spent["generation"] - spent["reward"],
            "seconds/reward": spent["reward"],
            "seconds/update": spent["step"] - spent["rollout"],
        }


def shop_trainer() -> type:
    """The class; on a GPU it computes its loss as TRL (or Unsloth in its place) does."""
    import torch
    from trl import GRPOTrainer

    from pipeline.sft import keep_full_precision

    class ShopTrainer(GRPOTrainer):
        def __init__(self, *arguments: Any, reward_funcs: Callable[..., Any], **named: Any) -> None:
            self.clock = Clock()
            self.written: Tensor | None = None  # which tokens of the part at work the agent wrote
            super().__init__(*arguments, reward_funcs=self.clock.around("reward", reward_funcs), **named)
            if self.rollout_func is None:
                self._generate_single_turn = self.clock.around("generation", self._generate_single_turn)
            if self.args.use_cpu:
                keep_full_precision(self.model)

        def training_step(self, *arguments: Any, **named: Any) -> Tensor:
            with self.clock("step"):
                return super().training_step(*arguments, **named)

        def _generate_and_score_completions(self, *arguments: Any, **named: Any) -> Batch:
            with self.clock("rollout"):
                return super()._generate_and_score_completions(*arguments, **named)

        def compute_loss(self, model: Any, inputs: Batch, *arguments: Any, **named: Any) -> Tensor:
            compute = super().compute_loss
            if not self.args.use_cpu or self.beta != 0.0 or self.loss_type not in SUMS:
                return compute(model, inputs, *arguments, **named)
            if self.accelerator.num_processes > 1:  # TRL gathers a number a row: as many everywhere
                return compute(model, worth_learning(inputs, drop_rows=False), *arguments, **named)
            parts = of_a_length(worth_learning(inputs))
            try:
                return sum(self._on(part, compute, model, *arguments, **named) for part in parts)
            finally:
                self.written = None

        def _on(
            self, part: Batch, compute: Callable[..., Tensor], model: Any, *arguments: Any, **named: Any
        ) -> Tensor:
            self.written = (part["completion_mask"] * part["tool_mask"]).bool()
            return compute(model, part, *arguments, **named)

        def _get_per_token_logps_and_entropies(
            self,
            model: Any,
            input_ids: Tensor,
            attention_mask: Tensor,
            logits_to_keep: int,
            *rest: Any,
            **named: Any,
        ) -> tuple[Tensor, Tensor | None, Tensor | None]:
            written = self.written
            if written is None or named.get("compute_aux_loss"):
                return super()._get_per_token_logps_and_entropies(
                    model, input_ids, attention_mask, logits_to_keep, *rest, **named
                )
            labels = torch.full_like(input_ids, IGNORED)
            labels[:, -logits_to_keep:][written] = input_ids[:, -logits_to_keep:][written]
            found = model(
                input_ids=input_ids, attention_mask=attention_mask, labels=labels, fused_lm_head=True
            )
            return found.log_probs[:, -logits_to_keep:], found.entropy[:, -logits_to_keep:], None

        def log(self, logs: dict[str, float], *arguments: Any, **named: Any) -> None:
            if "loss" in logs:
                logs |= self.clock.split()
            super().log(logs, *arguments, **named)

    return ShopTrainer


def worth_learning(batch: Batch, drop_rows: bool = True) -> Batch:
    """The rows with an advantage, each moved to the left as far as it goes.

    TRL pads prompts on the left, which costs a mask in attention. So a row's first token becomes its prompt,
    and the rest of the prompt a part of the completion that the tool mask keeps out of the loss.
    """
    import torch

    rows = (batch["advantages"].abs() > NOISE) | (not drop_rows)
    rows[0] |= not rows.any()  # the trainer wants a loss with a gradient, be it zero
    prompt, answer = batch["prompt_mask"][rows], batch["completion_mask"][rows]
    present = torch.cat([prompt, answer], dim=1)
    order = present.argsort(dim=1, descending=True, stable=True)[:, : int(present.sum(1).max())]

    def moved(before: Tensor, after: Tensor) -> Tensor:
        return torch.cat([before, after], dim=1).gather(1, order)

    own = batch["tool_mask"][rows] if "tool_mask" in batch else answer
    ids = moved(batch["prompt_ids"][rows], batch["completion_ids"][rows])
    mask, trained = moved(prompt, answer), moved(torch.zeros_like(prompt), own.to(prompt.dtype))
    lean = batch | {
        "prompt_ids": ids[:, :1],
        "prompt_mask": mask[:, :1],
        "completion_ids": ids[:, 1:],
        "completion_mask": mask[:, 1:],
        "tool_mask": trained[:, 1:],
        "advantages": batch["advantages"][rows],
    }
    nothing = torch.zeros_like(prompt, dtype=torch.float32)
    for name in ("old_per_token_logps", "sampling_per_token_logps"):
        if name in batch:
            lean[name] = moved(nothing, batch[name][rows])[:, 1:]
    return lean


def of_a_length(batch: Batch) -> list[Batch]:
    """The rows of a batch in parts of similar length, each as wide as it must be; padding is on the right."""
    lengths = batch["completion_mask"].sum(1).tolist()
    parts: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if not parts or lengths[row] < (1 - PADDING) * lengths[parts[-1][0]]:
            parts.append([])
        parts[-1].append(row)
    return [_rows(batch, part, max(1, lengths[part[0]])) for part in parts]


def _rows(batch: Batch, rows: list[int], width: int) -> Batch:
    by_row = {name: batch[name][rows] for name in _BY_ROW if name in batch}
    return batch | {name: part[:, :width] if part.dim() > 1 else part for name, part in by_row.items()}


_BY_ROW = (
    "prompt_ids",
    "prompt_mask",
    "completion_ids",
    "completion_mask",
    "tool_mask",
    "advantages",
    "old_per_token_logps",
    "sampling_per_token_logps",
)
