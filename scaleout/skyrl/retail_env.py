"""SkyRL plugin: the retail shop as a text environment, one instance a trajectory.

    skyrl_gym.register(id="retail", entry_point="scaleout.skyrl.retail_env:RetailTextEnv")
    env = skyrl_gym.make("retail", env_config={"reward": ["shaped"]}, extras=row)
    prompt, _ = env.init(row["prompt"])
    out = env.step(" to=functions.get_order_details<|channel|>commentary json<|message|>{…}<|call|>")

Everything happens in `scaleout.skyrl.serving`; here it gets SkyRL's method names. In training the generator
(`scaleout.skyrl.generator`) adds to the extras what a row cannot hold: the tokenizer's reader, the longest
input, the effort.
"""

from typing import Any

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput, ConversationType

from envs.retail.environment import MAX_STEPS
from scaleout.skyrl.rows import task_of
from scaleout.skyrl.serving import Serving, mean_metrics
from scaleout.skyrl.settings import RetailSettings


class RetailTextEnv(BaseTextEnv):
    """One customer at the shop."""

    def __init__(self, env_config: Any = None, extras: dict[str, Any] | None = None):
        super().__init__()
        extras = extras or {}
        self.max_turns = extras.get("max_turns", MAX_STEPS)
        self.serving = Serving(
            task_of(extras),
            RetailSettings.of(env_config),
            max_turns=self.max_turns,
            reader=extras.get("reader"),
            room=extras.get("room"),
            effort=extras.get("effort", "low"),
        )

    def init(self, prompt: ConversationType) -> tuple[ConversationType, dict[str, Any]]:
        """The policy and the customer's first words; a row made for another policy is refused."""
        if prompt != self.serving.prompt:
            raise ValueError(
                "the row's prompt is not this project's policy with the task's query: "
                'make the rows anew with "python -m scaleout.skyrl export"'
            )
        return prompt, {}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Carry out one turn."""
        self.turns += 1
        self.serving.take(action)
        return BaseTextEnvStepOutput(
            observations=self.serving.observations,
            reward=self.serving.reward,
            done=self.serving.done,
            metadata={"ended": self.serving.ended},
        )

    def close(self) -> None:
        """An episode that SkyRL stops asking about has run out of room."""
        self.serving.end("budget")

    def get_metrics(self) -> dict[str, Any]:
        """This trajectory's numbers."""
        return self.serving.metrics()

    @staticmethod
    def aggregate_metrics(metrics: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch's numbers."""
        return mean_metrics(metrics)
