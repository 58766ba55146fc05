"""A correlation path cut to the times and assets that are asked for."""

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import DataError
from xcoll.estimators import tail

DAYS = pd.date_range("2022-01-01", periods=4)
PATH = pd.DataFrame({"A~B": [0.1, 0.2, 0.3, 0.4], "C~B": 0.5, "A~C": 0.6}, DAYS)
TARGET = pd.DataFrame(np.eye(3), list("ABC"), list("ABC"))
KNOWN = tail.Dependence(PATH, TARGET, 0.02, 0.9, 6.0)


def test_pairs_are_found_by_either_name_and_what_is_not_known_is_missing():
    later = DAYS[2:].append(pd.DatetimeIndex(["2022-01-05"]))
    found = KNOWN.of(later, ["B", "C", "NEW"])
    assert list(found.correlation) == ["B~C", "B~NEW", "C~NEW"]
    assert found.correlation["B~C"].tolist()[:2] == [0.5, 0.5]
    assert np.isnan(found.correlation["B~C"].iloc[2])
    assert found.correlation[["B~NEW", "C~NEW"]].isna().all(axis=None)
    assert (found.a, found.b, found.nu) == (0.02, 0.9, 6.0)
    assert found.target is TARGET
    assert KNOWN.of(DAYS, ["A"]).correlation.shape == (4, 0)


def test_a_pair_that_is_lacking_is_named():
    returns = pd.DataFrame(0.0, DAYS, list("ABC"))
    assert KNOWN.on(returns).matrices[1].tolist() == [[1, 0.2, 0.6], [0.2, 1, 0.5], [0.6, 0.5, 1]]
    lacking = tail.Dependence(PATH.drop(columns="C~B"), TARGET)
    with pytest.raises(DataError, match="correlation lacks the pair C~B; fit it with both assets"):
        lacking.on(returns)
