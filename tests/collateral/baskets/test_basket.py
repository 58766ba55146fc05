import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.collateral.baskets.samples import SIGMA, exact, history, laws, make
from xcoll.collateral import baskets
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.errors import DataError, EstimationError
from xcoll.estimators import tail

PAST = history()
END = Tail(loss="end")
MIXED = {"BTC": 0.6, "LINK": 0.4, "ETH": -0.5, "USDC": -0.1}


@st.composite
def accounts(draw):
    sizes = draw(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4))
    sides = draw(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=4, max_size=4).filter(
        lambda sides: 1.0 in sides
    ))  # fmt: skip
    held = sum(size for size, side in zip(sizes, sides, strict=True) if side > 0.0)
    return {a: side * size / held for a, size, side in zip(PAST.assets, sizes, sides, strict=True)}


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
def test_a_normal_pair_meets_its_closed_form(rho):
    past = exact()
    known = laws(past, now=rho, nu=np.inf)
    found = make(past, {"A": 0.5, "B": 0.5}, known, of=END, paths=100_000).risk.loc["dcc_t"]
    sigma = SIGMA * np.sqrt(0.5 + 0.5 * rho)
    es = sigma * stats.norm.pdf(stats.norm.ppf(0.99)) / 0.01
    assert 0.0 < found["error"] < 0.01 * es
    # the grid of 2,000 quantiles and 1 - exp(r) for -r cost a thousandth
    assert abs(found["es"] - es) < 3.0 * found["error"] + 1e-3 * es
    assert found["var"] == pytest.approx(sigma * stats.norm.ppf(0.99), rel=0.02)
    assert found["benefit"] == pytest.approx(1.0 - np.sqrt(0.5 + 0.5 * rho), abs=0.02)


def test_a_long_and_a_short_normal_leg_meet_their_closed_form():
    past = exact()
    found = make(past, {"A": 1.0, "B": -0.5}, laws(past, 0.6, nu=np.inf), of=END, paths=100_000)
    es = SIGMA * np.sqrt(1.0 + 0.25 - 0.6) * stats.norm.pdf(stats.norm.ppf(0.99)) / 0.01
    row = found.risk.loc["dcc_t"]
    assert abs(row["es"] - es) < 3.0 * row["error"] + 1e-3 * es


def test_a_t_pair_meets_its_closed_form():
    nu, past = 5.0, exact(law=stats.t(5.0))
    found = make(past, {"A": 0.5, "B": 0.5}, laws(past, now=0.3, nu=nu), of=END, paths=100_000)
    q = stats.t.ppf(0.99, nu)
    es = stats.t.pdf(q, nu) / 0.01 * (nu + q**2) / (nu - 1.0) * SIGMA * np.sqrt(0.65)
    row = found.risk.loc["dcc_t"]
    # t quantiles at the middle of 2,000 steps miss some of the mean of the last one
    assert abs(row["es"] - es) < 3.0 * row["error"] + 0.01 * es


@pytest.mark.parametrize("nu", [4.0, np.inf])
def test_long_only_risk_rises_with_correlation(nu):
    past = exact(assets=("A", "B", "C"))
    es = [
        make(past, {"A": 0.5, "B": 0.3, "C": 0.2}, laws(past, rho, nu=nu), of=END).risk.loc["dcc_t"]
        for rho in (-0.3, 0.0, 0.3, 0.6, 0.9, 0.99)
    ]
    assert (np.diff([row["es"] for row in es]) > 0.0).all()


def test_stress_brackets_today_and_a_hedge_turns_it_round():
    risk = make(PAST, {"BTC": 0.5, "ETH": 0.5}).risk["es"]
    assert risk["stress low"] < risk["dcc_t"] < risk["stress high"] < risk["one"]
    hedged = make(PAST, {"BTC": 1.0, "ETH": -0.6}).risk["es"]
    assert hedged["stress high"] < hedged["dcc_t"] < hedged["stress low"] < hedged["one"]


