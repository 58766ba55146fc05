"""One book under every regime: what each asks for, what it saves, and what is left uncovered."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin.traded import DERIVE, LISTED, PLAIN, PRICES, STANDARD, held, market
from xcoll.errors import DataError, ParameterError
from xcoll.margin.draws import Basis, draw
from xcoll.margin.instruments import Instruments, spot
from xcoll.margin.market import quote
from xcoll.margin.regimes import CROSS, ISOLATED, Regimes, side_by_side
from xcoll.margin.rules.simulated import Simulated

CALL, PUT = "BTC-31JAN23-44000-C", "BTC-31JAN23-36000-P"
BOOKS = {
    "hedged": {"BTC": 1.0, "BTC-PERP": -1.0},
    "pair": {"ETH-PERP": 20.0, "BTC-PERP": -1.0},
    "strangle": {CALL: -2.0, PUT: -2.0},
    "mixed": {"BTC": 0.5, CALL: -1.0, "ETH-31JAN23": 5.0, "BTC-PERP": 0.2},
}
CASH = {"hedged": 1_000.0, "pair": 30_000.0, "strangle": 20_000.0}


def drawn(n=400, seed=1, sigma=(0.04, 0.06)):
    """Draws of a day in which both assets and their volatility move."""
    rng = np.random.default_rng(seed)
    index, names = pd.date_range("2021-01-01", periods=n), ["BTC", "ETH"]
    common = rng.standard_t(4, (n, 1))
    score = pd.DataFrame(0.7 * common + 0.5 * rng.standard_normal((n, 2)), index, names)
    change = pd.DataFrame(-0.03 * score.to_numpy(), index, names)
    s = pd.Series(sigma, names)
    day = pd.Timedelta("1D")
    return draw(score, change, s, s, 1, day, n, rng, basis=Basis(0.02, 0.001))


DRAWS = drawn()


def test_at_the_opening_isolated_and_cross_are_the_same():
    for entry in (None, {"BTC-PERP": 40_000.0, "ETH-PERP": 2_000.0, "ETH-31JAN23": 2_000.0}):
        made, quotes = held(BOOKS, CASH, entry)
        found = side_by_side(made, quotes, DERIVE, [PLAIN]).set_index(["regime", "account"])
        pd.testing.assert_frame_equal(found.loc[ISOLATED], found.loc[CROSS])
        assert (found.loc[ISOLATED, "saving"] == 0.0).all()


def test_the_margins_are_those_of_the_rules():
    made, quotes = held(BOOKS, CASH)
    net = [DERIVE, STANDARD]
    found = side_by_side(made, quotes, STANDARD, net).set_index(["regime", "account"])
    for account, legs in BOOKS.items():
        alone = [held({"x": {name: q}}) for name, q in legs.items()]
        for column in ("maintenance", "initial"):
            apart = sum(STANDARD.requirement(*one).accounts[column].item() for one in alone)
            for regime in (ISOLATED, CROSS):
                assert found.loc[(regime, account), column] == pytest.approx(apart, rel=1e-12)
            for rule in net:
                whole = rule.requirement(*held({"x": legs})).accounts[column].item()
                assert found.loc[(rule.name, account), column] == pytest.approx(whole, rel=1e-12)
        for regime in (ISOLATED, CROSS, DERIVE.name):
            row = found.loc[(regime, account)]
            assert row["counts"] == pytest.approx(made.equity(quotes)[account])
            assert row["excess"] == pytest.approx(row["counts"] - row["maintenance"])
            isolated = found.loc[(ISOLATED, account), "maintenance"]
            assert row["saving"] == pytest.approx(1.0 - row["maintenance"] / isolated, abs=1e-12)


def test_gains_are_locked_where_positions_are_isolated_and_losses_are_not():
    legs = {"BTC-PERP": 1.0, "ETH-PERP": 2.0, "ETH-31JAN23": -3.0, "BTC": 0.1}
    entry = {"BTC-PERP": 37_000.0, "ETH-PERP": 2_100.0, "ETH-31JAN23": 2_050.0}
    made, quotes = held({"a": legs}, {"a": 9_000.0}, entry)
    found = side_by_side(made, quotes, DERIVE, [DERIVE]).set_index("regime")["counts"]
    equity = 9_000.0 + 4_000.0 + 3_000.0 - 200.0 + 150.0
    assert found[CROSS] == found[DERIVE.name] == pytest.approx(equity, rel=1e-13)
    assert found[ISOLATED] == pytest.approx(equity - 3_000.0 - 150.0, rel=1e-13)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    st.dictionaries(
        st.sampled_from(list(LISTED.frame.index)), st.floats(-5.0, 5.0), min_size=1, max_size=8
    )
)
def test_without_contingencies_the_net_margin_is_never_above_the_sum(legs):
    made, quotes = held({"a": legs})
    found = side_by_side(made, quotes, PLAIN, [PLAIN]).set_index("regime")["maintenance"]
    assert found[PLAIN.name] <= found[CROSS] * (1.0 + 1e-12) + 1e-9


def plain_losses(name, q, quotes, draws):
    """What a position in spot, a perpetual or a future loses, a draw at a time, without carry."""
    row = quotes.frame().loc[name]
    column, S = draws.assets.index(row["asset"]), quotes.market.spot[row["asset"]]
    found = []
    for n in range(len(draws)):
        after = S * (1.0 + draws.price[n, column])
        if row["kind"] == "perpetual":
            after *= 1.0 + draws.premium[n, column]
        if row["kind"] == "future":
            after *= np.exp(draws.carry[n, column] * (row["years"] - draws.elapsed))
        found.append(-q * (after - S))
    return found


def test_the_tail_is_that_of_a_plain_loop():
    legs = {"BTC": 0.2, "BTC-PERP": -0.5, "ETH-PERP": 8.0, "ETH-31JAN23": -2.0}
    made, quotes = held({"a": legs, "b": {"BTC-PERP": 1.0}})
    net = Simulated(DRAWS, 0.95, "var", name="var")
    regimes = Regimes(made, quotes, Simulated(DRAWS, 0.9, "var", name="apart"), [net])
    found = regimes.tail(DRAWS, 0.95).set_index(["account", "regime"])
    lost = np.array([plain_losses(*leg, quotes, DRAWS) for leg in legs.items()])
    n = len(DRAWS)
    margins = np.sort(lost, axis=1)[:, ::-1][:, 40]  # 10 % of 400 draws are worse
    whole, margin = lost.sum(axis=0), np.sort(lost.sum(axis=0))[::-1][20]
    for regime, left, asked in (
        (ISOLATED, np.maximum(lost - margins[:, None], 0.0).sum(axis=0), margins.sum()),
        (CROSS, np.maximum(whole - margins.sum(), 0.0), margins.sum()),
        ("var", np.maximum(whole - margin, 0.0), margin),
    ):
        row = found.loc[("a", regime)]
        chance = np.mean(left > 1e-6)
        assert row["maintenance"] == pytest.approx(asked, rel=1e-10)
        assert row["probability"] == pytest.approx(chance)
        assert row["error"] == pytest.approx(np.sqrt(chance * (1.0 - chance) / n))
        assert row["uncovered"] == pytest.approx(np.sort(left)[-20:].mean(), rel=1e-9, abs=1e-9)
    assert found.loc[("a", "var"), "probability"] == 20 / n
    assert found.loc[("a", ISOLATED), "probability"] > 0.1  # four positions can fail
    one = found.loc["b"]
    assert one.loc[ISOLATED, "uncovered"] == one.loc[CROSS, "uncovered"]  # a single position
    assert one.loc[ISOLATED, "probability"] == 0.1


@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    st.dictionaries(
        st.sampled_from(list(LISTED.frame.index)), st.floats(-5.0, 5.0), min_size=1, max_size=6
    )
)
def test_isolated_leaves_more_uncovered_than_cross_at_the_same_margins(legs):
    # Σ xᵢ⁺ ≥ (Σ xᵢ)⁺, whatever the draws
    found = Regimes(*held({"a": legs}), STANDARD, []).tail(DRAWS, 0.9).set_index("regime")
    assert found.loc[ISOLATED, "maintenance"] == found.loc[CROSS, "maintenance"]
    for column in ("uncovered", "probability"):
        assert found.loc[ISOLATED, column] >= found.loc[CROSS, column] - 1e-9


def test_what_is_fully_hedged_is_covered_by_the_net_rule_but_not_isolated():
    made, quotes = held({"a": BOOKS["hedged"]})
    calm = replace(DRAWS, premium=0.0 * DRAWS.premium)
    found = Regimes(made, quotes, Simulated(calm, 0.95, name="apart"), [PLAIN]).tail(calm)
    found = found.set_index("regime")
    assert found.loc[PLAIN.name, "maintenance"] == pytest.approx(0.0, abs=1e-9)
    assert found.loc[PLAIN.name, "probability"] == 0.0
    assert found.loc[PLAIN.name, "uncovered"] == pytest.approx(0.0, abs=1e-8)
    assert found.loc[ISOLATED, "probability"] > 0.0


def test_the_regimes_of_every_account_in_order():
    made, quotes = held(BOOKS, CASH | {"cash": 5.0})
    found = side_by_side(made, quotes, DERIVE, [PLAIN, STANDARD])
    names = [ISOLATED, CROSS, PLAIN.name, STANDARD.name]
    assert list(found["account"]) == [*BOOKS, "cash"] * 4
    assert list(found["regime"]) == [name for name in names for _ in range(5)]


def test_rules_of_one_name_are_refused():
    made, quotes = held(BOOKS)
    with pytest.raises(ParameterError, match="two regimes are named 'plain'; give each rule its"):
        side_by_side(made, quotes, DERIVE, [PLAIN, PLAIN])
    with pytest.raises(ParameterError, match="two regimes are named 'cross'"):
        side_by_side(made, quotes, DERIVE, [Simulated(DRAWS, name="cross")])


def test_cash_alone_needs_nothing_and_loses_nothing():
    regimes = Regimes(*held({}, {"a": 5.0}), DERIVE, [PLAIN])
    found = regimes.frame()
    assert (found["maintenance"] == 0.0).all()
    assert (found["excess"] == 5.0).all()
    assert found["saving"].isna().all()
    tail = regimes.tail(DRAWS)
    assert (tail[["probability", "uncovered"]] == 0.0).all(axis=None)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 99.0, np.nan, "x", None])
def test_a_bad_confidence_is_named(confidence):
    with pytest.raises(ParameterError, match="confidence is"):
        Regimes(*held(BOOKS), DERIVE, []).tail(DRAWS, confidence)


def test_one_draw_and_none_of_an_asset():
    regimes = Regimes(*held(BOOKS), DERIVE, [PLAIN])
    one = replace(
        DRAWS,
        **{name: getattr(DRAWS, name)[:1] for name in ("price", "variance", "carry", "premium")},
    )
    assert set(regimes.tail(one)["probability"]) <= {0.0, 1.0}
    lacking = replace(DRAWS, assets=("BTC", "XRP"))
    with pytest.raises(DataError, match="no draws of ETH; give its returns too"):
        regimes.tail(lacking)


def test_quotes_of_other_instruments_are_refused():
    made, _ = held({"a": {"BTC-PERP": 1.0}})
    other = quote(Instruments.of([spot("BTC")]), market(spot=PRICES))
    with pytest.raises(DataError, match="other instruments"):
        side_by_side(made, other, DERIVE, [])
