"""The frame of a customer's first message: greeting, small talk, what they expect, thanks.

A tone (polite, casual, brisk, chatty, annoyed) keeps a message of one piece. There are 2,000 frames a tone,
10,000 in all, and tasks whose numbers differ by less than that never share one: no message comes twice.

    frame = frame_for(number=17, seed=0, level=2, change=True)
    frame.message(identity="I'm Ana Lopez, zip code 12345.", request="Please cancel order #W1234567.")
"""

from dataclasses import dataclass
from functools import lru_cache
from random import Random


@dataclass(frozen=True)
class Tone:
    """How a customer sounds: five greetings, eight openings, five farewells."""

    name: str
    greetings: tuple[str, ...]
    openings: tuple[str, ...]
    farewells: tuple[str, ...]


TONES = (
    Tone(
        "polite",
        ("Hello!", "Good morning.", "Good afternoon.", "Good evening.", "Hello there."),
        (
            "I hope you can help me.",
            "I would like your help with something, please.",
            "I have a request concerning my account.",
            "Would you be so kind as to help me with the following?",
            "I am writing about something I bought from you.",
            "May I ask for your assistance?",
            "I would be grateful for some help today.",
            "Thank you for being there.",
        ),
        (
            "Thank you very much.",
            "Many thanks.",
            "Thank you for your help.",
            "With kind regards.",
            "I appreciate your help.",
        ),
    ),
    Tone(
        "casual",
        ("Hi!", "Hey!", "Hi there!", "Hey there!", "Hiya!"),
        (
            "Got a quick one for you.",
            "Could use a hand here.",
            "Hope you're having a good day.",
            "Quick thing.",
            "Just a small thing today.",
            "I need a little help.",
            "Hoping you can sort this out for me.",
            "So, here's what I need.",
        ),
        ("Thanks!", "Thanks a lot!", "Cheers!", "Thanks a bunch!", "You're the best, thanks!"),
    ),
    Tone(
        "brisk",
        ("Hello.", "Hi.", "Customer request.", "To the support team.", "Good day."),
        (
            "I'll keep this short.",
            "I'm in a bit of a hurry.",
            "Let's be quick about this.",
            "Here is what I need.",
            "Straight to the point.",
            "I only have a minute.",
            "Short request.",
            "One matter to settle.",
        ),
        ("Thanks.", "Thank you.", "That is it.", "Thanks in advance.", "Regards."),
    ),
    Tone(
        "chatty",
        (
            "Hi, good to reach someone!",
            "Hello, hello!",
            "Hi, hope you're well!",
            "Oh, hi!",
            "Hey, glad you're there!",
        ),
        (
            "I've been meaning to write for days.",
            "My week has been a mess, so this is late.",
            "I was just going through my purchases over coffee.",
            "My sister told me your support is great, so let's see.",
            "I finally have five minutes to deal with this.",
            "I always forget these things until the last moment.",
            "I've been shopping with you for a while and rarely need help.",
            "The kids are asleep, so I can finally take care of this.",
        ),
        (
            "Thanks so much, you're a star!",
            "Thank you, and have a lovely day!",
            "Thanks a million!",
            "Thanks ever so much!",
            "Thank you, I really appreciate it!",
        ),
    ),
    Tone(
        "annoyed",
        ("Hello?", "Hi, finally.", "Right.", "Okay, hi.", "Hello, anyone there?"),
        (
            "I've been trying to get this done all morning.",
            "Your website would not let me do this.",
            "I waited far too long to reach you.",
            "I'd rather not spend the whole day on this.",
            "This should not be so complicated.",
            "I am a little frustrated, to be honest.",
            "I hope this goes faster than last time.",
            "I couldn't find any button for this on your site.",
        ),
        (
            "I hope that's possible without any trouble.",
            "Thanks, I guess.",
            "Thanks, and please don't let me wait.",
            "I'd appreciate it if this just worked.",
            "Thank you for getting it done.",
        ),
    ),
)

