"""The backtest: no look-ahead, losses by a plain computation, coverage at the promised rate."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.margin.traded import DERIVE, PLAIN, held
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.margin import backtest
from xcoll.margin.backtest import History, Setting, fixed, run
from xcoll.margin.draws import Basis
from xcoll.margin.market import Market, quote
from xcoll.margin.modelled import Implied
from xcoll.margin.options import black
from xcoll.margin.outcomes import judge
from xcoll.margin.rules.simulated import Simulated
from xcoll.margin.samples import parse, struck

LEGS = {
    "long": [{"kind": "perpetual", "asset": "BTC", "dollars": 1e6}],
    "pair": [
        {"kind": "perpetual", "asset": "ETH", "dollars": 1e6},
        {"kind": "future", "asset": "BTC", "dollars": -1e6, "days": 90},
    ],
    "strangle": [
        {"kind": "option", "asset": "BTC", "dollars": -1e6, "days": 30, "strike": x, "right": r}
        for x, r in ((1.15, "call"), (0.85, "put"))
    ],
    "all": [
        {"kind": "spot", "asset": "ETH", "dollars": 3e5},
        {"kind": "perpetual", "asset": "BTC", "dollars": -4e5},
        {"kind": "option", "asset": "ETH", "dollars": 5e5, "days": 3, "strike": 0.9,
         "right": "put"},
        {"kind": "option", "asset": "BTC", "dollars": -5e5, "days": 60, "strike": 1.2,
         "right": "call"},
        {"kind": "future", "asset": "ETH", "dollars": -2e5, "days": 20},
    ],
}  # fmt: skip
BOOKS = parse({"books": {name: {"why": "a test", "legs": legs} for name, legs in LEGS.items()}})
STEADY = Setting(least=100, basis=Basis(0.0, 0.0))


def world(bars=240, seed=3, bar="1D"):
    """Returns whose volatility is known a bar ahead, and that volatility."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2020-01-01", periods=bars, freq=bar)
    log = np.zeros((bars, 2))
    for t in range(1, bars):
        log[t] = 0.95 * log[t - 1] + 0.15 * rng.standard_normal(2)
    sigma = np.array([0.03, 0.04]) * np.exp(log)
    z = rng.standard_t(5, (bars, 2)) * math.sqrt(3.0 / 5.0)
    z[:, 1] = 0.7 * z[:, 0] + math.sqrt(1.0 - 0.49) * z[:, 1]
    returns = np.vstack([np.full((1, 2), np.nan), sigma[:-1] * z[1:]])
    names = ["BTC", "ETH"]
    return pd.DataFrame(returns, index, names), pd.DataFrame(sigma, index, names)


RETURNS, SIGMA = world()
HISTORY = History.of(RETURNS, SIGMA)
RULES = backtest.simulated(0.95) | {"grid": fixed(DERIVE)}


def asked(history=HISTORY, books=("long", "strangle"), rules=RULES, **given):
    kept = {name: BOOKS[name] for name in books}
    usual = {"setting": STEADY, "rng": np.random.default_rng(1)}
    return run(kept, history, rules, **(usual | given))


@pytest.mark.parametrize("bars", [1, 3])
def test_a_jump_moves_no_margin_before_it_and_the_loss_that_it_falls_in(bars):
    t = 210
    returns, sigma = RETURNS.copy(), SIGMA.copy()
    returns.iloc[t + 1] += [-0.4, 0.3]
    returns.iloc[t + 2 :] *= -1.7  # nothing after it is as it was
    sigma.iloc[t + 1 :] *= 2.5
    setting = Setting(bars=bars, least=130)
    before, after = (
        asked(history, setting=setting).set_index(["time", "book", "rule"])
        for history in (HISTORY, History.of(returns, sigma))
    )
    assert before.index.equals(after.index)
    times = before.index.get_level_values("time")
    known, now = times <= RETURNS.index[t], times == RETURNS.index[t]
    assert known.sum() == (t - 188) * 8
    assert (before.loc[known, "margin"] == after.loc[known, "margin"]).all()  # to the last bit
    assert (before.loc[now, "loss"] != after.loc[now, "loss"]).all()
    settled = times <= RETURNS.index[t - bars]  # losses that ended by then
    assert (before.loc[settled, "loss"] == after.loc[settled, "loss"]).all()
    touched = known & ~settled
    assert (before.loc[touched, "loss"] != after.loc[touched, "loss"]).all()
    moved = ~known & (before.index.get_level_values("rule") != "grid")
    assert (before.loc[moved, "margin"] != after.loc[moved, "margin"]).all()


