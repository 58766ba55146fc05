"""Thresholds scaled to the haircut of an account's own basket."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral.accounts import Book
from xcoll.errors import EstimationError, ParameterError
from xcoll.liquidation.diversified import Diversified

ASSETS = ["BTC", "ETH", "USDC"]
THRESHOLDS = pd.Series({"BTC": 0.80, "ETH": 0.72, "USDC": 0.0})
MARKET = pd.Series({"BTC": 0.15, "ETH": 0.20})  # what is owed in USDC does not move
BARS = 420


def setup(correlation=0.3, bars=BARS, seed=0, **changes):
    """Normal scores of a known correlation on a volatility that moves slowly."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2021-01-01", periods=bars, freq="D")
    common, own = rng.standard_normal((2, bars))
    second = correlation * common + np.sqrt(1 - correlation**2) * own
    sigma = [0.04, 0.06] * np.exp(0.2 * np.sin(np.arange(bars) / 30))[:, None]
    volatility = pd.DataFrame(sigma, index, ASSETS[:2])
    returns = np.column_stack([common, second]) * volatility.shift(1)
    low = returns.clip(upper=0.0) - 0.3 * volatility.shift(1)
    given = {"confidence": 0.95, "bars": (300, 200)} | changes
    return Diversified(returns, low, volatility, THRESHOLDS, MARKET, **given)


def account(held, owed, assets=ASSETS):
    sides = [
        np.array([[side.get(asset, 0.0) for asset in assets]], dtype=float) for side in (held, owed)
    ]
    return Book(list(assets), *sides, np.array([0]))


def scale(model, held, owed, assets=ASSETS, time=None):
    time = model.volatility.index[-1] if time is None else time
    return model.scale(account(held, owed, assets), time).item()


def shortfall(losses, confidence):
    """Mean of the worst share, the boundary loss with the part that fills it."""
    ranked = sorted(losses, reverse=True)
    left = tail = round(len(ranked) * (1 - confidence), 9)
    total = 0.0
    for value in ranked:
        total += min(max(left, 0.0), 1.0) * value
        left -= 1.0
    return total / tail


def plainly(model, held, owed, time):
    """The formulas of the module's head, in loops; BTC and ETH both alive."""
    names = ASSETS[:2]
    row = model.volatility.index.get_loc(time)
    sigma, returns, low = (
        frame.to_numpy() for frame in (model.volatility, model.returns, model.low)
    )
    worth = sum(held.values())
    c = {asset: held.get(asset, 0.0) / worth for asset in ASSETS}
    d = {asset: owed.get(asset, 0.0) / worth for asset in names}
    lost, falls, rises = [], {asset: [] for asset in names}, {asset: [] for asset in names}
    for bar in range(row - model.bars[0] + 1, row + 1):
        moves = {}
        for k, asset in enumerate(names):
            grows = sigma[row, k] / sigma[bar - 1, k]
            moves[asset] = [1 - np.exp(x[bar, k] * grows) for x in (low, returns)]
            falls[asset].append(max(moves[asset]))
            rises[asset].append(-moves[asset][1])
        lost.append(max(sum((c[a] - d[a]) * moves[a][point] for a in names) for point in (0, 1)))
    es = {asset: shortfall(falls[asset], model.confidence) for asset in names}
    up = {asset: shortfall(rises[asset], model.confidence) for asset in names}
    apart = sum(c[a] * es[a] + d[a] * up[a] for a in names)
    benefit = min(max(0.0, 1 - shortfall(lost, model.confidence) / apart), 1.0)
    lt, m = THRESHOLDS, MARKET
    charge = {a: m[a] * (1 - model.offset * benefit) for a in names}
    kappa = {a: lt[a] / (1 - m[a]) for a in names}
    kept = sum(c[a] * kappa[a] for a in names)
    counted = sum(c[a] * kappa[a] * (1 - charge[a]) for a in names)
    counted -= sum(d[a] * charge[a] for a in names) * kept
    return max(counted / sum(c[a] * lt[a] for a in names), 0.0)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)),
    st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 0.5)),
    st.floats(-0.9, 0.9),
    st.integers(305, BARS - 1),
    st.floats(0.0, 1.0),
)
def test_scale_is_that_of_the_formulas(held, owed, correlation, row, offset):
    model = setup(correlation, offset=offset)
    held, owed = (dict(zip(ASSETS, side, strict=False)) for side in (held, owed))
    time = model.volatility.index[row]
    expected = plainly(model, held, owed | {"USDC": 0.1}, time)
    assert scale(model, held, owed | {"USDC": 0.1}, time=time) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("asset", ASSETS[:2])
def test_one_collateral_against_dollars_keeps_its_threshold(asset):
    for seed in range(3):
        assert scale(setup(seed=seed), {asset: 7.0}, {"USDC": 3.0}) == pytest.approx(1.0, rel=1e-12)


def test_what_falls_together_has_no_benefit():
    model = setup(1.0)
    for share in (0.1, 0.5, 0.9):
        held = {"BTC": share, "ETH": 1 - share}
        assert scale(model, held, {"USDC": 0.5}) == pytest.approx(1.0, rel=1e-12)


