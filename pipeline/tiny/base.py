"""Makes the tiny GPT-OSS that stands in for the 20B model where there is no GPU; `make tiny-base`.

A real GptOssForCausalLM (one sliding and one full layer, four experts of which two act) with a tokenizer of
its own, pre-trained on conversations that are not the shop's (pipeline/tiny/corpus.py). It knows harmony and
can copy an id out of a thousand tokens; the shop's tools it has never seen called.

    python -m pipeline.tiny.base                 # writes data/tiny_base
    python -m pipeline.tiny.base --steps 20      # a quick look, in outputs/tiny_base

Three things make it quick: a tokenizer with a token for each paragraph of the shop's prompt
(pipeline/tiny/tokenizer.py), attention without score matrices (pipeline/cpu_attention.py), and weights that
look back and copy from the start (pipeline/tiny/weights.py). When the prompt changes, the base must be made
again: config and README hold the prompt's fingerprint, and loading compares it.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pipeline.harmony import Message, segments
from pipeline.tiny.corpus import conversations
from pipeline.tiny.tokenizer import build_tokenizer, prompt_fingerprint
from pipeline.tiny.weights import start_copying

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

FOLDER = Path(__file__).parents[2] / "data" / "tiny_base"
SEED = 3407
CONTEXT = 4096
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 128,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}


def build_model(vocabulary: int, seed: int = SEED) -> Any:
    """The untrained model, with weights that already copy."""
    import torch
    from transformers import GptOssConfig, GptOssForCausalLM

    from pipeline import cpu_attention

    torch.manual_seed(seed)
    config = GptOssConfig(
        vocab_size=vocabulary,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 150000.0},
        router_aux_loss_coef=0.0,
        output_router_logits=False,
        initializer_range=0.05,
        use_cache=False,
        **SHAPE,
    )
    config._attn_implementation = cpu_attention.register()
    model = GptOssForCausalLM(config)
    start_copying(model, seed)
    return model


Example = tuple[
    list[int], list[int]
]  # token ids, and the same ids where the model is to write them, else -100


def encode(tokenizer: Tokenizer, conversation: Sequence[Message]) -> Example:
    """A conversation as ids and labels."""
    ids: list[int] = []
    labels: list[int] = []
    for piece in segments(conversation):
        tokens = tokenizer.encode(piece.text, add_special_tokens=False).ids
        ids += tokens
        labels += tokens if piece.trained else [-100] * len(tokens)
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
    labels = torch.tensor([one + [-100] * (width - len(one)) for _, one in batch])
    return ids, labels


def loss_of(model: Any, batch: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean loss of what the model is to write, its best guesses there, and the truth."""
    import torch

    ids, labels = padded(batch)
    hidden = model.model(ids).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != -100
    scores, truth = model.lm_head(hidden[wanted]), labels[:, 1:][wanted]
    return torch.nn.functional.cross_entropy(scores, truth), scores.argmax(-1), truth


# Stages: share of the steps, share of dictations, tokens a step, longest conversation.
STAGES = ((0.12, 1.0, 2048, 400), (0.28, 0.25, 4096, 700), (0.6, 0.15, 4096, 1600))


def pretrain(model: Any, tokenizer: Tokenizer, steps: int, seed: int = SEED, report: Any = print) -> None:
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
                report(f"step {step}/{steps}  {time.perf_counter() - started:.0f} s  loss {loss.item():.3f}")


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


def save(model: Any, tokenizer: Tokenizer, folder: Path, facts: dict[str, Any]) -> None:
    """Write model, tokenizer and a README with the prompt's fingerprint and the files' checksums."""
    import torch
    from transformers import GenerationConfig, PreTrainedTokenizerFast

    from pipeline.harmony_chat import RESPONSE_TEMPLATE, chat_template

    model.config._attn_implementation = "eager"
    model.config.prompt_fingerprint = prompt_fingerprint()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|startoftext|>",
        eos_token="<|return|>",
        pad_token="<|pad|>",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = chat_template()
    wrapped.response_template = RESPONSE_TEMPLATE
    ends = [tokenizer.token_to_id(token) for token in ("<|return|>", "<|call|>")]
    model.config.eos_token_id, model.config.pad_token_id = ends, wrapped.pad_token_id
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=wrapped.pad_token_id)
    model.to(torch.bfloat16).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    (folder / "README.md").write_text(_readme(folder, facts), encoding="utf-8")


def _readme(folder: Path, facts: dict[str, Any]) -> str:
    lines = [
        "# The tiny base",
        "",
        "A GPT-OSS of two layers, made by `make tiny-base` (pipeline/tiny/base.py) from nothing but this",
        "repository: a rehearsal for the 20B model on a machine without a GPU, of no other use.",
        "Make it again whenever the policy, the tools or the prompt's form change; loading says so.",
        "",
        *(f"* {name}: {value}" for name, value in facts.items()),
        "",
        "| file | bytes | sha256 |",
        "| --- | --- | --- |",
    ]
    for path in sorted(folder.iterdir()):
        if path.suffix != ".md":  # MEASURED.md is written by hand
            data = path.read_bytes()
            lines.append(f"| {path.name} | {len(data):,} | {hashlib.sha256(data).hexdigest()} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    started = time.perf_counter()
    tokenizer = build_tokenizer(options.seed)
    model = build_model(tokenizer.get_vocab_size(), options.seed)
    size = sum(parameter.numel() for parameter in model.parameters())
    print(f"{size:,} parameters, {tokenizer.get_vocab_size():,} tokens")
    pretrain(model, tokenizer, options.steps, options.seed)
    foreseen = measure(model, tokenizer)
    facts = {
        "parameters": f"{size:,}",
        "vocabulary": f"{tokenizer.get_vocab_size():,}",
        "prompt fingerprint": prompt_fingerprint(),
        "steps": options.steps,
        "seed": options.seed,
        "foreseen on unseen conversations": foreseen,
    }
    save(model, tokenizer, options.out, facts)
    print(f"{foreseen}\nwrote {options.out} in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
