"""Makes the tiny GPT-OSS that stands in for the 20B model where there is no GPU; `make tiny-base`.

A real GptOssForCausalLM (one sliding and one full layer, four experts of which two act) with a tokenizer of
its own, pre-trained on conversations that are not the shop's (pipeline/tiny/corpus.py). It knows harmony and
can copy an id out of a thousand tokens; the shop's tools it has never seen called.

    python -m pipeline.tiny.base                 # writes data/tiny_base
    python -m pipeline.tiny.base --steps 20 --out outputs/tiny_base      # a quick look

Three things make it quick: a tokenizer with a token for each paragraph of the shop's prompt
(pipeline/tiny/tokenizer.py), attention without score matrices (pipeline/cpu_attention.py), and weights that
look back and copy from the start (pipeline/tiny/weights.py). When the prompt changes, the base must be made
again: config and README hold the prompt's fingerprint, and loading compares it.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.tiny.pretraining import measure, pretrain
from pipeline.tiny.tokenizer import build_tokenizer, prompt_fingerprint
from pipeline.tiny.weights import start_copying

if TYPE_CHECKING:
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


def build_model(vocabulary: int, seed: int) -> Any:
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
