"""One real step of learning on SkyRL's JAX backend: a tiny model of Qwen3's shape serves the shop and learns.

Asked for with SKYRL_JAX=1 only: it compiles for a minute or more. The backend knows no GPT-OSS and trains
LoRA only, so this shows that rewards made here arrive in SkyRL's loss with the right sign, no more.
"""

import os

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]
if not os.environ.get("SKYRL_JAX"):
    pytest.skip("set SKYRL_JAX=1 to compile and run a step on SkyRL's JAX backend", allow_module_level=True)
pytest.importorskip("skyrl", reason="skyrl is not installed: see scaleout/skyrl/README.md")
pytest.importorskip("jax")

import numpy as np  # noqa: E402
from scripted_agent import gold_turns  # noqa: E402

from scaleout.skyrl.reading import Reader  # noqa: E402
from scaleout.skyrl.serving import Serving  # noqa: E402
from scaleout.skyrl.settings import RetailSettings  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer(tiny_base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    """A tiny random model of Qwen3's shape with the tiny base's vocabulary."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer) + 64,  # ids of the reserved tokens included
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    place = tmp_path_factory.mktemp("qwen3")
    Qwen3ForCausalLM(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return str(place)


def test_a_step_makes_rewarded_trajectories_likelier(shop, tasks, tokenizer, folder):
    from skyrl.backends.jax import JaxBackend, JaxBackendConfig
    from skyrl.tinker import api, types
    from skyrl.tinker.engine import prepare_model_pass_batch
    from skyrl.tinker.types import LoraConfig, OptimStepInput

    reader = Reader.of(tokenizer)
    task = min(tasks, key=lambda task: len(gold_turns(shop, task)))
    group = [served(task, reader, turns) for turns in attempts(shop, task)]
    rewards = np.array([one.reward for one in group])
    advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
    assert rewards.max() == pytest.approx(1.0) and len(set(rewards.tolist())) > 2

    backend = JaxBackend(folder, JaxBackendConfig(max_lora_adapters=2, max_lora_rank=8))
    backend.create_model("shop", LoraConfig(rank=8, alpha=16, seed=0))

    def data(sampled):
        return [datum(types, one, a, lp) for one, a, lp in zip(group, advantages, sampled, strict=True)]

    def passed(step, sampled):
        batch = types.ForwardBackwardInput(data=data(sampled), loss_fn="ppo")
        return step(prepare_model_pass_batch({"step": ("shop", batch)}))["step"].loss_fn_outputs

    nothing = [[0.0] * len(one.rollout.completion_ids) for one in group]
    before = [written(one, out) for one, out in zip(group, passed(backend.forward, nothing), strict=True)]
    sampled = [whole(one, values) for one, values in zip(group, before, strict=True)]
    passed(backend.forward_backward, sampled)
    backend.optim_step("shop", OptimStepInput(adam_params=api.AdamParams(learning_rate=1e-2).to_types()))
    after = [written(one, out) for one, out in zip(group, passed(backend.forward, sampled), strict=True)]
    change = np.array([new.mean() - old.mean() for old, new in zip(before, after, strict=True)])
    print("rewards", rewards.round(3).tolist(), "change of log-probability", change.round(4).tolist())
    assert np.corrcoef(advantages, change)[0, 1] > 0.5
    assert change[rewards.argmax()] > change[rewards.argmin()]


def attempts(shop, task):
    """A group as sampling might give it: right, half done, nothing done, unreadable."""
    gold = gold_turns(shop, task)
    bye = "<|channel|>final<|message|>Goodbye!<|return|>"
    return [gold, [*gold[:1], bye, bye, bye], [bye] * 4, ["nonsense<|return|>"]]


def served(task, reader, turns):
    serving = Serving(task, RetailSettings(), max_turns=10, reader=reader)
    for turn in turns:
        if not serving.done:
            serving.take(reader.turn(reader.encode(turn)))
    serving.end("budget")
    return serving


def datum(types, one, advantage, sampled):
    """A trajectory as SkyRL's Tinker API takes it; what the shop said weighs nothing."""
    prompt, answer, mask = one.rollout.prompt_ids, one.rollout.completion_ids, one.rollout.env_mask
    ids, before = prompt + answer, [0.0] * (len(prompt) - 1)
    return types.Datum(
        model_input=types.ModelInput(chunks=[types.EncodedTextChunk(tokens=ids[:-1])]),
        loss_fn_inputs=types.LossFnInputs(
            target_tokens=types.TensorData(data=ids[1:]),
            weights=types.TensorData(data=before + [float(mine) for mine in mask]),
            advantages=types.TensorData(data=before + [float(advantage) * mine for mine in mask]),
            logprobs=types.TensorData(data=before + list(sampled)),
        ),
    )


def written(one, output):
    """The log-probabilities of the agent's own tokens."""
    values = np.array(output["logprobs"]["data"])[-len(one.rollout.completion_ids) :]
    return values[np.array(one.rollout.env_mask, dtype=bool)]


def whole(one, values):
    """The agent's log-probabilities in their places, 0 where it was told."""
    found = iter(values)
    return [float(next(found)) if mine else 0.0 for mine in one.rollout.env_mask]
