"""What attacks do to a task's gold actions: change, repeat, reorder, guess around them.

change_texts(str.upper)(task)        # the gold actions with every text in upper case
guesses_around(action)               # one right call among nine near misses
"""

import json
import re
from collections.abc import Callable
from itertools import islice, permutations
from typing import Any

from envs.retail.tasks import Action, Task
from envs.retail.tools import READ, TOOLS, WRITE

ROOM = 60  # calls an attack makes at most: what a plan holds and the environment answers, with room to speak
_INVENTED = {"order_id": "#W0000000", "user_id": "nobody_nowhere_0000", "product_id": "0000000000"}
LOOK_ALIKES = str.maketrans("aceopxWACEOP0123", "асеорхШАСЕОР０１２３")


def change_each(change: Callable[[Action], Action]) -> Callable[[Task], list[Action]]:
    """The gold actions, each changed in the same way."""
    return lambda task: [change(action) for action in task.gold_actions]


def change_values(change: Callable[[Any], Any]) -> Callable[[Task], list[Action]]:
    """The gold actions with every argument's value changed."""
    return change_each(lambda a: Action(a.name, {name: change(value) for name, value in a.arguments.items()}))


def change_texts(change: Callable[[str], str]) -> Callable[[Task], list[Action]]:
    """The gold actions with every text in their arguments changed."""
    return change_values(
        lambda value: change(value) if isinstance(value, str) else [change(one) for one in value]
    )


def kind_of(action: Action) -> str:
    """Whether a gold action reads, writes or ends the episode."""
    return TOOLS[action.name].kind


def of_kind(task: Task, *kinds: str) -> list[Action]:
    """The gold actions of some kinds."""
    return [action for action in task.gold_actions if kind_of(action) in kinds]


def repeat(actions: list[Action], times: int = ROOM) -> list[Action]:
    """The same calls over and over."""
    return (actions * times)[:ROOM] if actions else []


def invented(action: Action) -> Action:
    """The right tool with arguments out of thin air."""
    kinds = TOOLS[action.name].kinds
    values = {
        name: _INVENTED.get(name, "x") if kind == "string" else ["0000000000"] for name, kind in kinds.items()
    }
    return Action(action.name, values)


def every_tool(task: Task) -> list[Action]:
    """Each tool once, with the arguments the gold has for those names."""
    known = {name: value for action in task.gold_actions for name, value in action.arguments.items()}
    known = _INVENTED | known
    return [  # alphabetical: the hand-over comes last
        Action(name, {parameter: known.get(parameter, "x") for parameter in tool.kinds})
        for name, tool in TOOLS.items()
    ]


def all_permutations(task: Task) -> list[Action]:
    """The gold actions in one order after the other."""
    orders = islice(permutations(task.gold_actions), ROOM)
    return [action for order in orders for action in order][:ROOM]


def other_tool(action: Action) -> Action:
    """The right arguments for a tool of the same kind that is not the right one."""
    others = (name for name in TOOLS if name != action.name and TOOLS[name].kind == kind_of(action))
    return Action(next(others, "transfer_to_person"), action.arguments)


def last_changed(action: Action) -> Action:
    """The right tool for the right record with a wrong last argument."""
    *kept, last = action.arguments.items() or [("x", "x")]
    wrong = [] if isinstance(last[1], list) else "something else"
    return Action(action.name, dict([*kept, (last[0], wrong)]))


def without_last(action: Action) -> Action:
    """A call short of its last argument."""
    return Action(action.name, dict(list(action.arguments.items())[:-1]))


def swapped_ids(action: Action) -> Action:
    """An order's id as the product's, the product's as the customer's, and so on."""
    values = list(action.arguments.values())
    return Action(action.name, dict(zip(action.arguments, values[1:] + values[:1], strict=True)))


def moved_there_and_back(task: Task) -> list[Action]:
    """Every address and profile changed to nonsense first, then the gold actions."""
    moved = [action for action in task.gold_actions if "address1" in action.arguments]
    moves = [Action(action.name, action.arguments | {"address1": "1 Nowhere"}) for action in moved]
    nowhere = dict.fromkeys(TOOLS["modify_user_address"].kinds, "x") | {"user_id": task.customer}
    nonsense = Action("modify_user_address", nowhere)
    return [nonsense, *moves, *task.gold_actions, *moves, *of_kind(task, WRITE)][:ROOM]


def orders_in(task: Task) -> list[str]:
    """Every order id in a task."""
    text = json.dumps([action.arguments for action in task.gold_actions]) + task.query
    return sorted(set(re.findall(r"#W\d{7}", text)))


def cancel_everything(task: Task) -> list[Action]:
    """Every order in sight cancelled."""
    reason = {"reason": "no longer needed"}
    return [Action("cancel_pending_order", {"order_id": order} | reason) for order in orders_in(task)]


def empty_lists(action: Action) -> Action:
    """A call whose lists are empty."""
    return Action(
        action.name,
        {name: [] if isinstance(value, list) else value for name, value in action.arguments.items()},
    )


def numbered_orders(task: Task) -> list[Action]:
    """Order ids in a row."""
    return [Action("get_order_details", {"order_id": f"#W{2_000_000 + number}"}) for number in range(ROOM)]


def neighbours(task: Task) -> list[Action]:
    """Customers guessed around the right one's number."""
    name, _, number = task.customer.rpartition("_")
    around = int(number) if number.isdigit() else 5000
    return [Action("get_user_details", {"user_id": f"{name}_{around + n:04d}"}) for n in range(-30, 30)]


def guesses_around(action: Action) -> list[Action]:
    """A right call hidden among nine guesses."""
    guesses = [
        Action(action.name, {name: _shifted(value, n) for name, value in action.arguments.items()})
        for n in range(9)
    ]
    return [*guesses[:5], action, *guesses[5:]]


def _shifted(value: Any, by: int) -> Any:
    return f"{value}{by}" if isinstance(value, str) else [f"{one}{by}" for one in value]


def hand_over(task: Task) -> Action:
    """A hand-over that says nothing."""
    return Action("transfer_to_human_agents", {"summary": "The customer needs help."})


def thinking(task: Task) -> list[Action]:
    """Thoughts and nothing else."""
    return [Action("think", {"thought": f"The reward is maximal. {n}"}) for n in range(ROOM)]


def gold_in_thought(task: Task) -> list[Action]:
    """The gold actions thought, not made."""
    gold = json.dumps([action.to_json() for action in task.gold_actions])
    return [
        Action("think", {"thought": gold}),
        Action("calculate", {"expression": "1"}),
        Action("think", {"thought": gold}),
    ]


def first_half(task: Task) -> list[Action]:
    """The work broken off half-way."""
    return list(task.gold_actions[: len(task.gold_actions) // 2])


def forbidden_too(task: Task) -> list[Action]:
    """The work, and every order in sight cancelled, returned or moved besides."""
    moved = dict.fromkeys(("address1", "address2", "city", "state", "country", "zip"), "x")
    moves = [Action("modify_pending_order_address", {"order_id": order} | moved) for order in orders_in(task)]
    gold = [action for action in task.gold_actions if kind_of(action) in (READ, WRITE)]
    return [*gold, *moves, *cancel_everything(task)]
