"""Comparisons: statsmodels' HAC errors, the confidence set of arch, refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from arch.bootstrap import MCS
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.evaluation import comparison


def dates(n):
    return pd.date_range("2020-01-01", periods=n, freq="D")


def losses(n, means, seed, share=0.5):
    """Losses with a part that all models have in common, and noise of their own that clusters."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((n, len(means)))
    own[1:] += 0.4 * own[:-1]
    values = np.asarray(means) + share * rng.standard_normal((n, 1)) + own
    return pd.DataFrame(values, dates(n), [f"m{k}" for k in range(len(means))])


def by_arch(frame, seed, replications, block):
    """The p-values of arch's own procedure, circular blocks."""
    test = MCS(frame, 0.1, replications, block, "R", "circular", seed=seed)
    test.compute()
    return test.pvalues["Pvalue"].to_dict()


# --- Diebold and Mariano --------------------------------------------------------------------


@pytest.mark.parametrize("lags", [0, 3, None])
def test_diebold_mariano_has_the_hac_errors_of_statsmodels(lags):
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(400)
    d = pd.Series(0.1 + noise + 0.5 * np.r_[0.0, noise[:-1]], index=dates(400))
    ours = comparison.diebold_mariano(d, 0.0 * d, lags=lags)
    span = 5 if lags is None else lags  # 4 (400/100)^(2/9) = 5.44
    theirs = sm.OLS(d.to_numpy(), np.ones(400)).fit(
        cov_type="HAC", cov_kwds={"maxlags": span, "use_correction": False}
    )
    assert ours.lags == span
    assert ours.difference == pytest.approx(theirs.params[0])
    assert ours.std_error == pytest.approx(theirs.bse[0])
    assert ours.p_value == pytest.approx(theirs.pvalues[0])
    assert ours.interval(0.95) == pytest.approx(tuple(theirs.conf_int(0.05)[0]))


def test_diebold_mariano_holds_its_size():
    rng = np.random.default_rng(2)
    rejected = sum(
        comparison.diebold_mariano(pd.Series(x), pd.Series(np.zeros(300))).p_value < 0.05
        for x in rng.standard_normal((400, 300))
    )
    assert 6 <= rejected <= 40  # binomial(400, 5 %) and the small-sample excess of HAC errors


def test_diebold_mariano_is_antisymmetric_and_leaves_out_missing_bars():
    both = losses(200, [0.0, 0.3], 3)
    both.iloc[:20, 0] = np.nan
    one, other = (
        comparison.diebold_mariano(both[a], both[b]) for a, b in (("m0", "m1"), ("m1", "m0"))
    )
    assert one.difference == pytest.approx(-other.difference)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.bars == 180


def test_diebold_mariano_refuses():
    short = pd.Series(np.arange(29.0))
    with pytest.raises(EstimationError, match="29 common bars"):
        comparison.diebold_mariano(short, 0 * short)
    same = pd.Series(np.ones(50))
    with pytest.raises(EstimationError, match="differ by a constant"):
        comparison.diebold_mariano(same, same)
    with pytest.raises(ParameterError, match="lags"):
        comparison.diebold_mariano(pd.Series(np.arange(50.0)), same, lags=-1)
    with pytest.raises(EstimationError, match="infinite loss of 'second'"):
        comparison.diebold_mariano(same, pd.Series(np.r_[np.inf, np.arange(49.0)]))


# --- model confidence set -------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "block"), [(0, None), (7, 3), (8, 25), (9, 1), (10, 150)])
def test_confidence_set_is_that_of_arch_on_the_same_draws(seed, block):
    frame = losses(300, [0.0, 0.02, 0.1, 0.3, 0.15], seed)
    ours = comparison.confidence_set(frame, seed=seed, replications=400, block=block)
    theirs = by_arch(frame, seed, 400, block or 7)  # 300^(1/3) = 6.7
    assert sum(0.0 < p < 1.0 for p in theirs.values()) >= 2
    assert ours.set_index("model")["p_value"].to_dict() == theirs
    assert ours["score"].tolist() == sorted(frame.mean())
    assert (ours["included"] == (ours["p_value"] > 0.10)).all()


