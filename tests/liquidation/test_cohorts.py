"""A cohort is the replay of its own book; runs, windows and simulated paths of many."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.liquidation.studies import ASSETS, RATES, market, parameters, study
from xcoll.collateral.accounts import dollars, settle
from xcoll.collateral.liquidity import SquareRoot
from xcoll.errors import DataError, ParameterError
from xcoll.estimators.scenarios import Paths
from xcoll.liquidation import _kernels, cohorts, mapping
from xcoll.liquidation.account_types import TYPES
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.replay import Conduct, replay
from xcoll.liquidation.rulebooks import RULEBOOKS, Maker
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World

THIN = Depth.of(dict.fromkeys(ASSETS, SquareRoot(0.05, 1e6)))
BUSY = World(Oracle("2h", 0.005), Keepers(margin=0.005, gas=20.0, capital=2e6), THIN, Borrowers())
LATE = Conduct(world=World(Oracle("5h"), interest={"USDC": 0.5}))


def by_hand(case, row):
    """The replay of one cohort's own book, in units and dollars."""
    close, low, shape = case.close, case.low, case.shape
    first = close.index.get_loc(case.calendar["start"].iloc[row])
    opening = close.iloc[first]
    given = case.parameters.frame["threshold"].reindex(ASSETS).fillna(0.0)
    if case.thresholds is not None:
        given = given.copy()
        given.update(case.thresholds.loc[: close.index[first]].ffill().iloc[-1])
    drawn = given if case.drawn is None else case.drawn
    here = [asset for asset in ASSETS if case.universe[asset].iloc[first]]
    sides = dollars(case.draws, shape, drawn, here)
    if case.venue_usd is not None:
        sides = [side / sides[0].sum() * case.venue_usd for side in sides]
    book = settle(shape, *sides, opening)
    form = case.conduct.engine.form
    if form not in ("aave", "exchange"):
        owable = ["USDC"] if form in ("compound", "maker") else None
        book = mapping.split(book, form, opening, drawn, owable).book
    scale = None
    if case.baskets is not None:
        worth = replace(book, collateral=book.collateral * book.prices(opening))
        scale = case.baskets.scale(worth, close.index[first])
        if case.baskets.drawn:
            book = replace(book, debt=book.debt * scale[:, None])
    window = slice(first, first + 38)
    prices = close.iloc[window], low.iloc[window]
    result = replay(book, *prices, case.parameters, case.conduct, 30, case.thresholds, scale)
    return book, book.prices(opening), result


class ByParity:
    """Baskets that spare one account in two."""

    def __init__(self, drawn):
        self.drawn = drawn

    def scale(self, book, time):
        share = book.collateral[:, 0] / book.collateral.sum(axis=1)
        return 1.0 + 0.1 * share - 0.02 * (time.day % 2)


