"""What SkyRL's configuration may say about this project's two worlds.

    environment.skyrl_gym.retail.reward=[tool_level]            # or [shaped], [outcome], [toolrl], mixtures
    environment.skyrl_gym.retail.reward="['tool_level:1', 'outcome:2']"

Plain frozen dataclasses: the entrypoint hangs them into SkyRL's own configuration, which then refuses unknown
names; without that entrypoint SkyRL hands an environment an empty dictionary, and the defaults hold.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Self

from pipeline.grpo_rewards import weights_of
from pipeline.rewards import PROFILES

RETAIL, GSM8K = "retail", "gsm8k_harmony"  # as SkyRL's rows and arguments name them; "gsm8k" is its own


class _Settings:
    @classmethod
    def of(cls, config: Any) -> Self:
        """Settings from whatever SkyRL hands an environment: these, a mapping, another config, or nothing."""
        if isinstance(config, cls):
            return config
        given = asdict(config) if is_dataclass(config) else dict(config or {})
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise ValueError(
                f"{cls.place} has no setting {unknown[0]!r}; there are {', '.join(sorted(known))}"
            )
        return cls(**given)


@dataclass(frozen=True)
class RetailSettings(_Settings):
    """How the shop's episodes are rewarded and refereed."""

    place = "environment.skyrl_gym.retail"

    reward: list[str] = field(default_factory=lambda: ["tool_level"])
    """Profiles of pipeline.rewards, each with a weight if you like: tool_level, outcome:2."""
    normalise: bool = True
    """Divide each profile by the best its task allows, as the project's own trainer does."""
    strict: bool = True
    """Arguments that do not fit a tool's schema are refused before it runs."""

    def __post_init__(self) -> None:
        if isinstance(self.reward, str) or not self.reward:
            raise ValueError(f"{self.place}.reward must be a list of profiles, such as [tool_level]")
        if unknown := sorted(set(self.weights) - set(PROFILES)):
            raise ValueError(
                f"{self.place}.reward has no profile {unknown[0]!r}; there are {', '.join(PROFILES)}"
            )

    @property
    def weights(self) -> Mapping[str, float]:
        """Profile -> weight."""
        return weights_of(list(self.reward))


@dataclass(frozen=True)
class Gsm8kSettings(_Settings):
    """How an answer to a problem is read."""

    place = f"environment.skyrl_gym.{GSM8K}"

    plain: bool = False
    """Take the whole answer as text, for a model that does not write harmony."""
