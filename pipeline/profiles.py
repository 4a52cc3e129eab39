"""What each machine's profile sets: where it differs from `Config`'s defaults, and why.

    PROFILES["gpu80"]        # {"model": "unsloth/gpt-oss-20b", ...}: `resolve("gpu80")` makes a Config of it

A profile's values are stronger than its mode's (`OF_MODE`). The tiny one takes none of those: its tokenizer
writes the same prompt far shorter.
"""

from typing import Any

_GPT_OSS = {"model": "unsloth/gpt-oss-20b", "offload_embedding": True}
_EXPERTS = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")
PROFILES: dict[str, dict[str, Any]] = {
    "tiny": {  # the pipeline's rehearsal on a CPU; the numbers behind it stand in data/tiny_base/MEASURED.md
        "levels": (1, 2),
        "thoughts": False,
        "tells_answers": 0.25,  # a gap in the warm-up that reinforcement can close: see MEASURED.md
        "rows": "episode",
        "lora_parameters": _EXPERTS,
        "modules_to_save": ("embed_tokens", "lm_head"),  # the shop's tool names are new to the base
        "train_tasks": 1300,
        "validation_tasks": 24,
        "sft_epochs": 1.0,
        "sft_batch_size": 2,  # many small steps learn more a second than few large ones
        "sft_accumulation": 1,
        "sft_learning_rate": 2.5e-3,
        "sft_warmup_steps": 20,
        "sft_eval_steps": 325,
        "grpo_epochs": 1.0,
        "grpo_batch_size": 16,
        "grpo_accumulation": 2,
        "grpo_learning_rate": 4e-4,
        "grpo_max_steps": 24,
        "num_generations": 4,  # eight tasks a step: with four, one task too many decides where a step goes
        "grpo_eval_steps": 12,
        "temperature": 1.0,
        "max_turn_length": 112,  # the longest right answer to a task of these levels has 91
        "max_completion_length": 1024,
        "max_turns": 8,
    },
    "t4": _GPT_OSS  # and any GPU without bfloat16; a plan has one short answer where an agent has many turns
    | {
        "mode": "plan",
        "lora_rank": 8,
        "lora_alpha": 16,
        "train_tasks": 240,
        "validation_tasks": 16,
        "test_tasks": 40,
        "sft_batch_size": 1,
        "sft_warmup_steps": 3,
        "grpo_batch_size": 1,
        "grpo_accumulation": 4,
        "grpo_max_steps": 60,
        "grpo_eval_steps": 20,
        "num_generations": 4,
        "served_at_once": 4,
    },
    "gpu24": _GPT_OSS,
    "gpu80": _GPT_OSS,
    "spark": _GPT_OSS | {"offload_embedding": False},  # unified memory: nothing to gain
}
TINY_PLAN = {"train_tasks": 2400, "sft_eval_steps": 600}  # rows of a third of the tokens
OF_MODE = {
    "agent": {"max_seq_length": 5632, "max_completion_length": 2560},
    "plan": {"max_completion_length": 512, "max_seq_length": 2048, "levels": (1, 2)},
}
