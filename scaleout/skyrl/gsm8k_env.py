"""SkyRL plugin: GSM8K for a model that writes harmony; one answer, judged by the project's own rule.

    skyrl_gym.register(id="gsm8k_harmony", entry_point="scaleout.skyrl.gsm8k_env:Gsm8kTextEnv")

skyrl-gym's own `gsm8k` searches all of the text for "#### number", the thoughts included; this one reads the
final message only.
"""

from typing import Any

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

from scaleout.skyrl.gsm8k import Answer, judged
from scaleout.skyrl.rows import ground_truth
from scaleout.skyrl.serving import mean_metrics
from scaleout.skyrl.settings import Gsm8kSettings


class Gsm8kTextEnv(BaseTextEnv):
    """One problem."""

    def __init__(self, env_config: Any = None, extras: dict[str, Any] | None = None):
        super().__init__()
        self.solution = ground_truth(extras or {})
        self.reader = (extras or {}).get("reader")
        self.settings = Gsm8kSettings.of(env_config)
        self.answer: Answer | None = None

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Judge the answer; the episode is over."""
        self.turns += 1
        self.answer = judged(action, self.solution, self.reader, plain=self.settings.plain)
        return BaseTextEnvStepOutput(observations=[], reward=self.answer.reward, done=True, metadata={})

    def get_metrics(self) -> dict[str, Any]:
        """Whether the answer was right, and whether there was one to read."""
        if self.answer is None:
            return {}
        return {"accuracy": self.answer.reward, "answer_read": float(self.answer.readable)}

    @staticmethod
    def aggregate_metrics(metrics: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch's numbers."""
        return mean_metrics(metrics, success="accuracy")
