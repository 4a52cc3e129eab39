"""What no tool of the shop can do: the right end is a transfer to a human agent.

hand_over(case).actions      # (transfer_to_human_agents(summary="Ana Lopez (...) wants ..."),)
"""

from envs.retail.database import Record
from envs.retail.generation.identity import name_of
from envs.retail.generation.requests import Case, Request
from envs.retail.tasks import Action

HAND_OVERS = (
    (
        "I need the email address on my account changed to a new one.",
        "wants the account's email address changed",
    ),
    ("I got married and need my last name changed in my profile.", "wants the name in the profile changed"),
    ("I want my account deleted for good.", "wants the account deleted"),
    ("I forgot the password to your website and need it reset.", "needs a password reset"),
    ("Please add a new credit card to my profile.", "wants a new credit card added to the profile"),
    ("I have a coupon code that I want to use on a new order.", "wants a coupon used on a new order"),
    ("I want to place a new order over this chat.", "wants to place a new order"),
    (
        "One of your employees was rude to me on the phone and I want to file a complaint.",
        "complains about staff",
    ),
    ("I need an invoice with my company's tax number.", "needs an invoice with a tax number"),
    ("I'd like to apply for a business account.", "wants a business account"),
    ("I saw a lower price elsewhere and want a price match.", "asks for a price match"),
    ("A device I bought years ago broke, and I want it repaired under warranty.", "wants a warranty repair"),
    ("I want to talk about a partnership with your company.", "asks about a partnership"),
    ("My gift card got lost and I need a replacement card.", "needs a lost gift card replaced"),
    ("I was charged twice on my bank statement and want that investigated.", "reports a double bank charge"),
    (
        "Please put me through to a manager about your loyalty program.",
        "wants a manager about the loyalty program",
    ),
    ("I want to buy gift cards for my whole team.", "wants to buy gift cards in bulk"),
    (
        "The parcel service damaged my door, and I want to make a claim.",
        "claims damage by the parcel service",
    ),
)
TO_A_PERSON = (
    "",
    "If you can't do that, please connect me with somebody who can.",
    "A person may have to look at that.",
    "I'd like to speak to a human about it.",
    "Please pass me on if that's not your job.",
)


def hand_over(case: Case, order: Record | None = None) -> Request:
    """Something no tool can do, so that a human agent must."""
    words, summary = case.pick(HAND_OVERS)
    text = f"{name_of(case.user)} ({case.user_id}) {summary}."
    write = Action("transfer_to_human_agents", {"summary": text})
    words = f"{words} {case.pick(TO_A_PERSON)}".strip()
    return Request("hand-over", words, (write,), (), {}, ("policy",), hand_over=True)
