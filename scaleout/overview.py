"""What notebook 08 shows: plans side by side, the data and checks of both engines, launches, results.

    plans_table(plans("gpt-oss-20b", gpus=(1, 2, 4, 8), episodes=256, tokens=6000))
    export_for_both(tasks, run / "scale_out")
    findings()                                   # what the recipes' own checks say, and of a careless change
    commands(run / "scale_out")

Nothing is decided here: each function puts a part of `scaleout` into a table or a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envs.retail.tasks import Task, write_tasks
from pipeline.report import left_aligned, new_figure
from scaleout.capacity import MACHINES, Machine, Plan, Run, make_plan, model_named
from scaleout.rehearsal import problems_table, rehearse_gsm8k, same_rewards

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from pandas.io.formats.style import Styler


__all__ = [
    "commands",
    "export_for_both",
    "findings",
    "formulas",
    "plans",
    "plans_table",
    "plot_memory",
    "problems_table",
    "read_results",
    "rehearse_gsm8k",
    "same_rewards",
]
HERE = Path(__file__).parent
VERL_RECIPE = HERE / "verl" / "recipes" / "gpt_oss_20b_grpo.yaml"
SKYRL_ARGUMENTS = HERE / "skyrl" / "retail_gpt_oss.args"
UPDATING = {  # lines of a plan, as the picture stacks them
    "weights": ("weights", "weights of layers at work"),
    "gradients, optimizer": ("trained weights in float32", "optimizer states", "gradients"),
    "activations": ("kept inputs of layers", "activations inside a layer", "attention scores", "logits"),
}
CARELESS = (
    "actor_rollout_ref.rollout.multi_turn.format=hermes",
    "actor_rollout_ref.model.use_remove_padding=true",
    "data.max_prompt_length=2048",
)


def plans(
    model: str,
    *,
    gpus: Sequence[int],
    episodes: int,
    tokens: int,
    machine: str = "h100-80gb",
    tuning: str = "full",
) -> list[Plan]:
    """A plan for each number of GPUs.

    Args:
        model: One of capacity's models, or the path of a config.json.
        gpus: Numbers of GPUs.
        episodes: Of a step: prompts times episodes of each.
        tokens: Of an episode, its prompt included.
        machine: One of capacity's machines.
        tuning: "full" or "lora"; the trained model makes room while episodes are written.
    """
    run = Run(gpus=max(gpus), episodes=episodes, tokens=tokens, tuning=tuning, offload=True)
    runs = [replace(run, gpus=number) for number in gpus]
    return [make_plan(model_named(model), _machine(machine), run) for run in runs]


def _machine(name: str) -> Machine:
    if name not in MACHINES:
        raise ValueError(f"machine {name!r} is unknown; use one of {', '.join(MACHINES)}")
    return MACHINES[name]


def plans_table(made: Sequence[Plan]) -> pd.DataFrame:
    """Memory and time of each plan; times rest on assumed speeds."""
    import pandas as pd

    rows = [
        {
            "GPUs": plan.run.gpus,
            "GiB of each": f"{plan.value('memory needed'):.0f} of {plan.machine.memory_gib:g}",
            "fits": "yes" if plan.fits else "no",
            "tokens a step": f"{plan.value('tokens of a step'):,.0f}",
            "minutes a step": f"{plan.value('a step') / 60:.0f}",
            f"hours for {plan.run.steps} steps": f"{plan.value('the run'):.0f}",
        }
        for plan in made
    ]
    return pd.DataFrame(rows)


def formulas(plan: Plan) -> Styler:
    """Where the memory of one GPU goes, each line with the numbers it is made of."""
    largest = sorted(plan.memory, key=lambda line: -line.value)[:10]
    rows = [(line.name, f"{line.value:,.1f} GiB", line.formula) for line in largest]
    return left_aligned(rows, ["of one GPU", "size", "formula"])


def plot_memory(made: Sequence[Plan]) -> Figure:
    """What a GPU holds while the model learns and while episodes are written; the line is what it has."""
    figure = new_figure(6.5, 3.2)
    axes = figure.subplots()
    places = range(len(made))
    below = [0.0] * len(made)
    for part, lines in UPDATING.items():
        sizes = [sum(plan.value(line) for line in lines) for plan in made]
        axes.bar([place - 0.2 for place in places], sizes, 0.38, below, label=f"learning: {part}")
        below = [low + size for low, size in zip(below, sizes, strict=True)]
    writing = [plan.value("while writing") for plan in made]
    axes.bar([place + 0.2 for place in places], writing, 0.38, label="writing: engine and its cache")
    axes.axhline(made[0].machine.memory_gib, color="black", linestyle=":", label="a GPU has")
    axes.set_xticks(list(places), [str(plan.run.gpus) for plan in made])
    axes.set(xlabel=f"GPUs ({made[0].model.name})", ylabel="GiB on each GPU, on paper")
    axes.legend(fontsize=8)
    return figure


def export_for_both(tasks: Sequence[Task], folder: Path) -> Styler:
    """The tasks as rows for verl and for SkyRL, with the files verl reads beside them."""
    from scaleout.skyrl.rows import retail_rows, write_rows
    from scaleout.verl.export import export

    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "tasks.jsonl"
    write_tasks(source, tasks)
    export([source], folder / "verl")
    write_rows(folder / "skyrl" / "train.parquet", retail_rows(tasks))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = [(str(path.relative_to(folder)), f"{path.stat().st_size / 1024:,.0f} KiB") for path in files]
    return left_aligned(rows, ["file", "size"])


def findings(careless: Sequence[str] = CARELESS) -> Styler:
    """What the checks say of both recipes as they are, and of verl's after careless changes."""
    from scaleout.skyrl.arguments import read_arguments
    from scaleout.skyrl.checks import mistakes
    from scaleout.verl.check import check

    rows = [("verl, as it is", one) for one in check(VERL_RECIPE).problems or ("nothing wrong found",)]
    found = mistakes(read_arguments(SKYRL_ARGUMENTS)) or ["nothing wrong found"]
    rows += [("SkyRL, as it is", one) for one in found]
    rows += [("verl, changed", one) for one in check(VERL_RECIPE, careless).problems]
    return left_aligned(rows, ["recipe", "what the check says"])


def commands(folder: Path) -> str:
    """What is typed on the GPU machine, in a virtual environment of each engine's own."""
    recipes, rows = VERL_RECIPE.parent, folder / "skyrl" / "train.parquet"
    return "\n".join(
        (
            "# verl",
            f"python -m scaleout.verl check {VERL_RECIPE} retail.data={folder / 'verl'} retail.model=MODEL",
            f"python -m verl.trainer.main_ppo --config-path={recipes} --config-name={VERL_RECIPE.stem} \\",
            f"    retail.data={folder / 'verl'} retail.model=MODEL",
            "# SkyRL",
            f"python -m scaleout.skyrl train {SKYRL_ARGUMENTS} \\",
            f"    data.train_data=\"['{rows}']\" trainer.policy.model.path=MODEL",
        )
    )


def read_results(folder: Path, run: Path) -> str:
    """A run's episodes, carried out and scored anew, as RUN/evaluation/*.jsonl; says what does not fit."""
    if (folder / "episodes").is_dir():
        from scaleout.verl.results import read_back

        out = run / "evaluation" / "verl.jsonl"
        return str(read_back(folder / "dumps" / "train", folder / "episodes", out, stage="verl"))
    from scaleout.skyrl.results import read_back as read_skyrl

    return "\n".join(map(str, read_skyrl(folder, run)))
