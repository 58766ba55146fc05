"""New assets: closed forms, exact limits, and what a short history may and may not say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from xcoll.collateral import new_assets
from xcoll.collateral.haircuts.market import Tail, long_run
from xcoll.collateral.history import History
from xcoll.collateral.new_assets.proxy import appraise_one
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import volatility

OF = Tail(0.975)
CLASS = ["A", "B", "C", "D"]


def world(bars=900, seed=3, calm=0, tails=(3, 4, 6, 10), draws=2):
    """Two factors, four peers of different volatility and tails, and N, which is one of them.

    In the last `calm` bars all volatilities are a third.
    """
    rng = np.random.default_rng(seed)
    index = pd.date_range("2018-01-01", periods=bars, freq="D")
    scale = np.ones(bars)
    scale[bars - calm :] = 1 / 3
    f = 0.03 * scale[:, None] * rng.standard_t(5, (bars, 2))
    names, sizes, degrees = [*CLASS, "N"], (0.02, 0.03, 0.04, 0.05, 0.045), (*tails, tails[1])
    columns = {"BTC": f[:, 0], "ETH": f[:, 1]}
    for name, size, nu in zip(names, sizes, degrees, strict=True):
        e = rng.standard_t(nu, bars) * np.sqrt((nu - 2) / nu)
        columns[name] = 0.5 * f[:, 0] + 0.4 * f[:, 1] + size * scale * e
    returns = pd.DataFrame(columns, index)
    lows = tuple(
        returns.clip(upper=0.0) - 0.01 * scale[:, None] * rng.exponential(size=returns.shape)
        for _ in range(draws)
    )
    return History(returns, lows, volatility.ewma(returns))


def young(history, bars):
    """The same, but N is `bars` old; none at all leaves it out."""
    if not bars:
        return history.of([a for a in history.assets if a != "N"])
    start = history.log_returns.index[-bars]
    frames = [history.log_returns, history.volatility, *history.lows]
    for place, frame in enumerate(frames):
        cut = frame.copy()
        cut.loc[cut.index < start, "N"] = np.nan
        frames[place] = cut
    return History(frames[0], tuple(frames[2:]), frames[1])


@pytest.fixture(scope="module")
def known():
    return world()


@pytest.fixture(scope="module")
def learned(known):
    return new_assets.peers(known, CLASS, OF)


def test_credibility_is_the_posterior_of_a_normal_prior():
    prior, noise, n, mean = 0.04, 2.0, 30, 0.3
    grid = np.linspace(-3, 3, 200_001)
    density = norm.pdf(grid, 0, prior**0.5) * norm.pdf(mean, grid, (noise / n) ** 0.5)
    density /= density.sum()
    centre = (grid * density).sum()
    spread = ((grid - centre) ** 2 * density).sum() ** 0.5
    weight, deviation = new_assets.credibility(prior, noise, n)
    assert weight * mean == pytest.approx(centre, rel=1e-6)
    assert deviation == pytest.approx(spread, rel=1e-6)
    assert new_assets.credibility(prior, noise, 0) == (0.0, 0.2)
    assert new_assets.credibility(0.0, noise, 10) == (0.0, 0.0)


@settings(deadline=None)
@given(
    prior=st.floats(1e-4, 1.0),
    noise=st.floats(1e-3, 50.0),
    n=st.integers(0, 10_000),
    more=st.integers(1, 10_000),
)
def test_with_bars_the_weight_rises_and_the_deviation_falls(prior, noise, n, more):
    few, many = (new_assets.credibility(prior, noise, bars) for bars in (n, n + more))
    assert 0.0 <= few[0] < many[0] < 1.0
    assert many[1] < few[1] <= prior**0.5


def test_credibility_refuses_negative_variances_and_parts_of_bars():
    with pytest.raises(ParameterError, match="prior variance is -1"):
        new_assets.credibility(-1.0, 1.0, 3)
    with pytest.raises(ParameterError, match=r"bars is 1\.5"):
        new_assets.credibility(1.0, 1.0, 1.5)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 40), seed=st.integers(0, 1000))
def test_ridge_is_least_squares_with_the_prior_as_more_rows(n, seed):
    rng = np.random.default_rng(seed)
    f, r = rng.standard_normal((n, 2)), rng.standard_normal(n)
    centre, variance, noise = np.array([0.5, 1.0]), np.array([0.2, 0.05]), 0.7
    rows = np.vstack([f / noise**0.5, np.diag(variance**-0.5)])
    target = np.concatenate([r / noise**0.5, centre / variance**0.5])
    expected = np.linalg.lstsq(rows, target, rcond=None)[0]
    np.testing.assert_allclose(new_assets.ridge(f, r, centre, variance, noise), expected, rtol=1e-9)
    certain = new_assets.ridge(f, r, centre, np.zeros(2), noise)
    np.testing.assert_array_equal(certain, centre)


def test_peers_are_read_off_their_own_bars(known, learned):
    r = known.log_returns
    a = np.linalg.lstsq(r[["BTC", "ETH"]].to_numpy(), r["C"].to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(learned.betas.loc["C"], a, rtol=1e-9)
    assert learned.level["C"] == pytest.approx(np.log(np.sqrt((r["C"] ** 2).mean())))
    figure = long_run(known, OF)
    np.testing.assert_allclose(np.exp(learned.level + learned.shape), figure[CLASS])
    assert learned.spread(CLASS)[0] == pytest.approx(learned.level.var())
    assert learned.spread(["A"]) == learned.spread(CLASS)  # one asset has no spread
    assert learned.spread(CLASS[1:])[1] == pytest.approx(learned.shape[CLASS[1:]].var())


def test_what_a_bar_says_of_volatility_is_known_for_normal_returns():
    rng = np.random.default_rng(1)
    names = [f"P{k}" for k in range(10)]
    index = pd.date_range("2010-01-01", periods=4000, freq="D")
    returns = pd.DataFrame(0.03 * rng.standard_normal((4000, 12)), index, [*names, "BTC", "ETH"])
    lows = (returns.clip(upper=0.0),)
    learned = new_assets.peers(History(returns, lows, returns.abs()), names, OF)
    # Var ln s = 1/(2n), and as much again by the mean of nine others, over nine
    assert learned.sampling(names)[0] == pytest.approx(0.5 * 10 / 9, rel=0.15)


def test_without_bars_the_class_speaks(known):
    row = new_assets.appraise(young(known, 0), {"N": CLASS}, OF).loc["N"]
    assert row["bars"] == 0
    assert np.isnan(row["own"])
    assert row["weight_volatility"] == row["weight_shape"] == 0.0
    assert row["shrunk"] == row["proxy"]
    assert row["class"] == pytest.approx(long_run(known, OF)[CLASS].mean())
    assert row["market"] == row["shrunk"] + row["addon"]
    spread = new_assets.peers(known, CLASS, OF).spread(CLASS)
    assert row["deviation"] == pytest.approx(np.sqrt(1.25 * sum(spread)))
    assert row["market"] / row["shrunk"] == pytest.approx(np.exp(1.2815515655 * row["deviation"]))


def test_one_asset_that_stands_for_another_lends_its_own_figure(known):
    found = new_assets.appraise(young(known, 0), {"N": ["ETH"], "M": ["C"]}, OF)
    np.testing.assert_allclose(found["proxy"], long_run(known, OF)[["ETH", "C"]], rtol=1e-9)
    np.testing.assert_allclose(found.loc["N", ["beta_BTC", "beta_ETH"]], [0.0, 1.0], atol=1e-12)


def test_a_proxy_has_the_volatility_that_it_is_given(learned):
    made = new_assets.proxies(np.array([0.5, 0.4]), 0.06, CLASS, learned)
    size = np.sqrt((made.log_returns**2).mean())
    np.testing.assert_allclose(size, 0.06, rtol=1e-9)  # residuals are orthogonal to factors
    calm = new_assets.proxies(np.array([0.5, 0.4]), 0.001, CLASS, learned)
    np.testing.assert_allclose(np.sqrt((calm.log_returns**2).mean()), 0.001, rtol=1e-9)
    for made_low in (*made.lows, *calm.lows):
        assert (made_low <= 0.0).all(axis=None)


def test_where_the_own_bars_count_in_full_the_figure_is_their_own(known, learned):
    class Open(new_assets.Peers):
        def spread(self, like):
            return 1e12, 1e12

    wide = Open(**vars(learned))
    row = appraise_one("N", known.of(["N"]), CLASS, wide, 0.9)
    assert row["weight_volatility"] == pytest.approx(1.0)
    assert row["shrunk"] == pytest.approx(long_run(known, OF)["N"], rel=1e-7)
    assert row["sigma"] == pytest.approx(np.sqrt((known.log_returns["N"] ** 2).mean()), rel=1e-7)


def test_with_ever_more_bars_it_becomes_the_figure_of_the_own_history():
    gaps = []
    for bars in (800, 4000, 20_000):
        history = world(bars, seed=8, draws=1)
        row = new_assets.appraise(history, {"N": CLASS}, OF).loc["N"]
        own = long_run(history, OF)["N"]
        assert row["own"] == own
        gaps.append((abs(row["shrunk"] / own - 1.0), row["market"] / own - 1.0))
    assert gaps[0][1] > gaps[1][1] > gaps[2][1] > 0.0
    assert gaps[2][0] < 0.002
    assert gaps[2][1] < 0.03


def test_the_add_on_falls_with_every_bar(known, learned):
    lifts = []
    for bars in (0, 1, 2, 5, 10, 30, 60, 180, 365, 800):
        own = known.of(["N"]).since(known.log_returns.index[-bars]) if bars else None
        row = appraise_one("N", own, CLASS, learned, 0.9)
        lifts.append((row["deviation"], row["market"] / row["shrunk"]))
    assert (np.diff(lifts, axis=0) < 0.0).all()
    more = [appraise_one("N", own, CLASS, learned, a)["market"] for a in (0.6, 0.9, 0.99)]
    assert more[0] < more[1] < more[2]


def test_a_calm_month_does_not_pass_for_a_calm_asset():
    history = world(calm=60)
    row = new_assets.appraise(young(history, 60), {"N": CLASS}, OF).loc["N"]
    whole = long_run(history, OF)["N"]
    assert row["own"] < 0.6 * whole
    assert row["shrunk"] == pytest.approx(whole, rel=0.2)
    assert row["market"] > whole


def test_a_wild_asset_is_seen_as_wild():
    history = world()
    doubled = History(
        history.log_returns.assign(N=2.5 * history.log_returns["N"]),
        tuple(low.assign(N=2.5 * low["N"]) for low in history.lows),
        history.volatility,
    )
    tame, wild = (
        new_assets.appraise(young(h, 90), {"N": CLASS}, OF).loc["N"] for h in (history, doubled)
    )
    assert wild["sigma"] > 1.5 * tame["sigma"]
    assert wild["shrunk"] > 1.4 * tame["shrunk"]


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"N": []}, "N has no class: give like="),
        ({"N": "A"}, "N has no class: give like="),
        ({"N": ["A", "M"], "M": ["B"]}, "M cannot stand for another asset"),
        ({"N": ["X"]}, "X cannot stand for another asset.*name one of BTC, ETH, A"),
        ({"ETH": ["A", "B"]}, "ETH is new and a factor at once"),
    ],
)
def test_what_cannot_be_appraised_names_the_way_out(known, like, message):
    with pytest.raises(DataError, match=message):
        new_assets.appraise(young(known, 30), like, OF)


def test_peers_must_be_enough_long_and_covered_by_factors(known):
    with pytest.raises(DataError, match="3 at least"):
        new_assets.peers(known, ["A", "B"], OF)
    with pytest.raises(DataError, match="N has less than 365D"):
        new_assets.peers(young(known, 300), [*CLASS, "N"], OF)
    with pytest.raises(DataError, match=r"a factor of .*N.* has no return at 2018-01-01"):
        new_assets.peers(young(known, 400), CLASS, OF, ["BTC", "N"])
    with pytest.raises(DataError, match="X has no history"):
        new_assets.peers(known, [*CLASS, "X"], OF)
    with pytest.raises(ParameterError, match="assurance is 90"):
        new_assets.appraise(known, {"N": CLASS}, OF, assurance=90)


def test_a_price_that_does_not_move_is_refused(known):
    still = young(known, 20)
    still.log_returns.loc[still.log_returns["N"].notna(), "N"] = 0.0
    with pytest.raises(EstimationError, match="N has not moved in 20 bars"):
        new_assets.appraise(still, {"N": CLASS}, OF)
