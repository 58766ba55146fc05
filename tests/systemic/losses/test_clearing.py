"""Clearing: closed forms, every fixed point by enumeration, the axioms of the papers, bad input."""

from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xcoll.errors import DataError, ParameterError
from xcoll.systemic.losses import clearing
from xcoll.systemic.losses.clearing import clear

HALVES = st.sampled_from([0.25, 0.5, 0.75, 1.0])


@st.composite
def networks(draw, most=4):
    """Small networks in whole dollars, where exact ties, closed rings and idle nodes are common."""
    n = draw(st.integers(1, most))
    owed = st.sampled_from([0, 0, 1, 2, 3, 4])
    L = np.array(draw(st.lists(st.lists(owed, min_size=n, max_size=n), min_size=n, max_size=n)))
    np.fill_diagonal(L, 0)
    e = np.array(draw(st.lists(st.sampled_from([0, 0, 1, 2, 3]), min_size=n, max_size=n)))
    o = np.array(draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=n, max_size=n)))
    return L.astype(float), e.astype(float), o.astype(float)


def paid(vector):
    return vector.nodes["paid"].to_numpy()


def sweep(r, L, e, o, alpha, beta):
    """Φ of the recovery rates, node by node."""
    out = []
    for i in range(len(e)):
        received = sum(L[j][i] * r[j] for j in range(len(e)))
        owed = sum(L[i]) + o[i]
        solvent = e[i] + received >= owed
        out.append(Fraction(1) if solvent else (alpha * e[i] + beta * received) / owed)
    return out


def exact(rows, right):
    """Solution of a linear system in fractions, or None where there is not exactly one."""
    rows = [[*row, b] for row, b in zip(rows, right, strict=True)]
    n = len(rows)
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[n] for row in rows]


def every_fixed_point(L, e, o, alpha, beta):
    """Clearing vectors in fractions: each node pays all, nothing, or what it has left.

    Where the linear system of a choice is singular it has a continuum of solutions (a ring without
    money), whose ends are found by other choices.
    """
    n = len(e)
    L = [[Fraction(v) for v in row] for row in L]
    e, o = [Fraction(v) for v in e], [Fraction(v) for v in o]
    found = []
    for choice in product(["all", "nothing", "left"], repeat=n):
        rows, right = [], []
        for i in range(n):
            row = [Fraction(int(i == j)) for j in range(n)]
            owed = sum(L[i]) + o[i]
            left = choice[i] == "left" and owed
            rows.append([row[j] - beta * L[j][i] / owed for j in range(n)] if left else row)
            right.append(alpha * e[i] / owed if left else Fraction(int(choice[i] == "all")))
        r = exact(rows, right)
        if r is not None and all(0 <= v <= 1 for v in r) and sweep(r, L, e, o, alpha, beta) == r:
            found.append([v * (sum(row) + out) for v, row, out in zip(r, L, o, strict=True)])
    return found


def from_above(L, e, o, alpha, beta, sweeps=20_000):
    """Picard's iteration from full payment, the plain twin of the greatest."""
    p_bar = L.sum(axis=1) + o
    p = p_bar.copy()
    for _ in range(sweeps):
        received = np.zeros(len(e))
        for i, j in zip(*np.nonzero(L), strict=True):
            received[j] += p[i] * L[i, j] / p_bar[i]
        solvent = e + received >= p_bar * (1 - 1e-10)
        after = np.where(solvent, p_bar, alpha * e + beta * received)
        if np.abs(after - p).max() < 1e-15:
            break
        p = after
    return p


def random_network(n, degree, seed, cash=0.3):
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, n, (2, degree * n))
    kept = i != j
    L = sparse.csr_array((rng.lognormal(size=kept.sum()), (i[kept], j[kept])), shape=(n, n))
    owed = L.sum(axis=1)
    return L, cash * owed * rng.lognormal(-0.5, 1.0, n), 0.05 * owed


