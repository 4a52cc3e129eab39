"""What a plan on paper starts from: a model's published numbers, a machine's, and what one run asks for.

    MODELS["gpt-oss-20b"].parameters                    # 20,914,757,184, from the shapes of its layers
    read_model("path/to/config.json")                   # any model whose config has the usual names
    Run(gpus=8, episodes=256, tokens=6000)              # the rest has defaults; some of them are assumptions

gpt-oss's numbers are those of its model card and config.json; a machine's are its maker's. The settings of a
run named in `ASSUMED` are guesses that only a measurement on one's own machine can replace.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


def _check_numbers(given: Any, may_be_zero: tuple[str, ...] = ()) -> None:
    """Refuse a dataclass with a field that is no number, or none that could be meant."""
    of = f"{given.name}: " if hasattr(given, "name") else ""
    for field in fields(given):
        value = getattr(given, field.name)
        if field.type not in (int, float):
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18
        if not number or (field.type is int and value != int(value)):
            kind = "whole number" if field.type is int else "number"
            raise ValueError(f"{of}{field.name} is {value!r:.40}; it must be a {kind} below 10^18")
        if value < 0 or (value == 0 and field.name not in may_be_zero):
            least = "0 or more" if field.name in may_be_zero else "more than 0"
            raise ValueError(f"{of}{field.name} is {value}; it must be {least}")


@dataclass(frozen=True)
class Model:
    """A transformer by its numbers; one expert of one means a plain feed-forward layer."""

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int  # of one expert
    vocabulary: int
    experts: int = 1
    experts_per_token: int = 1
    window: int = 0  # tokens a layer with a sliding window sees
    window_layers: int = 0
    biases: bool = False  # gpt-oss's: in attention with its sinks, router and experts
    tied: bool = False  # embedding and head are the same weights

    def __post_init__(self) -> None:
        _check_numbers(self, ("window", "window_layers"))
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.name}: {self.heads} heads cannot share {self.kv_heads} kv heads evenly")
        if self.experts_per_token > self.experts:
            raise ValueError(
                f"{self.name}: {self.experts_per_token} of {self.experts} experts cannot be used"
            )
        if self.window_layers > self.layers or (self.window_layers and not self.window):
            raise ValueError(
                f"{self.name}: {self.window_layers} layers with a window of {self.window} tokens"
            )

    @property
    def attention_widths(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of a layer's q, k, v and o projections."""
        asked, kept = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return ((self.hidden, asked), (self.hidden, kept), (self.hidden, kept), (asked, self.hidden))

    @property
    def expert_widths(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of an expert's two matrices: gate and up in one, and down."""
        return ((self.hidden, 2 * self.intermediate), (self.intermediate, self.hidden))

    def _matrices(self, widths: tuple[tuple[int, int], ...]) -> int:
        return sum(into * out + out * self.biases for into, out in widths)

    def _layer(self, experts: int) -> int:
        """Weights of a layer of which so many experts are counted."""
        router = self._matrices(((self.hidden, self.experts),)) if self.experts > 1 else 0
        shared = self._matrices(self.attention_widths) + self.heads * self.biases + 2 * self.hidden + router
        return shared + experts * self._matrices(self.expert_widths)

    @property
    def parameters(self) -> int:
        """All weights."""
        ends = self.vocabulary * self.hidden * (1 if self.tied else 2) + self.hidden
        return self.layers * self._layer(self.experts) + ends

    @property
    def active_parameters(self) -> int:
        """Weights that one token is multiplied with; looking up its embedding is none of them."""
        return self.layers * self._layer(self.experts_per_token) + self.vocabulary * self.hidden

    def lora_parameters(self, rank: int, experts: bool) -> int:
        """Weights of an adapter on the attention projections, or on the experts' matrices too."""
        widths = self.attention_widths + self.expert_widths * (self.experts if experts else 0)
        return rank * self.layers * sum(into + out for into, out in widths)


_GPT_OSS: dict[str, Any] = {
    "hidden": 2880,
    "heads": 64,
    "kv_heads": 8,
    "head_dim": 64,
    "intermediate": 2880,
    "vocabulary": 201_088,
    "experts_per_token": 4,
    "window": 128,
    "biases": True,
}
MODELS = {
    model.name: model
    for model in (
        Model("gpt-oss-20b", layers=24, experts=32, window_layers=12, **_GPT_OSS),
        Model("gpt-oss-120b", layers=36, experts=128, window_layers=18, **_GPT_OSS),
    )
}


@dataclass(frozen=True)
class Machine:
    """A machine with several GPUs of one kind."""

    name: str
    memory_gib: float  # of one GPU, as its driver reports it, rounded down
    tflops: float  # of one GPU: its maker's peak for dense bfloat16
    gpus: int = 8

    def __post_init__(self) -> None:
        _check_numbers(self)


MACHINES = {
    machine.name: machine
    for machine in (
        Machine("a100-80gb", memory_gib=80, tflops=312),
        Machine("h100-80gb", memory_gib=79, tflops=989),
        Machine("h200", memory_gib=140, tflops=989),
    )
}

ASSUMED = ("generated_share", "rollout_rate", "utilisation", "other_seconds", "spare_gib")


@dataclass(frozen=True)
class Run:
    """A run of reinforcement learning."""

    gpus: int
    episodes: int  # of a step, over all GPUs
    tokens: int  # of an episode: prompt, tool answers and what was written
    steps: int = 100
    tuning: str = "lora"  # or "full"
    lora_rank: int = 16
    lora_experts: bool = False  # adapt the experts' matrices too
    weight_bits: float = 16  # of the trained model's weights in memory
    sharded: bool = True  # the trained model is spread over all GPUs; else each holds a copy
    micro_batch: int = 1
    attention: str = "eager"  # holds all scores of a layer, as transformers does for gpt-oss; or "flash"
    checkpointing: bool = True  # keep each layer's input only, and compute the layer again
    engine: bool = True  # rollouts have an engine with its own copy of the weights
    engine_bits: float = 16
    tensor_parallel: int = 1  # GPUs of one engine
    offload: bool = False  # the trained model leaves the GPU while the engine writes
    generated_share: float = 0.25  # of an episode's tokens: what the model wrote
    rollout_rate: float = 1000.0  # tokens written a second on one GPU
    utilisation: float = 0.1  # share of the peak that training reaches
    other_seconds: float = 30.0  # of a step: tools, moving weights, saving
    spare_gib: float = 6.0  # of a GPU: driver, buffers, what fragmentation wastes

    def __post_init__(self) -> None:
        _check_numbers(self, ("other_seconds", "spare_gib"))
        for name in ("generated_share", "utilisation"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share between 0 and 1")
        for name, known in (("tuning", ("lora", "full")), ("attention", ("eager", "flash"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; use {' or '.join(known)}")
        if self.tuning == "full" and self.weight_bits < 16:
            raise ValueError(
                f"weights of {self.weight_bits} bits cannot be trained; use tuning=lora, or 16 bits"
            )
        if self.gpus % self.tensor_parallel:
            raise ValueError(f"{self.gpus} GPUs cannot be divided into engines of {self.tensor_parallel}")
        if self.episodes < self.gpus:
            raise ValueError(
                f"{self.episodes} episodes leave some of {self.gpus} GPUs idle; use at least as many"
            )


_NAMES = {  # ours -> what configs of transformers call it
    "layers": ("num_hidden_layers",),
    "hidden": ("hidden_size",),
    "heads": ("num_attention_heads",),
    "kv_heads": ("num_key_value_heads", "num_attention_heads"),
    "intermediate": ("moe_intermediate_size", "intermediate_size"),
    "vocabulary": ("vocab_size",),
    "experts": ("num_local_experts", "num_experts"),
    "experts_per_token": ("num_experts_per_tok",),
}


def read_model(path: str | Path) -> Model:
    """A model from its config.json; for the ones with usual layers, and gpt-oss exactly."""
    path = Path(path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a model's config.json: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} cannot be read as a model's config.json: it holds no object")
    found = {}
    for ours, theirs in _NAMES.items():
        found[ours] = next((config[name] for name in theirs if config.get(name)), None)
        if found[ours] is None and ours not in ("experts", "experts_per_token"):
            raise ValueError(f"{path}: {theirs[0]} is missing")
    found["head_dim"] = config.get("head_dim") or found["hidden"] // found["heads"]
    sliding = (config.get("layer_types") or []).count("sliding_attention")
    return Model(
        name=str(config.get("_name_or_path") or path.parent.name),
        **{name: value for name, value in found.items() if value is not None},
        window=config.get("sliding_window") or 0 if sliding else 0,
        window_layers=sliding,
        biases=config.get("model_type") == "gpt_oss",
        tied=bool(config.get("tie_word_embeddings")),
    )
