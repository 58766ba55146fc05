"""Duration test against a search over both parameters of the likelihood, and in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2

from xcoll.errors import EstimationError
from xcoll.estimators import evaluation
from xcoll.estimators.evaluation import _kernels, waits
from xcoll.estimators.evaluation.inputs import Hits


def twin(hits, bounds=(_kernels.LOWEST, _kernels.HIGHEST)):
    """Christoffersen and Pelletier's likelihood in (a, b), maximised by a general search."""
    n, places = len(hits), np.flatnonzero(hits)
    whole = np.diff(places).astype(float)
    cut = [float(places[0] + 1)] if places[0] > 0 else []
    cut += [float(n - 1 - places[-1])] if places[-1] < n - 1 else []
    every = np.concatenate([whole, cut])

    def negative(theta):
        a, b = np.exp(theta)
        density = b * np.log(a) + np.log(b) + (b - 1) * np.log(whole)
        hazard = np.exp(np.minimum(b * np.log(a * every), 300.0)).sum()
        return hazard - density.sum()

    flat = -negative([np.log(len(whole) / every.sum()), 0.0])
    shapes = np.log(np.geomspace(*bounds, 7))
    start = np.log(len(whole) / every.sum())
    best = min(
        minimize(
            negative,
            [start, b],
            method="L-BFGS-B",
            bounds=[(start - 40, start + 40), (shapes[0], shapes[-1])],
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000},
        ).fun
        for b in (shapes[2], 0.0, shapes[5])
    )
    return 2 * (-best - flat)


@pytest.mark.parametrize("seed", range(8))
def test_statistic_is_the_maximised_likelihood_ratio(seed):
    rng = np.random.default_rng(seed)
    hits = rng.random(400) < 0.03
    if seed % 2:  # clusters
        hits = np.convolve(hits, [1, 1, 0, 1])[:400] > 0
    found = evaluation.duration(hits)
    assert found.statistic == pytest.approx(twin(hits), abs=1e-5)
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 1), abs=1e-12)


def test_two_equal_waits_in_closed_form():
    # Hits on the first and the last bar only: one whole wait D, nothing cut off.
    hits = np.zeros(51, bool)
    hits[[0, 25, 50]] = True
    # With both waits D the likelihood is m (ln b - ln D - 1), which rises in b to the bound.
    assert evaluation.duration(hits).statistic == pytest.approx(4 * np.log(_kernels.HIGHEST))


def test_clusters_are_rejected_and_memoryless_waits_are_not():
    rng = np.random.default_rng(4)
    apart = rng.random(2000) < 0.03
    assert evaluation.duration(apart).p_value > 0.05
    clustered = np.zeros(2000, bool)
    for start in rng.integers(0, 1990, 8):
        clustered[start : start + 8] = True
    assert evaluation.duration(clustered).p_value < 1e-6


@given(st.lists(st.booleans(), min_size=2, max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_sequence_has_a_statistic_or_a_reason(sequence):
    found = evaluation.duration(np.array(sequence))
    if sum(sequence) < 2:
        assert np.isnan(found.statistic)
        assert "two" in found.reason
    else:
        whole = sum(sequence) - 1
        assert found.statistic >= 0.0 or (whole == 1 and sequence[0] and sequence[-1])
        if np.isfinite(found.statistic):
            backwards = evaluation.duration(np.array(sequence[::-1]))
            ends = sequence[0], sequence[-1]
            # The cut-off waits count their own ends differently unless both ends are hits.
            if all(ends):
                assert backwards.statistic == pytest.approx(found.statistic, abs=1e-8)


def test_rows_do_not_disturb_each_other():
    table = np.random.default_rng(2).random((40, 120)) < 0.04
    together = waits.duration_statistic(Hits.of(table))
    alone = [evaluation.duration(row).statistic for row in table]
    np.testing.assert_array_equal(together, alone)


def test_bad_input():
    with pytest.raises(EstimationError, match="booleans"):
        evaluation.duration(np.array([0.0, 1.0]))
