"""What a model that plays a customer is told of a task: in the second person, complete, and no more."""

import pytest

from envs.retail.customer_role import describe_customer
from envs.retail.tasks import Task

TASK = Task(
    "t",
    "I'd like to cancel my order.",
    (),
    facts={
        "name": "Ana Lopez",
        "zip": "98765",
        "order_ids": ["#W1234567"],
        "preferences": ["If it is too late, return it."],
        "confirm": "no",
        "confirm_note": "I must think about it.",
    },
)


def test_the_description_is_in_the_second_person_and_complete():
    assert describe_customer(TASK) == (
        "You are Ana Lopez, a customer.\n"
        "What you want: I'd like to cancel my order.\n"
        "If asked, you can tell your zip: 98765\n"
        "If asked, you can tell your order ids: #W1234567\n"
        "You tell this only when it matters: If it is too late, return it.\n"
        "When the agent asks you to confirm a step, you say no.\n"
        "When you answer a request to confirm, you also say: I must think about it."
    )
    assert describe_customer(Task("t", "Help me.", ())) == "You are a customer.\nWhat you want: Help me."


@pytest.mark.parametrize(
    ("confirm", "line"),
    [("yes", ""), (None, ""), ("No", " no."), ("Only if it is free.", ": Only if it is free.")],
)
def test_the_description_says_what_is_answered_to_who_asks_for_a_yes(confirm: str | None, line: str):
    told = describe_customer(Task("t", "Help me.", (), facts={"confirm": confirm}))
    line = line and f"\nWhen the agent asks you to confirm a step, you say{line}"
    assert told == f"You are a customer.\nWhat you want: Help me.{line}"
