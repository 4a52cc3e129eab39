"""Profiles and overrides: one dial, refusals that name the fix, and a config that reloads."""

import argparse
import sys
from types import SimpleNamespace

import pytest

from pipeline import model
from pipeline.config import PREFIX, PROFILES, PROMPT_TOKENS, Config, from_command_line, resolve, with_changes

NO_ENVIRONMENT: dict[str, str] = {}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mode", ["agent", "plan"])
def test_every_profile_works_in_both_modes_and_reloads(tmp_path, profile, mode):
    config = resolve(profile, mode=mode, environ=NO_ENVIRONMENT)
    config.save(tmp_path)
    assert Config.load(tmp_path) == config and (config.profile, config.mode) == (profile, mode)


def test_a_run_keeps_the_settings_it_was_begun_with(tmp_path):
    config = resolve("tiny", environ=NO_ENVIRONMENT)
    config.save(tmp_path)
    config.save(tmp_path)
    with pytest.raises(ValueError, match="seed was 3407, is 1"):
        with_changes(config, seed=1).save(tmp_path)
    assert Config.load(tmp_path) == config


def test_published_defaults_of_the_gpu_profiles():
    for profile in ("gpu24", "gpu80"):
        config = resolve(profile, environ=NO_ENVIRONMENT)
        assert (config.lora_rank, config.load_in_4bit, config.offload_embedding) == (16, True, True)
        assert (config.sft_epochs, config.sft_batch_size, config.sft_accumulation) == (1, 2, 8)
        assert (config.sft_learning_rate, config.sft_warmup_steps) == (2e-4, 10)
        assert (config.grpo_epochs, config.grpo_batch_size, config.grpo_accumulation) == (3, 2, 8)
        assert (config.grpo_learning_rate, config.temperature) == (5e-6, 0.7)
        assert config.max_seq_length >= 4096 + 1536
        plan = resolve(profile, mode="plan", environ=NO_ENVIRONMENT)
        assert (plan.max_seq_length, plan.max_completion_length) == (2048, 512)


def machine(monkeypatch, name: str, gib: float, major: int) -> None:
    """A stand-in for torch on a machine with this GPU."""
    properties = SimpleNamespace(name=name, total_memory=gib * 2**30, major=major)
    cuda = SimpleNamespace(is_available=lambda: True, get_device_properties=lambda number: properties)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))


@pytest.mark.parametrize(
    ("name", "gib", "major", "profile"),
    [
        ("Tesla T4", 14.7, 7, "t4"),
        ("Tesla V100-SXM2-32GB", 31.7, 7, "t4"),  # room enough, but no bfloat16
        ("NVIDIA L4", 22.0, 8, "gpu24"),
        ("NVIDIA RTX A4000", 15.6, 8, "t4"),
        ("NVIDIA H100 80GB HBM3", 79.1, 9, "gpu80"),
        ("NVIDIA GB10", 119.7, 12, "spark"),
    ],
)
def test_auto_chooses_by_memory_and_age(monkeypatch, name, gib, major, profile):
    machine(monkeypatch, name, gib, major)
    config = resolve("auto", environ=NO_ENVIRONMENT, mode="auto")
    assert config.profile == profile and config.mode == ("plan" if profile == "t4" else "agent")


def test_a_t4_plans_unless_told_otherwise_and_has_a_budget_of_its_own():
    plan = resolve("t4", environ=NO_ENVIRONMENT, mode="auto")
    assert (plan.mode, plan.max_seq_length, plan.max_completion_length) == ("plan", 2048, 512)
    assert (plan.sft_batch_size, plan.grpo_batch_size, plan.served_at_once) == (1, 1, 4)
    group = plan.grpo_batch_size * plan.grpo_accumulation
    assert group % plan.num_generations == 0, "a step holds whole groups"
    agent = resolve("t4", environ=NO_ENVIRONMENT, mode="agent")
    assert (agent.mode, agent.max_seq_length, agent.max_completion_length) == ("agent", 5632, 2560)
    environ = {PREFIX + "MODE": "agent"}
    assert resolve("t4", environ=environ, mode="auto").mode == "agent"
    assert resolve("tiny", environ={PREFIX + "MODE": "auto"}, mode="plan").mode == "plan"


