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
    """A kind of product, the price of its plainest variant in dollars, and the options it comes in."""

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


# name | price of the plainest | option: values, cheapest first, and how much more each step costs | ...
# An indented line goes on with the one above it.
TYPES = """
# clothes
Rain Jacket | 84 | color: yellow, navy, red | size: S, M, L, XL +2% | lining: mesh, fleece +15%
Hooded Sweatshirt | 46 | color: grey, black, burgundy | size: S, M, L, XL +2% | closure: pullover, zip +10%
Linen Shirt | 52 | color: white, blue, sand | size: S, M, L, XL +2% | sleeve: short, long +8%
Denim Jeans | 64 | waist: 30, 32, 34, 36 | fit: slim, straight, relaxed | color: indigo, black
Wool Scarf | 29 | color: red, green, grey, cream | pattern: plain, striped, checked +6%
Winter Gloves | 24 | color: black, brown, blue | size: S, M, L | material: knit, leather +60%
Leather Belt | 34 | color: black, brown, tan | size: S, M, L | buckle: silver, brass
Sun Hat | 22 | color: straw, white, navy | size: S, M, L | brim: narrow, wide +12%
Trail Sandals | 68 | size: 7, 8, 9, 10, 11 | color: brown, black, teal | strap: buckle, hook and loop
House Slippers | 27 | size: 7, 8, 9, 10, 11 | color: grey, red, navy | sole: soft, rubber +15%
# bags
Messenger Bag | 72 | color: olive, black, tan | material: canvas, leather +70% | size: 13-inch, 15-inch +12%
Travel Duffel | 58 | capacity: 40 liters, 60 liters, 90 liters +25% | color: black, blue, orange
    | wheels: no, yes +35%
Bifold Wallet | 31 | color: black, brown, green | material: vegan leather, leather +30%
    | coin pocket: no, yes +8%
Folding Umbrella | 19 | color: black, red, blue, yellow | opening: manual, automatic +30%
    | size: compact, large +20%
# electronics
Computer Monitor | 179 | screen size: 24-inch, 27-inch, 32-inch +32% | resolution: Full HD, QHD, 4K +25%
    | color: black, white
Mini PC | 329 | memory: 8GB, 16GB, 32GB +28% | storage: 256GB, 512GB, 1TB +18% | color: black, silver
Portable SSD | 69 | storage: 500GB, 1TB, 2TB, 4TB +62% | color: black, blue, red
Wi-Fi Router | 89 | bands: dual-band, tri-band +50% | standard: Wi-Fi 6, Wi-Fi 7 +60% | color: white, black
Webcam | 49 | resolution: 1080p, 1440p, 4K +40% | mount: clip, tripod +10% | color: black, white
Drawing Tablet | 99 | size: small, medium, large +55% | connection: USB, wireless +20% | color: black, grey
Game Controller | 54 | color: white, black, red, blue | connection: wired, wireless +30%
    | grip: smooth, textured +5%
Home Projector | 389 | resolution: 720p, 1080p, 4K +55% | throw: standard, short +25% | color: white, black
Record Player | 149 | drive: belt, direct +40% | color: walnut, black, white | speakers: none, built-in +20%
Soundbar | 159 | channels: 2.0, 2.1, 5.1 +50% | color: black, white | subwoofer: wired, wireless +12%
Fitness Band | 59 | color: black, pink, green, blue | band size: small, large | GPS: no, yes +35%
Photo Printer | 119 | type: inkjet, dye | paper size: 4x6, 5x7, letter +30% | color: white, black, mint
# kitchen
Countertop Blender | 74 | capacity: 1 liter, 1.5 liters, 2 liters +20% | color: red, black, cream
    | jar: plastic, glass +15%
Toaster | 36 | slots: 2, 4 +50% | color: silver, black, mint, red | controls: dial, digital +25%
Air Fryer | 88 | capacity: 3 quarts, 5 quarts, 7 quarts +28% | color: black, white
    | controls: dial, touchscreen +15%
Rice Cooker | 48 | capacity: 3 cups, 6 cups, 10 cups +30% | color: white, black, red
    | inner pot: aluminum, ceramic +25%
Stand Mixer | 269 | bowl size: 4 quarts, 5 quarts, 7 quarts +20% | color: red, white, black, sage
    | head: tilt, bowl-lift +18%
Frying Pan | 33 | diameter: 8 inches, 10 inches, 12 inches +22%
    | material: nonstick, stainless steel, cast iron +18% | lid: no, yes +25%
Knife Set | 79 | pieces: 3, 6, 12 +60% | handle: plastic, wood, steel +12% | block: no, yes +20%
Dinnerware Set | 65 | pieces: 12, 16, 24 +30% | color: white, blue, terracotta
    | material: stoneware, porcelain +25%
Insulated Tumbler | 23 | capacity: 12 oz, 20 oz, 30 oz +18% | color: white, black, pink, teal
    | lid: flip, straw +6%
Lunch Box | 21 | compartments: 1, 2, 3 +15% | color: blue, green, pink
    | material: plastic, stainless steel +50%
# home
Floor Lamp | 94 | color: black, brass, white | shade: linen, glass, metal +8% | dimmer: no, yes +15%
Area Rug | 119 | size: 4x6 ft, 5x8 ft, 8x10 ft +65% | color: grey, blue, rust
    | material: polypropylene, wool +70%
Throw Blanket | 39 | color: cream, grey, mustard, teal | material: cotton, fleece, wool +30%
    | size: medium, large +25%
Bed Sheet Set | 55 | size: twin, queen, king +25% | color: white, grey, sage | material: cotton, linen +60%
Bed Pillow | 32 | firmness: soft, medium, firm | size: twin, queen, king +25% | fill: polyester, down +70%
Window Curtains | 42 | length: 63 inches, 84 inches, 96 inches +18% | color: white, navy, grey
    | light: sheer, blackout +30%
Standing Desk | 329 | width: 48 inches, 55 inches, 63 inches +15% | top: white, oak, walnut +6%
    | frame: black, white
Picture Frame | 16 | size: 5x7, 8x10, 11x14 +40% | color: black, white, oak, gold
# outdoors
Camping Tent | 139 | sleeps: 2 people, 4 people, 6 people +45% | color: green, orange, sand
    | season: 3-season, 4-season +40%
Sleeping Bag | 78 | rating: 40 F, 20 F, 0 F +35% | length: regular, long +10% | color: blue, red, green
Tennis Racket | 92 | grip size: 4 1/8, 4 1/4, 4 3/8 | color: black, blue, yellow | weight: light, heavy +10%
Acoustic Guitar | 189 | body: parlor, concert, dreadnought +15% | wood: spruce, cedar, mahogany +12%
    | strings: nylon, steel
Cordless Drill | 79 | voltage: 12V, 18V, 20V +30% | batteries: 1, 2 +30% | case: no, yes +10%
Cat Tree | 69 | height: 3 ft, 4 ft, 6 ft +35% | color: beige, grey, brown | scratching post: sisal, carpet
"""


