"""One expiry: quotes by strike and by delta, the natural spline, its wings, and bad quotes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from xcoll.errors import DataError, ParameterError
from xcoll.margin.options.smile import Smile

DELTAS = [0.9, 0.75, 0.5, 0.25, 0.1]
SIGMAS = [0.84, 0.75, 0.70, 0.72, 0.77]


def natural_spline(x, y):
    """Second derivatives by the textbook's dense system, and a scalar evaluation."""
    n, h = len(x), np.diff(x)
    A, b = np.eye(n), np.zeros(n)
    for i in range(1, n - 1):
        A[i, i - 1 : i + 2] = h[i - 1], 2.0 * (h[i - 1] + h[i]), h[i]
        b[i] = 6.0 * ((y[i + 1] - y[i]) / h[i] - (y[i] - y[i - 1]) / h[i - 1])
    M = np.linalg.solve(A, b)

    def at(t):
        i = min(max(int(np.searchsorted(x, t)) - 1, 0), n - 2)
        left, right = x[i + 1] - t, t - x[i]
        cubic = (M[i] * left**3 + M[i + 1] * right**3) / (6.0 * h[i])
        return (
            cubic
            + (y[i] / h[i] - M[i] * h[i] / 6.0) * left
            + (y[i + 1] / h[i] - M[i + 1] * h[i] / 6.0) * right
        )

    slopes = [
        (y[1] - y[0]) / h[0] - h[0] * (2.0 * M[0] + M[1]) / 6.0,
        (y[-1] - y[-2]) / h[-1] + h[-1] * (M[-2] + 2.0 * M[-1]) / 6.0,
    ]
    return at, slopes


def test_the_curve_is_the_natural_spline_with_straight_wings():
    smile = Smile.by_delta(0.25, DELTAS, SIGMAS)
    w = smile.sigma**2 * 0.25
    at, (first, last) = natural_spline(smile.k, w)
    inside = np.linspace(smile.k[0], smile.k[-1], 201)
    np.testing.assert_allclose(smile.curve(inside), [at(t) for t in inside], rtol=1e-12)
    np.testing.assert_allclose(smile.slopes, [-first, last], rtol=1e-12)
    assert first < 0.0 < last
    for out in (0.01, 1.0, 30.0):
        assert smile.curve(smile.k[0] - out) == pytest.approx(w[0] - first * out, rel=1e-12)
        assert smile.curve(smile.k[-1] + out) == pytest.approx(w[-1] + last * out, rel=1e-12)


def test_the_curve_goes_through_its_quotes():
    smile = Smile.by_strike(
        0.5, 30_000.0, [20_000.0, 28_000.0, 35_000.0, 60_000.0], [1, 0.7, 0.8, 1]
    )
    np.testing.assert_allclose(smile.k, np.log(np.array([20, 28, 35, 60]) / 30), rtol=1e-13)
    np.testing.assert_allclose(smile.curve(smile.k), smile.sigma**2 * 0.5, rtol=1e-13)


def test_total_variance_has_no_jump_in_its_second_derivative():
    smile = Smile.by_delta(0.1, DELTAS, SIGMAS)
    for order in range(3):
        before, after = (smile.curve(smile.k + side, order) for side in (-1e-9, 1e-9))
        np.testing.assert_allclose(before, after, atol=1e-6)


def test_one_quote_is_a_flat_smile_and_two_are_a_line():
    flat = Smile(0.5, [0.3], [0.8])
    np.testing.assert_allclose(flat.curve([-9.0, 0.0, 0.3, 9.0]), 0.32, rtol=1e-15)
    assert flat.slopes == (0.0, 0.0)
    line = Smile(1.0, [-0.1, 0.1], [0.5, 0.6])
    slope = (0.36 - 0.25) / 0.2
    np.testing.assert_allclose(line.curve([-0.1, 0.0, 2.1]), [0.25, 0.305, 0.36 + 2 * slope])
    np.testing.assert_allclose(line.slopes, [-slope, slope])


def test_a_wing_is_bent_to_two_or_flat_and_its_own_slope_is_still_known():
    w = np.array([0.6, 0.1, 0.09])
    smile = Smile(1.0, [-0.2, 0.0, 0.2], np.sqrt(w))
    left, right = smile.slopes
    assert left > 2.0
    assert right > 0.0  # the spline turns before its last quote
    assert smile.curve(-1.2) == pytest.approx(0.6 + 2.0, rel=1e-12)
    falling = Smile(1.0, [-0.2, 0.0, 0.2], np.sqrt([0.12, 0.1, 0.09]))
    assert falling.slopes[1] < 0.0
    assert falling.curve(5.0) == pytest.approx(0.09, rel=1e-12)


@settings(derandomize=True, deadline=None)
@given(
    years=st.floats(1 / 365, 2.0),
    sigmas=st.lists(st.floats(0.6, 0.75), min_size=5, max_size=5),
)
def test_delta_of_the_strike_is_the_quote(years, sigmas):
    smile = Smile.by_delta(years, DELTAS, sigmas)
    total = np.array(sigmas) * math.sqrt(years)
    np.testing.assert_allclose(ndtr(-smile.k / total + total / 2.0), DELTAS, rtol=1e-12)


