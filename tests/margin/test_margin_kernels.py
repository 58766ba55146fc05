"""The compiled loops of portfolio margin against plain twins, and the normal table."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from xcoll.margin import _kernels

seeds = st.integers(0, 2**32 - 1)


def test_the_normal_table_is_the_normal_distribution():
    x = np.concatenate(
        [
            np.linspace(-9.0, 9.0, 40_001),
            np.arange(-9 * 64, 9 * 64 + 1) / 64,  # on the points and halfway between them
            np.nextafter(np.arange(-9 * 64, 9 * 64 + 1) / 64, np.inf),
            [-np.inf, np.inf, -8.5, 8.5, -0.0, 1e300, -1e300],
        ]
    )
    found = np.array([_kernels.cumulative(float(one)) for one in x])
    assert np.abs(found - ndtr(x)).max() <= 3e-16
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def plain_reprice(group, right, strike, sigma, floor, forward, factor, root):
    found = np.empty((len(group), forward.shape[1]))
    for i, s in np.ndindex(found.shape):
        F, K = forward[group[i], s], strike[i]
        v = max(sigma[i], floor[s]) * factor[group[i], s] * root[group[i]]
        if right[i] == 0.0:
            found[i, s] = F
        elif v <= 0.0:
            found[i, s] = max(right[i] * (F - K), 0.0)
        else:
            d = math.log(F / K) / v + 0.5 * v
            found[i, s] = right[i] * (F * ndtr(right[i] * d) - K * ndtr(right[i] * (d - v)))
    return found


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=seeds)
def test_reprice_is_its_plain_twin(seed):
    rng = np.random.default_rng(seed)
    n, groups, scenarios = rng.integers(1, 9), rng.integers(1, 4), rng.integers(0, 6)
    group = rng.integers(0, groups, n)
    right = rng.choice([-1.0, 0.0, 1.0], n)
    strike = np.where(right == 0.0, np.nan, rng.uniform(10.0, 300.0, n))
    sigma = np.where(right == 0.0, np.nan, rng.choice([0.0, 0.01, 0.6, 4.0], n))
    floor = rng.choice([0.0, 0.5], scenarios)
    forward = rng.uniform(1.0, 400.0, (groups, scenarios))
    factor = rng.choice([0.0, 0.5, 2.0], (groups, scenarios))
    root = rng.choice([0.0, 0.1, 1.5], groups)
    found = np.full((n, scenarios), np.nan)
    given = group, right, strike, sigma, floor, forward, np.log(forward), factor, root
    _kernels.reprice(*given, found)
    expected = plain_reprice(group, right, strike, sigma, floor, forward, factor, root)
    np.testing.assert_allclose(found, expected, atol=400.0 * 2e-14)


def plain_positions(row, group, instrument, quantity, right, value, mark, discount):
    """Dollars that each position gains: position × scenario."""
    found = np.zeros((len(row), value.shape[1]))
    for p, s in np.ndindex(found.shape):
        same = (row == row[p]) & (group == group[p]) & (right[instrument] != 0.0)
        total = (quantity * value[instrument, s])[same].sum()
        i = instrument[p]
        scale = discount[group[p]] if right[i] != 0.0 and total > 0.0 else 1.0
        found[p, s] = quantity[p] * (scale * value[i, s] - mark[i])
    return found


@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=seeds)
def test_profiles_and_allocate_are_their_plain_twins(seed):
    rng = np.random.default_rng(seed)
    instruments, rows, scenarios = rng.integers(1, 7), int(rng.integers(1, 5)), rng.integers(0, 6)
    groups = int(rng.integers(1, 4))
    of_group = rng.integers(0, groups, instruments)
    held = [
        (row, of_group[i], i)
        for row in range(rows)
        for i in rng.permutation(instruments)[: rng.integers(0, instruments + 1)]
    ]
    row, group, instrument = np.array(sorted(held), np.int64).reshape(-1, 3).T.copy()
    quantity = rng.normal(size=len(row))
    right = rng.choice([-1.0, 0.0, 1.0], instruments)
    value = rng.uniform(0.0, 50.0, (instruments, scenarios))
    mark = rng.uniform(0.0, 50.0, instruments)
    discount = rng.choice([1.0, 0.9, 0.5], groups)
    positions = row, group, instrument, quantity, right, value, mark, discount
    each = plain_positions(*positions)
    gain = np.zeros((rows, scenarios))
    _kernels.profiles(*positions, gain)
    expected = np.zeros_like(gain)
    np.add.at(expected, row, each)
    np.testing.assert_allclose(gain, expected, atol=1e-11)
    weight, share = rng.uniform(-1.0, 1.0, gain.shape), np.zeros(len(row))
    _kernels.allocate(*positions, weight, share)
    np.testing.assert_allclose(share, (weight[row] * each).sum(axis=1), atol=1e-11)


def test_kernels_add_to_what_is_there():
    one, none, value = np.ones(1), np.zeros(1, np.int64), np.full((1, 1), 3.0)
    positions = none, none, none, one, np.zeros(1), value, one, one
    gain, share = np.full((1, 1), 10.0), np.full(1, 20.0)
    _kernels.profiles(*positions, gain)
    _kernels.allocate(*positions, np.full((1, 1), 0.5), share)
    assert gain[0, 0] == 12.0
    assert share[0] == 21.0


def test_warm_up_compiles_one_specialisation_each():
    _kernels.warm_up()
    for kernel in (_kernels.reprice, _kernels.profiles, _kernels.allocate):
        assert len(kernel.signatures) == 1
