"""How the tiny base is pre-trained on the conversations of corpus.py, and how much it foresees afterwards.

Short dictations come first, long conversations last; loss is taken of what the model is to write.

    pretrain(model, tokenizer, steps=1400, seed=3407)
    measure(model, tokenizer)                    # {"tokens": ..., "numbers": ...} on unseen conversations
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

from pipeline.harmony import Message, segments
from pipeline.tiny.corpus import conversations

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

IGNORED = -100  # the label of a token that the model is not to write
Example = tuple[list[int], list[int]]  # token ids, and as labels the same where the model is to write them
# Stages: share of the steps, share of dictations, tokens a step, longest conversation.
STAGES = ((0.12, 1.0, 2048, 400), (0.28, 0.25, 4096, 700), (0.6, 0.15, 4096, 1600))


def encode(tokenizer: Tokenizer, conversation: Sequence[Message]) -> Example:
    """A conversation as ids and labels."""
    ids: list[int] = []
    labels: list[int] = []
    for piece in segments(conversation):
        tokens = tokenizer.encode(piece.text, add_special_tokens=False).ids
        ids += tokens
        labels += tokens if piece.trained else [IGNORED] * len(tokens)
    return ids, labels


def batches(
    examples: Iterator[Example], tokens: int, longest: int, random: Random
) -> Iterator[list[Example]]:
    """Endless batches of about so many tokens, of examples of like length."""
    pool: list[Example] = []
    while True:
        pool += [one for one in islice(examples, 192 - len(pool)) if len(one[0]) <= longest]
        if len(pool) < 128:
            continue
        pool.sort(key=lambda one: len(one[0]))
        place = random.randrange(len(pool))
        size = max(1, tokens // len(pool[place][0]))
        start = max(0, min(place - size // 2, len(pool) - size))
        yield pool[start : start + size]
        del pool[start : start + size]


def padded(batch: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels of a batch as tensors; padding stands on the right, where nothing looks at it."""
    import torch

    width = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([one + [0] * (width - len(one)) for one, _ in batch])
    labels = torch.tensor([one + [IGNORED] * (width - len(one)) for _, one in batch])
    return ids, labels


def loss_of(model: Any, batch: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean loss of what the model is to write, its best guesses there, and the truth."""
    import torch

    ids, labels = padded(batch)
    hidden = model.model(ids).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != IGNORED
    scores, truth = model.lm_head(hidden[wanted]), labels[:, 1:][wanted]
    return torch.nn.functional.cross_entropy(scores, truth), scores.argmax(-1), truth


def pretrain(model: Any, tokenizer: Tokenizer, steps: int, seed: int) -> None:
    """Train everything with AdamW, on short dictations first, on long conversations last."""
    import torch

    words = _words(tokenizer)
    grouped: dict[bool, list[Any]] = {True: [], False: []}
    for parameter in model.parameters():
        grouped[parameter.dim() > 1].append(parameter)
    groups = [
        {"params": grouped[True], "weight_decay": 0.01},
        {"params": grouped[False], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95))
    step, started, model = 0, time.perf_counter(), model.train()
    for number, (share, dictation, tokens, longest) in enumerate(STAGES):
        talks = conversations(Random(f"{seed}/{number}"), words, dictation)
        examples = (encode(tokenizer, talk) for talk in talks)
        for batch in islice(batches(examples, tokens, longest, Random(seed)), round(share * steps)):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps)
            loss, _, _ = loss_of(model, batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if step % 50 == 0:
                print(f"step {step}/{steps}  {time.perf_counter() - started:.0f} s  loss {loss.item():.3f}")


def learning_rate(step: int, steps: int, peak: float = 2e-3) -> float:
    """Up in 30 steps, down to nearly nothing over the second half."""
    return peak * min(1.0, (step + 1) / 30) * min(1.0, max(0.02, 2 - 2 * step / steps))


def _words(tokenizer: Tokenizer) -> list[str]:
    """The vocabulary's words, for dictation."""
    words = (word.replace("Ġ", " ") for word in sorted(tokenizer.get_vocab()))
    return [word for word in words if re.fullmatch(r"[ _]?[A-Za-z]+", word)]


def measure(model: Any, tokenizer: Tokenizer, seed: int = 1, count: int = 100) -> dict[str, float]:
    """On unseen conversations: how much of the tokens, numbers and whole call bodies is foreseen exactly."""
    import torch

    talks = islice(conversations(Random(f"held out/{seed}"), _words(tokenizer), 0.15), count)
    examples = sorted((encode(tokenizer, talk) for talk in talks), key=lambda one: len(one[0]))
    numbers = torch.tensor([i for word, i in tokenizer.get_vocab().items() if word.isdigit()])
    body, end = tokenizer.token_to_id("<|message|>"), tokenizer.token_to_id("<|call|>")
    right, digits, calls, losses = [], [], [], []
    with torch.no_grad():
        for start in range(0, len(examples), 8):
            loss, guess, truth = loss_of(model.eval(), examples[start : start + 8])
            good, since = (guess == truth), 0
            right += good.tolist()
            digits += good[torch.isin(truth, numbers)].tolist()
            losses += [loss.item()] * len(truth)
            for place, token in enumerate(truth.tolist()):
                since = place + 1 if token == body else since
                if token == end:
                    calls.append(bool(good[since : place + 1].all()))
    named = {"tokens": right, "numbers": digits, "call bodies": calls, "loss": losses}
    return {name: round(sum(values) / max(1, len(values)), 4) for name, values in named.items()}
