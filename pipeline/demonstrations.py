"""How a good agent serves a task: the gold actions with all that belongs around them, to learn from.

A task's gold actions say what to do, not how one comes to know it. The demonstrator plays the episode in the
real environment: it asks the customer for what the next call needs and nobody has said yet, asks for a yes
before it changes anything, makes the calls, and tells the customer what came of it. An episode that does not
earn the full reward is not a demonstration; `demonstrate` raises then, it never teaches a failure.

    demonstration = demonstrate(shop, task)
    demonstration.messages     # after system and developer: User, Call, ToolResult, Final, …
    demonstration.episode      # the same as the environment saw it
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from envs.domain import TERMINATE, WRITE, Domain
from envs.retail.customer import ScriptedCustomer
from envs.retail.domain import RETAIL, domain_of
from envs.retail.environment import Episode, RetailEnv
from envs.retail.reach import unreachable_values
from envs.retail.tasks import RESPOND, Action, Task
from envs.world import World
from pipeline.harmony import Analysis, Call, Final, Message, ToolResult, User

CLOSING = "Is there anything else I can help you with?"
MAX_CLOSINGS = 6
CONFIRMED_LEVELS = (1, 2)  # there the query itself says to go ahead

_QUESTIONS = {  # parameter -> what to ask when its value is not known yet
    "email": "Could you please give me your email address?",
    "first_name": "Could you please tell me your first name, last name and zip code?",
    "order_id": "Which order is this about? Please give me the order number.",
    "reason": "What is the reason: is the order no longer needed, or was it ordered by mistake?",
    "item_ids": "Which items is this about?",
    "new_item_ids": "Which options would you like instead?",
    "payment_method_id": "Which payment method would you like to use?",
    "address1": "What is the full address?",
}
_SAME_QUESTION = {"last_name": "first_name", "zip": "first_name"} | dict.fromkeys(
    ("address2", "city", "state", "country"), "address1"
)
_THOUGHTS = {
    "find_user_id_by_email": "First I need to know who the customer is.",
    "find_user_id_by_name_zip": "First I need to know who the customer is.",
    "get_user_details": "I need the customer's profile.",
    "get_order_details": "I need to look at the order.",
    "get_product_details": "I need to see which variants there are.",
    "list_all_product_types": "I need the product's id.",
    "calculate": "I should work this out exactly.",
    "transfer_to_human_agents": "None of my tools can do this.",
}
_ACTING = "Everything is known and agreed, so I can do it now."
_TELLING = "Now I tell the customer."
_PLANS = {
    "cancel_pending_order": "cancel order {order_id} ({reason})",
    "modify_pending_order_address": "send order {order_id} to {address1}, {city}, {state} {zip}",
    "modify_pending_order_items": "change the items of order {order_id}, using {payment_method_id}",
    "modify_pending_order_payment": "pay order {order_id} with {payment_method_id}",
    "exchange_delivered_order_items": "exchange items of order {order_id}, using {payment_method_id}",
    "return_delivered_order_items": "return items of order {order_id}, refunded to {payment_method_id}",
    "modify_user_address": "change your default address to {address1}, {city}, {state} {zip}",
}


class NotDemonstrable(ValueError):
    """The demonstrator could not serve a task so that it earns its reward; says why."""


@dataclass(frozen=True)
class Demonstration:
    """One episode worth learning from."""

    task: Task
    messages: tuple[Message, ...]
    episode: Episode


def demonstrate(shop: World, task: Task, *, thoughts: bool = False, tells: bool = True) -> Demonstration:
    """Serve a task with its gold actions, asking the scripted customer for what is missing.

    Args:
        shop: The shop the task is about.
        task: The task.
        thoughts: Put a short analysis message before each of the agent's turns; an answer is thought anyway.
        tells: Whether the agent tells what was asked, or finds it, thinks it, and keeps it to itself. Gold
            actions are calls without words: that an answer is wanted, only the reward can teach.
    """
    customer = ScriptedCustomer() if domain_of(shop).converses else None
    player = _Demonstrator(RetailEnv(shop, task, customer, max_steps=100), thoughts, tells)
    player.play()
    score = player.env.score()
    if score.reward != 1.0 and (tells or not score.database_equal or not player.env.done):
        told = f", never told {score.missing_outputs}" if score.missing_outputs else ""
        raise NotDemonstrable(f"{task.id}: ended by {player.env.ended or 'nobody'}{told}")
    return Demonstration(task, tuple(player.messages), player.env.episode)


class _Demonstrator:
    """Plays one episode and writes it down."""

    def __init__(self, env: RetailEnv, thoughts: bool, tells: bool):
        self.env, self.thoughts, self.tells = env, thoughts, tells
        self.domain = env.domain
        self.messages: list[Message] = [User(env.reset())]
        self.known = [env.opening]

    def play(self) -> None:
        task = self.env.task
        for action in task.gold_actions:
            self._find_out(action)
            if self._must_agree(action):
                self._say(f"I am about to {_filled(_PLANS, action)}. Shall I go ahead (yes or no)?")
            self._call(action)
            if self.env.done:
                break
        for _ in range(MAX_CLOSINGS):  # each may bring up a wish that has been seen to already
            if self.env.done:
                break
            # An answer is always thought first: so to tell it or not is a choice of its own, beside no call.
            answers = _answers(task, self.known[1:])
            told = answers if self.tells or not answers else ["I have looked it up."]
            words = _last_words(task, told, self.domain)
            self._say(f"{words} {CLOSING}" if self.env.customer else words, " ".join(answers))

    def _must_agree(self, action: Action) -> bool:
        write = self.domain.kind(action.name) == WRITE
        return write and self.env.customer is not None and self.env.task.level not in CONFIRMED_LEVELS

    def _find_out(self, action: Action) -> None:
        """Ask for what the call needs and nobody has said; what the customer cannot tell stays open."""
        asked = set()
        if self.env.customer is None and (missing := self._unknown(action)):
            where = f"{self.env.task.id}: {action.name}.{missing[0]}"
            raise NotDemonstrable(f"{where} stands neither in the query nor in an answer before it")
        while missing := self._unknown(action):
            parameter = _SAME_QUESTION.get(missing[0], missing[0])
            if parameter in asked or parameter not in _QUESTIONS or self.env.done:
                break
            asked.add(parameter)
            self._say(_QUESTIONS[parameter])
        if self._unknown(action) and not self.env.done:
            self._say(CLOSING)  # a further wish may hold it

    def _unknown(self, action: Action) -> list[str]:
        return unreachable_values(action, self.known, self.domain.free_text)

    def _say(self, words: str, thought: str = "") -> None:
        if thought and not self.thoughts:
            self.messages.append(Analysis(thought))
        reply = self._act(Action(RESPOND, {"content": words}), thought or _TELLING)
        self.messages.append(Final(words))
        if not self.env.done:
            self.messages.append(User(reply))

    def _call(self, action: Action) -> None:
        answer = self._act(action, _THOUGHTS.get(action.name, _ACTING))
        self.messages.append(Call(action.name, action.arguments))
        if self.domain.kind(action.name) != TERMINATE:
            self.messages.append(ToolResult(action.name, answer))

    def _act(self, action: Action, thought: str) -> str:
        if self.thoughts:
            self.messages.append(Analysis(thought))
        answer = self.env.step(action).observation
        self.known.append(answer)
        return answer


def report(task: Task, seen: Sequence[str] = (), domain: Domain = RETAIL) -> str:
    """The last words of a served task: what was done, and what the customer wanted to know.

    Args:
        task: The task.
        seen: The tools' answers, in which an output's name is looked up: "The tracking id is 953704614355."
        domain: Whose tools the task's actions call.
    """
    return _last_words(task, _answers(task, seen), domain)


def _last_words(task: Task, told: Sequence[str], domain: Domain) -> str:
    return " ".join([*_deeds(task, domain), *told]) or "I am sorry, I cannot do this for you."


def _answers(task: Task, seen: Sequence[str]) -> list[str]:
    return [f"{_subject(output, task.query, seen)} is {output}." for output in task.outputs]


def _deeds(task: Task, domain: Domain) -> list[str]:
    return [_filled(domain.deeds, action) for action in task.gold_actions if action.name in domain.deeds]


def _subject(output: str, query: str, seen: Sequence[str]) -> str:
    """What a record calls a value; of several names the one most like the customer's words, else the last."""
    names = [name for answer in seen for name in _names_of(output, _parsed(answer))]
    words = set(re.findall("[a-z]+", query.lower()))
    like = [fmean(word in words for word in name.split()) for name in names]
    best = max(range(len(names)), key=lambda place: (like[place], place), default=None)
    return "You asked about this: it" if best is None else f"The {names[best]}"


def _names_of(output: str, value: Any, name: str = "") -> Iterator[str]:
    """The keys under which a record holds a value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _names_of(output, inner, key.replace("_", " ").rstrip("12"))
    elif isinstance(value, list):
        for inner in value:
            yield from _names_of(output, inner, name.removesuffix("s"))
    elif name and str(value) == output:
        yield name


def _parsed(answer: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError:  # words, such as an error
        return None


def _filled(sentences: Mapping[str, str], action: Action) -> str:
    return sentences[action.name].format(**action.arguments)
