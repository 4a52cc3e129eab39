"""What a plan starts from: published sizes, parameters worked by hand, configs read, nonsense refused."""

import json
import math
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from capacity_samples import EXPERTS, RUN, SMALL

from scaleout.capacity import MODELS, read_model

ROOT = Path(__file__).parents[2]


def test_gpt_oss_has_the_published_number_of_weights():
    small, large = MODELS["gpt-oss-20b"], MODELS["gpt-oss-120b"]
    assert (round(small.parameters / 1e9, 1), round(small.active_parameters / 1e9, 1)) == (20.9, 3.6)
    assert (round(large.parameters / 1e9, 1), round(large.active_parameters / 1e9, 1)) == (116.8, 5.1)
    assert small.lora_parameters(rank=8, experts=False) == 3_981_312  # what public training logs print


def test_the_weights_of_a_stored_gpt_oss_are_counted_exactly():
    folder = ROOT / "data" / "tiny_base"
    if not (folder / "model.safetensors").exists():
        pytest.skip("data/tiny_base is not here: make tiny-base")
    model = read_model(folder / "config.json")
    stored = (folder / "model.safetensors").read_bytes()
    header = json.loads(stored[8 : 8 + struct.unpack("<Q", stored[:8])[0]])
    shapes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
    assert model.parameters == sum(map(math.prod, shapes))
    assert (model.window_layers, model.experts, model.biases) == (1, 4, True)


def test_parameters_worked_by_hand():
    attention = 8 * 8 + 8 * 4 + 8 * 4 + 8 * 8  # q, k, v, o
    feed_forward = 8 * 32 + 16 * 8
    assert SMALL.parameters == 4 * (attention + feed_forward + 16) + 2 * 100 * 8 + 8 == 3_976
    assert SMALL.active_parameters == SMALL.parameters - 100 * 8 - 8
    assert EXPERTS.parameters == SMALL.parameters + 4 * (2 * feed_forward + 8 * 3)
    assert EXPERTS.active_parameters == SMALL.active_parameters + 4 * (feed_forward + 8 * 3)
    assert replace(SMALL, tied=True).parameters == SMALL.parameters - 100 * 8
    assert SMALL.lora_parameters(2, experts=False) == 2 * 4 * (16 + 12 + 12 + 16) == 448
    assert EXPERTS.lora_parameters(2, experts=True) == 448 + 2 * 4 * 3 * (40 + 24)


NONSENSE = [
    ({"gpus": 0}, "gpus is 0; it must be more than 0"),
    ({"episodes": -5}, "episodes is -5"),
    ({"tokens": 1.5}, "tokens is 1.5; it must be a whole number"),
    ({"tokens": "many"}, "tokens is 'many'; it must be a whole number"),
    ({"steps": True}, "steps is True"),
    ({"episodes": 10**400}, "below 10"),
    ({"rollout_rate": math.nan}, "rollout_rate is nan"),
    ({"rollout_rate": math.inf}, "rollout_rate is inf"),
    ({"utilisation": 1.5}, "utilisation is 1.5; it is a share"),
    ({"generated_share": 0}, "generated_share is 0"),
    ({"spare_gib": -1}, "spare_gib is -1; it must be 0 or more"),
    ({"tuning": "some"}, "use lora or full"),
    ({"attention": "none"}, "use eager or flash"),
    ({"tuning": "full", "weight_bits": 4}, "use tuning=lora"),
    ({"tensor_parallel": 3}, "engines of 3"),
    ({"gpus": 8}, "6 episodes leave some of 8 GPUs idle"),
]


@pytest.mark.parametrize(("change", "sentence"), NONSENSE, ids=[str(change)[:30] for change, _ in NONSENSE])
def test_a_run_that_makes_no_sense_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(RUN, **change)


WRONG_MODELS = [
    ({"layers": 0}, "small: layers is 0"),
    ({"kv_heads": 3}, "2 heads cannot share 3 kv heads"),
    ({"experts_per_token": 2}, "2 of 1 experts"),
    ({"window_layers": 5, "window": 10}, "5 layers with a window"),
    ({"window_layers": 1}, "window of 0 tokens"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG_MODELS)
def test_a_model_that_cannot_be_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(SMALL, **change)


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"num_hidden_layers": 4}'])
def test_a_config_that_cannot_be_read_is_named(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json.*(cannot be read|is missing)"):
        read_model(tmp_path / "config.json")