@settings(max_examples=25, deadline=None)
@given(
    accounts(),
    st.sampled_from([1, 3]),
    st.sampled_from(["close_out", "end"]),
    st.integers(0, 3),
)
def test_a_basket_is_never_more_than_its_parts_and_its_allocation_sums(weights, bars, loss, seed):
    found = make(PAST, weights, laws(PAST, a=0.02, b=0.9), seed, of=Tail(0.95, loss=loss),
                 bars=bars, paths=800)  # fmt: skip
    risk = found.risk
    assert (risk["es"] <= risk["parts"] + 1e-12).all()
    assert risk["benefit"].between(0.0, 1.0 + 1e-9).all()
    assert (risk["var"] <= risk["es"] + 1e-15).all()
    np.testing.assert_allclose(found.allocation.sum(), risk["es"], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(found.alone.sum(), risk["parts"], rtol=0.0, atol=1e-12)
    assert (found.allocation <= found.alone + 1e-12).all(axis=None)


@pytest.mark.parametrize("weights", [{"BTC": 0.2, "ETH": 0.5, "LINK": 0.3}, MIXED])
@pytest.mark.parametrize("loss", ["close_out", "end"])
def test_one_is_the_sum_of_the_parts_and_all_laws_share_it(weights, loss):
    found = make(PAST, weights, of=Tail(loss=loss), paths=1)
    assert found.risk.loc["one", "es"] == pytest.approx(found.risk.loc["one", "parts"], abs=1e-15)
    np.testing.assert_allclose(found.risk["parts"], found.risk["parts"].iloc[0], rtol=1e-12)
    np.testing.assert_allclose(found.alone.sub(found.alone["fhs"], axis=0), 0.0, atol=1e-15)
    assert found.risk.loc[["fhs", "one"], "error"].tolist() == [0.0, 0.0]
    assert (found.risk.loc[["dcc_t", "stress high", "stress low"], "error"] > 0.0).all()


def test_highs_belong_to_one_too():
    highs = PAST.log_returns.clip(lower=0.0) + 0.01
    with_, without = (make(PAST, MIXED, highs=each) for each in (highs, None))
    for found in (with_, without):
        row = found.risk.loc["one"]
        assert row["es"] == pytest.approx(row["parts"], abs=1e-15)
    assert (with_.alone["fhs"][["ETH", "USDC"]] > without.alone["fhs"][["ETH", "USDC"]]).all()
    assert (with_.alone["fhs"][["BTC", "LINK"]] == without.alone["fhs"][["BTC", "LINK"]]).all()


def test_fhs_of_a_day_is_the_plain_sample():
    """A twin in plain Python: every common bar once, at today's σ."""
    known = history(300, draws=2, seed=5)
    found = make(known, MIXED, paths=1)
    sigma, losses = known.volatility, []
    for low in known.lows:
        for t in range(1, len(sigma)):
            scale = sigma.iloc[-1] / sigma.iloc[t - 1]
            points = [low.iloc[t] * scale, known.log_returns.iloc[t] * scale]
            losses.append(
                max(sum(w * (1 - np.exp(p[a])) for a, w in MIXED.items()) for p in points)
            )
    twin = tail.historical(np.array(losses), 0.99)
    assert found.risk.loc["fhs", "es"] == pytest.approx(twin.es, rel=1e-12)
    assert found.risk.loc["fhs", "var"] == pytest.approx(twin.var, rel=1e-12)
    assert found.beyond == pytest.approx(2.99)
    assert found.first == sigma.index[1]


def test_fhs_of_a_day_is_the_portfolio_of_the_tail_methods():
    weights = pd.Series({"BTC": 0.5, "ETH": 0.3, "LINK": 0.2}, name="basket")
    flat = History(PAST.log_returns, PAST.lows, PAST.volatility * 0.0 + 0.02)
    losses = tail.portfolio_losses(flat.log_returns, flat.lows[0], weights)[:-1]
    expected = tail.historical(losses, 0.99).es
    assert make(flat, weights).risk.loc["fhs", "es"] == pytest.approx(expected, rel=1e-12)


def test_several_bars_of_whole_days_agree_with_the_simulation_of_the_tail_methods():
    weights = pd.Series({"BTC": 0.5, "ETH": 0.3, "LINK": 0.2}, name="basket")
    other = tail.today(
        PAST.log_returns, 3, 0.99, np.random.default_rng(8), volatility=PAST.volatility,
        low=PAST.lows[0], weights=weights, paths=40_000,
    ).set_index(["asset", "loss"]).loc[("basket", "close_out")]  # fmt: skip
    row = make(PAST, weights, bars=3, paths=40_000).risk.loc["fhs"]
    assert abs(row["es"] - other["es"]) < 3.0 * np.hypot(row["error"], other["error"])


def test_the_error_is_that_of_repeated_draws():
    many = [make(PAST, {"BTC": 0.5, "LINK": 0.5}, seed=s, paths=4_000).risk for s in range(30)]
    es = pd.concat([risk["es"] for risk in many], axis=1).loc[["dcc_t", "stress low"]]
    stated = pd.concat([risk["error"] for risk in many], axis=1).loc[es.index].mean(axis=1)
    assert ((stated / es.std(axis=1)).between(0.7, 2.0)).all()


def test_dcc_acts_within_several_bars_only():
    still, moving = (laws(PAST, a=a, b=b) for a, b in ((0.0, 0.0), (0.3, 0.6)))
    for bars, same in ((1, True), (3, False)):
        one, two = (make(PAST, MIXED, each, bars=bars).risk for each in (still, moving))
        assert (one.loc["dcc_t", "es"] == two.loc["dcc_t", "es"]) is np.bool_(same)
        assert one.loc["stress low", "es"] == two.loc["stress low", "es"]


def test_legs_of_one_price_are_netted_before_they_are_parts():
    staked = make(PAST, {"wstETH": 1.0, "ETH": -0.8}, followed={"wstETH": "ETH"})
    plain = make(PAST, {"ETH": 1.0})
    np.testing.assert_allclose(staked.risk["es"], 0.2 * plain.risk["es"], rtol=1e-12)
    assert (staked.risk["benefit"] == 0.0).all()
    fhs = staked.allocation["fhs"]
    assert fhs["ETH"] == pytest.approx(-0.8 * fhs["wstETH"])
    assert staked.alone["fhs"].sum() == pytest.approx(staked.risk.loc["fhs", "parts"])


def test_nothing_after_the_date_is_seen():
    time = PAST.log_returns.index[300]
    planted = [frame.copy() for frame in (PAST.log_returns, PAST.lows[0], PAST.volatility)]
    known = laws(PAST)
    path = known.today.correlation.copy()
    for frame in planted[:2]:
        frame.iloc[301:] = -2.0
    planted[2].iloc[301:] = 9.0
    path.iloc[301:] = 0.99
    later = dataclasses.replace(known, today=dataclasses.replace(known.today, correlation=path))
    jumped = History(planted[0], (planted[1],), planted[2])
    pd.testing.assert_frame_equal(
        make(PAST.until(time), MIXED, known).risk, make(jumped.until(time), MIXED, later).risk
    )


def test_only_bars_that_all_have_count():
    returns = PAST.log_returns.copy()
    returns.loc[: returns.index[99], "LINK"] = np.nan
    late = History(returns, (PAST.lows[0].where(returns.notna()),), PAST.volatility)
    assert make(late, {"BTC": 0.5, "LINK": 0.5}).first == returns.index[100]
    assert make(late, {"BTC": 1.0}).first == returns.index[1]


def test_seed_decides_everything():
    pd.testing.assert_frame_equal(make(PAST, MIXED).risk, make(PAST, MIXED).risk)
    assert not make(PAST, MIXED).risk.equals(make(PAST, MIXED, seed=1).risk)


def test_rows_for_tables():
    found = {"a": make(PAST, {"BTC": 1.0}), "b": make(PAST, MIXED)}
    assert baskets.risks(found).columns.tolist() == [
        "account", "law", "var", "es", "error", "parts", "benefit", "benefit_error",
    ]  # fmt: skip
    legs = baskets.allocations(found, "stress low")
    assert legs["asset"].tolist() == ["BTC", *MIXED]
    assert legs["allocation"][1:].sum() == pytest.approx(found["b"].risk.loc["stress low", "es"])
    owing = baskets.wrong_ways(found)
    assert set(owing["account"]) == {"b"}
    assert len(owing) == 10


def broken(matrix, **cells):
    found = matrix.copy()
    for (row, column), value in cells.pop("at").items():
        found.iloc[row, column] = value
    return found


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({(0, 1): 0.1}, "not symmetric"),
        ({(0, 0): 0.9}, "ones on its diagonal"),
        ({(0, 1): 1.2, (1, 0): 1.2}, "outside"),
        ({(0, 1): np.nan, (1, 0): np.nan}, "missing"),
        ({(0, 1): -0.9, (1, 0): -0.9}, "negative eigenvalue"),
    ],
)
def test_what_is_no_correlation_matrix_is_refused(at, words):
    known = laws(PAST, high=0.9)
    with pytest.raises(DataError, match=rf"the high stressed correlation .*{words}"):
        dataclasses.replace(known, high=broken(known.high, at=at))
    with pytest.raises(DataError, match="not square"):
        dataclasses.replace(known, low=known.low.iloc[:2])


