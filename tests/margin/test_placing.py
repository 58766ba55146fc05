from dataclasses import FrozenInstanceError
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.margin import placing
from xcoll.margin.placing import compare, even, place, pro_rata

ACCOUNTS, ASSETS = ["A", "B"], ["USD", "ETH"]
FREE = pd.Series([100.0, 100.0], ASSETS)
COUNTED = pd.DataFrame([[1.0, 0.8], [1.0, 0.5]], ACCOUNTS, ASSETS)
NEEDED = pd.Series([40.0, 60.0], ACCOUNTS)
COST = pd.DataFrame([[0.05, 0.01], [0.05, 0.01]], ACCOUNTS, ASSETS)
CAPS = pd.DataFrame(np.inf, ACCOUNTS, ASSETS)

seeds = st.integers(0, 2**32 - 1)
exactly = settings(derandomize=True, deadline=None, max_examples=20)


def world(seed, accounts=None, assets=None, ample=True):
    """Free, counted, needed, cost and caps; what is free is ample or about what is needed."""
    rng = np.random.default_rng(seed)
    shape = m, s = accounts or int(rng.integers(1, 6)), assets or int(rng.integers(1, 5))
    names, symbols = [f"account {i}" for i in range(m)], [f"asset {a}" for a in range(s)]
    counted = np.where(rng.random(shape) < 0.7, rng.uniform(0.4, 1.0, shape), np.nan)
    counted[:, 0] = rng.uniform(0.9, 1.0, m)
    needed = rng.uniform(-20.0, 100.0, m)
    free = rng.uniform(0.0, 100.0, s)
    caps = np.where(rng.random(shape) < 0.5, rng.uniform(0.0, 60.0, shape), np.inf)
    if ample:
        free[0], caps[:, 0] = 120.0 * m, np.inf
    cost = rng.uniform(0.0, 0.1, shape)
    tables = (pd.DataFrame(table, names, symbols) for table in (counted, cost, caps))
    counted, cost, caps = tables
    return pd.Series(free, symbols), counted, pd.Series(needed, names), cost, caps


def dense(free, counted, needed, caps):
    """Rows A x ≤ b of the needs, then of what is free, and the bounds, all pairs kept."""
    m, s = counted.shape
    c = counted.fillna(0.0).to_numpy()
    needs = np.zeros((m, m, s))
    needs[np.arange(m), np.arange(m)] = c
    stock = np.tile(np.eye(s), m)
    bounds = caps.where(counted.notna(), 0.0).to_numpy().ravel()
    return -needs.reshape(m, -1), stock, -np.maximum(needed, 0.0), free.to_numpy(), bounds


def cheapest_corner(free, counted, needed, cost, caps):
    """Least cost over every corner of the polytope."""
    needs, stock, least, most, bounds = dense(free, counted, needed, caps)
    size = len(bounds)
    A = np.vstack([needs, stock, -np.eye(size), np.eye(size)])
    b = np.concatenate([least, most, np.zeros(size), bounds])
    A, b = A[np.isfinite(b)], b[np.isfinite(b)]
    chosen = np.array(list(combinations(range(len(b)), size)))
    regular = np.abs(np.linalg.det(A[chosen])) > 1e-9
    corners = np.linalg.solve(A[chosen][regular], b[chosen][regular][..., None])[..., 0]
    inside = (corners @ A.T <= b + 1e-9).all(axis=1)
    return (corners[inside] @ cost.to_numpy().ravel()).min() if inside.any() else np.inf


def test_hand_solved():
    # Ether saves 0.8·0.05 − 0.01 in A and 0.5·0.05 − 0.01 in B: it goes to A, the rest to B.
    found = place(FREE, COUNTED, NEEDED, cost=COST)
    np.testing.assert_allclose(found.placed, [[0.0, 50.0], [35.0, 50.0]], atol=1e-9)
    np.testing.assert_allclose(found.counted, NEEDED)
    assert found.cost == pytest.approx(2.75)
    np.testing.assert_allclose(found.price_of_need, [0.03125, 0.05])
    np.testing.assert_allclose(found.worth, [0.0, 0.015], atol=1e-12)
    np.testing.assert_allclose(found.left, [65.0, 0.0], atol=1e-9)


