"""Correlation: pandas and plain twins, closed forms, Higham's example, look-ahead, bad input."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy import stats

from tests.estimators.samples import dates, draw
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import correlation


def holed(frame, at):
    """`frame` without the returns of one bar."""
    holed = frame.copy()
    holed.iloc[at] = np.nan
    return holed


@pytest.fixture(scope="module")
def frame():
    """Four assets, one listed late and one delisted early."""
    returns = draw(600, 0.5, 1)
    returns.loc[returns.index[:100], "XRP"] = np.nan
    returns.loc[returns.index[-80:], "ADA"] = np.nan
    return returns


@pytest.fixture(scope="module")
def path(frame):
    return correlation.ewma(frame[["BTC", "ETH", "XRP"]], decay=0.95)


# --- paths ----------------------------------------------------------------------------------


def test_pairs_and_assets_are_in_column_order(frame):
    assert correlation.pairs(["C", "A", "B"]) == ["C~A", "C~B", "A~B"]
    assert correlation.assets_of(correlation.rolling(frame, 50)) == list(frame.columns)
    with pytest.raises(DataError, match="rename"):
        correlation.pairs(["A~B", "C"])


def test_rolling_agrees_with_pandas(frame):
    ours = correlation.rolling(frame, 60)
    for pair in ours:
        i, j = pair.split("~")
        theirs = frame[i].rolling(60).corr(frame[j])
        assert_allclose(ours[pair], theirs, rtol=0, atol=1e-12)
    assert ours.iloc[:59].isna().all(axis=None)


def test_ewma_agrees_with_the_plain_recursion(frame):
    ours = correlation.ewma(frame, decay=0.9, minimum=20)
    for i, j in itertools.combinations(frame, 2):
        common = frame[[i, j]].dropna()
        cov = var_i = var_j = 0.0
        for k, (date, (x, y)) in enumerate(common.iterrows()):
            cov, var_i, var_j = 0.9 * cov + x * y, 0.9 * var_i + x * x, 0.9 * var_j + y * y
            expected = cov / np.sqrt(var_i * var_j) if k >= 19 else np.nan
            got = ours.loc[date, f"{i}~{j}"]
            assert got == pytest.approx(expected, rel=1e-10, nan_ok=True)
        assert ours[f"{i}~{j}"].notna().sum() == len(common) - 19


@given(
    hnp.arrays(float, (40, 3), elements=st.floats(-1, 1, width=32)),
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_paths_are_bounded_and_free_of_units(values, scales):
    frame = pd.DataFrame(values, index=dates(40), columns=["A", "B", "C"])
    for estimate in (
        lambda x: correlation.rolling(x, 10),
        lambda x: correlation.ewma(x, 0.9, minimum=10),
    ):
        one, scaled = estimate(frame), estimate(frame * scales)
        known = one.to_numpy()[np.isfinite(one)]
        assert (np.abs(known) <= 1.0).all()
        both = np.isfinite(one) & np.isfinite(scaled)
        assert_allclose(scaled.where(both), one.where(both), rtol=0, atol=1e-5)


def test_opposite_returns_turn_the_sign(frame):
    turned = frame.assign(BTC=-frame["BTC"])
    for estimate in (lambda x: correlation.rolling(x, 40), correlation.ewma):
        assert_allclose(estimate(turned)["BTC~ETH"], -estimate(frame)["BTC~ETH"], atol=1e-12)


def test_a_constant_window_has_no_correlation(frame):
    stale = frame.copy()
    stale.loc[stale.index[200:260], "BTC"] = 0.0001
    ours = correlation.rolling(stale, 30)["BTC~ETH"]
    assert ours.iloc[229:260].isna().all()
    assert ours.iloc[[228, 260]].notna().all()


def test_simulated_correlation_comes_back():
    ours = correlation.rolling(draw(4000, 0.6, 2), 4000).iloc[-1]
    assert (np.abs(ours - 0.6) < 3 * (1 - 0.36) / np.sqrt(4000)).all()


# --- matrices -------------------------------------------------------------------------------


def test_matrix_is_symmetric_with_a_unit_diagonal(path):
    made = correlation.matrix(path.iloc[-1])
    assert made.loc["ETH", "XRP"] == path["ETH~XRP"].iloc[-1] == made.loc["XRP", "ETH"]
    assert np.diag(made).tolist() == [1.0] * 3
    turned = correlation.matrix(path.iloc[-1], ["XRP", "BTC"])
    assert turned.loc["XRP", "BTC"] == path["BTC~XRP"].iloc[-1]


def test_nearest_gives_highams_example():
    # Higham (2002), IMA Journal of Numerical Analysis 22, section 4: four digits are printed.
    a = pd.DataFrame([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    near = correlation.nearest(a, floor=0.0)
    expected = [[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]]
    assert_allclose(near, expected, atol=5e-5)
    assert np.linalg.norm(a - near) == pytest.approx(0.5278, abs=5e-5)


@given(hnp.arrays(float, 10, elements=st.floats(-1, 1)), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_nearest_is_a_correlation_matrix_and_none_is_nearer(values, seed):
    a = np.eye(5)
    a[np.triu_indices(5, 1)] = values
    a = np.maximum(a, a.T) if seed % 2 else np.triu(a) + np.triu(a, 1).T
    a = pd.DataFrame((a + a.T) / 2)
    near = correlation.nearest(a)
    assert np.linalg.eigvalsh(near)[0] > 0.0
    assert (np.diag(near) == 1.0).all()
    assert_allclose(correlation.nearest(near), near, atol=1e-9)
    rng = np.random.default_rng(seed)
    distance = np.linalg.norm(a - near)
    for _ in range(5):  # no step towards another correlation matrix comes nearer
        other = np.corrcoef(rng.standard_normal((5, 8)))
        for step in (0.01, 0.3, 1.0):
            moved = near + step * (other - near)
            assert np.linalg.norm(a - moved) >= distance - 1e-6


def test_nearest_leaves_a_correlation_matrix_alone(frame):
    sample = frame.corr()
    sample = (sample + sample.T) / 2
    pd.testing.assert_frame_equal(correlation.nearest(sample), sample, check_exact=True)


def test_stressed_matrices_bracket_the_present(path):
    high, low = correlation.stressed(path, 0.95), correlation.stressed(path, 0.05)
    middle = correlation.stressed(path, 0.5)
    off = ~np.eye(3, dtype=bool)
    assert (high.to_numpy()[off] > middle.to_numpy()[off]).all()
    assert (low.to_numpy()[off] < middle.to_numpy()[off]).all()
    assert high.loc["BTC", "ETH"] == pytest.approx(path["BTC~ETH"].quantile(0.95), abs=1e-9)


def test_stressed_repairs_what_no_world_can_have():
    n = 100
    swing = np.where(np.arange(n) % 2, 0.95, -0.95)
    path = pd.DataFrame({"A~B": -swing, "A~C": swing, "B~C": swing}, index=dates(n))
    low = correlation.stressed(path, 0.05)  # three assets cannot all oppose one another
    assert np.linalg.eigvalsh(low)[0] > 0.0
    assert_allclose(low.to_numpy()[np.triu_indices(3, 1)], -0.5, atol=1e-6)


def test_first_eigenvalue_share_of_an_equicorrelated_world():
    rho = pd.Series(np.linspace(-0.2, 0.9, 50), index=dates(50))
    path = pd.DataFrame(dict.fromkeys(correlation.pairs(list("ABCD")), rho))
    share = correlation.first_eigenvalue_share(path)
    assert_allclose(share, np.maximum(1 + 3 * rho, 1 - rho) / 4)


def test_first_eigenvalue_share_waits_for_every_asset(frame):
    share = correlation.first_eigenvalue_share(correlation.ewma(frame, minimum=30))
    assert share.first_valid_index() == frame.index[129]
    assert share.last_valid_index() == frame.index[-81]


def test_basket_risk_of_an_equicorrelated_world():
    for rho in (-1 / 3, 0.0, 0.4, 1.0):
        R = pd.DataFrame(np.full((4, 4), rho) + (1 - rho) * np.eye(4))
        expected = np.sqrt((1 + 3 * rho) / 4)
        assert correlation.basket_risk(R) == pytest.approx(expected, abs=1e-8)


# --- tails ----------------------------------------------------------------------------------


def test_tail_dependence_by_hand():
    n = 200
    x = np.arange(n, dtype=float)
    y = x.copy()
    y[[5, 190]] = y[[190, 5]]  # one of the ten worst days is swapped away
    frame = pd.DataFrame({"A": x, "B": y, "C": -x}, index=dates(n))
    table = correlation.tail_dependence(frame, 0.05).set_index("pair")
    assert table.loc["A~B", "coefficient"] == 0.9
    assert table.loc["A~C", "coefficient"] == 0.0
    assert table["tail_bars"].eq(10).all()
    # Wilson's interval of 9 in 10 at 90 %: solve |p̂ − p| = z √(p(1 − p)/n) for p.
    z = stats.norm.ppf(0.95)
    for p in table.loc["A~B", ["low", "high"]]:
        assert abs(0.9 - p) == pytest.approx(z * np.sqrt(p * (1 - p) / 10))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_tail_dependence_sees_ranks_only(seed):
    frame = draw(300, 0.5, seed, nu=4)
    bent = np.sinh(frame * 40) + 3.0
    pd.testing.assert_frame_equal(
        correlation.tail_dependence(frame), correlation.tail_dependence(bent)
    )


# --- alerts ---------------------------------------------------------------------------------


def test_alerts_by_hand():
    calm = 0.3 + 0.1 * np.sin(np.arange(300))
    rho = np.r_[calm, [0.9, 0.9, 0.3, 0.9], calm]
    path = pd.DataFrame({"A~B": rho}, index=dates(len(rho)))
    found = correlation.alerts(path, minimum=200)
    at = found[(found["kind"] == "pair") & (found["value"] == 0.9)]
    assert at["time"].tolist() == [path.index[300], path.index[303]]  # entries, not every day
    assert at["threshold"].iloc[0] == pytest.approx(np.quantile(rho[:300], 0.95))
    jumps = found[(found["kind"] == "factor") & (found["time"] >= path.index[300])]
    assert jumps["time"].iloc[0] == path.index[300]
    share = (1 + np.abs(rho)) / 2
    assert jumps["value"].iloc[0] == pytest.approx(share[300] - share[299])
    assert jumps["threshold"].iloc[0] == pytest.approx(np.quantile(np.diff(share[:300]), 0.99))


def test_alerts_wait_for_their_past(path):
    found = correlation.alerts(path, minimum=250)
    first = path["BTC~ETH"].first_valid_index()
    assert found["time"].min() > path.index[path.index.get_loc(first) + 249]
    assert found["time"].is_monotonic_increasing
    assert found.columns.tolist() == ["time", "kind", "name", "value", "threshold"]
    assert len(correlation.alerts(path.iloc[:100])) == 0


def test_a_planted_jump_moves_nothing_before_it(frame):
    returns, at = frame[["BTC", "ETH", "XRP"]], 450
    moved = returns.copy()
    moved.iloc[at] += [1.0, 1.0, -1.0]
    cut = returns.index[at]
    for estimate in (
        lambda x: correlation.rolling(x, 50),
        correlation.ewma,
        lambda x: correlation.first_eigenvalue_share(correlation.ewma(x)).to_frame(),
    ):
        ours, theirs = estimate(returns), estimate(moved)
        pd.testing.assert_frame_equal(ours.iloc[:at], theirs.iloc[:at], check_exact=True)
        assert (ours.iloc[at] != theirs.iloc[at]).all()
    ours, theirs = (correlation.alerts(correlation.ewma(x)) for x in (returns, moved))
    before = ours[ours["time"] < cut].reset_index(drop=True)
    assert len(before) > 0
    pd.testing.assert_frame_equal(
        before, theirs[theirs["time"] < cut].reset_index(drop=True), check_exact=True
    )
    assert ((theirs["time"] == cut) & (theirs["name"] == "BTC~ETH")).any()


# --- bad input ------------------------------------------------------------------------------


def test_refusals(frame, path):
    with pytest.raises(EstimationError, match="needs two assets"):
        correlation.rolling(frame[["BTC"]], 50)
    with pytest.raises(ParameterError, match="600 rows"):
        correlation.rolling(frame, 601)
    with pytest.raises(ParameterError, match="window"):
        correlation.rolling(frame, 2)
    with pytest.raises(DataError, match="empty"):
        correlation.ewma(frame.iloc[:0])
    with pytest.raises(EstimationError, match="BTC: 1 missing returns inside"):
        correlation.ewma(holed(frame, 300))
    with pytest.raises(EstimationError, match="infinite"):
        correlation.ewma(frame.replace(frame.iloc[300, 0], np.inf))
    with pytest.raises(ParameterError, match=r"did you mean 0\.94"):
        correlation.ewma(frame, decay=94)
    with pytest.raises(EstimationError, match="no correlation of BTC and ADA"):
        correlation.matrix(path.iloc[-1], ["BTC", "ADA"])
    with pytest.raises(EstimationError, match="no correlation of BTC and ETH"):
        correlation.matrix(path.iloc[0])
    with pytest.raises(ParameterError, match="quantile"):
        correlation.stressed(path, 95)
    with pytest.raises(EstimationError, match="no pair of BTC and ADA"):
        correlation.first_eigenvalue_share(path, ["BTC", "ADA"])
    with pytest.raises(EstimationError, match="5 are needed"):
        correlation.tail_dependence(frame.iloc[200:290], 0.05)
    with pytest.raises(EstimationError, match="not symmetric"):
        correlation.nearest(pd.DataFrame([[1.0, 0.2], [0.3, 1.0]]))
    assert correlation.ewma(frame.iloc[[0]][["BTC", "ETH"]]).isna().all(axis=None)
