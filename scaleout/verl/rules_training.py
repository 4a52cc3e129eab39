"""Rules about the training itself: reward, advantages, batches, files and the server; see rules.py."""

from pathlib import Path

from scaleout.verl.settings import Settings

ROLLOUT, ACTOR = "actor_rollout_ref.rollout", "actor_rollout_ref.actor"
REWARD = "pkg://scaleout.verl.reward"
FILES = (
    "data.train_files",
    "data.val_files",
    f"{ROLLOUT}.multi_turn.tool_config_path",
    f"{ROLLOUT}.agent.agent_loop_config_path",
)

# reward


def reward(settings: Settings) -> str | None:
    """The reward's old place is read by nobody."""
    if settings["custom_reward_function.path"]:
        return (
            "custom_reward_function is verl's old key and is ignored: move it under reward, as "
            f"reward.custom_reward_function.path={REWARD}"
        )
    if not settings["reward.custom_reward_function.path"]:
        return f"reward.custom_reward_function.path is not set, so nothing is scored: set it to {REWARD}"
    return None


def group(settings: Settings) -> str | None:
    """GRPO compares the rollouts of a prompt."""
    rollouts = settings[f"{ROLLOUT}.n"]
    if settings["algorithm.adv_estimator"] == "grpo" and rollouts is not None and rollouts < 2:
        return f"{ROLLOUT}.n is {rollouts}, so every advantage of GRPO is 0: set it to 4 or 8"
    return None


def chance(settings: Settings) -> str | None:
    """Rollouts must differ."""
    if settings[f"{ROLLOUT}.temperature"] == 0:
        return f"{ROLLOUT}.temperature is 0, so all rollouts of a prompt are the same: set it to 1.0"
    return None


def kl(settings: Settings) -> str | None:
    """A coefficient alone does nothing."""
    if settings.is_set(f"{ACTOR}.kl_loss_coef") and not settings[f"{ACTOR}.use_kl_loss"]:
        return (
            f"{ACTOR}.kl_loss_coef is set but {ACTOR}.use_kl_loss is off, so it is ignored: set that to true"
        )
    return None


# batches


def micro_batches(settings: Settings) -> str | None:
    """verl refuses to start without them, or with too much memory."""
    if settings[f"{ACTOR}.use_dynamic_bsz"]:
        return None
    needed = [f"{ACTOR}.ppo_micro_batch_size_per_gpu", f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu"]
    if settings[f"{ACTOR}.use_kl_loss"] or settings["algorithm.use_kl_in_reward"]:
        needed.append("actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu")
    if has_critic(settings):
        needed.append("critic.ppo_micro_batch_size_per_gpu")
    missing = [name for name in needed if settings[name] is None]
    return f"{' and '.join(missing)} must be set: 1 fits most" if missing else None


def has_critic(settings: Settings) -> bool:
    """Whether verl trains a critic."""
    enabled = settings["critic.enable"]
    return settings["algorithm.adv_estimator"] == "gae" if enabled is None else bool(enabled)


def critic_model(settings: Settings) -> str | None:
    """The critic's model is not taken from the actor."""
    if has_critic(settings) and not settings.is_set("critic.model.path"):
        return "critic.model.path is not set, so verl's example model is loaded: set it to the actor's model"
    return None


def divisible(settings: Settings) -> str | None:
    """Rollouts are dealt out to the GPUs evenly."""
    names = ("data.train_batch_size", f"{ROLLOUT}.n", "trainer.n_gpus_per_node", "trainer.nnodes")
    prompts, rollouts, gpus, nodes = (settings[name] for name in names)
    if None not in (prompts, rollouts, gpus, nodes) and (prompts * rollouts) % (gpus * nodes):
        return (
            f"{prompts} prompts x {rollouts} rollouts do not divide among {gpus * nodes} GPUs: "
            "change data.train_batch_size"
        )
    return None


def mini_batch(settings: Settings) -> str | None:
    """A mini-batch is a part of the batch."""
    mini, whole = settings[f"{ACTOR}.ppo_mini_batch_size"], settings["data.train_batch_size"]
    if None not in (mini, whole) and mini > whole:
        return (
            f"{ACTOR}.ppo_mini_batch_size is {mini}, more than data.train_batch_size {whole}: set it to that"
        )
    return None


# files and server


def files(settings: Settings) -> str | None:
    """verl would say so too, after minutes."""
    for name in FILES:
        path = settings[name]
        if isinstance(path, str) and path.startswith(("/", "~")) and not Path(path).expanduser().exists():
            return f"{name}: {path} is not there; write it with `python -m scaleout.verl export`"
    return None


def server(settings: Settings) -> str | None:
    """What generates."""
    name = settings[f"{ROLLOUT}.name"]
    if name not in ("sglang", "vllm", "trtllm"):
        return f"{ROLLOUT}.name is {name!r}, which verl 0.9 cannot serve: set it to sglang or vllm"
    return None


def search_path(settings: Settings) -> str | None:
    """verl's own settings must be found from any folder."""
    places = settings["hydra.searchpath"] or []
    if any(str(place).startswith("file://verl/") for place in places):
        return (
            "hydra.searchpath names file://verl/…, which is found only in verl's source folder: "
            "write pkg://verl.trainer.config"
        )
    return None


TRAINING = (
    reward,
    group,
    chance,
    kl,
    micro_batches,
    critic_model,
    divisible,
    mini_batch,
    files,
    server,
    search_path,
)