def test_two_nodes_of_which_one_defaults():
    # A owes B 10 and has 4, B owes outside 7 and has 2: A pays 4, B has 6 and pays 6
    found = clear(np.array([[0, 10], [0, 0]]), [4, 2], outside=[0, 7], names=["A", "B"]).greatest
    expected = pd.DataFrame(
        {
            "assets": [4.0, 2.0],
            "claims": [0.0, 10.0],
            "owed": [10.0, 7.0],
            "received": [0.0, 4.0],
            "paid": [4.0, 6.0],
            "recovery": [0.4, 6 / 7],
            "defaults": [True, True],
            "equity": [0.0, 0.0],
            "shortfall": [6.0, 1.0],
            "loss": [0.0, 6.0],
            "cost": [0.0, 0.0],
        },
        index=pd.Index(["A", "B"], name="node"),
    )
    pd.testing.assert_frame_equal(found.nodes, expected, rtol=1e-15)
    rows = [{"debtor": "A", "creditor": "B", "owed": 10.0, "paid": 4.0, "shortfall": 6.0}]
    pd.testing.assert_frame_equal(found.shortfalls(), pd.DataFrame(rows))


def test_default_costs_are_taken_from_what_is_left():
    # B has 3 of its own and 4 from A, owes 8: in default it pays 0.5·3 + 0.8·(0.5·8)
    found = clear([[0, 10], [0, 0]], [8, 3], [0.5, 0.5], [1.0, 0.8], [0, 8], ["A", "B"]).greatest
    assert paid(found).tolist() == pytest.approx([4.0, 1.5 + 3.2])
    assert found.nodes["cost"].tolist() == pytest.approx([4.0, 1.5 + 0.8])
    assert found.defaults.tolist() == ["A", "B"]


def test_a_ring_of_three_in_default_has_a_closed_form():
    # each owes 1 to the next and ½ to outside; r = (e + r₋₁)/1.5, so r = e/0.5 where e is equal
    ring = np.roll(np.eye(3), 1, axis=1)
    found = clear(ring, 0.2, outside=0.5)
    assert found.greatest.nodes["recovery"].tolist() == pytest.approx([0.4] * 3, rel=1e-14)
    # with different e: r = (1 − Aᵀ)⁻¹ e/1.5 = Σ_k e_{i−k} 1.5^{−k−1} / (1 − 1.5⁻³)
    e = np.array([0.1, 0.2, 0.3])
    closed = [
        sum(e[(i - k) % 3] * 1.5 ** (-k - 1) for k in range(3)) / (1 - 1.5**-3) for i in range(3)
    ]
    for vector in (clear(ring, e, outside=0.5).greatest, clear(ring, e, outside=0.5).least):
        assert vector.nodes["recovery"].tolist() == pytest.approx(closed, rel=1e-14)


def test_example_3_3_of_rogers_and_veraart_where_iteration_from_below_ends_at_no_fixed_point():
    L, e = np.array([[0.0, 2.0], [2.2, 0.0]]), np.ones(2)
    found = clear(L, e, 0.5, 0.5)
    assert paid(found.greatest).tolist() == [2.0, 2.2]
    assert paid(found.least).tolist() == pytest.approx([2.0, 2.2])  # and not the limit (1, 1)
    assert found.gap.tolist() == [0.0, 0.0]
    # a little more owed by the first, and (1, 1) is a clearing vector too
    L[0, 1] = 2.2
    found = clear(L, e, 0.5, 0.5)
    assert paid(found.greatest).tolist() == [2.2, 2.2]
    assert paid(found.least).tolist() == pytest.approx([1.0, 1.0], rel=1e-14)
    assert found.gap.tolist() == pytest.approx([1.2, 1.2])
    assert found.greatest.defaults.empty
    assert found.least.defaults.tolist() == [0, 1]
    points = every_fixed_point(L, e, np.zeros(2), Fraction(1, 2), Fraction(1, 2))
    assert len(set(map(tuple, points))) == 2