def test_a_put_is_quoted_by_its_own_delta_under_the_signed_convention():
    signed = Smile.by_delta(0.25, [-0.1, -0.25, 0.5, 0.25, 0.1], SIGMAS, "signed")
    np.testing.assert_allclose(signed.k, Smile.by_delta(0.25, DELTAS, SIGMAS).k, rtol=1e-13)
    total = SIGMAS[0] * 0.5
    assert ndtr(-signed.k[0] / total + total / 2.0) - 1.0 == pytest.approx(-0.1, rel=1e-12)


def test_half_a_delta_is_the_straddle_without_delta():
    smile = Smile.by_delta(0.25, [0.5], [0.8])
    assert smile.k[0] == pytest.approx(0.64 * 0.25 / 2.0, rel=1e-14)


def test_a_smile_does_not_change_when_its_input_does():
    k, sigma = np.array([-0.1, 0.1]), np.array([0.6, 0.5])
    smile = Smile(1.0, k, sigma)
    k[0], sigma[0] = 7.0, 7.0
    assert smile.k[0] == -0.1
    assert smile.sigma[0] == 0.6
    with pytest.raises(ValueError, match="read-only"):
        smile.k[0] = 7.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Smile(0.0, [0.0], [0.5]), ParameterError, "0 years has expired; leave it out"),
        (lambda: Smile(-0.1, [0.0], [0.5]), ParameterError, "-0.1 years has expired"),
        (lambda: Smile(math.nan, [0.0], [0.5]), ParameterError, "years to expiry is nan"),
        (lambda: Smile("1Y", [0.0], [0.5]), ParameterError, "years to expiry is '1Y'"),
        (lambda: Smile(1.0, [], []), DataError, "0 strikes and 0 volatilities"),
        (lambda: Smile(1.0, [0.0, 0.1], [0.5]), DataError, "2 strikes and 1 volatilities"),
        (lambda: Smile(1.0, [0.1, 0.0], [0.5, 0.5]), DataError, r"k\[1\] = 0 comes after 0.1"),
        (lambda: Smile(1.0, [0.1, 0.1], [0.5, 0.5]), DataError, "each strike once"),
        (lambda: Smile(1.0, [0.1, math.nan], [0.5, 0.5]), DataError, r"k\[1\] is nan"),
        (lambda: Smile(1.0, [0.1, math.inf], [0.5, 0.5]), DataError, r"k\[1\] is inf"),
        (lambda: Smile(1.0, [[0.1]], [0.5]), DataError, "give one row of numbers"),
        (lambda: Smile(1.0, 0.0, 0.5), DataError, "give one row of numbers"),
        (lambda: Smile(1.0, ["a"], [0.5]), DataError, r"k is \['a'\]"),
        (lambda: Smile(1.0, [0.0], [None]), DataError, r"sigma is \[None\]"),
        (lambda: Smile(1.0, [0.0], [-0.1]), DataError, r"sigma\[0\] is -0.1"),
        (lambda: Smile(1.0, [0.0], [0.0]), DataError, r"sigma\[0\] is 0"),
        (lambda: Smile(1.0, [0.0], [math.nan]), DataError, r"sigma\[0\] is nan"),
        (lambda: Smile(1.0, [0.0], [1e200]), DataError, r"sigma\[0\] is 1e\+200"),
        (lambda: Smile(1.0, [0.0], [1e-200]), DataError, r"sigma\[0\] is 1e-200"),
        (
            lambda: Smile(1.0, [-1.0, -0.3, 0.3, 1.0], [3.0, 0.3, 0.3, 3.0]),
            DataError,
            "falls to -0.984 at k = 0; mend the quotes",  # 0.09 − 6 · 12.73/3.2 · 0.6²/8
        ),
        (lambda: Smile.by_strike(1.0, 0.0, [1.0], [0.5]), ParameterError, "forward is 0"),
        (lambda: Smile.by_strike(1.0, 1.0, [-1.0], [0.5]), DataError, r"strikes\[0\] is -1"),
        (lambda: Smile.by_strike(1.0, 1.0, [2.0, 1.0], [0.5, 0.5]), DataError, "ascending order"),
        (lambda: Smile.by_delta(1.0, [1.0], [0.5]), DataError, r"deltas\[0\] is 1"),
        (lambda: Smile.by_delta(1.0, [-0.1, 0.1], [0.5, 0.5]), DataError, 'convention "signed"'),
        (lambda: Smile.by_delta(1.0, [-1.0], [0.5], "signed"), DataError, r"deltas\[0\] is -1"),
        (lambda: Smile.by_delta(1.0, [0.25, 0.5], [0.5, 0.5]), DataError, "deltas of calls fall"),
        (lambda: Smile.by_delta(1.0, [0.5, 0.5], [0.5, 0.5]), DataError, "each once"),
        (lambda: Smile.by_delta(1.0, [0.5, -0.5], [0.5] * 2, "signed"), DataError, "each once"),
        (lambda: Smile.by_delta(1.0, [0.5], [0.5], "spot"), ParameterError, "convention is 'spot'"),
        (lambda: Smile.by_delta(1.0, [0.5, 0.1], [0.5]), DataError, "2 strikes and 1"),
        (lambda: Smile.by_delta(1.0, [0.5], [1e200]), DataError, r"sigma\[0\] is 1e\+200"),
        (
            lambda: Smile.by_delta(1.0, [0.5, 0.45], [2.0, 0.5]),
            DataError,
            "deltas 0.5 and 0.45 at volatilities 2 and 0.5 have strikes out of order",
        ),
    ],
)
def test_bad_quotes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
