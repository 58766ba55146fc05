"""What every test of a forecast takes and gives: hits, checked series, and a result with a reason.

A hit is a loss above its VaR.  Hit sequences are kept by the bars of their hits, many sequences at
once, because exceedances are rare and thousands of simulated sequences are compared with one.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xcoll import checks
from xcoll.errors import EstimationError

__all__ = ["Hits", "Result", "aligned", "counts", "missing", "sequence", "share"]


@dataclass(frozen=True)
class Result:
    """Statistic and asymptotic p-value of a test; both NaN where it is undefined.

    Attributes
    ----------
    statistic, p_value : float
    reason : why a legitimate sample carries no test ("no exceedance"), empty where it does.
    """

    statistic: float
    p_value: float
    reason: str = ""


def missing(reason: str) -> Result:
    """The result of a test that a sparse sample cannot carry."""
    return Result(np.nan, np.nan, reason)


@dataclass(frozen=True)
class Hits:
    """Hit sequences of equal length, one a row.

    Attributes
    ----------
    bars : int64, the bars of the hits (from 0), row after row, ascending within a row.
    offsets : int64, row r has the hits `bars[offsets[r]:offsets[r + 1]]`.
    observations : bars in a row.
    """

    bars: np.ndarray
    offsets: np.ndarray
    observations: int

    @classmethod
    def of(cls, sequences: np.ndarray) -> "Hits":
        """Of booleans, bars or rows × bars."""
        table = np.atleast_2d(sequences)
        row, bar = np.nonzero(table)
        ends = np.cumsum(np.bincount(row, minlength=len(table)))
        return cls(bar.astype(np.int64), np.concatenate([[0], ends]), table.shape[1])

    @cached_property
    def count(self) -> np.ndarray:
        """Hits of each row."""
        return np.diff(self.offsets)

    @cached_property
    def row(self) -> np.ndarray:
        """The row of each hit."""
        return np.repeat(np.arange(len(self.count)), self.count)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum over the hits of each row of one value a hit."""
        return np.bincount(self.row, values, minlength=len(self.count))


def share(confidence: float) -> float:
    """1 - confidence, without the rounding that makes 1 - 0.95 a little more than 0.05."""
    return round(1.0 - checks.fraction("confidence", confidence), 12)


def counts(exceedances: int, observations: int, probability: float) -> tuple[int, int, float]:
    """Checked exceedances, bars and promised probability."""
    x = checks.whole("exceedances", exceedances, least=0)
    n = checks.whole("observations", observations)
    if x > n:
        raise EstimationError(f"{x} exceedances in {n} observations; swap the two?")
    return x, n, checks.fraction("probability", probability)


def sequence(hits: np.ndarray) -> np.ndarray:
    """Checked hit sequence: at least two booleans in time order."""
    found = np.asarray(hits)
    if found.ndim != 1 or len(found) < 2 or found.dtype != bool:
        raise EstimationError("hits are one row of at least two booleans, in time order")
    return found


def aligned(
    losses: np.ndarray, var: np.ndarray, es: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses and their VaR and ES forecasts as float64 rows of one length.

    Raises
    ------
    EstimationError : lengths that differ, nothing at all, NaN or infinities, a VaR that is not
        positive, or an ES under its VaR.
    """
    try:
        L, v, e = table = np.array([losses, var, es], float)
    except ValueError:
        L, v, e = table = np.empty((3, 0))
    if table.ndim != 2 or not L.size:
        said = ", ".join(
            f"{name} {np.shape(row)}"
            for name, row in zip(("losses", "var", "es"), (losses, var, es), strict=True)
        )
        raise EstimationError(f"{said}; give three rows of numbers of one length, one a bar")
    faults = {
        "a number is missing or infinite": ~np.isfinite(table).all(axis=0),
        "var is not above zero (losses are positive fractions)": v <= 0.0,
        "es is under var (swap the two?)": e < v * (1.0 - 1e-12),
    }
    for fault, bad in faults.items():
        if bad.any():
            raise EstimationError(
                f"{fault} at bar {bad.argmax()}, {bad.sum()} in all; leave out such bars"
            )
    return L, v, np.maximum(e, v)
