"""Settings that verl takes in silence: each wrong one is named in a sentence that says what to write."""

import pytest
from verl_samples import RECIPES, ROOT

from scaleout.verl.__main__ import main
from scaleout.verl.check import check
from scaleout.verl.export import export
from scaleout.verl.rules import RULES, problems
from scaleout.verl.settings import DEFAULTS, Settings

pytest.importorskip("yaml", reason="configurations are YAML")

GPT, PPO, GRPO = "gpt_oss_20b_grpo", "qwen2_5_3b_ppo", "qwen2_5_3b_grpo"
ROLLOUT, ACTOR, MODEL = "actor_rollout_ref.rollout", "actor_rollout_ref.actor", "actor_rollout_ref.model"
TURN = f"{ROLLOUT}.multi_turn"

BROKEN = [  # recipe, what is changed in it, and what the sentence must say: what happens, and the fix
    (GPT, f"{ROLLOUT}.agent.default_agent_loop=single_turn_agent", "no tool is ever called", "retail_agent"),
    (PPO, f"{ROLLOUT}.agent.default_agent_loop=null", "no tool is ever called", "retail_tools"),
    (GPT, f"{TURN}.format=hermes", "reads no call of gpt-oss", "gpt-oss-harmony"),
    (GPT, f"{TURN}.format=gpt-oss", "reads one of gpt-oss's four call forms", "gpt-oss-harmony"),
    (GPT, f"{TURN}.max_tool_response_length=256", "answers of tools are cut", "4096"),
    (GPT, "data.max_prompt_length=2048", "every row is filtered out", "4096"),
    (PPO, "data.max_prompt_length=4096", "every row is filtered out", "6144"),
    (GPT, "data.max_response_length=1536", "all turns and all answers", "6144"),
    (GPT, f"{ROLLOUT}.max_model_len=8192", "less than prompt and response", "12288"),
    (GPT, "data.filter_overlong_prompts=false", "lose their beginning", "true"),
    (GPT, f"{MODEL}.use_remove_padding=true", "see each other", "false"),
    (GPT, f"{MODEL}.override_config={{attn_implementation: flash_attention_2}}", "sinks", "eager"),
    (GPT, "custom_reward_function={path: mine.py}", "is ignored", "reward.custom_reward_function.path"),
    (GPT, "reward={}", "nothing is scored", "pkg://scaleout.verl.reward"),
    (GRPO, f"{ROLLOUT}.n=1", "every advantage of GRPO is 0", "4 or 8"),
    (GPT, f"{ROLLOUT}.temperature=0", "are the same", "1.0"),
    (GPT, f"{ACTOR}.use_kl_loss=false", "is ignored", "true"),
    (GPT, "actor_rollout_ref.ref={}", "ref.log_prob_micro_batch_size_per_gpu", "must be set"),
    (PPO, f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu=null", "log_prob_micro_batch", "must be set"),
    (PPO, "critic.ppo_micro_batch_size_per_gpu=null", "critic.ppo_micro_batch_size_per_gpu", "must be set"),
    (PPO, "critic.model={}", "verl's example model", "the actor's model"),
    (PPO, "data.train_batch_size=33", "do not divide among 8 GPUs", "data.train_batch_size"),
    (GPT, "data.train_batch_size=8", "more than data.train_batch_size 8", "set it to that"),
    (GPT, "data.train_files=/nowhere/train.parquet", "/nowhere/train.parquet is not there", "export"),
    (GPT, f"{ROLLOUT}.name=hf", "cannot serve", "sglang"),
    (GPT, "hydra.searchpath=['file://verl/trainer/config']", "only in verl's", "pkg://verl.trainer.config"),
]
MISSING = [  # dotted names that are taken out of the gpt-oss recipe
    (f"{ROLLOUT}.agent.agent_loop_config_path", "is unknown", "agent_loops.yaml"),
    (f"{TURN}.tool_config_path", "no tools", "tools.yaml"),
    (f"{TURN}.max_tool_response_length", "256 characters", "4096"),
    (f"{TURN}.format", "'hermes'", "gpt-oss-harmony"),
    ("data.max_prompt_length", "512", "4096"),
    ("data.max_response_length", "512", "6144"),
    (f"{MODEL}.use_remove_padding", "see each other", "false"),
    (f"{MODEL}.override_config", "sinks", "eager"),
    (f"{ROLLOUT}.agent.default_agent_loop", "no tool is ever called", "retail_agent"),
    ("reward", "nothing is scored", "pkg://scaleout.verl.reward"),
]


def recipe(name: str, *overrides: str) -> Settings:
    return Settings.read(RECIPES / f"{name}.yaml", overrides)


@pytest.mark.parametrize("name", [GPT, PPO, GRPO])
def test_the_recipes_themselves_are_all_right(name):
    assert problems(recipe(name)) == []


@pytest.mark.parametrize(("name", "change", "happens", "fix"), BROKEN, ids=[one[1][:60] for one in BROKEN])
def test_each_wrong_setting_is_named_with_its_fix(name, change, happens, fix):
    found = problems(recipe(name, change))
    assert any(happens in sentence and fix in sentence for sentence in found), found


@pytest.mark.parametrize(("setting", "happens", "fix"), MISSING, ids=[one[0] for one in MISSING])
def test_each_missing_setting_is_named_with_its_fix(setting, happens, fix):
    settings = recipe(GPT)
    *parts, last = setting.split(".")
    inner = settings.values
    for part in parts:
        inner = inner[part]
    del inner[last]
    found = problems(settings)
    assert any(happens in sentence and fix in sentence for sentence in found), found


def test_every_rule_is_broken_by_some_test_above_or_below():
    broken = [recipe(name, change) for name, change, *_ in BROKEN]
    said = {rule for settings in broken for rule in RULES if rule(settings)}
    left = {rule.__name__ for rule in RULES} - {rule.__name__ for rule in said}
    assert left == {"agent_loop_file", "tool_file", "quantized"}, "these three have tests of their own"


def test_a_folder_of_quantized_weights_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt_oss", "quantization_config": {"a": 1}}')
    found = problems(recipe(GPT, f"retail.model={tmp_path}"))
    assert len(found) == 1 and "merged to bfloat16" in found[0]


def test_the_models_own_folder_decides_which_rules_apply(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    found = problems(recipe(GPT, f"retail.model={tmp_path}"))
    assert any("speaks harmony" in sentence for sentence in found)
    assert any("is no gpt-oss: set it to its family's, such as hermes" in sentence for sentence in found)
    assert not any("see each other" in sentence for sentence in found)


def test_the_data_must_be_for_the_loop_that_is_set(tmp_path):
    export([ROOT / "data" / "validation.jsonl"], tmp_path, loop="tool_agent")
    (tmp_path / "train.parquet").symlink_to(tmp_path / "validation.parquet")
    given = [f"retail.data={tmp_path}", "retail.model=gpt-oss"]
    found = check(RECIPES / f"{GPT}.yaml", given).problems
    assert len(found) == 2 and all("`--loop retail_agent`" in sentence for sentence in found)
    export([ROOT / "data" / "validation.jsonl"], tmp_path)
    (tmp_path / "train.parquet").unlink()
    (tmp_path / "train.parquet").write_text("no parquet")
    assert any("is no parquet file" in one for one in check(RECIPES / f"{GPT}.yaml", given).problems)


def test_the_command_ends_with_1_where_something_is_wrong_and_says_what(tmp_path, capsys):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((RECIPES / f"{GPT}.yaml").read_text().replace("n: 8", "n: 1"))
    assert main(["check", str(wrong)]) == 1
    assert "every advantage of GRPO is 0" in capsys.readouterr().out
    assert main(["check", str(RECIPES / f"{GPT}.yaml")]) == 0
    assert "to be given at the launch: retail.data, retail.model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [1", "cannot be read"), ("- 1", "must hold keys"), (None, "cannot be read")],
)
def test_a_file_that_is_no_configuration_ends_with_2(tmp_path, capsys, text, said):
    path = tmp_path / "it.yaml"
    if text is not None:
        path.write_text(text)
    assert main(["check", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error and str(path) in error


def test_an_override_that_is_none_is_said(capsys):
    assert main(["check", str(RECIPES / f"{GPT}.yaml"), "data.train_batch_size"]) == 2
    assert "must look like" in capsys.readouterr().err


def test_what_is_no_number_is_said_alone():
    found = problems(recipe(GPT, "data.max_prompt_length=many", f"{ROLLOUT}.n=1"))
    assert found == ["data.max_prompt_length is 'many', and must be a number: write it out"]


def test_a_setting_that_names_another_has_its_value():
    held = recipe(GPT, f"{ROLLOUT}.max_model_len=${{data.max_prompt_length}}")
    assert held[f"{ROLLOUT}.max_model_len"] == 4096 and "less than prompt" in problems(held)[0]
    alone = Settings({"a": "${data.train_batch_size}", "b": "${c}", "c": "${b}", "d": "x${c}"})
    assert [alone[name] for name in "abcd"] == [1024, None, None, None], "verl's default; a circle has no end"


def test_an_empty_file_has_verls_own_defaults(tmp_path):
    (tmp_path / "none.yaml").write_text("{}")
    settings = Settings.read(tmp_path / "none.yaml")
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS
    assert len(problems(settings)) >= 8
