"""What a tail method is asked for and what it gives back, as arrays."""

from dataclasses import dataclass

import numpy as np

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.tail import shortfall
from xcoll.estimators.tail.copula import Path
from xcoll.estimators.tail.laws import FINE
from xcoll.estimators.tail.simulation import Recursion

__all__ = ["Figures", "Task"]


@dataclass(frozen=True)
class Task:
    """What a method is asked for; arrays are time × asset.

    Attributes
    ----------
    names : of the assets, and of the portfolio where it is one of the series.
    realised : h-bar losses stamped when they were known, the portfolio's last where there is one.
    log_returns, volatility, smooth, low : σ and its exponentially weighted twin are stamped t for
        t+1.
    series : log returns, σ and low of the portfolio as an asset, for methods that know one series.
    weights : by asset.
    """

    names: tuple[str, ...]
    realised: np.ndarray
    log_returns: np.ndarray
    volatility: np.ndarray
    smooth: np.ndarray
    low: np.ndarray
    series: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    weights: np.ndarray | None
    window: int
    levels: tuple[float, ...]
    bars: int
    loss: str
    rng: np.random.Generator | None
    paths: int
    recursion: Recursion
    dependence: Path | None

    @property
    def generator(self) -> np.random.Generator:
        """The source of draws, which a simulated method cannot do without."""
        if self.rng is None:
            raise ParameterError(
                "several bars and dcc_t are drawn at random; give rng, or take age_weighted or "
                "historical, which draw nothing"
            )
        return self.rng

    @property
    def dates(self) -> range:
        """Rows at which a horizon of several bars starts: windows do not overlap."""
        return range(self.window - 1, len(self.log_returns), self.bars)

    def standardised(self, volatility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns and excursions over the σ that was forecast for their bar.

        Raises
        ------
        EstimationError : an asset with fewer of them than the window.
        """
        previous = np.vstack([np.full((1, volatility.shape[1]), np.nan), volatility[:-1]])
        score, low = self.log_returns / previous, self.low / previous
        for name, count in zip(self.names, np.isfinite(low).sum(axis=0), strict=True):
            if count < self.window:
                raise EstimationError(
                    f"{name} has {count} bars with a σ before them, the window needs "
                    f"{self.window}; shorten the window, or take historical, which needs no σ"
                )
        return score, low

    def blank(self, columns: int) -> "Figures":
        """Figures without a value."""
        shape = (len(self.levels), len(self.log_returns), columns)
        var, es, error = (np.full(shape, np.nan) for _ in range(3))
        return Figures(var, es, error, np.full(shape[1:], FINE))

    def alone(self) -> "Task":
        """The portfolio as one more asset, its series its own."""
        if self.series is None:
            return self
        names = ("log_returns", "volatility", "low")
        both = {
            name: np.column_stack([getattr(self, name), column])
            for name, column in zip(names, self.series, strict=True)
        }
        tables = [
            r.table(n) for r, n in ((self.recursion, self.low.shape[1]), (Recursion.ewma(), 1))
        ]
        omega, alpha, gamma, beta = np.hstack(tables)
        both["recursion"] = Recursion(omega, alpha, beta, gamma)
        both["names"] = (*self.names, "the portfolio")
        return Task(**{**vars(self), **both, "series": None, "weights": None})


@dataclass(frozen=True)
class Figures:
    """VaR, ES and the Monte Carlo error of the ES, level × time × column; `NOTES` time × column.

    NaN where a window is not full; the portfolio is the last column where there is one.
    """

    var: np.ndarray
    es: np.ndarray
    error: np.ndarray
    note: np.ndarray

    def put(self, place: tuple, losses: np.ndarray, levels: tuple[float, ...]) -> None:
        """Measure simulated losses, column × path, into time and columns `place`."""
        for j, found in enumerate(shortfall.drawn(losses, levels)):
            self.var[(j, *place)], self.es[(j, *place)], self.error[(j, *place)] = found
