import pandas as pd
import pytest

from xcoll.collateral import liquidity
from xcoll.errors import ParameterError

HOUR = pd.Timedelta("1h")
NONE = pd.Timedelta(0)


def test_close_out_is_the_sum_of_its_parts():
    plan = liquidity.close_out(1e7, 6e8, 0.1, HOUR, pd.Timedelta("15min"))
    assert plan.position_usd == 1e7
    assert plan.queue == pd.Timedelta("4h")
    assert plan.total == pd.Timedelta("5h15min")
    assert plan.horizon == "24h"


def test_close_out_caps_the_position_at_what_clears_in_a_day():
    plan = liquidity.close_out(1e7, 6.5e6, 0.1, HOUR, pd.Timedelta("3.3s"))
    assert plan.position_usd == pytest.approx(0.65e6 * (23 - 3.3 / 3600) / 24)
    assert plan.total == pd.Timedelta("24h")
    assert plan.horizon == "24h"
    with pytest.raises(ParameterError, match=r"finality 0 days 12:00:00 leave no time to sell"):
        liquidity.close_out(1e7, 6.5e6, 0.1, pd.Timedelta("12h"), pd.Timedelta("12h"))


def test_a_redemption_is_reported_and_waited_for_only_where_it_must_be():
    five = pd.Timedelta("5D")
    sold = liquidity.close_out(1e7, 6e8, 0.1, HOUR, NONE, five)
    assert sold.redemption == five
    assert sold.total == pd.Timedelta("5h")
    redeemed = liquidity.close_out(
        1e7, 6e8, 0.1, HOUR, NONE, five, redeem=True, horizons=("24h", "7D")
    )
    assert redeemed.total == pd.Timedelta("5D5h")
    assert redeemed.horizon == "7D"
    assert redeemed.position_usd == 1e7
    with pytest.raises(ParameterError, match=r"redemption 5 days.*give a longer horizon"):
        liquidity.close_out(1e7, 6e8, 0.1, HOUR, NONE, five, redeem=True)


def test_a_row_is_in_hours():
    plan = liquidity.close_out(1e7, 6e8, 0.1, HOUR, pd.Timedelta("15min"), pd.Timedelta("2D"))
    assert plan.row == {
        "position_usd": 1e7, "oracle": 1.0, "queue": 4.0, "finality": 0.25, "redemption": 48.0,
        "total": 5.25, "horizon": "24h",
    }  # fmt: skip


def test_the_horizon_is_the_smallest_that_covers():
    assert liquidity.covering_horizon(pd.Timedelta("1min")) == "1h"
    assert liquidity.covering_horizon(pd.Timedelta("4h")) == "4h"
    assert liquidity.covering_horizon(pd.Timedelta("4h1s")) == "24h"
    with pytest.raises(ParameterError, match="longer than 24h"):
        liquidity.covering_horizon(pd.Timedelta("25h"))


def test_what_clears_in_the_time_left_takes_that_time():
    size = liquidity.largest_clearing(pd.Timedelta("5h"), 6.5e6, 0.1)
    assert liquidity.clearing_time(size, 6.5e6, 0.1) == pd.Timedelta("5h")
    with pytest.raises(ParameterError, match="time left"):
        liquidity.largest_clearing(pd.Timedelta("-1h"), 6.5e6, 0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position_usd": 0.0}, "position is 0"),
        ({"adv_usd": 0.0}, "daily volume is 0"),
        ({"participation": 0.0}, "selling rate is 0"),
        ({"participation": 10.0}, r"participation is 10.*0\.1"),
        ({"oracle": pd.Timedelta("-1h")}, "oracle is -1 days"),
        ({"finality": pd.Timedelta("-1s")}, "finality is -1 days"),
        ({"redemption": pd.Timedelta("-1s")}, "redemption is -1 days"),
    ],
)
def test_bad_close_outs_are_named(changes, words):
    given = {
        "position_usd": 1e6, "adv_usd": 1e8, "participation": 0.1, "oracle": HOUR, "finality": NONE
    }  # fmt: skip
    with pytest.raises(ParameterError, match=words):
        liquidity.close_out(**(given | changes))