def test_hand_solved_with_a_cap():
    assert place(FREE, COUNTED, NEEDED, cost=COST, caps=CAPS).cost == pytest.approx(2.75)
    caps = CAPS.copy()
    caps.loc["B", "ETH"] = 30.0
    found = place(FREE, COUNTED, NEEDED, cost=COST, caps=caps)
    np.testing.assert_allclose(found.placed, [[0.0, 50.0], [45.0, 30.0]], atol=1e-9)
    assert found.cost == pytest.approx(3.05)
    np.testing.assert_allclose(found.price_of_need, [0.0125, 0.05])
    np.testing.assert_allclose(found.worth, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.left, [55.0, 20.0])


def test_a_buffer_raises_needs_and_their_prices():
    plain = place(FREE, COUNTED, NEEDED * 1.1, cost=COST)
    found = place(FREE, COUNTED, NEEDED, cost=COST, buffer=0.1)
    pd.testing.assert_frame_equal(found.placed, plain.placed)
    assert found.cost == pytest.approx(plain.cost)
    np.testing.assert_allclose(found.price_of_need, 1.1 * plain.price_of_need)


def test_without_costs_the_fewest_dollars_are_placed():
    found = place(FREE, COUNTED, NEEDED)
    # 60 of B in dollars, then 40 of A with what is left of them: none in ether
    np.testing.assert_allclose(found.placed, [[40.0, 0.0], [60.0, 0.0]], atol=1e-9)
    assert found.cost == pytest.approx(100.0)


def test_an_excess_stays_where_it_is():
    found = place(FREE, COUNTED, pd.Series([-40.0, 60.0], ACCOUNTS), cost=COST)
    assert found.placed.loc["A"].eq(0.0).all()
    assert found.counted["A"] == found.price_of_need["A"] == 0.0
    np.testing.assert_allclose(found.placed.loc["B"], [10.0, 100.0])


@pytest.mark.parametrize("needed", [0.0, -5.0])
def test_nothing_needed(needed):
    found = place(FREE, COUNTED, pd.Series(needed, ACCOUNTS), cost=COST, buffer=0.2)
    assert found.cost == 0.0
    assert found.placed.eq(0.0).all(axis=None)
    assert found.price_of_need.eq(0.0).all()
    assert found.worth.eq(0.0).all()
    pd.testing.assert_series_equal(found.left, FREE, check_names=False)
    assert even(FREE, COUNTED, pd.Series(needed, ACCOUNTS)).eq(1.0).all()
    assert pro_rata(FREE, COUNTED, pd.Series(needed, ACCOUNTS)).eq(0.0).all(axis=None)


def test_one_account_one_asset():
    counted = pd.DataFrame([[0.8]], ["A"], ["ETH"])
    found = place(FREE[["ETH"]], counted, NEEDED[["A"]], cost=COST.loc[["A"], ["ETH"]])
    assert found.cost == pytest.approx(0.5)
    assert found.price_of_need["A"] == pytest.approx(0.0125)


def test_a_haircut_of_one_is_as_if_not_accepted():
    counted = COUNTED.copy()
    counted.loc["B", "ETH"] = 0.0
    cost = 0.0 * COST
    cost.loc["B", "ETH"] = np.nan
    found = place(FREE, counted, NEEDED, cost=cost)
    assert found.placed.loc["B", "ETH"] == found.cost == 0.0
    np.testing.assert_allclose(found.counted["B"], 60.0)


