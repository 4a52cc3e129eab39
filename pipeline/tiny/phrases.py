"""How people talk in the tiny base's pre-training: many ways to want one thing, and small talk around it.

random.choice(WANTED["stop"]).format(record="loan", rid="#K1234567", reason="I found another.")
in_a_letter(random, "I am Bo Lee, zip 12345.", "Please cancel #K1234567.")   # one whole message

Variety is what the model learns from: of a wish in five wordings it knew those and guessed at all others.
"""

from random import Random

REASONS = {  # what a tool is told, and how people say it
    "no longer needed": (
        "I do not need it any more.",
        "We no longer need this.",
        "It is not needed now.",
        "I have no use for it any longer.",
    ),
    "made by mistake": (
        "That was a mistake of mine.",
        "I did it by mistake.",
        "I hit the wrong button.",
        "It was made by mistake.",
    ),
    "too late": ("It comes too late for me.", "It is too late now.", "I needed it last week."),
    "wrong date": ("I picked the wrong date.", "The date is wrong.", "That day does not suit me."),
    "found another": ("I found another one.", "I have got one somewhere else.", "A friend gave me one."),
    "moved away": ("I am moving away.", "We have moved to another country.", "I live too far away now."),
}

WANTED = {
    "stop": (
        "Please {verb} {rid}. {reason}",
        "{reason} Please {verb} my {record} {rid}.",
        "I do not want {rid} any more. {reason}",
        "Could you call off {record} {rid}? {reason}",
        "My {record} {rid} can be cancelled. {reason}",
        "I changed my mind about {rid}. {reason} Please cancel it.",
        "I want my {record} {rid} stopped. {reason}",
        "Can you cancel {record} {rid} for me? {reason}",
        "{reason} So I would like {rid} to be taken off, please.",
        "Please do not go on with {rid}. {reason}",
        "It would be good if {record} {rid} could be called off. {reason}",
        "Cancel {rid}, please. {reason}",
    ),
    "back": (
        "I would like to {verb} {what} from {rid}, money to {method}.",
        "I want to give {what} of {rid} back to you. Refund it by {method}.",
        "Please take back {what} from {record} {rid}; the refund goes to {method}.",
        "I want to return {what} ({rid}). I would like the money on {method}.",
        "I am not happy with {what} in {rid}. Can I send it back? Money to {method}, please.",
        "Can I get a refund to {method} for {what} from my {record} {rid}?",
        "{what} from {rid} did not suit me and should go back. Please put the money on {method}.",
        "Please arrange for {what} in {record} {rid} to be returned. Send the refund to {method}.",
        "I am sending back {what}, all from {rid}. Refund: {method}.",
        "My {record} {rid}: I want to hand {what} back in and be refunded to {method}.",
        "Would you take {what} of {rid} back? Pay me by {method}.",
        "{what} ({record} {rid}) can be picked up again, and {method} gets the money back.",
    ),
    "swap": (
        "Please exchange {pairs} in {rid}, paid by {method}.",
        "I got {rid} and want to exchange {pairs}; use {method}.",
        "Could you exchange {pairs} from {record} {rid}? {method} pays what it costs more.",
        "I would like to trade {pairs} from my {record} {rid}. Difference by {method}.",
        "{rid} has arrived, but I would rather swap {pairs}. You can use {method}.",
        "Can I swap {pairs}? It came with {rid}. Please settle it by {method}.",
        "I want an exchange in {record} {rid}: {pairs}. Any difference goes on {method}.",
        "From {rid} I need {pairs} exchanged, with {method} for the difference.",
    ),
    "change": (
        "Please change {pairs} in {rid}, paid by {method}.",
        "Before {rid} goes out I want to change {pairs}; use {method}.",
        "Could you modify {record} {rid}: {pairs}? {method} pays what it costs more.",
        "I would like to update my {record} {rid} by changing {pairs}. Difference by {method}.",
        "{rid} is not finished yet, so please switch {pairs}. You can use {method}.",
        "Can my {record} {rid} still be altered? Make it {pairs}. Please settle it by {method}.",
        "I chose badly in {record} {rid}. Change {pairs}, please. Any difference goes on {method}.",
        "In {rid} I need {pairs} modified, with {method} for the difference.",
    ),
    "move": (
        "Please send {record} {rid} to {to}.",
        "The address of {rid} should be {to}.",
        "I will not be in when {rid} comes. It has to go to {to} now.",
        "Please change the address of my {record} {rid}: {to}.",
        "Can {rid} be delivered to {to} instead?",
        "Could you ship {record} {rid} to another address, {to}?",
        "I got the address of {rid} wrong. It is {to}.",
        "My {record} {rid} must be brought to {to}, please correct the address.",
        "Is it possible to have {rid} sent to {to}?",
        "{record} {rid} is to go somewhere else: {to}.",
    ),
    "home": (
        "I have moved. My own address is {to} now.",
        "Please put {to} into my profile as my home address.",
        "My {person} data has the wrong address. Please save {to} there.",
        "Could you update the address you keep for me? I live at {to}.",
        "We live somewhere new: {to}. Please note it in my account.",
        "Change my default address to {to}, please.",
        "The address in my account should be {to} from now on.",
        "Can you set the address of my profile to {to}?",
    ),
    "pay": (
        "Please use {method} for {rid}.",
        "Change the {means} of {record} {rid} to {method}.",
        "I would like to pay for {rid} with {method} instead.",
        "Can you put {record} {rid} on {method}?",
        "The payment of {rid} should come from {method}.",
        "Please charge {rid} to {method}, not to what I took first.",
        "I took the wrong {means} for my {record} {rid}. It ought to be {method}.",
        "Switch {record} {rid} over to {method}, please.",
        "I want {rid} paid by {method}.",
        "Could the bill for {rid} go to {method}?",
    ),
    "ask": (
        "What is {question} {record} {rid}?",
        "Please tell me {question} {rid}.",
        "Can you look up {question} my {record} {rid}?",
        "I need to know {question} {rid}.",
        "I am doing my papers and miss {question} {record} {rid}.",
        "I lost the letter. What was {question} {rid}?",
        "Could you read {question} {record} {rid} to me?",
        "About my {record} {rid}: what is {question} it?",
    ),
    "about_me": (
        "Which {question}?",
        "What {question}, please?",
        "Can you tell me which {question}?",
        "I am not sure any more which {question}.",
        "I forgot what {question}. Please check.",
        "Please look up which {question}.",
    ),
    "list": (
        "What does the {thing} ({kind} {number}) with {options} cost?",
        "Price of {kind} {number}, {options}?",
        "I am thinking of the {thing}, {kind} {number}. What would it cost with {options}?",
        "Can you tell me the price of the {thing} ({kind} {number}) in this form: {options}?",
        "How much would you want for the {thing} with {options}? It is {kind} {number}.",
        "Please look up what {options} costs for the {thing} ({kind} {number}).",
        "The {thing} ({kind} {number}): what is the price with {options} at the moment?",
    ),
}
BY_EMAIL = (
    "My email is {email}.",
    "You find me under {email}.",
    "I am {name}, {email}.",
    "This is {name}, my email address is {email}.",
    "{name} here, I use {email}.",
    "I signed up as {email}.",
    "My account belongs to {email}.",
    "It is {name}, email {email}.",
    "Please look for {email}.",
    "I gave you {email} when I joined.",
    "{email} is the address you have of me.",
    "Write to {email} if need be, that is me.",
    "I log in with {email}.",
    "The name is {name}, and mail goes to {email}.",
    "Your letters reach me at {email}.",
    "I, {name}, am in your books with {email}.",
)
BY_NAME = (
    "My name is {name} and my zip code is {zip}.",
    "I am {name}, zip {zip}.",
    "{name}, {zip}.",
    "This is {name} from {city}, zip code {zip}.",
    "I am called {name}; I live in {city}, {zip}.",
    "You have me as {name}, zip {zip}.",
    "It is {name} here, and my zip is {zip}.",
    "The account is under {name}, zip code {zip}.",
    "Please look for {name} in {zip}.",
    "{name} speaking, I live in {city} ({zip}).",
    "I have no email. My name is {name}, and I am from {city}, {zip}.",
    "Zip {zip}, name {name}.",
)
KNOWN_AS = (
    "My {person} id is {id}.",
    "My id: {id}.",
    "I am {person} {id}.",
    "The id of my account is {id}.",
    "User id: {id}.",
)

