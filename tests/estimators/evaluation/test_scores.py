"""Scores are least, in mean, at the truth, and as written by hand."""

import numpy as np
import pytest
from scipy.stats import norm

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import evaluation


def test_fz0_is_lowest_at_the_truth():
    losses = np.random.default_rng(7).normal(size=200_000)
    var = norm.ppf(0.975)
    es = norm.pdf(var) / 0.025

    def score(v, e):
        v, e = np.full_like(losses, v), np.full_like(losses, e)
        return evaluation.fz0(losses, v, e, 0.975).mean()

    best = score(var, es)
    for v, e in ((0.8, 1), (1.2, 1), (1, 0.8), (1, 1.25), (0.8, 0.8), (1.2, 1.2)):
        assert score(v * var, max(e * es, v * var)) > best
    by_hand = (3.0 - 2.0) / (0.025 * 2.5) + 2.0 / 2.5 + np.log(2.5) - 1
    one = np.array([3.0]), np.array([2.0]), np.array([2.5])
    assert evaluation.fz0(*one, 0.975) == pytest.approx([by_hand])


def test_tick_is_lowest_at_the_quantile():
    losses = np.random.default_rng(8).normal(size=100_001)
    truth = np.quantile(losses, 0.975)
    scores = {
        v: evaluation.tick(losses, v, 0.975).mean() for v in (truth, 0.9 * truth, 1.1 * truth)
    }
    assert min(scores, key=scores.get) == truth
    by_hand = evaluation.tick(np.array([3.0, 1.0]), np.array([2.0, 2.0]), 0.975)
    assert by_hand == pytest.approx([0.975, 0.025])


def test_bad_input():
    with pytest.raises(EstimationError, match="above zero"):
        evaluation.fz0(np.array([1.0]), np.array([1.0]), np.array([0.0]), 0.99)
    with pytest.raises(ParameterError, match="confidence"):
        evaluation.tick(np.array([1.0]), np.array([1.0]), 99)
