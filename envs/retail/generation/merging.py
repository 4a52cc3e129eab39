"""Several requests as one: said one after the other, told apart in the facts, their calls in a row.

merged(case, [cancel(case, order), return_items(case, other)])
"""

from collections.abc import Sequence
from typing import Any

from envs.retail.generation import phrases
from envs.retail.generation.requests import Case, Request

NEXT = (
    "One more thing.",
    "There's something else.",
    "And another matter.",
    "On top of that:",
    "Besides that:",
    "Apart from that:",
    "While we're at it:",
    "Also this:",
    "And then:",
    "A further point:",
    "That's not all.",
    "I have another request.",
)


def merged(case: Case, requests: Sequence[Request], *, later: bool = False) -> Request:
    """Several requests as one: words in this order, facts that say which order they are about.

    Args:
        case: The case.
        requests: In the order they are said; a hand-over must be the last.
        later: Whether the last one is said only when the agent asks what else there is.
    """
    *first, last = requests
    words, facts = [first[0].words], _merged_facts(requests)
    links = case.random.sample(NEXT, len(requests))
    words += [f"{link} {request.words}" for link, request in zip(links, first[1:], strict=False)]
    found = [found for request in requests for found in request.finds]
    if later:
        facts["preferences"] = [*facts.get("preferences", ()), f"{links[-1]} {last.words}"]
        found.append("second request")
    else:
        words.append(f"{links[-1]} {last.words}")
    return Request(
        family=" + ".join(request.family for request in requests),
        words=" ".join(words),
        actions=tuple(action for request in requests for action in request.actions),
        outputs=tuple(dict.fromkeys(output for request in requests for output in request.outputs)),
        facts=facts,
        finds=tuple(dict.fromkeys(found)),
        refused=any(request.refused for request in requests),
        hand_over=any(request.hand_over for request in requests),
    )


def _merged_facts(requests: Sequence[Request]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    order_ids = [order_id for request in requests for order_id in request.facts.get("order_ids", ())]
    wishes = [wish for request in requests for wish in request.facts.get("preferences", ())]
    if order_ids:
        facts["order_ids"] = list(dict.fromkeys(order_ids))
    for key in ("reason", "payment_method", "address", "items"):
        told = [(request.facts[key], _subject(request)) for request in requests if key in request.facts]
        if len({text for text, _ in told}) == 1:
            facts[key] = told[0][0]
        elif told:
            facts[key] = phrases.listed(f"{text} ({subject})" for text, subject in told)
    if wishes:
        facts["preferences"] = wishes
    return facts


def _subject(request: Request) -> str:
    """What a fact is about, where several are told in one breath."""
    for action in reversed(request.actions):
        if "order_id" in action.arguments:
            return f"for order {action.arguments['order_id']}"
    return "for my profile"
