"""A task as a row of verl's parquet files, and back.

    row = to_row(task, index=0, loop="retail_agent")
    task_of(row["extra_info"]["tools_kwargs"]) == task

verl's columns are fixed: who plays the episode (`agent_name`), the prompt as chat messages, the right
answer as text, and `extra_info`. A task stands in a row as one JSON text: as an arrow structure, the
arguments of all gold actions would be filled up with nulls until each had the arguments of all others.
"""

import json
from collections.abc import Mapping
from typing import Any

from envs.retail.domain import RETAIL
from envs.retail.tasks import Task

LOOPS = {  # agent_name -> what it is
    "retail_agent": "our own loop, in which the scripted customer answers (harmony models)",
    "retail_tools": "verl's loop for tools with a full account; the first words to the customer end it",
    "tool_agent": "verl's loop for tools as it is; an episode without a call leaves no account",
}
DATA_SOURCE = "retail"
TASK = "task"  # where tools and loops find the task in `tools_kwargs`


def to_row(task: Task, index: int, loop: str = "retail_agent") -> dict[str, Any]:
    """One row.

    Args:
        task: The task.
        index: Its number, different from that of every other row of the run.
        loop: Who plays the episode: one of `LOOPS`.
    """
    text = json.dumps(task.to_json(), ensure_ascii=False)
    return {
        "data_source": DATA_SOURCE,
        "agent_name": loop,
        "prompt": [
            {"role": "system", "content": RETAIL.policy},
            {"role": "user", "content": task.query},
        ],
        "ability": "tool",
        "reward_model": {"style": "rule", "ground_truth": text},
        "extra_info": {
            "split": task.split,
            "index": index,
            "task_id": task.id,
            "level": task.level,
            "mode": "agent",
            "need_tools_kwargs": True,
            "tools_kwargs": {TASK: text},
        },
    }


def task_of(tools_kwargs: Mapping[str, Any] | None) -> Task:
    """The task of a row, from what verl hands to loops and tools."""
    text = (tools_kwargs or {}).get(TASK)
    if not isinstance(text, str):
        raise ValueError(
            "the row has no task in extra_info.tools_kwargs: "
            "write the data with `python -m scaleout.verl export`"
        )
    return Task.from_json(json.loads(text))
