"""The one module every notebook imports: names from the project, no logic of its own, no torch on import.

| notebook | uses |
| --- | --- |
| 00 meet the shop | Shop, RetailEnv, ScriptedCustomer, Action, TOOLS, read_tasks, run_folder, write_summary |
| 00, to look at | shop_table, show_policy, tools_table, show_episode, difference_table, compare_behaviours |
| 00, to time | time_shop, plot_speed |
| any, with a model as customer | LLMCustomer |
| any, reading an earlier one's numbers | read_summary |
| your own tasks | Task, write_tasks |

Whatever needs torch or transformers imports it when called, so `import helpers` stays fast.
"""

from envs.retail.customer import LLMCustomer, ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.environment import RetailEnv
from envs.retail.tasks import Action, Task, read_tasks, write_tasks
from envs.retail.tools import TOOLS
from pipeline.report import (
    compare_behaviours,
    difference_table,
    plot_speed,
    shop_table,
    show_episode,
    show_policy,
    tools_table,
)
from pipeline.runs import read_summary, run_folder, write_summary
from pipeline.speed import time_shop

__all__ = [
    "TOOLS",
    "Action",
    "LLMCustomer",
    "RetailEnv",
    "ScriptedCustomer",
    "Shop",
    "Task",
    "compare_behaviours",
    "difference_table",
    "plot_speed",
    "read_summary",
    "read_tasks",
    "run_folder",
    "shop_table",
    "show_episode",
    "show_policy",
    "time_shop",
    "tools_table",
    "write_summary",
    "write_tasks",
]
