"""Every trial in its quick setting holds, is the same each time, and notices when something is broken."""

from pathlib import Path

import pytest

from envs.retail import calculator
from envs.retail.tools import delivered, pending
from pipeline import harmony_parse
from reliability import reading
from reliability.answers import ANSWERS
from reliability.giants import GIANTS
from reliability.reading import PARSER
from reliability.recorded import RECORDED
from reliability.runner import carry_out, finished
from reliability.shop import SHOP, world
from reliability.tokens import TOKENS
from reliability.trial import Setting, Trial

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "tau_bench_retail"


MINE = [PARSER, TOKENS, ANSWERS, SHOP, RECORDED, pytest.param(GIANTS, marks=pytest.mark.slow)]


@pytest.mark.parametrize("trial", MINE, ids=lambda trial: trial.name)
def test_the_quick_setting_holds(trial: Trial, tmp_path):
    setting = Setting(quick=True, folder=tmp_path, recorded=FOLDER if FOLDER.is_dir() else None)
    if reason := trial.unfit(setting):
        pytest.skip(reason)
    result = carry_out(trial, setting)
    assert result["failures"] == [] and result["failed"] == 0
    assert finished(result) and result["peak_mb"] > 0


@pytest.mark.parametrize("trial", [PARSER, TOKENS, SHOP], ids=lambda trial: trial.name)
def test_a_seed_tells_every_case(trial):
    """So any case can be run again by itself."""
    if reason := trial.unfit(Setting()):
        pytest.skip(reason)
    first, second, other = (trial.run(range(40, 80), Setting(quick=True, seed=seed)) for seed in (1, 1, 2))
    assert first.counts == second.counts != other.counts


def test_inputs_reach_every_corner_of_the_reader():
    counts = PARSER.run(range(2_000), Setting()).counts
    verdicts = {name.removeprefix("verdict: ") for name in counts if name.startswith("verdict")}
    assert verdicts >= {str(verdict) for verdict in harmony_parse.Verdict} - {"bad_arguments", "raised"}
    assert counts["verdict: ok"] > 250


BROKEN = {
    "nothing is unescaped": (PARSER, harmony_parse, "unescape", lambda text: text),
    "any header is one": (PARSER, harmony_parse, "_expect_end", lambda kind, end, right: None),
    "the second reading differs": (PARSER, reading, "parse_plan", iter([]).__next__),
    "gift cards are charged instead of paid": (
        SHOP,
        pending,
        "credited",
        lambda user, method, amount, right=pending.credited: right(user, method, -amount),
    ),
    "refunds are booked as payments": (
        SHOP,
        pending,
        "_transaction",
        lambda kind, amount, method: {
            "transaction_type": "payment",
            "amount": amount,
            "payment_method_id": method,
        },
    ),
    "a swap costs nothing": (SHOP, pending, "total_difference", lambda pairs: 0),
    "any method gets a refund": (SHOP, delivered, "is_gift_card_id", lambda method: True),
    "minus is plus": (ANSWERS, calculator, "_BINARY", {**calculator._BINARY, calculator.ast.Sub: max}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_broken_is_noticed(fault, monkeypatch):
    trial, module, name, broken = BROKEN[fault]
    monkeypatch.setattr(module, name, broken)
    found = trial.run(range(200), Setting())
    assert found.failed > 0 and found.failures[0].what


def test_a_shop_changed_in_place_is_noticed(monkeypatch):
    def credited(user, method, amount):
        user["payment_methods"][method]["balance"] += amount
        return user

    monkeypatch.setattr(pending, "credited", credited)
    world.cache_clear()  # this one will be spoilt
    found = SHOP.run(range(200), Setting())
    world.cache_clear()
    assert any("the shop itself was changed" in failure.what for failure in found.failures)
