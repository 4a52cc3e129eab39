"""One dial for a whole run: a profile fits the machine, all else follows from it and can be overridden.

    config = resolve("auto")                                    # looks at the machine
    config = resolve("gpu80", mode="agent", sft_learning_rate=1e-4)
    config.save(run); Config.load(run)                          # a run's folder holds the config it used

Settings come from, each stronger than the one before: the mode, the profile, environment variables
(`GPTOSS_SFT_LEARNING_RATE=1e-4`), and what a notebook's parameters or the command line say. An unknown name
is refused with the nearest right one, and so is a sequence length that cannot hold the shop's prompt.
"""

import argparse
import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from envs.retail.files import read_json, whole_file

PREFIX = "GPTOSS_"
Mode = Literal["agent", "plan"]
MODES: tuple[Mode, ...] = get_args(Mode)
# Tokens of system and developer message in gpt-oss's own vocabulary; a test counts them again.
PROMPT_TOKENS = {"agent": 2644, "plan": 1802}
ROOM = {"agent": 1536, "plan": 200}  # for the customer's words and everything that follows them


@dataclass(frozen=True)
class Config:
    """Everything that is needed to repeat a run."""

    profile: str = "tiny"
    mode: str = "agent"  # "agent" (several turns, executed calls) or "plan" (one JSON object)
    model: str = "data/tiny_base"  # a hub name, a local model, or a LoRA adapter's folder
    seed: int = 3407
    effort: str = "low"  # gpt-oss's reasoning effort; train and test at the same one
    date: str = "2025-08-05"  # the date in the system message, fixed so that training and rollouts agree
    max_seq_length: int = 2048  # the longest row of SFT, the longest episode of GRPO
    # model
    load_in_4bit: bool = True
    offload_embedding: bool = False
    full_finetuning: bool = False
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    lora_parameters: tuple[str, ...] = ()  # fused expert weights, e.g. "mlp.experts.down_proj"
    modules_to_save: tuple[str, ...] = ()  # trained whole beside the adapter
    # data
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)
    train_tasks: int = 400
    validation_tasks: int = 40
    test_tasks: int = 100  # read by its split's name, as the two above: see task_sets.tasks_for
    thoughts: bool = True  # demonstrations hold a short analysis before each turn
    tells_answers: float = (
        1.0  # share of demonstrations whose agent tells what was asked; the others only act
    )
    rows: str = "step"  # in agent mode, "step" or "episode": one row a turn, or all turns of an episode
    # supervised warm-up
    sft_epochs: float = 1.0
    sft_batch_size: int = 2
    sft_accumulation: int = 8
    sft_learning_rate: float = 2e-4
    sft_warmup_steps: int = 10
    sft_eval_steps: int = 10
    sft_patience: int = 3  # evaluations without a better validation loss before stopping
    # reinforcement learning
    grpo_way: str = "customer"  # who executes in agent mode: "customer" (our loop) or "tools" (TRL's)
    reward: tuple[str, ...] = ("tool_level", "outcome:2")  # profiles of pipeline/rewards.py with weights
    grpo_epochs: float = 3.0
    grpo_batch_size: int = 2
    grpo_accumulation: int = 8
    grpo_learning_rate: float = 5e-6
    grpo_max_steps: int = -1  # -1: as many as the epochs have
    grpo_eval_steps: int = 10
    grpo_patience: int = 5  # validations without more success before stopping
    temperature: float = 0.7
    num_generations: int = 8
    max_turn_length: int = 512  # tokens of one turn of the agent, its thoughts included
    max_completion_length: int = 512  # plan: the completion; agent: the whole episode after the prompt
    max_turns: int = 30

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode {self.mode!r} is unknown; use one of {', '.join(MODES)}")
        for name in ("max_seq_length", "lora_rank", "sft_batch_size", "sft_accumulation", "num_generations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.tells_answers <= 1:
            raise ValueError(f"tells_answers is a share between 0 and 1, not {self.tells_answers}")
        if self.profile != "tiny":  # the tiny model's tokenizer writes the same prompt far shorter
            self._check_length()

    def _check_length(self) -> None:
        prompt, room = PROMPT_TOKENS[self.mode], ROOM[self.mode]
        if self.max_seq_length < prompt + room:
            raise ValueError(
                f"max_seq_length={self.max_seq_length} cannot hold mode {self.mode!r}: policy and tools take "
                f"{prompt:,} tokens, a request and its answer up to {room:,} more; set max_seq_length to "
                f"{prompt + room:,} or more" + (', or use mode="plan"' if self.mode == "agent" else "")
            )

    def save(self, run: Path) -> Path:
        """Write the config into a run's folder; a run that was begun with other settings is refused."""
        if (run / "config.json").exists() and (other := Config.load(run)) != self:
            names = [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]
            told = ", ".join(f"{n} was {getattr(other, n)!r}, is {getattr(self, n)!r}" for n in names)
            raise ValueError(f"{run} was begun with other settings ({told}); use another RUN or remove it")
        with whole_file(run / "config.json") as out:
            json.dump(asdict(self), out, indent=2)
            out.write("\n")
        return run / "config.json"

    @classmethod
    def load(cls, run: Path) -> "Config":
        """The config a run used."""
        values = read_json(run / "config.json")
        return cls(**{_known(name): _converted(name, value) for name, value in values.items()})


_GPT_OSS = {"model": "unsloth/gpt-oss-20b", "offload_embedding": True}
_EXPERTS = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")
PROFILES: dict[str, dict[str, Any]] = {
    "tiny": {  # the pipeline's rehearsal on a CPU; the numbers behind it stand in data/tiny_base/MEASURED.md
        "levels": (1, 2),
        "thoughts": False,
        "tells_answers": 0.25,  # a gap in the warm-up that reinforcement can close: see MEASURED.md
        "rows": "episode",
        "lora_parameters": _EXPERTS,
        "modules_to_save": ("embed_tokens", "lm_head"),  # the shop's tool names are new to the base
        "train_tasks": 1300,
        "validation_tasks": 24,
        "sft_epochs": 1.0,
        "sft_batch_size": 2,  # many small steps learn more a second than few large ones
        "sft_accumulation": 1,
        "sft_learning_rate": 2.5e-3,
        "sft_warmup_steps": 20,
        "sft_eval_steps": 325,
        "grpo_epochs": 1.0,
        "grpo_batch_size": 16,
        "grpo_accumulation": 2,
        "grpo_learning_rate": 4e-4,
        "grpo_max_steps": 24,
        "num_generations": 4,  # eight tasks a step: with four, one task too many decides where a step goes
        "grpo_eval_steps": 12,
        "temperature": 1.0,
        "max_turn_length": 112,  # the longest right answer to a task of these levels has 91
        "max_completion_length": 1024,
        "max_turns": 8,
    },
    "t4": _GPT_OSS | {"mode": "plan", "lora_rank": 8, "lora_alpha": 16},
    "gpu24": _GPT_OSS,
    "gpu80": _GPT_OSS,
    "spark": _GPT_OSS | {"offload_embedding": False},  # unified memory: nothing to gain
}
_TINY_PLAN = {"train_tasks": 2400, "sft_eval_steps": 600}  # rows of a third of the tokens
_OF_MODE = {
    "agent": {"max_seq_length": 5632, "max_completion_length": 2560},
    "plan": {"max_completion_length": 512, "max_seq_length": 2048, "levels": (1, 2)},
}


def resolve(profile: str = "auto", *, environ: Mapping[str, str] = os.environ, **overrides: Any) -> Config:
    """The config of a profile with everything that was overridden.

    Args:
        profile: "auto" or a name in PROFILES.
        environ: Where `GPTOSS_…` variables are read from.
        overrides: Fields of Config; None means not overridden.
    """
    given = {_known(n): _converted(n, v) for n, v in overrides.items() if v is not None}
    outside = {
        _known(name.removeprefix(PREFIX).lower()): _converted(name.removeprefix(PREFIX).lower(), value)
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }
    profile = outside.pop("profile", profile) if profile == "auto" else profile
    profile = detect_profile() if profile == "auto" else profile
    if profile not in PROFILES:
        raise ValueError(f"profile {profile!r} is unknown; {_nearest(profile, PROFILES)}")
    settings = {"profile": profile, **PROFILES[profile]}
    chosen = outside | given
    mode = chosen.get("mode", settings.get("mode", "agent"))
    if profile == "tiny":
        settings |= _TINY_PLAN if mode == "plan" else {}
    elif mode in _OF_MODE:
        settings = _OF_MODE[mode] | settings
    return Config(**(settings | chosen))


def detect_profile() -> str:
    """The profile that fits this machine: by the GPU's memory, or `tiny` where there is none."""
    try:
        import torch
    except ImportError:
        return "tiny"
    if not torch.cuda.is_available():
        return "tiny"
    properties = torch.cuda.get_device_properties(0)
    if "GB10" in properties.name:
        return "spark"
    gigabytes = properties.total_memory / 2**30
    return next((name for name, least in (("gpu80", 70), ("gpu24", 21)) if gigabytes >= least), "t4")


def from_command_line(parser: argparse.ArgumentParser, argv: list[str] | None = None) -> tuple[Any, Config]:
    """Parse a command's own arguments and, beside them, `--profile` and every setting (`--sft-epochs 2`)."""
    parser.add_argument("--profile", default="auto", help=f"auto, {', '.join(PROFILES)}")
    settings = parser.add_argument_group("settings, each overriding the profile")
    for name in sorted(_DEFAULTS.keys() - {"profile"}):
        settings.add_argument(f"--{name.replace('_', '-')}", dest=f"setting_{name}", metavar="VALUE")
    options = parser.parse_args(argv)
    given = {n.removeprefix("setting_"): v for n, v in vars(options).items() if n.startswith("setting_")}
    try:
        return options, resolve(options.profile, **given)
    except ValueError as error:
        parser.error(str(error))


def with_changes(config: Config, **changes: Any) -> Config:
    """The config with some fields changed, names checked."""
    return replace(config, **{_known(name): _converted(name, value) for name, value in changes.items()})


_DEFAULTS = {field.name: field.default for field in fields(Config)}


def _known(name: str) -> str:
    if name not in _DEFAULTS:
        raise ValueError(f"setting {name!r} is unknown; {_nearest(name, _DEFAULTS)}")
    return name


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _converted(name: str, value: Any) -> Any:
    """A value in the field's own type: text from a shell or a list from JSON becomes what Config holds."""
    default = _DEFAULTS[_known(name)]
    try:
        if isinstance(default, bool):
            return _truth(value)
        if isinstance(default, tuple):
            values = value.split(",") if isinstance(value, str) else value
            kind = type(default[0]) if default else str
            return tuple(kind(one) for one in values if one != "")
        if isinstance(default, int) and isinstance(value, float) and value != int(value):
            raise ValueError("not a whole number")
        return type(default)(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}={value!r} does not fit: {type(default).__name__} expected") from error


_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _truth(value: Any) -> bool:
    if str(value).lower() not in _TRUTH:
        raise ValueError("neither yes nor no")
    return _TRUTH[str(value).lower()]
