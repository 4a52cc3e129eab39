"""load_model: one path from base to adapter and back, and errors that name the way out.

Unsloth must be imported before transformers and TRL, which other tests import; whatever loads a model runs in
a process of its own.
"""

import json
from pathlib import Path

import pytest
from fresh_process import run_alone

from pipeline.config import resolve, with_changes
from pipeline.model import check_memory, load_model
from pipeline.model_source import ModelError, resolve_source
from pipeline.tiny.base import FOLDER

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]
TINY = resolve("tiny", environ={})

# The story is told as on a CPU that computes in bfloat16: where the tests run, there may be none.
_STORY = """
import json, os, sys
from pathlib import Path
os.environ["UNSLOTH_CPU_BF16"] = "1"
from pipeline.config import resolve, with_changes
from pipeline.model import adapted_modules, load_model

folder = Path(sys.argv[1])
config = resolve("tiny", environ={}, train_tasks=8, validation_tasks=2)
model, tokenizer = load_model(config)
from envs.retail.database import Shop
from pipeline.sft import build_sft_trainer, sft_arguments
from pipeline.steps import generate, held_out_steps
from pipeline.task_sets import rows_for
shop = Shop.load()
rows, _ = rows_for(shop, config, tokenizer, "train")
prompts = [step.prompt for step in held_out_steps(shop, config, 2)][:3]
story = {"precision": str(model.dtype), "adapted": adapted_modules(model), "four_bit": sum(
    type(module).__module__.startswith("bitsandbytes") for module in model.modules())}
untrained = generate(model, tokenizer, prompts, 24)
arguments = sft_arguments(config, folder, max_steps=4, per_device_train_batch_size=4, learning_rate=1e-2,
    eval_strategy="no", save_strategy="no", load_best_model_at_end=False, report_to=[])
trainer = build_sft_trainer(model, tokenizer, rows, [], arguments, patience=None)
trainer.train()
story["losses"] = [line["loss"] for line in trainer.state.log_history if "loss" in line]
trained = generate(model, tokenizer, prompts, 24)
model.save_pretrained(folder / "adapter")
tokenizer.save_pretrained(folder / "adapter")
settings = json.loads((folder / "adapter" / "adapter_config.json").read_text())
settings["base_model_name_or_path"] = "/elsewhere/data/tiny_base"  # as if it came from another machine
(folder / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
model, tokenizer = load_model(with_changes(config, model=str(folder / "adapter")))
story["trainable"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
reloaded = generate(model, tokenizer, prompts, 24)
story |= {"untrained": untrained, "trained": trained, "reloaded": reloaded}
call = '{"order_id": "#W1"}<|call|>'
headers = {"role": " to=functions.get_order_details<|channel|>commentary json<|message|>",
    "channel": "<|channel|>commentary to=functions.get_order_details <|constrain|>json<|message|>"}
for name, header in headers.items():
    ids = tokenizer(header + call, add_special_tokens=False)["input_ids"]
    story[name] = tokenizer.parse_response(ids, prefix="<|start|>assistant")["tool_calls"][0]["function"]
story["stops"] = [tokenizer.convert_ids_to_tokens(i) for i in model.generation_config.eos_token_id]
story["pad"] = tokenizer.pad_token_id in model.generation_config.eos_token_id
(folder / "story.json").write_text(json.dumps(story))
"""


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """What happened from base through SFT to the reloaded adapter."""
    folder = tmp_path_factory.mktemp("story")
    done = run_alone(_STORY, str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "story.json").read_text())


def test_attention_is_loaded_in_four_bits_and_all_that_was_asked_for_is_adapted(story):
    assert story["four_bit"] == 8
    assert story["adapted"]["self_attn.q_proj"] == 2
    for name in (*TINY.lora_parameters, *TINY.modules_to_save):
        assert any(found.endswith(name.rsplit(".", 1)[-1]) for found in story["adapted"])


