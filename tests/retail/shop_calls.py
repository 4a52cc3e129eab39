"""Calls as agents make them, as hypothesis draws them: they fit an order of the shop, or nearly."""

import functools
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from envs.retail.database import DATA, Shop
from envs.retail.tasks import Action
from envs.retail.tools import TOOLS, WRITE

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "tau_bench_retail"

settings.register_profile("shop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
few, some, many = (settings(settings.get_profile("shop"), max_examples=n) for n in (10, 40, 150))


@functools.cache
def shop() -> Shop:
    return Shop.load(RECORDED if RECORDED.is_dir() else DATA)


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=8)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@functools.cache
def busy_orders() -> list[str]:
    """A few orders that calls will meet at: pending and delivered ones of customers with gift cards."""
    chosen: dict[str, list[str]] = {"pending": [], "delivered": []}
    for order_id, order in shop().orders.items():
        methods = shop().users[order["user_id"]]["payment_methods"].values()
        with_card = len(methods) > 1 and any(method["source"] == "gift_card" for method in methods)
        if with_card and len(chosen.get(order["status"], "full")) < 3:
            chosen[order["status"]].append(order_id)
    return chosen["pending"] + chosen["delivered"]


@st.composite
def arguments_for(draw, name: str) -> dict[str, Any]:
    """Arguments for a tool that fit an order of the shop, and often enough do what they ask for."""
    order = shop().orders[draw(st.sampled_from(busy_orders()))]
    user = shop().users[order["user_id"]]
    items = draw(st.lists(st.sampled_from(order["items"]), min_size=1, max_size=3, unique_by=id))
    variants = [shop().products[item["product_id"]]["variants"].values() for item in items]
    new = [draw(st.sampled_from([v["item_id"] for v in of if v["available"]])) for of in variants]
    values = {
        "order_id": order["order_id"],
        "user_id": order["user_id"],
        "product_id": items[0]["product_id"],
        "email": user["email"],
        **user["name"],
        **user["address"],
        "address1": draw(st.sampled_from(["1 Elm Street", "2 Oak Lane", "ž\ud800"])),
        "reason": draw(st.sampled_from(["no longer needed", "ordered by mistake", "too late"])),
        "item_ids": [item["item_id"] for item in items],
        "new_item_ids": new,
        "payment_method_id": draw(st.sampled_from([*user["payment_methods"], "paypal_0000000"])),
        "expression": "1 + 2",
        "thought": "hm",
        "summary": "too hard",
    }
    return {parameter: values[parameter] for parameter in TOOLS[name].kinds}


@st.composite
def calls(draw, names: tuple[str, ...] = tuple(TOOLS)) -> Action:
    """A call as agents make them; now and then with an argument that is anything at all."""
    name = draw(st.sampled_from(names))
    arguments = draw(arguments_for(name))
    if arguments and draw(st.integers(0, 5)) == 0:
        arguments[draw(st.sampled_from(sorted(arguments)))] = draw(json_values)
    return Action(name, arguments)


WRITES = tuple(name for name, tool in TOOLS.items() if tool.kind == WRITE)
writes = calls(WRITES)
lasting = calls(tuple(name for name in TOOLS if name != "transfer_to_human_agents"))
