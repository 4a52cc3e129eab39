"""Who is writing, by e-mail or by name and zip code: in words, as the look-up, as what the customer can tell.

identity_in_words(random, user, user_id, by_email, with_id)     # "I'm Ana Lopez, zip code 12345."
identify(user, by_email=False)                                  # find_user_id_by_name_zip(...)
identity_facts(user, by_email=False)                            # {"name": ..., "zip": ...}
"""

from random import Random

from envs.retail.database import Record
from envs.retail.tasks import Action

BY_EMAIL = (
    "My email is {email}.",
    "You can find me under {email}.",
    "My account is registered to {email}.",
    "I'm {name}, and my email address is {email}.",
    "This is {name}, {email}.",
    "It's {name} here, email {email}.",
    "The email on my account is {email}.",
    "My name is {name} and I signed up with {email}.",
)
BY_NAME_AND_ZIP = (
    "My name is {name} and my zip code is {zip}.",
    "I'm {name}, zip code {zip}.",
    "This is {name} from {city}, zip {zip}.",
    "{name} here, zip code {zip}.",
    "You'll find me as {name}, zip code {zip}.",
    "My name is {name}; I live in {city}, {zip}.",
    "I'm {name} and my zip is {zip}.",
    "The account is in the name of {name}, zip code {zip}.",
)
WITH_USER_ID = ("My user id is {user_id}.", "User id: {user_id}.", "The account's user id is {user_id}.")


def identity_in_words(random: Random, user: Record, user_id: str, by_email: bool, with_id: bool) -> str:
    """Who is writing, by e-mail or by name and zip code; the user id only where asked for."""
    words = random.choice(BY_EMAIL if by_email else BY_NAME_AND_ZIP).format(
        name=name_of(user),
        email=user["email"],
        zip=user["address"]["zip"],
        city=user["address"]["city"],
    )
    return f"{words} {random.choice(WITH_USER_ID).format(user_id=user_id)}" if with_id else words


def name_of(user: Record) -> str:
    """A customer's first and last name."""
    return f"{user['name']['first_name']} {user['name']['last_name']}"


def identify(user: Record, by_email: bool) -> Action:
    """The look-up that every task begins with."""
    if by_email:
        return Action("find_user_id_by_email", {"email": user["email"]})
    return Action("find_user_id_by_name_zip", {**user["name"], "zip": user["address"]["zip"]})


def identity_facts(user: Record, by_email: bool) -> dict[str, str]:
    """What the customer tells about themselves when asked."""
    told = {"email": user["email"]} if by_email else {"zip": user["address"]["zip"]}
    return {"name": name_of(user), **told}