def test_circle_of_section_5_1_of_rogers_and_veraart():
    # ε = 1, γ = 0.4, a = 2: odd nodes owe 2 and have 0, even ones owe 3 and have 0.8; all default
    L = np.zeros((6, 6))
    for i in range(6):
        L[i, (i + 1) % 6] = 2.0 + i % 2
    found = clear(L, [0.0, 0.8] * 3, 0.5, 0.5)
    # p_odd = ½ p_even, p_even = ½·0.8 + ½ p_odd
    even = 0.4 / (1 - 0.25)
    assert paid(found.greatest).tolist() == pytest.approx([even / 2, even] * 3, rel=1e-14)


def test_a_ring_without_money_clears_in_full_or_not_at_all_and_nobody_is_richer():
    found = clear(np.roll(np.eye(3), 1, axis=1), 0.0)
    assert paid(found.greatest).tolist() == [1.0] * 3
    assert paid(found.least).tolist() == [0.0] * 3
    assert found.greatest.nodes["equity"].tolist() == found.least.nodes["equity"].tolist()


def test_a_ring_that_money_reaches_has_one_solution():
    L = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])  # A pays into the ring B, C
    found = clear(L, [0.5, 0.0, 0.0])
    assert paid(found.greatest).tolist() == paid(found.least).tolist() == [0.5, 1.0, 1.0]


def test_the_least_does_not_pay_anyone_more_than_is_owed():
    # A owes 1 and receives 5 in the end; what it passes on must stay 1, or C would look solvent
    L = np.array([[0, 0, 1], [5, 0, 0], [0, 0, 0]], dtype=float)
    found = clear(L, [0.5, 5.0, 0.0], 0.5, 0.5, outside=[0, 1, 2])
    for vector in (found.greatest, found.least):
        assert vector.nodes["paid"].tolist() == pytest.approx([1.0, 2.5, 0.5])


@settings(max_examples=300, deadline=None)
@given(networks(), HALVES, HALVES)
def test_greatest_and_least_are_those_of_all_fixed_points(network, alpha, beta):
    L, e, o = network
    found = clear(L, e, alpha, beta, o)
    points = np.array(every_fixed_point(L, e, o, Fraction(alpha), Fraction(beta)), dtype=float)
    assert len(points)
    np.testing.assert_allclose(paid(found.greatest), points.max(axis=0), atol=1e-12)
    np.testing.assert_allclose(paid(found.least), points.min(axis=0), atol=1e-12)
    for vector in (found.greatest, found.least):
        r = [Fraction(v).limit_denominator(10**7) for v in vector.nodes["recovery"]]
        rows = [[Fraction(v) for v in row] for row in L]
        ends = [Fraction(v) for v in e], [Fraction(v) for v in o]
        assert sweep(r, rows, *ends, Fraction(alpha), Fraction(beta)) == r
        assert vector.residual < 1e-13


@settings(max_examples=200, deadline=None)
@given(networks(6), HALVES, HALVES)
def test_the_axioms_hold(network, alpha, beta):
    L, e, o = network
    found = clear(sparse.csr_array(L), e, alpha, beta, o)
    for vector in (found.greatest, found.least):
        nodes = vector.nodes
        p, failed = nodes["paid"], nodes["defaults"]
        worth = nodes["assets"] + nodes["received"]
        assert p.between(0, nodes["owed"] + 1e-12).all()
        assert (p <= worth + 1e-9).all()  # limited liability
        assert (nodes["equity"][p < nodes["owed"] - 1e-9] == 0).all()  # absolute priority
        assert (p[~failed] == nodes["owed"][~failed]).all()
        received = L.T @ (p / (L.sum(axis=1) + o)).fillna(0).to_numpy()  # pro rata
        np.testing.assert_allclose(nodes["received"], received, atol=1e-12)
        rows = vector.shortfalls()
        losses = rows.groupby("creditor")["shortfall"].sum().reindex(nodes.index, fill_value=0)
        np.testing.assert_allclose(losses, nodes["loss"], atol=1e-12)
        # what there was is equity, paid to outside, or a cost of default
        outside = (nodes["recovery"] * o).sum()
        assert nodes["equity"].sum() + outside + nodes["cost"].sum() == pytest.approx(e.sum())
        assert (nodes["cost"] == 0).all() or alpha < 1 or beta < 1
    assert (paid(found.greatest) >= paid(found.least) - 1e-12).all()
    assert (found.gap >= 0).all()
    if alpha == beta == 1:  # Eisenberg and Noe, theorem 1
        np.testing.assert_allclose(
            found.greatest.nodes["equity"], found.least.nodes["equity"], atol=1e-12
        )


