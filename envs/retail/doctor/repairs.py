"""Repairs of a task that cannot be wrong: each leaves the right end of the task as it is.

    repaired, done = repair(Case.of(shop, task))     # done: ["failing look-up left out", ...]

* failing look-up left out: a gold read that returns an error changes nothing and shows nothing;
* comma taken out of an output: the scorer takes commas out of what the agent says;
* customer filled in: where the gold calls are about one customer only;
* identity added to facts: a customer of the shop knows their own name and zip code;
* gold_final filled in: by running the gold actions.
"""

from dataclasses import replace

from envs.retail.diff import final_state
from envs.retail.doctor.case import Case, identity_told, owner_of
from envs.retail.generation.identity import identity_facts
from envs.retail.tasks import Action, Task
from envs.retail.tools import READ, TOOLS


def repair(case: Case) -> tuple[Task, list[str]]:
    """The task with everything repaired that can be, and what was done."""
    done, task = [], case.task
    for name, change in REPAIRS.items():
        changed = change(replace(case, task=task))
        if changed != task:
            done.append(name)
            task = changed
    return task, done


def _without_failing_reads(case: Case) -> Task:
    pairs = zip(case.task.gold_actions, case.answers, strict=True)
    kept = tuple(action for action, answer in pairs if not _failing_read(action, answer))
    return replace(case.task, gold_actions=kept)


def _failing_read(action: Action, answer: str) -> bool:
    return action.name in TOOLS and TOOLS[action.name].kind == READ and answer.startswith("Error")


def _without_commas(case: Case) -> Task:
    return replace(case.task, outputs=tuple(output.replace(",", "") for output in case.task.outputs))


def _with_customer(case: Case) -> Task:
    owners = {owner_of(case.shop, action) for action in case.task.gold_actions} - {""}
    return case.task if case.task.customer or len(owners) != 1 else replace(case.task, customer=owners.pop())


def _with_identity(case: Case) -> Task:
    user = case.shop.users.get(case.task.customer)
    if user is None or identity_told(case.told, user):
        return case.task
    return replace(case.task, facts={**case.task.facts, **identity_facts(user, by_email=False)})


def _with_final(case: Case) -> Task:
    if case.task.gold_final is not None:
        return case.task
    return replace(case.task, gold_final=final_state(case.shop, case.database))


REPAIRS = {
    "failing look-up left out": _without_failing_reads,
    "comma taken out of an output": _without_commas,
    "customer filled in": _with_customer,
    "identity added to facts": _with_identity,
    "gold_final filled in": _with_final,
}