def test_the_best_model_is_in_the_set_and_a_hopeless_one_is_not():
    table = comparison.confidence_set(losses(500, [0.0, 0.05, 2.0], 4)).set_index("model")
    assert table.loc["m2", "p_value"] == 0.0
    assert not table.loc["m2", "included"]
    assert table["p_value"].iloc[0] == 1.0


def test_the_set_holds_equal_models_as_often_as_it_says():
    whole = sum(
        comparison.confidence_set(losses(200, [0.0, 0.0, 0.0], seed), 0.2, replications=200)[
            "included"
        ].all()
        for seed in range(120)
    )
    # all three are best, so they are all kept in 80 % of samples: 96, binomial sd 4.4, and a
    # bootstrap of 200 clustered bars rejects somewhat more often than it should
    assert 76 <= whole <= 110


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-10.0, 10.0), order=st.permutations(range(3)))
@settings(max_examples=15, deadline=None)
def test_unit_common_part_and_order_do_not_matter(scale, shift, order):
    frame = losses(120, [0.0, 0.1, 0.25], 5)
    common = np.linspace(shift, -shift, 120)[:, None]
    table = comparison.confidence_set(frame, replications=100).set_index("model")
    moved = comparison.confidence_set((scale * (frame + common)).iloc[:, order], replications=100)
    moved = moved.set_index("model")["p_value"]
    assert (moved.reindex(table.index) - table["p_value"]).abs().max() <= 0.011  # a rounded tie


def test_same_losses_share_their_p_value():
    frame = losses(300, [0.0, 0.3, 0.1], 6)
    table = comparison.confidence_set(frame.assign(again=frame["m1"])).set_index("model")
    alone = comparison.confidence_set(frame).set_index("model")
    assert table.loc["again", "p_value"] == table.loc["m1", "p_value"] < 0.5
    assert (table["p_value"].drop("again").reindex(alone.index) == alone["p_value"]).all()
    twins = comparison.confidence_set(pd.DataFrame({"a": frame["m0"], "b": frame["m0"]}))
    assert twins["included"].all()


def test_missing_bars_are_left_out_and_the_seed_decides():
    frame = losses(300, [0.0, 0.1, 0.2], 9)
    late = frame.copy()
    late.iloc[:40, 1] = np.nan
    cut = comparison.confidence_set(frame.iloc[40:])
    pd.testing.assert_frame_equal(comparison.confidence_set(late), cut)
    drawn = comparison.confidence_set(frame, seed=np.random.default_rng(0))
    pd.testing.assert_frame_equal(drawn, comparison.confidence_set(frame, seed=0))
    assert not drawn.equals(comparison.confidence_set(frame, seed=1))


@pytest.mark.parametrize(
    ("frame", "choices", "error", "said"),
    [
        (losses(100, [0.0], 0), {}, EstimationError, "at least two"),
        (losses(100, [0.0, 1.0], 0).set_axis(["m", "m"], axis=1), {}, EstimationError, "one name"),
        (losses(29, [0.0, 1.0], 0), {}, EstimationError, "29 common bars"),
        (np.nan * losses(100, [0.0, 1.0], 0), {}, EstimationError, "0 common bars"),
        (losses(100, [0.0, 1.0], 0).replace(0.0, 1.0) * np.inf, {}, EstimationError, "infinite"),
        (losses(100, [0.0, 1.0], 0), {"size": 90}, ParameterError, "did you mean 0.9"),
        (losses(100, [0.0, 1.0], 0), {"block": 51}, EstimationError, "shorter blocks"),
        (losses(100, [0.0, 1.0], 0), {"block": 0}, ParameterError, "block"),
        (losses(100, [0.0, 1.0], 0), {"replications": 1.5}, ParameterError, "replications"),
    ],
)
def test_confidence_set_refuses(frame, choices, error, said):
    with pytest.raises(error, match=said):
        comparison.confidence_set(frame, **choices)


def test_losses_that_differ_by_a_constant_are_refused_by_name():
    frame = losses(100, [0.0, 1.0], 0)
    with pytest.raises(EstimationError, match="'shifted'"):
        comparison.confidence_set(frame.assign(shifted=frame["m0"] + 0.25))
