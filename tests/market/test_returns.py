import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xcoll.errors import DataError, ParameterError
from xcoll.market import returns

DAY, HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)


def frame(values, start="2020-01-01"):
    values = np.atleast_2d(np.asarray(values, dtype=float).T).T
    names = ["BTC", "ETH", "BNB"][: values.shape[1]]
    return pd.DataFrame(values, pd.date_range(start, periods=len(values)), names)


def test_returns_by_hand():
    close = frame([100.0, 110.0, 55.0])
    assert returns.simple_returns(close)["BTC"].tolist()[1:] == pytest.approx([0.1, -0.5])
    assert returns.log_returns(close)["BTC"].tolist()[1:] == pytest.approx(
        [np.log(1.1), np.log(0.5)]
    )
    assert returns.log_returns(close).iloc[0].isna().all()


def test_a_missing_price_leaves_two_returns_missing_and_fills_nothing():
    close = frame([100.0, np.nan, 121.0, 133.1])
    for kind in (returns.log_returns, returns.simple_returns):
        assert kind(close)["BTC"].isna().tolist() == [True, True, True, False]


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(float, (12, 2), elements=st.floats(0.01, 1e6)))
def test_log_and_simple_returns_tell_the_same_path(values):
    close = frame(values)
    log, simple = returns.log_returns(close), returns.simple_returns(close)
    assert np.allclose(np.expm1(log.iloc[1:]), simple.iloc[1:])
    assert np.allclose(np.exp(log.sum()), close.iloc[-1] / close.iloc[0])


def test_a_later_price_moves_no_earlier_return():
    close = frame([100.0, 101.0, 99.0, 98.0])
    jumped = close.copy()
    jumped.iloc[3] = 1e6
    pd.testing.assert_frame_equal(
        returns.log_returns(close).iloc[:3], returns.log_returns(jumped).iloc[:3]
    )


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf])
def test_a_price_that_is_none_is_refused_with_asset_and_time(bad):
    with pytest.raises(DataError, match=r"ETH at 2020-01-02.*not a positive finite"):
        returns.log_returns(frame([[1.0, 1.0], [1.0, bad], [1.0, 1.0]]))


def test_bars_per_year_has_365_days():
    assert returns.bars_per_year(DAY) == 365
    assert returns.bars_per_year(HOUR) == 8760
    assert returns.bars_per_year(pd.Timedelta(minutes=15)) == 35040


def test_bars_in_a_horizon():
    assert returns.bars_in("4h", HOUR) == 4
    assert returns.bars_in("7D", DAY) == 7
    assert returns.bars_in(pd.Timedelta(hours=24), DAY) == 1


@pytest.mark.parametrize(
    ("horizon", "bar", "words"),
    [
        ("4h", DAY, r"shorter than a bar.*1D.*scaled"),
        ("36h", DAY, r"no multiple.*take 1D or 2D"),
        ("90min", HOUR, r"no multiple.*take 1h or 2h"),
        ("5", DAY, r"with its unit"),
        ("-1D", DAY, r"above zero"),
        (5, DAY, r"with its unit"),
    ],
)
def test_horizons_that_no_whole_bars_make_are_refused(horizon, bar, words):
    with pytest.raises(ParameterError, match=words):
        returns.bars_in(horizon, bar)


def test_annualised_volatility_of_a_day_is_root_365_and_of_an_hour_root_8760():
    assert returns.annualise(0.04, DAY) == pytest.approx(0.04 * 365**0.5)
    hourly = returns.annualise(pd.Series([0.01, 0.02]), HOUR)
    assert hourly.tolist() == pytest.approx([0.01 * 8760**0.5, 0.02 * 8760**0.5])
