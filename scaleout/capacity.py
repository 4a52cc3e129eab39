"""What a run of reinforcement learning takes, on paper: memory of a GPU, tokens, hours, GPUs needed.

    python -m scaleout.capacity --model gpt-oss-20b --gpus 8 --episodes 256 --tokens 6000
    python -m scaleout.capacity --model my/config.json --gpus 16 --episodes 512 --tokens 8000 --tuning full

    plan = make_plan(MODELS["gpt-oss-120b"], MACHINES["h100-80gb"], Run(gpus=16, episodes=256, tokens=6000))
    plan_table(plan)                                    # every line with its formula and the numbers in it

These are estimates from formulas, not measurements. They tell what cannot work and where memory goes; before
a machine is rented for long, replace every input marked `assumed` by what a short run of one's own shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaleout.capacity_formulas import Line, Plan, make_plan, shown
from scaleout.capacity_inputs import ASSUMED, MACHINES, MODELS, Machine, Model, Run, read_model

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MACHINES",
    "MODELS",
    "Line",
    "Machine",
    "Model",
    "Plan",
    "Run",
    "make_plan",
    "model_named",
    "plan_table",
    "read_model",
]

CLOSING = (
    "An estimate from formulas, not a measurement: nothing was run. Replace the inputs marked `assumed`\n"
    "by what a short run on your own machine shows."
)


def plan_table(plan: Plan) -> pd.DataFrame:
    """All lines of a plan as a table: name, value, unit, kind, formula."""
    import pandas as pd

    return pd.DataFrame([asdict(line) for line in plan.lines])


def told(plan: Plan) -> str:
    """A plan as text: inputs, memory, time, and what it comes to."""
    parts = []
    for title, lines in (
        ("Inputs", plan.inputs),
        ("Memory of one GPU (bytes / 2^30)", plan.memory),
        ("Time", plan.time),
    ):
        rows = [(one.name, shown(one.value) if title == "Inputs" else _rounded(one), one) for one in lines]
        wide = max(len(name) for name, _, _ in rows)
        parts.append(title)
        parts += [
            f"  {name:<{wide}}  {value:>16} {one.unit:<10} {one.formula or one.kind}".rstrip()
            for name, value, one in rows
        ]
    return "\n".join([*parts, _result(plan), CLOSING])


def _rounded(line: Line) -> str:
    return f"{line.value:,.2f}" if line.unit in ("GiB", "seconds", "hours") else shown(line.value)


def _result(plan: Plan) -> str:
    need, have = plan.value("memory needed"), plan.machine.memory_gib
    verdict = "fits" if plan.fits else "does not fit"
    gpus = plan.gpus_needed
    fewest = f"{gpus} are the fewest that do" if gpus else "no number does: look at the largest lines"
    return (
        f"Result\n  {plan.model.name} {verdict}: {need:.1f} of {have:g} GiB on each of {plan.run.gpus} GPUs; "
        f"{fewest}\n  {plan.value('tokens of a step'):,.0f} tokens a step, {plan.value('the run'):.1f} hours "
        f"for {plan.run.steps} steps, if the assumed speeds hold"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print a plan; the exit code is 2 where its inputs make no sense."""
    parser = argparse.ArgumentParser(prog="python -m scaleout.capacity", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gpt-oss-20b", help=f"{', '.join(MODELS)}, or a config.json")
    parser.add_argument("--machine", default="h100-80gb", choices=MACHINES)
    parser.add_argument("--memory-gib", type=float, help="of one GPU, in place of the machine's")
    parser.add_argument("--tflops", type=float, help="of one GPU, in place of the machine's")
    for field in fields(Run):
        _add(parser, field)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    try:
        model, machine = model_named(given.pop("model")), MACHINES[given.pop("machine")]
        own = {name: given.pop(name) for name in ("memory_gib", "tflops") if name in given}
        machine = replace(machine, name=f"{machine.name} changed", **own) if own else machine
        print(told(make_plan(model, machine, Run(**given))))
    except ValueError as error:
        parser.error(str(error))
    return 0


def _add(parser: argparse.ArgumentParser, field: Any) -> None:
    """One of a run's settings as an option."""
    flag, required = f"--{field.name.replace('_', '-')}", field.default is MISSING
    if field.type is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=f"default {field.default}")
        return
    note = "" if required else f"default {field.default}" + (" (assumed)" if field.name in ASSUMED else "")
    parser.add_argument(flag, type=field.type, required=required, help=note)


def model_named(name: str) -> Model:
    """One of the known models, or the one a config.json describes."""
    if name in MODELS:
        return MODELS[name]
    if Path(name).suffix == ".json":
        return read_model(name)
    raise ValueError(f"model {name!r} is unknown; use {', '.join(MODELS)}, or the path of a config.json")


if __name__ == "__main__":
    raise SystemExit(main())
