"""How fast each attention is for a layer of GPT-OSS, with sinks and sliding window, and how much it differs.

    python -m scaleout.skyrl.bench_attention                                  # the sizes of GPT-OSS-20B
    python -m scaleout.skyrl.bench_attention --model data/tiny_base --lengths 256 1024 4096

SkyRL trains GPT-OSS with flex attention, because flash attention 2 knows no sinks and eager attention writes
the whole score matrix down. This table says what that means on the machine at hand: forward and backward of
one attention layer, sliding and full, in each implementation there is, against eager in full precision. A
combination that cannot be run has a row that says why.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("sliding_attention", "full_attention")
IMPLEMENTATIONS = ("eager", "flex_attention", "fused_sinks")
LENGTHS = (512, 1024, 2048, 4096)
SIZES = {  # of GPT-OSS-20B
    "hidden_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "sliding_window": 128,
}


@dataclass(frozen=True)
class Row:
    """One implementation on one layer and length; what could not be measured is None."""

    kind: str
    length: int
    implementation: str
    seconds: float | None = None  # forward and backward, the median of the repeats
    peak: int | None = None  # bytes above what the layer and its input hold; on a GPU only
    difference: float | None = None  # the largest, of outputs, from eager in 32 bits
    why_not: str = ""

    def __str__(self) -> str:
        start = f"{self.kind.removesuffix('_attention'):8} {self.length:7,} {self.implementation:15}"
        if self.why_not:
            return f"{start} cannot be run: {self.why_not}"
        memory = "not measured" if self.peak is None else f"{self.peak / 2**20:,.0f} MiB"
        return f"{start} {1000 * self.seconds:10,.1f} ms {memory:>13} {self.difference:12.1e}"


def measure(
    config: Any,
    lengths: Sequence[int] = LENGTHS,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    repeats: int = 3,
    implementations: Sequence[str] = IMPLEMENTATIONS,
) -> list[Row]:
    """All rows of the table.

    Args:
        config: A GptOssConfig; only its attention's sizes are used, the weights are drawn with a fixed seed.
        lengths: Tokens of the one sequence.
        device: "cpu" or "cuda".
        dtype: What the layer computes in.
        repeats: Times each is run after a first time that does not count.
        implementations: Which to measure.
    """
    from pipeline import cpu_attention

    cpu_attention.register()
    rows = []
    for kind in KINDS:
        for length in lengths:
            exact = _Case(config, kind, length, device, "float32")("eager")[0].cpu()
            for implementation in implementations:
                case = _Case(config, kind, length, device, dtype)
                rows.append(_row(case, implementation, exact, repeats))
    return rows


def _row(case: _Case, implementation: str, exact: Any, repeats: int) -> Row:
    place = (case.kind, case.length, implementation)
    if implementation == "fused_sinks" and case.device != "cpu":
        return Row(*place, why_not="the project's fused kernel is for CPUs")
    try:
        output, _ = case(implementation)
        found = [case(implementation) for _ in range(repeats)]
    except (ValueError, RuntimeError, NotImplementedError, ImportError) as error:
        return Row(*place, why_not=" ".join(f"{type(error).__name__}: {error}".split())[:200])
    difference = float((output.float().cpu() - exact).abs().max())
    peaks = [run.peak for _, run in found if run.peak is not None]
    seconds = statistics.median(run.seconds for _, run in found)
    return Row(*place, seconds, max(peaks, default=None), difference)


@dataclass(frozen=True)
class _Run:
    seconds: float
    peak: int | None


class _Case:
    """One attention layer with its input: the same numbers whatever implementation is asked."""

    def __init__(self, config: Any, kind: str, length: int, device: str, dtype: str):
        import copy

        import torch
        from transformers.models.gpt_oss.modeling_gpt_oss import GptOssAttention, GptOssRotaryEmbedding

        self.kind, self.length, self.device = kind, length, device
        self.config = copy.deepcopy(config)
        self.config.layer_types = [kind]
        torch.manual_seed(0)
        self.layer = GptOssAttention(self.config, 0)
        with torch.no_grad():
            for parameter in self.layer.parameters():
                parameter.normal_(std=0.02)
            self.layer.sinks.normal_()  # of the size of scores, so that leaving them out would show
        self.layer.to(device, getattr(torch, dtype))
        self.input = torch.randn(1, length, self.config.hidden_size).to(device, getattr(torch, dtype))
        places = torch.arange(length, device=device)[None]
        self.rotary = GptOssRotaryEmbedding(self.config).to(device)(self.input, places)

    def __call__(self, implementation: str) -> tuple[Any, _Run]:
        """The output, and what forward and backward took."""
        import torch

        self.config._attn_implementation = implementation
        hidden = self.input.clone().requires_grad_()
        mask = self._mask(hidden)
        on_gpu = self.device != "cpu"
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        start = time.perf_counter()
        output, _ = self.layer(hidden, position_embeddings=self.rotary, attention_mask=mask)
        output.float().square().mean().backward()
        if on_gpu:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        peak = torch.cuda.max_memory_allocated() - before if on_gpu else None
        return output.detach(), _Run(seconds, peak)

    def _mask(self, hidden: Any) -> Any:
        from transformers import masking_utils

        make: Callable[..., Any] = masking_utils.create_causal_mask
        if self.kind == "sliding_attention":
            make = masking_utils.create_sliding_window_causal_mask
        return make(config=self.config, inputs_embeds=hidden, attention_mask=None, past_key_values=None)


def config_of(folder: Path | None) -> Any:
    """The configuration of a model's folder, or one with GPT-OSS-20B's attention."""
    from transformers import AutoConfig, GptOssConfig

    if folder is None:
        return GptOssConfig(**SIZES, num_hidden_layers=1)
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} holds no config.json; name the folder of a GPT-OSS model")
    config = AutoConfig.from_pretrained(folder)
    if config.model_type != "gpt_oss":
        raise ValueError(f"{folder} holds a {config.model_type} model; this is about GPT-OSS's attention")
    return config


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m scaleout.skyrl.bench_attention", description=__doc__)
    parser.add_argument("--model", type=Path, help="a model's folder; default: the sizes of GPT-OSS-20B")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: bfloat16 on a GPU")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(argv)
    dtype = options.dtype or ("float32" if options.device == "cpu" else "bfloat16")
    try:
        config = config_of(options.model)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"one attention layer, {dtype} on {options.device}, forward and backward, {options.repeats} repeats"
    )
    print(f"{'layer':8} {'tokens':>7} {'attention':15} {'median':>13} {'peak memory':>13} {'difference':>12}")
    measured = measure(config, options.lengths, device=options.device, dtype=dtype, repeats=options.repeats)
    print(*measured, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
