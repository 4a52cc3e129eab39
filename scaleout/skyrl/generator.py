"""SkyRL plugin: the generator with which GPT-OSS holds a conversation of many turns and calls tools.

    generator = HarmonyGenerator(cfg.generator, cfg.environment.skyrl_gym, client, tokenizer)

Three seams of SkyRL's own generator are used, and nothing else of it is changed:

* what the engine returns keeps its special tokens, and generation stops where a harmony turn ends
  (`WholeTurns`): SkyRL strips them, and a tool's name and its header's end become one word;
* what an environment answers becomes harmony's own messages, `functions.X to=assistant` for a tool and a user
  message for the customer, escaped as in the training rows: SkyRL sends it through the chat template after a
  made-up conversation, where gpt-oss's template refuses a tool's message;
* each environment is told who reads for it, how much room there is, and which effort the prompt states.

Masks stay SkyRL's: 1 for each token that the model wrote, 0 for each that it was told.
"""

from __future__ import annotations

from typing import Any

from skyrl.train.generators.skyrl_gym_generator import SkyRLGymGenerator

from pipeline.harmony import DATE, EFFORTS, System, User, render
from scaleout.skyrl.reading import Reader

DEFAULT_EFFORT = "medium"  # the template's own, where nothing is set


class WholeTurns:
    """An inference client whose answers are whole turns; everything else is the client's."""

    def __init__(self, client: Any, reader: Reader):
        self._client, self._reader = client, reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def generate(self, batch: dict[str, Any], model: str | None = None) -> dict[str, Any]:
        """Generate up to where turns end, and hand back turns with their tokens."""
        params = dict(batch.get("sampling_params") or {})
        params["stop_token_ids"] = sorted(self._reader.ends.union(params.get("stop_token_ids") or ()))
        output = await self._client.generate({**batch, "sampling_params": params}, model=model)
        return {**output, "responses": [self._reader.turn(ids) for ids in output["response_ids"]]}


class HarmonyGenerator(SkyRLGymGenerator):
    """SkyRL's generator for models that write harmony."""

    def __init__(
        self,
        generator_cfg: Any,
        skyrl_gym_cfg: Any,
        inference_engine_client: Any,
        tokenizer: Any,
        policy_model_name: str | None = None,
    ):
        _refuse_what_breaks_turns(generator_cfg)
        self.reader = Reader.of(tokenizer)
        self.effort = effort_of(generator_cfg.chat_template_kwargs)
        _check_template(tokenizer, generator_cfg.chat_template_kwargs, self.effort)
        client = WholeTurns(inference_engine_client, self.reader)
        super().__init__(generator_cfg, skyrl_gym_cfg, client, tokenizer, policy_model_name)

    def _setup_env_extras(
        self, env_class: str, env_extras: dict[str, Any], sampling_params: Any, trajectory_id: Any
    ) -> dict[str, Any]:
        """A copy: SkyRL writes the row's own extras into its dumps, and a tokenizer has no place there."""
        room = self.generator_cfg.max_input_length
        return {**env_extras, "reader": self.reader, "room": room, "effort": self.effort}

    def get_obs_ids_from_obs(self, new_obs: list[dict[str, str]], is_done: bool) -> list[int]:
        """What the model reads after its turn."""
        return [] if is_done else self.reader.observed(new_obs)


def effort_of(template_kwargs: dict[str, Any]) -> str:
    """The reasoning effort that the prompt will state; refuses what would silently set none."""
    odd = [key for key in template_kwargs if ":" in str(key)]
    if odd:
        raise ValueError(
            f"generator.chat_template_kwargs has the key {odd[0]!r}: YAML needs a space after the colon, "
            'so write "generator.chat_template_kwargs={reasoning_effort: low}"'
        )
    effort = template_kwargs.get("reasoning_effort", DEFAULT_EFFORT)
    if effort not in EFFORTS:
        raise ValueError(f"reasoning effort {effort!r} is unknown; use one of {', '.join(EFFORTS)}")
    return effort


def _refuse_what_breaks_turns(cfg: Any) -> None:
    """Settings under which SkyRL would render or cut a conversation anew."""
    wrong = {
        "generator.batched=false": cfg.batched,
        "generator.use_conversation_multi_turn=true": not cfg.use_conversation_multi_turn,
        "generator.step_wise_trajectories=false": cfg.step_wise_trajectories,
        "generator.chat_template.name_or_path=null": cfg.chat_template.name_or_path is not None,
        "generator.sampling_params.stop=null": cfg.sampling_params.stop is not None,
        "generator.vision_language_generator=false": cfg.vision_language_generator,
    }
    if needed := [setting for setting, broken in wrong.items() if broken]:
        raise ValueError(f"harmony keeps every token of a conversation as it was: set {', '.join(needed)}")


def _check_template(tokenizer: Any, template_kwargs: dict[str, Any], effort: str) -> None:
    """The template must write the project's own prompt, effort included."""
    plain = {name: value for name, value in template_kwargs.items() if name != "tools"}
    found = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}], add_generation_prompt=True, tokenize=False, **plain
    )
    if found != render([System(effort, DATE), User("Hello")], generation_prompt=True):
        raise ValueError(
            "the tokenizer's chat template does not write this project's prompt: start with "
            "`python -m scaleout.skyrl train`, or set tokenizer.chat_template = "
            "pipeline.harmony_chat.chat_template() first"
        )