def plain_loss(name, t, setting, S0):
    """The loss of one book from bar t on, priced leg by leg at prices in dollars."""
    lost, h = 0.0, setting.bars
    for leg in LEGS[name]:
        asset = leg["asset"]
        S = S0[asset]
        move = RETURNS[asset].iloc[t + 1 : t + h + 1].sum()
        after, units = S * math.exp(move), leg["dollars"] / S
        if leg["kind"] in ("spot", "perpetual"):
            gain = after - S
            if leg["kind"] == "perpetual":
                lost += units * S * setting.funding * h / 365.0
        else:
            T, left = leg["days"] / 365.0, max(leg["days"] - h, 0) / 365.0
            F, then = S * math.exp(setting.carry * T), after * math.exp(setting.carry * left)
            gain = then - F
            if leg["kind"] == "option":
                v, later = (365.0 * SIGMA[asset].iloc[place] ** 2 for place in (t, t + h))
                w = 365.0 * (RETURNS[asset].iloc[: t + 1] ** 2).mean()
                K, call = leg["strike"] * S, leg["right"] == "call"
                model = setting.implied
                sigma = float(model.sigma(v, w, T, math.log(K / F)))
                vol = sigma * model.at_the_money(later, w, left) / model.at_the_money(v, w, T)
                gain = black.price(then, K, vol, left, call) - black.price(F, K, sigma, T, call)
        lost -= units * gain
    return lost


@pytest.mark.parametrize(
    "setting",
    [
        Setting(least=100),
        Setting(bars=4, least=100, carry=0.08, funding=-0.2,
                implied=Implied(premium=1.2, half_life="10D", rho=-0.3)),
    ],
    ids=["one day", "four days"],
)  # fmt: skip
def test_losses_are_those_of_a_plain_repricing(setting):
    found = asked(books=LEGS, rules={"grid": fixed(DERIVE)}, setting=setting, every="31D")
    prices = {"BTC": 31_234.5, "ETH": 1_777.0}
    assert len(found) == 3 * len(LEGS)
    for row in found.itertuples():
        t = RETURNS.index.get_loc(row.time)
        assert row.loss == pytest.approx(plain_loss(row.book, t, setting, prices), rel=1e-8)


def test_the_margin_of_a_fixed_rule_is_that_rule_asked_in_the_market_of_the_day():
    found = asked(books=LEGS, rules={"grid": fixed(DERIVE)}, every="31D")
    prices = pd.Series({"BTC": 31_234.5, "ETH": 1_777.0})
    for time, part in found.groupby("time"):
        t = RETURNS.index.get_loc(time)
        made = struck(BOOKS, time, prices)
        listed = made.instruments
        flat = quote(listed, Market(time, prices), np.full(len(listed), 0.5))
        v, w = (
            365.0 * (frame.iloc[t] ** 2).reindex(listed.assets).to_numpy()[listed.asset]
            for frame in (SIGMA, HISTORY.long_run)
        )
        k, T = np.log(listed.strike / flat.forward[listed.group]), flat.years[listed.group]
        which, sigma = listed.is_option, np.full(len(listed), np.nan)
        sigma[which] = Implied().sigma(v[which], w[which], T[which], k[which])
        quotes = quote(listed, Market(time, prices), sigma)
        expected = DERIVE.totals(made, quotes)
        np.testing.assert_allclose(part["margin"], expected, rtol=1e-9)
        assert list(part["book"]) == list(made.accounts)


def test_simulated_rules_draw_from_the_bars_up_to_the_date():
    seen = []

    def rule(at):
        seen.append((at.time, at.pool.times, at.sigma, at.long_run, at.forecast))
        return PLAIN

    asked(rules={"plain": rule}, every="40D", books=["pair"])
    assert len(seen) == 2
    for time, times, sigma, long_run, draws in seen:
        t = RETURNS.index.get_loc(time)
        first = np.flatnonzero(HISTORY.long_run.notna().all(axis=1))[0]
        assert times.equals(RETURNS.index[first : t + 1])
        np.testing.assert_array_equal(sigma, SIGMA.iloc[t])
        np.testing.assert_array_equal(long_run, HISTORY.long_run.iloc[t])
        z = (RETURNS / SIGMA.shift(1)).iloc[first : t + 1].to_numpy()
        np.testing.assert_allclose(draws.price, np.expm1(z * SIGMA.iloc[t].to_numpy()), rtol=1e-12)


