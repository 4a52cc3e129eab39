"""Questions: nothing changes in the shop, but the customer must be told something they can check.

At level 1 the id of the order or product is in the question; from level 3 on it has to be found out first,
or something has to be worked out.
"""

from envs.retail.database import Record
from envs.retail.generation import phrases
from envs.retail.generation.requests import (
    Case,
    Mention,
    Request,
    mention_order,
    read_product,
    read_profile,
    reckon,
)
from envs.retail.tasks import Action

TRACKING = (
    "what is the tracking number of {order}?",
    "could you give me the tracking number for {order}?",
    "I'd like to follow the parcel of {order}. What's its tracking number?",
    "where can I find the tracking id of {order}? Please just tell me the number.",
    "I need the tracking number for {order}.",
    "please look up {order} and tell me how to track it; I only need the tracking number.",
    "I lost the tracking number for {order}. Can you read it to me?",
)
TOTAL = (
    "how much did I pay for {order} in total?",
    "what was the total of {order}?",
    "can you tell me what I paid altogether for {order}?",
    "I'm doing my accounts and need the total amount of {order}.",
    "what did {order} come to?",
    "please tell me the full amount that was charged for {order}.",
)
ITEM_PRICE = (
    "what did I pay for the {item} in {order}?",
    "how much did the {item} in {order} cost?",
    "can you look up the price of the {item} in {order}?",
    "I need to know what the {item} in {order} cost me.",
    "the {item} in {order}: what was the price?",
    "please tell me the price I was charged for the {item} in {order}.",
)
ITEM_NUMBER = (
    "what is the item number of the {item} in {order}?",
    "can you tell me the item id of the {item} in {order}?",
    "I need the item number of the {item} from {order} for my insurance.",
    "please read me the item id of the {item} that is in {order}.",
    "which item number belongs to the {item} in {order}?",
)
SHIP_TO = (
    "which address is {order} going to? Please read me the street.",
    "can you tell me the delivery address of {order}?",
    "I'm not sure where I had {order} sent. Which street address does it say?",
    "what shipping address is on {order}?",
    "please check the address that {order} ships to and tell me the street.",
)
PAID_WITH = (
    "which payment method was used for {order}? I need its id.",
    "can you tell me the id of the payment method I used for {order}?",
    "how did I pay for {order}? Please give me the payment method's id.",
    "I need to know the payment method id on {order}.",
    "what's the id of the payment method that {order} was charged to?",
)
HOME = (
    "which default address do you have on file for me? I need the street.",
    "what's the street in my default address?",
    "can you check which address is saved in my profile?",
    "I recently moved and don't remember whether I updated my profile. Which street do you have for me?",
    "please read me the default address in my account.",
)
EMAIL = (
    "which email address do you have on file for me?",
    "I can't remember which email I signed up with. Can you tell me?",
    "what is the email address in my profile?",
    "please tell me the email address that belongs to my account.",
    "I'm no longer sure which of my email addresses you use. Which one is it?",
)
PRODUCT_PRICE = (
    "what would the {product} cost in this version: {options}?",
    "what is the price of the {product} with these options: {options}?",
    "can you tell me the price of the {product} with {options}?",
    "I'm thinking of getting the {product}, namely this one: {options}. What's the price?",
    "please look up the price of the {product} in this version: {options}.",
)
PRODUCT_EXTREME = (
    "what is the price of the {extreme} {product} you have available right now?",
    "what would your {extreme} available {product} cost me?",
    "of the versions of the {product} that are available, what does the {extreme} one cost?",
    "I'm curious about the {product}: what would the {extreme} version that's in stock cost me?",
    "can you tell me the price of the {extreme} version of the {product} that is in stock?",
)


def _about_order(
    case: Case, order: Record, name: str, templates: tuple[str, ...], output: str, item: Record | None = None
) -> Request:
    """A question about one order, answered by one text in its record."""
    mention = mention_order(case, order, hidden=1.0, but=(item["name"],) if item else ())
    named = {"item": phrases.item_name(item["name"])} if item else {}
    words = case.say(templates, order=mention.words, **named)
    return Request(name, words, mention.reads, (output,), mention.facts, mention.finds)


def tracking(case: Case, order: Record) -> Request:
    """The tracking number of a parcel."""
    return _about_order(case, order, "tracking", TRACKING, order["fulfillments"][0]["tracking_id"][0])


def order_total(case: Case, order: Record) -> Request:
    """What an order cost."""
    return _about_order(
        case, order, "order total", TOTAL, phrases.money_output(order["payment_history"][0]["amount"])
    )


def item_price(case: Case, order: Record) -> Request:
    """What one item of an order cost."""
    item = case.pick([i for i in case.index.single_items(order) if phrases.tellable(i["price"])])
    return _about_order(case, order, "item price", ITEM_PRICE, phrases.money_output(item["price"]), item)


def item_number(case: Case, order: Record) -> Request:
    """The id of an item in an order."""
    item = case.pick(case.index.single_items(order))
    return _about_order(case, order, "item number", ITEM_NUMBER, item["item_id"], item)


def ship_to(case: Case, order: Record) -> Request:
    """Where an order goes."""
    return _about_order(case, order, "shipping address", SHIP_TO, order["address"]["address1"])