@settings(max_examples=150, deadline=None)
@given(networks(5), HALVES, HALVES, st.integers(0, 4), st.sampled_from([0.1, 0.5, 1.0]))
def test_more_assets_and_lower_costs_never_pay_less(network, alpha, beta, node, more):
    L, e, o = network
    base = clear(L, e, alpha, beta, o)
    richer = e.copy()
    richer[node % len(e)] += more
    for better in (
        clear(L, richer, alpha, beta, o),
        clear(L, e, min(alpha + 0.25, 1.0), beta, o),
        clear(L, e, alpha, min(beta + 0.25, 1.0), o),
    ):
        assert (paid(better.greatest) >= paid(base.greatest) - 1e-12).all()
        assert (paid(better.least) >= paid(base.least) - 1e-12).all()


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 0.6), (0.9, 1.0)])
def test_the_greatest_is_where_plain_iteration_from_above_ends(alpha, beta):
    L, e, o = random_network(60, 3, 5)
    found = clear(L, e, alpha, beta, o)
    assert 10 < len(found.greatest.defaults) < 60
    np.testing.assert_allclose(
        paid(found.greatest), from_above(L.toarray(), e, o, alpha, beta), atol=1e-12
    )


def test_sparse_is_dense_and_nothing_given_is_changed():
    L, e, o = random_network(50, 3, 2)
    keep = L.copy()
    a = np.linspace(0.4, 1.0, 50)
    one, two = clear(L, e, a, 0.7, o), clear(L.toarray(), e, a, 0.7, o)
    pd.testing.assert_frame_equal(one.greatest.nodes, two.greatest.nodes, rtol=1e-13)
    pd.testing.assert_frame_equal(one.least.nodes, two.least.nodes, rtol=1e-13)
    three = clear(sparse.coo_matrix(L), e, a, 0.7, o)
    pd.testing.assert_frame_equal(one.greatest.nodes, three.greatest.nodes, rtol=1e-13)
    assert not (L - keep).count_nonzero()
    assert len(one.greatest.defaults)


@pytest.mark.parametrize("alpha", [1.0, 0.7])
def test_krylov_steps_and_elimination_agree(monkeypatch, alpha):
    L, e, o = random_network(1_500, 4, 7, cash=0.05)
    iterated = clear(L, e, alpha, alpha, o)
    assert len(iterated.greatest.defaults) > clearing.DIRECT
    monkeypatch.setattr(clearing, "DIRECT", 10_000)
    direct = clear(L, e, alpha, alpha, o)
    for way in ("greatest", "least"):
        one, two = getattr(iterated, way), getattr(direct, way)
        np.testing.assert_allclose(paid(one), paid(two), rtol=1e-11)
        assert max(one.residual, two.residual) < 1e-13


def test_a_long_ring_in_default_is_solved_where_krylov_steps_stall():
    n = 3_000
    ring = sparse.csr_array((np.ones(n), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))
    e = np.zeros(n)
    e[0] = 0.5
    found = clear(ring, e, outside=0.001)
    r = found.greatest.nodes["recovery"].to_numpy()
    q = 1 / 1.001  # r_0 = (½ + r_{n−1})q and r_i = q r_{i−1}
    assert r[0] == pytest.approx(0.5 * q / (1 - q**n), rel=1e-11)
    assert r[-1] == pytest.approx(r[0] * q ** (n - 1), rel=1e-10)


