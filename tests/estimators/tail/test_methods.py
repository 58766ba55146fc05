"""Every method through the one interface: no foresight, coherence, portfolios, stated errors."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import tail, volatility
from xcoll.estimators.tail import methods, portfolio

WINDOW = 200
LEVELS = [0.95, 0.99]
ONE_SERIES = [name for name, method in tail.METHODS.items() if method.univariate]
SCENARIOS = [name for name, method in tail.METHODS.items() if not method.univariate]


def market(bars=260, assets=("A", "B", "C"), seed=0):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2021-01-01", periods=bars, freq="D")
    shocks = 0.02 * (rng.standard_t(5, (bars, 1)) + rng.standard_t(5, (bars, len(assets))))
    returns = pd.DataFrame(shocks, index, list(assets))
    low = returns.clip(upper=0) - 0.01 * rng.exponential(size=returns.shape)
    returns.iloc[0], low.iloc[0] = np.nan, np.nan
    return returns, low


def dependence(returns, rho=0.4, nu=6.0, a=0.03, b=0.94):
    assets = list(returns)
    pairs = [f"{one}~{two}" for one, two in combinations(assets, 2)]
    path = pd.DataFrame(rho, returns.index, pairs)
    target = pd.DataFrame(rho, assets, assets) + (1 - rho) * np.eye(len(assets))
    return tail.Dependence(path, target, a, b, nu)


def walk(method, returns, low=None, bars=1, loss="close_out", seed=1, window=WINDOW, **options):
    options = {"confidence": LEVELS, "paths": 400} | options
    if method == "dcc_t":
        options.setdefault("dependence", dependence(returns))
    rng = np.random.default_rng(seed)
    return tail.walk_forward(
        returns, window, bars=bars, method=method, loss=loss, low=low, rng=rng, **options
    )


def test_methods_are_named_in_order():
    assert list(tail.METHODS) == sorted(tail.METHODS)
    assert len(tail.METHODS) == 10


@pytest.mark.parametrize("method", tail.METHODS)
@pytest.mark.parametrize("bars", [1, 3])
@pytest.mark.parametrize("loss", ["close_out", "end"])
def test_rows_are_coherent_figures(method, bars, loss):
    returns, low = market()
    found = walk(method, returns, low, bars, loss, weights=pd.Series({"A": 0.5, "B": 0.5}))
    assert list(found.columns) == [
        "time", "asset", "method", "loss", "confidence", "bars", "var", "es", "beyond", "error",
        "note",
    ]  # fmt: skip
    assert set(found["asset"]) == {"A", "B", "C", "portfolio"}
    assert (found["method"] == method).all()
    assert np.isfinite(found[["var", "es"]]).all(axis=None)
    assert (found["es"] >= found["var"] - 1e-12).all()
    assert (found["es"] < 1).all()
    wide = found.pivot_table(index=["time", "asset"], columns="confidence", values=["var", "es"])
    for figure in ("var", "es"):
        assert (wide[figure][0.99] >= wide[figure][0.95] - 1e-12).all()
    drawn = method == "dcc_t" or (bars > 1 and tail.METHODS[method].simulates)
    assert found["error"].notna().all() if drawn else found["error"].isna().all()
    assert not found.duplicated(["time", "asset", "confidence"]).any()


@pytest.mark.parametrize("method", tail.METHODS)
@pytest.mark.parametrize("bars", [1, 3])
def test_planted_jump_moves_no_earlier_forecast(method, bars):
    returns, low = market()
    options = {"weights": pd.Series({"A": 0.6, "B": 0.4})}
    before = walk(method, returns, low, bars, **options)
    at = 240
    jumped, lower = returns.copy(), low.copy()
    jumped.iloc[at:], lower.iloc[at:] = -0.9, -0.95
    after = walk(method, jumped, lower, bars, **options)
    cut = returns.index[at]
    pd.testing.assert_frame_equal(before[before["time"] < cut], after[after["time"] < cut])
    later = (before["time"] >= cut) & before["es"].notna()
    es = after.set_index(["time", "asset", "confidence"])["es"]
    moved = before[later].set_index(["time", "asset", "confidence"])["es"].sub(es).abs()
    assert moved.max() > 0.01


@pytest.mark.parametrize("method", tail.METHODS)
def test_log_units_scale(method):
    """Twice the log returns at twice the σ: -log(1 - VaR) doubles."""
    returns, low = market()
    one = walk(method, returns, low)
    two = walk(method, 2 * returns, 2 * low)
    assert np.log1p(-two["var"]).to_numpy() == pytest.approx(
        2 * np.log1p(-one["var"]).to_numpy(), rel=2e-3, abs=1e-6
    )


def test_age_weights_by_hand():
    returns, low = market()
    found = walk("age_weighted", returns, low, confidence=0.99).query("asset == 'B'")
    losses = (-np.expm1(low["B"])).iloc[-WINDOW:].to_numpy()
    weights = 0.98 ** np.arange(WINDOW)[::-1]
    weights /= weights.sum()
    rest, es = 0.01, 0.0
    for i in np.argsort(-losses):
        taken = min(weights[i], rest)
        es, rest = es + taken * losses[i], rest - taken
        if rest <= 0:
            break
    assert found["es"].iloc[-1] == pytest.approx(es / 0.01)
    assert found["var"].iloc[-1] == pytest.approx(losses[i])
    effective = 1 / (weights**2).sum()
    assert found["beyond"].iloc[-1] == pytest.approx(0.01 * effective)


def test_volatility_weighting_is_fhs_on_exponential_weights():
    returns, low = market()
    flat = pd.DataFrame(0.03, returns.index, returns.columns)
    one = walk("volatility_weighted", returns, low, volatility=flat)
    other = walk("fhs", returns, low)
    assert one["es"].to_numpy() == pytest.approx(other["es"].to_numpy())
    still = walk("fhs", returns, low, volatility=flat)
    assert abs(still["es"].iloc[-1] / other["es"].iloc[-1] - 1) > 0.01


def test_normal_forecast_by_hand():
    returns, _ = market()
    sigma = volatility.ewma(returns)
    found = walk("normal", returns, loss="end").query("asset == 'A' and confidence == 0.99")
    score = -(returns["A"] / sigma["A"].shift(1)).iloc[-WINDOW:]
    s = sigma["A"].iloc[-1]
    quantile = score.mean() + score.std(ddof=0) * norm.ppf(0.99)
    assert found["var"].iloc[-1] == pytest.approx(-np.expm1(-s * quantile))


@pytest.mark.parametrize("method", ONE_SERIES)
def test_with_closes_only_the_close_out_loss_of_a_law_is_the_ends(method):
    """The excursion without its pile of zeros is the return, so nothing else can come out."""
    returns, _ = market()
    pair = [walk(method, returns, loss=loss) for loss in ("close_out", "end")]
    pd.testing.assert_frame_equal(pair[0].drop(columns="loss"), pair[1].drop(columns="loss"))


@pytest.mark.parametrize("method", ONE_SERIES)
def test_simulated_bars_of_a_law_agree_with_its_quadrature(method):
    """One bar of the simulation: a horizon of two whose second bar does nothing."""
    returns, _ = market()
    still = tail.Recursion(0.0, 0.0, 0.0)  # σ is zero from the second bar on
    drawn = walk(method, returns, bars=2, loss="end", paths=40_000, recursion=still)
    exact = walk(method, returns, loss="end")
    both = drawn.merge(exact, on=["time", "asset", "confidence"])
    gap = (both["es_x"] - both["es_y"]).abs()
    # Draws are the same at every date, so the errors are one luck: four standard errors.
    assert (gap < 4 * both["error_x"] + 0.003 * both["es_y"]).all()


@pytest.mark.parametrize(("method", "bars"), [("fhs", 3), ("t", 3), ("dcc_t", 1)])
def test_stated_error_is_the_spread_over_seeds(method, bars):
    returns, low = market()
    options = {"weights": pd.Series({"A": 0.6, "B": 0.4}), "paths": 2000, "confidence": 0.95}
    runs = [walk(method, returns, low, bars, seed=seed, **options) for seed in range(40)]
    last = runs[0]["time"].max()
    rows = [run[run["time"] == last].set_index("asset") for run in runs]
    spread = pd.concat([row["es"] for row in rows], axis=1).std(axis=1)
    stated = pd.concat([row["error"] for row in rows], axis=1).mean(axis=1)
    # A standard deviation from 40 runs is known to about 11 %.
    assert (spread / stated).between(0.65, 1.45).all()


@given(st.integers(0, 30), st.floats(0.05, 0.95), st.sampled_from(["historical", "fhs"]))
@settings(max_examples=12, deadline=None)
def test_a_portfolio_is_never_worse_than_its_parts(seed, weight, method):
    returns, low = market(245, ("A", "B"), seed)
    weights = pd.Series({"A": weight, "B": 1 - weight}, name="book")
    es = walk(method, returns, low, weights=weights).pivot_table(
        index=["time", "confidence"], columns="asset", values="es"
    )
    assert (es["book"] <= weight * es["A"] + (1 - weight) * es["B"] + 1e-12).all()


@pytest.mark.parametrize("method", SCENARIOS)
def test_a_portfolio_of_one_asset_is_that_asset(method):
    returns, low = market()
    for bars in (1, 3):
        found = walk(method, returns, low, bars, weights=pd.Series({"B": 1.0}))
        pair = found.pivot_table(index=["time", "confidence"], columns="asset", values="es")
        assert pair["portfolio"].to_numpy() == pytest.approx(pair["B"].to_numpy())


@pytest.mark.parametrize("method", ONE_SERIES)
def test_a_law_of_one_asset_held_alone_is_that_assets(method):
    returns, low = market()
    found = walk(method, returns, low, weights=pd.Series({"B": 1.0}))
    pair = found.pivot_table(index=["time", "confidence"], columns="asset", values="es")
    assert pair["portfolio"].to_numpy() == pytest.approx(pair["B"].to_numpy(), rel=2e-3)


@pytest.mark.parametrize("loss", ["close_out", "end"])
def test_filtered_portfolio_is_the_plain_twin(loss):
    returns, low = market()
    sigma = volatility.ewma(returns)
    weights = pd.Series({"A": 1.0, "C": -0.4})
    found = walk("fhs", returns, low, loss=loss, weights=weights).query("asset == 'portfolio'")
    t = 250
    losses = []
    for s in range(t - WINDOW + 1, t + 1):
        total = 0.0
        for asset, weight in weights.items():
            scale = sigma[asset].iloc[t] / sigma[asset].iloc[s - 1]
            r, x = returns[asset].iloc[s], low[asset].iloc[s]
            move = r if loss == "end" else (x if weight > 0 else max(r, 0.0))
            total += weight * (1 - np.exp(move * scale))
        losses.append(total)
    row = found[(found["time"] == returns.index[t]) & (found["confidence"] == 0.95)]
    assert row["es"].item() == pytest.approx(tail.historical(losses, 0.95).es)


@pytest.mark.parametrize("loss", ["close_out", "end"])
def test_portfolio_losses_by_hand(loss):
    index = pd.date_range("2022-01-01", periods=4, freq="D")
    price = pd.DataFrame({"L": [100.0, 90, 95, 80], "S": [10.0, 12, 11, 13]}, index)
    lows = pd.DataFrame({"L": [np.nan, 85.0, 70, 78], "S": [np.nan, 10.0, 11, 11]}, index)
    returns, low = np.log(price / price.shift()), np.log(lows / price.shift()).clip(upper=0)
    weights = pd.Series({"L": 1.0, "S": -0.5})
    found = tail.portfolio_losses(returns, low, weights, 2, loss)
    end = (1 - 95 / 100) - 0.5 * (1 - 11 / 10)
    # Bar 1: low 85, S rises to 12; bar 2: low 70, S at its opening of 12 (it falls to 11).
    way = max(0.15 - 0.5 * (1 - 12 / 10), 0.30 - 0.5 * (1 - 12 / 10))
    assert found.iloc[0] == pytest.approx(end if loss == "end" else way)
    assert found.iloc[2:].isna().all()
    assert found.name == "portfolio"
    single = tail.portfolio_losses(returns, low, pd.Series({"L": 1.0}, name="L only"), 2, loss)
    pd.testing.assert_series_equal(
        single, tail.realised_losses(returns, low, 2, loss)["L"], check_names=False
    )


def test_portfolio_of_own_series_is_rebalanced_simple_returns():
    returns, low = market()
    weights = pd.Series({"A": 0.5, "B": 0.3})
    own, worst = portfolio.own_series(returns, low, weights)
    t = 17
    simple = 0.5 * np.expm1(returns["A"].iloc[t]) + 0.3 * np.expm1(returns["B"].iloc[t])
    assert own.iloc[t] == pytest.approx(np.log1p(simple))
    assert (worst.dropna() <= np.minimum(own.dropna(), 0)).all()


def grid(bars, assets):
    """Returns whose scores in any window of `bars` are the normal's quantiles, in some order."""
    rng = np.random.default_rng(0)
    quantiles = norm.ppf((np.arange(bars) + 0.5) / bars)
    block = np.column_stack([rng.permutation(quantiles) for _ in range(assets)])
    index = pd.date_range("2020-01-01", periods=bars + 1, freq="D")
    values = np.vstack([np.full((1, assets), np.nan), block])
    return pd.DataFrame(0.01 * values, index, list("ABCD")[:assets])


