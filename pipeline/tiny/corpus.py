"""What the tiny base reads before it meets the shop: talk at libraries, clinics, hotels, parcel offices, ...

Nothing here is the shop's: other tools, other records, other wishes (pipeline/tiny/talk.py). What
carries over is the craft: harmony's messages, choosing a tool by what people say, copying ids from that and
from long JSON answers into a call's arguments, telling people what was done; and the same as a plan, all
calls in one JSON object. A third kind, dictation, makes the model copy any piece of its vocabulary.

The tools are not declared: a tiny model cannot read schemas, and the shop's stand in paragraphs that are one
token each (pipeline/tiny/tokenizer.py). It has to learn which tools there are, as it will at the shop.

    for conversation in conversations(Random(0), words):   # endless
        segments(conversation)                              # pipeline.harmony: text, and what is trained
"""

from collections.abc import Iterator, Sequence
from random import Random

from pipeline.harmony import Call, Developer, Message, System, ToolResult
from pipeline.plan import render_plan
from pipeline.tiny.phrases import ASK_FIRST, KNOWN_AS, in_a_letter
from pipeline.tiny.talk import WISHES, Talk, about_me, ask, browse, home, identity
from pipeline.tiny.world import Case, digits, name


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
        talk = Talk(Case.draw(random, words), random, random.random() < 0.3, words)
        kind = _dictate if random.random() < dictation else random.choice(KINDS)
        kind(talk, words)
        if dictation >= 1.0:
            yield tuple(talk.messages)
        else:
            how = "Plan with care." if kind is _plan else "Answer with care."
            rules = Developer(f"You work at a {talk.case.site.place}. {how}")
            yield (System(effort="low"), rules, *talk.messages)


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
    """Somebody wants something done; who they are is found out first, a write is confirmed if they ask so."""
    case, random = talk.case, talk.random
    who, identify = identity(talk)
    wish = random.choice(WISHES)
    want, write, done = wish(talk)
    asks_first = wish not in (ask, about_me) and random.random() < 0.15
    wanted = f"{want} {random.choice(ASK_FIRST)}" if asks_first else want
    told_id = random.random() < (0.35 if wish is not home else 0.5)
    if told_id:
        who += f" {_person_id(talk)}"
    if random.random() < 0.8:
        chat = " ".join(random.sample(words, min(len(words), random.randint(0, 8)))).strip()
        talk.user(in_a_letter(random, who, wanted, chat if random.random() < 0.2 else ""))
    else:
        talk.user(in_a_letter(random, "", wanted))
        talk.say(
            "Could you tell me your name and zip code, or your email?", "Please tell me who you are first."
        )
        talk.user(who)
    identify()
    if random.random() < 0.03:
        talk.messages[-1] = ToolResult(talk.messages[-2].name, f"Error: {case.site.person} not found")
        talk.say("I could not find you. Could you check what you told me?")
        return
    if wish is about_me or (told_id and wish is not home):
        _read_person(talk)
    if wish not in (about_me, home):
        _read_record(talk)
    if asks_first:
        talk.say(f"I will do this: {want} Is that right?", f"Do you confirm {case.record_id}? (yes/no)")
        talk.user("Yes.", "Yes, please.", "yes", "Right, go ahead.")
    write()
    talk.say(done, f"{done} Anything else?")
    if random.random() < 0.3:
        talk.user("That is all, thank you.", "No, thanks.", "Thanks, bye!")
        talk.say("You are welcome.", "Goodbye!", f"Have a nice day, {case.first}.")


def _brief(talk: Talk, words: Sequence[str]) -> None:
    """Somebody known wants one thing, and it is done at once: many decisions in few tokens."""
    wish = talk.random.choice((*WISHES, browse))
    talk.record_is_read = False
    want, write, done = wish(talk)
    talk.user(in_a_letter(talk.random, _person_id(talk) if wish is home else "", want))
    if wish is ask:
        _read_record(talk)
    elif wish is about_me:
        _read_person(talk)
    write()
    talk.say(done)


def _person_id(talk: Talk) -> str:
    person, known = talk.case.site.person, talk.case.person_id
    return talk.random.choice(KNOWN_AS).format(person=person, id=known)


def _read_person(talk: Talk) -> None:
    case, known = talk.case, {f"{talk.case.site.person}_id": talk.case.person_id}
    talk.call("person", known, case.person_json(), f"Read the {case.site.person}.")


def _read_record(talk: Talk) -> None:
    case, known = talk.case, {f"{talk.case.site.record}_id": talk.case.record_id}
    talk.call("record", known, case.record_json(), f"Look at the {case.site.record}.")


def _plan(talk: Talk, words: Sequence[str]) -> None:
    """Somebody says all at once, and every call stands in one answer."""
    who, identify = identity(talk)
    wish = talk.random.choice([wish for wish in (*WISHES, browse) if wish is not about_me])
    talk.record_is_read = talk.thinks = False
    want, write, _ = wish(talk)
    identify()
    if wish is home:
        who += f" {_person_id(talk)}"
    elif wish is not browse:
        _read_record(talk)
    write()
    calls = [message for message in talk.messages if isinstance(message, Call)]
    talk.messages = []
    talk.user(in_a_letter(talk.random, who, want))
    talk.say(render_plan(calls))


def _browse(talk: Talk, words: Sequence[str]) -> None:
    """Somebody asks what one of several variants costs."""
    who, identify = identity(talk)
    want, look, done = browse(talk)
    talk.user(in_a_letter(talk.random, who, want))
    identify()
    look()
    talk.say(done)


KINDS = (*[_serve] * 4, *[_brief] * 6, *[_plan] * 3, _browse)