def test_rows_are_matched_by_name_and_costs_read_only_where_accepted():
    counted = COUNTED.copy()
    counted.loc["B", "ETH"] = np.nan
    cost, caps = COST.copy(), CAPS.copy()
    cost.loc["B", "ETH"], caps.loc["B", "ETH"] = np.nan, -1.0
    plain = place(FREE, counted, NEEDED, cost=cost, caps=caps)
    turned = place(FREE, counted.iloc[::-1, ::-1], NEEDED, cost=cost.iloc[::-1], caps=caps)
    pd.testing.assert_frame_equal(turned.placed, plain.placed)
    assert plain.placed.loc["B", "ETH"] == 0.0
    whole = place(FREE.astype(int), counted, NEEDED.astype(int), cost=cost, caps=caps)
    pd.testing.assert_frame_equal(whole.placed, plain.placed)


def test_small_accounts_count_beside_large_ones():
    needed = pd.Series([1e12, 1e-4], ACCOUNTS)
    free = pd.Series([2e12, 1e12], ASSETS)
    found = place(free, COUNTED, needed, cost=COST)
    assert (found.counted >= needed * (1.0 - 1e-9)).all()
    assert (found.counted <= needed * (1.0 + 1e-9)).all()
    only = COUNTED.where([[True, False], [False, True]])
    free = pd.Series([2e12, 0.0], ASSETS)
    for left in (0.0, 5e-5):
        with pytest.raises(EstimationError, match=r"lack in all, in 1 of 2 accounts: .* in 'B'"):
            place(free + [0.0, left], only, needed, cost=COST)


@pytest.mark.parametrize("seed", range(10))
def test_prices_of_small_accounts_are_exact(seed):
    free, counted, needed, cost, _ = world(seed, 6, 4)
    needed = (needed.abs() + 1.0) * [1e8, 1e8, 1e8, 2.0, 2.0, 2.0]
    found = place(1e8 * free, counted, needed, cost=cost)
    expected = ((cost + found.worth) / counted).min(axis=1)  # without caps a need has no kink
    np.testing.assert_allclose(found.price_of_need, expected)


@pytest.mark.parametrize("seed", range(40, 70))
def test_shares_of_small_and_large_accounts_can_be_placed(seed):
    rng = np.random.default_rng(seed)
    _, counted, needed, cost, caps = world(seed, 9, 5, ample=False)
    needed = pd.Series(rng.lognormal(14.0, 4.0, len(needed)), needed.index)
    free = pd.Series(rng.lognormal(16.0, 1.0, 5), cost.columns)
    caps = 1e6 * caps
    wanted = needed * even(free, counted, needed, caps=caps)
    found = place(free, counted, wanted, cost=cost, caps=caps)
    assert (found.counted >= wanted * (1.0 - 1e-9)).all()
    assert (found.placed.sum() <= free * (1.0 + 1e-9)).all()


def test_results_are_frozen():
    found = place(FREE, COUNTED, NEEDED)
    with pytest.raises(FrozenInstanceError):
        found.cost = 0.0


@given(seeds)
@exactly
def test_constraints_hold(seed):
    free, counted, needed, cost, caps = world(seed)
    found = place(free, counted, needed, cost=cost, caps=caps, buffer=0.05)
    x = found.placed
    assert (x >= 0.0).all(axis=None)
    assert (x.where(counted.isna(), 0.0) == 0.0).all(axis=None)
    assert (x <= caps + 1e-7).all(axis=None)
    assert (x.sum() <= free + 1e-7).all()
    reached = (x * counted).sum(axis=1)
    np.testing.assert_allclose(reached, found.counted, atol=1e-9)
    assert (reached >= 1.05 * needed - 1e-7).all()
    assert found.cost == pytest.approx((x * cost).to_numpy().sum())
    np.testing.assert_allclose(found.left, free - x.sum(), atol=1e-7)


@given(seeds)
@exactly
def test_prices_are_dual(seed):
    free, counted, needed, cost, caps = world(seed)
    found = place(free, counted, needed, cost=cost, caps=caps, buffer=0.05)
    p, w = found.price_of_need, found.worth
    assert (p >= -1e-12).all()
    assert (w >= -1e-12).all()
    assert (p[needed <= 0.0] == 0.0).all()
    saved = counted.mul(p / 1.05, axis=0) - w - cost
    of_caps = (saved.clip(lower=0.0) * caps.where(caps < np.inf, 0.0)).fillna(0.0)
    assert (saved.where(caps == np.inf).fillna(0.0) <= 1e-9).all(axis=None)
    assert found.cost == pytest.approx(p @ needed - w @ free - of_caps.to_numpy().sum(), abs=1e-8)


