"""Margin by simulation: VaR and ES against plain sorts, the full loss by hand, and properties."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from tests.margin.plain import black
from xcoll.errors import DataError, ParameterError
from xcoll.margin.book import book
from xcoll.margin.draws import Draws
from xcoll.margin.instruments import Instruments, spot
from xcoll.margin.market import quote
from xcoll.margin.rules.simulated import MEASURES, Simulated, losses

seeds = st.integers(0, 2**32 - 1)
derandomized = settings(derandomize=True, deadline=None, max_examples=10)


def moves(*prices, assets=("BTC",), elapsed=0.0):
    """Draws that move spot prices alone, draw × asset, and nothing else."""
    price = np.array(prices, float).reshape(len(prices), len(assets))
    still = np.zeros_like(price)
    ones = np.ones(len(assets))
    return Draws(assets, price, still + 1.0, ones, still, still, elapsed)


def priced(*losses, **fields):
    """Maintenance of a unit of spot at 100 that loses these dollars in the draws."""
    listed = Instruments.of([spot("X")])
    draws = moves(*(-loss / 100.0 for loss in losses), assets=("X",))
    quotes = quote(listed, cases.market(spot=pd.Series({"X": 100.0})))
    given = cases.held({"X": 1.0}, instruments=listed)
    return Simulated(draws, **fields).requirement(given, quotes).accounts.loc["a"]


def plain_measure(lost, confidence, measure):
    """VaR: the smallest loss that at most n(1 − c) draws pass. ES: mean of the worst n(1 − c)."""
    worst, share = sorted(lost, reverse=True), len(lost) * (1.0 - confidence)
    if measure == "var":
        return min(x for x in worst if sum(y > x for y in worst) <= share + 1e-9)
    total, left = 0.0, share
    for loss in worst:
        total += loss * min(left, 1.0)
        left = max(left - 1.0, 0.0)
    return total / share


def test_by_hand():
    losses = [5.0, 1.0, 9.0, 3.0, 7.0, -2.0, 0.0, 4.0, 8.0, 6.0]
    assert priced(*losses, confidence=0.8, measure="es")["maintenance"] == pytest.approx(8.5)
    assert priced(*losses, confidence=0.8, measure="var")["maintenance"] == pytest.approx(7.0)
    # two and a half draws: (9 + 8 + 7/2)/2.5
    assert priced(*losses, confidence=0.75, measure="es")["maintenance"] == pytest.approx(8.2)
    assert priced(*losses, confidence=0.75, measure="var")["maintenance"] == pytest.approx(7.0)
    found = priced(*losses, confidence=0.9, measure="es", factor=1.5)
    assert found.to_dict() == pytest.approx(
        {"loss": 9.0, "contingency": 0.0, "maintenance": 9.0, "initial": 13.5}
    )


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    seed=seeds,
    n=st.integers(10, 60),
    confidence=st.one_of(st.floats(0.001, 0.9), st.sampled_from([1e-12, 0.5, 0.75, 0.8, 0.9])),
    measure=st.sampled_from(sorted(MEASURES)),
    ties=st.booleans(),
)
def test_weights_are_those_of_a_plain_sort(seed, n, confidence, measure, ties):
    rng = np.random.default_rng(seed)
    lost = rng.integers(-3, 4, (2, n)).astype(float) if ties else rng.normal(size=(2, n))
    rule = Simulated(moves(*np.zeros(n)), confidence, measure)
    weight = rule._weights(lost)
    np.testing.assert_allclose(weight.sum(axis=1), 1.0, rtol=1e-12)
    assert (weight >= 0.0).all()
    for row in range(2):
        expected = plain_measure(lost[row], confidence, measure)
        assert weight[row] @ lost[row] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("n", [10, 20, 100, 1_000])
def test_a_whole_number_of_draws_in_the_tail_is_not_lost_to_rounding(n):
    """0.1 of 10 is 0.99999999999999978: one draw, whose loss is the ES, and the next is the VaR."""
    lost = np.arange(n, dtype=float)[None]
    tail = n // 10
    es, var = (Simulated(moves(*np.zeros(n)), 0.9, name)._weights(lost) for name in ("es", "var"))
    assert (es > 0.0).sum() == tail
    assert (es * lost).sum() == pytest.approx(lost[0, -tail:].mean(), rel=1e-12)
    assert (var * lost).sum() == n - 1 - tail


def test_too_few_draws_are_refused_with_the_number_that_would_do():
    with pytest.raises(ParameterError, match=r"9 draws are too few for 0\.9; give at least 10"):
        priced(*range(9), confidence=0.9)
    assert priced(*range(10), confidence=0.9)["maintenance"] == pytest.approx(9.0)
    with pytest.raises(ParameterError, match=r"99 draws are too few for 0\.99; give at least 100"):
        priced(*range(99))


@derandomized
@given(seed=seeds)
def test_losses_are_revaluations_of_the_whole_book(seed):
    rng = np.random.default_rng(seed)
    market = cases.drawn_market(rng)
    quotes = quote(cases.listed(), market)
    given = cases.drawn_book(rng, accounts=2)
    h = 2 / 365
    draws = replace(
        moves(*rng.uniform(-0.3, 0.3, (3, 2)), assets=("BTC", "ETH"), elapsed=h),
        variance=np.exp(rng.normal(0.0, 0.4, (3, 2))),
        carry=rng.normal(0.0, 0.05, (3, 2)),
        premium=rng.normal(0.0, 0.002, (3, 2)),
    )
    found = losses(given, quotes, draws)
    frame = quotes.frame()
    for s in range(3):
        later = {}
        for name, row in frame.iterrows():
            a = draws.assets.index(row["asset"])
            S = market.spot[row["asset"]] * (1 + draws.price[s, a])
            forward, left = S, row["years"] - h
            if row["kind"] == "perpetual":
                forward *= 1 + market.premium[row["asset"]] + draws.premium[s, a]
            elif row["kind"] != "spot":
                carried = math.log(row["forward"] / market.spot[row["asset"]]) / row["years"]
                forward *= math.exp((carried + draws.carry[s, a]) * left)
            later[name] = forward
            if row["kind"] == "option":
                before = draws.implied.at_the_money(draws.level[a], 1.0, row["years"])
                after = draws.implied.at_the_money(draws.level[a] * draws.variance[s, a], 1.0, left)
                sigma = row["sigma"] * after / before
                one = forward, row["strike"], sigma, left, row["right"]
                later[name] = black(*one)
        expected = np.zeros(2)
        for position, account in zip(given.frame().itertuples(), given.account, strict=True):
            row = frame.loc[position.instrument]
            gained = later[position.instrument] - row["mark"]
            if row["kind"] == "perpetual":
                gained -= row["mark"] * market.funding[row["asset"]] * h
            expected[account] -= position.quantity * gained
        np.testing.assert_allclose(found[:, s], expected, rtol=1e-9, atol=1e-6)


def test_funding_is_part_of_the_loss():
    funding = pd.Series({"BTC": 0.5})
    quotes = cases.quoted(funding=funding, premium=pd.Series(dtype=float))
    rule = Simulated(moves(*np.zeros((100, 2)), assets=("BTC", "ETH"), elapsed=0.01))
    long = rule.requirement(cases.held({"BTC-PERP": 2.0}), quotes)
    assert long.accounts.loc["a", "maintenance"] == pytest.approx(2 * 40_000 * 0.5 * 0.01)
    assert long.positions[0] == pytest.approx(400.0)
    short = rule.requirement(cases.held({"BTC-PERP": -2.0}), quotes)
    assert short.accounts.loc["a", "maintenance"] == 0.0  # received, never a negative margin
    assert short.positions[0] == 0.0


def test_assets_offset_each_other_in_the_same_draw():
    draws = moves(*[(-0.1, -0.1), (0.1, 0.1)] * 50, assets=("BTC", "ETH"))
    quotes = cases.quoted()
    hedged = cases.held({"BTC": 1.0, "ETH": -20.0})
    assert Simulated(draws).totals(hedged, quotes)[0] == pytest.approx(0.0, abs=1e-9)
    both = cases.held({"BTC": 1.0, "ETH": 20.0})
    assert Simulated(draws).totals(both, quotes)[0] == pytest.approx(8_000.0)


@derandomized
@given(seed=seeds, confidence=st.floats(0.5, 0.98))
def test_expected_shortfall_of_a_book_is_no_more_than_of_its_parts(seed, confidence):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    given = cases.drawn_book(rng, accounts=3, legs=12)
    rule = Simulated(cases.drawn_draws(rng), confidence)
    apart = np.bincount(given.account, rule.totals(given.apart(), quotes), 3)
    assert (rule.totals(given, quotes) <= apart * (1 + 1e-12)).all()


def test_value_at_risk_of_a_book_can_be_more_than_of_its_parts():
    """Each loses 10 % in one draw of a hundred, not the same one: alone VaR 99 % sees neither."""
    price = np.zeros((100, 2))
    price[0, 0] = price[1, 1] = -0.1
    draws = moves(*price, assets=("BTC", "ETH"))
    given, quotes = cases.held({"BTC": 1.0, "ETH": 20.0}), cases.quoted()
    var = Simulated(draws, 0.99, "var")
    np.testing.assert_array_equal(var.totals(given.apart(), quotes), [0.0, 0.0])
    assert var.totals(given, quotes)[0] == pytest.approx(4_000.0)
    es = Simulated(draws, 0.99, "es")
    assert es.totals(given, quotes)[0] <= es.totals(given.apart(), quotes).sum()


@derandomized
@given(seed=seeds)
def test_es_is_no_less_than_var_and_both_rise_with_the_level(seed):
    rng = np.random.default_rng(seed)
    quotes, given = cases.quoted(), cases.drawn_book(rng, accounts=2)
    draws = cases.drawn_draws(rng)
    found = {
        (name, level): Simulated(draws, level, name).totals(given, quotes)
        for name in MEASURES
        for level in (0.9, 0.97)
    }
    for level in (0.9, 0.97):
        assert (found["es", level] >= found["var", level] * (1 - 1e-12)).all()
    for name in MEASURES:
        assert (found[name, 0.97] >= found[name, 0.9] * (1 - 1e-12)).all()


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_a_box_has_no_market_risk(measure):
    name = "BTC-28JUN24"
    box = {f"{name}-32000-C": 1.0, f"{name}-32000-P": -1.0}
    box |= {f"{name}-50000-C": -1.0, f"{name}-50000-P": 1.0}
    rule = Simulated(cases.drawn_draws(np.random.default_rng(1)), measure=measure)
    assert rule.totals(cases.held(box), cases.quoted())[0] == pytest.approx(0.0, abs=1e-6)


def test_the_worst_draw_is_named_by_its_bar_or_else_by_its_number():
    draws = moves(0.0, -0.2, *np.zeros(98))
    listed = Instruments.of([spot("BTC")])
    quotes, given = quote(listed, cases.market()), cases.held({"BTC": 1.0}, instruments=listed)
    assert Simulated(draws).requirement(given, quotes).binding["scenario"].tolist() == ["draw 1"]
    dated = replace(draws, times=pd.date_range("2020-03-11", periods=100))
    found = Simulated(dated).requirement(given, quotes).binding
    assert found["scenario"].tolist() == ["12 March 2020"]
    assert found["unit"].tolist() == ["all"]


def test_an_account_of_cash_needs_nothing():
    given = book(cases.listed(), cases.rows(("a", "BTC", 1.0)), pd.Series({"idle": 5.0}))
    rule = cases.rules()["es"]
    found = rule.requirement(given, cases.quoted()).accounts
    assert found.loc["idle", "maintenance"] == found.loc["idle", "initial"] == 0.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"confidence": 1.0}, "confidence is 1; give a fraction in"),
        ({"confidence": 99.0}, "did you mean 0.99"),
        ({"confidence": math.nan}, "confidence is nan"),
        ({"confidence": "high"}, "confidence is 'high'"),
        ({"measure": "cvar"}, "measure is 'cvar'; choose one of 'es', 'var'"),
        ({"factor": 0.9}, "factor is 0.9; give at least 1"),
        ({"factor": math.inf}, "factor is inf"),
    ],
)
def test_bad_parameters_are_named(fields, message):
    with pytest.raises(ParameterError, match=message):
        Simulated(moves(*np.zeros(100)), **fields)


def test_an_asset_without_draws_is_named():
    given, quotes = cases.held({"BTC": 1.0}), cases.quoted()
    with pytest.raises(DataError, match="no draws of ETH; give its returns too"):
        Simulated(moves(*np.zeros(100))).totals(given, quotes)
