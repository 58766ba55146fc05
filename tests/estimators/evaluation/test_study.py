"""Size and power of the tests, on a thousand histories of 250 and of 1,000 bars."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import binom, norm
from scipy.stats import t as student

from xcoll.errors import ParameterError
from xcoll.estimators import evaluation

# A bootstrap of few residuals is no exact test: it is reported, and bound from above only.
BOOTSTRAP = {"mcneil_frey"}


@pytest.mark.parametrize(("n", "seed"), [(250, 1), (1000, 2)])
@pytest.mark.parametrize("confidence", [0.99, 0.975])
def test_monte_carlo_tests_hold_their_size(n, confidence, seed):
    rng = np.random.default_rng(seed)
    table = evaluation.size_of_tests(n, confidence, rng, law=evaluation.ParetoLaw())
    assert (table["histories"] == 1000).all()
    exact = table.dropna(subset=["monte_carlo"]).set_index("test")
    assert set(evaluation.TESTS) - set(exact.index) == {"es_regression", "es_intercept"}
    for name, row in exact.iterrows():
        carried = round(row["carried"] * 1000)
        # Ten tests in each of four tables: a band that one in ten thousand leaves.
        low, high = binom.interval(0.9999, carried, 0.05)
        rejected = row["monte_carlo"] * carried
        assert rejected <= high, (name, row.to_dict())
        assert name in BOOTSTRAP or rejected >= low, (name, row.to_dict())


def test_tests_of_hits_hold_their_size_whatever_the_law():
    rng = np.random.default_rng(5)
    table = evaluation.size_of_tests(250, 0.99, rng, law=evaluation.Law(4.0)).set_index("test")
    kinds = ["kupiec", "first_failure", "independence", "conditional", "duration"]
    for name in [*kinds, "dynamic_quantile"]:
        carried = round(table.loc[name, "carried"] * 1000)
        low, high = binom.interval(0.9999, carried, 0.05)
        assert low <= table.loc[name, "monte_carlo"] * carried <= high, name
    # Asymptotic sizes are what they are: POF 9.5 %, its Markov part far too timid.
    assert table.loc["kupiec", "asymptotic"] == pytest.approx(0.095, abs=0.03)
    assert table.loc["independence", "asymptotic"] < 0.035


def test_kupiec_rejects_a_var_that_is_a_fifth_too_low():
    """T 1,000 at 1 %: 99.8 % of the time under a normal law, 87 % under t5, 78 % under t4."""
    normal, five, four = (
        evaluation.kupiec_power(1000, 0.99, 0.2, evaluation.Law(nu)) for nu in (np.inf, 5.0, 4.0)
    )
    assert normal == pytest.approx(0.9983, abs=5e-4)
    assert five == pytest.approx(0.8687, abs=5e-4)
    assert four == pytest.approx(0.7828, abs=5e-4)
    assert min(normal, five) >= 0.8 > four
    rng = np.random.default_rng(3)
    table = evaluation.size_of_tests(1000, 0.99, rng, 300, too_low=0.2, law=evaluation.Law(5.0))
    kupiec = table.set_index("test").loc["kupiec"]
    assert kupiec["asymptotic"] == pytest.approx(five, abs=4 * np.sqrt(five * (1 - five) / 300))
    assert kupiec["monte_carlo"] >= 0.8


def test_size_and_power_side_by_side():
    long, wide = evaluation.size_and_power(0.975, np.random.default_rng(0), 20, (60, 100))
    assert wide["test"].tolist() == list(evaluation.TESTS)
    assert wide.columns[1:].tolist() == [
        f"{case}, {kind}"
        for case in ("60 bars", "100 bars", "100 bars, 20 % too low")
        for kind in ("asymptotic", "Monte Carlo")
    ]
    low = long[long["too_low"] == 0.2].reset_index(drop=True)
    pd.testing.assert_series_equal(
        low["monte_carlo"], wide["100 bars, 20 % too low, Monte Carlo"], check_names=False
    )
    assert len(long) == 3 * len(evaluation.TESTS)


def test_hit_chance_and_exact_rejection():
    assert evaluation.hit_chance(0.99, 0.2) == pytest.approx(norm.sf(0.8 * norm.ppf(0.99)))
    t5 = student.sf(0.8 * student.ppf(0.99, 5), 5)
    assert evaluation.hit_chance(0.99, 0.2, evaluation.Law(5.0)) == pytest.approx(t5)
    assert evaluation.hit_chance(0.975) == pytest.approx(0.025)
    assert evaluation.kupiec_power(250, 0.99) == pytest.approx(0.095, abs=0.0005)
    few = evaluation.kupiec_rejects(250, 0.01, 0.03)
    x = [k for k in range(251) if evaluation.kupiec(k, 250, 0.01).p_value < 0.05]
    assert few == pytest.approx(binom.pmf(x, 250, 0.03).sum())


@pytest.mark.parametrize("law", [evaluation.Law(), evaluation.Law(4.0), evaluation.ParetoLaw(0.3)])
def test_laws_have_their_var_and_es(law):
    draws = law.draw((400_000,), np.random.default_rng(0))
    var, es = law.var(0.975), law.es(0.975)
    assert (draws > var).mean() == pytest.approx(0.025, abs=0.001)
    assert draws[draws > var].mean() == pytest.approx(es, rel=0.02)
    mean, _ = quad(law.var, 0.975, 1 - 1e-12)
    assert es == pytest.approx(mean / 0.025, rel=1e-3)


def test_bad_input():
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="too_low"):
        evaluation.size_of_tests(250, 0.99, rng, 10, too_low=20)
    with pytest.raises(ParameterError, match="histories"):
        evaluation.size_of_tests(250, 0.99, rng, 0)
    with pytest.raises(ParameterError, match="truth"):
        evaluation.kupiec_rejects(250, 0.01, 1.0)
