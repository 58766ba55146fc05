"""Closing by every policy: what is conserved, which is cheapest, and when all has to go."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin.traded import DERIVE, LISTED, NOW, RULES, STANDARD, held, market
from xcoll.collateral.liquidity.impact import SquareRoot
from xcoll.errors import DataError, ParameterError
from xcoll.margin.book import book
from xcoll.margin.closing import LOTS, POLICIES, Costs, close, compare
from xcoll.margin.market import quote
from xcoll.margin.standing import stand

CALL, PUT, FUTURE = "BTC-31JAN23-44000-C", "BTC-31JAN23-36000-P", "BTC-31JAN23"
ENTRY = {"BTC-PERP": 41_000.0, "ETH-PERP": 1_900.0}
DEPTH = Costs(impact={"BTC": SquareRoot(0.03, 2e7), "ETH": SquareRoot(0.05, 5e6)})
SHORT = {  # of initial margin under every rule
    "long": ({"BTC-PERP": 2.0}, 3_400.0),
    "mixed": ({"BTC": 1.0, "BTC-PERP": 0.8, "ETH-PERP": -9.0, CALL: -1.5}, -27_000.0),
    "strangle": ({CALL: -4.0, PUT: -4.0, "BTC-PERP": 0.2}, 31_000.0),
    "loan": ({"BTC": 1.0, "ETH": 10.0}, -53_000.0),
}
NOTHING = Costs({}, 0.0)


def short_of(account):
    legs, cash = SHORT[account]
    return held({account: legs}, {account: cash}, ENTRY)


def plain_costs(costs, name, units):
    """Dollars that closing `units` of one instrument costs, by the words of the module."""
    row = NOW.frame().loc[name]
    S = NOW.market.spot[row["asset"]]
    dollars = abs(units) * abs(row["delta"]) * S
    impact = costs.impact[row["asset"]].impact(dollars) * dollars if row["asset"] in costs.impact \
        else 0.0  # fmt: skip
    if row["kind"] == "option":
        return abs(units) * min(costs.points * row["vega"], row["mark"]) + impact
    return abs(units) * row["mark"] * costs.half_spread.get(row["kind"], 0.0) + impact


@pytest.mark.parametrize("costs", [Costs(), DEPTH, NOTHING, Costs({"spot": 0.01}, 5.0)])
def test_costs_by_hand(costs):
    units = np.linspace(-3.0, 4.0, len(LISTED))
    made, quotes = held({"a": dict(zip(LISTED.frame.index, units, strict=True))})
    expected = [plain_costs(costs, *one) for one in zip(LISTED.frame.index, units, strict=True)]
    np.testing.assert_allclose(costs.of(made, quotes, units), expected, rtol=1e-13, atol=1e-12)


def test_an_option_costs_its_mark_at_most():
    made, quotes = held({"a": {CALL: -2.0}})
    mark = quotes.frame().loc[CALL, "mark"]
    assert Costs(points=9.0).of(made, quotes, np.array([2.0]))[0] == pytest.approx(2.0 * mark)
    assert Costs(points=0.001).of(made, quotes, np.array([2.0]))[0] < 0.1 * mark


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.sampled_from(list(LISTED.frame.index)), st.floats(0.0, 50.0), st.floats(1.0, 3.0))
def test_costs_are_never_negative_and_rise_with_the_size(name, units, more):
    made, quotes = held({"a": {name: 1.0}})
    quantity = np.array([[units], [more * units], [-units]])
    small, large, other = DEPTH.of(made, quotes, quantity)[:, 0]
    assert 0.0 <= small <= large
    assert other == small  # buying back costs what selling does
    assert large >= more * small * (1.0 - 1e-12)  # each unit of a larger lot costs no less


@pytest.mark.parametrize(
    ("account", "rule"),
    [
        ("long", "deribit-portfolio"),
        ("mixed", "derive-portfolio"),
        ("strangle", "deribit-standard"),
        ("loan", "deribit-standard"),
    ],
)
@pytest.mark.parametrize("policy", POLICIES)
def test_equity_is_conserved_but_for_costs_and_the_target_is_reached(account, policy, rule):
    (made, quotes), rule = short_of(account), RULES[rule]
    before = stand(made, quotes, rule).frame.loc[account]
    found = close(made, quotes, rule, account, policy, DEPTH)
    after = stand(found.book, quotes, rule).frame.loc[account]
    assert found.policy == policy
    assert found.cost == pytest.approx(found.steps["cost"].sum(), rel=1e-14, abs=1e-12)
    assert found.equity == pytest.approx(before["equity"] - found.cost, rel=1e-13)
    assert found.equity == pytest.approx(after["equity"], rel=1e-14)
    assert found.health == after["health"]
    assert before["excess_initial"] < 0.0
    assert found.cost > 0.0
    if found.whole:
        assert not found.book.quantity.any()
    else:
        assert after["excess_initial"] >= -1e-9
    # each leg is closed in part, never turned or enlarged
    kept = np.divide(found.book.quantity, made.quantity)
    assert ((kept >= 0.0) & (kept <= 1.0)).all()


@pytest.mark.parametrize("level", ["initial", "maintenance"])
def test_the_level_is_the_one_asked_for(level):
    column = {"initial": "excess_initial", "maintenance": "excess"}[level]
    made, quotes = held({"a": {"BTC-PERP": 2.0}}, {"a": 12_000.0})
    found = close(made, quotes, DERIVE, "a", "together", level=level)
    assert stand(found.book, quotes, DERIVE).frame.loc["a", column] == pytest.approx(0.0, abs=1e-6)
    margin = 2.0 * 40_000.0 * 0.17 * {"initial": 1.3, "maintenance": 1.0}[level]
    share = (margin - 12_000.0) / (margin - 2.0 * 40_000.0 * 0.0003)
    assert found.steps["share"].item() == pytest.approx(share, rel=1e-9)
    assert found.cost == pytest.approx(share * 24.0, rel=1e-9)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_account_in_no_need_is_left_alone(policy):
    made, quotes = held({"a": {"BTC": 1.0, "BTC-PERP": -0.5, CALL: -0.2}}, {"a": -100.0})
    found = close(made, quotes, DERIVE, "a", policy)
    assert found.steps.empty
    assert found.cost == 0.0
    assert not found.whole
    np.testing.assert_array_equal(found.book.quantity, made.quantity)
    np.testing.assert_array_equal(found.book.entry, made.entered(quotes).entry)
    assert found.equity == pytest.approx(made.equity(quotes)["a"], rel=1e-14)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_hopeless_account_is_closed_whole_and_shows_its_deficit(policy):
    made, quotes = held({"a": {"BTC-PERP": 2.0, "ETH": 1.0}}, {"a": 2_000.0}, {"BTC-PERP": 43e3})
    found = close(made, quotes, DERIVE, "a", policy, DEPTH)
    assert found.whole
    assert not found.book.quantity.any()
    deficit = 2_000.0 + 2_000.0 - 6_000.0 - found.cost
    assert found.equity == pytest.approx(deficit, rel=1e-12)
    assert found.equity < 0.0
    assert found.health == 0.0
    assert found.steps["excess"].iloc[-1] == pytest.approx(deficit, rel=1e-12)
    assert found.steps["delta"].iloc[-1] == 0.0
    assert found.book.cash.loc["a", "USD"] == pytest.approx(deficit, rel=1e-12)


def plain_legs(account, rule, costs, score):
    """The closing leg by leg with a book made anew for every lot that is tried."""
    legs, cash = SHORT[account]
    start = pd.Series(legs)
    entry = {name: ENTRY.get(name, NOW.frame().loc[name, "mark"]) for name in legs}
    worth = {
        name: NOW.frame().loc[name, "mark"] - (entry[name] if "PERP" in name else 0.0)
        for name in legs
    }

    def left(quantity, cash):
        made, quotes = held({account: quantity.to_dict()}, {account: cash}, entry)
        return stand(made, quotes, rule).frame.loc[account, "excess_initial"]

    quantity, now, steps = start.copy(), left(start, cash), []
    while now < 0.0:
        options = []
        for name in legs:
            lot = np.sign(start[name]) * min(abs(start[name]) / LOTS, abs(quantity[name]))
            if abs(quantity[name] - lot) < 1e-9 * abs(start[name]):
                lot = quantity[name]
            if lot:
                tried = quantity - pd.Series(lot, [name]).reindex(quantity.index).fillna(0.0)
                price = plain_costs(costs, name, lot)
                after = left(tried, cash + lot * worth[name] - price)
                if after > now:
                    options.append((score(after - now, price), name, price, after, tried, lot))
        if not options:
            return steps, quantity
        _, name, price, now, quantity, lot = max(options, key=lambda one: one[0])
        cash += lot * worth[name] - price
        steps.append((name, price, now))
    return steps, quantity


@pytest.mark.parametrize(
    ("account", "policy", "score"),
    [
        ("mixed", "least cost", lambda gain, cost: gain / cost),
        ("strangle", "fastest", lambda gain, _: gain),
    ],
)
def test_leg_by_leg_against_a_plain_loop(account, policy, score):
    steps, quantity = plain_legs(account, DERIVE, DEPTH, score)
    made, quotes = short_of(account)
    found = close(made, quotes, DERIVE, account, policy, DEPTH)
    assert len(steps) > 1
    assert [name for name, _, _ in steps] == list(found.steps["closed"])
    np.testing.assert_allclose([one[1] for one in steps], found.steps["cost"], rtol=1e-10)
    np.testing.assert_allclose([one[2] for one in steps], found.steps["excess"], atol=1e-6)
    np.testing.assert_allclose(found.book.quantity, quantity, atol=1e-12)


@pytest.mark.parametrize("account", SHORT)
def test_the_first_step_costs_least_a_dollar_or_brings_most(account):
    made, quotes = short_of(account)
    before = stand(made, quotes, STANDARD).frame.loc[account, "excess_initial"]
    assert before < 0.0
    cheap, fast = (
        close(made, quotes, STANDARD, account, policy, DEPTH).steps.iloc[0]
        for policy in ("least cost", "fastest")
    )
    gains = [one["excess"] - before for one in (cheap, fast)]
    assert gains[0] / cheap["cost"] >= gains[1] / fast["cost"]
    assert gains[1] >= gains[0]


@pytest.mark.parametrize(
    ("account", "rule"),
    [("mixed", DERIVE), ("strangle", DERIVE), ("long", STANDARD), ("loan", STANDARD)],
)
def test_together_is_the_smallest_share_and_keeps_hedges(account, rule):
    made, quotes = short_of(account)
    found = close(made, quotes, rule, account, "together", DEPTH)
    assert not found.whole
    share = found.steps["share"].item()
    np.testing.assert_allclose(found.book.quantity, made.quantity * (1.0 - share), rtol=1e-13)
    assert found.steps["closed"].item() == "all"

    def left(share):
        sold = made.quantity * share
        cost = DEPTH.of(made, quotes, sold).sum()
        cash = (made.value(quotes) * share).sum() - cost
        rest = made.holding(made.quantity - sold, np.array([cash]))
        return stand(rest, quotes, rule).frame.loc[account, "excess_initial"]

    assert left(share) >= -1e-9
    assert left(share - 1e-9) < 0.0


def test_offsetting_legs_stay_hedged_only_when_closed_together():
    legs = {"BTC-PERP": 1.0, FUTURE: -1.0}
    made, quotes = held({"a": legs}, {"a": 1_000.0})
    by_leg, all_legs = (close(made, quotes, STANDARD, "a", p) for p in ("least cost", "together"))
    assert not by_leg.whole
    assert not all_legs.whole
    assert by_leg.steps["delta"].max() >= 4_000.0 * (1.0 - 1e-9)  # a lot of one leg at least
    np.testing.assert_allclose(all_legs.steps["delta"], 0.0, atol=1e-9)
    assert all_legs.book.quantity.sum() == 0.0


def test_where_only_the_net_risk_counts_no_single_lot_brings_anything():
    legs = {"BTC-PERP": 1.0, FUTURE: -1.0}
    made, quotes = held({"a": legs}, {"a": 500.0})
    assert stand(made, quotes, DERIVE).frame.loc["a", "excess_initial"] < 0.0
    by_leg, all_legs = (close(made, quotes, DERIVE, "a", p) for p in ("fastest", "together"))
    assert by_leg.whole
    # all of both goes, the perpetual first, whose spread is the smaller
    assert list(by_leg.steps["closed"]) == ["BTC-PERP", FUTURE]
    assert list(by_leg.steps["share"]) == [1.0, 1.0]
    np.testing.assert_allclose(by_leg.steps["cost"], [12.0, 20.0])
    np.testing.assert_allclose(by_leg.steps["delta"], [40_000.0, 0.0])
    assert by_leg.steps["excess"].iloc[-1] == pytest.approx(500.0 - 32.0)
    future = stand(*held({"a": {FUTURE: -1.0}}, {"a": 488.0}), DERIVE).frame
    assert by_leg.steps["excess"].iloc[0] == pytest.approx(future.loc["a", "excess_initial"])
    assert not all_legs.whole
    assert 0.0 < all_legs.steps["share"].item() < 1.0
    assert all_legs.cost < by_leg.cost


def test_a_part_is_closed_where_closing_everything_would_cost_too_much():
    thin = Costs({}, impact={"BTC": SquareRoot(0.3, 40_000.0)})  # all of it: 12,000 dollars
    made, quotes = held({"a": {"BTC-PERP": 1.0}}, {"a": 8_500.0})
    found = close(made, quotes, DERIVE, "a", "together", thin)
    share = found.steps["share"].item()
    assert not found.whole
    # the smaller root of  cash − R·(1 − s) − c·s^1.5 = 0
    assert 8_500.0 - 8_840.0 * (1.0 - share) - 12_000.0 * share**1.5 == pytest.approx(0.0, abs=1e-6)
    assert share < (8_840.0 / 18_000.0) ** 2


def test_many_legs_are_closed_one_by_one():
    legs = dict.fromkeys(LISTED.frame.index[LISTED.is_option], -1.0)
    made, quotes = held({"a": legs}, {"a": 1e5})
    found = close(made, quotes, STANDARD, "a", "least cost", DEPTH)
    gone = found.steps.groupby("closed")["share"].sum()
    assert (gone <= 1.0 + 1e-9).all()
    left = pd.Series(found.book.quantity, made.frame()["instrument"])
    np.testing.assert_allclose(1.0 + left[gone.index], gone, atol=1e-9)
    assert not found.whole


def test_selling_collateral_frees_its_haircut():
    made, quotes = held({"a": {"BTC": 1.0}}, {"a": -36_900.0})
    found = close(made, quotes, DERIVE, "a", "together", NOTHING)
    share = found.steps["share"].item()
    assert share == pytest.approx(900.0 / 4_000.0, rel=1e-9)
    assert found.book.cash.loc["a", "USD"] == pytest.approx(-36_900.0 + share * 40_000.0)


def test_cash_of_other_currencies_pays_too():
    cash = pd.DataFrame({"USD": [1_000.0], "EUR": [10_000.0]}, index=["a"])
    rows = pd.DataFrame([("a", "BTC-PERP", 2.0)], columns=["account", "instrument", "quantity"])
    made, quotes = book(LISTED, rows, cash), quote(LISTED, market(currencies={"EUR": 1.1}))
    found = close(made, quotes, DERIVE, "a")
    assert found.equity == pytest.approx(12_000.0 - found.cost, rel=1e-13)
    assert found.cost > 0.0


def test_only_the_account_that_is_asked_for_is_touched():
    made, quotes = held({"a": {"BTC-PERP": 2.0}, "b": {"BTC-PERP": -1.0}}, {"a": 100.0, "b": 7.0})
    found = close(made, quotes, DERIVE, "b")
    assert list(found.book.accounts) == ["b"]
    assert len(found.book) == 1


def test_compare_has_every_policy_as_close_has_it():
    made, quotes = short_of("mixed")
    found = compare(made, quotes, DERIVE, "mixed", DEPTH, move=0.02).set_index("policy")
    assert list(found.index) == list(POLICIES)
    mark = NOW.frame()["mark"].reindex(made.frame()["instrument"]).to_numpy()
    for policy, row in found.iterrows():
        one = close(made, quotes, DERIVE, "mixed", policy, DEPTH)
        assert row["steps"] == len(one.steps)
        assert row["cost"] == one.cost
        assert row["equity"] == one.equity
        assert row["health"] == one.health
        assert row["whole"] == one.whole
        assert row["delta"] == one.steps["delta"].max() > 0.0
        gross = (np.abs(one.book.quantity) * mark).sum() / (np.abs(made.quantity) * mark).sum()
        assert row["closed"] == pytest.approx(1.0 - gross, rel=1e-12)
        between = sum(one.steps["delta"].tolist()[:-1])
        assert row["drift"] == pytest.approx(0.02 * between, rel=1e-12)
        assert row["delta_left"] == pytest.approx(one.steps["delta"].iloc[-1], abs=1e-6)


@pytest.mark.parametrize("policy", ["", "cheapest", None, ["together"]])
def test_an_unknown_policy_is_named(policy):
    made, quotes = short_of("long")
    with pytest.raises(ParameterError, match=r"policy is .*choose one of 'least cost', 'fastest'"):
        close(made, quotes, DERIVE, "long", policy)


def test_an_unknown_level_or_account_is_named():
    made, quotes = short_of("long")
    with pytest.raises(ParameterError, match="level is 'x'; choose one of"):
        close(made, quotes, DERIVE, "long", level="x")
    for call in (close, compare):
        with pytest.raises(DataError, match="no account 'x'; there are long"):
            call(made, quotes, DERIVE, "x")


@pytest.mark.parametrize("legs", [{}, {"BTC-PERP": 0.0}])
def test_an_account_without_positions_has_nothing_to_close(legs):
    made, quotes = held({"a": legs}, {"a": -10.0})
    for call in (close, compare):
        with pytest.raises(ParameterError, match="account a has no position; there is nothing"):
            call(made, quotes, DERIVE, "a")


def test_a_worthless_position_can_be_closed():
    made, quotes = held({"a": {"BTC-01APR23-36000-P": 1.0}}, {"a": -10.0})
    nothing = quote(LISTED, quotes.market, np.zeros(len(LISTED)))
    assert nothing.frame().loc["BTC-01APR23-36000-P", "mark"] == 0.0
    found = compare(made, nothing, DERIVE, "a")
    assert (found["closed"] == 0.0).all()
    assert (found["equity"] == -10.0).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"half_spread": {"perp": 0.1}}, "kind is 'perp'; choose one of 'spot', 'perpetual'"),
        ({"half_spread": {"option": 0.1}}, "kind is 'option'; choose one of"),
        ({"half_spread": {"spot": -0.1}}, "half-spread of a spot is -0.1; give at least 0"),
        ({"half_spread": {"spot": np.nan}}, "half-spread of a spot is nan; give a finite number"),
        ({"points": -0.01}, "points is -0.01; give at least 0"),
        ({"points": np.inf}, "points is inf; give a finite number"),
        ({"points": "x"}, "points is 'x'; give a finite number"),
    ],
)
def test_costs_that_are_none_are_named(given, said):
    with pytest.raises(ParameterError, match=said):
        Costs(**given)


@pytest.mark.parametrize("move", [-0.1, np.nan, "x"])
def test_a_bad_move_is_named(move):
    made, quotes = short_of("long")
    with pytest.raises(ParameterError, match="move is"):
        compare(made, quotes, DERIVE, "long", move=move)


def test_a_market_that_cannot_take_the_position_is_named():
    made, quotes = held({"a": {"BTC-PERP": 2.0}}, {"a": 100.0})
    thin = Costs(impact={"BTC": SquareRoot(0.9, 10_000.0)})
    with pytest.raises(ParameterError, match="takes the whole value"):
        close(made, quotes, DERIVE, "a", "together", thin)
