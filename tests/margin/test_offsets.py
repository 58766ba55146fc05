"""Strategies are found in their own examples, use each unit once, and their savings add up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin.traded import DATA, DERIVE, LISTED, PLAIN, PRICES, TIME, held, market
from xcoll.errors import DataError
from xcoll.margin import samples
from xcoll.margin.instruments import Instruments, spot
from xcoll.margin.market import quote
from xcoll.margin.offsets import STRATEGIES, offsets
from xcoll.workbook.files import read_yaml

ACROSS, SINGLE = "across strategies", "single"


def option(days, strike, right):
    return f"BTC-{'31JAN23' if days == 30 else '01APR23'}-{strike}000-{right}"


EXAMPLES = {
    "box": {
        option(30, 36, "C"): 1.0,
        option(30, 44, "C"): -1.0,
        option(30, 44, "P"): 1.0,
        option(30, 36, "P"): -1.0,
    },
    "spread": {option(30, 40, "C"): -1.0, option(30, 44, "C"): 1.0},
    "calendar": {option(30, 40, "P"): -1.0, option(90, 40, "P"): 1.0},
    "covered call": {"BTC": 1.0, option(30, 44, "C"): -1.0},
    "covered put": {"BTC-PERP": -1.0, option(30, 36, "P"): -1.0},
    "protective put": {"BTC-31JAN23": 1.0, option(30, 36, "P"): 1.0},
    "delta-neutral perp": {"BTC": 1.0, "BTC-PERP": -1.0},
    "basis trade": {"BTC-31JAN23": 1.0, "BTC-01APR23": -1.0},
}


def of(legs, rule=PLAIN):
    return offsets(*held({"a": legs}), rule)


def test_there_is_an_example_of_every_strategy():
    assert EXAMPLES.keys() == STRATEGIES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("size", [1.0, 0.3])
def test_a_strategy_is_found_in_its_own_example(name, size):
    legs = {leg: size * q for leg, q in EXAMPLES[name].items()}
    found = of(legs)
    assert list(found["strategy"]) == [name, ACROSS]
    assert set(found.loc[0, "legs"].split(", ")) == set(legs)
    assert found.loc[0, "units"] == size
    assert found.loc[1, "saving"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_opposite_is_one_where_both_sides_match(name):
    opposite = {leg: -q for leg, q in EXAMPLES[name].items()}
    found = list(of(opposite)["strategy"])
    turned = {
        "covered call": [SINGLE, SINGLE],
        "covered put": ["protective put"],
        "protective put": ["covered put"],
    }
    assert found == [*turned.get(name, [name]), ACROSS]


@pytest.mark.parametrize("line", ["BTC", "BTC-PERP", "BTC-31JAN23"])
@pytest.mark.parametrize(("strategy", "right", "side"), [
    ("covered call", "C", -1.0), ("protective put", "P", 1.0)])  # fmt: skip
def test_a_long_of_any_kind_covers(line, strategy, right, side):
    found = of({line: 1.0, option(30, 40, right): side})
    assert list(found["strategy"]) == [strategy, ACROSS]


@pytest.mark.parametrize("line", ["BTC-PERP", "BTC-01APR23"])
def test_a_short_covers_a_put_but_owed_spot_does_not(line):
    put = {option(30, 36, "P"): -1.0}
    assert list(of({line: -1.0} | put)["strategy"]) == ["covered put", ACROSS]
    assert list(of({"BTC": -1.0} | put)["strategy"]) == [SINGLE, SINGLE, ACROSS]


@pytest.mark.parametrize(("long", "short"), [
    ("BTC", "BTC-31JAN23"), ("BTC-31JAN23", "BTC"),
    ("BTC-PERP", "BTC-31JAN23"), ("BTC-31JAN23", "BTC-PERP")])  # fmt: skip
def test_what_is_a_basis_trade(long, short):
    assert list(of({long: 1.0, short: -1.0})["strategy"]) == ["basis trade", ACROSS]


@pytest.mark.parametrize(
    "legs",
    [
        {option(30, 40, "C"): 1.0, option(30, 44, "C"): 1.0},  # the same side twice
        {option(30, 40, "C"): -1.0, option(30, 40, "P"): -1.0},  # a straddle
        {option(30, 40, "C"): -1.0, option(90, 44, "C"): 1.0},  # a diagonal
        {"BTC": 1.0, "ETH-PERP": -1.0},  # two assets
        {"ETH-PERP": 1.0, option(30, 44, "C"): -1.0},
    ],
)
def test_what_is_no_strategy_is_single(legs):
    assert set(of(legs)["strategy"]) == {SINGLE, ACROSS}


def test_a_box_comes_before_the_spreads_that_it_is_made_of():
    legs = {**EXAMPLES["box"], option(30, 36, "C"): 3.0, "BTC": 0.0}
    found = of(legs)
    assert list(found["strategy"]) == ["box", SINGLE, ACROSS]
    assert list(found["units"][:2]) == [1.0, 2.0]


def test_a_collar_uses_its_spot_once():
    legs = {"BTC": 1.0, option(30, 36, "P"): 1.0, option(30, 44, "C"): -1.0}
    found = of(legs)
    assert list(found["strategy"]) == ["covered call", SINGLE, ACROSS]
    found = of(legs | {"BTC": 1.5})
    assert list(found["strategy"]) == ["covered call", "protective put", SINGLE, ACROSS]
    assert list(found["units"][:3]) == [1.0, 0.5, 0.5]


NAMES = [name for name in LISTED.frame.index if name.startswith("BTC")]
BOOKS = st.dictionaries(
    st.sampled_from(NAMES), st.integers(-3, 3).filter(bool).map(float), min_size=1, max_size=8
)


@settings(derandomize=True, deadline=None, max_examples=8)
@given(BOOKS)
def test_each_unit_is_used_once_and_savings_add_up(legs):
    made, quotes = held({"a": legs})
    for rule in (PLAIN, DERIVE):
        found = offsets(made, quotes, rule)
        used = dict.fromkeys(legs, 0.0)
        for row in found[found["strategy"] != ACROSS].itertuples():
            for leg in row.legs.split(", "):
                used[leg] += row.units
        assert used == {name: abs(q) for name, q in legs.items()}
        apart = rule.totals(made.apart(), quotes).sum()
        whole = rule.totals(made, quotes)[0]
        assert found["saving"].sum() == pytest.approx(apart - whole, rel=1e-9, abs=1e-6)
        assert found["together"].iloc[-1] == pytest.approx(whole, rel=1e-12)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(BOOKS)
def test_without_contingencies_no_saving_is_negative(legs):
    assert (of(legs)["saving"] >= -1e-6).all()  # a worst case over scenarios is subadditive


def test_the_margins_of_a_strategy_are_those_of_its_legs():
    legs = {"BTC": 2.0, option(30, 44, "C"): -1.0, "ETH-PERP": -5.0}
    found = of(legs, DERIVE).set_index("strategy")

    def needed(legs):
        return DERIVE.totals(*held({"a": legs}))[0]

    spot, call = {"BTC": 1.0}, {option(30, 44, "C"): -1.0}
    assert found.loc["covered call", "apart"] == pytest.approx(needed(spot) + needed(call))
    assert found.loc["covered call", "together"] == pytest.approx(needed(spot | call))
    assert found.loc["covered call", "saving"] == pytest.approx(
        needed(spot) + needed(call) - needed(spot | call)
    )
    singles = found.loc[SINGLE]
    assert list(singles["legs"]) == ["BTC", "ETH-PERP"]
    assert (singles["saving"] == 0.0).all()
    assert found.loc[ACROSS, "apart"] == pytest.approx(
        needed(spot | call) + needed(spot) + needed({"ETH-PERP": -5.0})
    )
    assert found.loc[ACROSS, "together"] == pytest.approx(needed(legs))


def test_accounts_are_matched_apart_and_stay_in_order():
    accounts = {"z": {"BTC": 1.0}, "a": {"BTC-PERP": -1.0}, "m": EXAMPLES["spread"]}
    found = offsets(*held(accounts, {"c": 5.0}), PLAIN)
    assert list(found["account"]) == ["z", "z", "a", "a", "m", "m", "c"]
    assert list(found["strategy"]) == [SINGLE, ACROSS, SINGLE, ACROSS, "spread", ACROSS, ACROSS]
    assert (found.iloc[-1][["apart", "together", "saving"]] == 0.0).all()


@pytest.mark.parametrize("legs", [{}, {"BTC-PERP": 0.0}])
def test_nothing_held_saves_nothing(legs):
    found = offsets(*held({"a": legs}, {"a": 1.0}), DERIVE)
    assert list(found["strategy"]) == [ACROSS]
    assert found["saving"].item() == 0.0


def test_the_bundled_books_are_what_they_are_called():
    books = samples.parse(read_yaml(DATA / "books.yaml"))
    made = samples.struck(books, TIME, PRICES)
    quotes = quote(made.instruments, market())
    found = offsets(made, quotes, PLAIN)
    first = found.drop_duplicates("account").set_index("account")["strategy"]
    assert first["covered call"] == "covered call"
    assert first["call spread"] == "spread"
    assert first["box"] == "box"
    assert first["calendar"] == "calendar"
    assert first["basis trade"] == "basis trade"
    assert first["delta-neutral perpetual"] == "delta-neutral perp"
    assert first["long perpetual"] == first["short put"] == SINGLE


def test_quotes_of_other_instruments_are_refused():
    made, _ = held({"a": {"BTC-PERP": 1.0}})
    with pytest.raises(DataError, match="other instruments"):
        offsets(made, quote(Instruments.of([spot("BTC")]), market()), PLAIN)


def test_huge_and_tiny_positions():
    found = of({"BTC": 1e9, "BTC-PERP": -1e9})
    assert list(found["strategy"]) == ["delta-neutral perp", ACROSS]
    assert found["together"].iloc[0] == pytest.approx(0.0, abs=1e-3)
    found = of({"BTC": 1e-8, "BTC-PERP": -1e-8})
    assert list(found["strategy"]) == ["delta-neutral perp", ACROSS]
