import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcoll.errors import ParameterError
from xcoll.estimators.resampling import circular_blocks, interval


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 9))
def test_blocks_are_successive_rows_joined_at_the_ends(rows, block, seed):
    picks = circular_blocks(rows, np.random.default_rng(seed), 7, block)
    assert picks.shape == (7, rows)
    assert ((picks >= 0) & (picks < rows)).all()
    inside = np.arange(1, rows) % block != 0
    assert (np.diff(picks, axis=1)[:, inside] % rows == 1 % rows).all()


def test_every_row_is_drawn_equally_often():
    counts = np.bincount(circular_blocks(20, np.random.default_rng(1), 20_000, 6).ravel())
    # 20,000 draws a row in the mean; six successive rows share a start, so the error is ±2.5 %.
    np.testing.assert_allclose(counts, 20_000, rtol=0.025)


def test_the_interval_holds_the_middle():
    values = np.arange(101.0)[:, None] * [1.0, 2.0]
    np.testing.assert_allclose(interval(values, 0.9), [[5.0, 10.0], [95.0, 190.0]])


@pytest.mark.parametrize(("replications", "block"), [(0, 5), (10, 0), (10, 2.5)])
def test_refuses(replications, block):
    with pytest.raises(ParameterError, match="whole number"):
        circular_blocks(10, np.random.default_rng(0), replications, block)
    with pytest.raises(ParameterError, match="coverage"):
        interval(np.arange(3.0), 90)