@pytest.mark.parametrize(("rho", "spread"), [(0.0, 0.5), (0.6, np.sqrt(0.25 + 0.75 * 0.6))])
def test_normal_copula_of_normal_margins_meets_the_closed_form(rho, spread):
    returns = grid(2000, 4)
    flat = pd.DataFrame(0.01, returns.index, returns.columns)
    given_ = dependence(returns, rho, np.inf, 0.0, 0.0)
    found = walk(
        "dcc_t", returns, loss="end", window=2000, volatility=flat, dependence=given_,
        weights=pd.Series(0.25, returns.columns), paths=40_000, confidence=0.975,
    )  # fmt: skip
    row = found.query("asset == 'portfolio'").iloc[-1]
    # Σ w_i (1 - e^r) ≈ -Σ w_i r to 1 % at σ = 1 %.
    truth = 0.01 * spread * norm.pdf(norm.ppf(0.975)) / 0.025
    assert row["es"] == pytest.approx(truth, abs=4 * row["error"] + 0.01 * truth)


def test_a_t_copula_has_the_heavier_joint_tail():
    returns = grid(1000, 3)
    flat = pd.DataFrame(0.01, returns.index, returns.columns)
    es = {}
    for nu in (np.inf, 3.0):
        found = walk(
            "dcc_t", returns, loss="end", window=1000, volatility=flat, paths=40_000,
            dependence=dependence(returns, 0.2, nu), weights=pd.Series(1 / 3, returns.columns),
            confidence=0.99,
        )  # fmt: skip
        es[nu] = found.query("asset == 'portfolio'").iloc[-1]
    assert es[3.0]["es"] > es[np.inf]["es"] + 4 * es[np.inf]["error"]