def test_faulty_dependence_is_named():
    known = laws(PAST)
    with pytest.raises(DataError, match="stress high matrix lacks USDC"):
        make(PAST, MIXED, dataclasses.replace(known, high=known.high.iloc[:3, :3]))
    path = known.today.correlation.copy()
    early = dataclasses.replace(known.today, correlation=path.iloc[:-1])
    with pytest.raises(DataError, match="the correlation path has no 2021-02-03"):
        make(PAST, MIXED, dataclasses.replace(known, today=early))
    path.iloc[-1, 0] = np.nan
    gap = dataclasses.replace(known, today=dataclasses.replace(known.today, correlation=path))
    with pytest.raises(EstimationError, match="no correlation of BTC and ETH"):
        make(PAST, MIXED, gap)
    with pytest.raises(EstimationError, match="no positive definite matrix"):
        make(PAST, MIXED, laws(PAST, now=1.0))


def test_faulty_histories_are_named():
    with pytest.raises(DataError, match="SOL has no history"):
        make(PAST, {"SOL": 1.0})
    ended = History(PAST.log_returns, PAST.lows, PAST.volatility.where(PAST.volatility > 1e9))
    with pytest.raises(EstimationError, match="no volatility of BTC, ETH"):
        make(ended, {"BTC": 0.5, "ETH": 0.5})
    half = PAST.log_returns.copy()
    half.loc[half.index[200] :, "BTC"] = np.nan
    half.loc[: half.index[199], "ETH"] = np.nan
    with pytest.raises(EstimationError, match="0 bars that BTC, ETH all have"):
        make(History(half, PAST.lows, PAST.volatility), {"BTC": 0.5, "ETH": 0.5})
    with pytest.raises(DataError, match="highs and the history differ"):
        make(PAST, MIXED, highs=PAST.log_returns.clip(lower=0.0).iloc[1:])
    with pytest.raises(DataError, match="highs lack one of BTC, LINK, ETH, USDC"):
        make(PAST, MIXED, highs=PAST.log_returns.clip(lower=0.0)[["BTC"]])
