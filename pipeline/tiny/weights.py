"""First weights of the tiny base, with which it copies before it has learned anything.

start_copying(model, seed=3407)      # of a GptOssForCausalLM with one sliding and one full layer
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

COPYING = 4  # heads of each layer that copy from the start; the others are free to learn what is wanted


def start_copying(model: Any, seed: int) -> None:
    """Begin with induction heads instead of waiting for training to find them.

    Of the heads, `COPYING` do so. The first layer's look one, two, three and four tokens back (biases that
    the rotary positions turn into a distance) and copy what they see into places of their own. The second
    layer's look for tokens whose three predecessors are the last three read, and copy those: what followed
    "#W12" before follows now. From noise this took over ten times as long to appear. The free heads begin by
    seeing all tokens alike, to learn what is wanted.
    """
    import torch

    shape, generator = model.config, torch.Generator().manual_seed(seed)
    width, hidden, half = shape.head_dim, shape.hidden_size, shape.head_dim // 2
    share = shape.num_attention_heads // shape.num_key_value_heads  # heads with one key and value
    groups = COPYING // share
    first, second = (layer.self_attn for layer in model.model.layers)

    def orthogonal(rows: int) -> torch.Tensor:
        return torch.linalg.qr(torch.randn(hidden, hidden, generator=generator))[0][:rows]

    with torch.no_grad():
        tokens = torch.randn(shape.vocab_size, hidden, generator=generator)
        model.model.embed_tokens.weight.copy_(tokens * 0.5)
        model.lm_head.weight.copy_(tokens * 0.1)
        _look_back(first, shape, distance=6.0)
        seen = orthogonal(width)  # what a head copies of a token
        places = [orthogonal(width) for _ in range(COPYING)]  # where head h writes it
        first.v_proj.weight[: groups * width].copy_(seen.repeat(groups, 1))
        first.o_proj.weight[:, : COPYING * width].copy_(torch.cat([place.T for place in places], dim=1) * 0.5)
        slow = [*range(half // 2, half), *range(half + half // 2, width)]  # hardly turned by distance
        wanted, found = [seen, places[0], places[1]], places[:3]
        for group in range(groups):
            rows = torch.arange(len(slow)).add(group * len(slow)).remainder(width)
            query = torch.randn(width, hidden, generator=generator) * 0.02
            keys = torch.randn(width, hidden, generator=generator) * 0.02
            bounds = (0, len(slow) // 2, 3 * len(slow) // 4, len(slow))
            for back in range(3):
                part = slice(bounds[back], bounds[back + 1])
                query[slow[part]], keys[slow[part]] = wanted[back][rows[part]], found[back][rows[part]]
            second.k_proj.weight[group * width : (group + 1) * width].copy_(keys)
            span = width * share
            second.q_proj.weight[group * span : (group + 1) * span].copy_(query.repeat(share, 1))
        copied = orthogonal(groups * width)
        second.v_proj.weight[: groups * width].copy_(copied)
        spread = copied.view(groups, width, hidden).repeat_interleave(share, 0).reshape(-1, hidden)
        second.o_proj.weight[:, : COPYING * width].copy_(spread.T * 0.5)


def _look_back(attention: Any, shape: Any, distance: float) -> None:
    """Biases with which head h attends to the token h + 1 before the current one."""
    import torch

    half, fast = shape.head_dim // 2, 8
    turns = 150000.0 ** (-torch.arange(fast) * 2 / shape.head_dim)
    keys = torch.zeros(shape.num_key_value_heads, shape.head_dim)
    keys[:, :fast] = distance
    queries = torch.zeros(shape.num_attention_heads, shape.head_dim)
    for head in range(COPYING):
        angle = -(head + 1) * turns
        queries[head, :fast], queries[head, half : half + fast] = (
            distance * angle.cos(),
            distance * angle.sin(),
        )
    attention.k_proj.bias.copy_(keys.flatten())
    attention.q_proj.bias.copy_(queries.flatten())
