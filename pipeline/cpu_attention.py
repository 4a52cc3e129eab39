"""gpt-oss's attention on a CPU without ever writing the whole score matrix down.

Transformers has one attention for gpt-oss on a CPU, "eager": gpt-oss adds a learned sink to each head's
scores, and PyTorch's fused attention knows no sinks. But a sink is only one more key that every query sees:
append a feature to queries (1) and keys (0), put in front a key that is zero but for that feature, and a zero
value. The fused kernel then does the same sums as "eager", several times faster.

    name = register()
    FastLanguageModel.from_pretrained(..., attn_implementation=name)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "fused_sinks"


def register() -> str:
    """Make the attention known to transformers; returns the name to load a model with."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention with sinks, as transformers' attention functions are called; the weights are not returned."""
    import torch
    from torch.nn.functional import pad, scaled_dot_product_attention

    width, queries = query.shape[-1], query.shape[2]
    groups = module.num_key_value_groups
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    sink = (module.sinks.to(query.dtype) / scaling).view(1, -1, 1, 1).expand(query.shape[0], -1, 1, 1)
    query = pad(query, (0, 1), value=1.0)
    key = torch.cat([pad(sink, (width, 0)), pad(key, (0, 1))], dim=2)
    value = pad(value, (0, 1, 1, 0))  # the fused kernel wants values as wide as keys
    causal = attention_mask is None and queries > 1
    if causal:  # one more query, so that the diagonal fits again; it sees the sink only
        query = pad(query, (0, 0, 1, 0))
    elif attention_mask is not None:
        attention_mask = pad(attention_mask, (1, 0), value=True)
    mixed = scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, dropout_p=dropout, is_causal=causal, scale=scaling
    )
    return mixed[:, :, -queries:, :width].transpose(1, 2).contiguous(), None
