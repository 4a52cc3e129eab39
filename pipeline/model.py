"""Loads a model with its LoRA adapter and tokenizer: the tiny base on a CPU just as the 20B on a GPU.

    model, tokenizer = load_model(config)        # a hub name, a local model or an adapter's folder
    model, tokenizer = load_model(config, run / "sft" / "adapter")      # go on from a stage
    adapted_modules(model)                       # {"self_attn.q_proj": 24, ...}: what the adapter changes

Unsloth patches transformers, TRL and PEFT when it is imported, so it must come first: only this module
imports it, and says so when something else was faster. What cannot work is refused before any download.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.config import Config, with_changes
from pipeline.harmony_chat import RESPONSE_TEMPLATE, chat_template
from pipeline.model_source import ModelError, check_adapter_folder, resolve_source, with_local_base
from pipeline.runs import ROOT

STOPS = ("<|return|>", "<|call|>", "<|endoftext|>")
# GiB a GPU must have free to train the model, by name and whether it is loaded in 4 bits (Unsloth's figures).
_MEMORY = {("gpt-oss-20b", True): 14, ("gpt-oss-20b", False): 44, ("gpt-oss-120b", True): 65}
_PATCHED = ("transformers", "trl", "peft")


def load_model(config: Config, adapter: Path | None = None) -> tuple[Any, Any]:
    """The model of a config, with a LoRA adapter that can be trained on, and its tokenizer.

    Args:
        config: The run's config.
        adapter: A stage's adapter to go on from; without one, a new adapter on the config's model.
    """
    if adapter is not None:
        check_adapter_folder(adapter)
        config = with_changes(config, model=str(adapter))
    on_gpu = _gpu_for(config)
    source = resolve_source(config)
    import_unsloth()
    from unsloth import FastLanguageModel

    with tempfile.TemporaryDirectory() as scratch:
        source = with_local_base(source, scratch)
        model, tokenizer = _from_pretrained(FastLanguageModel, config, source, on_gpu)
    if not config.full_finetuning:
        model = _with_adapter(FastLanguageModel, model, config, on_gpu)
    prepare_tokenizer(tokenizer, config)
    prepare_generation(model, tokenizer)
    return model, tokenizer


def adapted_modules(model: Any) -> dict[str, int]:
    """What an adapter changes and in how many places, such as {"self_attn.q_proj": 2, "lm_head": 1}."""
    found: Counter[str] = Counter()
    for name, module in model.named_modules():
        kind = type(module).__name__
        if kind == "ParamWrapper":
            found[f"{_place(name)}.{module.parameter_name}"] += 1
        elif hasattr(module, "lora_A") and len(module.lora_A):
            found[_place(name)] += 1
        elif kind == "ModulesToSaveWrapper":
            found[name.rsplit(".", 1)[-1]] += 1
    return dict(sorted(found.items()))


def _place(name: str) -> str:
    parts = [part for part in name.split(".") if part != "base_layer"]
    return ".".join(parts[-2:])


def _gpu_for(config: Config) -> bool:
    """Whether the model goes to a GPU; refuses a profile that needs one where there is none or no room."""
    import torch

    if config.profile == "tiny":
        return torch.cuda.is_available()
    if not torch.cuda.is_available():
        raise ModelError(f'profile "{config.profile}" needs a CUDA GPU; use profile="tiny" to run on the CPU')
    free, total = (amount / 2**30 for amount in torch.cuda.mem_get_info())
    check_memory(config, free, total)
    return True


def check_memory(config: Config, free: float, total: float) -> None:
    """Refuse a model that does not fit into so many free GiB, with the next smaller setting."""
    name = config.model.rsplit("/", 1)[-1].removesuffix("-unsloth-bnb-4bit")
    need = _MEMORY.get((name, _in_4bit(config)), 0)
    if free >= need:
        return
    if config.full_finetuning:
        smaller = "full_finetuning=False"
    elif not config.load_in_4bit:
        smaller = "load_in_4bit=True"
    elif "120b" in config.model:
        smaller = 'model="unsloth/gpt-oss-20b"'
    elif total >= need:
        smaller = "a GPU that nothing else uses: end other programs and notebooks first"
    else:
        smaller = 'profile="tiny"'
    raise ModelError(
        f"{config.model} needs about {need} GiB of GPU memory; {free:.1f} of {total:.1f} GiB are free; "
        f"try {smaller}"
    )


def _in_4bit(config: Config) -> bool:
    return config.load_in_4bit and not config.full_finetuning


def import_unsloth() -> None:
    """Import Unsloth, float32 on any CPU, unless what it patches was imported before it."""
    early = [name for name in _PATCHED if name in sys.modules]
    if early and "unsloth" not in sys.modules:
        raise ModelError(
            f"{early[0]} was imported before unsloth, which then cannot patch it: restart the kernel and "
            "call load_model (or `import unsloth`) before anything that imports transformers, trl or peft"
        )
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(ROOT / "unsloth_compiled_cache"))
    # On a CPU that computes in bfloat16 itself (AVX512-BF16, AMX, Arm) Unsloth would load bfloat16; training
    # then stops at gpt-oss's router, where float32 meets it. So float32 on all: numbers mean the same, too.
    os.environ["UNSLOTH_CPU_BF16"] = "0"
    # There bitsandbytes looks for a faster kernel on the hub, too, and warns where it finds none.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    import unsloth  # noqa: F401


def _from_pretrained(loader: Any, config: Config, source: str, on_gpu: bool) -> tuple[Any, Any]:
    settings: dict[str, Any] = {
        "model_name": source,
        "max_seq_length": config.max_seq_length,
        "load_in_4bit": _in_4bit(config),
        "full_finetuning": config.full_finetuning,
        "offload_embedding": config.offload_embedding,
        "random_state": config.seed,
    }
    if not on_gpu:
        from pipeline import cpu_attention

        settings |= {"attn_implementation": cpu_attention.register(), "use_gradient_checkpointing": False}
    try:
        return loader.from_pretrained(**settings)
    except (OSError, ConnectionError) as error:
        raise ModelError(_unreachable(source, error)) from error


def _unreachable(source: str, error: Exception) -> str:
    if Path(source).is_dir():
        return f"{source} could not be read: {error}"
    return (
        f"{source} is neither a folder here nor in the Hugging Face cache, and could not be downloaded; run "
        f"`hf download {source}` where there is a connection, or name a local folder with model=... "
        f"({type(error).__name__})"
    )


def _with_adapter(loader: Any, model: Any, config: Config, on_gpu: bool) -> Any:
    """The model with its adapter: the one it came with, or a new one."""
    if hasattr(model, "peft_config"):
        return model
    settings: dict[str, Any] = {"target_modules": list(config.lora_targets)}
    if config.lora_parameters:
        settings["target_parameters"] = list(config.lora_parameters)
    if config.modules_to_save:
        settings["modules_to_save"] = list(config.modules_to_save)
    adapted = loader.get_peft_model(
        model,
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0,
        bias="none",
        use_gradient_checkpointing="unsloth" if on_gpu else False,
        random_state=config.seed,
        **settings,
    )
    _check_adapter(adapted, config)
    return adapted


def _check_adapter(model: Any, config: Config) -> None:
    """Fail when something asked for is not adapted: PEFT leaves out in silence what it does not find."""
    adapted = adapted_modules(model)
    asked = (*config.lora_targets, *config.lora_parameters, *config.modules_to_save)
    missing = [name for name in asked if not any(one.endswith(name.rsplit(".", 1)[-1]) for one in adapted)]
    if missing:
        raise ModelError(f"the model has no {', '.join(missing)} to adapt; adapted are {', '.join(adapted)}")


def prepare_tokenizer(tokenizer: Any, config: Config) -> None:
    """Our chat template with the config's date, and the reading of both call forms."""
    tokenizer.chat_template = chat_template(config.date)
    tokenizer.response_template = RESPONSE_TEMPLATE
    tokenizer.eos_token = "<|return|>"


def stop_ids(tokenizer: Any) -> list[int]:
    """Where generation ends: a call, a final message, or the end of everything."""
    return [tokenizer.convert_tokens_to_ids(token) for token in STOPS]


def prepare_generation(model: Any, tokenizer: Any) -> None:
    """Stop and padding tokens, and no router loss: gpt-oss's own config would add one to every loss."""
    for owner in (model.config, model.generation_config):
        owner.bos_token_id, owner.pad_token_id = tokenizer.bos_token_id, tokenizer.pad_token_id
    # One token here, as trainers compare it with the tokenizer's; all of them where generation stops.
    model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.eos_token_id = stop_ids(tokenizer)
    model.config.output_router_logits, model.config.router_aux_loss_coef = False, 0.0
