"""A user's own book through history and on simulated paths."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.collateral import world
from tests.workbook.sweep import market
from xcoll.collateral import accounts, records
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation import mapping, outcomes, own_book, rulebooks
from xcoll.liquidation.cohorts import calendar, listed
from xcoll.liquidation.replay import low_prices
from xcoll.liquidation.replay import replay as run_one
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import replays, works

REPLAY = works.WORKS["replay"]
NAME = "mine.csv"
# Account → thousands of dollars at the last close; d owes nothing, e an asset that moves.
PLEDGED = {"a": {"ETH": 200}, "b": {"BTC": 100, "ADA": 50}, "c": {"ETH": 90, "USDC": 20},
           "d": {"BTC": 10}, "e": {"USDC": 500}}  # fmt: skip
OWED = {"a": {"USDC": 130}, "b": {"USDT": 90}, "c": {"USDC": 70}, "e": {"ETH": 250}}
EVERY = {"every": "28D"}


def given(pledged=PLEDGED, owed=OWED):
    """Artifacts, and the table of a book of so many thousands at the last close."""
    read = market.made()
    units = 1_000 / read["prices"].iloc[-1]
    columns = {}
    for side, balances in (("collateral", pledged), ("debt", owed)):
        table = pd.DataFrame(balances).T.reindex(list(pledged)).fillna(0.0)
        columns |= {f"{side}_{asset}": table[asset] * units[asset] for asset in table}
    read[NAME] = pd.DataFrame(columns).rename_axis("account").reset_index()
    return read


@pytest.fixture(scope="module")
def read():
    return given()


def planned(read, **blocks):
    blocks["fixed"] = {"book": NAME, **EVERY, **blocks.get("fixed", {})}
    return grids.plan(grids.parse({"work": "replay", **blocks}, works.WORKS), REPLAY, read, "")


def rows(read, chunk=1_000, **values):
    tasks = planned(read, fixed=values, chunk=chunk)
    return pd.concat([REPLAY.run(task, read) for task in tasks], ignore_index=True)


@pytest.mark.parametrize("engine", rulebooks.RULEBOOKS)
def test_each_cohort_is_a_replay_of_the_units_that_todays_dollars_buy(read, engine):
    """Sized anew at every opening and run at the prices themselves."""
    found = rows(read, engine=engine)
    close, low = read["prices"], low_prices(read["prices"], read["excursions"])
    values = {**REPLAY.settings, "book": NAME}
    values = {name: getattr(one, "default", one) for name, one in values.items()}
    study = replays._study({**values, "engine": engine, **EVERY}, read)
    book = records.parse(read[NAME], list(close))
    last, lt = close.iloc[-1], study.parameters.frame["threshold"]
    form = mapping.VENUES[engine]
    if form.one_collateral or form.one_debt:
        stable = ["USDC", "USDT"] if form.named else None
        book = mapping.split(book, engine, last, lt, stable).book
    assert len(found) == len(study.calendar)
    for row, start in zip(found.itertuples(), study.calendar["start"], strict=True):
        ratio = (last / close.loc[start]).to_numpy()
        units = replace(book, collateral=book.collateral * ratio, debt=book.debt * ratio)
        run = run_one(
            units, close.loc[start:], low.loc[start:], study.parameters, study.conduct, 30
        )
        worth = own_book.worth(units, close.loc[start])
        expected = outcomes.measure(outcomes.opening(worth, study.parameters, lt), run)
        seen = {name: getattr(row, name) for name in expected}
        assert seen == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert found["closed"].max() > 0
    assert found["debt"].to_numpy() == pytest.approx(found["debt"].iloc[0])


def test_health_at_every_opening_is_todays(read):
    found = rows(read, service="prompt")
    assert found["collateral"].to_numpy() == pytest.approx(970e3)
    assert found["debt"].to_numpy() == pytest.approx(540e3)


@pytest.mark.parametrize("values", [{}, {"paths": "garch", "number": 55}])
def test_chunks_change_nothing(read, values):
    pd.testing.assert_frame_equal(
        rows(read, chunk=4, **values), rows(read, **values), check_exact=True
    )


def test_columns_are_those_of_synthetic_books(read):
    found, paths = rows(read), rows(read, paths="bootstrap", number=2)
    synthetic = rows(read, book="synthetic", cohort_size=100)
    assert found.dtypes.to_dict() == paths.dtypes.to_dict() == synthetic.dtypes.to_dict()
    assert found["start"].tolist() == synthetic["start"].tolist()
    assert paths["start"].isna().all()


def test_the_paths_are_those_of_synthetic_books(read):
    """One account whose fate follows from the low of one asset, path by path."""
    one = given({"a": {"ETH": 100}}, {"a": {"USDC": 70}})
    found = rows(one, paths="bootstrap", number=60, service="low")
    (task,) = planned(
        read, fixed={"book": "synthetic", "paths": "bootstrap", "number": 60}, chunk=60
    )
    study = replays._study(task.values, read)
    paths = replays._paths(task, study, read)
    eth, usdc = paths.assets.index("ETH"), paths.assets.index("USDC")
    # What is owed has no low of its own inside the bar, so leave the hair's breadth aside.
    health = 100 * 0.8 * paths.lows[:, :31, eth].min(axis=1) / 70
    clear = np.abs(health - 1) > 0.02
    assert np.abs(paths.closes[:, :31, usdc] - 1).max() < 0.02
    assert clear.sum() > 40
    assert (found["closed"] > 0)[clear].tolist() == (health < 1)[clear].tolist()


def test_a_looser_factor_leaves_the_debts_alone(read):
    closed = [rows(read, factor=factor)["closed"].mean() for factor in (0.5, 1.0, 1.5)]
    assert closed == sorted(closed)
    assert closed[0] < closed[2]


def test_shape_changes_nothing_and_is_refused_as_an_axis(read):
    words = "axis health_median changes nothing where book is 'mine.csv'"
    with pytest.raises(ParameterError, match=words):
        planned(read, axes={"health_median": [1.2, 1.4]})


def test_accounts_that_a_venue_splits_make_smaller_tasks(read):
    whole, parts = (replays.size({"book": NAME, "engine": e}, read) for e in ("aave", "morpho"))
    assert whole == len(PLEDGED)
    assert parts > whole


def test_a_book_without_debt_is_refused():
    with pytest.raises(DataError, match=r"mine\.csv owes nothing that aave lends"):
        planned(given(owed={}))
    moving = given({"a": {"USDC": 500}, "b": {"BTC": 1}}, {"a": {"ETH": 250}})
    assert planned(moving)
    with pytest.raises(DataError, match=r"mine\.csv owes nothing that maker lends"):
        planned(moving, fixed={"engine": "maker"})


def with_luna(since="2021-01-01"):
    """A book that holds an asset outside the universe's sets, listed `since`."""
    read = given()
    read["prices"].loc[: pd.Timestamp(since) - pd.Timedelta("1D"), "LUNA"] = np.nan
    read[NAME].insert(1, "collateral_LUNA", [1.0, 0.0, 0.0, 0.0, 0.0])
    return read


