"""One dial for a whole run: a profile fits the machine, all else follows from it and can be overridden.

    config = resolve("auto")                                    # looks at the machine
    config = resolve("gpu80", mode="agent", sft_learning_rate=1e-4)
    config.save(run); Config.load(run)                          # a run's folder holds the config it used

Settings come from, each stronger than the one before: the mode, the profile (pipeline/profiles.py),
environment variables (`GPTOSS_SFT_LEARNING_RATE=1e-4`), and what a notebook's parameters or the command line
say. An unknown name is refused with the nearest right one, and so is a sequence length that cannot hold the
shop's prompt.
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
from pipeline.harmony import EFFORTS
from pipeline.profiles import OF_MODE, PROFILES, TINY_PLAN

PREFIX = "GPTOSS_"
Mode = Literal["agent", "plan"]
MODES: tuple[Mode, ...] = get_args(Mode)
_CHOICES = {"mode": MODES, "effort": EFFORTS, "rows": ("step", "episode"), "grpo_way": ("customer", "tools")}
AUTO = ("mode", "auto")  # the profile's own mode
# Tokens of system and developer message in gpt-oss's own vocabulary; a test counts them again.
PROMPT_TOKENS = {"agent": 2644, "plan": 1802}
ROOM = {"agent": 1536, "plan": 200}  # for the customer's words and everything that follows them


@dataclass(frozen=True)
class Config:
    """Everything that is needed to repeat a run."""

    profile: str = "tiny"  # the name of the profile the other values came from
    mode: str = "agent"  # "agent" (several turns, executed calls) or "plan" (one JSON object)
    model: str = "data/tiny_base"  # a hub name, a local model, or a LoRA adapter's folder
    seed: int = 3407  # of the adapter, the order of rows, tasks and everything drawn by chance
    effort: str = "low"  # gpt-oss's reasoning effort; train and test at the same one
    date: str = "2025-08-05"  # the date in the system message, fixed so that training and rollouts agree
    max_seq_length: int = 2048  # the longest row of SFT, the longest episode of GRPO
    # model
    load_in_4bit: bool = True  # the base's weights in 4 bit
    offload_embedding: bool = False  # the embeddings in the CPU's memory, which frees the GPU's
    full_finetuning: bool = False  # train all weights: no adapter, and no 4 bit whatever load_in_4bit says
    lora_rank: int = 16  # the adapter's rank: its size and how much it can learn
    lora_alpha: int = 32  # the adapter's scale; divided by the rank
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")  # layers it is put on
    lora_parameters: tuple[str, ...] = ()  # fused expert weights, e.g. "mlp.experts.down_proj"
    modules_to_save: tuple[str, ...] = ()  # trained whole beside the adapter
    # data
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)  # which tasks are used; data/README.md says what each level is
    train_tasks: int = 400  # how many tasks each training stage may draw on
    validation_tasks: int = 40  # how many are served or read at each look during training
    test_tasks: int = 100  # how many held-out tasks an evaluation serves
    thoughts: bool = True  # demonstrations hold a short analysis before each turn
    tells_answers: float = 1.0  # share of demonstrations that tell what was asked; the others only act
    rows: str = "step"  # in agent mode, "step" or "episode": one row a turn, or all turns of an episode
    # supervised warm-up
    sft_epochs: float = 1.0  # how often the warm-up goes through its rows
    sft_batch_size: int = 2  # rows at a time on each device
    sft_accumulation: int = 8  # batches to a step
    sft_learning_rate: float = 2e-4  # the warm-up's highest; falls to zero in a line
    sft_warmup_steps: int = 10  # steps in which the learning rate rises
    sft_eval_steps: int = 10  # steps between two looks at the validation loss, and between checkpoints
    sft_patience: int = 3  # evaluations without a better validation loss before stopping
    # reinforcement learning
    grpo_way: str = "customer"  # who executes in agent mode: "customer" (our loop) or "tools" (TRL's)
    reward: tuple[str, ...] = ("tool_level", "outcome:2")  # profiles of pipeline/rewards.py with weights
    grpo_epochs: float = 3.0  # how often its tasks are gone through, unless grpo_max_steps is set
    grpo_batch_size: int = 2  # episodes at a time on each device
    grpo_accumulation: int = 8  # batches to a step
    grpo_learning_rate: float = 5e-6  # constant; the first thing to lower when a run collapses
    grpo_max_steps: int = -1  # -1: as many as the epochs have
    grpo_eval_steps: int = 10  # steps between two validations, and between checkpoints
    grpo_patience: int = 5  # validations without more success before stopping
    temperature: float = 0.7  # of sampled episodes: training, and evaluation with several trials
    num_generations: int = 8  # episodes of one task in a step; they are compared with each other
    max_turn_length: int = 512  # tokens of one turn of the agent, its thoughts included
    max_completion_length: int = 512  # plan: the completion; agent: the whole episode after the prompt
    max_turns: int = 30  # of the agent in an episode
    served_at_once: int = 32  # episodes or steps that are written side by side while nothing is trained

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; use one of {', '.join(known)}")
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
        return cls(**_checked(read_json(run / "config.json")))


def resolve(profile: str = "auto", *, environ: Mapping[str, str] = os.environ, **overrides: Any) -> Config:
    """The config of a profile with everything that was overridden.

    Args:
        profile: "auto" or a name in PROFILES.
        environ: Where `GPTOSS_…` variables are read from.
        overrides: Fields of Config; None, and the mode "auto", mean not overridden.
    """
    given = _checked({name: value for name, value in overrides.items() if value is not None})
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    outside = _checked({name.removeprefix(PREFIX).lower(): value for name, value in ours.items()})
    named = outside.pop("profile", "auto")
    profile = named if profile == "auto" else profile
    profile = detect_profile() if profile == "auto" else profile
    if profile not in PROFILES:
        raise ValueError(f"profile {profile!r} is unknown; {_nearest(profile, PROFILES)}")
    settings = {"profile": profile, **PROFILES[profile]}
    chosen = dict(one for one in (*outside.items(), *given.items()) if one != AUTO)
    mode = chosen.get("mode", settings.get("mode", "agent"))
    if profile == "tiny":
        settings |= TINY_PLAN if mode == "plan" else {}
    elif mode in OF_MODE:
        settings = OF_MODE[mode] | settings
    return Config(**(settings | chosen))


def detect_profile() -> str:
    """The profile that fits this machine: by the GPU's memory and age, or `tiny` where there is none."""
    try:
        import torch
    except ImportError:
        return "tiny"
    if not torch.cuda.is_available():
        return "tiny"
    properties = torch.cuda.get_device_properties(0)
    if "GB10" in properties.name:
        return "spark"
    if properties.major < 8:  # no bfloat16: gpt-oss trains in float32 there, which takes twice the memory
        return "t4"
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
    return replace(config, **_checked(changes))


_DEFAULTS = {field.name: field.default for field in fields(Config)}


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the types of their fields; a name that Config does not have is refused."""
    for name in values:
        if name not in _DEFAULTS:
            raise ValueError(f"setting {name!r} is unknown; {_nearest(name, _DEFAULTS)}")
    return {name: _converted(name, value) for name, value in values.items()}


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _converted(name: str, value: Any) -> Any:
    """A value in the field's own type: text from a shell or a list from JSON becomes what Config holds."""
    default = _DEFAULTS[name]
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
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}={value!r} does not fit: {type(default).__name__} expected") from error


_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _truth(value: Any) -> bool:
    if str(value).lower() not in _TRUTH:
        raise ValueError("neither yes nor no")
    return _TRUTH[str(value).lower()]
