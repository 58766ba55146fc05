"""The gain of one collateral's sales: closed forms, and the tipping fall by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError, ParameterError
from xcoll.systemic.fragility.spirals import spiral

WINDOW = -np.log1p(-0.02)


def line(depth):
    return lambda u: np.minimum(u / depth, 0.99)


def even(spacing, count, first=0.5):
    """Falls whose logarithms are evenly spaced."""
    return -np.expm1(-(first + np.arange(count)) * spacing)


def test_an_even_density_gains_density_times_sale_over_depth():
    spacing = WINDOW / 40
    gain, tipping = spiral(even(spacing, 400), np.full(400, 7.0), line(4e4), 0.02)
    assert gain == pytest.approx(7.0 / spacing / 4e4, rel=1e-9)
    assert tipping == np.inf
    double, none = spiral(even(spacing, 400), np.full(400, 7.0), line(2e4), 0.02)
    assert double == pytest.approx(2 * gain)
    assert none == np.inf


def test_it_tips_where_the_density_begins_that_is_dense_enough():
    spacing = WINDOW / 40
    thin, dense = even(spacing, 200), 1 - np.exp(-5 * WINDOW) * (1 - even(spacing / 4, 800))
    breach, depth = np.concatenate([thin, dense]), 7.0 / spacing / 0.5
    gain, tipping = spiral(breach, np.full(1_000, 7.0), line(depth), 0.02)
    assert gain == pytest.approx(0.5, rel=1e-9)
    # From the fifth window on the gain grows from 0.5 to 2: it is one a third of a window into it.
    assert -np.log1p(-tipping) == pytest.approx((4 + 1 / 3) * WINDOW, abs=spacing / 2)


def test_accounts_in_breach_already_are_not_brought_in():
    assert spiral(np.array([0.0, 0.5]), np.array([1e6, 1.0]), line(1e7))[0] == 0.0
    assert spiral(np.array([0.0, 0.01]), np.array([0.0, 1e6]), line(1e7))[0] == pytest.approx(
        0.1 / WINDOW
    )


def test_concave_impact_is_read_at_the_size_that_is_sold_already():
    breach, sold = np.array([0.0, 0.01]), np.array([300.0, 100.0])
    gain, _ = spiral(breach, sold, lambda u: np.sqrt(u) / 1e3)
    assert gain == pytest.approx((20 - np.sqrt(300)) / 1e3 / WINDOW)


def test_one_account_tips_a_window_before_its_breach_or_at_once():
    _, tipping = spiral(np.array([0.3]), np.array([1e3]), line(1e4), 0.02)
    assert tipping == pytest.approx(1 - 0.7 / 0.98)
    assert spiral(np.array([0.01]), np.array([1e3]), line(1e4), 0.02)[1] == 0.0
    assert spiral(np.array([np.inf]), np.array([1e3]), line(1.0), 0.02) == (0.0, np.inf)
    assert spiral(np.zeros(0), np.zeros(0), line(1.0), 0.02) == (0.0, np.inf)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(50.0, 2_000.0), st.floats(0.05, 1.0))
def test_tipping_is_the_first_fall_that_brute_force_finds(seed, depth, power):
    rng = np.random.default_rng(seed)
    breach, sold = np.sort(rng.uniform(0, 0.6, 30)), rng.exponential(1.0, 30)

    def push(u):
        return np.minimum((u / depth) ** power, 0.99)

    gain, tipping = spiral(breach, sold, push, 0.02)
    x = -np.log1p(-breach)

    def at(start):
        before, after = sold[x <= start].sum(), sold[x <= start + WINDOW * (1 + 1e-12)].sum()
        return float(push(np.array(after)) - push(np.array(before))) / WINDOW

    assert gain == pytest.approx(at(0.0))
    for start in np.linspace(0, 1, 997):
        if at(start) >= 1.0 + 1e-9:
            assert tipping <= 1 - np.exp(-start)
            break
    if tipping < np.inf:
        assert at(-np.log1p(-tipping)) >= 1.0 - 1e-9
    deeper, later = spiral(breach, sold, lambda u: push(u / 2.0), 0.02)
    if (breach > 0).all():
        assert deeper <= gain
    if power == 1.0:
        assert later >= tipping


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_scale_changes_nothing(seed, scale):
    rng = np.random.default_rng(seed)
    breach, sold = np.sort(rng.uniform(0, 0.6, 30)), rng.exponential(1.0, 30)
    one = spiral(breach, sold, line(80.0))
    other = spiral(breach, sold * scale, line(80.0 * scale))
    assert other[0] == pytest.approx(one[0])
    assert other[1] == pytest.approx(one[1])


def test_bad_input_is_named():
    good = np.array([0.1, 0.2])
    with pytest.raises(ParameterError, match="fall is 1"):
        spiral(good, good, line(1.0), 1.0)
    for breach, sold in (
        (good[::-1], good),
        (good, good[:1]),
        (good, -good),
        (good, good * np.nan),
    ):
        with pytest.raises(DataError, match="give as many dollars from 0 on as falls"):
            spiral(breach, sold, line(1.0))
