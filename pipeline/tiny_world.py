"""The places, people and records the tiny base's pre-training talks are about; nothing of the shop's.

case = Case.draw(Random(0))
case.tool("record"), case.record_json()      # a tool's name there, and what it answers
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
ENTRIES = _words("book treatment room package lesson part course seat tour bike")
MEANS = _words("card insurance deposit account wallet invoice grant voucher pass plan")
SOURCES = _words("credit_card gift_card paypal debit bank voucher wallet store_credit")
FIND = _words("find look_up search identify")
GET = _words("get show read fetch")
STOP = _words("cancel stop drop close")
SWAP = _words("exchange swap replace modify change")
BACK = _words("return give_back refund hand_in")
STATUSES = _words("open closed pending delivered processed cancelled ready late active")
REASONS = ("no longer needed", "ordered by mistake", "too late", "wrong date", "found another", "moved away")
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
CITIES = (("Denver", "CO"), ("Austin", "TX"), ("Boston", "MA"), ("Salt Lake City", "UT"), ("Portland", "OR"))
ONSETS = _words("b br c ch d f fr g h j k l m n p pr r s sh st t th v w z")
VOWELS = _words("a e i o u ia ea ei")
CODAS = ("", "", "n", "r", "l", "s", "ck", "nd", "ra", "son")
ADDRESS = _words("address1 address2 city state country zip")


@dataclass(frozen=True)
class Case:
    """One conversation's world: its words, its tools' names, one person with records."""

    place: str
    person: str
    record: str
    entry: str
    means: str
    verbs: dict[str, str]
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
    def draw(cls, random: Random) -> "Case":
        """A case in which every word is drawn by itself, so that only the declaration names the tools."""
        one = random.choice
        first, last, kind = name(random), name(random), one(ENTRIES)
        methods = tuple(f"{one(SOURCES)}_{digits(random, 7)}" for _ in range(random.randint(1, 3)))
        letter = one("ABCDEFGHKLMNPRSTUVWWWXZ")
        return cls(
            place=one(PLACES),
            person=one(PERSONS),
            record=one(RECORDS),
            entry=kind,
            means=one(MEANS),
            verbs={
                "find": one(FIND),
                "get": one(GET),
                "stop": one(STOP),
                "swap": one(SWAP),
                "back": one(BACK),
            },
            first=first,
            last=last,
            person_id=f"{first}_{last}_{digits(random, 4)}".lower(),
            email=f"{first}.{last}{digits(random, 4)}@{one(('example.com', 'mail.org'))}".lower(),
            home=address(random),
            methods=methods,
            record_ids=tuple(f"#{letter}{digits(random, 7)}" for _ in range(random.randint(1, 4))),
            entries=tuple(entry(random, kind) for _ in range(one((1, 1, 2, 2, 3, 4)))),
            paid_with=one(methods),
            status=one(STATUSES),
            tracked=random.random() < 0.4,
        )

    @property
    def record_id(self) -> str:
        """The record the talk is about; which of the list it is must be heard, not guessed."""
        return self.record_ids[len(self.email) % len(self.record_ids)]

    def tool(self, use: str) -> str:
        """What this place calls the tool for a use."""
        find, get, swap = (self.verbs[key] for key in ("find", "get", "swap"))
        return {
            "by_email": f"{find}_{self.person}_by_email",
            "by_name": f"{find}_{self.person}_by_name",
            "person": f"{get}_{self.person}",
            "record": f"{get}_{self.record}",
            "stop": f"{self.verbs['stop']}_{self.record}",
            "back": f"{self.verbs['back']}_{self.entry}s",
            "swap": f"{swap}_{self.entry}s",
            "move": f"move_{self.record}",
            "pay": f"{swap}_{self.record}_{self.means}",
            "note": "save_note",
            "list": f"list_{self.entry}s",
        }[use]

    def person_json(self) -> Record:
        """The person as the place's computer shows them."""
        return {
            "name": {"first_name": self.first, "last_name": self.last},
            "address": self.home,
            "email": self.email,
            f"{self.means}s": {m: {"source": m.rsplit("_", 1)[0], "id": m} for m in self.methods},
            f"{self.record}s": list(self.record_ids),
        }

    def record_json(self, **changes: Any) -> Record:
        """The record as the place's computer shows it."""
        paid = round(sum(entry["price"] for entry in self.entries), 2)
        record = {
            f"{self.record}_id": self.record_id,
            f"{self.person}_id": self.person_id,
            "address": self.home,
            f"{self.entry}s": list(self.entries),
            "tracking": [],
            "status": self.status,
            "history": [{"kind": "payment", "amount": paid, f"{self.means}_id": self.paid_with}],
        }
        if self.tracked:
            number = "".join(filter(str.isdigit, self.email + self.record_id + self.paid_with))[:12]
            record["tracking"] = [{"tracking_id": number, f"{self.entry}_ids": self.entry_ids(self.entries)}]
        return record | changes

    def entry_ids(self, entries: Sequence[Record]) -> list[str]:
        """The ids of some entries."""
        return [entry[f"{self.entry}_id"] for entry in entries]


def digits(random: Random, count: int) -> str:
    """A number of so many digits."""
    return str(random.randrange(10 ** (count - 1), 10**count))


def name(random: Random) -> str:
    """A made-up name, so that names must be copied and cannot be known."""
    syllables = random.choice((1, 2, 2, 3))
    word = "".join(random.choice(ONSETS) + random.choice(VOWELS) for _ in range(syllables))
    return (word + random.choice(CODAS)).capitalize()


def address(random: Random) -> Record:
    """A complete address."""
    city, state = random.choice(CITIES)
    return {
        "address1": f"{random.randrange(1, 999)} {random.choice(STREETS)} {random.choice(KINDS)}",
        "address2": f"{random.choice(('Apt', 'Unit', 'Suite'))} {random.randrange(1, 999)}",
        "city": city,
        "country": "USA",
        "state": state,
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