def _types(table: str) -> tuple[ProductType, ...]:
    lines = table.replace("\n    |", " |").splitlines()
    return tuple(_type(line) for line in lines if line and not line.startswith("#"))


def _type(line: str) -> ProductType:
    name, price, *axes = (part.strip() for part in line.split(" | "))
    return ProductType(name, float(price), tuple(_axis(axis) for axis in axes))


def _axis(text: str) -> Axis:
    name, rest = text.split(": ")
    values, _, percent = rest.partition(" +")
    return Axis(name, tuple(values.split(", ")), float(percent.rstrip("%") or 0) / 100)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PRODUCT_TYPES = _types(TYPES)

FIRST_NAMES = _words("""
    Aisha Amara Andre Bianca Clara Dmitri Elias Esme Felix Freya Greta Gwen Hana Hugo Idris Ines Ingrid Jonas
    Keiko Kenji Kofi Leila Lucia Marco Marta Miguel Nadia Naomi Oscar Owen Pavel Priya Rosa Samuel Sana Thandi
    Theo Tomas Victor Zoe
""")

LAST_NAMES = _words("""
    Banerjee Bauer Bennett Castillo Cohen Delgado Diallo Dlamini Duarte Ferreira Fischer Fraser Haddad Hansen
    Hughes Ibrahim Kowalski Larsen Lindgren Mendoza Moreau Murphy Nakamura Novak Okafor Osei Papadakis Park
    Petrov Quinn Rahman Romano Sato Schneider Sharma Tanaka Vargas Weber Yilmaz Zhou
""")

STREET_NAMES = _words("""
    Alder Birch Canal Clover Copper Dogwood Fairview Harbor Heron Juniper Kestrel Lantern Meadow Mill Orchard
    Quarry Saddle Thistle Union Willow
""")

STREET_KINDS = _words("Avenue Court Drive Lane Road Street Way")

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
