"""Argument files: what the shipped ones say, and which mistakes are caught before any GPU is rented."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from envs.retail.files import FileError
from scaleout.skyrl.__main__ import main
from scaleout.skyrl.arguments import Arguments, fits, known_keys, read_arguments, typed_keys, value_of
from scaleout.skyrl.checks import RULES, mistakes
from scaleout.skyrl.launch import ROOT, absolute, environment, missing
from scaleout.skyrl.settings import RetailSettings

HERE = ROOT / "scaleout" / "skyrl"
FILES = sorted(HERE.glob("*.args"))
GSM8K, RETAIL = HERE / "gsm8k_gpt_oss.args", HERE / "retail_gpt_oss.args"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_shipped_files_hold_the_rules_of_gpt_oss(file):
    given = read_arguments(file)
    assert mistakes(given) == []
    assert given["trainer.flash_attn"] is False and given["trainer.remove_microbatch_padding"] is False
    assert given["generator.inference_engine.backend"] == "vllm"
    assert given["generator.inference_engine.tensor_parallel_size"] == 4
    assert given["generator.inference_engine.num_engines"] == 2
    assert given["generator.inference_engine.enforce_eager"] is True
    assert given["generator.inference_engine.model_dtype"] == "bfloat16"
    assert given["generator.chat_template_kwargs"] == {"reasoning_effort": "low"}
    assert given["trainer.algorithm.advantage_estimator"] == "grpo"
    assert "BF16" in given["trainer.policy.model.path"]


def test_there_are_two_of_them_with_a_launcher_each():
    assert [file.stem for file in FILES] == ["gsm8k_gpt_oss", "retail_gpt_oss"]
    for file in FILES:
        script = file.with_suffix(".sh")
        assert script.stat().st_mode & 0o111, f"{script} cannot be executed"
        subprocess.run(["bash", "-n", str(script)], check=True)
        assert f"scaleout/skyrl/{file.name}" in script.read_text()


# What is caught, and the fix that is named

OLD = {
    "generator.inference_engine_tensor_parallel_size=4": "generator.inference_engine.tensor_parallel_size",
    "generator.num_inference_engines=2": "generator.inference_engine.num_engines",
    "generator.enforce_eager=true": "generator.inference_engine.enforce_eager",
    "generator.backend=vllm": "generator.inference_engine.backend",
    "generator.gpu_memory_utilization=0.8": "generator.inference_engine.gpu_memory_utilization",
    "trainer.use_sample_packing=false": "trainer.remove_microbatch_padding",
    "+generator.chat_template_kwargs={reasoning_effort: low}": "generator.chat_template_kwargs",
    "generator.async_engine=true": "remove it",
    "generator.max_turn=3": "generator.max_turns",
    "trainer.n_samples_per_prompt=4": "generator.n_samples_per_prompt",
    "trainer.no_such_thing_at_all=1": "remove it",
    "environment.skyrl_gym.retail.rewards=[outcome]": "environment.skyrl_gym.retail.reward",
}
WRONG = {
    "generator.chat_template_kwargs={reasoning_effort:'low'}": "{reasoning_effort: low}",
    "generator.chat_template_kwargs={reasoning_effort:low}": "{reasoning_effort: low}",
    "generator.chat_template_kwargs={reasoning_effort: lots}": "low, medium, high",
    "generator.chat_template_kwargs={}": "{reasoning_effort: low}",
    "generator.chat_template_kwargs={reasoning_effort: low, tools: []}": "leave the tools out",
    "trainer.flash_attn=true": "trainer.flash_attn=false",
    "trainer.flash_attn=flase": "must be bool",
    "trainer.epochs=many": "must be int",
    "trainer.epochs=[": "is no YAML value",
    "data.train_data=train.parquet": "must be list",
    "trainer.remove_microbatch_padding=true": "trainer.remove_microbatch_padding=false",
    "trainer.policy.model.path=openai/gpt-oss-20b": "BF16",
    "trainer.bf16=false": "trainer.bf16=true",
    "generator.inference_engine.model_dtype=float16": "model_dtype=bfloat16",
    "generator.inference_engine.backend=sglang": "backend=vllm",
    "trainer.strategy=fsdp2": "trainer.strategy=fsdp",
    "generator.inference_engine.num_engines=1": "policy_num_gpus_per_node=4",
    "generator.batched=true": "generator.batched=false",
    "generator.use_conversation_multi_turn=false": "generator.use_conversation_multi_turn=true",
    "generator.step_wise_trajectories=true": "generator.step_wise_trajectories=false",
    "generator.sampling_params.stop=['####']": "generator.sampling_params.stop=null",
    "generator.max_turns=1": "generator.max_turns=20",
    "generator.max_input_length=4096": "generator.max_input_length=12288",
    "generator.inference_engine.engine_init_kwargs={max_model_len: 8192}": "13312 at least",
    "generator.n_samples_per_prompt=1": "generator.n_samples_per_prompt=4",
    "generator.sampling_params.temperature=0": "generator.sampling_params.temperature=1.0",
    "generator.eval_sampling_params.top_p=0.9": "becomes 1024: write it down",
    "trainer.algorithm.zero_variance_filter=true": "trainer.algorithm.zero_variance_filter=false",
    "trainer.policy_mini_batch_size=7": "no multiple of trainer.policy_mini_batch_size=7",
    "environment.env_class=gsm8k": "gsm8k_harmony",
    "environment.skyrl_gym.retail.reward=[outcom]": "tool_level, outcome, shaped, toolrl",
    "trainer.dump_eval_results=false": "trainer.dump_eval_results=true",
}


@pytest.mark.parametrize(("wrong", "fix"), [*OLD.items(), *WRONG.items()])
def test_a_mistake_is_one_sentence_that_names_the_fix(wrong, fix, capsys):
    found = mistakes(read_arguments(RETAIL, [wrong]))
    assert found and all("\n" not in sentence for sentence in found)
    assert any(fix in sentence for sentence in found), found
    assert main(["check", str(RETAIL), wrong]) == 2
    assert fix in capsys.readouterr().err


@pytest.mark.parametrize("key", ["trainer.logger", "trainer.ckpt_path", "trainer.policy.model.path"])
def test_a_line_left_out_is_noticed_where_skyrls_own_choice_surprises(key, tmp_path):
    lines = [line for line in RETAIL.read_text().splitlines() if not line.startswith(f"{key}=")]
    (tmp_path / "short.args").write_text("\n".join(lines))
    assert any(key in sentence for sentence in mistakes(read_arguments(tmp_path / "short.args")))


def test_each_rule_has_a_mistake_that_only_it_finds():
    """A rule that could be taken out without a test failing would be no rule."""
    for rule in RULES:
        alone = [wrong for wrong in WRONG if list(rule(read_arguments(RETAIL, [wrong])))]
        assert alone or rule.__name__ == "records", rule.__name__


def test_gsm8k_is_one_answer_of_one_length():
    for wrong, fix in (("max_input_length=900", "max_input_length=512"), ("max_turns=4", "max_turns=1")):
        found = mistakes(read_arguments(GSM8K, [f"generator.{wrong}"]))
        assert any(f"generator.{fix}" in sentence for sentence in found)


# How a file is read


def test_the_last_word_on_a_key_counts(tmp_path):
    (tmp_path / "a.args").write_text("# a comment\n\ntrainer.epochs=3\n  trainer.seed = 7 \n")
    given = read_arguments(tmp_path / "a.args", ["trainer.epochs=5"])
    assert given.overrides == ["trainer.seed=7", "trainer.epochs=5"]
    assert given["trainer.epochs"] == 5 and given["trainer.seed"] == 7
    assert given["generator.max_turns"] == 1, "what is not set is SkyRL's default"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trainer.epochs\n", "a.args:1: 'trainer.epochs' is no key=value"),
        ("a=1\n\na=2", "a.args:3: a is set twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, says):
    (tmp_path / "a.args").write_text(text)
    with pytest.raises(FileError, match=re.escape(says)):
        read_arguments(tmp_path / "a.args")


@given(
    value=some.one_of(some.integers(), some.booleans(), some.lists(some.integers(), max_size=3), some.none())
)
def test_values_are_what_was_written(value):
    assert value_of(json.dumps(value)) == value
    kind = {bool: "bool", int: "int", list: "list", type(None): "null"}[type(value)]
    assert fits(value, f"{kind} or null")
    assert not fits(value, "dict")


def test_small_numbers_are_numbers():
    assert value_of("1e-6") == value_of("1.0e-6") == 1e-6 and fits(value_of("1e-6"), "float")


def test_types_are_read_off_dataclasses():
    found = typed_keys(RetailSettings, "retail.")
    assert found["retail.reward"] == ("list", ["tool_level"]) and found["retail.strict"] == ("bool", True)
    assert {key: known_keys()[f"environment.skyrl_gym.{key}"] for key in found} == found


# The machine


def test_nothing_starts_on_a_machine_that_lacks_something(capsys):
    """Whatever is missing here, it is said in lines that name it, and nothing is downloaded."""
    assert main(["train", str(RETAIL)]) == 2
    lines = capsys.readouterr().err
    assert "python -m scaleout.skyrl export" in lines and "holds no model; put BF16 weights there" in lines


@pytest.mark.parametrize("wrong", ["trainer.placement.policy_num_gpus_per_node=many", "data.train_data=a.b"])
def test_the_machine_is_not_asked_for_what_makes_no_sense(wrong, capsys):
    assert main(["train", str(RETAIL), wrong]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert wrong in line and "must be" in line


def test_an_empty_list_of_files_is_no_file(capsys):
    assert main(["train", str(RETAIL), "data.val_data=[]"]) == 2
    assert "data.val_data: there is no file named" in capsys.readouterr().err


def test_weights_are_looked_at_before_they_are_loaded(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen3", "quantization_config": {}}))
    said = list(missing(Arguments({"trainer.policy.model.path": str(tmp_path)})))
    assert any("quantized weights" in line for line in said) and any("qwen3" in line for line in said)


def test_workers_find_files_and_the_project_from_anywhere():
    given = absolute(read_arguments(RETAIL, ["trainer.export_path=/elsewhere"]))
    assert Path(given["data.train_data"][0]) == ROOT / "outputs/skyrl/retail/train.parquet"
    assert Path(given["trainer.ckpt_path"]).is_absolute() and given["trainer.export_path"] == "/elsewhere"
    assert environment()["PYTHONPATH"].split(":")[0] == str(ROOT)
    assert environment()["SKYRL_PYTHONPATH_EXPORT"] == "1"


# Rows from the command line


def test_rows_are_made_on_the_command_line(tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    assert main(["export", "--tasks", str(ROOT / "data/test.jsonl"), "--out", str(out), "--limit", "3"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["data_source"] for row in rows] == ["retail_test"] * 3
    assert main(["gsm8k", "--split", "validation", "--out", str(out), "--limit", "5"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 5 and all("####" in row["reward_spec"]["ground_truth"] for row in rows)
    assert capsys.readouterr().out == f"3 rows -> {out}\n5 made-up problems -> {out}\n"
    assert main(["gsm8k", "--problems", str(tmp_path / "none.jsonl"), "--out", str(out)]) == 2
    assert "none.jsonl" in capsys.readouterr().err


def test_public_problems_become_rows(tmp_path):
    line = {"question": "How many?", "answer": "2*3 = <<2*3=6>>6\n#### 6"}
    (tmp_path / "p.jsonl").write_text(json.dumps(line) + "\n")
    out = tmp_path / "rows.jsonl"
    assert main(["gsm8k", "--problems", str(tmp_path / "p.jsonl"), "--out", str(out)]) == 0
    row = json.loads(out.read_text())
    assert row["env_class"] == "gsm8k_harmony" and row["prompt"][-1]["content"] == "How many?"
    assert row["reward_spec"]["ground_truth"] == line["answer"]
