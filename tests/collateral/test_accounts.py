"""Books of accounts: validation, health, and the simulated shape."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral import accounts
from xcoll.collateral.accounts import Book, Shape, dollars, draw, mix_of, settle
from xcoll.errors import DataError, ParameterError

ASSETS = ["BTC", "ETH", "LINK", "AVAX", "USDC", "USDT"]
THRESHOLDS = pd.Series({"BTC": 0.8, "ETH": 0.8, "LINK": 0.7, "AVAX": 0.65, "USDC": 0.78})
PRICES = pd.Series({"BTC": 30_000.0, "ETH": 2_000.0, "LINK": 7.0, "AVAX": 20.0}).reindex(ASSETS)
PRICES = PRICES.fillna(1.0)


def shape(**changes):
    return Shape(ASSETS, mix_of(ASSETS[:5]), **changes)


def simulated(n=20_000, listed=ASSETS, seed=1, **changes):
    form = shape(**changes)
    draws = draw(form, n, np.random.default_rng(seed))
    return dollars(draws, form, THRESHOLDS, listed)


def small(collateral=((1.0, 0.0), (2.0, 0.0)), debt=((0.0, 500.0), (0.0, 0.0)), ids=("x", "y")):
    return Book(["ETH", "USDC"], np.array(collateral), np.array(debt), np.array(ids))


def test_health_factor_of_a_cross_collateral_account():
    book = Book(
        ["ETH", "BTC", "USDC"],
        np.array([[10.0, 0.5, 0.0]]),
        np.array([[0.0, 0.0, 20_000.0]]),
        np.array(["a"]),
    )
    prices = pd.Series({"USDC": 1.0, "BTC": 30_000.0, "ETH": 2_000.0})
    health = book.health_factor(prices, pd.Series({"ETH": 0.8, "BTC": 0.7}))
    assert health["a"] == pytest.approx((20_000 * 0.8 + 15_000 * 0.7) / 20_000)


def test_no_debt_is_infinitely_healthy():
    health = small().health_factor(pd.Series({"ETH": 900.0, "USDC": 1.0}), pd.Series({"ETH": 0.8}))
    assert health.tolist() == [pytest.approx(900 * 0.8 / 500), np.inf]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"collateral": ((1.0, 0.0), (-2.0, 0.0))}, r"negative collateral \(y\)"),
        ({"debt": ((0.0, -1.0), (0.0, 0.0))}, r"negative debt \(x\)"),
        ({"collateral": ((0.0, 0.0), (2.0, 0.0))}, r"debt without collateral \(x\)"),
        ({"collateral": ((np.nan, 0.0), (2.0, 0.0))}, r"not a finite number \(x\)"),
        ({"debt": ((0.0, np.inf), (0.0, 0.0))}, r"not a finite number \(x\)"),
        ({"ids": ("x", "x")}, "account id x appears more than once"),
        ({"ids": ("x",)}, "shape"),
        ({"ids": ()}, "shape"),
    ],
)
def test_faulty_books_are_refused(changes, words):
    with pytest.raises(DataError, match=words):
        small(**changes)


def test_an_empty_book_is_refused():
    with pytest.raises(DataError, match="no account"):
        Book(["ETH"], np.empty((0, 1)), np.empty((0, 1)), np.array([]))


def test_duplicated_assets_are_refused():
    with pytest.raises(DataError, match="asset ETH appears"):
        Book(["ETH", "ETH"], np.ones((1, 2)), np.zeros((1, 2)), np.array(["a"]))


def test_health_needs_a_price_of_what_is_held():
    with pytest.raises(DataError, match="USDC without a price"):
        small().health_factor(pd.Series({"ETH": 900.0}), pd.Series({"ETH": 0.8}))


def test_book_from_frames():
    collateral = pd.DataFrame({"ETH": [1.0, 2.0]}, index=["x", "y"])
    debt = pd.DataFrame({"USDC": [5.0]}, index=["y"])
    made = accounts.book(collateral, debt, ["USDC", "ETH"])
    assert made.assets == ["USDC", "ETH"]
    assert made.collateral.tolist() == [[0, 1], [0, 2]]
    assert made.debt.tolist() == [[0, 0], [5, 0]]


def test_book_from_frames_names_unknown_assets_and_gaps():
    collateral = pd.DataFrame({"ETH": [1.0], "WETH": [1.0]}, index=["x"])
    with pytest.raises(DataError, match="unknown assets WETH"):
        accounts.book(collateral, pd.DataFrame(index=["x"]), ["ETH"])
    with pytest.raises(DataError, match="missing values"):
        accounts.book(collateral * np.nan, pd.DataFrame(index=["x"]), ["ETH", "WETH"])
    twice = pd.DataFrame({"ETH": [1.0, 1.0]}, index=["x", "x"])
    with pytest.raises(DataError, match="account id x appears"):
        accounts.book(twice, pd.DataFrame(index=["x"]), ["ETH"])


def test_sizes_have_the_documented_median_and_spread():
    size = simulated()[0].sum(axis=1)
    assert np.median(size) == pytest.approx(10_000, rel=0.06)
    assert np.log(size).std() == pytest.approx(2.2, rel=0.02)


def test_numbers_of_collaterals_follow_the_source():
    """Median 2 and 90th percentile 5 to 6 others, mean 2.7, before the cap by the listed assets."""
    others = draw(shape(), 50_000, np.random.default_rng(1)).others
    assert np.median(others) == 2
    assert 5 <= np.quantile(others, 0.9) <= 6
    assert others.mean() == pytest.approx(2.7, rel=0.02)
    held = (simulated()[0] > 0).sum(axis=1)
    assert held.min() == 2
    assert held.max() == 5


def test_the_mix_decides_what_is_pledged():
    single = shape()
    draws = draw(single, 40_000, np.random.default_rng(2))
    draws = dataclasses.replace(draws, others=np.zeros_like(draws.others))
    collateral, _ = dollars(draws, single, THRESHOLDS, ASSETS)
    share = (collateral > 0).mean(axis=0)
    weights = np.array([single.mix.get(asset, 0.0) for asset in ASSETS])
    np.testing.assert_allclose(share, weights / weights.sum(), atol=0.01)


def test_health_factors_have_the_stated_distribution():
    collateral, debt = simulated()
    health = collateral @ THRESHOLDS.reindex(ASSETS).fillna(0).to_numpy() / debt.sum(axis=1)
    assert np.median(health) == pytest.approx(1.6, rel=0.01)
    assert np.log(health - 1).std() == pytest.approx(1.0, rel=0.02)
    assert health.min() > 1


def test_debts_are_stable_but_for_the_stated_share():
    collateral, debt = simulated()
    volatile = (debt[:, :4] > 0).any(axis=1)
    assert volatile.mean() == pytest.approx(0.2, abs=0.01)
    assert (debt[:, 4:] > 0).any(axis=1).all()
    own = (collateral > 0) & (debt > 0)
    everything = (collateral[:, :4] > 0).all(axis=1)
    assert not own[~everything].any()
    assert not simulated(volatile_debt=0.0)[1][:, :4].any()


def test_the_same_draws_serve_every_date():
    """An unlisted asset gets no weight; who holds none of it keeps the same book."""
    collateral, debt = simulated()
    early, owed = simulated(listed=["BTC", "ETH", "LINK", "USDC", "USDT"])
    assert not early[:, 3].any()
    assert not owed[:, 3].any()
    np.testing.assert_allclose(early.sum(axis=1), collateral.sum(axis=1))
    untouched = (collateral[:, 3] == 0) & (debt[:, 3] == 0)
    same = np.isclose(early, collateral).all(axis=1)
    assert untouched.sum() > 1_000
    assert same[untouched].mean() > 0.99


def test_thresholds_move_the_debt_and_not_the_collateral():
    form = shape()
    draws = draw(form, 100, np.random.default_rng(3))
    collateral, debt = dollars(draws, form, THRESHOLDS, ASSETS)
    same, less = dollars(draws, form, THRESHOLDS * 0.9, ASSETS)
    np.testing.assert_array_equal(collateral, same)
    np.testing.assert_allclose(less, debt * 0.9)


def test_seed_decides_everything():
    assert np.array_equal(simulated(500)[0], simulated(500)[0])
    assert not np.array_equal(simulated(500)[0], simulated(500, seed=2)[0])


def test_settle_gives_units_at_the_opening_prices():
    collateral, debt = simulated(200)
    book = settle(shape(), collateral, debt, PRICES)
    np.testing.assert_allclose(book.collateral * PRICES.to_numpy(), collateral)
    np.testing.assert_allclose(book.debt * PRICES.to_numpy(), debt)
    with pytest.raises(DataError, match="no opening price for ETH"):
        settle(shape(), collateral, debt, PRICES.drop("ETH"))


def test_nothing_listed_is_an_error():
    with pytest.raises(ParameterError, match="no collateral"):
        simulated(10, listed=["USDT"])
    with pytest.raises(ParameterError, match="no stable debt"):
        simulated(10, listed=["BTC", "ETH"])


@pytest.mark.parametrize(
    "changes",
    [
        {"median_collateral": 0.0},
        {"size_spread": -1.0},
        {"other_collaterals": 0.5},
        {"volatile_debt": 1.5},
        {"health_median": 1.0},
        {"health_spread": np.nan},
        {"stable": ()},
        {"stable": ("DAI",)},
    ],
)
def test_shapes_outside_their_range_are_refused(changes):
    with pytest.raises(ParameterError):
        shape(**changes)


def test_mix_outside_the_book_is_refused():
    with pytest.raises(ParameterError, match="SOL"):
        Shape(ASSETS, {"SOL": 1.0})
    with pytest.raises(ParameterError, match="no positive weight"):
        Shape(ASSETS, {"ETH": 0.0})


def test_mix_keeps_the_source_and_spreads_the_rest():
    mix = mix_of(["ETH", "LINK", "BTC", "USDC", "ADA", "XRP"])
    assert mix == pytest.approx(
        {"ETH": 0.46, "LINK": 0.13, "BTC": 0.12, "USDC": 0.03, "ADA": 0.13, "XRP": 0.13}
    )
