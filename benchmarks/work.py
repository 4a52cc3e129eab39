"""What the benchmark does: a working call of every tool in any shop, and tasks where none were given.

example_calls(shop)["cancel_pending_order"]["order_id"]
spread(load_tasks(Path("data/dataset.jsonl")), 10)
"""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.worlds import World, gold_episode
from envs.retail.database import Shop
from envs.retail.tasks import Action, Task, read_tasks
from envs.retail.tools import TOOLS, WRITE, call
from pipeline.runs import ROOT


def example_calls(shop: Shop) -> dict[str, dict[str, Any]]:
    """For each tool a situation in which it succeeds, from the middle of the shop."""
    found = {}
    for name in TOOLS:
        for values in _situations(shop):
            answer = call(shop.open(), name, arguments_of(name, values))
            if not answer.startswith("Error"):
                found[name] = values
                break
        else:
            raise SystemExit(f"this shop has no order that {name} would work on; give another with --data")
    return found


def arguments_of(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Of a situation's values those that a tool takes."""
    return {parameter: values[parameter] for parameter in TOOLS[name].kinds}


def _situations(shop: Shop) -> Iterator[dict[str, Any]]:
    """A value for every parameter there is, around each order and payment method."""
    order_ids = list(shop.orders)
    middle = len(order_ids) // 2
    for order_id in order_ids[middle:] + order_ids[:middle]:
        order = shop.orders[order_id]
        user, item = shop.users[order["user_id"]], order["items"][0]
        variants = shop.products[item["product_id"]]["variants"].values()
        others = [v["item_id"] for v in variants if v["available"] and v["item_id"] != item["item_id"]]
        for method in user["payment_methods"]:
            yield {
                "order_id": order_id,
                "user_id": order["user_id"],
                "product_id": item["product_id"],
                "email": user["email"],
                **user["name"],
                **user["address"],
                "reason": "no longer needed",
                "item_ids": [item["item_id"]],
                "new_item_ids": others[:1],
                "payment_method_id": method,
                "expression": "(12.50 + 3 * 4.25) / 2",
                "thought": "The order is still pending.",
                "summary": "The customer wants something no tool can do.",
            }


def example_tasks(shop: Shop, count: int) -> list[Task]:
    """Tasks for a shop that came without: find the customer, look at profile and order, change it once."""
    examples = example_calls(shop)
    writes = [name for name in examples if TOOLS[name].kind == WRITE]
    tasks = []
    for index in range(count):
        write = writes[index % len(writes)]
        values = examples[write]
        names = ("find_user_id_by_email", "get_user_details", "get_order_details", write)
        actions = [Action(name, arguments_of(name, values)) for name in names]
        tasks.append(Task(f"example/{index}", f"Please: {write}", tuple(actions), customer=values["user_id"]))
    return tasks


def held_out_tasks() -> list[Task]:
    """The project's own test tasks."""
    return read_tasks(ROOT / "data" / "test.jsonl")


def spread(tasks: Sequence[Task], count: int) -> list[Task]:
    """At most `count` of the tasks, evenly from all of them."""
    count = min(count, len(tasks))
    return [tasks[len(tasks) * number // count] for number in range(count)]


def require_same_work(worlds: Sequence[World], examples: dict[str, dict[str, Any]]) -> None:
    """Refuse to compare worlds that answer a tool or reward an episode differently."""
    for name, values in examples.items():
        arguments = arguments_of(name, values)
        places = [world.fresh(1, values["order_id"], values["user_id"])[0] for world in worlds]
        answers = {world.call(place, name, arguments) for world, place in zip(worlds, places, strict=True)}
        if len(answers) > 1:
            raise SystemExit(f"{name} is answered differently, so its times cannot be compared: {answers}")
    for index in range(len(worlds[0].actions)):
        rewards = {gold_episode(world, world.open(index), index) for world in worlds}
        if len(rewards) > 1:
            raise SystemExit(f"task {index} is rewarded differently, so its times cannot be compared")
