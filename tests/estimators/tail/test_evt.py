"""The generalised Pareto tail: Danish fire losses, closed forms, intervals, refusals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.tail import evt

DANISH = Path(__file__).parents[2] / "data" / "danish.csv"


@pytest.fixture(scope="module")
def danish():
    return np.loadtxt(DANISH, skiprows=1)


def test_danish_fire_losses_over_ten(danish):
    found = evt.fit(danish, 10.0)
    assert (found.observations, len(found.excesses)) == (2167, 109)
    assert found.shape == pytest.approx(0.49698579, rel=1e-6)
    assert found.scale == pytest.approx(6.97546819, rel=1e-6)
    assert found.std_errors.tolist() == pytest.approx([0.136284, 1.113491], rel=1e-5)
    assert found.var(0.99) == pytest.approx(27.289988, rel=1e-7)
    assert found.es(0.99) == pytest.approx(58.240100, rel=1e-6)


def test_danish_fire_losses_over_twenty(danish):
    found = evt.fit(danish, 20.0)
    assert len(found.excesses) == 36
    assert found.shape == pytest.approx(0.68415220, rel=1e-6)
    assert found.scale == pytest.approx(9.63513235, rel=1e-6)


@given(st.floats(0.5, 0.95), st.floats(-3, 3), st.floats(0.01, 100))
@settings(max_examples=25)
def test_units_and_shifts_change_nothing_but_the_scale(level, shift, unit):
    sample = genpareto.rvs(0.3, size=400, random_state=np.random.default_rng(1))
    one, other = evt.fit(sample, share=0.5), evt.fit(shift + unit * sample, share=0.5)
    assert other.shape == pytest.approx(one.shape, abs=1e-5)
    assert other.es(level) == pytest.approx(shift + unit * one.es(level), rel=1e-5, abs=1e-5)
    assert one.es(level) >= one.var(level)


def test_es_is_the_mean_beyond_the_var():
    law = genpareto(0.25, scale=1.5)
    sample = law.ppf((np.arange(200_000) + 0.5) / 200_000)
    found = evt.fit(sample, 0.0)
    assert found.shape == pytest.approx(0.25, abs=2e-3)
    for level in (0.9, 0.99):
        beyond = law.expect(lb=law.ppf(level), conditional=True)
        assert found.var(level) == pytest.approx(law.ppf(level), rel=2e-3)
        assert found.es(level) == pytest.approx(beyond, rel=4e-3)


def test_a_law_without_a_mean_has_no_es():
    sample = genpareto.rvs(1.6, size=2000, random_state=np.random.default_rng(0))
    found = evt.fit(sample, 0.0)
    assert found.shape > 1
    assert found.es(0.99) == np.inf
    assert np.isfinite(found.var(0.99))
    with pytest.raises(EstimationError, match="no ES"):
        found.interval(0.99)
    low, high = found.interval(0.99, "var")
    assert low < found.var(0.99) < high


def test_profile_interval_drops_the_likelihood_by_its_share(danish):
    found = evt.fit(danish, 10.0)
    for measure in ("var", "es"):
        point = getattr(found, measure)(0.99)
        low, high = found.interval(0.99, measure)
        delta = found.interval(0.99, measure, kind="delta")
        assert low < point < high
        assert high - point > point - low  # the data say less about how bad it can get
        assert sum(delta) / 2 == pytest.approx(point)
    # The ends again, by brute force over shape and scale: 90 % is a drop of 1.3528.
    shapes, scales = np.meshgrid(np.linspace(0.1, 1.1, 201), np.linspace(3.5, 12, 300))
    logs = sum(genpareto.logpdf(y, shapes, scale=scales) for y in found.excesses).ravel()
    var = 10 + scales / shapes * ((0.01 / found.share) ** -shapes - 1)
    inside = var.ravel()[logs > found.loglikelihood - 1.3528]
    assert found.interval(0.99, "var") == pytest.approx((inside.min(), inside.max()), rel=5e-3)


def test_intervals_cover():
    rng, hits = np.random.default_rng(7), {"profile": 0, "delta": 0}
    truth = genpareto.ppf(0.99, 0.2)
    for _ in range(100):
        found = evt.fit(genpareto.rvs(0.2, size=300, random_state=rng), 0.0)
        for kind in hits:
            low, high = found.interval(0.99, "var", kind=kind)
            hits[kind] += low <= truth <= high
    assert 83 <= hits["profile"] <= 97  # 90 % less and more two binomial standard errors
    assert 80 <= hits["delta"] <= 97


def test_threshold_by_share():
    found = evt.fit(np.arange(1000.0) ** 3)
    assert found.threshold == 899.0**3
    assert found.share == 0.1


def test_mean_excess_of_a_pareto_tail_is_a_line():
    sample = genpareto.ppf((np.arange(20_000) + 0.5) / 20_000, 0.2)
    table = evt.mean_excess(sample)
    # mean excess of a GPD: (β + ξ u) / (1 - ξ)
    expected = (1 + 0.2 * table["threshold"]) / 0.8
    inner = table["excesses"] > 500
    assert table.loc[inner, "mean"].to_numpy() == pytest.approx(expected[inner], rel=0.02)
    assert table["threshold"].is_monotonic_increasing
    assert table["excesses"].iloc[-1] == evt.EXCESSES
    assert (table["error"] > 0).all()


@pytest.mark.parametrize(
    ("losses", "match"),
    [
        ([], "finite"),
        ([1.0, np.nan], "finite"),
        ([1.0, np.inf], "finite"),
        (np.ones((30, 2)), "finite"),
        (np.arange(100.0), "10 losses lie over"),
        (np.r_[np.zeros(900), np.ones(100)], "most likely"),
        (np.ones(1000), "0 losses"),
    ],
)
def test_samples_without_a_tail(losses, match):
    with pytest.raises(EstimationError, match=match):
        evt.fit(np.array(losses))


def test_bad_arguments(danish):
    found = evt.fit(danish, 10.0)
    with pytest.raises(ParameterError, match=r"did you mean 0\.99"):
        found.var(99)
    with pytest.raises(ParameterError, match="under the threshold's level"):
        found.es(0.9)
    with pytest.raises(ParameterError, match="choose one of"):
        found.interval(0.99, "mean")
    with pytest.raises(ParameterError, match="choose one of"):
        found.interval(0.99, kind="wald")
    with pytest.raises(ParameterError, match="threshold itself"):
        evt.fit(danish, share=0.1).interval(1 - 216 / 2167, "var")
    with pytest.raises(ParameterError, match="threshold"):
        evt.fit(danish, np.nan)
    with pytest.raises(EstimationError, match="40 at least"):
        evt.mean_excess(danish[:30])
    flat = evt.fit(np.linspace(0, 1, 400), 0.5)  # a uniform law has ξ = -1, out of bounds
    assert flat.shape == -0.5
    assert flat.std_errors.isna().all()
    with pytest.raises(EstimationError, match="not regular"):
        flat.interval(0.9, kind="delta")