@given(seeds)
@exactly
def test_prices_are_slopes_of_the_cost(seed):
    # The cost is convex in needs and in what is free, and the prices support it at any distance.
    free, counted, needed, cost, caps = world(seed)
    needed = needed.abs() + 1.0
    at = place(free, counted, needed, cost=cost, caps=caps)
    rng = np.random.default_rng(seed)
    for size in (0.01, 5.0):
        more = size * rng.uniform(-0.1, 1.0, len(needed))
        there = place(free, counted, needed + more, cost=cost, caps=caps).cost
        assert there >= at.cost + at.price_of_need @ more - 1e-8
        more = size * rng.uniform(0.0, 1.0, len(free))
        there = place(free + more, counted, needed, cost=cost, caps=caps).cost
        assert there >= at.cost - at.worth @ more - 1e-8


@given(seeds)
@exactly
def test_the_cost_never_falls_with_a_need_nor_rises_with_what_is_free(seed):
    free, counted, needed, cost, caps = world(seed)
    costs = [place(free, counted, needed + 5.0 * k, cost=cost, caps=caps).cost for k in range(4)]
    assert (np.diff(costs) >= -1e-8).all()
    costs = [place(free + 5.0 * k, counted, needed, cost=cost, caps=caps).cost for k in range(4)]
    assert (np.diff(costs) <= 1e-8).all()


@given(seeds, st.sampled_from([1e-6, 1e3, 1e9]))
@exactly
def test_dollars_and_thousands_give_the_same(seed, unit):
    free, counted, needed, cost, caps = world(seed)
    plain = place(free, counted, needed, cost=cost, caps=caps)
    found = place(unit * free, counted, unit * needed, cost=cost, caps=unit * caps)
    assert found.cost == pytest.approx(unit * plain.cost, rel=1e-8, abs=1e-8 * unit)
    np.testing.assert_allclose(found.price_of_need, plain.price_of_need, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found.worth, plain.worth, rtol=1e-7, atol=1e-12)
    dear = place(free, counted, needed, cost=100.0 * cost, caps=caps)
    assert dear.cost == pytest.approx(100.0 * plain.cost)


