"""Instruments: names, groups that share a forward, years, and what is no instrument."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.margin import cases
from xcoll.errors import DataError, ParameterError
from xcoll.margin.instruments import Instrument, Instruments, future, option, perpetual, spot

EXPIRY = "2023-12-29 08:00"


def frame(**columns):
    """Spot, a future and a call, with columns replaced."""
    made = Instruments.of([spot("BTC"), future("BTC", EXPIRY), option("BTC", EXPIRY, 4e4, "call")])
    return made.frame.assign(**columns)


@pytest.mark.parametrize(
    ("instrument", "name"),
    [
        (spot("BTC"), "BTC"),
        (perpetual("BTC"), "BTC-PERP"),
        (future("BTC", EXPIRY), "BTC-29DEC23"),
        (option("BTC", EXPIRY, 40_000, "call"), "BTC-29DEC23-40000-C"),
        (option("XRP", "2024-01-05", 0.625, "put"), "XRP-05JAN24-0.625-P"),
        (option("BTC", EXPIRY, 40_000, "call", "EUR"), "BTC-29DEC23-40000-C-EUR"),
        (spot("BTC", "EUR"), "BTC-EUR"),
    ],
)
def test_names_are_as_exchanges_write_them(instrument, name):
    assert instrument.name == name
    assert list(Instruments.of([instrument]).frame.index) == [name]


def test_what_shares_a_forward_is_one_group():
    made = cases.listed()
    groups = made.groups
    assert list(zip(groups["asset"], groups["line"], strict=True)) == [
        (asset, line)
        for asset in ("BTC", "ETH")
        for line in ("dated", "dated", "perpetual", "spot")
    ]
    for place, name in enumerate(made.frame.index):
        row, group = made.frame.iloc[place], groups.iloc[made.group[place]]
        assert group["asset"] == row["asset"]
        assert group["line"] == (
            row["kind"] if row["kind"] in ("spot", "perpetual") else "dated"
        ), name
        assert group["expiry"] == row["expiry"] or pd.isna(group["expiry"]) == pd.isna(
            row["expiry"]
        )
    near = made.group[made.places(["BTC-12JAN24", "BTC-12JAN24-40000-C", "BTC-12JAN24-32000-P"])]
    assert len(set(near)) == 1


def test_the_hour_of_an_expiry_parts_groups():
    made = Instruments.of([future("BTC", EXPIRY), option("BTC", "2023-12-29 16:00", 1.0, "put")])
    assert len(made.groups) == 2


def test_years_are_of_365_days_and_none_where_nothing_expires():
    made = Instruments.of([future("BTC", "2024-12-31 08:00"), spot("BTC"), perpetual("BTC")])
    years = dict(zip(made.group_line, made.years(pd.Timestamp("2024-01-01 08:00")), strict=True))
    assert years["dated"] == 1.0
    assert math.isnan(years["spot"])
    assert math.isnan(years["perpetual"])
    half_a_day = made.years(pd.Timestamp("2024-12-30 20:00"))
    assert half_a_day[0] == pytest.approx(0.5 / 365, rel=1e-12)


def test_columns_are_arrays_in_the_order_of_the_rows():
    made = Instruments.of([option("ETH", EXPIRY, 2e3, "put"), spot("BTC"), spot("ETH", "EUR")])
    assert made.assets == ["BTC", "ETH"]
    assert made.asset.tolist() == [1, 0, 1]
    assert made.right.tolist() == [-1.0, 0.0, 0.0]
    assert made.is_option.tolist() == [True, False, False]
    np.testing.assert_array_equal(made.strike, [2e3, np.nan, np.nan])
    names, place = made.currencies
    assert names[place].tolist() == ["USD", "USD", "EUR"]
    assert len(made) == 3


def test_one_instrument_is_enough():
    made = Instruments.of([spot("BTC")])
    assert made.group.tolist() == [0]
    assert made.places(["BTC", "BTC"]).tolist() == [0, 0]


def test_places_are_rows_by_name():
    assert cases.listed().places(["BTC-PERP", "BTC"]).tolist() == [1, 0]
    with pytest.raises(DataError, match=r"unknown instrument 'BTC-1JAN25'; listed are BTC, BTC-P"):
        cases.listed().places(["BTC", "BTC-1JAN25"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: future("BTC", "soon"), "expiry on BTC is 'soon'; give a date and time in UTC"),
        (lambda: future("BTC", "2023-02-30"), "expiry on BTC is '2023-02-30'"),
        (lambda: future("BTC", None), "expiry on BTC is None"),
        (lambda: future("BTC", math.nan), "expiry on BTC is nan"),
        (lambda: future("BTC", ["2024"]), "expiry on BTC is"),
        (lambda: option("BTC", "2024-01-01 08:00+01:00", 1.0, "put"), "without a zone"),
        (lambda: option("BTC", EXPIRY, "many", "put"), "strike of an option on BTC is 'many'"),
        (lambda: option("BTC", EXPIRY, None, "put"), "strike of an option on BTC is None"),
        (lambda: option("BTC", EXPIRY, True, "put"), "strike of an option on BTC is True"),
        (lambda: option("BTC", EXPIRY, -1.0, "put"), "is -1; give a number above zero"),
        (lambda: option("BTC", EXPIRY, math.inf, "put"), "is inf; give a finite number"),
        (lambda: option("BTC", EXPIRY, math.nan, "put"), "is nan; give a finite number"),
    ],
)
def test_terms_that_are_none_are_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Instruments.of([]), "there is no instrument; give at least one row"),
        (lambda: Instruments.of([spot("BTC")] * 2), "instrument BTC is there twice; merge"),
        (lambda: Instruments.of([spot("")]), "has no asset; name its underlying"),
        (lambda: Instruments.of([spot(None)]), "has no asset; name its underlying"),
        (lambda: Instruments.of([spot("BTC"), spot(5)]), "instrument 5 has no asset"),
        (lambda: Instruments.of([spot("BTC", "")]), "has no currency; name what it is quoted in"),
        (lambda: Instruments.of([option("BTC", EXPIRY, 1.0, "C")]), "neither a call nor a put"),
        (
            lambda: Instruments.of([Instrument("swap", "BTC")]),
            "BTC has a kind that is none of spot",
        ),
        (lambda: Instruments.of([Instrument("future", "BTC")]), "BTC has no expiry; give the date"),
        (
            lambda: Instruments.of([Instrument("spot", "BTC", pd.Timestamp(EXPIRY))]),
            "has an expiry but never expires; leave it out",
        ),
        (
            lambda: Instruments.of(
                [Instrument("option", "BTC", pd.Timestamp(EXPIRY), right="put")]
            ),
            "has no strike above zero; give one",
        ),
        (lambda: Instruments.of([Instrument("spot", "BTC", strike=1.0)]), "has a strike but is no"),
        (
            lambda: Instruments.of([Instrument("spot", "BTC", right="call")]),
            "has a right but is no",
        ),
        (
            lambda: Instruments(frame().drop(columns=["strike", "right"])),
            r"lack the columns \['str",
        ),
        (lambda: Instruments(frame().iloc[:0]), "there is no instrument"),
        (lambda: Instruments(frame(strike=[None, None, "x"])), "40000-C has no strike above zero"),
        (lambda: Instruments(frame(strike=[None, None, math.inf])), "40000-C has no strike above"),
        (lambda: Instruments(frame(right=[None, None, "call"])), 'BTC has a right .* write ""'),
        (
            lambda: Instruments(frame(expiry=["", EXPIRY, EXPIRY])),
            "expiries are of type .* give dates",
        ),
        (lambda: Instruments(frame(expiry=[0, 5, 5])), "expiries are of type int64"),
        (
            lambda: Instruments(frame(expiry=frame()["expiry"].dt.tz_localize("UTC"))),
            "expiries are of type datetime64.*UTC.*without a zone",
        ),
        (lambda: Instruments(frame(currency=[None, "USD", "USD"])), "BTC has no currency"),
    ],
)
def test_bad_rows_are_named(make, message):
    with pytest.raises(DataError, match=message):
        make()
