"""The fused attention with sinks gives what transformers' own gives, forward and backward."""

import pytest
from small_models import build

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(torch):
    return build("gpt_oss", 60, intermediate_size=16, initializer_range=0.02).train()


def run(model, attention: str, ids, mask):
    """Logits of the real tokens, and every parameter's gradient of their squares."""
    import torch

    model.set_attn_implementation(attention)
    model.zero_grad()
    real = torch.ones_like(ids).bool() if mask is None else mask.bool()
    logits = model(ids, attention_mask=mask).logits[real]
    logits.square().mean().backward()
    return logits.detach(), {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("length", [1, 5, 8, 9, 16, 17, 40, 100])
@pytest.mark.parametrize("padding", ["none", "right", "left"])
def test_the_fused_attention_is_the_eager_one(torch, model, length, padding):
    from pipeline import cpu_attention

    ids = torch.randint(0, 60, (3, length), generator=torch.Generator().manual_seed(length))
    mask = None
    if padding != "none":
        mask = torch.ones(3, length, dtype=torch.long)
        for row in (1, 2):
            mask[row, length - row * length // 4 :] = 0
        mask = mask.flip(1) if padding == "left" else mask
    logits, gradients = run(model, "eager", ids, mask)
    fused, fused_gradients = run(model, cpu_attention.register(), ids, mask)
    torch.testing.assert_close(fused, logits, rtol=1e-4, atol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(fused_gradients[name], gradient, rtol=1e-3, atol=1e-6, msg=name)
    assert any(gradients[name].abs().max() > 0 for name in gradients if name.endswith("sinks"))


def test_it_generates_what_the_eager_one_generates(torch, model):
    from pipeline import cpu_attention

    ids = torch.randint(0, 60, (2, 20), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[1, :7] = 0
    written = []
    for attention in ("eager", cpu_attention.register()):
        model.set_attn_implementation(attention)
        written.append(model.generate(ids, attention_mask=mask, max_new_tokens=20, do_sample=False))
    assert torch.equal(*written)
