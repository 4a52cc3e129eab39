"""The plain copy that writes on a CPU says what the model with its adapter says."""

import json

import pytest
from fresh_process import run_alone

pytestmark = [pytest.mark.torch, pytest.mark.slow]

COPY = """
import json
from pipeline.config import resolve
from pipeline.model import load_model
model, tokenizer = load_model(resolve("tiny"))
import torch
from pipeline.local_agent import LocalAgent
from pipeline.merged import for_writing
torch.manual_seed(0)
ids = torch.randint(0, len(tokenizer), (2, 300))
def change():  # a new adapter changes nothing, so leaving it out would not show
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.requires_grad:
                weights.add_(torch.randn_like(weights) * (0.05 if "lora_B" in name else 0.01))
def logits(one):
    with torch.no_grad():
        return one(input_ids=ids, use_cache=False).logits.float()
def apart(one, other):
    return float((one - other).abs().max())
untrained = logits(model)
change()
model.train()
copy, trained = for_writing(model), logits(model)
prompts = ids[:1, :40]
with torch.no_grad():
    written = [one.generate(prompts, max_new_tokens=20, do_sample=False).tolist() for one in (model, copy)]
told = {"to model": apart(logits(copy), trained), "to untrained": apart(logits(copy), untrained),
    "written": written, "training": model.training,
    "kinds": sorted({type(module).__name__ for module in copy.modules()}),
    "dtypes": sorted({str(weights.dtype) for weights in copy.state_dict().values()}),
    "agent's": apart(logits(LocalAgent(model, tokenizer).model), trained),
    "of a copy": for_writing(copy) is copy}
earlier = logits(copy)
change()
told |= {"later": apart(logits(for_writing(model)), logits(model)), "moved": apart(logits(model), trained),
    "earlier": apart(logits(copy), earlier)}
print(json.dumps(told))
"""


def test_the_copy_is_the_model_of_that_moment_without_adapter_and_four_bits():
    done = run_alone(COPY)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["to model"] < 1e-3 < 0.1 * told["to untrained"]
    assert told["agent's"] < 1e-3 and told["later"] < 1e-3
    assert told["written"][0] == told["written"][1]
    assert told["training"] and told["of a copy"]
    assert told["earlier"] == 0.0 < 0.1 < told["moved"], "training goes on without moving an earlier copy"
    assert told["dtypes"] == ["torch.float32"]
    assert not [kind for kind in told["kinds"] if "4bit" in kind or "Lora" in kind or "Wrapper" in kind]
