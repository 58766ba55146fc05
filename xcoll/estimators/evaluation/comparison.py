"""Which forecast is better, and how sure one can be: two at a time, or all of them at once.

Losses are what a forecast is charged for each bar, less is better; only their differences count.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError

__all__ = [
    "LEAST_BARS",
    "DieboldMariano",
    "confidence_set",
    "diebold_mariano",
    "long_run_variance",
]

LEAST_BARS = 30  # under a month of days a HAC error or a bootstrap has nothing to go by


@dataclass(frozen=True)
class DieboldMariano:
    """Mean loss of one forecast less that of another; negative means that the first is better."""

    difference: float
    std_error: float
    p_value: float
    lags: int
    bars: int

    def interval(self, confidence: float = 0.9) -> tuple[float, float]:
        """Bounds of the mean difference, normal with HAC standard error."""
        checks.fraction("confidence", confidence)
        width = NormalDist().inv_cdf(0.5 + confidence / 2) * self.std_error
        return self.difference - width, self.difference + width


def long_run_variance(values: np.ndarray, lags: int) -> float:
    """Newey–West variance `γ_0 + 2 Σ (1 − k/(lags + 1)) γ_k` of a series (Bartlett weights)."""
    centred = values - values.mean()
    n = len(centred)
    weighted = (
        (1.0 - k / (lags + 1)) * float(centred[k:] @ centred[: n - k]) for k in range(1, lags + 1)
    )
    return (float(centred @ centred) + 2.0 * sum(weighted)) / n


def diebold_mariano(first: pd.Series, second: pd.Series, lags: int | None = None) -> DieboldMariano:
    """Diebold and Mariano (1995): is the mean difference of two losses zero?

    Parameters
    ----------
    first, second : Series
        Losses by bar; bars where either is missing are left out.
    lags : int, optional
        Of the Bartlett kernel; by default ⌊4 (n/100)^(2/9)⌋ (Newey and West 1994).

    Raises
    ------
    EstimationError
        Fewer than 30 common bars, an infinite loss, or losses that never differ.
    """
    both = _common(pd.DataFrame({"first": first, "second": second}), "Diebold–Mariano")
    d = both[:, 0] - both[:, 1]
    span = int(4 * (len(d) / 100) ** (2 / 9)) if lags is None else checks.whole("lags", lags, 0)
    if np.ptp(d) == 0.0:
        raise EstimationError("Diebold–Mariano: the losses differ by a constant; no test")
    std_error = float(np.sqrt(long_run_variance(d, span) / len(d)))
    p_value = 2.0 * NormalDist().cdf(-abs(d.mean()) / std_error)
    return DieboldMariano(float(d.mean()), std_error, p_value, span, len(d))


def confidence_set(
    losses: pd.DataFrame,
    size: float = 0.10,
    seed: int | np.random.Generator = 0,
    replications: int = 1_000,
    block: int | None = None,
) -> pd.DataFrame:
    """The models that the data cannot tell from the best one (Hansen, Lunde and Nason 2011).

    Their range statistic with a circular block bootstrap, the same figures as arch's `MCS` at a
    tenth of its time.  A model's p-value is the least size at which it is thrown out; with 1,000
    replications it has a Monte Carlo error of up to 0.016.  An int as `seed` makes the answer a
    function of the losses alone.

    Parameters
    ----------
    losses : DataFrame
        bar × model; bars where any model is missing are left out.  Models with the same losses on
        all of these bars are one model to the test, and share its p-value.
    size : float
        In (0, 1): the best model is in the set with a probability of at least 1 − `size`.
    block : int, optional
        Bars of a resampled block; by default ⌈n^(1/3)⌉ (the rate of Hall, Horowitz and
        Jing 1995).  Losses of overlapping windows need at least the bars of one window.

    Returns
    -------
    DataFrame
        model, score (mean loss), p_value, included (p_value above `size`); the best score first.

    Raises
    ------
    EstimationError
        Fewer than two models or 30 common bars, an infinite loss, a block of more than half of
        the bars, or two models whose losses differ by the same amount on every bar.
    """
    checks.fraction("size", size)
    checks.whole("replications", replications)
    if losses.shape[1] < 2 or not losses.columns.is_unique:
        raise EstimationError(
            f"confidence set of the models {list(losses)}; give at least two, each under one name"
        )
    values = _common(losses, "confidence set")
    span = int(np.ceil(len(values) ** (1 / 3))) if block is None else checks.whole("block", block)
    if 2 * span > len(values):
        raise EstimationError(
            f"confidence set: blocks of {span} bars leave too little to draw from"
            f" {len(values)} bars; take shorter blocks"
        )
    distinct, place = np.unique(values, axis=1, return_inverse=True)
    p_value = np.ones(1)
    if distinct.shape[1] > 1:
        _apart(
            distinct, [str(losses.columns[np.argmax(place == k)]) for k in range(place.max() + 1)]
        )
        rng = np.random.default_rng(seed)
        noise = _resampled_means(distinct, rng, replications, span)
        p_value = _eliminated(distinct.mean(0), noise)
    table = pd.DataFrame(
        {"model": losses.columns.astype(str), "score": values.mean(0), "p_value": p_value[place]}
    )
    table["included"] = table["p_value"] > size
    return table.sort_values("score", kind="stable", ignore_index=True)


def _resampled_means(
    values: np.ndarray, rng: np.random.Generator, replications: int, block: int
) -> np.ndarray:
    """Means of resampled bars less those of `values`, replications × model.

    Blocks of successive bars, the end joined to the start (Politis and Romano 1992), each summed
    at once from running sums.
    """
    n = len(values)
    count = -(-n // block)
    starts = rng.integers(0, n, (replications, count))
    centred = values - values.mean(0)
    sums = np.zeros((n + block + 1, values.shape[1]))
    np.cumsum(np.concatenate([centred, centred[:block]]), axis=0, out=sums[1:])
    whole, last = (sums[k : k + n] - sums[:n] for k in (block, n - (count - 1) * block))
    return (whole[starts[:, :-1]].sum(axis=1) + last[starts[:, -1]]) / n


def _eliminated(mean: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """p-value of each model as the worst of those left is thrown out, again and again."""
    spread = noise[:, :, None] - noise[:, None, :]
    error = np.sqrt((spread**2).mean(0)) + np.eye(len(mean))
    seen, drawn = (mean[:, None] - mean) / error, spread / error
    p_value, left, highest = np.ones(len(mean)), np.arange(len(mean)), 0.0
    while len(left) > 1:
        among = seen[np.ix_(left, left)]
        worst = np.unravel_index(among.argmax(), among.shape)[0]
        most = drawn[:, left[:, None], left].max(axis=(1, 2))
        highest = max(highest, float((most > among.max()).mean()))
        p_value[left[worst]] = highest
        left = np.delete(left, worst)
    return p_value


def _common(losses: pd.DataFrame, test: str) -> np.ndarray:
    values = losses.dropna().to_numpy(float)
    if len(values) < LEAST_BARS:
        raise EstimationError(f"{test} on {len(values)} common bars; at least 30 are needed")
    if not np.isfinite(values).all():
        name = losses.columns[np.argwhere(~np.isfinite(values))[0, 1]]
        raise EstimationError(f"{test}: infinite loss of {name!r}; leave the forecast or bar out")
    return values


def _apart(values: np.ndarray, names: list[str]) -> None:
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        gap = values[:, i] - values[:, j]
        if np.ptp(gap) <= 1e-12 * np.abs(gap).max():
            raise EstimationError(
                f"confidence set: the losses of {names[i]!r} and {names[j]!r} differ by the same"
                " amount on every bar; there is nothing to test, leave one out"
            )
