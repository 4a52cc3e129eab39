"""What the tiny base reads before it meets the shop: talk at libraries, clinics, hotels, parcel offices, ...

Nothing here is the shop's: other tools (their names are drawn anew for each conversation and stand in its
developer message), other records, other wishes. What carries over is the craft: harmony's messages, copying
ids from what people say and from long JSON answers into a call's arguments, telling people what was done.
A second kind, dictation, makes the model copy any piece of its vocabulary.

    for conversation in conversations(Random(0), words):   # endless
        segments(conversation)                              # pipeline.harmony: text, and what is trained
"""

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from pipeline.harmony import Analysis, Call, Developer, Final, Message, System, ToolResult, User
from pipeline.tiny_world import ADDRESS, REASONS, Case, Record, address, digits, entry, name


def conversations(
    random: Random, words: Sequence[str], dictation: float = 0.2
) -> Iterator[tuple[Message, ...]]:
    """Endless conversations.

    Args:
        random: Decides everything.
        words: Pieces of text that dictations are made of, usually the tokenizer's vocabulary.
        dictation: The share of dictations; 1.0 leaves out system and developer message as well.
    """
    while True:
        talk = Talk(Case.draw(random), random, thinks=random.random() < 0.3)
        kind = _dictate if random.random() < dictation else random.choice((_serve, _serve, _serve, _browse))
        kind(talk, words)
        if dictation >= 1.0:
            yield tuple(talk.messages)
        else:
            yield (
                System(effort="low"),
                Developer(f"You work at a {talk.case.place}.", talk.tools()),
                *talk.messages,
            )


class Talk:
    """Collects a conversation and the tools it uses."""

    def __init__(self, case: Case, random: Random, thinks: bool):
        self.case, self.random, self.thinks = case, random, thinks
        self.messages: list[Message] = []
        self.used: dict[str, tuple[str, ...]] = {}

    def user(self, *choices: str) -> None:
        """The person says one of these."""
        self.messages.append(User(self.random.choice(choices)))

    def say(self, *choices: str) -> None:
        """The assistant says one of these."""
        self.messages.append(Final(self.random.choice(choices)))

    def call(self, use: str, arguments: Record, result: Any, thought: str = "") -> None:
        """The assistant calls a tool and gets its answer."""
        name = self.case.tool(use)
        self.used[name] = tuple(arguments)
        if self.thinks and thought:
            self.messages.append(Analysis(thought))
        text = result if isinstance(result, str) else json.dumps(result)
        self.messages += [Call(name, arguments), ToolResult(name, text)]

    def tools(self) -> tuple[Record, ...]:
        """Schemas by name: of the tools used, and of others that could have been, so that one must choose."""
        case = self.case
        near = {
            "by_email": ("email",),
            "by_name": ("first_name", "last_name", "zip"),
            "record": (f"{case.record}_id",),
            "list": ("kind_id",),
            "person": (f"{case.person}_id",),
            "stop": (f"{case.record}_id", "reason"),
        }
        others = list(near)[:4] if case.tool("note") not in self.used else []
        others.append(self.random.choice(list(near)))
        declared = {case.tool(use): near[use] for use in others} | self.used
        return tuple(_schema(name, parameters) for name, parameters in sorted(declared.items()))


def _schema(name: str, parameters: Sequence[str]) -> Record:
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    properties = {parameter: texts if parameter.endswith("_ids") else text for parameter in parameters}
    function = {
        "name": name,
        "description": f"{name.replace('_', ' ').capitalize()}.",
        "parameters": {"type": "object", "properties": properties, "required": list(parameters)},
    }
    return {"type": "function", "function": function}


def _dictate(talk: Talk, words: Sequence[str]) -> None:
    """Somebody dictates anything at all, and it is written down letter for letter."""
    random, pieces = talk.random, []
    for _ in range(random.randint(3, 14)):
        made = random.choice((digits(random, random.randint(1, 10)), name(random), talk.case.methods[0]))
        pieces.append(random.choice(words) if words and random.random() < 0.6 else made)
    text = "".join(piece + random.choice((" ", " ", " ", "_", ", ")) for piece in pieces).strip() or "x"
    talk.user(f"Write this down: {text}", f"Note: {text}", f"Save {text}")
    if random.random() < 0.5:
        talk.call("note", {random.choice(("text", "note", "words")): text}, "saved")
        talk.say(f"Saved: {text}", "Saved.")
    else:
        talk.say(text, f"You said: {text}")


