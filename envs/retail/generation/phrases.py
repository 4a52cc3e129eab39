"""How customers name the things of a shop: items, options, orders' addresses, ways to pay, amounts.

item_name("Denim Jeans")                             # "denim jeans"
options_in_words({"color": "navy", "size": "L"})     # "navy, size L"
change_in_words({"size": ("M", "L")})                # "in size L instead of M"
methods_in_words(user, "paypal_1234567")             # ["PayPal", "my PayPal account"]
"""

import re
from collections.abc import Iterable, Mapping
from random import Random

from envs.retail.catalogue import CITIES, STREET_KINDS, STREET_NAMES
from envs.retail.database import Record

# Options whose values say by themselves what they are.
_ALONE = {"color", "material", "type", "season", "light", "theme", "voltage", "features", "firmness", "brand"}
_ALONE |= {"gender", "scent family", "bagged/bagless"}
_KIND_OF = re.compile(r" (?:color|material|type)$")  # a "strap material" of leather is a leather strap
_NO_ARTICLE = {"GPS", "water resistance", "backlight", "Bluetooth"}


def item_name(name: str) -> str:
    """A product's name as it is said in a sentence: 'Rain Jacket' is a rain jacket, a 'Mini PC' a mini PC."""
    return " ".join(word.lower() if word.isalpha() and word.istitle() else word for word in name.split())


def is_plural(name: str) -> bool:
    """Whether one speaks of the product as 'they'."""
    return name.endswith("s") and not name.endswith("ss")


def it(name: str) -> str:
    """The pronoun for a product."""
    return "them" if is_plural(name) else "it"


def a(words: str) -> str:
    """Words with the right article in front."""
    return f"{'an' if re.match(r'[aeiou8]|11|18|L |M |S |X', words, re.IGNORECASE) else 'a'} {words}"


def listed(parts: Iterable[str], last: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    *first, end = parts
    return f"{', '.join(first)} {last} {end}" if first else end


def option_in_words(option: str, value: str) -> str:
    """One option as one would say it: 'blue', 'size L', 'with a lid', '4 slots', 'mesh lining'."""
    if value in ("yes", "no"):
        noun = option if option in _NO_ARTICLE or option.endswith("s") else a(option)
        if option == "waterproof":
            return "waterproof" if value == "yes" else "not waterproof"
        return f"with {noun}" if value == "yes" else f"without {noun}"
    if value == "none":
        return f"no {option}"
    if _says_itself(option, value):
        return value
    if option == "sleeps":
        return f"for {value}"
    option = _KIND_OF.sub("", option)
    if value.isdigit() and option.endswith("s"):
        return f"{value} {_singular(option) if value == '1' else option}"
    if option.endswith("size") or value[0].isdigit():
        return f"{option} {value}"
    return f"{value} {option}"


def _says_itself(option: str, value: str) -> bool:
    return option in _ALONE or any(word.rstrip("s") in value for word in option.split() if len(word) > 3)


def _singular(noun: str) -> str:
    return noun[:-3] + "y" if noun.endswith("ies") else noun[:-1]


def options_in_words(options: Mapping[str, str]) -> str:
    """All options of a variant: 'navy, size L, mesh lining'."""
    return ", ".join(option_in_words(option, value) for option, value in options.items())


def full_name(item: Record) -> str:
    """An item with all its options: 'rain jacket (navy, size L, mesh lining)'."""
    return f"{item_name(item['name'])} ({options_in_words(item['options'])})"


def change_in_words(changes: Mapping[str, tuple[str, str]], plural: bool = False) -> str:
    """What is to be different, each option as (old, new): 'in size L instead of M and with a lid'."""
    words = listed(_one_change(option, old, new) for option, (old, new) in changes.items())
    return words.replace("that is ", "that are ") if plural else words


def _one_change(option: str, old: str, new: str) -> str:
    if "yes" in (old, new) or "no" in (old, new):
        words = option_in_words(option, new)
        return words if words.startswith("with") else f"that is {words}"
    if new == "none":
        return f"without {option}"
    instead = "" if old == "none" else f" instead of {old}"
    if option in ("color", "material"):
        return f"in {new}{instead}"
    if option.endswith("size"):
        return f"in {option} {new}{instead}"
    if option == "sleeps":
        return f"for {new}{instead}"
    if _says_itself(option, new):
        return f"that is {new}{instead}"
    return f"with {option_in_words(option, new)}{instead}"


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The options in which two variants differ."""
    return {option: (old[option], value) for option, value in new.items() if old[option] != value}


# ---- addresses ----


def address_in_words(address: Mapping[str, str]) -> str:
    """A whole address in one line."""
    street = ", ".join(part for part in (address["address1"], address["address2"]) if part)
    return f"{street}, {address['city']}, {address['state']} {address['zip']}, {address['country']}"


def new_address(random: Random) -> dict[str, str]:
    """A complete address that nobody in the shop has to have, in the order of the tools' arguments."""
    city, unit = random.choice(CITIES), random.choice(("Apt", "Unit", "Suite"))
    street = f"{random.choice(STREET_NAMES)} {random.choice(STREET_KINDS)}"
    return {
        "address1": f"{random.randrange(11, 990)} {street}",
        "address2": f"{unit} {random.randrange(101, 990)}",
        "city": city.name,
        "state": city.state,
        "country": "USA",
        "zip": f"{random.randint(city.first_zip, city.last_zip):05d}",
    }


def address_arguments(address: Mapping[str, str]) -> dict[str, str]:
    """A record's address in the order of the tools' arguments."""
    return {part: address[part] for part in ("address1", "address2", "city", "state", "country", "zip")}


# ---- money ----


def money_output(amount: float) -> str:
    """An amount as the shortest text that every way of writing it contains: 134.5 is in '$134.50'."""
    return f"{abs(amount):.2f}".rstrip("0").rstrip(".")


def tellable(amount: float) -> bool:
    """Whether an amount has two decimal places: written in one way only, and not found by chance."""
    return round(abs(amount) * 100) % 10 != 0 and abs(amount) >= 10


_KINDS = {
    "paypal": ("PayPal", "PayPal account"),
    "gift_card": ("gift card",),
    "credit_card": ("credit card",),
}


def methods_in_words(user: Record, method_id: str) -> list[str]:
    """The ways to say which of a customer's payment methods is meant; each fits that one only."""
    methods = user["payment_methods"]
    method = methods[method_id]
    same = [other for other in methods.values() if other["source"] == method["source"]]
    words = []
    if len(same) == 1:
        words += [f"my {kind}" for kind in _KINDS[method["source"]]]
    if method["source"] == "credit_card":
        brand = method["brand"].title().replace("card", "Card") if method["brand"] == "mastercard" else "Visa"
        if sum(other["last_four"] == method["last_four"] for other in same) == 1:
            words += [
                f"my {brand} ending in {method['last_four']}",
                f"the card ending in {method['last_four']}",
            ]
        if sum(other["brand"] == method["brand"] for other in same) == 1:
            words.append(f"my {brand}")
    return words or [f"my {_KINDS[method['source']][0]} ({method_id})"]


def method_with_id(user: Record, method_id: str) -> str:
    """A payment method by words and id, as a customer reads it from the account page."""
    source = user["payment_methods"][method_id]["source"]
    return f"my {_KINDS[source][-1]} ({method_id})"
