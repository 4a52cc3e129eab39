"""The generator as a whole: splits, the command line, another shop, ten thousand tasks in a row."""

import itertools
import json
import re

import pytest
from task_plays import first, play, say, shop_named, solution

from benchmarks.generator import measure
from envs.retail.database import Shop
from envs.retail.generation.index import SPLITS, split_of
from envs.retail.generator import LEVELS, generate, run_generate
from envs.retail.make_shop import make_shop
from envs.retail.reach import unreachable_arguments
from envs.retail.tasks import read_tasks


@pytest.fixture(scope="module", params=["ours", "made anew"])
def shop(request) -> Shop:
    """Two shops: ours, and one from another seed."""
    return shop_named(request.param)


def test_splits_share_no_customer_and_no_order(shop):
    seen: dict[str, set[str]] = {}
    for split in SPLITS:
        some = first(generate(shop, 5, split=split), 150)
        assert {task.split for task in some} == {split}
        ids = {task.customer for task in some}
        for task in some:
            text = task.query + json.dumps(task.to_json())
            ids |= set(re.findall(r"#W\d{7}", text))
        seen[split] = ids
    for one, other in itertools.combinations(SPLITS, 2):
        assert not seen[one] & seen[other]


def test_split_sizes():
    counts = [split_of(f"somebody_{n}") for n in range(5000)]
    assert abs(counts.count("train") / 5000 - 0.8) < 0.03
    assert abs(counts.count("test") / 5000 - 0.1) < 0.03


def test_every_split_serves_every_level(shop):
    for split in (*SPLITS, None):
        assert [task.level for task in first(generate(shop, 8, split=split), 30)] == [*LEVELS] * 6


def test_unfit_choices_say_what_would_fit(shop):
    with pytest.raises(ValueError, match="levels are among"):
        next(generate(shop, levels=(6,)))
    with pytest.raises(ValueError, match="train, validation, test"):
        next(generate(shop, split="dev"))


def test_a_shop_without_orders_is_refused():
    shop = Shop.load()
    users = {user_id: {**user, "orders": []} for user_id, user in shop.users.items()}
    with pytest.raises(ValueError, match="no orders"):
        next(generate(Shop(users, dict(shop.products), {})))


def shop_of_one(fits, products: dict | None = None) -> Shop:
    """Our shop with a single customer: the first whose orders are as wanted."""
    ours = Shop.load()
    users = ((i, u, {o: ours.orders[o] for o in u["orders"]}) for i, u in ours.users.items())
    user_id, user, orders = next(one for one in users if fits(list(one[2].values())))
    return Shop({user_id: user}, dict(ours.products) if products is None else products, orders)


def test_nobody_s_own_order_is_called_somebody_else_s():
    shop = shop_of_one(lambda orders: len(orders) >= 4)
    families = [task.extra["family"] for task in first(generate(shop, levels=(3, 5)), 60)]
    assert not [family for family in families if "someone else" in family]


def test_a_shop_that_cannot_serve_a_level_is_told_which():
    shop = shop_of_one(lambda orders: [order["status"] for order in orders] == ["processed"])
    assert len(first(generate(shop, levels=(1, 2, 3)), 30)) == 30
    with pytest.raises(ValueError, match="level 4; leave that level out"):
        generate(shop)


def test_a_shop_without_products_is_asked_about_none():
    shop = shop_of_one(lambda orders: len(orders) >= 2, products={})
    tasks = first(generate(shop, levels=(1, 3)), 60)
    assert "product price" not in {task.extra["family"] for task in tasks}


def test_a_shop_of_cheap_things_without_parcels_is_served():
    ours, cheap = make_shop(), []
    cheap += [item for order in ours["orders"].values() for item in order["items"]]
    cheap += [variant for product in ours["products"].values() for variant in product["variants"].values()]
    for record in cheap:
        record["price"] = 1.25
    for order in ours["orders"].values():
        del order["fulfillments"]
    queries = [task.query for task in first(generate(Shop(**ours)), 500)]
    assert any("or more" in query for query in queries)
    assert not [query for query in queries if re.search(r"\$(-|0\b)", query) or "tracking" in query]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 12])
def test_ten_thousand_tasks(seed):
    shop = Shop.load() if seed is None else Shop(**make_shop(seed))
    queries, refusals = set(), 0
    for task in first(generate(shop, seed=90210), 10_000):
        queries.add(task.query)
        assert unreachable_arguments(shop, task) == [], (task.id, task.query)
        reward, answers = play(shop, task, solution(task))
        assert reward == 1.0 and not [a for a in answers if a.startswith("Error")], (task.id, task.query)
        refusals += (refused := bool(task.extra.get("refusal")))
        assert refused or play(shop, task, [say(task.query)])[0] == 0.0, (task.id, task.query)
    assert len(queries) == 10_000 and refusals <= 800


def test_command_writes_proven_tasks(tmp_path, capsys):
    out = tmp_path / "tasks.jsonl"
    argv = ["--seed", "3", "--count", "12", "--levels", "1,3", "--split", "test", "--out", str(out)]
    assert run_generate(argv) == 0
    assert "12 tasks (6 of level 1, 6 of level 3)" in capsys.readouterr().out
    assert read_tasks(out) == first(generate(Shop.load(), 3, (1, 3), "test"), 12)


def test_command_makes_another_shop(tmp_path):
    out = tmp_path / "tasks.jsonl"
    assert run_generate(["--shop-seed", "11", "--count", "5", "--out", str(out)]) == 0
    fresh = Shop(**make_shop(11))
    for task in read_tasks(out):
        assert task.extra["shop_seed"] == 11
        assert task.customer in fresh.users and task.customer not in Shop.load().users


def test_command_says_what_is_wrong(tmp_path, capsys):
    assert run_generate(["--levels", "9", "--out", str(tmp_path / "x.jsonl")]) == 2
    assert "levels are among" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_generate(["--count", "-1", "--out", str(tmp_path / "x.jsonl")])
    assert "how many tasks" in capsys.readouterr().err
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.slow
def test_benchmark_measures_every_level():
    rows = measure(Shop.load(), count=2, rounds=1)
    names = ["level 1", "level 2", "level 3", "levels 1-3", "level 4", "level 5"]
    assert [row["levels"] for row in rows] == names
    assert all(row["cpu"] > 0 and row["wall"] > 0 for row in rows)