def _serve(talk: Talk, words: Sequence[str]) -> None:
    """Somebody wants something done; who they are is found out first."""
    case, random = talk.case, talk.random
    who, identify = _identity(talk)
    want, write, done = random.choice((_stop, _back, _back, _swap, _move, _pay, _ask, _ask))(talk)
    if random.random() < 0.6:
        chat = " ".join(random.sample(words, min(len(words), random.randint(0, 8)))).strip()
        talk.user(f"{who} {want}", f"{want} {who}", f"Hi! {who} {want}", f"{chat}. {want} {who} {chat}")
    else:
        talk.user(want, f"Hi. {want}")
        talk.say(
            "Could you tell me your name and zip code, or your email?", "Please tell me who you are first."
        )
        talk.user(who)
    identify()
    if random.random() < 0.05:
        talk.messages[-1] = ToolResult(talk.messages[-2].name, f"Error: {case.person} not found")
        talk.say("I could not find you. Could you check what you told me?")
        return
    if random.random() < 0.4:
        talk.call(
            "person", {f"{case.person}_id": case.person_id}, case.person_json(), f"Read the {case.person}."
        )
    talk.call(
        "record", {f"{case.record}_id": case.record_id}, case.record_json(), f"Look at the {case.record}."
    )
    if random.random() < 0.2:
        talk.say(f"I will do this: {want} Is that right?", f"Do you confirm {case.record_id}? (yes/no)")
        talk.user("Yes.", "Yes, please.", "yes", "Right, go ahead.")
    write()
    talk.say(done, f"{done} Anything else?")
    if random.random() < 0.3:
        talk.user("That is all, thank you.", "No, thanks.", "Thanks, bye!")
        talk.say("You are welcome.", "Goodbye!", f"Have a nice day, {case.first}.")


def _browse(talk: Talk, words: Sequence[str]) -> None:
    """Somebody asks what one of several variants costs, or which of them it is."""
    case, random = talk.case, talk.random
    who, identify = _identity(talk)
    kind, number, thing = (
        random.choice(("kind", "group", "type")),
        digits(random, 10),
        case.entries[0]["name"],
    )
    variants = {digits(random, 10): entry(random, case.entry) for _ in range(random.randint(2, 6))}
    chosen = random.choice(list(variants))
    wanted = ", ".join(f"{key} {value}" for key, value in variants[chosen]["options"].items())
    shown = {
        key: {"id": key, "options": one["options"], "available": random.random() < 0.7, "price": one["price"]}
        for key, one in variants.items()
    }
    asked = random.choice(
        (
            f"What does the {thing} ({kind} {number}) with {wanted} cost?",
            f"Price of {kind} {number}, {wanted}?",
        )
    )
    talk.user(f"{who} {asked}", f"{asked} {who}", f"Hello! {asked} {who}")
    identify()
    talk.call(
        "list", {f"{kind}_id": number}, {"name": thing, f"{kind}_id": number, "variants": shown}, "See them."
    )
    talk.say(f"It is {shown[chosen]['price']}.", f"Number {chosen} costs {shown[chosen]['price']}.")


def _identity(talk: Talk) -> tuple[str, Callable[[], None]]:
    """How the person says who they are, and the call that finds them."""
    case, one = talk.case, talk.random.choice
    if talk.random.random() < 0.5:
        known = {"email": case.email}
        said = (
            f"My email is {case.email}.",
            f"You find me under {case.email}.",
            f"I am {case.first} {case.last}, {case.email}.",
        )
        thought = f"Find the {case.person} by email."
        return one(said), lambda: talk.call("by_email", known, case.person_id, thought)
    full, zip_code = f"{case.first} {case.last}", case.home["zip"]
    keys = one(
        (("first_name", "last_name", "zip"), ("first", "last", "postcode"), ("first_name", "surname", "zip"))
    )
    known = dict(zip(keys, (case.first, case.last, zip_code), strict=True))
    said = (
        f"My name is {full} and my zip code is {zip_code}.",
        f"I am {full}, zip {zip_code}.",
        f"{full}, {zip_code}.",
    )
    return one(said), lambda: talk.call("by_name", known, case.person_id, f"Find the {case.person} by name.")