def test_an_expected_shortfall_is_never_below_the_var_of_the_same_date():
    setting = Setting(least=100, basis=Basis(0.2, 0.05))  # drawn once a date, so it is the same
    found = asked(books=["long", "pair"], setting=setting, every="10D")
    wide = found.pivot(index=["time", "book"], columns="rule", values="margin")
    assert (wide["simulated"] > wide["simulated VaR"]).all()


def test_the_history_in_its_own_words():
    t = 100
    z = HISTORY.score.iloc[t] * SIGMA.iloc[t - 1]
    np.testing.assert_allclose(z, RETURNS.iloc[t], rtol=1e-14)
    change = np.log(SIGMA.iloc[t] / SIGMA.iloc[t - 1])
    np.testing.assert_allclose(HISTORY.change.iloc[t], change, rtol=1e-10)
    root = [math.sqrt(np.mean(RETURNS[asset].iloc[1 : t + 1] ** 2)) for asset in RETURNS]
    np.testing.assert_allclose(HISTORY.long_run.iloc[t], root, rtol=1e-12)
    assert HISTORY.long_run.iloc[:60].isna().all(axis=None)
    assert HISTORY.long_run.iloc[60:].notna().all(axis=None)
    assert HISTORY.bar == pd.Timedelta("1D")


def test_a_var_is_passed_as_often_as_promised_and_a_halved_one_is_not():
    history = History.of(*world(400, seed=11))
    sides = {("BTC", "long"): 1e5, ("BTC", "short"): -1e5, ("ETH", "long"): 1e5}
    legs = {
        f"{side} {asset}": [{"kind": "perpetual", "asset": asset, "dollars": dollars}]
        for (asset, side), dollars in sides.items()
    }
    books = parse({"books": {name: {"why": "a test", "legs": one} for name, one in legs.items()}})
    rules = {
        "var": lambda at: Simulated(at.forecast, 0.95, "var"),
        "half": lambda at: Simulated(at.draws(0.5 * at.sigma), 0.95, "var"),
    }
    found = judge(run(books, history, rules, np.random.default_rng(2), STEADY), 0.05)
    found = found.set_index(["rule", "book"])
    n = found["dates"].iloc[0]
    assert n == 400 - 1 - 159
    low, high = stats.binom.ppf([0.005, 0.995], n, 0.05)
    for book in books:
        assert low <= found.loc[("var", book), "hits"] <= high
        assert found.loc[("half", book), "hits"] > high
        assert found.loc[("half", book), "kupiec_p"] < 1e-4


def test_which_dates_are_asked():
    found = asked(rules={"grid": fixed(DERIVE)}, books=["long"])
    times = pd.DatetimeIndex(found["time"])
    assert times.equals(RETURNS.index[159:239])  # the hundredth bar known, a day after the last
    weekly = asked(rules={"grid": fixed(DERIVE)}, books=["long"], every="7D")
    assert pd.DatetimeIndex(weekly["time"]).equals(times[::7])
    longer = asked(rules={"grid": fixed(DERIVE)}, books=["long"], setting=Setting(5, 100))
    assert pd.DatetimeIndex(longer["time"]).equals(RETURNS.index[159:235])
    pd.testing.assert_frame_equal(
        weekly, found[found["time"].isin(weekly["time"])].reset_index(drop=True)
    )


def test_a_close_out_with_a_missing_bar_is_left_out():
    returns, sigma = RETURNS.copy(), SIGMA.copy()
    returns.iloc[200, 0] = np.nan
    sigma.iloc[220:, 1] = np.nan  # an asset that ends
    history = History.of(returns, sigma)
    setting = Setting(bars=3, least=100)
    found = asked(history, ["long"], {"grid": fixed(DERIVE)}, setting=setting)
    places = RETURNS.index.get_indexer(found["time"].unique())
    # the return of bar 200 is lost; BTC goes on where ETH has ended
    assert list(places) == [*range(159, 197), *range(201, 237)]
    found = asked(history, ["pair"], {"grid": fixed(DERIVE)}, setting=setting)
    places = RETURNS.index.get_indexer(found["time"].unique())
    assert list(places) == [*range(159, 197), *range(201, 217)]
    assert np.isfinite(found[["margin", "loss"]]).all(axis=None)