def path(close):
    falling = pd.DataFrame({"BTC": 0.86 - 0.002 * np.arange(len(close) // 3)}, close.index[::3])
    falling["ETH"] = 0.84 - 0.001 * np.arange(len(falling))
    return falling


CASES = {
    "plain": {"conduct": LATE},
    "path": {"conduct": LATE, "thresholds": path(market()[0])},
    "drawn": {"drawn": RATES.frame["threshold"] - 0.03},
    "venue": {"venue_usd": 5e6, "conduct": Conduct(world=BUSY)},
    "basket": {"baskets": ByParity(False), "conduct": LATE},
    "drawn on baskets": {"baskets": ByParity(True), "conduct": LATE},
    **{name: {"conduct": Conduct(book(), World(Oracle("3h")))} for name, book in RULEBOOKS.items()},
    "hall": {"conduct": Conduct(Maker(replace(Maker().rules, hole=2e5))), "venue_usd": 3e6},
}


@pytest.mark.parametrize("name", CASES)
def test_a_cohort_is_the_replay_of_its_book_in_units(name):
    case = study(*market(), **CASES[name])
    made = cohorts.run(case)
    seized, waits = np.zeros(len(ASSETS)), []
    for row in range(len(case.calendar)):
        book, prices, result = by_hand(case, row)
        table = result.accounts
        owed, held = (book.debt @ prices).sum(), (book.collateral @ prices).sum()
        seized += result.assets["seized"].to_numpy() * prices / owed / len(case.calendar)
        waits.append(table.loc[table["calls"] > 0, ["wait", "repaid"]])
        for column, value in {
            "debt": owed,
            "collateral": held,
            "realised": table["deficit"].sum() / owed,
            "under_water": table["under"].sum() / owed,
            "repaid": table["repaid"].sum() / owed,
            "fee": table["fee"].sum() / owed,
            "added": table["added"].sum() / owed,
            "waiting": result.bars["waiting"].max() / owed,
            "liquidated": table["seized"].sum() / held,
            "closed": (table["calls"] > 0).sum() / book.debt.any(axis=1).sum(),
            "premature": table["premature"].sum() / book.debt.any(axis=1).sum(),
        }.items():
            found = made.outcomes[column].iloc[row]
            assert found == pytest.approx(value, rel=1e-9, abs=1e-12), (row, column)
    assert made.outcomes["repaid"].max() > 0.01
    np.testing.assert_allclose(made.assets["seized"], seized, rtol=1e-9)
    waits = pd.concat(waits)
    np.testing.assert_allclose(made.waits["repaid"], waits["repaid"], rtol=1e-9)
    apart = (made.waits["wait"] - waits["wait"].to_numpy()).abs()
    assert apart.max() < pd.Timedelta("1ms")


@pytest.mark.parametrize("name", CASES)
def test_parts_add_up_to_the_whole(name):
    made = cohorts.run(study(*market(), **CASES[name]))
    lost = made.outcomes["bad_debt"]
    np.testing.assert_allclose(made.losses.sum(axis=1), lost, atol=1e-12)
    split = made.outcomes["realised"] + made.outcomes["under_water"]
    np.testing.assert_allclose(split, lost, atol=1e-15)
    assert (made.outcomes["trough"] >= lost - 1e-12).all()
    by_type = made.types.groupby("type", sort=False).sum(numeric_only=True)
    assert by_type.index.tolist() == list(TYPES)
    np.testing.assert_allclose(by_type["debt"], 1.0, rtol=1e-12)
    for column in ("bad_debt", "penalty", "premature_penalty", "repaid"):
        mean = made.outcomes[column].mean()
        np.testing.assert_allclose(by_type[column], mean, atol=1e-12, err_msg=column)


@pytest.mark.parametrize("name", ["plain", "venue", "morpho", "maker", "drawn"])
def test_windows_and_efficiency_are_those_of_a_run(name):
    case = study(*market(), **CASES[name])
    prices, fresh = cohorts.windows(case), cohorts.run(case)
    other = replace(case, parameters=parameters(RATES.frame["threshold"] - 0.1, 0.4))
    for one in (case, other):
        reused = cohorts.run(one, prices)
        pd.testing.assert_frame_equal(reused.outcomes, cohorts.run(one).outcomes)
        np.testing.assert_array_equal(cohorts.bad_debt(one, prices), reused.outcomes["bad_debt"])
        power = reused.outcomes["capital_efficiency"]
        np.testing.assert_array_equal(cohorts.efficiency(one), power)
        assert power.nunique() == 2  # NEW is listed late
    pd.testing.assert_frame_equal(cohorts.run(case, prices).waits, fresh.waits)


def test_drawn_baskets_scale_the_power_to_borrow_account_by_account():
    case = study(*market(), baskets=ByParity(True))
    made = cohorts.run(case).outcomes
    book, prices, _ = by_hand(replace(case, baskets=None), 0)
    worth = book.collateral * prices
    scale = case.baskets.scale(replace(book, collateral=worth), case.close.index[0])
    for column, name in (("capital_efficiency", "ltv"), ("threshold", "threshold")):
        value = RATES.frame[name].reindex(ASSETS).fillna(0.0).to_numpy()
        assert made[column].iloc[0] == pytest.approx(scale @ worth @ value / worth.sum())


def paths_of(case, assets, rows):
    """The windows of some cohorts as simulated paths."""
    first = case.close.index.get_indexer(case.calendar["start"])[rows]
    closes, lows = np.empty((2, len(rows), 38, len(assets)))
    for n, at in enumerate(first):
        opening = case.close[assets].iloc[at]
        closes[n] = case.close[assets].iloc[at : at + 38] / opening
        lows[n] = case.low[assets].iloc[at : at + 38] / opening
        lows[n, 0] = 1.0
    return Paths(closes, lows, tuple(assets), case.bar)


@pytest.mark.parametrize("name", ["plain", "venue", "compound"])
def test_simulated_paths_are_run_like_history(name):
    case = study(*market(), **CASES[name])
    without = replace(case, universe=case.universe.assign(NEW=False))
    history = cohorts.run(replace(without, calendar=case.calendar.iloc[[1, 4, 6]]))
    made = cohorts.simulated(case, paths_of(case, ["USDC", "ETH", "BTC"], [1, 4, 6]))
    assert made.outcomes["start"].tolist() == [0, 1, 2]
    same = made.outcomes.columns.drop(["start", "kind"])
    pd.testing.assert_frame_equal(made.outcomes[same], history.outcomes[same])
    np.testing.assert_array_equal(made.losses, history.losses)
    pd.testing.assert_frame_equal(made.waits, history.waits)
    assert made.outcomes["repaid"].min() > 0.0


def test_simulated_windows_are_counted_in_bars_of_the_paths():
    case = study(*market(), window="20h")
    hourly = replace(paths_of(case, ["BTC", "ETH", "USDC"], [0]), bar=pd.Timedelta("1h"))
    assert cohorts.simulated(case, hourly).losses.shape == (1, 20)


def planted(first):
    close, low = market()
    changed = close.copy(), low.copy()
    for frame in changed:
        frame.iloc[first:, :2] *= 0.05
    listed = cohorts.listed(close)
    one = cohorts.calendar(close.index, crises={}).iloc[:3]
    return [
        cohorts.run(study(*prices, calendar=one, universe=listed, conduct=LATE))
        for prices in ((close, low), changed)
    ]


def test_what_comes_after_a_cohort_changes_nothing_of_it():
    before, after = planted(14 + 30 + 7 + 1)
    pd.testing.assert_frame_equal(before.outcomes, after.outcomes)
    np.testing.assert_array_equal(before.losses, after.losses)
    before, after = planted(14 + 30 + 1)  # within the recovery window of the last cohort
    early = [name for name in before.outcomes if not name.startswith("premature")]
    pd.testing.assert_frame_equal(before.outcomes[early], after.outcomes[early])
    assert (before.outcomes["premature"] > after.outcomes["premature"]).any()
    before, after = planted(14 + 30)
    assert after.outcomes["bad_debt"].tolist()[:2] == before.outcomes["bad_debt"].tolist()[:2]
    assert after.outcomes["bad_debt"].iloc[2] > before.outcomes["bad_debt"].iloc[2] + 0.1


def test_a_threshold_holds_from_the_bar_after_it_is_known():
    close, low = market()
    case = study(close, low, calendar=cohorts.calendar(close.index, crises={}).iloc[[2]])
    given = cohorts.run(case).outcomes
    for when, moves in ((44, False), (43, True)):  # the last bar of the window, and one before
        cut = pd.DataFrame({"BTC": [0.85, 0.3]}, close.index[[0, when]])
        made = cohorts.run(replace(case, thresholds=cut)).outcomes
        assert (made["lowered"].item() > 0.0) == moves
        assert made["repaid"].equals(given["repaid"]) != moves
        assert made["capital_efficiency"].equals(given["capital_efficiency"])


def test_the_universe_is_that_of_the_opening():
    close, low = market()
    case = study(close, low)
    made = cohorts.run(case).outcomes
    never = cohorts.run(replace(case, universe=case.universe.assign(NEW=False))).outcomes
    opened = case.universe["NEW"].loc[case.calendar["start"]].to_numpy()
    assert 0 < opened.sum() < len(opened)
    pd.testing.assert_frame_equal(made[~opened], never[~opened])
    assert (made["capital_efficiency"] != never["capital_efficiency"])[opened].all()


def test_waits_are_those_of_weekly_cohorts():
    close, low = market()
    calendar = cohorts.calendar(close.index, crises={"fall": "2022-02-20"})
    whole = study(close, low, calendar=calendar)
    made = cohorts.run(whole)
    assert made.outcomes["kind"].value_counts().to_dict() == {"weekly": 13, "fall": 3}
    pd.testing.assert_frame_equal(made.waits, cohorts.run(whole.weekly).waits)
    assert made.waits["wait"].max() <= pd.Timedelta("1h")
    assert cohorts.run(whole.crises).waits.empty


def test_one_specialisation_serves_every_layout_of_the_prices():
    close, low = market()
    _kernels.warm_up()
    cohorts.run(study(close, low))
    columns = pd.DataFrame(np.asfortranarray(close.to_numpy()), close.index, ASSETS)
    cohorts.run(study(columns, low.astype(float)))
    assert len(_kernels.replay.signatures) == 1


def test_a_price_missing_inside_a_window_is_named():
    close, low = market()
    close.iloc[90, 1] = np.nan
    with pytest.raises(DataError, match="ETH was listed"):
        cohorts.run(study(close, low))


def test_a_calendar_of_other_prices_is_refused():
    close, low = market()
    other = cohorts.calendar(close.index + pd.Timedelta("300D"), crises={})
    with pytest.raises(ParameterError, match="outside the prices"):
        cohorts.run(study(close, low, calendar=other))


def test_compare_names_its_cases():
    close, low = market()
    whole = study(close, low, calendar=cohorts.calendar(close.index, crises={"fall": "2022-02-20"}))
    made = cohorts.compare({"a": whole, "b": whole.weekly}, by="case")
    assert made["case"].value_counts().to_dict() == {"a": 16, "b": 13}
    weekly = made[made["kind"] == "weekly"].set_index("case")
    first, second = (weekly.loc[name].reset_index(drop=True) for name in "ab")
    pd.testing.assert_frame_equal(first, second)
