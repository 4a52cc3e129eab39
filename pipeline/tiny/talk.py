"""What somebody in the tiny base's pre-training may want, and the call that does it.

talk = Talk(Case.draw(random), random, thinks=False)
said, identify = identity(talk)          # who they are, and the call that finds them
wanted, write, done = stop(talk)         # what they want, the call that does it, what to say then
talk.user(f"{said} {wanted}"); identify(); write(); talk.say(done)
"""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from pipeline.harmony import Analysis, Call, Final, Message, ToolResult, User
from pipeline.tiny.phrases import BY_EMAIL, BY_NAME, REASONS, WANTED
from pipeline.tiny.world import ADDRESS, SITES, TOOL_NAMES, Case, Record, address, digits, entry

SPOKEN = (  # as people give an address, which is another order than a tool's
    "{address1}, {address2}, {city}, {state} {zip}, {country}",
    "{address1}, {address2}, {city}, {state} {zip} in the {country}",
    "{address1}, {address2}, {zip} {city}, {state}, {country}",
    "{address1}, {address2}, {city}, {state}, {country}, {zip}",
)
NAME_KEYS = (
    ("first_name", "last_name", "zip"),
    ("first", "last", "postcode"),
    ("first_name", "surname", "zip"),
)
Wish = tuple[str, Callable[[], None], str]  # what the person says, the call that does it, what to say then


class Talk:
    """Collects a conversation; `words` are what names may be made of."""

    def __init__(self, case: Case, random: Random, thinks: bool, words: Sequence[str] = ()):
        self.case, self.random, self.thinks, self.words = case, random, thinks, words
        self.record_is_read = True  # before anything is done with it
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

    def wanted(self, use: str, **words: str) -> str:
        """The wish in one of its wordings."""
        case = self.case
        places = {"record": case.site.record, "person": case.site.person, "means": case.site.means}
        said = self.random.choice(WANTED[use]).format(rid=case.record_id, **places, **words)
        return said[0].upper() + said[1:]


def identity(talk: Talk) -> tuple[str, Callable[[], None]]:
    """How the person says who they are, and the call that finds them."""
    case, full = talk.case, f"{talk.case.first} {talk.case.last}"
    if talk.random.random() < 0.5:
        said = talk.random.choice(BY_EMAIL).format(name=full, email=case.email)
        known, thought = {"email": case.email}, f"Find the {case.site.person} by email."
        return said, lambda: talk.call("by_email", known, case.person_id, thought)
    said = talk.random.choice(BY_NAME).format(name=full, city=case.home["city"], zip=case.home["zip"])
    keys = NAME_KEYS[SITES.index(case.site) % len(NAME_KEYS)]
    known = dict(zip(keys, (case.first, case.last, case.home["zip"]), strict=True))
    return said, lambda: talk.call("by_name", known, case.person_id, f"Find the {case.site.person} by name.")


def stop(talk: Talk) -> Wish:
    """Call a record off, for a reason."""
    case, reason = talk.case, talk.random.choice(sorted(REASONS))
    said = talk.wanted("stop", verb=case.site.stop, reason=talk.random.choice(REASONS[reason]))
    arguments = {f"{case.site.record}_id": case.record_id, "reason": reason}
    after = case.receipt(status="closed", reason=reason)
    done = f"{case.site.record.capitalize()} {case.record_id} is closed."
    return said, lambda: talk.call("stop", arguments, after, "All is clear."), done


def back(talk: Talk) -> Wish:
    """Give entries back for a refund."""
    case, method = talk.case, talk.random.choice(talk.case.methods)
    chosen, ids = _chosen(talk)
    what = " and ".join(chosen)
    said = talk.wanted("back", verb=case.site.back.replace("_", " "), what=what, method=method)
    arguments = {
        f"{case.site.record}_id": case.record_id,
        f"{case.site.entry}_ids": ids,
        f"{case.site.means}_id": method,
    }
    after = case.receipt(status="requested", back=ids)
    done = f"I have taken back {what}. You get the money by {method}."
    return said, lambda: talk.call("back", arguments, after, "All is clear."), done


def swap(talk: Talk) -> Wish:
    """Have entries of a closed record exchanged for others."""
    return _replace(talk, "swap")


def change(talk: Talk) -> Wish:
    """Have entries of an open record changed to others."""
    return _replace(talk, "change")


def _replace(talk: Talk, use: str) -> Wish:
    case, method = talk.case, talk.random.choice(talk.case.methods)
    chosen, ids = _chosen(talk)
    new = [digits(talk.random, 10) for _ in ids]
    to = talk.random.choice(("to", "for", "into"))
    kind = talk.random.choice(("", "", f"{case.site.entry} "))
    pairs = " and ".join(f"{one} {to} {kind}{other}" for one, other in zip(chosen, new, strict=True))
    said = talk.wanted(use, pairs=pairs, method=method)
    entries = f"{case.site.entry}_ids"
    arguments = {
        f"{case.site.record}_id": case.record_id,
        entries: ids,
        f"new_{entries}": new,
        f"{case.site.means}_id": method,
    }
    after = case.receipt(status="requested", new=new)
    done = f"{case.site.record.capitalize()} {case.record_id} now has {' and '.join(new)}."
    return said, lambda: talk.call(use, arguments, after, "All is clear."), done


