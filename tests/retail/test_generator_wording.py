"""What generated tasks say: each description fits one thing only, and it reads as a customer's message."""

import itertools
import re

import pytest
from task_plays import SHOPS, first, interview, shop_named, writes

from envs.retail.database import Shop
from envs.retail.generation import phrases
from envs.retail.generation.wording import FRAMES, frame_for
from envs.retail.generator import LEVELS, generate
from envs.retail.tasks import Task

COUNT = 250  # tasks a shop, 50 of each level


@pytest.fixture(scope="module", params=SHOPS)
def shop(request) -> Shop:
    """Three shops: ours, one from another seed, and tau-bench's own."""
    return shop_named(request.param)


@pytest.fixture(scope="module")
def tasks(shop) -> list[Task]:
    """Tasks of all levels over a shop, with a seed that no file uses."""
    return first(generate(shop, seed=4711), COUNT)


# ---- unambiguous ----


def test_outputs_are_whole_and_not_given_away(tasks):
    for task in tasks:
        for output in task.outputs:
            assert len(output) >= 4 and "," not in output
            assert output.lower() not in task.query.lower().replace(",", ""), (task.id, output)


def test_described_orders_and_methods_fit_one_only(shop, tasks):
    names = {phrases.item_name(p["name"]): p["name"] for p in shop.products.values()}
    longest_first = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    by_item = re.compile(rf"order (?:with|that has) the ({longest_first})\b")
    by_status = re.compile(r"my only (\w+) order|the one order of mine that is (\w+)")
    for task in tasks:
        told = task.query + " ".join(task.facts.get("preferences", ()))
        orders = [shop.orders[order_id] for order_id in shop.users[task.customer]["orders"]]
        for name in by_item.findall(told):
            fitting = [o for o in orders if names[name] in [item["name"] for item in o["items"]]]
            assert len(fitting) == 1, (task.id, name)
        for status in filter(None, itertools.chain(*by_status.findall(told))):
            assert len([order for order in orders if order["status"] == status]) == 1, (task.id, status)
        methods = [m["source"] for m in shop.users[task.customer]["payment_methods"].values()]
        for words, source in (
            ("gift card", "gift_card"),
            ("credit card", "credit_card"),
            ("PayPal", "paypal"),
        ):
            if re.search(rf"\bmy {words}(?! \(| account \()", told) and "partner" not in told:
                assert methods.count(source) <= 1 or "gift card got lost" in told, (task.id, words)


def test_items_named_without_an_id_occur_once_in_their_order(shop, tasks):
    for task in tasks:
        for action in writes(task):
            if task.level > 2 and "item_ids" in action.arguments:
                items = shop.orders[action.arguments["order_id"]]["items"]
                for item_id in action.arguments["item_ids"]:
                    name = next(item["name"] for item in items if item["item_id"] == item_id)
                    assert [item["name"] for item in items].count(name) == 1, (task.id, name)
                    assert phrases.item_name(name) in interview(task), task.id


def test_swaps_are_to_another_available_variant(shop, tasks):
    variants = {i: v for p in shop.products.values() for i, v in p["variants"].items()}
    for task in tasks:
        for action in writes(task):
            old, new = action.arguments.get("item_ids", ()), action.arguments.get("new_item_ids", ())
            for before, after in zip(old, new, strict=False):
                assert before != after and variants[after]["available"], task.id
                if "cheapest" in task.query and len(new) == 1 and task.level == 3:
                    product = next(p for p in shop.products.values() if after in p["variants"])
                    offered = [v["price"] for v in product["variants"].values() if v["available"]]
                    assert variants[after]["price"] == min(offered) and offered.count(min(offered)) == 1


# ---- wording ----


def test_no_query_comes_twice(shop, tasks):
    assert len({task.query for task in tasks}) == len(tasks)
    levels_1 = first(generate(shop, 0, (1,), "test"), 500)  # the narrowest choice there is
    assert len({task.query for task in levels_1}) == 500


def test_queries_read_as_sentences(tasks):
    for task in tasks:
        assert not re.search(
            r"[{}_]\b(?<!card_)(?<!paypal_)|  |\.\.|\?\.| [.,;:]|None", _without_ids(task.query)
        )
        assert not re.search(r"[.!?] [a-z]", task.query), task.query
        assert not re.search(r"(?<!-)\b[Aa] (?i:[aeio])", task.query.replace("a one", "")), task.query


def _without_ids(text: str) -> str:
    return re.sub(r"\b[a-z]+(?:_[a-z]+)*_\d+\b", "ID", text)


def test_tones_are_spread_over_the_levels(tasks):
    for level in LEVELS:
        starts = {task.query.split()[0] for task in tasks if task.level == level}
        assert len(starts) >= 8


def test_frames_differ_for_ten_thousand_tasks():
    assert FRAMES == 10_000
    for level, change in ((1, False), (2, True), (3, False), (3, True)):
        frames = {
            frame_for(n, "any", level, change).message("I.", "R.").replace("I. R.", "") for n in range(FRAMES)
        }
        assert len(frames) == FRAMES
