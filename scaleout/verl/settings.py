"""A verl configuration as rules ask about it: a setting by its dotted name, verl's default behind it.

    settings = Settings.read("recipes/gpt_oss_20b_grpo.yaml", ["retail.data=/data/verl"])
    settings["actor_rollout_ref.rollout.n"]          # the file's, else verl 0.9.1's default
    settings.is_set("data.max_prompt_length")        # whether the file says so

Works on the plain file, without verl; `check.compose` gives the values of verl's own composition.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, read_json

_ROLLOUT, _ACTOR, _MODEL = "actor_rollout_ref.rollout", "actor_rollout_ref.actor", "actor_rollout_ref.model"
DEFAULTS: dict[str, Any] = {  # of verl 0.9.1, as far as rules ask for them; a test compares them with verl's
    "algorithm.adv_estimator": "gae",
    "algorithm.use_kl_in_reward": False,
    "critic.ppo_micro_batch_size_per_gpu": None,
    "critic.enable": None,
    "critic.model.path": "~/models/deepseek-llm-7b-chat",
    "custom_reward_function.path": None,
    "data.filter_overlong_prompts": False,
    "data.max_prompt_length": 512,
    "data.max_response_length": 512,
    "data.train_batch_size": 1024,
    "data.train_files": "~/data/rlhf/gsm8k/train.parquet",
    "data.val_files": "~/data/rlhf/gsm8k/test.parquet",
    "reward.custom_reward_function.path": None,
    "reward.custom_reward_function.name": "compute_score",
    "trainer.n_gpus_per_node": 8,
    "trainer.nnodes": 1,
    f"{_ACTOR}.kl_loss_coef": 0.001,
    f"{_ACTOR}.ppo_micro_batch_size_per_gpu": None,
    f"{_ACTOR}.ppo_mini_batch_size": 256,
    f"{_ACTOR}.use_dynamic_bsz": False,
    f"{_ACTOR}.use_kl_loss": False,
    f"{_MODEL}.path": "~/models/deepseek-llm-7b-chat",
    f"{_MODEL}.use_remove_padding": True,
    "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": None,
    f"{_ROLLOUT}.agent.agent_loop_config_path": None,
    f"{_ROLLOUT}.agent.default_agent_loop": "single_turn_agent",
    f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu": None,
    f"{_ROLLOUT}.max_model_len": None,
    f"{_ROLLOUT}.multi_turn.format": "hermes",
    f"{_ROLLOUT}.multi_turn.max_assistant_turns": None,
    f"{_ROLLOUT}.multi_turn.max_tool_response_length": 256,
    f"{_ROLLOUT}.multi_turn.tool_config_path": None,
    f"{_ROLLOUT}.n": 1,
    f"{_ROLLOUT}.temperature": 1.0,
}
_REFERENCE = re.compile(r"\$\{([a-z_0-9.]+)\}")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Settings:
    """A configuration as nested dictionaries."""

    values: Mapping[str, Any]
    said: Mapping[str, Any] | None = None  # the file alone, where `values` are a whole composition

    @classmethod
    def read(cls, path: str | Path, overrides: Iterable[str] = ()) -> "Settings":
        """A YAML file, with `a.b=value` put over it as on verl's command line."""
        values = _read(Path(path))
        for override in overrides:
            _put(values, override)
        return cls(values)

    def __getitem__(self, name: str) -> Any:
        """A setting, references to other settings followed; None where it is to be filled in (`???`)."""
        return self._followed(name, 10)

    def is_set(self, name: str) -> bool:
        """Whether the configuration's own file says something."""
        return _find(self.values if self.said is None else self.said, name)[1]

    def _followed(self, name: str, depth: int) -> Any:
        value, found = _find(self.values, name)
        value = value if found else DEFAULTS.get(name)
        if value == "???" or not depth:  # so deep only where settings name each other in a circle
            return None
        if not isinstance(value, str):
            return value
        if _NUMBER.fullmatch(value):  # YAML takes 1e-6 for text; verl's reader does not
            return float(value)
        if whole := _REFERENCE.fullmatch(value):
            return self._followed(whole[1], depth - 1)
        for part in _REFERENCE.findall(value):
            inner = self._followed(part, depth - 1)
            if inner is None:
                return None
            value = value.replace("${" + part + "}", str(inner))
        return value


def _find(values: Any, name: str) -> tuple[Any, bool]:
    """A value by its dotted name, and whether it is there."""
    for part in name.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return None, False
        values = values[part]
    return values, True


def _read(path: Path) -> dict[str, Any]:
    """A file over the files beside it that its `defaults` name."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FileError(path, None, f"cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise FileError(path, None, "is no verl configuration: it must hold keys with their values")
    below: dict[str, Any] = {}
    for name in values.get("defaults") or ():
        beside = path.parent / f"{name}.yaml"
        if isinstance(name, str) and beside != path and beside.is_file():
            below = _over(below, _read(beside))
    return _over(below, values)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two configurations merged; what both say, the upper one says."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = _over(inner, value) if both else value
    return merged


def _put(values: dict[str, Any], override: str) -> None:
    import yaml

    name, equals, text = override.lstrip("+").partition("=")
    if not equals or not name:
        raise ValueError(f"{override!r} must look like data.train_batch_size=64")
    *parts, last = name.split(".")
    for part in parts:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{override!r}: {part} holds a value, not further keys")
        values = inner
    values[last] = yaml.safe_load(text)


def model_type(settings: Settings) -> str:
    """The model's family: of its folder where that is there, else as far as its name and parser tell."""
    path = str(settings[f"{_MODEL}.path"] or "")
    config = Path(path).expanduser() / "config.json"
    if config.is_file():
        return str(read_json(config).get("model_type", ""))
    loop = settings[f"{_ROLLOUT}.agent.default_agent_loop"]
    parser = str(settings[f"{_ROLLOUT}.multi_turn.format"])
    if re.search(r"gpt[-_]?oss", path.lower()) or loop == "retail_agent" or parser.startswith("gpt-oss"):
        return "gpt_oss"
    return ""