def move(talk: Talk) -> Wish:
    """Have a record sent to another address."""
    case, new = talk.case, address(talk.random, talk.words)
    said = talk.wanted("move", to=_spoken(talk, new))
    arguments = {f"{case.site.record}_id": case.record_id, **{key: new[key] for key in ADDRESS}}
    after = case.receipt(address=new)
    done = f"{case.record_id} goes to {new['address1']}, {new['city']} {new['zip']}."
    return said, lambda: talk.call("move", arguments, after, "The address is complete."), done


def home(talk: Talk) -> Wish:
    """Have another address in one's own data."""
    case, new = talk.case, address(talk.random, talk.words)
    arguments = {f"{case.site.person}_id": case.person_id, **{key: new[key] for key in ADDRESS}}
    done = f"You live at {new['address1']}, {new['city']} {new['zip']}."
    said = talk.wanted("home", to=_spoken(talk, new))
    return said, lambda: talk.call("home", arguments, {"address": new}, "The address is complete."), done


def pay(talk: Talk) -> Wish:
    """Pay a record by other means."""
    case, method = talk.case, talk.random.choice(talk.case.methods)
    arguments = {f"{case.site.record}_id": case.record_id, f"{case.site.means}_id": method}
    done, after = f"{case.record_id} is now paid with {method}.", case.receipt(paid_with=method)
    said = talk.wanted("pay", method=method)
    return said, lambda: talk.call("pay", arguments, after, "Another one."), done


def ask(talk: Talk) -> Wish:
    """Know something about a record; nothing is changed."""
    case, record = talk.case, talk.case.record_json()
    one = talk.random.choice(case.entries)
    question, answer = talk.random.choice(
        (
            ("the status of", case.status),
            ("the total of", record["history"][0]["amount"]),
            ("the whole amount of", record["history"][0]["amount"]),
            (f"the {case.site.means} used for", case.paid_with),
            ("the zip code of", case.home["zip"]),
            ("the street of", case.home["address1"]),
            (f"the price of the {one['name']} in", one["price"]),
            (f"the id of the {one['name']} in", one[f"{case.site.entry}_id"]),
        )
    )
    return talk.wanted("ask", question=question), lambda: None, f"It is {answer}."


def about_me(talk: Talk) -> Wish:
    """Know what is kept about oneself; nothing is changed."""
    case = talk.case
    question, answer = talk.random.choice(
        (
            ("email you have for me", case.email),
            ("email address is in my profile", case.email),
            ("street I live in", case.home["address1"]),
            ("home address you keep for me", case.home["address1"]),
            ("zip code is in my data", case.home["zip"]),
            (f"{case.site.means} I have with you", case.methods[0]),
        )
    )
    return talk.wanted("about_me", question=question), lambda: None, f"It is {answer}."


def browse(talk: Talk) -> Wish:
    """Know what one of several variants of a thing costs."""
    case, random = talk.case, talk.random
    kind, thing = random.choice(("kind", "group", "type")), case.entries[0]["name"]
    if talk.words and random.random() < 0.5:  # any word names the number that its key asks for
        kind = random.choice(talk.words).strip(" _").lower()
    number = digits(random, 10)
    variants = {digits(random, 10): entry(random, case.site.entry) for _ in range(random.randint(2, 6))}
    chosen = random.choice(list(variants))
    shown = {
        key: {"id": key, "options": one["options"], "available": random.random() < 0.7, "price": one["price"]}
        for key, one in variants.items()
    }
    answer = {"name": thing, f"{kind}_id": number, "variants": shown}
    options = ", ".join(f"{key} {value}" for key, value in variants[chosen]["options"].items())
    said = talk.wanted("list", thing=thing.lower(), kind=kind, number=number, options=options)
    done = random.choice(("It is {}.", f"Number {chosen} costs {{}}.")).format(shown[chosen]["price"])
    return said, lambda: talk.call("list", {f"{kind}_id": number}, answer, "See them."), done


def _chosen(talk: Talk) -> tuple[list[str], list[str]]:
    """One or two entries, as the person names them and as ids; an id that is not read must be told."""
    case, random = talk.case, talk.random
    chosen = random.sample(case.entries, min(random.choice((1, 2, 2)), len(case.entries)))
    ids = case.entry_ids(chosen)
    how = random.random()
    if how < 0.3:
        return list(ids), ids
    names = [f"the {one['name'].lower()}" for one in chosen]
    if how < 0.5 and talk.record_is_read:
        return names, ids
    return [f"{name} ({case.site.entry} {one})" for name, one in zip(names, ids, strict=True)], ids


def _spoken(talk: Talk, new: Record) -> str:
    return talk.random.choice(SPOKEN).format(**new)


WISHES = (stop, back, swap, change, move, home, pay, ask, ask, about_me)
