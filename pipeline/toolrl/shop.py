"""The shop's own steps written as ToolRL writes its rows, for whoever has no `rlla` data at hand.

    folder = write_shop_rows(shop, {"train": train_tasks, "test": test_tasks}, run / "rlla")
    convert_folder(folder, run / "rlla_gpt")             # from here on as with the public data

Each of a demonstration's turns becomes a row: a system prompt with the tools as text, the dialogue so far and
the right answer in tags, in the columns of ToolRL's parquet files. Each row declares the tool it needs among
others drawn by chance. In one of four tasks the first row asks for both look-ups at once, so that there
are rows with several calls, as in the public data.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from envs.retail.database import Shop
from envs.retail.files import whole_file
from envs.retail.tasks import Task
from envs.retail.tools import READ, TOOLS
from pipeline.datasets import plannable_actions
from pipeline.demonstrations import demonstrate
from pipeline.harmony import Analysis, Call, Final, Message, ToolResult, User

DECLARED = 3  # tools of a row, the needed ones among them
SEVERAL = 0.25  # share of tasks whose first row makes several calls
OPENING = "You serve the customers of an online shop, with tools where you need them."
FORMAT = """**Steps for Each Turn**
Think first, then call tools or reply.

**Output Format**
<think> your thoughts </think>
<tool_call>
{"name": "a tool", "parameters": {"a parameter": "its value"}}
</tool_call>
<response> your reply </response>"""
BOTH = "I need to know who the customer is, and I can look at the order at once."


def write_shop_rows(shop: Shop, tasks: Mapping[str, Sequence[Task]], folder: Path) -> Path:
    """Write train.parquet and test.parquet; returns their folder.

    Args:
        shop: The shop the tasks are about.
        tasks: "train" and "test" with their tasks.
        folder: Where the files go.
    """
    from pyarrow import Table, parquet

    for split, chosen in tasks.items():
        table = Table.from_pylist(list(shop_rows(shop, chosen, split)))
        with whole_file(folder / f"{split}.parquet") as out:
            parquet.write_table(table, out.buffer)
    return folder


def shop_rows(shop: Shop, tasks: Iterable[Task], split: str = "train") -> Iterator[dict[str, Any]]:
    """The steps of the tasks as ToolRL's rows."""
    steps = (step for task in tasks for step in _steps(shop, task))
    for index, (chance, before, answer) in enumerate(steps):
        system = f"{OPENING}\n\n{_tools(answer, chance)}\n\n{FORMAT}"
        user = "**Dialogue Records History**\n" + _tagged(before)
        yield {
            "data_source": "rlla",
            "prompt": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "ability": "math",  # what the public files hold here
            "reward_model": {"ground_truth": _tagged(answer), "style": "rule"},
            "extra_info": {"index": index, "split": split},
        }


def _steps(shop: Shop, task: Task) -> Iterator[tuple[Random, list[Message], list[Message]]]:
    """Each turn of a task's demonstration: its source of chance, what came before, and what is right now."""
    chance = Random(f"toolrl/{task.id}")
    messages = list(demonstrate(shop, task, thoughts=True).messages)
    at_once = [action for action in plannable_actions(task) if TOOLS[action.name].kind == READ][:2]
    if len(at_once) == 2 and chance.random() < SEVERAL:
        yield chance, messages[:1], [Analysis(BOTH), *(Call(one.name, one.arguments) for one in at_once)]
    for place, message in enumerate(messages):
        if isinstance(message, Call | Final):
            yield chance, messages[: place - 1], messages[place - 1 : place + 1]


def _tools(answer: Sequence[Message], chance: Random) -> str:
    needed = [message.name for message in answer if isinstance(message, Call)]
    others = chance.sample([name for name in TOOLS if name not in needed], DECLARED - len(needed))
    chosen = chance.sample(needed + others, DECLARED)
    blocks = [_declared(number, name) for number, name in enumerate(chosen, 1)]
    return "**Available Tools**\nIn your response, you can use the following tools:\n" + "\n".join(blocks)


def _declared(number: int, name: str) -> str:
    function = TOOLS[name].schema["function"]
    parameters = {
        key: {"description": spec.get("description", ""), "type": spec["type"]}
        for key, spec in function["parameters"]["properties"].items()
    }
    described = function["description"].split(". ")[0].rstrip(".")
    return f"{number}. Name: {name}\nDescription: {described}.\nParameters: {json.dumps(parameters)}"


def _tagged(messages: Sequence[Message]) -> str:
    """Messages in ToolRL's tags; calls that follow each other stand in one block."""
    lines: list[str] = []
    for place, message in enumerate(messages):
        match message:
            case User(text):
                lines.append(f"<user> {text} </user>\n")
            case Analysis(text):
                lines.append(f"<think> {text} </think>")
            case ToolResult(_, text):
                lines.append(f"<obs> {text} </obs>\n")
            case Final(text):
                lines.append(f"<response> {text} </response>\n")
            case Call(name, arguments):
                lines += [] if _is_call(messages, place - 1) else ["<tool_call>"]
                lines.append(json.dumps({"name": name, "parameters": arguments}, ensure_ascii=False))
                lines += [] if _is_call(messages, place + 1) else ["</tool_call>"]
    return "\n".join(lines).rstrip("\n")


def _is_call(messages: Sequence[Message], place: int) -> bool:
    return 0 <= place < len(messages) and isinstance(messages[place], Call)
