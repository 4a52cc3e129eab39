"""Every export of the tiny model is loaded again and is the model it came from."""

import json

import pytest
from fresh_process import run_alone

from pipeline.config import resolve
from pipeline.export import export_model

pytestmark = [pytest.mark.torch, pytest.mark.slow]

EXPORT = """
import json, sys
from pathlib import Path
import torch
from pipeline.config import resolve
from pipeline.export import agreement, export_model, exports_table
from pipeline.model import load_model
from pipeline.steps import held_out_steps
from envs.retail.database import Shop

run = Path(sys.argv[1])
config = resolve("tiny")
model, tokenizer = load_model(config)
torch.manual_seed(0)
with torch.no_grad():  # a new adapter changes nothing, so merging it would not show
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            weights.normal_(std=0.05)
model.save_pretrained(str(run / "adapter"))
tokenizer.save_pretrained(str(run / "adapter"))
exports = export_model(config, run / "adapter", run / "export", prompts=3)
prompts = [step.prompt for step in held_out_steps(Shop.load(), config, 3)][:3]
base, _ = load_model(config)
print(json.dumps({
    "exports": {one.form: [one.folder and one.folder.name, one.note, one.largest_difference, one.same_answers,
                one.megabytes] for one in exports},
    "from_base": agreement(model, base, tokenizer, prompts, config),
    "table": exports_table(exports).data.to_dict("list"),
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    done = run_alone(EXPORT, str(tmp_path_factory.mktemp("run")))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_adapter_is_the_same_model(found):
    folder, _, difference, same, megabytes = found["exports"]["adapter"]
    assert (folder, difference, same) == ("adapter", 0.0, 1.0) and megabytes > 1


def test_the_merged_model_answers_without_peft_as_the_adapter_does(found):
    folder, _, difference, same, _ = found["exports"]["merged"]
    assert folder == "merged" and same == 1.0
    assert 0 < difference < 1e-3 < 0.1 * found["from_base"][0], "closer by far than the base is"


def test_what_a_cpu_cannot_write_says_why(found):
    assert found["exports"]["gguf"][:2] == [None, found["table"]["note"][2]]
    assert "GPU" in found["table"]["note"][2] and found["table"]["size"][2] == "not written"


def test_unknown_forms_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown form onnx; there are adapter, merged, gguf"):
        export_model(resolve("tiny"), tmp_path, tmp_path, ["onnx"])
