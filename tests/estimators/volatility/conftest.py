"""Returns that the tests of this room share."""

import numpy as np
import pandas as pd
import pytest

from tests.estimators.samples import dates
from tests.estimators.volatility.plain import simulate


@pytest.fixture(scope="module")
def frame():
    """Two assets, the second listed 40 bars later and delisted 25 bars before the end."""
    returns = pd.DataFrame({"A": simulate(360, 1), "B": simulate(360, 2, nu=5)}, index=dates(360))
    returns.loc[returns.index[:40], "B"] = np.nan
    returns.loc[returns.index[-25:], "B"] = np.nan
    return returns
