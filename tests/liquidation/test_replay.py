"""Replay of a book: worked paths by hand, bounds, look-ahead and bad input."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation.replay import Conduct, low_prices, replay


def parameters(threshold=0.825, bonus=0.05, fee=0.1):
    return RiskParameters(
        pd.DataFrame(
            {
                "ltv": [threshold * 0.9],
                "threshold": [threshold],
                "bonus": [bonus],
                "protocol_fee": [fee],
            },
            index=["ETH"],
        )
    )


def one_account(debt=7_500.0):
    return Book(["ETH", "USDC"], np.array([[10.0, 0.0]]), np.array([[0.0, debt]]), np.array(["a"]))


def market(closes, lows=None, freq="D"):
    index = pd.date_range("2022-01-01", periods=len(closes), freq=freq)
    close = pd.DataFrame({"ETH": np.asarray(closes, dtype=float), "USDC": 1.0}, index)
    low = np.minimum(close, close.shift(1)).fillna(close)
    if lows is not None:
        low["ETH"] = np.asarray(lows, dtype=float)
    return close, low


BREACH = 7_500 / 8.25  # the price at which health is 1


def test_untouched_while_healthy():
    result = replay(one_account(), *market([1_000, 950, 920, 1_000]), parameters())
    assert result.accounts.loc["a", "calls"] == 0
    assert pd.isna(result.accounts.loc["a", "breach"])
    assert result.left.debt[0, 1] == 7_500


def test_breach_is_filled_at_health_one():
    result = replay(one_account(), *market([1_000, 900]), parameters(), Conduct("breach"))
    account = result.accounts.loc["a"]
    assert account["repaid"] == pytest.approx(3_750)
    assert result.assets.loc["ETH", "seized"] == pytest.approx(3_750 * 1.05 / BREACH, rel=1e-6)
    assert account["wait"] == pd.Timedelta(0)


def test_low_is_filled_at_the_low():
    result = replay(
        one_account(), *market([1_000, 950], [1_000, 900]), parameters(), Conduct("low")
    )
    assert result.accounts.loc["a", "repaid"] == pytest.approx(3_750)
    assert result.assets.loc["ETH", "seized"] == pytest.approx(4.375)
    assert result.accounts.loc["a", "fee"] == pytest.approx(0.1 * 0.05 * 3_750)


def test_path_serves_at_the_first_sub_step_under_the_breach():
    close, low = market([1_000, 950], [1_000, 850])
    result = replay(one_account(), close, low, parameters())
    prices = 1_000 * 0.85 ** (np.arange(13) / 12)
    first = prices[prices < BREACH][0]
    assert result.assets.loc["ETH", "seized"] == pytest.approx(3_750 * 1.05 / first)
    account = result.accounts.loc["a"]
    assert pd.Timedelta("6h") < account["breach"] <= pd.Timedelta("8h")
    assert pd.Timedelta(0) < account["wait"] <= pd.Timedelta("1h")


def test_oracle_delay_moves_the_service_on():
    close, low = market([1_000, 950], [1_000, 800])
    prompt = replay(one_account(), close, low, parameters())
    late = replay(one_account(), close, low, parameters(), Conduct(delay="90min"))
    gap = late.accounts.loc["a", "wait"] - prompt.accounts.loc["a", "wait"]
    assert gap == pd.Timedelta("2h")  # rounded up to whole sub-steps of one hour


def test_delay_reaches_into_the_next_bar_and_lapses_on_recovery():
    fall = market([1_000, 905, 904])
    late = replay(one_account(), *fall, parameters(), Conduct(delay="13h"))
    assert late.accounts.loc["a", "bar"] == 2
    rebound = market([1_000, 905, 1_000])
    lapsed = replay(one_account(), *rebound, parameters(), Conduct(delay="30h"))
    assert lapsed.accounts.loc["a", "calls"] == 0


def test_deficit_is_the_worked_number():
    result = replay(one_account(), *market([1_000, 500]), parameters(), Conduct("low"))
    # The close is the low, so half the path is there already: seized at 500.
    assert result.accounts.loc["a", "deficit"] == pytest.approx(2_738.095238, abs=5e-7)
    assert result.assets.loc["USDC", "deficit"] == pytest.approx(2_738.095238, abs=5e-7)
    assert result.bars["deficit"].tolist() == pytest.approx([2_738.095238], abs=5e-7)


def test_bounds_hold_the_path_between_them():
    rng = np.random.default_rng(3)
    for _ in range(20):
        closes = 1_000 * np.exp(np.cumsum(np.r_[0, rng.normal(-0.02, 0.08, 20)]))
        lows = np.minimum(closes, np.r_[closes[0], closes[:-1]]) * rng.uniform(0.8, 1, 21)
        lows[0] = closes[0]
        lost = [
            replay(one_account(), *market(closes, lows), parameters(), Conduct(fill)).units[2].sum()
            for fill in ("breach", "path", "low")
        ]
        assert lost[0] <= lost[1] + 1e-6
        assert lost[0] <= lost[2] + 1e-6


def test_daily_bounds_hold_the_hourly_truth():
    """Hours whose days have the same closes and lows: their loss lies between the two bounds."""
    rng = np.random.default_rng(9)
    lost = {"breach": 0.0, "hourly": 0.0, "low": 0.0}
    for _ in range(60):
        steps = rng.standard_t(3, 24 * 10) * 0.012 - 0.001
        hours = 1_000 * np.exp(np.cumsum(np.r_[0, steps]))
        truth = replay(one_account(7_900), *market(hours, freq="h"), parameters())
        lost["hourly"] += truth.column("deficit").sum()
        days = np.r_[hours[0], hours[24::24]]
        lows = np.r_[hours[0], [hours[k : k + 25].min() for k in range(0, 240, 24)]]
        for fill in ("breach", "low"):
            daily = replay(one_account(7_900), *market(days, lows), parameters(), Conduct(fill))
            lost[fill] += daily.column("deficit").sum()
    assert lost["breach"] <= lost["hourly"] < lost["low"]
    assert lost["low"] > 1_000


def test_what_is_owed_runs_straight_and_its_rise_alone_can_breach():
    close, low = market([1_000, 1_000])
    close.loc[close.index[1], "USDC"] = 1.12  # the debt asset appreciates
    result = replay(one_account(), close, low, parameters(), Conduct("breach"))
    crossing = 8_250 / 7_500
    assert result.accounts.loc["a", "repaid"] == pytest.approx(3_750 * crossing, rel=1e-6)
    assert result.assets.loc["USDC", "repaid"] == pytest.approx(3_750, rel=1e-6)


def test_hourly_bars_work_the_same():
    prices = 1_000 * 0.85 ** (np.arange(25) / 24)
    hourly = replay(one_account(), *market(prices, freq="h"), parameters())
    account = hourly.accounts.loc["a"]
    assert account["wait"] <= pd.Timedelta("150s")
    assert account["repaid"] == pytest.approx(3_750)


def test_premature_and_its_limits():
    closed = Conduct("low", within="3D")
    recovered = market([1_000, 905, 900, 1_000, 1_000])
    too_late = market([1_000, 905, 890, 890, 890, 1_000])
    insolvent = market([1_000, 905, 740, 1_000, 1_000])
    early = [
        bool(replay(one_account(), *prices, parameters(), closed).column("premature")[0])
        for prices in (recovered, too_late, insolvent)
    ]
    assert early == [True, False, False]


def test_rows_beyond_the_window_only_judge():
    close, low = market([1_000, 905, 900, 1_000, 600])
    inside = replay(one_account(), close.iloc[:3], low.iloc[:3], parameters())
    beyond = replay(one_account(), close, low, parameters(), bars=2)
    assert np.array_equal(inside.collateral, beyond.collateral)
    assert (inside.column("premature")[0], beyond.column("premature")[0]) == (0.0, 1.0)


def test_a_planted_jump_changes_nothing_before_it():
    rng = np.random.default_rng(5)
    closes = 1_000 * np.exp(np.cumsum(np.r_[0, rng.normal(-0.01, 0.05, 20)]))
    planted = closes.copy()
    planted[13:] *= 0.3
    before = replay(one_account(), *market(closes), parameters(), Conduct(delay="2h"))
    after = replay(one_account(), *market(planted), parameters(), Conduct(delay="2h"))
    pd.testing.assert_frame_equal(before.bars.iloc[:12], after.bars.iloc[:12])
    assert not before.bars.iloc[12:].equals(after.bars.iloc[12:])


def test_paper_loss_is_read_at_the_low():
    """An oracle a day late: the account stands under water at the low and has not been served."""
    close, low = market([1_000, 950], [1_000, 700])
    result = replay(one_account(), close, low, parameters(), Conduct(delay="1D"))
    assert result.bars["paper"].tolist() == pytest.approx([500.0])
    assert result.accounts.loc["a", "under"] == 0


def test_under_water_at_the_end():
    close, low = market([1_000, 700])
    result = replay(one_account(), close, low, parameters(), Conduct(delay="1D"))
    assert result.accounts.loc["a", "under"] == pytest.approx(500)
    assert result.accounts.loc["a", "deficit"] == 0


def test_low_prices_from_excursions():
    close, _ = market([1_000, 900, 990])
    excursion = pd.DataFrame({"ETH": [np.nan, np.log(0.8), np.nan]}, close.index)
    low = low_prices(close, excursion)
    assert low["ETH"].tolist()[1:] == pytest.approx([800, 900])
    assert low["USDC"].tolist()[1:] == [1, 1]
    assert low.iloc[0].isna().all()


def test_low_prices_refuses_an_excursion_above_the_close():
    close, _ = market([1_000, 900, 990])
    excursion = pd.DataFrame({"ETH": [np.nan, np.log(0.95), -0.1]}, close.index)
    with pytest.raises(DataError, match="low of ETH at 2022-01-02"):
        low_prices(close, excursion)
    with pytest.raises(DataError, match="different times"):
        low_prices(close, excursion.iloc[1:])


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(1, "ETH", np.nan), (2, "ETH", -1.0), (2, "USDC", 0.0), (1, "ETH", np.inf)],
)
def test_bad_prices_are_named(row, column, value):
    close, low = market([1_000, 990, 980])
    close.iloc[row, close.columns.get_loc(column)] = value
    with pytest.raises(DataError, match=f"{column} at 2022-01-0{row + 1}"):
        replay(one_account(), close, low, parameters())


def test_a_low_above_its_close_is_refused():
    close, low = market([1_000, 990, 980], [1_000, 990, 985])
    with pytest.raises(DataError, match="at or under both closes"):
        replay(one_account(), close, low, parameters())


def test_an_asset_without_prices_is_refused():
    close, low = market([1_000, 990])
    with pytest.raises(DataError, match="USDC"):
        replay(one_account(), close[["ETH"]], low, parameters())


def test_too_few_rows_are_refused():
    close, low = market([1_000])
    with pytest.raises(ParameterError, match="rows"):
        replay(one_account(), close, low, parameters())
    with pytest.raises(ParameterError, match="rows"):
        replay(one_account(), *market([1_000, 990]), parameters(), bars=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"fill": "middle"},
        {"steps": 12},
        {"steps": 25},
        {"delay": "0h"},
        {"delay": 3},
        {"within": "seven"},
    ],
)
def test_conduct_is_checked(changes):
    with pytest.raises(ParameterError):
        Conduct(**changes)