def test_a_book_whose_assets_have_no_paths():
    read = with_luna()
    with pytest.raises(ParameterError, match="uses LUNA, which the universe neither pledges nor"):
        planned(read, fixed={"paths": "bootstrap"})
    assert planned(read)


def test_cohorts_open_when_all_of_the_book_is_listed():
    read = with_luna(since="2022-03-01")
    close = read["prices"]
    found = rows(read)
    whole = calendar(close.index, "28D", "30D")
    there = listed(close)["LUNA"].reindex(whole["start"]).to_numpy()
    assert 0 < there.sum() < len(whole)
    assert found["start"].tolist() == whole.loc[there, "start"].tolist()


def test_a_book_that_no_cohort_can_open():
    with pytest.raises(ParameterError, match="leave out LUNA, listed at 0 of"):
        planned(with_luna(since="2022-11-20"))


def test_a_book_without_a_price_today():
    read = given()
    read[NAME].insert(1, "collateral_LUNA", 1.0)
    read["prices"].loc[read["prices"].index[-1], "LUNA"] = np.nan
    with pytest.raises(DataError, match="holds or owes LUNA without a price"):
        planned(read)


def test_what_a_book_uses():
    book = accounts.Book(["A", "B", "C"], np.eye(3)[:1], np.eye(3)[2:], np.array([0]))
    assert own_book.used(book) == ["A", "C"]
    assert world.UNIVERSE.stablecoins == ["USDC", "USDT"]
