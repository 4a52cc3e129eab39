"""gpt-oss's attention on a CPU without ever writing the whole score matrix down.

Transformers has one attention for gpt-oss on a CPU, "eager": gpt-oss adds a learned sink to each head's
scores, and PyTorch's fused attention knows no sinks. But a sink only makes the sum under the softmax larger.
With L the logarithm of that sum without it, the result is the fused kernel's times exp(L - log(e^L + e^s)),
s being the sink, and the kernel's backward pass is right if it is given the larger sum. Where padding stands
on the right, as in training, no mask is needed, and none is made; a sliding window is cut into blocks that
see themselves and the one before. A single token, as generation adds them, asks its keys directly.

    name = register()
    FastLanguageModel.from_pretrained(..., attn_implementation=name)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "fused_sinks"
HIDDEN = -1e30  # a score that no softmax sees; finite, so that a row of nothing else gives no NaN


def register() -> str:
    """Make the attention known to transformers; returns the name to load a model with."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, mask_if_needed)
    return NAME


def mask_if_needed(
    *, q_length: int, kv_length: int, attention_mask: Tensor | None = None, **named: Any
) -> Tensor | None:
    """No mask where whole rows are read whose padding, if any, is on the right; else transformers' own."""
    from transformers.masking_utils import sdpa_mask

    whole = q_length == kv_length and named.get("allow_is_causal_skip", True)
    if whole and (attention_mask is None or not (attention_mask[:, 1:] > attention_mask[:, :-1]).any()):
        return None
    return sdpa_mask(q_length=q_length, kv_length=kv_length, attention_mask=attention_mask, **named)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention with sinks, as transformers' attention functions are called; the weights are not returned."""
    groups, length = module.num_key_value_groups, query.shape[2]
    sinks = module.sinks.to(query.dtype)
    if length == 1:
        return _next_token(query, key, value, sinks, attention_mask, scaling).transpose(1, 2), None
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    plain = attention_mask is None and length == key.shape[2]
    if plain and sliding_window and length > sliding_window:
        mixed = _in_blocks(query, key, value, sinks, scaling, sliding_window)
    elif plain:
        mixed = _fused()(query, key, value, sinks, None, True, scaling)
    else:
        mask = None if attention_mask is None else _scores_of(attention_mask, query)
        mixed = _fused()(query, key, value, sinks, mask, False, scaling)
    return mixed.transpose(1, 2).contiguous(), None


def _next_token(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, mask: Tensor | None, scaling: float
) -> Tensor:
    """One query a head, as in generation: heads that share keys are asked together, and no key is copied."""
    import torch

    batch, heads, _, width = query.shape
    shared = key.shape[1]
    scores = query.reshape(batch, shared, heads // shared, width) @ key.transpose(2, 3) * scaling
    if mask is not None:
        scores = scores.masked_fill(~mask, HIDDEN)
    sink = sinks.view(shared, -1, 1)
    highest = torch.maximum(scores.amax(-1, keepdim=True), sink)
    weights = (scores - highest).exp()
    total = weights.sum(-1, keepdim=True) + (sink - highest).exp()
    return (weights @ value / total).view(batch, heads, 1, width)


def _in_blocks(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, scaling: float, window: int
) -> Tensor:
    """A sliding window: each block of so many queries with the keys of its own block and the one before."""
    import torch
    from torch.nn.functional import pad

    batch, heads, length, width = query.shape
    blocks = -(-length // window)
    fill = blocks * window - length

    def cut(tensor: Tensor) -> Tensor:  # to (batch * blocks, heads, ..., width)
        return tensor.transpose(1, 2).flatten(0, 1)

    queries = cut(pad(query, (0, 0, 0, fill)).view(batch, heads, blocks, window, width))

    def with_last(tensor: Tensor) -> Tensor:
        own = pad(tensor, (0, 0, window, fill)).view(batch, heads, blocks + 1, window, width)
        return cut(torch.cat([own[:, :, :-1], own[:, :, 1:]], dim=3))

    place, seen = torch.arange(window)[:, None], torch.arange(2 * window)[None]
    mask = (seen > place) & (seen <= place + window)
    mask = mask.expand(batch, blocks, 1, window, 2 * window).clone()
    mask[:, 0, :, :, :window] = False
    mixed = _fused()(
        queries,
        with_last(key),
        with_last(value),
        sinks,
        _scores_of(mask.flatten(0, 1), query),
        False,
        scaling,
    )
    whole = mixed.view(batch, blocks, heads, window, width).transpose(1, 2).flatten(2, 3)
    return whole[:, :, :length]


def _scores_of(mask: Tensor, like: Tensor) -> Tensor:
    return like.new_zeros(()).where(mask, HIDDEN)


@cache
def _fused() -> Any:
    """The fused kernel with sinks as a differentiable function."""
    import torch

    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    backward_kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward

    class FusedSinks(torch.autograd.Function):
        @staticmethod
        def forward(context, query, key, value, sinks, mask, causal, scaling):
            mixed, total = kernel(query, key, value, 0.0, causal, attn_mask=mask, scale=scaling)
            with_sink = torch.logaddexp(total, sinks.view(1, -1, 1).to(total.dtype))
            mixed = mixed * (total - with_sink).exp()[..., None].to(mixed.dtype)
            context.save_for_backward(query, key, value, sinks, mask, mixed, with_sink)
            context.causal, context.scaling = causal, scaling
            return mixed

        @staticmethod
        def backward(context, gradient):
            query, key, value, sinks, mask, mixed, total = context.saved_tensors
            gradient = gradient.contiguous()
            three = backward_kernel(
                gradient,
                query,
                key,
                value,
                mixed,
                total,
                0.0,
                context.causal,
                attn_mask=mask,
                scale=context.scaling,
            )
            share = (sinks.view(1, -1, 1).to(total.dtype) - total).exp()
            to_sinks = -(share * (gradient * mixed).sum(-1)).sum((0, 2)).to(sinks.dtype)
            return *three, to_sinks, None, None, None

    return FusedSinks.apply
