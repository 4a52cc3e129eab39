"""The one module every notebook imports: names from the project, no logic of its own, no torch on import.

| notebook | uses |
| --- | --- |
| all | run_folder, write_summary, report (tables, episodes, plots; a module) |
| 00 meet the shop | Shop, RetailEnv, ScriptedCustomer, Action, TOOLS, read_tasks, time_shop |
| 01 prepare the tasks | generate, doctor, make_shop, run_import, sft_rows, real_vocabulary, write_tasks |
| 01, to look at | task_report (examples, spreads, lengths, splits; a module) |
| 02 sft warm-up | resolve, load_model, task_sets, sft (training), steps (single calls; modules) |
| 02, to look at | live_curves, training_report (settings, losses, before and after; a module) |
| 03 grpo | load_model, task_sets, grpo (arguments, training, serving; a module), live_curves |
| 03, to look at | grpo_report (what is paid, curves, gains, collapse; a module) |
| 04 evaluate and compare | evaluate (serving, recording, scoring again; a module) |
| 04, to look at | evaluation_report (verdict, comparison, failures, levels; a module) |
| 07 sweep | sweep (grid, runs, ranking; a module) |

Whatever needs torch or transformers imports it when called, so `import helpers` stays fast.
"""

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.generator import generate
from envs.retail.importers import run_import
from envs.retail.make_shop import make_shop
from envs.retail.tasks import Action, read_tasks, write_tasks
from envs.retail.tools import TOOLS
from envs.retail.validate import doctor
from pipeline import (
    evaluate,
    evaluation_report,
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
from pipeline.datasets import real_vocabulary, sft_rows
from pipeline.model import load_model
from pipeline.runs import run_folder, write_summary
from pipeline.speed import time_shop

__all__ = [
    "TOOLS",
    "Action",
    "RetailEnv",
    "ScriptedCustomer",
    "Shop",
    "doctor",
    "evaluate",
    "evaluation_report",
    "generate",
    "grpo",
    "grpo_report",
    "live_curves",
    "load_model",
    "make_shop",
    "read_tasks",
    "real_vocabulary",
    "report",
    "resolve",
    "run_folder",
    "run_import",
    "sft",
    "sft_rows",
    "steps",
    "sweep",
    "task_report",
    "task_sets",
    "time_shop",
    "training_report",
    "write_summary",
    "write_tasks",
]
