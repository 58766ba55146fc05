"""Exponential weights: the plain recursion, scale, look-ahead, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tests.estimators.samples import dates
from tests.estimators.volatility.plain import holed, simulate
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import volatility


def test_ewma_is_the_riskmetrics_recursion(frame):
    ours = volatility.ewma(frame, decay=0.9, minimum=5)
    for asset in frame:
        total = weight = 0.0
        for t, r in enumerate(frame[asset].dropna()):
            total, weight = 0.9 * total + r**2, 0.9 * weight + 1.0
            date = frame[asset].dropna().index[t]
            expected = np.sqrt(total / weight) if t >= 4 else np.nan
            assert ours.loc[date, asset] == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert ours["B"].isna().to_numpy()[:44].all()
    assert ours["B"].isna().to_numpy()[-25:].all()


@given(st.floats(0.01, 1e4), st.floats(0.5, 0.99))
@settings(max_examples=20, deadline=None)
def test_ewma_scales_with_its_returns(scale, decay):
    returns = pd.DataFrame({"A": simulate(80, 8)}, index=dates(80))
    one, scaled = volatility.ewma(returns, decay), volatility.ewma(scale * returns, decay)
    assert_allclose(scaled, scale * one, rtol=1e-9)


@pytest.mark.parametrize("jump", [-0.6, 3.0])
def test_a_planted_jump_moves_nothing_before_it(frame, jump):
    at, moved = 245, frame.copy()
    moved.iloc[at] += jump
    ours, theirs = volatility.ewma(frame), volatility.ewma(moved)
    pd.testing.assert_frame_equal(ours.iloc[:at], theirs.iloc[:at], check_exact=True)
    assert (theirs.iloc[at] > ours.iloc[at]).all()


def test_ewma_refuses(frame):
    for decay in (0.0, 1.0, 94, np.nan, "0.94"):
        with pytest.raises(ParameterError, match="decay"):
            volatility.ewma(frame, decay=decay)
    with pytest.raises(EstimationError, match="missing returns inside"):
        volatility.ewma(holed(frame, 100))
    assert volatility.ewma(frame.iloc[[50]]).isna().all(axis=None)
