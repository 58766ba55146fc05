"""Standard margin: published examples of Deribit, the formulas one by one, and bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from xcoll.errors import DataError
from xcoll.margin.instruments import option, perpetual
from xcoll.margin.market import quote
from xcoll.margin.rules.standard import Standard

seeds = st.integers(0, 2**32 - 1)
EXPIRY = "2024-02-12 08:00"


def rule(**fields):
    return cases.bundled()["deribit-standard"].model_copy(update=fields)


def needed(instrument, quantity, **changes):
    """Maintenance, initial, and the mark."""
    given, quotes = cases.single(instrument, quantity, **changes)
    found = rule().requirement(given, quotes).accounts.loc["a"]
    return found["maintenance"], found["initial"], quotes.mark[0]


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(
    ("units", "maintenance", "initial"),
    [(25.0, 28_125.0, 53_125.0), (350.0, 0.0275 * 35e6, 1_312_500.0), (0.0, 0.0, 0.0)],
)
def test_deribit_published_perpetuals(units, maintenance, initial, side):
    at = {"spot": pd.Series({"BTC": 100_000.0}), "premium": pd.Series(dtype=float)}
    found = needed(perpetual("BTC"), side * units, **at)
    assert found[0] == pytest.approx(maintenance)
    assert found[1] == pytest.approx(initial)


@pytest.mark.parametrize(
    ("strike", "opened"),
    [
        (40_000, 0.15),  # at the money
        (41_000, 0.15 - 0.025),  # 2.5 % out of it
        (48_000, 0.10),  # far out: the least
        (32_000, 0.15),  # in it
    ],
)
def test_a_short_call(strike, opened):
    maintenance, initial, _ = needed(option("BTC", EXPIRY, strike, "call"), -2.0)
    assert maintenance == pytest.approx(2 * 0.075 * 40_000)
    assert initial == pytest.approx(2 * opened * 40_000)


@pytest.mark.parametrize(("strike", "opened"), [(40_000, 0.15), (39_000, 0.125), (30_000, 0.10)])
def test_a_short_put(strike, opened):
    maintenance, initial, mark = needed(option("BTC", EXPIRY, strike, "put"), -2.0)
    assert mark < 40_000
    assert maintenance == pytest.approx(2 * 0.075 * 40_000)
    assert initial == pytest.approx(2 * opened * 40_000)


def test_a_short_put_that_is_worth_more_than_the_asset():
    maintenance, initial, mark = needed(option("BTC", EXPIRY, 200_000, "put"), -1.0)
    assert mark > 150_000
    assert maintenance == pytest.approx(0.075 * mark)
    assert initial == pytest.approx(max(0.15 * 40_000, maintenance))


def test_a_long_option_needs_its_mark():
    for strike, right in ((32_000, "call"), (50_000, "call"), (40_000, "put")):
        maintenance, initial, mark = needed(option("BTC", EXPIRY, strike, right), 3.0)
        assert maintenance == initial == pytest.approx(3 * mark)


def test_spot_is_cut_by_its_haircut_held_or_owed():
    given, quotes = cases.held({"BTC": -1.0, "ETH": 10.0}), cases.quoted()
    found = rule().requirement(given, quotes)
    np.testing.assert_allclose(found.positions, [4_000.0, 3_000.0])
    assert found.accounts.loc["a", "initial"] == pytest.approx(7_000.0)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(seed=seeds)
def test_every_position_is_on_its_own(seed):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    book = cases.drawn_book(rng, accounts=3)
    found = rule().requirement(book, quotes)
    apart = rule().requirement(book.apart(), quotes).accounts
    np.testing.assert_array_equal(found.positions, apart["maintenance"])
    np.testing.assert_allclose(
        found.accounts["initial"], np.bincount(book.account, apart["initial"], 3), rtol=1e-12
    )
    assert (found.accounts["initial"] >= found.accounts["maintenance"]).all()


def test_other_assets_have_the_amount_of_other():
    assert needed(perpetual("SOL"), 10.0, spot=pd.Series({"SOL": 100.0}))[0] == pytest.approx(20.0)


def test_spot_without_a_haircut_is_named():
    given, quotes = (
        cases.held({"BTC": 1.0, "ETH-PERP": 1.0}),
        cases.quoted(haircut=pd.Series({"ETH": 0.1})),
    )
    with pytest.raises(DataError, match="no haircut of BTC; add it to the market's haircuts"):
        rule().totals(given, quotes)
    only = cases.held({"BTC-PERP": 1.0, "ETH": 1.0})
    assert rule().totals(only, quotes)[0] > 0.0  # a haircut that nothing needs is not asked for


def test_amounts_are_by_asset_where_given():
    block = rule().model_dump() | {
        "linear": {"initial": {"BTC": 0.5, "other": 0.2}, "maintenance": 0.1, "per_unit": 0.01}
    }
    made = Standard.model_validate(block)
    given, quotes = cases.held({"BTC-PERP": 2.0, "ETH-PERP": -3.0}), cases.quoted()
    found = made.requirement(given, quotes)
    np.testing.assert_allclose(found.positions, [2 * 0.12 * 40_040, 3 * 0.13 * 1_996])
    expected = 2 * 0.52 * 40_040 + 3 * 0.23 * 1_996
    assert found.accounts.loc["a", "initial"] == pytest.approx(expected)
