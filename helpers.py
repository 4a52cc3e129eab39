"""The one module every notebook imports: names from the project, no logic of its own, no torch on import.

| notebook | uses |
| --- | --- |
| all | run_folder, write_summary |
| most | Shop, resolve (the settings), task_sets (task files, splits), report (to look at; modules) |
| 00 meet the shop | RetailEnv, ScriptedCustomer, Action, time_shop |
| 01 prepare the tasks | generate, doctor, make_shop, Action, datasets (rows; a module) |
| 01, 02, to look at | task_report (examples, spreads, lengths, splits, tokens; a module) |
| 02 sft warm-up | load_model, sft (training), steps (single calls; modules) |
| 02, to look at | live_curves, training_report (settings, losses, before and after; a module) |
| 03 grpo | load_model, grpo (arguments, training, serving; a module) |
| 03, to look at | live_curves, training_report, grpo_report (what is paid, gains, collapse; a module) |
| 04 evaluate and compare | evaluate (serving, recording, scoring again; a module) |
| 04, to look at | evaluation_report (verdict, comparison, failures, levels; a module) |
| 05 export and chat | load_model, evaluate, export (writing, comparing), chat (you are served; modules) |
| 06 toolrl in harmony | load_model, toolrl_training (converting, training; a module) |
| 06, to look at | live_curves, training_report, toolrl_report (a module) |
| 07 sweep | sweep (grid, runs, ranking; a module) |
| 08 scale out | load_model, scale_out (plans, exports, checks, results of verl and SkyRL; a module) |

Whatever needs torch or transformers imports it when called, so `import helpers` stays fast.
"""

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.generator import generate
from envs.retail.make_shop import make_shop
from envs.retail.tasks import Action
from envs.retail.validate import doctor
from pipeline import (
    chat,
    datasets,
    evaluate,
    evaluation_report,
    export,
    grpo,
    grpo_report,
    report,
    sft,
    steps,
    sweep,
    task_report,
    task_sets,
    training_report,
)
from pipeline.callbacks import live_curves
from pipeline.config import resolve
from pipeline.model import load_model
from pipeline.runs import run_folder, write_summary
from pipeline.speed import time_shop
from pipeline.toolrl import report as toolrl_report
from pipeline.toolrl import training as toolrl_training
from scaleout import overview as scale_out

__all__ = [
    "Action",
    "RetailEnv",
    "ScriptedCustomer",
    "Shop",
    "chat",
    "datasets",
    "doctor",
    "evaluate",
    "evaluation_report",
    "export",
    "generate",
    "grpo",
    "grpo_report",
    "live_curves",
    "load_model",
    "make_shop",
    "report",
    "resolve",
    "run_folder",
    "scale_out",
    "sft",
    "steps",
    "sweep",
    "task_report",
    "task_sets",
    "time_shop",
    "toolrl_report",
    "toolrl_training",
    "training_report",
    "write_summary",
]
