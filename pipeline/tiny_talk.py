"""What somebody in the tiny base's pre-training may want, in several wordings, and the call that does it.

talk = Talk(Case.draw(random), random, thinks=False)
said, identify = identity(talk)          # who they are, and the call that finds them
wanted, write, done = stop(talk)         # what they want, the call that does it, what to say then
talk.user(f"{said} {wanted}"); identify(); write(); talk.say(done)
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from pipeline.harmony import Analysis, Call, Final, Message, ToolResult, User
from pipeline.tiny_world import ADDRESS, REASONS, SITES, TOOL_NAMES, Case, Record, address, digits

NAME_KEYS = (
    ("first_name", "last_name", "zip"),
    ("first", "last", "postcode"),
    ("first_name", "surname", "zip"),
)
Wish = tuple[str, Callable[[], None], str]  # what the person says, the call that does it, what to say then


class Talk:
    """Collects a conversation."""

    def __init__(self, case: Case, random: Random, thinks: bool):
        self.case, self.random, self.thinks = case, random, thinks
        self.messages: list[Message] = []

    def user(self, *choices: str) -> None:
        """The person says one of these."""
        self.messages.append(User(self.random.choice(choices)))

    def say(self, *choices: str) -> None:
        """The assistant says one of these."""
        self.messages.append(Final(self.random.choice(choices)))

    def call(self, use: str, arguments: Record, result: Any, thought: str = "") -> None:
        """The assistant calls a tool and gets its answer."""
        name = TOOL_NAMES[use]
        if self.thinks and thought:
            self.messages.append(Analysis(thought))
        text = result if isinstance(result, str) else json.dumps(result)
        self.messages += [Call(name, arguments), ToolResult(name, text)]


def identity(talk: Talk) -> tuple[str, Callable[[], None]]:
    """How the person says who they are, and the call that finds them."""
    case, one = talk.case, talk.random.choice
    if talk.random.random() < 0.5:
        known = {"email": case.email}
        said = (
            f"My email is {case.email}.",
            f"You find me under {case.email}.",
            f"I am {case.first} {case.last}, {case.email}.",
        )
        thought = f"Find the {case.site.person} by email."
        return one(said), lambda: talk.call("by_email", known, case.person_id, thought)
    full, zip_code = f"{case.first} {case.last}", case.home["zip"]
    keys = NAME_KEYS[SITES.index(case.site) % len(NAME_KEYS)]
    known = dict(zip(keys, (case.first, case.last, zip_code), strict=True))
    said = (
        f"My name is {full} and my zip code is {zip_code}.",
        f"I am {full}, zip {zip_code}.",
        f"{full}, {zip_code}.",
    )
    return one(said), lambda: talk.call(
        "by_name", known, case.person_id, f"Find the {case.site.person} by name."
    )


def stop(talk: Talk) -> Wish:
    """Call a record off, for a reason."""
    case, reason, rid = talk.case, talk.random.choice(REASONS), talk.case.record_id
    verb = case.site.stop
    said = (
        f"Please {verb} {rid}, it is {reason}.",
        f"{verb} my {case.site.record} {rid}. Reason: {reason}.",
        f"I do not want {rid} any more, {reason}.",
        f"Could you call off {case.site.record} {rid}? It is {reason}.",
        f"My {case.site.record} {rid} can be cancelled: {reason}.",
        f"I changed my mind about {rid}. {reason}. Please cancel it.",
    )
    after = case.receipt(status="closed", reason=reason)
    arguments = {f"{case.site.record}_id": rid, "reason": reason}
    done = f"{case.site.record.capitalize()} {rid} is closed."
    return talk.random.choice(said), lambda: talk.call("stop", arguments, after, "All is clear."), done


def back(talk: Talk) -> Wish:
    """Give entries back for a refund."""
    case, rid, method = talk.case, talk.case.record_id, talk.random.choice(talk.case.methods)
    what, ids = _chosen(talk)
    verb = case.site.back.replace("_", " ")
    said = (
        f"I would like to {verb} {what} from {rid}, money to {method}.",
        f"{what} of {rid} back to you, via {method}.",
        f"Please take back {what} from {case.site.record} {rid}; the refund goes to {method}.",
        f"I want to return {what} ({rid}). Refund me on {method}.",
        f"I am not happy with {what} in {rid}. Can I send it back? Money to {method}, please.",
        f"Can I get a refund to {method} for {what} from my {case.site.record} {rid}?",
    )
    arguments = {
        f"{case.site.record}_id": rid,
        f"{case.site.entry}_ids": ids,
        f"{case.site.means}_id": method,
    }
    after = case.receipt(status="requested", back=ids)
    done = f"I have taken back {what}. You get the money by {method}."
    return talk.random.choice(said), lambda: talk.call("back", arguments, after, "All is clear."), done


def swap(talk: Talk) -> Wish:
    """Have entries exchanged for others."""
    case, rid, method = talk.case, talk.case.record_id, talk.random.choice(talk.case.methods)
    what, ids = _chosen(talk)
    new = [digits(talk.random, 10) for _ in ids]
    said = (
        f"Please {case.site.swap} {what} in {rid} to {' and '.join(new)}, paid by {method}.",
        f"In {rid} I want {' and '.join(new)} instead of {what}; use {method}.",
        f"Could you exchange {what} of {case.site.record} {rid} for {' and '.join(new)}? {method} pays.",
        f"I would rather have {' and '.join(new)} than {what} in {rid}. Difference by {method}.",
        f"Replace {what} in {rid} with {' and '.join(new)}. You can use {method}.",
    )
    entry, means = f"{case.site.entry}_ids", f"{case.site.means}_id"
    arguments = {f"{case.site.record}_id": rid, entry: ids, f"new_{entry}": new, means: method}
    after = case.receipt(status="requested", new=new)
    done = f"{case.site.record.capitalize()} {rid} now has {' and '.join(new)}."
    return talk.random.choice(said), lambda: talk.call("swap", arguments, after, "All is clear."), done


def move(talk: Talk) -> Wish:
    """Have a record sent to another address."""
    case, rid, new = talk.case, talk.case.record_id, address(talk.random)
    spoken = ", ".join(new[key] for key in ADDRESS)
    said = (
        f"Please send {case.site.record} {rid} to {spoken}.",
        f"The address of {rid} should be {spoken}.",
        f"I have moved. {rid} has to go to {spoken} now.",
        f"Please change the address of my {case.site.record} {rid}: {spoken}.",
        f"Can {rid} be delivered to {spoken} instead?",
    )
    arguments = {f"{case.site.record}_id": rid, **{key: new[key] for key in ADDRESS}}
    after = case.receipt(address=new)
    done = f"{rid} goes to {new['address1']}, {new['city']} {new['zip']}."
    return (
        talk.random.choice(said),
        lambda: talk.call("move", arguments, after, "The address is complete."),
        done,
    )


def pay(talk: Talk) -> Wish:
    """Pay a record by other means."""
    case, rid, method = talk.case, talk.case.record_id, talk.random.choice(talk.case.methods)
    said = (
        f"Please use {method} for {rid}.",
        f"Change the {case.site.means} of {case.site.record} {rid} to {method}.",
        f"I would like to pay for {rid} with {method} instead.",
        f"Can you put {case.site.record} {rid} on {method}?",
        f"The payment of {rid} should come from {method}.",
    )
    arguments = {f"{case.site.record}_id": rid, f"{case.site.means}_id": method}
    done = f"{rid} is now paid with {method}."
    after = case.receipt(paid_with=method)
    return talk.random.choice(said), lambda: talk.call("pay", arguments, after, "Another one."), done


def ask(talk: Talk) -> Wish:
    """Know something about a record; nothing is changed."""
    case, record = talk.case, talk.case.record_json()
    entry = talk.random.choice(case.entries)
    question, answer = talk.random.choice(
        (
            ("the status of", case.status),
            ("the total of", record["history"][0]["amount"]),
            (f"the {case.site.means} used for", case.paid_with),
            ("the zip code of", case.home["zip"]),
            ("the street of", case.home["address1"]),
            (f"the price of the {entry['name']} in", entry["price"]),
            (f"the id of the {entry['name']} in", entry[f"{case.site.entry}_id"]),
        )
    )
    said = (
        f"What is {question} {case.site.record} {case.record_id}?",
        f"Please tell me {question} {case.record_id}.",
    )
    return talk.random.choice(said), lambda: None, f"It is {answer}."


def _chosen(talk: Talk) -> tuple[str, list[str]]:
    """One or two entries, as the person names them and as ids."""
    case, random = talk.case, talk.random
    chosen = random.sample(case.entries, random.randint(1, min(2, len(case.entries))))
    ids = case.entry_ids(chosen)
    names = [f"the {entry['name']}" for entry in chosen]
    return " and ".join(names if random.random() < 0.7 else ids), ids


def about_me(talk: Talk) -> Wish:
    """Know what is kept about oneself; nothing is changed."""
    case = talk.case
    what, answer = talk.random.choice(
        (
            ("email do you have for me", case.email),
            ("street do I live in", case.home["address1"]),
            ("zip code is in my data", case.home["zip"]),
            (f"{case.site.means} do I have with you", case.methods[0]),
        )
    )
    said = (f"Which {what}?", f"What {what}, please?")
    return talk.random.choice(said), lambda: None, f"It is {answer}."


WISHES = (stop, back, back, swap, move, pay, ask, ask, about_me)