def paid_with(case: Case, order: Record) -> Request:
    """Which method paid an order."""
    return _about_order(
        case, order, "payment used", PAID_WITH, order["payment_history"][0]["payment_method_id"]
    )


def home_address(case: Case, order: None = None) -> Request:
    """The default address on file."""
    output = case.user["address"]["address1"]
    return Request("profile address", case.say(HOME), (read_profile(case),), (output,))


def email_on_file(case: Case, order: None = None) -> Request:
    """The e-mail address on file, for somebody who gave name and zip code."""
    words = case.say(EMAIL)
    return Request("profile email", words, (read_profile(case),), (case.user["email"],), by_name=True)


def mention_product(case: Case, product: Record) -> Mention:
    """A product by its id where all is stated, else by its name, as in the list of product types."""
    name = phrases.item_name(product["name"])
    read = read_product(product["product_id"])
    if case.stated:
        return Mention(f"{name} (product {product['product_id']})", (read,))
    return Mention(name, (Action("list_all_product_types", {}), read), {}, ("product",))


def product_price(case: Case, order: None = None) -> Request:
    """The price of one variant."""
    product, variant = case.pick(case.index.priced_variants)
    mention = mention_product(case, product)
    options = phrases.options_in_words(variant["options"])
    words = case.say(PRODUCT_PRICE, product=mention.words, options=options)
    return Request(
        "product price", words, mention.reads, (phrases.money_output(variant["price"]),), {}, mention.finds
    )


def product_extreme(case: Case, order: None = None) -> Request:
    """The price of the cheapest or dearest variant that can be had."""
    product = case.shop.products[case.pick(case.index.products_with_extremes)]
    cheapest, dearest = case.index.extremes[product["product_id"]]
    variant, extreme = case.pick(((cheapest, "cheapest"), (dearest, "most expensive")))
    mention = mention_product(case, product)
    words = case.say(PRODUCT_EXTREME, product=mention.words, extreme=extreme)
    return Request(
        "product price", words, mention.reads, (phrases.money_output(variant["price"]),), {}, mention.finds
    )


# ---- questions with arithmetic (level 3 and above) ----

TWO_ITEMS = (
    "what do the {first} and the {second} in {order} cost together?",
    "how much did I pay for the {first} and the {second} in {order} combined?",
    "I'm splitting the bill with a friend: what do the {first} and the {second} in {order} add up to?",
    "please add up the prices of the {first} and the {second} in {order} for me.",
)
REST = (
    "without the {first}, what would {order} have cost me?",
    "how much of {order} is left if you take off the price of the {first}?",
    "my employer pays for the {first} in {order}. How much remains for me?",
    "what's the total of {order} minus the {first}?",
)
TWO_ORDERS = (
    "how much did {order} and {other} cost me together?",
    "what do {order} and {other} add up to?",
    "I'd like the combined total of {order} and {other}.",
    "for my budget I need one figure: {order} plus {other}. How much is that?",
)


def two_items(case: Case, order: Record) -> Request:
    """What two items of one order cost together."""
    first, second = case.random.sample(case.index.single_items(order), 2)
    names = [phrases.item_name(item["name"]) for item in (first, second)]
    mention = mention_order(case, order, but=(first["name"], second["name"]))
    words = case.say(TWO_ITEMS, order=mention.words, first=names[0], second=names[1])
    reads = (*mention.reads, reckon(f"{first['price']} + {second['price']}"))
    output = phrases.money_output(first["price"] + second["price"])
    return Request("sum of items", words, reads, (output,), mention.facts, (*mention.finds, "sum"))


def rest_of_order(case: Case, order: Record) -> Request:
    """What an order costs without one of its items."""
    item = case.pick(case.index.single_items(order))
    total = order["payment_history"][0]["amount"]
    mention = mention_order(case, order, but=(item["name"],))
    words = case.say(REST, order=mention.words, first=phrases.item_name(item["name"]))
    reads = (*mention.reads, reckon(f"{total} - {item['price']}"))
    output = phrases.money_output(total - item["price"])
    return Request("rest of order", words, reads, (output,), mention.facts, (*mention.finds, "difference"))


def two_orders(case: Case, order: Record) -> Request:
    """What two orders cost together."""
    other = case.pick([o for o in case.index.orders_of(case.user_id) if o is not order])
    mentions = [mention_order(case, one) for one in (order, other)]
    if any(mention.finds == ("order id",) for mention in mentions):  # "one of my orders and an order of mine"
        mentions = [mention_order(case, one, hidden=0.0) for one in (order, other)]
    totals = [one["payment_history"][0]["amount"] for one in (order, other)]
    words = case.say(TWO_ORDERS, order=mentions[0].words, other=mentions[1].words)
    reads = (*mentions[0].reads, *mentions[1].reads, reckon(f"{totals[0]} + {totals[1]}"))
    facts = {"order_ids": [order["order_id"], other["order_id"]]}
    finds = tuple(dict.fromkeys((*mentions[0].finds, *mentions[1].finds, "sum")))
    return Request("sum of orders", words, reads, (phrases.money_output(sum(totals)),), facts, finds)