def test_what_falls_apart_has_more_of_it_up_to_the_offset():
    half, dollars = {"BTC": 0.6, "ETH": 0.4}, {"USDC": 0.5}
    made = [scale(setup(rho), half, dollars) for rho in (0.95, 0.5, 0.0, -0.5, -0.95)]
    assert made == sorted(made)
    assert made[0] > 1.0
    assert made[-1] - 1.0 > 3 * (made[1] - 1.0)
    free = setup(-0.95, offset=1.0)
    most = (half["BTC"] * 0.8 / 0.85 + half["ETH"] * 0.72 / 0.8) / (0.6 * 0.8 + 0.4 * 0.72)
    assert made[-1] < scale(free, half, dollars) < most  # all market parts gone
    assert scale(replace(free, offset=0.0), half, dollars) == pytest.approx(1.0, rel=1e-12)


def test_a_debt_that_moves_is_charged():
    held = {"BTC": 1.0}
    for rho in (-0.9, 0.0):
        model = setup(rho)
        made = [scale(model, held, {"ETH": owed, "USDC": 0.1}) for owed in (0.0, 0.2, 0.4, 0.6)]
        assert made == sorted(made, reverse=True)
        assert made[1] < 1.0
    against = scale(setup(-1.0), held, {"ETH": 0.4})  # what is owed rises while BTC falls
    apart = scale(setup(0.0), held, {"ETH": 0.4})
    hedged = scale(setup(0.98), held, {"ETH": 0.4})
    assert against < apart < hedged
    whole = setup(0.0, offset=0.0)
    kappa = 0.8 / 0.85
    assert scale(whole, held, {"ETH": 0.4}) == pytest.approx((0.8 - 0.4 * 0.2 * kappa) / 0.8)
    assert scale(model, {"BTC": 0.1}, {"ETH": 5.0}) == 0.0  # never below zero


def test_a_book_is_scaled_account_by_account():
    model, rng = setup(), np.random.default_rng(4)
    held, owed = rng.random((2, 9, 3)) * [1.0, 1.0, 0.5]
    held[3] = owed[3] = 0.0
    time = model.volatility.index[-1]
    made = model.scale(Book(ASSETS, held, owed, np.arange(9)), time)
    for row in set(range(9)) - {3}:
        sides = (dict(zip(ASSETS, side[row], strict=True)) for side in (held, owed))
        assert made[row] == pytest.approx(scale(model, *sides))
    assert made[3] == 1.0
    times_ten = model.scale(Book(ASSETS, 10 * held, 10 * owed, np.arange(9)), time)
    np.testing.assert_allclose(times_ten, made, rtol=1e-12)


def test_nothing_that_comes_later_matters():
    model, row = setup(), 350
    time = model.volatility.index[row]
    later = {}
    for name in ("returns", "low", "volatility"):
        later[name] = getattr(model, name).copy()
        later[name].iloc[row + 1 :] *= -5.0
    half, owed = {"BTC": 0.5, "ETH": 0.5}, {"ETH": 0.1, "USDC": 0.4}
    before = scale(model, half, owed, time=time)
    assert scale(replace(model, **later), half, owed, time=time) == before
    following = model.volatility.index[row + 1]
    assert scale(model, half, owed, time=following) != before


def test_an_asset_without_data_does_not_move():
    model, names = setup(), [*ASSETS, "OLD"]
    losses = model.scenarios(names, model.volatility.index[-1])
    assert losses.shape == (2, 300, 4)
    assert not losses[:, :, 2:].any()
    assert (losses[0] >= losses[1]).all()  # the low is no better than the close
    late = model.volatility.copy()
    late.loc[late.index[:300], "ETH"] = np.nan
    young = replace(model, volatility=late, bars=(300, 100))
    early = young.scenarios(ASSETS, late.index[250])
    assert early.shape == (2, 250, 3)
    assert not early[:, :, 1].any()


def test_the_first_time_is_the_one_from_which_on_it_works():
    model = setup()
    first = model.first()
    assert first == model.volatility.index[200]  # the first bar has no volatility before it
    assert model.scenarios(ASSETS, first).shape[1] == 200
    late = model.volatility.copy()
    late.loc[late.index[:150], "ETH"] = np.nan
    young = replace(model, volatility=late)
    first = young.first()
    assert first == late.index[350]
    for time in late.index[late.index >= first]:
        young.scenarios(ASSETS, time)
    with pytest.raises(EstimationError, match="199 joint bars of BTC, ETH by 2021-12-16"):
        young.scenarios(ASSETS, late.index[349])
    with pytest.raises(EstimationError, match="fewer than 200 joint bars"):
        setup(bars=200).first()


def test_what_is_refused():
    with pytest.raises(EstimationError, match="no volatility at 2030"):
        scale(setup(), {"BTC": 1.0}, {}, time=pd.Timestamp("2030-01-01"))
    with pytest.raises(ParameterError, match="confidence"):
        setup(confidence=99)
    with pytest.raises(ParameterError, match="offset"):
        setup(offset=1.2)
