"""Replay of a book: worked paths by hand, what its tables say, and bad input."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.liquidation.worked import BREACH, book_of, one_account, parameters, prices
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import ParameterError
from xcoll.liquidation import engines
from xcoll.liquidation.engines import Account
from xcoll.liquidation.replay import Conduct, low_prices, rates, replay
from xcoll.liquidation.rulebooks import RULEBOOKS, Compound
from xcoll.liquidation.world import Keepers, Oracle, World

HOURS = pd.Timedelta("1h")


def of(closes, lows=None, freq="D", debt=7_500.0, **conduct):
    close, low = prices(closes, lows, freq)
    return replay(one_account(debt), close, low, parameters(), Conduct(**conduct))


def account_of(result):
    return result.accounts.loc["a"]


# Worked paths.


def test_untouched_while_healthy():
    result = of([1_000, 950, 920, 1_000])
    account = account_of(result)
    assert account["calls"] == 0
    assert pd.isna(account["breach"])
    assert pd.isna(account["wait"])
    assert result.left.debt[0, 1] == 7_500
    assert not result.bars.to_numpy().any()


def test_breach_is_filled_at_health_one():
    result = of([1_000, 900], fill="breach")
    account = account_of(result)
    assert account["repaid"] == pytest.approx(3_750)
    assert result.assets.loc["ETH", "seized"] == pytest.approx(3_750 * 1.05 / BREACH, rel=1e-6)
    assert account["wait"] == pd.Timedelta(0)


def test_low_is_filled_at_the_low():
    result = of([1_000, 950], [1_000, 900], fill="low")
    account = account_of(result)
    assert account["repaid"] == pytest.approx(3_750)
    assert account["seized"] == pytest.approx(3_937.5)
    assert result.assets.loc["ETH", "seized"] == pytest.approx(4.375)
    assert account["fee"] == pytest.approx(0.1 * 0.05 * 3_750)
    assert result.bars["liquidated"].tolist() == pytest.approx([3_937.5])


def test_path_serves_at_the_first_step_under_the_breach():
    result = of([1_000, 950], [1_000, 850])
    steps = 1_000 * 0.85 ** (np.arange(13) / 12)
    first = steps[steps < BREACH][0]
    assert result.assets.loc["ETH", "seized"] == pytest.approx(3_750 * 1.05 / first)
    account = account_of(result)
    assert pd.Timedelta("6h") < account["breach"] <= pd.Timedelta("8h")
    assert pd.Timedelta(0) < account["wait"] <= pd.Timedelta("1h")


def test_the_moment_of_the_breach_lies_on_the_straight_line_of_its_step():
    prompt = account_of(of([1_000, 800], steps=1))
    assert prompt["breach"] == pytest.approx(pd.Timedelta("1D") * (1_000 - BREACH) / 200, rel=1e-9)
    assert abs(prompt["breach"] + prompt["wait"] - pd.Timedelta("1D")) <= pd.Timedelta("1us")


@pytest.mark.parametrize(
    "world", [World(Oracle("90min")), World(keepers=Keepers("90min"))], ids=["oracle", "keepers"]
)
def test_lag_and_response_move_the_service_on_by_whole_steps(world):
    late = of([1_000, 950], [1_000, 800], world=world)
    prompt = of([1_000, 950], [1_000, 800])
    gaps = [account_of(r)["breach"] + account_of(r)["wait"] for r in (prompt, late)]
    assert gaps[1] - gaps[0] == pd.Timedelta("2h")


def test_a_response_reaches_into_the_next_bar_and_lapses_on_recovery():
    fall = of([1_000, 905, 904], world=World(keepers=Keepers("13h")))
    assert account_of(fall)["bar"] == 2
    lapsed = of([1_000, 905, 1_000], world=World(keepers=Keepers("30h")))
    assert account_of(lapsed)["calls"] == 0


def test_deficit_is_the_worked_number():
    result = of([1_000, 500], fill="low")
    # The close is the low, so half the path is there already: seized at 500.
    assert account_of(result)["deficit"] == pytest.approx(2_738.095238, abs=5e-7)
    assert result.assets.loc["USDC", "deficit"] == pytest.approx(2_738.095238, abs=5e-7)
    assert result.bars["deficit"].tolist() == pytest.approx([2_738.095238], abs=5e-7)


def test_what_is_owed_runs_straight_and_its_rise_alone_can_breach():
    close, low = prices([1_000, 1_000])
    close.loc[close.index[1], "USDC"] = 1.12  # the debt asset appreciates
    result = replay(one_account(), close, low, parameters(), Conduct(fill="breach"))
    assert account_of(result)["repaid"] == pytest.approx(3_750 * 8_250 / 7_500, rel=1e-6)
    assert result.assets.loc["USDC", "extinguished"] == pytest.approx(3_750, rel=1e-6)


def test_interest_alone_can_breach():
    world = World(interest={"USDC": 1.0})
    result = of([1_000] * 61, world=world)
    account = account_of(result)
    expected = pd.Timedelta("365D") * np.log(8_250 / 7_500)
    assert abs(account["breach"] - expected) < HOURS
    assert result.assets.loc["USDC", "extinguished"] == pytest.approx(3_750)  # in units of debt
    assert account["repaid"] == pytest.approx(3_750 * 1.1, rel=1e-3)


def test_hourly_bars_work_the_same():
    account = account_of(of(1_000 * 0.85 ** (np.arange(25) / 24), freq="h"))
    assert account["wait"] <= pd.Timedelta("150s")
    assert account["repaid"] == pytest.approx(3_750)


def test_premature_and_its_limits():
    ways = {
        "recovered": [1_000, 905, 900, 1_000, 1_000],
        "too late": [1_000, 905, 890, 890, 890, 1_000],
        "insolvent": [1_000, 905, 740, 1_000, 1_000],
    }
    early = {way: of(closes, fill="low", within="3D") for way, closes in ways.items()}
    flags = {way: bool(account_of(result)["premature"]) for way, result in early.items()}
    assert flags == {"recovered": True, "too late": False, "insolvent": False}


def test_paper_loss_is_read_at_the_low():
    """An oracle a day late: under water at the low, and not yet served."""
    result = of([1_000, 950], [1_000, 700], world=World(Oracle("1D")))
    assert result.bars["paper"].tolist() == pytest.approx([500.0])
    assert account_of(result)["under"] == 0


def test_under_water_at_the_end():
    result = of([1_000, 700], world=World(Oracle("1D")))
    assert account_of(result)["under"] == pytest.approx(500)
    assert account_of(result)["deficit"] == 0


def test_who_waits_at_the_close_is_read_there():
    result = of([1_000, 900, 890, 1_000], world=World(keepers=Keepers(gas=1e6)))
    assert result.bars["waiting"].tolist() == pytest.approx([7_500, 7_500, 0])


def test_a_lowered_threshold_is_told_from_a_fall():
    close, low = prices([1_000, 1_000, 1_000])
    path = pd.DataFrame({"ETH": [0.825, 0.7]}, close.index[:2])
    lowered = replay(one_account(), close, low, parameters(), thresholds=path)
    assert account_of(lowered)["lowered"]
    assert account_of(lowered)["bar"] == 2
    fallen = of([1_000, 900])
    assert not account_of(fallen)["lowered"]


def test_a_scale_stands_for_a_threshold():
    close, low = prices([1_000, 930])
    halved = replay(one_account(), close, low, parameters(), scale=np.array([0.95]))
    same = replay(one_account(), close, low, parameters(threshold=0.95 * 0.825))
    assert account_of(halved)["calls"] == 1
    np.testing.assert_allclose(halved.account, same.account, rtol=1e-12)


# Tables.


def test_waits_are_in_nanoseconds_beside_dollars():
    result = of([1_000, 950], [1_000, 850])
    assert result.waits.shape == (2, 1)
    assert result.waits[0, 0] == pytest.approx(account_of(result)["wait"].value, abs=1_000)
    assert result.waits[1, 0] == account_of(result)["repaid"]
    assert of([1_000, 990]).waits.shape == (2, 0)


def test_tables_have_their_names():
    result = of([1_000, 900, 880])
    assert list(result.bars.columns) == ["liquidated", "deficit", "paper", "waiting", "covered"]
    assert list(result.bars.index) == list(result.times)
    assert list(result.assets.index) == ["ETH", "USDC"]
    assert result.accounts.index.tolist() == ["a"]
    assert result.left.assets == ["ETH", "USDC"]
    assert result.left.collateral[0, 0] == result.collateral[0, 0]


def test_low_prices_from_excursions():
    close, _ = prices([1_000, 900, 990])
    excursion = pd.DataFrame({"ETH": [np.nan, np.log(0.8), np.nan]}, close.index)
    low = low_prices(close, excursion)
    assert low["ETH"].tolist()[1:] == pytest.approx([800, 900])
    assert low["USDC"].tolist()[1:] == [1, 1]
    assert low.iloc[0].isna().all()


def test_rates_follow_the_order_of_the_assets():
    given = rates(["USDC", "ETH"], parameters())
    assert given.threshold.tolist() == [0.0, 0.825]
    assert given.bonus.tolist() == [0.0, 0.05]
    assert given.fee.tolist() == [0.0, 0.1]
    assert given.path is None


def test_a_path_of_thresholds_is_known_a_bar_later():
    times = pd.date_range("2022-01-01", periods=5)
    path = pd.DataFrame({"ETH": [0.8, np.nan, 0.7]}, times[[1, 2, 3]])
    given = rates(["ETH", "USDC"], parameters(), path, times)
    assert given.path[:, 0].tolist() == [0.825, 0.8, 0.8, 0.7]
    assert not given.path[:, 1].any()
    assert given.threshold.tolist() == [0.825, 0.0]
    with pytest.raises(ParameterError, match="fractions"):
        rates(["ETH"], parameters(), path + 0.3, times)


# Edges.


@pytest.mark.parametrize("name", RULEBOOKS)
@pytest.mark.parametrize("size", [1e-12, 1e-3, 1e9, 1e15])
def test_balances_of_any_size(name, size):
    """No account is too large or too small for the rules: every unit is still somewhere."""
    book = book_of(["ETH", "USDC"], [[10.0 * size, 0]], [[0, 7_500.0 * size]])
    close, low = prices([1_000, 850, 700, 400])
    result = replay(book, close, low, parameters(), Conduct(RULEBOOKS[name]()))
    assert result.column("calls")[0] >= 1
    units = result.assets
    after = result.collateral[0] + units["seized"]
    np.testing.assert_allclose(after, book.collateral[0], rtol=1e-12)
    after = result.debt[0] + units["extinguished"] + units["deficit"]
    np.testing.assert_allclose(after, book.debt[0], rtol=1e-12)


@pytest.mark.parametrize("name", RULEBOOKS)
def test_an_account_without_debt_is_left_alone(name):
    close, low = prices([1_000, 10, 1])
    book = one_account(debt=0.0)
    result = replay(book, close, low, parameters(), Conduct(RULEBOOKS[name]()))
    assert not result.account.any()
    assert result.collateral[0, 0] == 10.0


def test_collateral_without_a_threshold_backs_nothing_and_pays_nobody():
    close, low = prices([1_000, 990])
    none = RiskParameters(parameters().frame.rename({"ETH": "BTC"}))
    result = replay(one_account(), close, low, none)
    assert account_of(result)["calls"] == 0
    assert result.bars["waiting"].tolist() == [7_500]
    taken = replay(one_account(), close, low, none, Conduct(Compound()))
    assert account_of(taken)["calls"] == 1


def test_an_asset_that_nobody_holds_needs_no_price():
    close, low = prices([1_000, 850])
    book = book_of(["ETH", "USDC", "X"], [[10, 0, 0]], [[0, 7_500, 0]])
    result = replay(book, close, low, parameters())
    assert account_of(result)["calls"] == 1


def test_one_service_by_hand():
    """The readable engine at the price of the close, with one step a bar."""
    result = of([1_000, 880], steps=1)
    account = Account(
        np.array([10.0, 0.0]),
        np.array([0.0, 7_500.0]),
        np.array([880.0, 1.0]),
        np.array([880.0, 1.0]),
        np.array([0.825, 0.0]),
    )
    engine = engines.Aave(account.thresholds, np.array([0.05, 0]), np.array([0.1, 0]))
    done = engines.serve(engine, account)
    np.testing.assert_allclose(result.collateral[0], done.collateral, rtol=1e-12)
    np.testing.assert_allclose(result.debt[0], done.debt, rtol=1e-12)


def test_the_opening_is_left_as_it_was():
    book = one_account()
    before = replace(book, collateral=book.collateral.copy(), debt=book.debt.copy())
    close, low = prices([1_000, 500])
    replay(book, close, low, parameters())
    assert np.array_equal(book.collateral, before.collateral)
    assert np.array_equal(book.debt, before.debt)