def test_an_asset_alone_draws_from_its_window():
    returns, low = market()
    drawn = walk("dcc_t", returns, low, paths=20_000)
    exact = walk("fhs", returns, low)
    both = drawn.merge(exact, on=["time", "asset", "confidence"])
    assert ((both["es_x"] - both["es_y"]).abs() < 5 * both["error_x"]).all()


def test_late_listing_leaves_the_portfolio_out_until_all_are_there():
    returns, low = market(300)
    returns.iloc[:60, 1], low.iloc[:60, 1] = np.nan, np.nan
    weights = pd.Series({"A": 0.5, "B": 0.5})
    for method in ("historical", "fhs", "normal", "dcc_t"):
        for bars in (1, 3):
            first = walk(method, returns, low, bars, weights=weights).groupby("asset")["time"].min()
            assert first["A"] < first["B"]
            assert first["portfolio"] >= first["B"]


def test_no_fit_is_a_row_that_says_so():
    returns, _ = market(420)
    returns.iloc[1:280, 0] = 0.0  # a price that stood still
    flat = pd.DataFrame(0.03, returns.index, returns.columns)
    found = walk("t", returns, volatility=flat, loss="end", confidence=0.99)
    still = found.query("asset == 'A' and note == 'no fit'")
    assert len(still)
    assert still[["var", "es"]].isna().all(axis=None)
    assert (found.query("asset == 'B'")["note"] == "").all()