# What the customer expects: for a question, for a stated request, for one that needs talking over, ...
ANSWER_ONLY = (
    "That is all I need to know.",
    "Just the answer is enough.",
    "There is nothing to change, I only want to know.",
    "No changes, please, only the information.",
    "A short answer is fine.",
    "I don't need anything beyond that.",
    "That's my only question.",
    "Please look it up and tell me.",
    "I'd just like to have it for my records.",
    "No need to do anything else.",
)
GO_AHEAD = (
    "Yes, please go ahead, no need to ask me again.",
    "You have my confirmation, so please go ahead.",
    "I confirm all of this; please just do it.",
    "Yes, I'm sure. Please proceed.",
    "Consider this my yes, you can do it right away.",
    "I agree to all of the details, so go ahead.",
    "I have double-checked everything, so yes, please proceed.",
    "Please do it without checking back; I confirm it.",
    "My answer is yes, go ahead with it.",
    "No need to confirm anything with me, I say yes to it.",
)
TALK_OVER = (
    "Tell me the details before you change anything.",
    "Just ask if you need anything else from me.",
    "I'll answer whatever you need to know.",
    "Let me know what you need from me.",
    "Please walk me through it.",
    "Let's go through it together.",
    "Feel free to ask me questions.",
    "If anything is unclear, ask me.",
    "Please check it and tell me what you find.",
    "I'm right here if you have questions.",
)
TALK_OVER_ANSWER = (
    "I'd rather have it from you than guess.",
    "Just ask if you need anything else from me.",
    "I'll answer whatever you need to know.",
    "Let me know what you need from me to find it.",
    "I couldn't find it myself.",
    "I'm curious what you find.",
    "Feel free to ask me questions.",
    "If anything is unclear, ask me.",
    "Please check it and tell me what you find.",
    "I'm right here if you have questions.",
)
FRAMES = len(TONES) * 5 * 8 * 10 * 5


@dataclass(frozen=True)
class Frame:
    """The words around a request."""

    tone: str
    greeting: str
    opening: str
    expectation: str
    farewell: str
    identity_last: bool

    def message(self, identity: str, request: str) -> str:
        """The whole first message; `identity` may be empty, where the customer waits to be asked."""
        middle = (request, identity) if self.identity_last else (identity, request)
        parts = (self.greeting, self.opening, *middle, self.expectation, self.farewell)
        return " ".join(part for part in parts if part)


def frame_for(number: int, seed: int | str, level: int, change: bool) -> Frame:
    """The frame of a task: each of the 10,000 comes once before any comes again, shuffled by the seed."""
    place, tone_at = divmod(_shuffled(number % FRAMES, _keys(seed)), len(TONES))
    tone = TONES[tone_at]
    place, greeting = divmod(place, len(tone.greetings))
    place, opening = divmod(place, len(tone.openings))
    farewell, expectation = divmod(place, 10)
    expectations = (
        (GO_AHEAD if change else ANSWER_ONLY) if level < 3 else (TALK_OVER if change else TALK_OVER_ANSWER)
    )
    return Frame(
        tone=tone.name,
        greeting=tone.greetings[greeting],
        opening=tone.openings[opening],
        expectation=expectations[expectation],
        farewell=tone.farewells[farewell],
        identity_last=(greeting + opening + farewell) % 4 == 0,
    )


@lru_cache(maxsize=64)
def _keys(seed: int | str) -> tuple[tuple[int, ...], ...]:
    random = Random(f"frames/{seed}")
    return tuple(tuple(random.randrange(100) for _ in range(100)) for _ in range(4))


def _shuffled(place: int, keys: tuple[tuple[int, ...], ...]) -> int:
    """A permutation of 0 … 9,999 without memory: a Feistel network over its two pairs of digits."""
    left, right = divmod(place, 100)
    for key in keys:
        left, right = right, (left + key[right]) % 100
    return left * 100 + right