def test_a_hair_short_is_solvent_and_a_cent_short_is_not():
    L = np.array([[0.0, 1.0], [0.0, 0.0]])
    assert clear(L, [1 - 1e-12, 0.0], 0.5).greatest.defaults.empty
    assert clear(L, [1 - 1e-8, 0.0], 0.5).greatest.nodes["paid"][0] == pytest.approx(0.5)


def test_explicit_zeros_and_repeated_entries_are_what_they_sum_to():
    L = sparse.coo_array(([1.0, 1.0, 0.0], ([0, 0, 1], [1, 1, 1])), shape=(2, 2))
    assert clear(L, [2.0, 0.0]).greatest.nodes["owed"].tolist() == [2.0, 0.0]
    # an explicit zero carries no money into the ring of B and C
    L = sparse.coo_array(([0.0, 1.0, 1.0], ([0, 1, 2], [1, 2, 1])), shape=(3, 3))
    found = clear(L, [1.0, 0.0, 0.0]).least
    assert paid(found).tolist() == [0.0] * 3
    assert len(found.shortfalls()) == 2


PAIR = np.array([[0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((2, 3)), [1, 1]), DataError, r"shape \(2, 3\); give nodes × nodes"),
        ((np.ones(2), [1, 1]), DataError, r"shape \(2,\)"),
        ((np.zeros((0, 0)), []), DataError, "no node"),
        (([[0, -1], [0, 0]], [1, 1]), DataError, r"liabilities\[0, 1\] is -1, one of 1"),
        (([[0, 0], [np.nan, 0]], [1, 1]), DataError, r"liabilities\[1, 0\] is nan"),
        (([[0, np.inf], [0, 0]], [1, 1]), DataError, r"liabilities\[0, 1\] is inf"),
        ((np.diag([0.0, 3.0]), [1, 1]), DataError, "node 1 owes itself 3"),
        ((PAIR, [1, 1, 1]), DataError, r"assets has the shape \(3,\)"),
        ((PAIR, [1, -1]), DataError, "assets of node 1 is -1"),
        ((PAIR, [np.nan, 1]), DataError, "assets of node 0 is nan"),
        ((PAIR, [np.inf, 1]), DataError, "assets of node 0 is inf"),
        ((PAIR, 1, 0.0), ParameterError, r"alpha of node 0 is 0; give a number in \(0, 1\]"),
        ((PAIR, 1, 1.01), ParameterError, "alpha of node 0 is 1.01"),
        ((PAIR, 1, 1, [1.0, np.nan]), ParameterError, "beta of node 1 is nan"),
        ((PAIR, 1, 1, [1.0]), ParameterError, r"beta has the shape \(1,\)"),
        ((PAIR, 1, 1, 1, -1), DataError, "outside of node 0 is -1"),
        ((PAIR, 1, 1, 1, 0, ["A"]), DataError, "1 names for 2 nodes"),
        ((PAIR, 1, 1, 1, 0, ["A", "A"]), DataError, "'A' twice"),
        ((PAIR, pd.Series([1, 1], ["B", "A"]), 1, 1, 0, ["A", "B"]), DataError, "labels of assets"),
        ((pd.DataFrame(PAIR, columns=["A", "B"]), 1), DataError, "labels of liabilities"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        clear(*arguments)


def test_labelled_input_in_the_order_of_the_names_is_taken():
    names = ["A", "B"]
    frame = pd.DataFrame(PAIR, index=names, columns=names)
    found = clear(frame, pd.Series([0.5, 0.0], names), names=names)
    assert found.greatest.nodes.loc["A", "paid"] == 0.5