def test_the_stronger_setting_wins():
    environ = {PREFIX + "SFT_LEARNING_RATE": "1e-3", PREFIX + "SEED": "1", "HOME": "/"}
    config = resolve("tiny", environ=environ, seed=2)
    assert (config.sft_learning_rate, config.seed) == (1e-3, 2)
    elsewhere = {PREFIX + "PROFILE": "gpu80"}
    assert resolve("auto", environ=elsewhere).profile == "gpu80"
    assert resolve("tiny", environ=elsewhere) == resolve("tiny", environ=NO_ENVIRONMENT)
    assert resolve("tiny", environ=NO_ENVIRONMENT, seed=None).seed == Config().seed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lora_rnk": 3}, "did you mean 'lora_rank'"),
        ({"mode": "agnet"}, "use one of agent, plan"),
        ({"effort": "hihg"}, "use one of low, medium, high"),
        ({"rows": "steps"}, "use one of step, episode"),
        ({"grpo_way": "tool"}, "use one of customer, tools"),
        ({"sft_epochs": "many"}, "float expected"),
        ({"load_in_4bit": "maybe"}, "bool expected"),
        ({"lora_rank": 0}, "at least 1"),
        ({"lora_rank": 1.5}, "int expected"),
        ({"grpo_max_steps": float("inf")}, "int expected"),
        ({"max_seq_length": 2048}, "set max_seq_length to 4,180 or more"),
    ],
)
def test_what_cannot_work_is_refused_with_the_fix(settings, words):
    with pytest.raises(ValueError, match=words):
        resolve("gpu80", environ=NO_ENVIRONMENT, **settings)


def test_an_unknown_profile_or_variable_is_refused():
    with pytest.raises(ValueError, match="did you mean 'gpu80'"):
        resolve("gpu81", environ=NO_ENVIRONMENT)
    with pytest.raises(ValueError, match="did you mean 'temperature'"):
        resolve("tiny", environ={PREFIX + "TEMPERATUR": "1"})


def test_text_from_a_shell_becomes_the_fields_type():
    config = resolve("tiny", environ={PREFIX + "LEVELS": "1,2,3", PREFIX + "LOAD_IN_4BIT": "no"})
    assert config.levels == (1, 2, 3) and config.load_in_4bit is False
    assert with_changes(config, lora_targets=["q_proj"]).lora_targets == ("q_proj",)


def test_the_command_line_takes_every_setting(capsys):
    options, config = from_command_line(
        argparse.ArgumentParser(), ["--profile", "tiny", "--sft-epochs", "2", "--levels", "1"]
    )
    assert config.sft_epochs == 2.0 and config.levels == (1,) and options.profile == "tiny"
    with pytest.raises(SystemExit):
        from_command_line(argparse.ArgumentParser(), ["--profile", "tny"])
    assert "did you mean 'tiny'" in capsys.readouterr().err


def test_prompt_lengths_are_those_of_the_real_vocabulary():
    pytest.importorskip("openai_harmony", reason="the real vocabulary comes with oss-harmony")
    from pipeline.datasets import real_vocabulary, system_messages, token_counter
    from pipeline.harmony import render

    count = token_counter(real_vocabulary())
    assert {mode: count(render(system_messages(mode))) for mode in PROMPT_TOKENS} == PROMPT_TOKENS


class _Loader:
    """Stands in for Unsloth's: keeps what it was asked for."""

    def from_pretrained(self, **settings):
        self.settings = settings
        return None, None


@pytest.mark.parametrize(
    ("gpu", "gigabytes", "profile", "offloaded"),
    [("NVIDIA GB10", 119, "spark", False), ("NVIDIA H100 80GB HBM3", 79, "gpu80", True)],
)
def test_the_embedding_stays_where_it_is_on_unified_memory(monkeypatch, gpu, gigabytes, profile, offloaded):
    machine(monkeypatch, gpu, gigabytes, major=9)
    config = resolve("auto", environ=NO_ENVIRONMENT)
    assert (config.profile, config.offload_embedding) == (profile, offloaded)
    loader = _Loader()
    model._from_pretrained(loader, config, config.model, on_gpu=True)
    assert loader.settings["offload_embedding"] is offloaded and loader.settings["load_in_4bit"] is True
