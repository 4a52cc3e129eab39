"""Episodes for reinforcement learning from our own loop: sampled for training, greedy for validation.

    trainer = GRPOTrainer(..., rollout_func=customer_rollouts(shop, config, tokenizer))
    episodes = serve(model, tokenizer, shop, config, tasks_for(shop, config, "test"))

TRL sets the desks (pipeline/grpo_desks.py), asks for one episode each, and gets the tokens with a mask that
keeps the tools' and the customer's words out of the loss. The chance of an episode comes from the run's seed,
the step, its task and its number in the group: a resumed run draws what the killed one would have drawn, and
several processes what one would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from envs.retail.customer import ScriptedCustomer
from envs.retail.tasks import Task
from envs.world import World
from pipeline.config import Config
from pipeline.episode import Episode
from pipeline.evaluate import local_agent, playing_rules
from pipeline.task_sets import tasks_for


def customer_rollouts(shop: World, config: Config, tokenizer: Any) -> Callable[[list[Any], Any], dict]:
    """TRL's `rollout_func`: the agent talks with the scripted customer and uses the shop's tools."""
    from pipeline.local_agent import LocalAgent
    from pipeline.rollouts import play

    def roll(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        with trainer.clock("generation"):  # the agent copies the model where that is faster
            agent = LocalAgent(
                trainer.accelerator.unwrap_model(trainer.model),
                tokenizer,
                temperature=config.temperature,
                max_new_tokens=config.max_turn_length,
            )
        agent.write = trainer.clock.around("generation", agent.write)
        desks = trainer.environments
        whole_groups = len(desks) % config.num_generations == 0
        part = 0 if whole_groups else trainer.accelerator.process_index
        seed = f"{config.seed}/{trainer.state.global_step}/{part}"
        rules = playing_rules(config) | {"batch_size": len(desks), "seed": seed, "progress": False}
        rollouts = play(agent, shop, [d._task for d in desks], **rules)
        for desk, rollout in zip(desks, rollouts, strict=True):
            desk._episode = rollout.episode
        pad = tokenizer.pad_token_id  # for an episode that broke off before its first word
        return {
            "prompt_ids": [rollout.prompt_ids or [pad] for rollout in rollouts],
            "completion_ids": [rollout.completion_ids or [pad] for rollout in rollouts],
            "env_mask": [rollout.env_mask or [0] for rollout in rollouts],
            "logprobs": None,
        }

    return roll


def serve(model: Any, tokenizer: Any, shop: World, config: Config, tasks: Sequence[Task]) -> list[Episode]:
    """The tasks served greedily by the model as it is, in the config's mode and way."""
    from pipeline.rollouts import play

    played = play(
        local_agent(model, tokenizer, config),
        shop,
        tasks,
        customer=None if config.grpo_way == "tools" else ScriptedCustomer,
        batch_size=config.served_at_once,
        progress=False,
        **playing_rules(config),
    )
    return [rollout.episode for rollout in played]


def validation(
    model: Any, tokenizer: Any, shop: World, config: Config, tasks: Sequence[Task] | None = None
) -> Callable[[], list[Episode]]:
    """A function that serves the validation tasks, or those given, as the model is by then."""
    tasks = tasks_for(shop, config, "validation") if tasks is None else tasks
    return lambda: serve(model, tokenizer, shop, config, tasks)
