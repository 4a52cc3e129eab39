"""The formulas behind a plan: what a GPU holds while it updates and while it writes, and a step's time.

    plan = make_plan(MODELS["gpt-oss-20b"], MACHINES["h100-80gb"], Run(gpus=8, episodes=256, tokens=6000))
    plan.value("KV cache"), plan.fits, plan.gpus_needed

Every line is a product or a sum whose text is written from the numbers it is computed from, so that a formula
on paper cannot differ from its result. Left out are what is small or belongs to one library: norms' states,
communication buffers, the key and value projections' own workspace; `spare_gib` stands for them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import ceil, prod
from typing import Any

from scaleout.capacity_inputs import ASSUMED, MACHINES, MODELS, Machine, Model, Run

GIB = 2**30
MOST_GPUS = 4096  # where the search for a number of GPUs that suffices ends


@dataclass(frozen=True)
class Line:
    """One number of a plan, and where it comes from."""

    name: str
    value: float | int | str | bool
    unit: str = ""
    kind: str = "computed"  # or "published", "given", "assumed"
    formula: str = ""  # with the numbers that went into it


@dataclass(frozen=True)
class Plan:
    """A plan: its three parts of inputs, and what follows from them."""

    model: Model
    machine: Machine
    run: Run
    inputs: tuple[Line, ...]
    memory: tuple[Line, ...]  # of one GPU
    time: tuple[Line, ...]  # of a step, and of the run

    @property
    def lines(self) -> tuple[Line, ...]:
        """Everything, inputs first."""
        return self.inputs + self.memory + self.time

    def value(self, name: str) -> Any:
        """One number by its name."""
        for line in self.lines:
            if line.name == name:
                return line.value
        raise KeyError(f"{name!r} is no line; there are {', '.join(one.name for one in self.lines)}")

    @property
    def fits(self) -> bool:
        """Whether a GPU has room for the larger of the two phases."""
        return self.value("memory needed") <= self.machine.memory_gib

    @cached_property
    def gpus_needed(self) -> int | None:
        """The fewest GPUs that have room, in whole engines with work for each; None: no number of them."""
        group = self.run.tensor_parallel
        counts = range(group, min(self.run.episodes, MOST_GPUS) + 1, group)
        # More GPUs never need more memory each, so the first that suffices can be found by halving.
        first = bisect_left(counts, True, key=lambda gpus: self._with(gpus) <= self.machine.memory_gib)
        return counts[first] if first < len(counts) else None

    def _with(self, gpus: int) -> float:
        return _memory(self.model, replace(self.run, gpus=gpus))[-1].value


def make_plan(model: Model, machine: Machine, run: Run) -> Plan:
    """The plan of a run; raises ValueError, with a sentence, where its inputs make no sense together."""
    group = run.tensor_parallel
    if model.heads % group:
        raise ValueError(f"{model.heads} heads of {model.name} cannot be divided over {group} GPUs")
    inputs, memory, time = _inputs(model, machine, run), _memory(model, run), _time(model, machine, run)
    return Plan(model, machine, run, inputs, memory, time)


def _inputs(model: Model, machine: Machine, run: Run) -> tuple[Line, ...]:
    lines = []
    for what, one, published in (("model", model, MODELS), ("machine", machine, MACHINES)):
        kind = "published" if one in published.values() else "given"
        lines += [Line(f"{what} {name}", value, "", kind) for name, value in asdict(one).items()]
    lines += [
        Line(name, value, "", "assumed" if name in ASSUMED else "given")
        for name, value in asdict(run).items()
    ]
    return tuple(lines)


def _product(
    name: str, unit: str, factors: Mapping[str, float], over: Mapping[str, float], scale: float = 1
) -> Line:
    """A line that is a product; its formula is written from the same numbers it is computed from."""
    text = " * ".join(f"{shown(value)} {what}" for what, value in factors.items())
    text += "".join(f" / {shown(value)} {what}" for what, value in over.items())
    return Line(name, prod(factors.values()) / prod(over.values()) / scale, unit, "computed", text)


def _gib(name: str, factors: Mapping[str, float], over: Mapping[str, float] | None = None) -> Line:
    """A product of bytes as a line in GiB."""
    return _product(name, "GiB", factors, over or {}, GIB)


def _sum(name: str, unit: str, parts: Sequence[Line]) -> Line:
    """A line that is a sum of others."""
    text = " + ".join(f"{shown(part.value)} {part.name}" for part in parts)
    return Line(name, sum(part.value for part in parts), unit, "computed", text)


def shown(value: Any) -> str:
    """A number as it is read: with thousands, and four digits where it is not whole."""
    if isinstance(value, str | bool):
        return str(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _memory(model: Model, run: Run) -> tuple[Line, ...]:
    """What one GPU holds: at rest, while it updates, while it writes."""
    resident = _resident(model, run)
    working = [*_gathered(model, run), *_gradients(model, run), *_activations(model, run)]
    engine = _engine(model, run)
    update = _sum("while updating", "GiB", [*resident, *working])
    writing = _sum("while writing", "GiB", engine if run.offload else [*resident, *engine])
    larger = max(update, writing, key=lambda line: line.value)
    spare = Line("spare", run.spare_gib)
    needed = _sum("memory needed", "GiB", [larger, spare])
    return (*resident, *working, *engine, update, writing, needed)


def _shards(run: Run) -> dict[str, float]:
    return {"GPUs that share it": run.gpus if run.sharded else 1}


def _trained(model: Model, run: Run) -> int:
    """How many weights the optimizer changes."""
    adapter = model.lora_parameters(run.lora_rank, run.lora_experts)
    return model.parameters if run.tuning == "full" else adapter


def _resident(model: Model, run: Run) -> list[Line]:
    trained = {"trained parameters": _trained(model, run)}
    return [
        _gib("weights", {"parameters": model.parameters, "bytes": run.weight_bits / 8}, _shards(run)),
        _gib("trained weights in float32", {**trained, "bytes": 4}, _shards(run)),
        _gib("optimizer states", {**trained, "bytes (Adam: two float32)": 8}, _shards(run)),
    ]


def _gradients(model: Model, run: Run) -> list[Line]:
    trained = {"trained parameters": _trained(model, run)}
    return [_gib("gradients", {**trained, "bytes (float32)": 4}, _shards(run))]


def _gathered(model: Model, run: Run) -> list[Line]:
    """Sharded weights are put together layer by layer, the next one while one is at work."""
    share = run.gpus if run.sharded else 1
    layers = min(2.0, model.layers * (1 - 1 / share))
    each = {"parameters": model.parameters, "bytes": run.weight_bits / 8, "layers put together": layers}
    return [_gib("weights of layers at work", each, {"layers": model.layers})]


def _activations(model: Model, run: Run) -> list[Line]:
    batch = {"rows": run.micro_batch, "tokens": run.tokens}
    # What a layer makes of its input and output, as q, k, v and o, and in the experts' three steps.
    width = 4 * model.hidden + 2 * (model.heads + model.kv_heads) * model.head_dim
    width += 3 * model.experts_per_token * model.intermediate
    alive = 1 if run.checkpointing else model.layers
    kept = {"layers": model.layers if run.checkpointing else 0}
    scores = {"heads": model.heads if run.attention == "eager" else 0, "layers at once": alive}
    return [
        _gib("kept inputs of layers", {**batch, **kept, "wide": model.hidden, "bytes": 2}),
        _gib("activations inside a layer", {**batch, "layers at once": alive, "wide": width, "bytes": 2}),
        _gib(
            "attention scores",
            {**batch, "tokens again": run.tokens, **scores, "bytes (scores and shares)": 4},
        ),
        _gib("logits", {**batch, "vocabulary": model.vocabulary, "bytes (float32, with gradient)": 8}),
    ]


def _engine(model: Model, run: Run) -> list[Line]:
    """The rollout engine's own weights, and the keys and values of all episodes it writes at once."""
    engines = run.gpus // run.tensor_parallel
    group = {"GPUs of an engine": run.tensor_parallel}
    weights = {"parameters": model.parameters if run.engine else 0, "bytes": run.engine_bits / 8}
    whole = model.layers - model.window_layers
    cached = whole * run.tokens + model.window_layers * min(run.tokens, model.window)
    cache = {
        "episodes of an engine": ceil(run.episodes / engines),
        "tokens in all layers": cached,
        "kv heads": model.kv_heads,
        "wide": model.head_dim,
        "bytes (key and value)": 4,
    }
    return [_gib("weights of the engine", weights, group), _gib("KV cache", cache, group)]


