"""How often the tests reject a true model (size) and a wrong one (power).

Histories of losses from a known law are tested as any forecast would be; the forecast is the true
one, or a share too low.  For Kupiec the answer is a binomial sum and needs no simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom, norm
from scipy.stats import t as student

from xcoll import checks
from xcoll.estimators.evaluation.hits import kupiec
from xcoll.estimators.evaluation.inputs import share
from xcoll.estimators.evaluation.montecarlo import null
from xcoll.estimators.evaluation.table import REGRESSIONS, TESTS, judge

__all__ = [
    "Law",
    "ParetoLaw",
    "hit_chance",
    "kupiec_power",
    "kupiec_rejects",
    "size_and_power",
    "size_of_tests",
]

BAND = 0.99  # of the binomial band around the size


@dataclass(frozen=True)
class Law:
    """Student t losses with `nu` degrees of freedom (infinite for the normal), variance one."""

    nu: float = np.inf

    @property
    def scale(self) -> float:
        """What makes the variance one."""
        return 1.0 if np.isinf(self.nu) else float(np.sqrt((self.nu - 2.0) / self.nu))

    def var(self, confidence: float) -> float:
        """Quantile of the loss."""
        return self.scale * float(student.ppf(confidence, self.nu))

    def es(self, confidence: float) -> float:
        """Mean of the losses beyond it (McNeil, Frey and Embrechts 2015, example 2.15)."""
        x, p = float(student.ppf(confidence, self.nu)), share(confidence)
        if np.isinf(self.nu):
            return float(norm.pdf(x)) / p
        spread = (self.nu + x * x) / (self.nu - 1.0)
        return self.scale * float(student.pdf(x, self.nu)) / p * spread

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Independent losses."""
        if np.isinf(self.nu):
            return rng.standard_normal(shape)
        return self.scale * rng.standard_t(self.nu, shape)


@dataclass(frozen=True)
class ParetoLaw:
    """Losses `U^-ξ`: the tail that the Monte Carlo ES tests assume, so that they are exact."""

    xi: float = 0.2

    def var(self, confidence: float) -> float:
        """Quantile of the loss."""
        return share(confidence) ** -self.xi

    def es(self, confidence: float) -> float:
        """Mean of the losses beyond it."""
        return self.var(confidence) / (1.0 - self.xi)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Independent losses, all positive."""
        return (1.0 - rng.random(shape)) ** -self.xi


def hit_chance(confidence: float, too_low: float = 0.0, law: Law | None = None) -> float:
    """Chance of a hit where the VaR is the true one less the share `too_low`."""
    law = Law() if law is None else law
    x = (1.0 - checks.fraction("too_low", too_low, closed=True)) * law.var(confidence)
    return float(student.sf(x / law.scale, law.nu))


def kupiec_rejects(
    observations: int, probability: float, truth: float, size: float = 0.05
) -> float:
    """Exact chance that the asymptotic POF test rejects where hits have the chance `truth`."""
    x = np.arange(checks.whole("observations", observations) + 1)
    p_values = np.array([kupiec(int(k), observations, probability).p_value for k in x])
    rejected = p_values < checks.fraction("size", size)
    chance = checks.fraction("truth", truth)
    return float(binom.pmf(x[rejected], observations, chance).sum())


def kupiec_power(
    observations: int,
    confidence: float,
    too_low: float = 0.0,
    law: Law | None = None,
    size: float = 0.05,
) -> float:
    """Exact chance that the asymptotic POF test finds a VaR the share `too_low` under the true one.

    With `too_low` zero it is the test's true size, whatever the law.
    """
    truth = hit_chance(confidence, too_low, law)
    return kupiec_rejects(observations, share(confidence), truth, size)


def size_of_tests(
    observations: int,
    confidence: float,
    rng: np.random.Generator,
    histories: int = 1000,
    replications: int = 99,
    too_low: float = 0.0,
    law: Law | ParetoLaw | None = None,
    size: float = 0.05,
) -> pd.DataFrame:
    """Share of simulated histories that each test rejects, by both p-values.

    Every history has a null of its own, so that histories are independent and a count of
    rejections is binomial.  With 99 replications a test at 5 % is exact.  The forecasts move by a
    volatility that is known and independent of the losses, a lognormal with memory.

    Parameters
    ----------
    too_low : share by which VaR and ES are under the true ones; 0 gives the size, else the power.
    law : of the standardised losses, normal by default.

    Returns
    -------
    Table: test, n, confidence, too_low, histories, asymptotic, monte_carlo (shares rejected of
    the histories that carry the test; NaN where there is no such p-value), carried (share of
    histories that do), low, high (99 % binomial band around `size`; with that many tests one
    outside in seven such tables is chance).
    """
    law = Law() if law is None else law
    n, runs = checks.whole("observations", observations), checks.whole("histories", histories)
    kept = 1.0 - checks.fraction("too_low", too_low, closed=True)
    p = share(confidence)
    names = [name for name in TESTS if name not in REGRESSIONS]
    asymptotic = dict.fromkeys(TESTS, 0)
    exact, carried = dict.fromkeys(TESTS, 0), dict.fromkeys(TESTS, 0)
    log_sigma = np.zeros((runs, n))
    noise = 0.1 * rng.standard_normal((runs, n))
    for t in range(1, n):
        log_sigma[:, t] = 0.97 * log_sigma[:, t - 1] + noise[:, t]
    sigma = np.exp(log_sigma)
    losses = sigma * law.draw((runs, n), rng)
    for L, s in zip(losses, sigma, strict=True):
        truth = null(n, p, rng, replications)
        v, e = kept * law.var(confidence) * s, kept * law.es(confidence) * s
        row = judge(L, v, e, confidence, truth, rng)
        for name in TESTS:
            carried[name] += np.isfinite(row[f"{name}_p"])
            asymptotic[name] += row[f"{name}_p"] < size
        for name in names:
            exact[name] += row[f"{name}_mc"] <= size
    low, high = binom.interval(BAND, runs, size)
    rows = [
        {
            "test": name,
            "n": n,
            "confidence": confidence,
            "too_low": too_low,
            "histories": runs,
            "asymptotic": asymptotic[name] / carried[name] if carried[name] else np.nan,
            "monte_carlo": exact[name] / carried[name]
            if name in names and carried[name]
            else np.nan,
            "carried": carried[name] / runs,
            "low": low / runs,
            "high": high / runs,
        }
        for name in TESTS
    ]
    return pd.DataFrame(rows)


def size_and_power(
    confidence: float,
    rng: np.random.Generator,
    histories: int = 1000,
    lengths: Sequence[int] = (250, 1000),
    too_low: float = 0.2,
    law: Law | ParetoLaw | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`size_of_tests` on true models of each length, and on one too low of the longest.

    Returns
    -------
    The tables of `size_of_tests`, one under another, and the same as one row a test: the shares
    rejected by asymptotic and Monte Carlo p-values, in the order of the cases.
    """
    cases = {f"{n:,} bars": (n, 0.0) for n in lengths}
    cases[f"{max(lengths):,} bars, {100 * too_low:.0f} % too low"] = (max(lengths), too_low)
    tables = {
        name: size_of_tests(n, confidence, rng, histories, too_low=low_by, law=law)
        for name, (n, low_by) in cases.items()
    }
    wide = {"test": list(TESTS)}
    for name, table in tables.items():
        wide[f"{name}, asymptotic"] = table["asymptotic"]
        wide[f"{name}, Monte Carlo"] = table["monte_carlo"]
    return pd.concat(tables.values(), ignore_index=True), pd.DataFrame(wide)
