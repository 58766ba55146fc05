"""Coverage tests: published numbers, exact sizes, and plain likelihood ratios as twins."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import evaluation
from xcoll.estimators.evaluation import hits as tests
from xcoll.estimators.evaluation.inputs import Hits

KUPIEC_250 = [
    5.025168, 1.176491, 0.108435, 0.094940, 0.769138, 1.956810,
    3.555355, 5.496990, 7.733551, 10.229031, 12.955491,
]  # fmt: skip


def published_hits():
    """1,043 bars, 57 hits, transitions N00 932, N10 53, N01 53, N11 4."""
    hits = []
    for cluster in range(53):
        hits += [False] * 10 + [True] * (2 if cluster < 4 else 1)
    return np.array(hits + [False] * (1043 - len(hits)))


@pytest.mark.parametrize(("x", "statistic"), list(enumerate(KUPIEC_250)))
def test_kupiec_at_250_bars(x, statistic):
    found = evaluation.kupiec(x, 250, 0.01)
    assert found.statistic == pytest.approx(statistic, abs=1e-6)
    assert found.p_value == pytest.approx(chi2.sf(statistic, 1), abs=1e-6)


def test_published_christoffersen_example():
    hits = published_hits()
    assert (len(hits), hits.sum()) == (1043, 57)
    pof = evaluation.kupiec(57, 1043, 0.05)
    chain = evaluation.independence(hits)
    both = evaluation.conditional_coverage(hits, 0.05)
    assert (pof.statistic, pof.p_value) == pytest.approx((0.461466, 0.496939), abs=1e-6)
    assert (chain.statistic, chain.p_value) == pytest.approx((0.258663, 0.611040), abs=1e-6)
    assert both.statistic == pytest.approx(0.720130, abs=1e-6)
    assert both.p_value == pytest.approx(chi2.sf(0.720130, 2), abs=1e-6)


def test_asymptotic_kupiec_has_its_known_exact_size():
    rejected = [evaluation.kupiec(x, 250, 0.01).p_value < 0.05 for x in range(251)]
    size = binom.pmf(np.arange(251)[rejected], 250, 0.01).sum()
    assert size == pytest.approx(0.095, abs=0.0005)
    assert evaluation.kupiec_rejects(250, 0.01, 0.01) == pytest.approx(size, abs=1e-12)


def test_traffic_light_zones_and_multipliers():
    zones = [evaluation.traffic_light(x) for x in range(13)]
    assert [light.zone for light in zones] == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 3
    assert [light.multiplier for light in zones] == [
        1.5, 1.5, 1.5, 1.5, 1.5, 1.70, 1.76, 1.83, 1.88, 1.92, 2.0, 2.0, 2.0,
    ]  # fmt: skip
    assert [light.cumulative for light in zones] == pytest.approx(
        binom.cdf(np.arange(13), 250, 0.01)
    )
    longer = evaluation.traffic_light(20, 1000, 0.01)
    assert longer.zone == "yellow"
    assert np.isnan(longer.multiplier)


def test_first_failure():
    likelihood = np.log(0.01 * 0.99**9) - np.log(0.1 * 0.9**9)
    assert evaluation.first_failure(10, 0.01).statistic == pytest.approx(-2 * likelihood)
    assert evaluation.first_failure(100, 0.01).statistic == pytest.approx(0.0, abs=1e-12)
    assert evaluation.first_failure(1, 0.01).statistic == pytest.approx(-2 * np.log(0.01))


@given(st.lists(st.booleans(), min_size=2, max_size=80), st.sampled_from([0.01, 0.05, 0.3]))
@settings(max_examples=100, deadline=None)
def test_statistics_are_plain_likelihood_ratios(sequence, p):
    hits = np.array(sequence)
    n, x = len(hits), int(hits.sum())

    def likelihood(successes, failures, rate):
        return sum(k * np.log(r) for k, r in ((successes, rate), (failures, 1 - rate)) if k > 0)

    pof = 2 * (likelihood(x, n - x, x / n) - likelihood(x, n - x, p))
    assert evaluation.kupiec(x, n, p).statistic == pytest.approx(pof, abs=1e-9)
    pairs = list(itertools.pairwise(hits))
    count = {
        key: pairs.count(key)
        for key in [(False, False), (False, True), (True, False), (True, True)]
    }
    n00, n01, n10, n11 = count.values()
    free = 0.0
    for hit, miss in ((n01, n00), (n11, n10)):
        if hit + miss:
            free += likelihood(hit, miss, hit / (hit + miss))
    tied = likelihood(n01 + n11, n00 + n10, (n01 + n11) / (n - 1))
    chain = max(2 * (free - tied), 0)
    assert evaluation.independence(hits).statistic == pytest.approx(chain, abs=1e-9)
    both = evaluation.conditional_coverage(hits, p)
    assert both.statistic == pytest.approx(pof + chain, abs=1e-9)
    assert 0.0 <= both.p_value <= 1.0


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_many_sequences_at_once_are_each_by_itself(table):
    rows = Hits.of(np.array(table))
    assert rows.count.tolist() == [sum(row) for row in table]
    found = {
        "kupiec": tests.kupiec_statistic(rows, 0.1),
        "independence": tests.independence_statistic(rows),
        "conditional": tests.conditional_statistic(rows, 0.1),
        "first": tests.first_failure_statistic(rows, 0.1),
    }
    for r, row in enumerate(table):
        hits = np.array(row)
        alone = {
            "kupiec": evaluation.kupiec(sum(row), 12, 0.1),
            "independence": evaluation.independence(hits),
            "conditional": evaluation.conditional_coverage(hits, 0.1),
        }
        for name, test in alone.items():
            assert found[name][r] == pytest.approx(test.statistic, abs=1e-12)
        if any(row):
            first = evaluation.first_failure(row.index(True) + 1, 0.1)
            assert found["first"][r] == pytest.approx(first.statistic, abs=1e-12)
        else:
            assert np.isnan(found["first"][r])


def test_bad_input():
    with pytest.raises(ParameterError, match="probability"):
        evaluation.kupiec(3, 250, 99)
    with pytest.raises(EstimationError, match="swap"):
        evaluation.kupiec(250, 3, 0.01)
    with pytest.raises(ParameterError, match="exceedances"):
        evaluation.kupiec(-1, 250, 0.01)
    with pytest.raises(ParameterError, match="bar"):
        evaluation.first_failure(0, 0.01)
    for hits in ([], [True], [0, 1, 1], [[True, False]]):
        with pytest.raises(EstimationError, match="booleans"):
            evaluation.independence(np.array(hits))