@pytest.mark.parametrize("ample", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_no_corner_is_cheaper(seed, ample):
    free, counted, needed, cost, caps = world(seed, 2, 2, ample)
    expected = cheapest_corner(free, counted, needed, cost, caps)
    if np.isinf(expected):
        with pytest.raises(EstimationError, match="lack in all"):
            place(free, counted, needed, cost=cost, caps=caps)
    else:
        found = place(free, counted, needed, cost=cost, caps=caps).cost
        assert found == pytest.approx(expected, abs=1e-8)


def test_the_corners_meet_both_cases():
    costs = [cheapest_corner(*world(seed, 2, 2, ample=False)) for seed in range(25)]
    assert 5 < np.isinf(costs).sum() < 20


def test_pro_rata_by_hand():
    # A: 40·100/180 of each; B: 60·100/150 of each
    np.testing.assert_allclose(pro_rata(FREE, COUNTED, NEEDED), [[200 / 9] * 2, [40.0] * 2])
    expected = 1.5 * pro_rata(FREE, COUNTED, NEEDED)
    pd.testing.assert_frame_equal(pro_rata(FREE, COUNTED, NEEDED, buffer=0.5), expected)


@given(seeds)
@exactly
def test_never_worse_than_pro_rata(seed):
    free, counted, needed, cost, _ = world(seed)
    free = free + 500.0
    naive = pro_rata(free, counted, needed)
    reached = (naive * counted).sum(axis=1)
    np.testing.assert_allclose(reached, needed.clip(lower=0.0), atol=1e-9)
    best = place(free, counted, needed, cost=cost)
    table = compare({"pro rata": naive, "optimal": best.placed}, counted, cost)
    assert table.loc["optimal", "cost"] == pytest.approx(best.cost)
    assert table.loc["optimal", "cost"] <= table.loc["pro rata", "cost"] + 1e-9
    fewest = place(free, counted, needed)
    table = compare({"pro rata": naive, "optimal": fewest.placed}, counted)
    assert table.loc["optimal", "placed"] <= table.loc["pro rata", "placed"] + 1e-9


def test_pro_rata_that_cannot_be():
    with pytest.raises(EstimationError, match=r"takes 120\.00 dollars of 'USD'.*100\.00 are free"):
        pro_rata(FREE, COUNTED * [1.0, np.nan], NEEDED * [1.5, 1.0])
    counted = COUNTED.mul([1.0, np.nan], axis=0)
    with pytest.raises(EstimationError, match="nothing that is free counts in 'B'"):
        pro_rata(FREE, counted, NEEDED)
    with pytest.raises(EstimationError, match="nothing that is free counts in 'A'"):
        pro_rata(0.0 * FREE, COUNTED, NEEDED)


def test_compare_by_hand():
    naive, best = pro_rata(FREE, COUNTED, NEEDED), place(FREE, COUNTED, NEEDED, cost=COST)
    table = compare({"pro rata": naive, "optimal": best.placed}, COUNTED, COST)
    assert list(table.index) == ["pro rata", "optimal"]
    np.testing.assert_allclose(table["cost"], [0.06 * (200 / 9 + 40), 2.75])
    np.testing.assert_allclose(table["placed"], [2 * (200 / 9 + 40), 135.0])
    np.testing.assert_allclose(table["counted"], [100.0, 100.0])
    unknown = COST.copy()
    unknown.loc["A", "USD"] = np.nan  # where nothing is placed
    assert compare({"optimal": best.placed}, COUNTED, unknown).loc["optimal", "cost"] == 2.75
    unknown.loc["B", "ETH"] = np.nan
    assert compare({"optimal": best.placed}, COUNTED, unknown)["cost"].isna().all()
    refused = COUNTED.mul([1.0, np.nan], axis=0)
    assert compare({"optimal": best.placed}, refused).loc["optimal", "counted"] == 40.0
    with pytest.raises(DataError, match="'B' in optimal is missing"):
        compare({"optimal": best.placed.drop("B")}, COUNTED, COST)


def test_shortage_says_how_much_and_where():
    # 100 + 80 counted of A and B at most where all ether goes to A
    needed = pd.Series([80.0, 130.0], ACCOUNTS)
    with pytest.raises(
        EstimationError, match=r"^30\.00 dollars .* 1 of 2 accounts: 30\.00 in 'B';"
    ):
        place(FREE, COUNTED, needed, cost=COST)
    with pytest.raises(EstimationError, match=r"needed \* even\(\.\.\.\)"):
        place(FREE, COUNTED, NEEDED, cost=COST, buffer=1.0)
    with pytest.raises(
        EstimationError, match=r"^100\.00 dollars .* 2 of 2 accounts: 60\.00 in 'B', 40"
    ):
        place(FREE, np.nan * COUNTED, NEEDED)
    # the fewest dollars lack where ether goes to A first, though B is the smaller one
    with pytest.raises(
        EstimationError, match=r"^10\.00 dollars .* 1 of 2 accounts: 10\.00 in 'B';"
    ):
        place(FREE * [0.0, 1.0], COUNTED, pd.Series([80.0, 10.0], ACCOUNTS))
    with pytest.raises(EstimationError, match=r"^100\.00 dollars"):
        place(0.0 * FREE, COUNTED, NEEDED)
    with pytest.raises(EstimationError, match=r"^100\.00 dollars"):
        place(FREE, COUNTED, NEEDED, caps=0.0 * COST)


def test_shares_by_hand():
    # 60 dollars for A and B, which need 120 of them; C has its own asset; D accepts nothing.
    names = list("ABCDE")
    free = pd.Series([60.0, 100.0], ASSETS)
    c = [[1.0, np.nan], [1.0, np.nan], [np.nan, 0.9], [np.nan, np.nan], [np.nan, 0.9]]
    counted, needed = pd.DataFrame(c, names, ASSETS), pd.Series([60.0, 60.0, 100.0, 9.0, -1], names)
    shares = even(free, counted, needed)
    np.testing.assert_allclose(shares, [0.5, 0.5, 0.9, 0.0, 1.0], atol=2e-9)
    np.testing.assert_allclose(even(free, counted, needed, buffer=0.5) * 1.5, [*shares[:4], 1.5])
    caps = pd.DataFrame([[6.0, np.inf], *[[np.inf] * 2] * 4], names, ASSETS)
    shares = even(free, counted, needed, caps=caps)
    np.testing.assert_allclose(shares, [0.1, 0.9, 0.9, 0.0, 1.0], atol=2e-9)
    found = place(free, counted, needed * shares, caps=caps)
    np.testing.assert_allclose(found.counted, (needed * shares).clip(lower=0.0), atol=1e-6)


def test_accounts_where_nothing_counts_are_settled_at_once(monkeypatch):
    solved = []
    monkeypatch.setattr(placing, "linprog", lambda *a, **k: solved.append(1) or linprog(*a, **k))
    names = list(range(20))
    counted = pd.DataFrame({"USD": [1.0] * 11 + [np.nan] * 9}, names)
    caps = pd.DataFrame({"USD": [np.inf] * 2 + [0.0] * 18}, names)
    shares = even(pd.Series({"USD": 1.0}), counted, pd.Series(1.0, names), caps=caps)
    np.testing.assert_allclose(shares, [0.5] * 2 + [0.0] * 18, atol=2e-9)
    assert len(solved) == 2


@given(st.lists(st.floats(0.1, 1.0), min_size=1, max_size=6), st.floats(1.0, 300.0))
@exactly
def test_shares_of_one_asset_are_equal(counted, free):
    names = list(range(len(counted)))
    needed = 100.0 + 10.0 * pd.Series(names, names, dtype=float)
    table = pd.DataFrame({"USD": counted}, names)
    shares = even(pd.Series({"USD": free}), table, needed)
    expected = min(1.0, free / (needed / counted).sum())
    np.testing.assert_allclose(shares, expected, atol=2e-9)


@given(seeds)
@exactly
def test_no_share_can_rise_unless_one_that_is_no_larger_falls(seed):
    free, counted, needed, cost, caps = world(seed, ample=False)
    free = 0.7 * free
    shares = even(free, counted, needed, caps=caps)
    assert shares.between(0.0, 1.0).all()
    needs, stock, least, most, bounds = dense(free, counted, needed, caps)
    for i in np.flatnonzero((needed > 0.0) & (shares < 1.0)):
        kept = np.where(shares <= shares.iloc[i] + 1e-7, shares - 1e-8, 0.0).clip(min=0.0)
        found = linprog(
            needs[i] / needed.iloc[i],
            np.vstack([needs, stock]),
            np.concatenate([least * kept, most]),
            bounds=np.stack([np.zeros(len(bounds)), bounds], axis=1),
        )
        assert -found.fun == pytest.approx(shares.iloc[i], abs=1e-5)
    spread = place(free, counted, needed * shares, cost=cost, caps=caps)
    np.testing.assert_allclose(spread.counted, (needed * shares).clip(lower=0.0), atol=1e-6)


@given(seeds)
@exactly
def test_shares_are_whole_where_the_needs_can_be_met(seed):
    free, counted, needed, _, caps = world(seed)
    assert even(free, counted, needed, caps=caps).eq(1.0).all()


GOOD = {"free": FREE, "counted": COUNTED, "needed": NEEDED, "cost": COST, "caps": CAPS}


def bad(name, value, at=None):
    table = GOOD[name].copy()
    if isinstance(table, pd.Series):
        table.loc[at or table.index[1]] = value
    else:
        table.loc["B", "ETH"] = value
    return {name: table}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (bad("needed", np.nan), "needed of 'B' is nan"),
        (bad("needed", np.inf), "needed of 'B' is inf"),
        (bad("needed", -np.inf), "needed of 'B' is -inf"),
        (bad("needed", 1e16), r"needed of 'B' is 1e\+16"),
        (bad("needed", 1e308), r"needed of 'B' is 1e\+308"),
        (bad("free", -1.0), "free of 'ETH' is -1"),
        (bad("free", np.nan), "free of 'ETH' is nan"),
        (bad("free", np.inf), "free of 'ETH' is inf"),
        (bad("counted", -0.1), "counted of 'B' of 'ETH' is -0.1; give 1 − haircut"),
        (bad("counted", 1.1), "counted of 'B' of 'ETH' is 1.1"),
        (bad("counted", np.inf), "counted of 'B' of 'ETH' is inf"),
        (bad("cost", -0.01), "cost of 'B' of 'ETH' is -0.01"),
        (bad("cost", np.nan), "cost of 'B' of 'ETH' is nan"),
        (bad("cost", np.inf), "cost of 'B' of 'ETH' is inf"),
        (bad("caps", -1.0), "caps of 'B' of 'ETH' is -1"),
        (bad("caps", np.nan), "caps of 'B' of 'ETH' is nan"),
        ({"free": FREE.rename({"ETH": "SOL"})}, "'ETH' in counted is unknown"),
        ({"free": pd.concat([FREE, FREE.rename({"ETH": "SOL"})[1:]])}, "'SOL' in counted is miss"),
        ({"needed": NEEDED.rename({"B": "C"})}, "'B' in counted is unknown"),
        ({"cost": COST.drop(index="B")}, "'B' in cost is missing"),
        ({"caps": CAPS.rename(columns={"ETH": 3})}, "in caps is"),
        ({"needed": pd.concat([NEEDED, NEEDED[:1]])}, "needed holds 'A' twice"),
        ({"free": pd.concat([FREE, FREE[1:]])}, "free holds 'ETH' twice"),
        ({"counted": pd.concat([COUNTED, COUNTED])}, "counted holds 'A' twice"),
        ({"counted": COUNTED[["USD", "USD", "ETH"]]}, "counted holds 'USD' twice"),
        ({"free": FREE[:0]}, "free is empty"),
        ({"needed": NEEDED[:0]}, "needed is empty"),
        ({"counted": COUNTED[[]]}, "counted is empty"),
        ({"free": [100.0, 100.0]}, "free is a list; give a Series"),
        ({"needed": COUNTED}, "needed is a DataFrame; give a Series"),
        ({"counted": NEEDED}, "counted is a Series; give a DataFrame"),
        ({"cost": 0.05}, "cost is a float; give a DataFrame"),
        ({"free": FREE.astype(str)}, "free holds .*; give numbers"),
        ({"needed": NEEDED > 50.0}, "needed holds bool"),
        ({"cost": COST.astype({"ETH": object})}, "cost holds object in 'ETH'"),
    ],
)
def test_bad_tables(wrong, message):
    tables = GOOD | wrong
    free, counted, needed = (tables.pop(name) for name in ("free", "counted", "needed"))
    with pytest.raises(DataError, match=message):
        place(free, counted, needed, **tables)
    if "cost" not in wrong:
        with pytest.raises(DataError, match=message):
            even(free, counted, needed, caps=tables["caps"])


def test_the_largest_need_holds_with_its_buffer():
    with pytest.raises(DataError, match="needed of 'A' is 9e"):
        place(FREE, COUNTED, pd.Series([9e14, 0.0], ACCOUNTS), buffer=0.2)


@pytest.mark.parametrize("buffer", [-0.1, np.nan, np.inf, "a tenth"])
def test_bad_buffers(buffer):
    for way in (place, even, pro_rata):
        with pytest.raises(ParameterError, match="buffer is"):
            way(FREE, COUNTED, NEEDED, buffer=buffer)
