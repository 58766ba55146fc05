"""The close-out table: measured over whole bars, scaled under a bar, jumps for stablecoins."""

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import ParameterError
from xcoll.estimators import tail
from xcoll.estimators.tail import close_out, depeg, excursion

SHARES = {"1h": 0.23, "4h": 0.45, "24h": 1.0}
MULTIPLES = {"1h": 2.7, "4h": 2.05, "24h": 1.2}


def market(freq="D", bars=1200):
    rng = np.random.default_rng(0)
    index = pd.date_range("2021-01-01", periods=bars, freq=freq)
    returns = pd.DataFrame(rng.standard_t(4, (bars, 2)) * 0.03, index, ["A", "B"])
    low = returns.clip(upper=0) - 0.01
    source = pd.DataFrame("donor", index, ["A", "B"])
    source.iloc[600:] = "matched"
    return returns, excursion.Excursions(low, source)


def by_horizon(returns, found, bar="1D", confidence=0.99):
    return close_out.by_horizon(
        returns,
        found,
        confidence,
        SHARES,
        MULTIPLES,
        pd.Timedelta(bar),
        np.random.default_rng(1),
        100,
    )


def test_daily_bars():
    returns, found = market()
    table = by_horizon(returns, found, confidence=[0.99, 0.975]).set_index(
        ["asset", "horizon", "confidence"]
    )
    assert len(table) == 2 * 3 * 2
    for asset in "AB":
        losses = tail.close_out_losses(returns, excursion.corrected(found))[asset].dropna()
        raw = tail.close_out_losses(returns, found.low)[asset].dropna()
        day = table.loc[(asset, "24h", 0.99)]
        assert day["es"] == pytest.approx(tail.historical(losses, 0.99).es)
        assert day["es_raw"] == pytest.approx(tail.historical(raw, 0.99).es)
        assert day["es"] > day["es_raw"]
        assert day["es_low"] < day["es"] < day["es_high"]
        beyond = losses[losses >= day["var"]].index + pd.Timedelta("1D")
        assert day["matched_share"] == (found.source[asset][beyond] == "matched").mean()
        for horizon in ("1h", "4h"):
            row = table.loc[(asset, horizon, 0.99)]
            for name in ("var", "es", "es_low", "es_high", "es_raw"):
                assert row[name] == pytest.approx(SHARES[horizon] * day[name])
            assert row["es_trigger"] == pytest.approx(MULTIPLES[horizon] * row["es"])
            assert row["scaled"]
        assert not day["scaled"]


def test_hourly_bars_need_no_scaling():
    returns, found = market("h")
    table = by_horizon(returns, found, "1h").set_index(["asset", "horizon"])
    assert not table["scaled"].any()
    for horizon, bars in (("1h", 1), ("4h", 4), ("24h", 24)):
        losses = tail.close_out_losses(returns, excursion.corrected(found), bars)["A"].dropna()
        assert table.loc[("A", horizon), "es"] == pytest.approx(tail.historical(losses, 0.99).es)


def test_short_history_falls_back_and_says_so():
    returns, found = market(bars=500)
    table = by_horizon(returns, found)
    assert (table["confidence"] == 0.99).all()
    assert (table["confidence_used"] == 0.975).all()
    assert (table["beyond"] >= 10).all()


def test_bars_that_do_not_divide_a_horizon_are_refused():
    returns, found = market("3h")
    with pytest.raises(ParameterError):
        by_horizon(returns, found, "3h")


def test_by_choice():
    returns, found = market()
    close = excursion.excursions(returns, returns * 0.0 + 0.03, method="close")
    rng = np.random.default_rng(0)
    table = close_out.by_choice(returns, {"close": close, "donor": found}, 0.99, rng, 50)
    es = table.pivot_table(index="asset", columns="choice", values="es")
    assert (es["close"] < es["donor"]).all()
    assert (es["donor"] < es["donor, corrected"]).all()
    losses = -np.expm1(returns["A"].clip(upper=0.0)).iloc[1:]
    assert es.loc["A", "close"] == pytest.approx(tail.historical(losses, 0.99).es)


def test_stablecoins():
    model = depeg.fit([0.05, 0.13], 10.0)
    losses = pd.DataFrame({"S": np.random.default_rng(0).exponential(0.001, 1500)})
    losses.iloc[::50] = np.nan
    table = close_out.of_stablecoins(model, losses, [0.99], SHARES).set_index("horizon")
    for horizon, share in SHARES.items():
        row = table.loc[horizon]
        ordinary = share * losses["S"].dropna()
        assert (row["var"], row["es"]) == depeg.var_es(model, horizon, 0.99, ordinary)
        assert row["es_low"] < row["es"] < row["es_high"]
        assert row["es_trigger"] == row["es_raw"] == row["es"]
    assert table["scaled"].tolist() == [True, True, False]
    assert list(table.reset_index()[close_out.COLUMNS].columns) == close_out.COLUMNS


def test_several_draws_are_averaged_and_say_what_they_leave_open():
    returns, _ = market()
    volatility, lows = returns * 0.0 + 0.03, returns.clip(upper=0.0) - 0.01
    donor = excursion.Donor.of("A", returns, volatility, lows * (1 + (returns > 0)))
    rng = np.random.default_rng(5)
    draws = excursion.several(returns, volatility, lows.iloc[:0].reindex(lows.index), donor,
                              "bridge", rng, draws=4)  # fmt: skip
    together = by_horizon(returns, draws)
    alone = [by_horizon(returns, draw)["es"] for draw in draws]
    assert together["es"].to_numpy() == pytest.approx(np.mean(alone, axis=0))
    error = np.std(alone, axis=0, ddof=1) / 2.0
    assert together["error"].to_numpy() == pytest.approx(error)
    assert (together["error"] > 0.0).all()
    assert by_horizon(returns, draws[0])["error"].isna().all()
