"""The recipes hold what was decided and measured: each number has its reason in the recipe or the README."""

import re

import pytest
from verl_samples import RECIPES, ROOT

from envs.retail.tasks import read_tasks
from scaleout.verl.account import shop
from scaleout.verl.lengths import longest_answer, measure
from scaleout.verl.settings import Settings

pytest.importorskip("yaml", reason="recipes are YAML")

ROLLOUT, ACTOR, MODEL = "actor_rollout_ref.rollout", "actor_rollout_ref.actor", "actor_rollout_ref.model"
BOTH = {
    "hydra.searchpath": ["pkg://verl.trainer.config"],
    f"{ACTOR}.strategy": "fsdp2",
    f"{ACTOR}.kl_loss_coef": 0.001,
    f"{ACTOR}.use_kl_loss": True,
    f"{ROLLOUT}.name": "sglang",
    f"{ROLLOUT}.multi_turn.enable": True,
    "reward.custom_reward_function.path": "pkg://scaleout.verl.reward",
    "reward.custom_reward_function.name": "compute_score",
    "trainer.n_gpus_per_node": 8,
    "trainer.test_freq": 20,
    "trainer.save_freq": 40,
}
QWEN = {
    "data.max_prompt_length": 6144,
    f"{ROLLOUT}.multi_turn.max_assistant_turns": 5,
    f"{ROLLOUT}.multi_turn.format": "hermes",
    f"{ROLLOUT}.agent.default_agent_loop": "retail_tools",
    f"{ACTOR}.kl_loss_type": "low_var_kl",
    "trainer.total_epochs": 5,
}
HELD = {
    "gpt_oss_20b_grpo": BOTH
    | {
        "algorithm.adv_estimator": "grpo",
        "data.max_prompt_length": 4096,
        "data.max_response_length": 8192,
        f"{MODEL}.use_remove_padding": False,
        f"{MODEL}.override_config.attn_implementation": "eager",
        f"{ROLLOUT}.n": 8,
        f"{ROLLOUT}.multi_turn.max_assistant_turns": 6,
        f"{ROLLOUT}.multi_turn.format": "gpt-oss-harmony",
        f"{ROLLOUT}.agent.default_agent_loop": "retail_agent",
        f"{ROLLOUT}.engine_kwargs.sglang.attention_backend": "triton",
        f"{ROLLOUT}.load_format": "safetensors",
        "trainer.total_epochs": 3,
    },
    "qwen2_5_3b_ppo": BOTH | QWEN | {"algorithm.adv_estimator": "gae", "critic.strategy": "fsdp2"},
    "qwen2_5_3b_grpo": BOTH
    | QWEN
    | {"algorithm.adv_estimator": "grpo", f"{ROLLOUT}.n": 4, "critic.enable": False},
}


@pytest.mark.parametrize("name", HELD)
def test_a_recipe_holds_what_was_decided(name):
    settings = Settings.read(RECIPES / f"{name}.yaml")
    assert {setting: settings[setting] for setting in HELD[name]} == HELD[name]


def test_every_answer_of_a_look_up_fits_uncut():
    for name in HELD:
        limit = Settings.read(RECIPES / f"{name}.yaml")[f"{ROLLOUT}.multi_turn.max_tool_response_length"]
        assert longest_answer(shop()) <= limit


@pytest.mark.slow
def test_the_lengths_the_gpt_oss_recipe_names_are_those_measured():
    pytest.importorskip("openai_harmony", reason="real token counts need oss-harmony")
    report = measure(read_tasks(ROOT / "data" / "dataset.jsonl"))
    recipe = (RECIPES / "gpt_oss_20b_grpo.yaml").read_text(encoding="utf-8")
    longest = {
        name: re.search(rf"{name}.*longest ([\d,]+)", report)[1] for name in ("prompt", "episode after")
    }
    assert f"measured: {longest['prompt']} tokens at most" in recipe
    assert f"{longest['episode after']} tokens at" in " ".join(recipe.replace("#", "").split())
    for turns, claim in ((6, "serves {} of the tasks"), (12, "12 serve {}.")):
        share = re.search(rf"at most {turns} turns: (\d+)%", report)[1]
        assert claim.format(f"{share} %") in recipe
    held = Settings.read(RECIPES / "gpt_oss_20b_grpo.yaml")
    served = round(800 * int(re.search(r"at most 6 turns: (\d+)%", report)[1]) / 100)
    assert f"{served} are served in 6 turns" in recipe
    steps = served // held["data.train_batch_size"] * held["trainer.total_epochs"]
    assert steps > held["trainer.save_freq"] > held["trainer.test_freq"], "else nothing is tested and saved"
    for name, setting in (
        ("prompt", "data.max_prompt_length"),
        ("episode after", "data.max_response_length"),
    ):
        assert int(longest[name].replace(",", "")) < held[setting]