def test_defaults_are_exponential_weights_and_closes():
    returns, _ = market()
    plain = tail.walk_forward(returns, WINDOW)
    stated = walk(
        "fhs", returns, returns.clip(upper=0), volatility=volatility.ewma(returns), confidence=0.99
    )
    pd.testing.assert_frame_equal(plain, stated)


def test_forecasts_take_every_method_and_the_portfolio():
    returns, low = market(240)
    found = tail.forecasts(
        returns, WINDOW, 0.95, (1, 2), low=low, rng=np.random.default_rng(0), paths=100,
        weights=pd.Series({"A": 1.0}, name="held"), dependence=dependence(returns),
    )  # fmt: skip
    assert set(found["method"]) == set(tail.METHODS)
    alone = found.query("asset in ('A', 'held')").pivot_table(
        index=["time", "method", "loss", "bars"], columns="asset", values="realised"
    )
    assert alone["held"].to_numpy() == pytest.approx(alone["A"].to_numpy())
    fewer = tail.forecasts(returns, WINDOW, 0.95, methods=["t"], losses=["end"])
    assert set(fewer["method"]) == {"t"}
    assert set(fewer["loss"]) == {"end"}


def test_what_a_method_cannot_do_names_those_that_can():
    returns, low = market()
    with pytest.raises(ParameterError, match=r"dcc_t needs dependence.*fhs"):
        tail.walk_forward(returns, WINDOW, method="dcc_t")
    with pytest.raises(ParameterError, match=r"give rng.*age_weighted or historical"):
        tail.walk_forward(returns, WINDOW, bars=2, method="t")
    with pytest.raises(ParameterError, match=r"evt.*0\.9 quantile.*fhs"):
        walk("evt", returns, low, confidence=0.8)
    with pytest.raises(ParameterError, match="window of 200"):
        walk("evt", returns, low, window=150)
    crash = returns.copy()
    crash.iloc[50, 0] = 1.2
    with pytest.raises(EstimationError, match="use fhs"):
        walk("t", crash, low.clip(upper=0), weights=pd.Series({"A": -1.0}))