Wish = tuple[str, Callable[[], None], str]  # what the person says, the call that does it, what to say then


def _stop(talk: Talk) -> Wish:
    case, reason, rid = talk.case, talk.random.choice(REASONS), talk.case.record_id
    verb = case.verbs["stop"]
    said = (f"Please {verb} {rid}, it is {reason}.", f"{verb} my {case.record} {rid}. Reason: {reason}.")
    after = case.record_json(status="closed", reason=reason)
    arguments = {f"{case.record}_id": rid, "reason": reason}
    done = f"{case.record.capitalize()} {rid} is closed."
    return talk.random.choice(said), lambda: talk.call("stop", arguments, after, "All is clear."), done


def _back(talk: Talk) -> Wish:
    case, rid, method = talk.case, talk.case.record_id, talk.random.choice(talk.case.methods)
    what, ids = _chosen(talk)
    verb = case.verbs["back"].replace("_", " ")
    said = (
        f"I would like to {verb} {what} from {rid}, money to {method}.",
        f"{what} of {rid} back to you, via {method}.",
    )
    arguments = {f"{case.record}_id": rid, f"{case.entry}_ids": ids, f"{case.means}_id": method}
    after = case.record_json(status="requested", back=ids)
    done = f"I have taken back {what}. You get the money by {method}."
    return talk.random.choice(said), lambda: talk.call("back", arguments, after, "All is clear."), done


def _swap(talk: Talk) -> Wish:
    case, rid, method = talk.case, talk.case.record_id, talk.random.choice(talk.case.methods)
    what, ids = _chosen(talk)
    new = [digits(talk.random, 10) for _ in ids]
    said = (
        f"Please {case.verbs['swap']} {what} in {rid} to {' and '.join(new)}, paid by {method}.",
        f"In {rid} I want {' and '.join(new)} instead of {what}; use {method}.",
    )
    entry, means = f"{case.entry}_ids", f"{case.means}_id"
    arguments = {f"{case.record}_id": rid, entry: ids, f"new_{entry}": new, means: method}
    after = case.record_json(status="requested", new=new)
    done = f"{case.record.capitalize()} {rid} now has {' and '.join(new)}."
    return talk.random.choice(said), lambda: talk.call("swap", arguments, after, "All is clear."), done


def _move(talk: Talk) -> Wish:
    case, rid, new = talk.case, talk.case.record_id, address(talk.random)
    spoken = ", ".join(new[key] for key in ADDRESS)
    said = (f"Please send {case.record} {rid} to {spoken}.", f"The address of {rid} should be {spoken}.")
    arguments = {f"{case.record}_id": rid, **{key: new[key] for key in ADDRESS}}
    after, done = (
        case.record_json(address=new),
        f"{rid} goes to {new['address1']}, {new['city']} {new['zip']}.",
    )
    return (
        talk.random.choice(said),
        lambda: talk.call("move", arguments, after, "The address is complete."),
        done,
    )


def _pay(talk: Talk) -> Wish:
    case, rid, method = talk.case, talk.case.record_id, talk.random.choice(talk.case.methods)
    said = (f"Please use {method} for {rid}.", f"Change the {case.means} of {case.record} {rid} to {method}.")
    arguments = {f"{case.record}_id": rid, f"{case.means}_id": method}
    done = f"{rid} is now paid with {method}."
    return (
        talk.random.choice(said),
        lambda: talk.call("pay", arguments, case.record_json(), "Another one."),
        done,
    )


def _ask(talk: Talk) -> Wish:
    case, record = talk.case, talk.case.record_json()
    entry = talk.random.choice(case.entries)
    question, answer = talk.random.choice(
        (
            ("the status of", case.status),
            ("the total of", record["history"][0]["amount"]),
            (f"the {case.means} used for", case.paid_with),
            ("the zip code of", case.home["zip"]),
            ("the street of", case.home["address1"]),
            (f"the price of the {entry['name']} in", entry["price"]),
            (f"the id of the {entry['name']} in", entry[f"{case.entry}_id"]),
        )
    )
    said = (
        f"What is {question} {case.record} {case.record_id}?",
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
