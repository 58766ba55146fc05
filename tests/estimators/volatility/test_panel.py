"""Fits of many assets in frames: each is `fit` of its column."""

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tests.estimators.volatility.plain import holed
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import volatility


@pytest.mark.parametrize(("model", "errors"), [("garch", "normal"), ("gjr", "t"), ("egarch", "t")])
def test_each_column_is_its_own_fit(frame, model, errors):
    panel = volatility.fit_each(frame, model, errors)
    for asset in frame:
        alone = volatility.fit(frame[asset], model, errors)
        assert_allclose(panel.params.loc[asset], alone.params)
        assert panel.params.columns.tolist() == alone.params.index.tolist()
        for name in ("volatility", "residuals"):
            ours = getattr(panel, name)[asset]
            pd.testing.assert_series_equal(ours.dropna(), getattr(alone, name), check_freq=False)
            assert ours.isna().sum() == frame[asset].isna().sum()
        assert panel.record.loc[asset, "engine"] == alone.engine
        assert panel.record.loc[asset, "converged"] == alone.converged
        assert panel.record.loc[asset, "loglikelihood"] == alone.loglikelihood


def test_refuses(frame):
    with pytest.raises(EstimationError, match="A: 1 missing returns inside the series"):
        volatility.fit_each(holed(frame, 100))
    with pytest.raises(EstimationError, match="A: 30 bars are too few"):
        volatility.fit_each(frame.head(30)[["A"]])
    with pytest.raises(EstimationError, match="the return is constant"):
        volatility.fit_each(0.0 * frame)
    with pytest.raises(DataError, match="empty"):
        volatility.fit_each(frame.iloc[:0])
    with pytest.raises(ParameterError, match="choose one of"):
        volatility.fit_each(frame, "aparch")
