"""Draws and weights against closed forms, plain and pushed; the tail of a small system."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.systemic.trio import LAW, MOVING, trio
from xcoll.errors import EstimationError, ParameterError
from xcoll.systemic import montecarlo, shocks
from xcoll.systemic.montecarlo import draw, tail, var_es

NORMAL = replace(LAW, nu=np.inf)
LAWS = pytest.mark.parametrize("law", [LAW, NORMAL], ids=["t", "normal"])
A = np.array([0.5, 0.2, 0.3])  # holdings: the loss is −A·x


def spread(law):
    return float(np.sqrt(A @ law.covariance @ A))


def toward(law, distance):
    """The shock of that norm that costs −A·x most."""
    return -distance * law.covariance @ A / spread(law)


def linear(sample):
    return -sample.moves @ A


def tail_of_linear(law, confidence):
    """VaR and ES of −A·x in closed form."""
    alpha = 1.0 - confidence
    if np.isinf(law.nu):
        z = stats.norm.ppf(confidence)
        return spread(law) * z, spread(law) * stats.norm.pdf(z) / alpha
    unit, q = np.sqrt((law.nu - 2.0) / law.nu), stats.t.ppf(confidence, law.nu)
    es = stats.t.pdf(q, law.nu) / alpha * (law.nu + q**2) / (law.nu - 1.0)
    return spread(law) * unit * q, spread(law) * unit * es


def both(law, count, distance, seed):
    """Plain and pushed draws."""
    rng = np.random.default_rng(seed)
    return {
        "plain": draw(law, count, rng),
        "pushed": draw(law, count, rng, toward(law, distance)),
    }


@LAWS
@pytest.mark.parametrize("distance", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("itself", [0.1, 0.5])
def test_weights_have_mean_one_and_a_ceiling(law, distance, itself):
    sample = draw(law, 40_000, np.random.default_rng(1), toward(law, distance), itself)
    error = sample.weight.std() / 200.0
    assert abs(sample.weight.mean() - 1.0) < 4.0 * error
    assert (sample.weight >= 0.0).all()
    assert sample.weight.max() <= 1.0 / itself * (1 + 1e-12)
    assert error < 0.02


@LAWS
def test_weighted_draws_have_the_moments_of_the_law(law):
    law = replace(law, nu=max(law.nu, 9.0))
    sample = draw(law, 100_000, np.random.default_rng(2), toward(law, 3.0))
    x, w = sample.moves, sample.weight[:, None]
    assert (np.abs((w * x).mean(axis=0)) < 4 * (w * x).std(axis=0) / 100_000**0.5).all()
    pairs = w[:, :, None] * x[:, :, None] * x[:, None, :]
    error = pairs.std(axis=0) / 100_000**0.5
    assert (np.abs(pairs.mean(axis=0) - law.covariance) < 4 * error).all()


@LAWS
def test_other_coordinates_follow_the_distance_as_under_the_law(law):
    """Given y they are t with ν + 1, wider by (ν − 2 + y²)/(ν + 1); normal ones ignore y."""
    aim = toward(law, 6.0)
    sample = draw(law, 12_000, np.random.default_rng(3), aim)
    z, u = law.whiten(sample.moves), law.whiten(aim)[0] / 6.0
    y = z @ u
    frame = np.linalg.svd(u[None])[2][1:]  # across the direction
    across = z @ frame.T
    given = stats.norm
    if np.isfinite(law.nu):
        across = across / np.sqrt((law.nu - 2.0 + y**2) / (law.nu + 1.0))[:, None]
        given = stats.t(law.nu + 1.0)
    far = y > 5.0
    assert 0.1 < far.mean() < 0.9
    for part in (far, ~far):
        for axis in range(2):
            assert stats.kstest(across[part, axis], given.cdf).pvalue > 1e-3
    square = (across**2).sum(axis=1) / 2.0  # jointly: one common width
    radius = stats.f(2, law.nu + 1.0) if np.isfinite(law.nu) else stats.chi2(2, scale=0.5)
    assert stats.kstest(square, radius.cdf).pvalue > 1e-3
    assert abs(stats.spearmanr(square, y).statistic) < 4 / 12_000**0.5


@LAWS
def test_distances_are_drawn_from_the_mixture(law):
    aim = toward(law, 5.0)
    sample = draw(law, 20_000, np.random.default_rng(4), aim, itself=0.3)
    y = law.whiten(sample.moves) @ (law.whiten(aim)[0] / 5.0)
    far = stats.lomax(3.0, loc=3.0, scale=5.0)
    unit = stats.t(law.nu, scale=np.sqrt(1 - 2 / law.nu)) if np.isfinite(law.nu) else stats.norm
    mixture = stats.kstest(y, lambda d: 0.3 * unit.cdf(d) + 0.7 * far.cdf(d))
    assert mixture.pvalue > 0.01
    density = 0.3 * unit.pdf(y) + 0.7 * far.pdf(y)
    np.testing.assert_allclose(sample.weight, unit.pdf(y) / density, rtol=1e-9)


def test_plain_draws_are_those_of_the_law():
    sample = draw(LAW, 100, np.random.default_rng(5))
    np.testing.assert_array_equal(sample.moves, LAW.draw(100, np.random.default_rng(5)))
    assert (sample.weight == 1.0).all()


@LAWS
@pytest.mark.parametrize("confidence", [0.95, 0.99, 0.999])
def test_tail_of_a_linear_loss(law, confidence):
    var, es = tail_of_linear(law, confidence)
    losses = {n: (linear(s), s.weight) for n, s in both(law, 40_000, var / spread(law), 6).items()}
    table = tail(losses, [confidence], level=0.999, replications=100).set_index("case")
    assert (table["var_low"] <= var).all()
    assert (var <= table["var_high"]).all()
    assert (table["es_low"] < es).all()
    assert (es < table["es_high"]).all()
    assert table.loc["pushed", "es_error"] < 0.03 * es


@LAWS
def test_tail_of_a_pareto_loss(law):
    """P(L > x) = x⁻⁴ under either law: VaR = α^(−1/4), ES = VaR·4/3."""
    for name, sample in both(law, 40_000, 4.0, 7).items():
        y = law.whiten(sample.moves) @ (law.whiten(toward(law, 1.0))[0])
        shrink = np.sqrt(1 - 2 / law.nu) if np.isfinite(law.nu) else 1.0
        beyond = stats.t.sf(y / shrink, law.nu) if np.isfinite(law.nu) else stats.norm.sf(y)
        losses = np.maximum(beyond, 1e-300) ** -0.25
        var, es, error = var_es(losses, sample.weight, 0.999)
        assert var == pytest.approx(1e-3**-0.25, rel=0.15 if name == "plain" else 0.02)
        assert es == pytest.approx(1e-3**-0.25 * 4 / 3, abs=4 * error)
        assert error < (0.8 if name == "plain" else 0.15)


def test_tail_of_a_lognormal_loss():
    s = spread(NORMAL)
    z = stats.norm.ppf(0.99)
    exact = np.exp(0.5 * s**2) * stats.norm.cdf(s - z) / 0.01
    for sample in both(NORMAL, 40_000, 2.5, 8).values():
        var, es, error = var_es(np.exp(linear(sample)), sample.weight, 0.99)
        assert var == pytest.approx(np.exp(s * z), rel=0.02)
        assert es == pytest.approx(exact, abs=4 * error)


@LAWS
def test_the_error_of_es_is_what_estimates_scatter_by(law):
    var, es = tail_of_linear(law, 0.99)
    for push in (None, toward(law, var / spread(law))):
        off = []
        for seed in range(150):
            sample = draw(law, 4_000, np.random.default_rng(seed), push)
            _, found, error = var_es(linear(sample), sample.weight, 0.99)
            off.append((found - es) / error)
        assert np.mean(np.abs(off) < 1.645) == pytest.approx(0.90, abs=0.08)
        assert abs(np.mean(off)) < 0.5


@LAWS
def test_pushing_makes_the_far_tail_ten_times_cheaper(law):
    var, _ = tail_of_linear(law, 0.999)
    losses = {n: (linear(s), s.weight) for n, s in both(law, 40_000, var / spread(law), 9).items()}
    variance = tail(losses, [0.999], replications=2).set_index("case")["variance"]
    assert variance["pushed"] < variance["plain"] / 10


@pytest.fixture(scope="module")
def samples():
    """Bad debt of a small system, drawn plainly and towards a market fall."""
    system, made = trio(size=30), {}
    for name, count, push in (("plain", 24_000, None), ("pushed", 4_000, -3.0 * LAW.sigma)):
        sample = draw(LAW, count, np.random.default_rng(10), push)
        made[name] = (shocks.run(system, MOVING, sample.moves).bad_debt, sample.weight)
    return made


def test_the_far_tail_of_a_system(samples):
    table = tail(samples, [0.99, 0.999], 0.999, 200).set_index(["confidence", "case"])
    for confidence in (0.99, 0.999):
        plain, pushed = table.loc[(confidence, "plain")], table.loc[(confidence, "pushed")]
        assert plain["es_low"] < pushed["es"] < plain["es_high"]
        assert plain["var_low"] <= pushed["var_high"]
        assert pushed["var_low"] <= plain["var_high"]
    variance = table["variance"].xs(0.999)
    assert variance["pushed"] < variance["plain"] / 10
    assert table.loc[(0.999, "plain"), "es"] > 0.005


def test_without_weights_they_are_the_ordinary_ones():
    losses = np.random.default_rng(11).permutation(np.arange(1.0, 1_001.0))
    var, es, error = var_es(losses, np.ones(1_000), 0.975)
    assert var == 975.0  # 25 of 1,000 are above
    assert es == pytest.approx(np.arange(976, 1_001).mean())
    excess = np.maximum(losses - 975.0, 0.0) / 0.025
    assert error == pytest.approx(excess.std(ddof=1) / 1_000**0.5)
    assert var_es(losses, np.ones(1_000), 0.75)[0] == 750.0  # 250 above are a quarter exactly
    assert var_es(losses, np.ones(1_000), 0.9)[0] == 900.0  # although 1 − 0.9 is under 0.1
    real = np.random.default_rng(12).standard_t(4, 5_000)
    for confidence, count in ((0.9, 500), (0.99, 50)):
        var, es, _ = var_es(real, np.ones(5_000), confidence)
        worst = np.sort(real)[-count:]
        assert es == pytest.approx(worst.mean(), rel=1e-12)
        assert (real > var).mean() <= 1 - confidence + 1e-12


def test_a_whole_weight_is_a_repeated_draw():
    rng = np.random.default_rng(13)
    losses, weight = rng.standard_normal(900), rng.integers(0, 4, 900)
    repeated = np.repeat(losses, weight)
    scale = len(losses) / weight.sum()
    var, es, _ = var_es(losses, weight * scale, 0.9)
    plain = var_es(repeated, np.ones(len(repeated)), 0.9)
    assert (var, es) == (pytest.approx(plain[0]), pytest.approx(plain[1]))


def test_losses_that_are_mostly_nothing():
    losses = np.zeros(1_000)
    losses[:30] = 0.4
    var, es, _ = var_es(losses, np.ones(1_000), 0.95)
    assert (var, es) == (0.0, pytest.approx(0.4 * 0.03 / 0.05))
    assert var_es(np.full(1_000, 0.2), np.ones(1_000), 0.95)[:2] == (0.2, pytest.approx(0.2))


def test_too_few_draws_beyond_the_quantile():
    losses = np.arange(1_000.0)
    with pytest.raises(EstimationError, match=r"99\.900% quantile is worth 1\.0 draws of 1000"):
        var_es(losses, np.ones(1_000), 0.999)
    with pytest.raises(EstimationError, match=r"worth 9\.0 draws"):
        var_es(losses, np.ones(1_000), 0.991)
    assert var_es(losses, np.ones(1_000), 0.99)[0] == 989.0
    uneven = np.full(1_000, 0.9)  # of a hundred draws one carries nine tenths
    uneven[-1] = 90.0
    with pytest.raises(EstimationError, match="worth 1"):
        var_es(losses, uneven, 0.9)
    none = np.r_[np.full(999, 0.05), 950.0]  # nothing is drawn beyond: the far one has it all
    with pytest.raises(EstimationError, match=r"worth 0\.0 draws"):
        var_es(losses, none, 0.9)


def test_table_of_tails():
    rng = np.random.default_rng(14)
    cases = {name: (rng.standard_normal(2_000), np.ones(2_000)) for name in ("a", "b")}
    table = tail(cases, [0.9, 0.95], rng=np.random.default_rng(1))
    assert table[["case", "confidence"]].to_numpy().tolist() == [
        ["a", 0.9], ["a", 0.95], ["b", 0.9], ["b", 0.95],
    ]  # fmt: skip
    assert (table["draws"] == 2_000).all()
    row = table.iloc[1]
    assert (row["var"], row["es"], row["es_error"]) == var_es(*cases["a"], 0.95)
    assert row["es_high"] - row["es"] == pytest.approx(1.645 * row["es_error"], rel=1e-3)
    assert row["variance"] == pytest.approx(row["es_error"] ** 2 * 2_000)
    assert (table["var_low"] < table["var"]).all()
    assert (table["var"] < table["var_high"]).all()
    density = stats.norm.pdf(stats.norm.ppf(0.95))
    half = 1.645 * np.sqrt(0.95 * 0.05 / 2_000) / density  # of a sample quantile
    assert row["var_high"] - row["var_low"] == pytest.approx(2 * half, rel=0.35)
    again = tail(cases, [0.9, 0.95], rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(table, again)


def test_venues_each_have_their_tail():
    rng = np.random.default_rng(15)
    whole, weight = rng.exponential(size=2_000), rng.uniform(0.5, 1.5, 2_000)
    rare = np.where(np.arange(2_000) < 4, 1.0, 0.0)
    losses = pd.DataFrame({"a": whole, "b": rare, "none": 0.0})
    table = montecarlo.by_venue(losses, weight, 0.95).set_index("venue")
    var, es, error = var_es(whole, weight, 0.95)
    assert table.loc["a", ["var", "es"]].tolist() == [var, es]
    assert table.loc["a", "es_high"] - es == pytest.approx(1.645 * error, rel=1e-3)
    assert es - table.loc["a", "es_low"] == pytest.approx(1.645 * error, rel=1e-3)
    assert table["losing"].tolist() == [2_000, 4, 0]
    numbers = ["var", "es", "es_low", "es_high"]
    assert table.loc["b", numbers].isna().all()  # four draws are no tail
    assert (table.loc["none", numbers] == 0.0).all()
    far = montecarlo.by_venue(losses, weight, 0.999).set_index("venue")
    assert far.loc[["a", "b"], numbers].isna().all(axis=None)  # two draws beyond
    assert (far["confidence"] == 0.999).all()


def test_few_draws_that_lose_are_no_tail():
    losses = np.zeros(1_000)
    losses[:9] = 1.0
    with pytest.raises(EstimationError, match=r"worth 9\.0 draws"):
        var_es(losses, np.ones(1_000), 0.95)
    losses[9] = 1.0
    assert var_es(losses, np.ones(1_000), 0.95)[:2] == (0.0, pytest.approx(0.01 / 0.05))
    assert var_es(0.0 * losses, np.ones(1_000), 0.95) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"itself": 1.0}, "itself is 1; give a fraction"),
        ({"toward": np.zeros(3)}, "some of them not zero"),
        ({"toward": np.ones(2)}, r"toward has shape \(2,\)"),
    ],
)
def test_draws_are_checked(changes, message):
    given = {"count": 10, "toward": np.ones(3), "itself": 0.2} | changes
    with pytest.raises(ParameterError, match=message):
        montecarlo.draw(LAW, given.pop("count"), np.random.default_rng(0), **given)
    with pytest.raises(ParameterError, match="confidence is 95"):
        var_es(np.ones(5), np.ones(5), 95.0)
