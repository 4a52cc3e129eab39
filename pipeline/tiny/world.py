"""The places, people and records the tiny base's pre-training talks are about; nothing of the shop's.

case = Case.draw(Random(0))
TOOL_NAMES["record"], case.record_json()      # a tool's name, and what it answers
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Record = dict[str, Any]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PLACES = ("library", "clinic", "hotel", "parcel office", "gym", "garage", "school", "cinema", "museum")
PERSONS = _words("member patient guest sender trainee driver student visitor rider")
RECORDS = _words("loan appointment booking parcel membership repair enrolment visit rental")
ENTRIES = _words("book treatment room package lesson part course seat tour")
MEANS = _words("card insurance deposit account wallet invoice grant voucher pass")
SOURCES = _words("credit_card gift_card paypal debit bank voucher wallet store_credit")
STOP = _words("cancel stop drop close end cancel quit void drop")
BACK = _words("return give_back refund hand_in send_back return reclaim refund take_back")
TOOL_NAMES = {  # the same at every place: a tiny model hears what is wanted, or where it is, but not both
    "by_email": "look_up_by_email",
    "by_name": "look_up_by_name",
    "person": "show_person",
    "record": "show_record",
    "stop": "call_off",
    "back": "take_back",
    "swap": "swap_entries",
    "change": "alter_entries",
    "move": "send_elsewhere",
    "home": "note_new_home",
    "pay": "pay_otherwise",
    "list": "list_kinds",
    "note": "save_note",
}
STATUSES = _words("open closed pending delivered processed cancelled ready late active")
LOOKS = _words(
    "red blue green small large wireless wooden quiet early late long short new old warm soft round"
)
THINGS = _words(
    "lamp chair guide map massage checkup suite cabin crate yoga tire brake opera helmet scooter "
    "garden train camera table kettle jacket boots watch speaker mouse desk bottle blanket tent"
)
OPTIONS = _words("color size material style length level capacity finish")
VALUES = (
    "red",
    "navy",
    "S",
    "M",
    "L",
    "XL",
    "cotton",
    "steel",
    "oak",
    "12 inch",
    "64GB",
    "500ml",
    "8 ft",
    "slim",
)
STREETS = (
    "Oak",
    "Maple",
    "Harbor",
    "Sunset",
    "Cedar Hill",
    "Lake",
    "Park",
    "Elm",
    "River",
    "Station",
    "Willow",
)
KINDS = _words("Street Drive Lane Avenue Road Court")
STATES = _words(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC "
    "ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY"
)
ONSETS = _words("b br c ch d f fr g h j k l m n p pr r s sh st t th v w z")
VOWELS = _words("a e i o u ia ea ei")
CODAS = ("", "", "n", "r", "l", "s", "ck", "nd", "ra", "son")
ADDRESS = _words("address1 address2 city state country zip")


@dataclass(frozen=True)
class Place:
    """Where people work, and what they call things there."""

    place: str
    person: str
    record: str
    entry: str
    means: str
    stop: str
    back: str


SITES = tuple(
    Place(*words) for words in zip(PLACES, PERSONS, RECORDS, ENTRIES, MEANS, STOP, BACK, strict=True)
)


@dataclass(frozen=True)
class Case:
    """One conversation's world: a place, and one person with records there."""

    site: Place
    first: str
    last: str
    person_id: str
    email: str
    home: Record
    methods: tuple[str, ...]
    record_ids: tuple[str, ...]
    entries: tuple[Record, ...]
    paid_with: str
    status: str
    tracked: bool

    @classmethod
    def draw(cls, random: Random, words: Sequence[str] = ()) -> "Case":
        """Somebody at one of the places; some of the names are any of the words."""
        one = random.choice
        site, first, last = one(SITES), name(random, words), name(random, words)
        methods = tuple(f"{one(SOURCES)}_{digits(random, 7)}" for _ in range(random.randint(1, 3)))
        letter = one("ABCDEFGHKLMNPRSTUVWWWXZ")
        return cls(
            site=site,
            first=first,
            last=last,
            person_id=f"{first}_{last}_{digits(random, 4)}".lower(),
            email=f"{first}.{last}{digits(random, 4)}@{one(('example.com', 'mail.org'))}".lower(),
            home=address(random, words),
            methods=methods,
            record_ids=tuple(f"#{letter}{digits(random, 7)}" for _ in range(random.randint(1, 4))),
            entries=tuple(entry(random, site.entry) for _ in range(one((1, 1, 2, 2, 3, 4)))),
            paid_with=one(methods),
            status=one(STATUSES),
            tracked=random.random() < 0.4,
        )

    @property
    def record_id(self) -> str:
        """The record the talk is about; which of the list it is must be heard, not guessed."""
        return self.record_ids[len(self.email) % len(self.record_ids)]

    def person_json(self) -> Record:
        """The person as the place's computer shows them."""
        return {
            "name": {"first_name": self.first, "last_name": self.last},
            "address": self.home,
            "email": self.email,
            f"{self.site.means}s": {m: {"source": m.rsplit("_", 1)[0], "id": m} for m in self.methods},
            f"{self.site.record}s": list(self.record_ids),
        }

    def receipt(self, **changes: Any) -> Record:
        """What the place's computer answers to a change."""
        return {f"{self.site.record}_id": self.record_id, **changes}

    def record_json(self) -> Record:
        """The record as the place's computer shows it."""
        paid = round(sum(entry["price"] for entry in self.entries), 2)
        record: Record = {
            f"{self.site.record}_id": self.record_id,
            f"{self.site.person}_id": self.person_id,
            "address": self.home,
            f"{self.site.entry}s": list(self.entries),
            "tracking": [],
            "status": self.status,
            "history": [{"kind": "payment", "amount": paid, f"{self.site.means}_id": self.paid_with}],
        }
        if self.tracked:
            number = "".join(filter(str.isdigit, self.email + self.record_id + self.paid_with))[:12]
            record["tracking"] = [
                {"tracking_id": number, f"{self.site.entry}_ids": self.entry_ids(self.entries)}
            ]
        return record

    def entry_ids(self, entries: Sequence[Record]) -> list[str]:
        """The ids of some entries."""
        return [entry[f"{self.site.entry}_id"] for entry in entries]


