"""The words the shop is made of: product types with their options and prices, names, streets and cities.

Every name here is invented for this project or an everyday word. `make_shop.py` draws from it:

    from envs.retail.catalogue import PRODUCT_TYPES
    [axis.name for axis in PRODUCT_TYPES[0].axes]
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """One option of a product; `step` is how much more each later value costs (0.25: a quarter more)."""

    name: str
    values: tuple[str, ...]
    step: float = 0.0


@dataclass(frozen=True)
class ProductType:
    """A kind of product, the price of its first variant in dollars, and the options it comes in."""

    name: str
    price: float
    axes: tuple[Axis, ...]


@dataclass(frozen=True)
class City:
    """A city with its state and the range its zip codes are drawn from."""

    name: str
    state: str
    first_zip: int
    last_zip: int


def _axis(name: str, values: str, step: float = 0.0) -> Axis:
    return Axis(name, tuple(value.strip() for value in values.split(",")), step)


def _type(name: str, price: float, *axes: Axis) -> ProductType:
    return ProductType(name, price, axes)


def _color(values: str) -> Axis:
    return _axis("color", values)


_WEAR = _axis("size", "S, M, L, XL", 0.02)
_SHOE = _axis("size", "7, 8, 9, 10, 11")
_BED = _axis("size", "twin, queen, king", 0.25)

CLOTHES = (
    _type("Rain Jacket", 84, _color("yellow, navy, red"), _WEAR, _axis("lining", "mesh, fleece", 0.15)),
    _type("Hooded Sweatshirt", 46, _color("grey, black, burgundy"), _WEAR, _axis("closure", "pullover, zip", 0.1)),
    _type("Linen Shirt", 52, _color("white, blue, sand"), _WEAR, _axis("sleeve", "short, long", 0.08)),
    _type("Denim Jeans", 64, _axis("waist", "30, 32, 34, 36"), _axis("fit", "slim, straight, relaxed"),
          _color("indigo, black")),
    _type("Wool Scarf", 29, _color("red, green, grey, cream"), _axis("pattern", "plain, striped, checked", 0.06)),
    _type("Winter Gloves", 24, _color("black, brown, blue"), _axis("size", "S, M, L"),
          _axis("material", "knit, leather", 0.6)),
    _type("Leather Belt", 34, _color("black, brown, tan"), _axis("size", "S, M, L"),
          _axis("buckle", "silver, brass")),
    _type("Sun Hat", 22, _color("straw, white, navy"), _axis("size", "S, M, L"), _axis("brim", "narrow, wide", 0.12)),
    _type("Trail Sandals", 68, _SHOE, _color("brown, black, teal"), _axis("strap", "buckle, hook and loop")),
    _type("House Slippers", 27, _SHOE, _color("grey, red, navy"), _axis("sole", "soft, rubber", 0.15)),
)  # fmt: skip

BAGS = (
    _type("Messenger Bag", 72, _color("olive, black, tan"), _axis("material", "canvas, leather", 0.7),
          _axis("size", "13-inch, 15-inch", 0.12)),
    _type("Travel Duffel", 58, _axis("capacity", "40 liters, 60 liters, 90 liters", 0.25), _color("black, blue, orange"),
          _axis("wheels", "no, yes", 0.35)),
    _type("Bifold Wallet", 31, _color("black, brown, green"), _axis("material", "vegan leather, leather", 0.3),
          _axis("coin pocket", "no, yes", 0.08)),
    _type("Folding Umbrella", 19, _color("black, red, blue, yellow"), _axis("opening", "manual, automatic", 0.3),
          _axis("size", "compact, large", 0.2)),
)  # fmt: skip

ELECTRONICS = (
    _type("Computer Monitor", 179, _axis("screen size", "24-inch, 27-inch, 32-inch", 0.32),
          _axis("resolution", "Full HD, QHD, 4K", 0.25), _color("black, white")),
    _type("Mini PC", 329, _axis("memory", "8GB, 16GB, 32GB", 0.28), _axis("storage", "256GB, 512GB, 1TB", 0.18),
          _color("black, silver")),
    _type("Portable SSD", 69, _axis("storage", "500GB, 1TB, 2TB, 4TB", 0.62), _color("black, blue, red")),
    _type("Wi-Fi Router", 89, _axis("bands", "dual-band, tri-band", 0.5), _axis("standard", "Wi-Fi 6, Wi-Fi 7", 0.6),
          _color("white, black")),
    _type("Webcam", 49, _axis("resolution", "1080p, 1440p, 4K", 0.4), _axis("mount", "clip, tripod", 0.1),
          _color("black, white")),
    _type("Drawing Tablet", 99, _axis("size", "small, medium, large", 0.55), _axis("connection", "USB, wireless", 0.2),
          _color("black, grey")),
    _type("Game Controller", 54, _color("white, black, red, blue"), _axis("connection", "wired, wireless", 0.3),
          _axis("grip", "smooth, textured", 0.05)),
    _type("Home Projector", 389, _axis("resolution", "720p, 1080p, 4K", 0.55), _axis("throw", "standard, short", 0.25),
          _color("white, black")),
    _type("Record Player", 149, _axis("drive", "belt, direct", 0.4), _color("walnut, black, white"),
          _axis("speakers", "none, built-in", 0.2)),
    _type("Soundbar", 159, _axis("channels", "2.0, 2.1, 5.1", 0.5), _color("black, white"),
          _axis("subwoofer", "wired, wireless", 0.12)),
    _type("Fitness Band", 59, _color("black, pink, green, blue"), _axis("band size", "small, large"),
          _axis("GPS", "no, yes", 0.35)),
    _type("Photo Printer", 119, _axis("type", "inkjet, dye"), _axis("paper size", "4x6, 5x7, letter", 0.3),
          _color("white, black, mint")),
)  # fmt: skip

KITCHEN = (
    _type("Countertop Blender", 74, _axis("capacity", "1 liter, 1.5 liters, 2 liters", 0.2),
          _color("red, black, cream"), _axis("jar", "plastic, glass", 0.15)),
    _type("Toaster", 36, _axis("slots", "2, 4", 0.5), _color("silver, black, mint, red"),
          _axis("controls", "dial, digital", 0.25)),
    _type("Air Fryer", 88, _axis("capacity", "3 quarts, 5 quarts, 7 quarts", 0.28), _color("black, white"),
          _axis("controls", "dial, touchscreen", 0.15)),
    _type("Rice Cooker", 48, _axis("capacity", "3 cups, 6 cups, 10 cups", 0.3), _color("white, black, red"),
          _axis("inner pot", "aluminum, ceramic", 0.25)),
    _type("Stand Mixer", 269, _axis("bowl size", "4 quarts, 5 quarts, 7 quarts", 0.2),
          _color("red, white, black, sage"), _axis("head", "tilt, bowl-lift", 0.18)),
    _type("Frying Pan", 33, _axis("diameter", "8 inches, 10 inches, 12 inches", 0.22),
          _axis("material", "nonstick, stainless steel, cast iron", 0.18), _axis("lid", "no, yes", 0.25)),
    _type("Knife Set", 79, _axis("pieces", "3, 6, 12", 0.6), _axis("handle", "plastic, wood, steel", 0.12),
          _axis("block", "no, yes", 0.2)),
    _type("Dinnerware Set", 65, _axis("pieces", "12, 16, 24", 0.3), _color("white, blue, terracotta"),
          _axis("material", "stoneware, porcelain", 0.25)),
    _type("Insulated Tumbler", 23, _axis("capacity", "12 oz, 20 oz, 30 oz", 0.18),
          _color("white, black, pink, teal"), _axis("lid", "flip, straw", 0.06)),
    _type("Lunch Box", 21, _axis("compartments", "1, 2, 3", 0.15), _color("blue, green, pink"),
          _axis("material", "plastic, stainless steel", 0.5)),
)  # fmt: skip

HOME = (
    _type("Floor Lamp", 94, _color("black, brass, white"), _axis("shade", "linen, glass, metal", 0.08),
          _axis("dimmer", "no, yes", 0.15)),
    _type("Area Rug", 119, _axis("size", "4x6 ft, 5x8 ft, 8x10 ft", 0.65), _color("grey, blue, rust"),
          _axis("material", "polypropylene, wool", 0.7)),
    _type("Throw Blanket", 39, _color("cream, grey, mustard, teal"), _axis("material", "cotton, fleece, wool", 0.3),
          _axis("size", "medium, large", 0.25)),
    _type("Bed Sheet Set", 55, _BED, _color("white, grey, sage"), _axis("material", "cotton, linen", 0.6)),
    _type("Bed Pillow", 32, _axis("firmness", "soft, medium, firm"), _BED, _axis("fill", "polyester, down", 0.7)),
    _type("Window Curtains", 42, _axis("length", "63 inches, 84 inches, 96 inches", 0.18),
          _color("white, navy, grey"), _axis("light", "sheer, blackout", 0.3)),
    _type("Standing Desk", 329, _axis("width", "48 inches, 55 inches, 63 inches", 0.15),
          _axis("top", "white, oak, walnut", 0.06), _axis("frame", "black, white")),
    _type("Picture Frame", 16, _axis("size", "5x7, 8x10, 11x14", 0.4), _color("black, white, oak, gold")),
)  # fmt: skip

OUTDOORS = (
    _type("Camping Tent", 139, _axis("sleeps", "2 people, 4 people, 6 people", 0.45), _color("green, orange, sand"),
          _axis("season", "3-season, 4-season", 0.4)),
    _type("Sleeping Bag", 78, _axis("rating", "40 F, 20 F, 0 F", 0.35), _axis("length", "regular, long", 0.1),
          _color("blue, red, green")),
    _type("Tennis Racket", 92, _axis("grip size", "4 1/8, 4 1/4, 4 3/8"), _color("black, blue, yellow"),
          _axis("weight", "light, heavy", 0.1)),
    _type("Acoustic Guitar", 189, _axis("body", "parlor, concert, dreadnought", 0.15),
          _axis("wood", "spruce, cedar, mahogany", 0.12), _axis("strings", "nylon, steel")),
    _type("Cordless Drill", 79, _axis("voltage", "12V, 18V, 20V", 0.3), _axis("batteries", "1, 2", 0.3),
          _axis("case", "no, yes", 0.1)),
    _type("Cat Tree", 69, _axis("height", "3 ft, 4 ft, 6 ft", 0.35), _color("beige, grey, brown"),
          _axis("scratching post", "sisal, carpet")),
)  # fmt: skip

PRODUCT_TYPES = CLOTHES + BAGS + ELECTRONICS + KITCHEN + HOME + OUTDOORS

FIRST_NAMES = tuple(
    "Aisha Amara Andre Bianca Clara Dmitri Elias Esme Felix Freya Greta Gwen Hana Hugo Idris Ines Ingrid "
    "Jonas Keiko Kenji Kofi Leila Lucia Marco Marta Miguel Nadia Naomi Oscar Owen Pavel Priya Rosa Samuel "
    "Sana Thandi Theo Tomas Victor Zoe".split()
)

LAST_NAMES = tuple(
    "Banerjee Bauer Bennett Castillo Cohen Delgado Diallo Dlamini Duarte Ferreira Fischer Fraser Haddad Hansen "
    "Hughes Ibrahim Kowalski Larsen Lindgren Mendoza Moreau Murphy Nakamura Novak Okafor Osei Papadakis Park "
    "Petrov Quinn Rahman Romano Sato Schneider Sharma Tanaka Vargas Weber Yilmaz Zhou".split()
)

STREETS = tuple(
    f"{name} {kind}"
    for name, kinds in (
        ("Alder", "Street Lane"), ("Birch Hill", "Road Drive"), ("Canal", "Street Road"), ("Clover", "Lane Court"),
        ("Copper", "Way Street"), ("Dogwood", "Avenue Lane"), ("Fairview", "Avenue Drive"), ("Harbor", "Road Street"),
        ("Heron", "Court Lane"), ("Juniper", "Street Avenue"), ("Kestrel", "Way Drive"), ("Lantern", "Lane Street"),
        ("Meadow", "Road Court"), ("Mill", "Street Road"), ("Orchard", "Avenue Lane"), ("Quarry", "Road Way"),
        ("Saddle", "Drive Lane"), ("Thistle", "Court Way"), ("Union", "Street Avenue"), ("Willow", "Drive Street"),
    )
    for kind in kinds.split()
)  # fmt: skip

UNITS = ("Apt", "Unit", "Floor")

CITIES = (
    City("Albuquerque", "NM", 87101, 87123),
    City("Atlanta", "GA", 30303, 30345),
    City("Baltimore", "MD", 21201, 21239),
    City("Boise", "ID", 83702, 83716),
    City("Boston", "MA", 2108, 2136),
    City("Cleveland", "OH", 44102, 44135),
    City("Des Moines", "IA", 50309, 50321),
    City("Detroit", "MI", 48201, 48238),
    City("Kansas City", "MO", 64105, 64158),
    City("Louisville", "KY", 40202, 40229),
    City("Miami", "FL", 33125, 33190),
    City("Milwaukee", "WI", 53202, 53228),
    City("Minneapolis", "MN", 55401, 55455),
    City("Nashville", "TN", 37201, 37221),
    City("New Orleans", "LA", 70112, 70131),
    City("Omaha", "NE", 68102, 68164),
    City("Pittsburgh", "PA", 15201, 15239),
    City("Portland", "OR", 97201, 97239),
    City("Providence", "RI", 2903, 2912),
    City("Raleigh", "NC", 27601, 27617),
    City("Richmond", "VA", 23219, 23238),
    City("Sacramento", "CA", 95811, 95838),
    City("Salt Lake City", "UT", 84101, 84124),
    City("Tucson", "AZ", 85701, 85757),
)