def test_what_a_cpu_computes_in_does_not_change_what_is_loaded(story):
    assert story["precision"] == "torch.float32"


def test_training_lowers_the_loss_and_a_saved_adapter_comes_back_to_the_same_words(story):
    assert story["losses"][-1] < story["losses"][0]
    assert story["untrained"] != story["trained"] == story["reloaded"]
    assert story["trainable"] > 0


def test_both_call_forms_are_read_and_generation_stops_where_a_turn_ends(story):
    expected = {"name": "get_order_details", "arguments": {"order_id": "#W1"}}
    assert story["role"] == story["channel"] == expected
    assert set(story["stops"]) >= {"<|return|>", "<|call|>"} and not story["pad"]


def test_a_gpu_profile_without_a_gpu_names_the_tiny_one():
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError, match='profile "gpu24" needs a CUDA GPU; use profile="tiny"'):
        load_model(resolve("gpu24", environ={}))


_LOAD = """
from pipeline.config import resolve
from pipeline.model import load_model
load_model(resolve("tiny", environ={}, model={model!r}))
"""


def test_importing_trl_first_is_refused_with_the_cure():
    done = run_alone("import trl" + _LOAD.replace("{model!r}", "None"))
    assert done.returncode and "was imported before unsloth" in done.stderr and "restart" in done.stderr


def test_a_model_that_cannot_be_reached_says_how_to_get_it():
    done = run_alone(_LOAD.replace("{model!r}", "'nobody/nothing'"), HF_HUB_OFFLINE="1")
    assert done.returncode and "ModelError" in done.stderr and "hf download nobody/nothing" in done.stderr


@pytest.mark.parametrize(
    ("changes", "free", "total", "hint"),
    [
        ({}, 9.0, 12.0, 'profile="tiny"'),
        ({}, 9.0, 24.0, "nothing else uses"),
        ({"load_in_4bit": False}, 30.0, 40.0, "load_in_4bit=True"),
        ({"full_finetuning": True}, 30.0, 40.0, "full_finetuning=False"),  # never in 4 bit
        ({"model": "unsloth/gpt-oss-120b"}, 40.0, 48.0, "gpt-oss-20b"),
    ],
)
def test_too_little_memory_is_refused_with_numbers_and_the_next_smaller_setting(changes, free, total, hint):
    config = resolve("gpu24", environ={}, **changes)
    with pytest.raises(ModelError, match=rf"needs about \d+ GiB .* {free:.1f} of {total:.1f} GiB") as refusal:
        check_memory(config, free, total)
    assert hint in str(refusal.value)


def test_enough_memory_is_not_refused():
    check_memory(resolve("gpu24", environ={}), 23.0, 24.0)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"neither config\.json nor adapter_config\.json"):
        resolve_source(with_changes(TINY, model=str(tmp_path)))
    with pytest.raises(ModelError, match="there is no model in"):
        resolve_source(with_changes(TINY, model=str(tmp_path / "missing")))


def test_an_adapter_of_another_base_is_refused(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "unsloth/gpt-oss-20b"}')
    with pytest.raises(
        ModelError, match="trained on unsloth/gpt-oss-20b, but profile 'tiny' uses data/tiny_base"
    ):
        resolve_source(with_changes(TINY, model=str(tmp_path)))


def test_an_adapter_of_an_earlier_tiny_base_is_refused(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "/old/data/tiny_base"}')
    other = json.loads((FOLDER / "tokenizer.json").read_text())
    other["model"]["merges"].pop()
    (tmp_path / "tokenizer.json").write_text(json.dumps(other))
    with pytest.raises(ModelError, match="earlier tiny base; train it again"):
        resolve_source(with_changes(TINY, model=str(tmp_path)))


def test_a_base_made_for_another_prompt_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"prompt_fingerprint": "0123456789abcdef"}')
    with pytest.raises(ModelError, match="make tiny-base"):
        resolve_source(with_changes(TINY, model=str(tmp_path)))
