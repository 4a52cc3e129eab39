"""The tools as a model sees them, and what they do to the shop, seen through calls."""

import json
from typing import Literal

import pytest

from envs.retail.database import Shop
from envs.retail.diff import differences
from envs.retail.tools import READ, TERMINATE, TOOLS, WRITE, argument_fault, call, schemas
from envs.schema import describe

ADDRESS = ["address1", "address2", "city", "state", "country", "zip"]
SIGNATURES = {  # name -> parameters in order; all are required strings but the lists
    "calculate": ["expression"],
    "cancel_pending_order": ["order_id", "reason"],
    "exchange_delivered_order_items": ["order_id", "item_ids", "new_item_ids", "payment_method_id"],
    "find_user_id_by_email": ["email"],
    "find_user_id_by_name_zip": ["first_name", "last_name", "zip"],
    "get_order_details": ["order_id"],
    "get_product_details": ["product_id"],
    "get_user_details": ["user_id"],
    "list_all_product_types": [],
    "modify_pending_order_address": ["order_id", *ADDRESS],
    "modify_pending_order_items": ["order_id", "item_ids", "new_item_ids", "payment_method_id"],
    "modify_pending_order_payment": ["order_id", "payment_method_id"],
    "modify_user_address": ["user_id", *ADDRESS],
    "return_delivered_order_items": ["order_id", "item_ids", "payment_method_id"],
    "think": ["thought"],
    "transfer_to_human_agents": ["summary"],
}


def test_schemas_have_the_names_types_and_enum_of_tau_bench():
    assert [schema["function"]["name"] for schema in schemas()] == sorted(SIGNATURES)
    for schema in schemas():
        function = schema["function"]
        parameters = function["parameters"]
        assert schema["type"] == "function" and parameters["type"] == "object"
        assert parameters["required"] == list(parameters["properties"]) == SIGNATURES[function["name"]]
        for name, parameter in parameters["properties"].items():
            assert parameter["type"] == ("array" if name.endswith("item_ids") else "string")
            assert parameter.get("items") == ({"type": "string"} if name.endswith("item_ids") else None)
            assert parameter["description"].endswith(".")
    enums = {
        (schema["function"]["name"], name): parameter["enum"]
        for schema in schemas()
        for name, parameter in schema["function"]["parameters"]["properties"].items()
        if "enum" in parameter
    }
    assert enums == {("cancel_pending_order", "reason"): ["no longer needed", "ordered by mistake"]}


def lacks_its_docstring(view, member_id: str) -> str: ...


def lacks_an_argument(view, member_id: str, book_id: str) -> str:
    """Lend a book.

    Args:
        member_id: The member's id.
    """


def lacks_a_type(view, member_id) -> str:
    """Look up a member.

    Args:
        member_id: The member's id.
    """


def has_another_type(view, days: Literal[7, 14]) -> str:
    """Renew a book.

    Args:
        days: For how long.
    """


@pytest.mark.parametrize(
    ("function", "fix"),
    [
        (lacks_its_docstring, "needs a docstring"),
        (lacks_an_argument, r"describes \['member_id'\], the signature has \['member_id', 'book_id'\]"),
        (lacks_a_type, r"lacks_a_type\.member_id: annotate it as str"),
        (has_another_type, r"has_another_type\.days: annotate it as str"),
    ],
)
def test_a_function_that_is_no_tool_yet_is_told_what_it_lacks(function, fix):
    with pytest.raises(TypeError, match=fix):
        describe(function)


def test_kinds_say_what_a_tool_may_do(shop):
    writes = {name for name, tool in TOOLS.items() if tool.kind == WRITE}
    assert writes == {
        name for name in TOOLS if name.split("_")[0] in ("cancel", "exchange", "modify", "return")
    }
    assert [name for name, tool in TOOLS.items() if tool.kind == TERMINATE] == ["transfer_to_human_agents"]
    order_id = next(iter(shop.orders))
    for name, tool in TOOLS.items():
        if tool.kind == READ:
            database = shop.open()
            call(database, name, dict.fromkeys(tool.kinds, order_id))
            assert database.changes() == {}, name


def test_a_cancelled_order_tells_its_whole_story(shop):
    order_id = next(key for key, order in shop.orders.items() if order["status"] == "pending")
    database = shop.open()
    order = json.loads(
        call(database, "cancel_pending_order", {"order_id": order_id, "reason": "no longer needed"})
    )
    assert list(order)[-1] == "cancel_reason" and order["status"] == "cancelled"
    assert [entry["transaction_type"] for entry in order["payment_history"]] == ["payment", "refund"]
    fields = {change.field for change in differences(database) if change.record == order_id}
    assert {"status", "cancel_reason", "payment_history[1]"} == fields
    assert shop.orders[order_id]["status"] == "pending", "the shop itself must stay as it was"


def test_an_item_swap_books_the_unrounded_difference_and_locks_the_order(shop):
    order_id, old, new = _swappable(shop)
    method = shop.orders[order_id]["payment_history"][0]["payment_method_id"]
    price = {
        variant["item_id"]: variant["price"]
        for p in shop.products.values()
        for variant in p["variants"].values()
    }
    swap = {"order_id": order_id, "item_ids": [old], "new_item_ids": [new], "payment_method_id": method}
    database = shop.open()
    order = json.loads(call(database, "modify_pending_order_items", swap))
    assert order["payment_history"][-1]["amount"] == abs(price[new] - price[old])
    assert new in [item["item_id"] for item in order["items"]]
    again = call(database, "cancel_pending_order", {"order_id": order_id, "reason": "no longer needed"})
    assert again == "Error: non-pending order cannot be cancelled"


def _swappable(shop: Shop) -> tuple[str, str, str]:
    """A pending order not paid by gift card, one of its items, and another variant that can be had."""
    for order_id, order in shop.orders.items():
        if (
            order["status"] == "pending"
            and "gift_card" not in order["payment_history"][0]["payment_method_id"]
        ):
            for item in order["items"]:
                for variant in shop.products[item["product_id"]]["variants"].values():
                    if variant["available"] and variant["item_id"] != item["item_id"]:
                        return order_id, item["item_id"], variant["item_id"]
    raise AssertionError("the shop has no order to try this on")


@pytest.mark.parametrize(
    ("name", "arguments", "fault"),
    [
        ("think", {"thought": "hm"}, None),
        ("list_all_product_types", {}, None),
        ("think", {}, "needs the argument 'thought'"),
        ("think", {"thought": 3}, "needs a string as 'thought'"),
        ("think", {"thought": "hm", "x": 1}, "has no argument 'x'"),
        ("think", "hm", "takes its arguments as an object"),
        (
            "return_delivered_order_items",
            {"order_id": "", "item_ids": "1", "payment_method_id": ""},
            "list of strings",
        ),
        (
            "return_delivered_order_items",
            {"order_id": "", "item_ids": [1], "payment_method_id": ""},
            "list of strings",
        ),
    ],
)
def test_argument_fault_names_what_does_not_fit(name, arguments, fault):
    found = argument_fault(name, arguments)
    assert (found is None) if fault is None else (fault in found)