def test_bad_weights():
    returns, low = market()
    for weights, match in (
        ({"A": 1.0}, "give a Series"),
        (pd.Series({"Z": 1.0}), "Z"),
        (pd.Series([0.5, 0.5], ["A", "A"]), "twice"),
        (pd.Series({"A": np.nan}), "weight of A"),
        (pd.Series({"A": 0.0}), "zero"),
        (pd.Series({"A": 1.0}, name="B"), "another name"),
    ):
        with pytest.raises(ParameterError, match=match):
            walk("fhs", returns, low, weights=weights)
    with pytest.raises(DataError, match="align"):
        tail.portfolio_losses(returns, low.iloc[1:], pd.Series({"A": 1.0}))


def test_bad_dependence():
    returns, low = market()
    good = dependence(returns)
    cases = (
        (dependence(returns.iloc[1:]), DataError, "times"),
        (tail.Dependence(good.correlation[["A~B"]], good.target), DataError, "lacks the pair"),
        (tail.Dependence(good.correlation, good.target.iloc[:2, :2]), DataError, "lacks C"),
        (dependence(returns, 1.4), DataError, "outside"),
        (dependence(returns, a=0.2, b=0.9), ParameterError, "less than 1"),
        (dependence(returns, nu=1.5), ParameterError, "nu"),
        (dependence(returns, -0.9), EstimationError, "positive definite"),
    )
    for given_, error, match in cases:
        with pytest.raises(error, match=match):
            walk("dcc_t", returns, low, dependence=given_)


def test_bad_frames():
    returns, low = market()
    with pytest.raises(DataError, match="empty"):
        tail.walk_forward(returns.iloc[:0], WINDOW)
    with pytest.raises(EstimationError, match="no return at all"):
        tail.walk_forward(returns.iloc[:1], WINDOW)
    with pytest.raises(EstimationError, match="A has 0 losses"):
        tail.walk_forward(returns.iloc[1:2], WINDOW)
    with pytest.raises(EstimationError, match="A has 190 bars with a σ before them"):
        tail.walk_forward(returns.iloc[:221], WINDOW)
    with pytest.raises(DataError, match="give a time"):
        tail.walk_forward(returns, WINDOW, volatility=0.03)
    with pytest.raises(EstimationError, match="above the last close"):
        walk("fhs", returns, low + 0.5)
    with pytest.raises(DataError, match="twice"):
        tail.walk_forward(pd.concat([returns, returns[["A"]]], axis=1), WINDOW)
    huge = returns.copy()
    huge.iloc[100, 0] = -700.0  # a price that fell to nothing
    found = walk("historical", huge)
    assert (found["es"] <= 1).all()
    with pytest.raises(ParameterError, match="one value an asset"):
        walk("fhs", returns, low, 2, recursion=tail.Recursion(np.zeros(2), 0.1, 0.9))
    with pytest.raises(ParameterError, match="negative"):
        walk("fhs", returns, low, 2, recursion=tail.Recursion(0.0, -0.1, 0.9))


def test_today_of_a_portfolio():
    returns, low = market(500)
    weights = pd.Series({"A": 0.5, "B": 0.5}, name="basket")
    found = tail.today(
        returns, 3, 0.95, np.random.default_rng(0), low=low, weights=weights, paths=4000
    )
    es = found.pivot_table(index="loss", columns="asset", values="es")
    assert (es["basket"] < 0.5 * es["A"] + 0.5 * es["B"]).all()
    assert (found["error"] > 0).all()


def test_aged_beyond_is_under_the_plain_count():
    assert methods.aged_beyond(500, 0.99) == pytest.approx(0.99, abs=0.01)
    assert methods.age_weights(500).sum() == pytest.approx(1.0)