def digits(random: Random, count: int) -> str:
    """A number of so many digits."""
    return str(random.randrange(10 ** (count - 1), 10**count))


def name(random: Random, words: Sequence[str] = ()) -> str:
    """A made-up name or any word as one, so that names must be copied and cannot be known."""
    if words and random.random() < 0.3:
        return random.choice(words).strip(" _").capitalize()
    syllables = random.choice((1, 2, 2, 3))
    word = "".join(random.choice(ONSETS) + random.choice(VOWELS) for _ in range(syllables))
    return (word + random.choice(CODAS)).capitalize()


def address(random: Random, words: Sequence[str] = ()) -> Record:
    """A complete address; which city lies where must be heard, not known."""
    city = " ".join(name(random, words) for _ in range(random.choice((1, 1, 1, 2, 3))))
    street = random.choice((random.choice(STREETS), name(random, words)))
    return {
        "address1": f"{random.randrange(1, 999)} {street} {random.choice(KINDS)}",
        "address2": f"{random.choice(('Apt', 'Unit', 'Suite'))} {random.randrange(1, 999)}",
        "city": city,
        "country": "USA",
        "state": random.choice(STATES),
        "zip": f"{random.randrange(100_000):05d}",
    }


def entry(random: Random, kind: str) -> Record:
    """An item of a record, with options and a price."""
    record = {
        "name": f"{random.choice(LOOKS)} {random.choice(THINGS)}".title(),
        f"{random.choice(('group', 'kind', 'type'))}_id": digits(random, 10),
        f"{kind}_id": digits(random, 10),
        "price": round(random.uniform(3, 900), 2),
    }
    options = random.sample(OPTIONS, random.randint(1, 3))
    return record | {"options": {option: random.choice(VALUES) for option in options}}
