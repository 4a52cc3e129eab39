"""What a language model that plays a customer is told: who it is, how to play, and how a reply is judged.

    describe_customer(task)      # "You are Ana Lopez, a customer. ..."; goes into RULES, VERIFY and REFLECT

A task's gold actions, outputs and right end stay out of it.
"""

from typing import Any

from envs.retail.environment import STOP
from envs.retail.tasks import Task

RULES = f"""You play a customer who is talking to a service agent of a shop. Stay in this role.

{{customer}}

How to play:
- Write one short message at a time, as a person would type it.
- Say only what this step of the conversation needs; do not tell everything at once.
- Never make anything up. What is not written above you do not know: say that you do not remember it.
- Use your own words instead of repeating the text above; keep to your character.
- When everything you came for is settled, answer with {STOP} and nothing else."""

THINK_FIRST = """

Write every message in this form:
Thought: <what you consider, for yourself only>
User Response: <what you say to the agent>"""

VERIFY = """You check how well somebody plays a customer of a shop.

What the customer wants and knows:
{customer}

The conversation so far:
{transcript}

The reply the customer is about to give:
Customer: {draft}

Is this reply right: true to what the customer wants and knows, nothing made up, nothing told too early, \
natural, and {stop} exactly when everything is settled? Say why in one sentence, then end with a line \
"Verdict: true" or "Verdict: false"."""

REFLECT = """You help somebody to play a customer of a shop better.

What the customer wants and knows:
{customer}

The conversation so far:
{transcript}

The reply the customer was about to give, which a check has rejected:
Customer: {draft}

Say in one or two sentences what is wrong with it, then write a better reply after "Response:"."""


def describe_customer(task: Task) -> str:
    """Who the model plays and what it may tell, in the second person; nothing but the query and the facts."""
    facts = {name: _spoken(value) for name, value in task.facts.items()}
    name = facts.pop("name", "")
    confirm, note = facts.pop("confirm", ""), facts.pop("confirm_note", "")
    wishes = facts.pop("preferences", "")
    lines = [f"You are {name}, a customer." if name else "You are a customer."]
    lines.append(f"What you want: {task.query}")
    for key, value in facts.items():
        if value:
            lines.append(f"If asked, you can tell your {key.replace('_', ' ')}: {value}")
    if wishes:
        lines.append(f"You tell this only when it matters: {wishes}")
    if confirm.lower() == "no":
        lines.append("When the agent asks you to confirm a step, you say no.")
    elif confirm.lower() not in ("", "yes"):
        lines.append(f"When the agent asks you to confirm a step, you say: {confirm}")
    if note:
        lines.append(f"When you answer a request to confirm, you also say: {note}")
    return "\n".join(lines)


def _spoken(value: Any) -> str:
    values = value if isinstance(value, list | tuple) else [value]
    return "; ".join(str(one) for one in values if one is not None)