def _passes(run: Run) -> int:
    """Forward passes' worth of work on a token: log-probabilities, forward, recomputed, backward."""
    return 2 + run.checkpointing + (2 if run.tuning == "full" else 1)


def _work(model: Model, run: Run) -> Line:
    """Operations of one token's forward pass: two a weight, and four a value it attends to."""
    half = run.tokens / 2  # what a token sees on average, being in the middle
    seen = (model.layers - model.window_layers) * half + model.window_layers * min(model.window, half)
    attended = model.heads * model.head_dim * seen
    text = f"2 * {shown(model.active_parameters)} active weights + 4 * {shown(attended)} values attended to"
    return Line("work of a token", 2 * model.active_parameters + 4 * attended, "operations", "computed", text)


def _time(model: Model, machine: Machine, run: Run) -> tuple[Line, ...]:
    """How long a step and the run take, for the assumed speeds."""
    tokens = _product("tokens of a step", "tokens", {"episodes": run.episodes, "tokens": run.tokens}, {})
    share = {"tokens": tokens.value, "written": run.generated_share}
    written = _product("tokens written in a step", "tokens", share, {})
    speed = {"GPUs": run.gpus, "tokens a second (assumed)": run.rollout_rate}
    writing = _product("writing", "seconds", {"tokens written": written.value}, speed)
    work = _work(model, run)
    done = {"tokens": tokens.value, "operations": work.value, "passes": _passes(run)}
    peak = {
        "GPUs": run.gpus,
        "operations a second": machine.tflops * 1e12,
        "utilisation (assumed)": run.utilisation,
    }
    updating = _product("updating", "seconds", done, peak)
    step = _sum("a step", "seconds", [writing, updating, Line("other (assumed)", run.other_seconds)])
    hours = _product(
        "the run", "hours", {"steps": run.steps, "seconds": step.value}, {"seconds an hour": 3600}
    )
    rent = _product("GPU hours", "hours", {"hours": hours.value, "GPUs": run.gpus}, {})
    machines = Line(
        "machines", ceil(run.gpus / machine.gpus), "", "computed", f"{run.gpus} GPUs, {machine.gpus} in each"
    )
    return (tokens, written, writing, work, updating, step, hours, rent, machines)
