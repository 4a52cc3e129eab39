"""SkyRL plugin: training on this project's worlds, from the command line to the worker that holds the loop.

    python -m scaleout.skyrl.entrypoint key=value …       # `python -m scaleout.skyrl train FILE` checks first

SkyRL's own experiment with three things put in: the worlds are registered inside the Ray worker (a
registration on the head node is not seen there), the tokenizer gets the project's chat template before any
prompt is counted, and trajectories come from `HarmonyGenerator`.
"""

# No `from __future__ import annotations` here: SkyRL looks at the types of fields, and would find only text.
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
import skyrl_gym
from skyrl.backends.skyrl_train.inference_servers.utils import resolve_policy_model_name
from skyrl.train.config import EnvironmentConfig, SkyRLGymConfig, SkyRLTrainConfig
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.utils import validate_cfg
from skyrl.train.utils.utils import initialize_ray

from pipeline.harmony_chat import chat_template
from scaleout.skyrl.generator import HarmonyGenerator
from scaleout.skyrl.prompts import check_prompts
from scaleout.skyrl.serving import tools
from scaleout.skyrl.settings import GSM8K, RETAIL, Gsm8kSettings, RetailSettings

WORLDS = {
    RETAIL: "scaleout.skyrl.retail_env:RetailTextEnv",
    GSM8K: "scaleout.skyrl.gsm8k_env:Gsm8kTextEnv",
}


@dataclass
class GymConfig(SkyRLGymConfig):
    """SkyRL's environments and ours."""

    retail: RetailSettings = field(default_factory=RetailSettings)
    gsm8k_harmony: Gsm8kSettings = field(default_factory=Gsm8kSettings)


@dataclass
class WorldsConfig(EnvironmentConfig):
    """Which environment is trained on."""

    env_class: str = RETAIL
    skyrl_gym: GymConfig = field(default_factory=GymConfig)


@dataclass
class TrainConfig(SkyRLTrainConfig):
    """SkyRL's configuration, in which `environment.skyrl_gym.retail.reward` may be set."""

    environment: WorldsConfig = field(default_factory=WorldsConfig)


def config_of(overrides: Sequence[str]) -> TrainConfig:
    """The typed configuration of a command line, validated by SkyRL; the shop's tools are put in."""
    cfg = TrainConfig.from_cli_overrides(list(overrides))
    validate_cfg(cfg)
    if cfg.environment.env_class not in WORLDS:
        raise ValueError(
            f"environment.env_class={cfg.environment.env_class} is not one of this project's worlds; "
            f"use {' or '.join(WORLDS)}, or SkyRL's own entrypoint"
        )
    if cfg.environment.env_class == RETAIL:
        cfg.generator.chat_template_kwargs = {**cfg.generator.chat_template_kwargs, "tools": tools()}
    return cfg


def register_worlds() -> None:
    """Make the worlds known to skyrl-gym in this process; a second time changes nothing."""
    for name, place in WORLDS.items():
        if name not in skyrl_gym.envs.registration.registry:
            skyrl_gym.envs.register(id=name, entry_point=place)


class HarmonyExperiment(BasePPOExp):
    """SkyRL's experiment for models that write harmony."""

    def get_train_dataset(self) -> Any:
        """The rows, counted as the model will read them."""
        self.tokenizer.chat_template = chat_template()
        return self._checked(super().get_train_dataset())

    def get_eval_dataset(self) -> Any:
        """The rows to evaluate on, counted too."""
        dataset = super().get_eval_dataset()
        return dataset and self._checked(dataset)

    def _checked(self, dataset: Any) -> Any:
        generator = self.cfg.generator
        check_prompts(
            (dataset[place][:2] for place in range(len(dataset))),
            self.tokenizer,
            generator.chat_template_kwargs,
            self.cfg.environment.env_class,
            generator.max_input_length,
        )
        return dataset

    def get_generator(self, cfg: Any, tokenizer: Any, inference_engine_client: Any) -> HarmonyGenerator:
        """Trajectories whose turns keep their tokens."""
        return HarmonyGenerator(
            generator_cfg=cfg.generator,
            skyrl_gym_cfg=cfg.environment.skyrl_gym,
            inference_engine_client=inference_engine_client,
            tokenizer=tokenizer,
            policy_model_name=resolve_policy_model_name(cfg),
        )


def experiment(cfg: TrainConfig) -> None:
    """Everything that happens inside the worker."""
    register_worlds()
    HarmonyExperiment(cfg).run()


def main(overrides: Sequence[str] | None = None) -> None:
    """Start Ray and train."""
    cfg = config_of(sys.argv[1:] if overrides is None else overrides)
    initialize_ray(cfg)
    ray.get(ray.remote(num_cpus=1)(experiment).remote(cfg))


if __name__ == "__main__":
    from scaleout.skyrl import entrypoint  # by its name, or workers would look for these classes in __main__

    entrypoint.main()