def test_shorter_bars_pass_less_time():
    returns, sigma = world(bar="4h")
    history = History.of(returns, sigma)
    assert history.bar == pd.Timedelta("4h")
    setting = Setting(least=100, funding=1.0)
    found = asked(history, ["long"], {"grid": fixed(DERIVE)}, setting=setting, every="8h")
    free = asked(history, ["long"], {"grid": fixed(DERIVE)}, every="8h")
    np.testing.assert_allclose(found["loss"] - free["loss"], 1e6 / 6.0 / 365.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bars": 0}, "bars is 0; give a whole number of at least 1"),
        ({"bars": 1.5}, "bars is 1.5"),
        ({"least": 0}, "least is 0"),
        ({"carry": np.nan}, "carry is nan; give a finite number"),
        ({"funding": "x"}, "funding is 'x'; give a finite number"),
    ],
)
def test_settings_that_are_none_are_named(given, said):
    with pytest.raises(ParameterError, match=said):
        Setting(**given)


def spoilt(frame, value):
    made = frame.copy()
    made.iloc[5, 1] = value
    return made


@pytest.mark.parametrize(
    ("returns", "sigma", "said"),
    [
        (RETURNS, SIGMA[1:], "differ in times or assets; align them"),
        (RETURNS, SIGMA[["BTC"]], "differ in times or assets; align them"),
        (RETURNS[::-1], SIGMA[::-1], "do not ascend; give each bar once, in order"),
        (pd.concat([RETURNS] * 2), pd.concat([SIGMA] * 2), "do not ascend; give each bar once"),
        (spoilt(RETURNS, np.inf), SIGMA, "ETH has an infinite return in a bar; mend it"),
        (RETURNS, spoilt(SIGMA, 0.0), "ETH has no volatility in a bar; mend it"),
        (RETURNS, spoilt(SIGMA, -1.0), "ETH has no volatility in a bar"),
        (RETURNS, spoilt(SIGMA, np.inf), "ETH has no volatility in a bar"),
    ],
)
def test_histories_at_fault_are_named(returns, sigma, said):
    with pytest.raises(DataError, match=said):
        History.of(returns, sigma)


@pytest.mark.parametrize("minimum", [0, 1.5, "x"])
def test_a_minimum_that_is_none_is_named(minimum):
    with pytest.raises(ParameterError, match="minimum is"):
        History.of(RETURNS, SIGMA, minimum)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_history_without_a_bar_is_named(rows):
    with pytest.raises(DataError, match="have no spacing; give at least two bars"):
        asked(History.of(RETURNS[:rows], SIGMA[:rows]))


@pytest.mark.parametrize(
    ("bars", "setting"),
    [(120, STEADY), (240, Setting()), (240, Setting(240, 1)), (240, Setting(500, 1))],
)
def test_a_history_that_is_too_short_is_named(bars, setting):
    history = History.of(RETURNS[:bars], SIGMA[:bars])
    with pytest.raises(EstimationError, match=r"no date has .* bars of all of BTC before it"):
        asked(history, setting=setting)


def test_what_is_not_there_is_named():
    with pytest.raises(DataError, match="no history of ETH; leave its books out"):
        asked(History.of(RETURNS[["BTC"]], SIGMA[["BTC"]]), ["pair"])
    with pytest.raises(ParameterError, match="there is no rule; give at least one"):
        asked(rules={})
    with pytest.raises(ParameterError, match=r"rule 'grid' is no function .* give fixed\(rule\)"):
        asked(rules={"grid": DERIVE})
    with pytest.raises(DataError, match="there is no instrument"):
        asked(books=[])


@pytest.mark.parametrize("every", ["0D", "36h", 1, "x"])
def test_a_step_that_is_none_is_named(every):
    with pytest.raises(ParameterError, match=r"give a duration|no multiple of a bar"):
        asked(every=every)


def test_a_fixed_rule_stands_still():
    assert fixed(PLAIN)(None) is PLAIN
    made, quotes = held({"a": {"BTC-PERP": 1.0}})
    assert fixed(PLAIN)(1).totals(made, quotes)[0] == pytest.approx(6_000.0)