ASK_FIRST = (
    "Ask me before you change anything.",
    "But tell me first what you will do.",
    "Please repeat it to me before you do it.",
    "Do nothing before I have said yes.",
)

_GREETINGS = (
    "Hello!",
    "Hi.",
    "Good day.",
    "Hey!",
    "Dear team,",
    "Good evening!",
    "Oh, hello.",
    "Hi, is somebody there?",
)
_SMALL_TALK = (
    "I hope all is well with you.",
    "I have little time today.",
    "It took me ages to find this chat.",
    "My brother said you would help.",
    "I have a small request.",
    "Something is not right yet.",
    "I tried it on the phone first.",
    "I have been with you for years.",
    "This is a bit embarrassing.",
    "I would like your help.",
    "It will be quick, I promise.",
    "The week was long, so bear with me.",
    "Your page does not let me.",
    "I am not good with computers.",
    "I waited all morning.",
    "Let us see if this works.",
)
_EXPECTING = (
    "Yes, you may do it now.",
    "I am sure about this, please go on.",
    "You need not ask me again.",
    "I agree with everything already.",
    "That is my only question.",
    "I only want to know this.",
    "Please check it for me.",
    "Nothing else for today.",
    "Please do it right away, I say yes.",
    "I just need the answer.",
)
_FAREWELLS = (
    "Thank you!",
    "Thanks.",
    "Many thanks.",
    "Have a good day.",
    "Best regards.",
    "I am grateful for your help.",
    "You are great.",
    "That would be all.",
    "I hope it works this time.",
)


def in_a_letter(random: Random, who: str, want: str, chat: str = "") -> str:
    """One message: who writes and what they want, in either order, with more or less small talk around it."""
    middle = [who, want] if random.random() < 0.6 else [want, who]
    before = [random.choice(words) for words in (_GREETINGS, _SMALL_TALK) if random.random() < 0.6]
    after = [random.choice(words) for words in (_EXPECTING, _FAREWELLS) if random.random() < 0.6]
    return " ".join(part for part in (chat, *before, *middle, *after) if part)
