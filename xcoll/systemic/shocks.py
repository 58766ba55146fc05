"""Many shocks of one system, and the law that they are drawn from.

A shock is a vector of log moves.  Assets of the law move together as a multivariate t over the
horizon; tokens that follow others move as those do, and receipts stay where they are until their
pool loses.  Every shock unfolds at a constant log rate over the first steps and stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from scipy import linalg, stats

from xcoll import checks
from xcoll._jit import own
from xcoll.errors import EstimationError, ParameterError
from xcoll.systemic import _kernels
from xcoll.systemic.compiled import Compiled
from xcoll.systemic.episode import LEAST, Episode
from xcoll.systemic.system import System

__all__ = ["Law", "Losses", "Shocks", "degrees_of_freedom", "loadings", "run"]


@dataclass(frozen=True)
class Law:
    """Multivariate t of log moves over a horizon, centred on no move.

    Attributes
    ----------
    assets : symbols.
    covariance : A × A, of the log moves over the horizon.
    nu : degrees of freedom, above 2; infinite for a normal law.

    Raises
    ------
    ParameterError
        A covariance that is not symmetric and positive definite, or `nu` of 2 or less.
    """

    assets: Sequence[str]
    covariance: np.ndarray
    nu: float = np.inf

    def __post_init__(self) -> None:
        A = len(self.assets)
        if self.covariance.shape != (A, A) or not np.isfinite(self.covariance).all():
            raise ParameterError(
                f"covariance has shape {self.covariance.shape}; give finite {A} × {A}"
            )
        if not np.allclose(self.covariance, self.covariance.T):
            raise ParameterError("covariance is not symmetric; average it with its transpose")
        if np.linalg.eigvalsh(self.covariance)[0] <= 0.0:
            raise ParameterError(
                "covariance is not positive definite; leave out assets that follow others"
            )
        if not self.nu > 2.0:
            raise ParameterError(f"nu is {self.nu}; give more than 2, for the variance to exist")

    @classmethod
    def of(
        cls,
        sigma_day: pd.Series,
        correlation: pd.DataFrame,
        horizon: str | pd.Timedelta = "7D",
        nu: float = np.inf,
    ) -> Self:
        """The law of a horizon: daily volatilities by the root of time, and a correlation."""
        assets = list(correlation.index)
        days = checks.duration("horizon", horizon) / pd.Timedelta("1D")
        sigma = sigma_day.reindex(assets).to_numpy(dtype=float) * np.sqrt(days)
        return cls(assets, correlation.to_numpy(dtype=float) * np.outer(sigma, sigma), nu)

    @cached_property
    def root(self) -> np.ndarray:
        """Lower triangular C with ``C·Cᵀ`` the covariance."""
        return np.linalg.cholesky(self.covariance)

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviations by asset."""
        return np.sqrt(np.diag(self.covariance))

    def whiten(self, moves: np.ndarray) -> np.ndarray:
        """``z = C⁻¹x`` by row; its length is the Mahalanobis norm of x."""
        return linalg.solve_triangular(self.root, np.atleast_2d(moves).T, lower=True).T

    def norm(self, moves: np.ndarray) -> np.ndarray:
        """Mahalanobis norm by row, in standard deviations."""
        return np.sqrt((self.whiten(moves) ** 2).sum(axis=1))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """`count` × A log moves."""
        z = rng.standard_normal((count, len(self.assets)))
        if np.isfinite(self.nu):
            z *= np.sqrt((self.nu - 2.0) / rng.chisquare(self.nu, count))[:, None]
        return z @ self.root.T

    def along(self, distance: np.ndarray) -> np.ndarray:
        """Density of the distance in a given direction, in standard deviations."""
        if np.isinf(self.nu):
            return stats.norm.pdf(distance)
        widen = np.sqrt(self.nu / (self.nu - 2.0))
        return widen * stats.t.pdf(distance * widen, self.nu)

    def beyond(self, distance: float) -> float:
        """Probability to lie further than `distance` standard deviations in a given direction."""
        if np.isinf(self.nu):
            return float(stats.norm.sf(distance))
        return float(stats.t.sf(distance * np.sqrt(self.nu / (self.nu - 2.0)), self.nu))


def degrees_of_freedom(log_returns: pd.DataFrame, horizon: str | pd.Timedelta = "7D") -> float:
    """Degrees of freedom of a t law of the moves over a horizon: median over assets, by likelihood.

    Sums over a horizon have thinner tails than the bars that they are made of.

    Parameters
    ----------
    log_returns : time × asset, of assets that are no stablecoins; moves do not overlap, and those
        with a missing bar are left out.

    Raises
    ------
    EstimationError
        No asset with 50 moves or more.
    """
    bar = log_returns.index[1] - log_returns.index[0]
    bars = max(round(checks.duration("horizon", horizon) / bar), 1)
    count = len(log_returns) // bars
    last = log_returns.to_numpy(dtype=float)[len(log_returns) - count * bars :]
    moves = last.reshape(count, bars, -1).sum(axis=1)
    samples = [column[np.isfinite(column)] for column in moves.T]
    found = [stats.t.fit(x - x.mean(), floc=0.0)[0] for x in samples if len(x) >= 50]
    if not found:
        raise EstimationError(
            f"no asset has 50 moves of {horizon}; {count} at most. Give a longer history or a "
            "shorter horizon"
        )
    return max(float(np.median(found)), 2.1)


@dataclass(frozen=True)
class Losses:
    """What many shocks did, a row each.

    Attributes
    ----------
    assets, venues : names of the columns.
    sums : shock × venue × `_kernels.SUMS`.
    sold : shock × asset, dollars sold.
    price : shock × asset, traded price at the end relative to the opening.
    outside : shock × asset, the same from outside alone.
    debt : dollars owed at the opening, by venue.
    """

    assets: Sequence[str]
    venues: Sequence[str]
    sums: np.ndarray
    sold: np.ndarray
    price: np.ndarray
    outside: np.ndarray
    debt: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """Shock × venue: one of `_kernels.SUMS`."""
        return self.sums[:, :, _kernels.SUMS.index(name)]

    @property
    def bad_debt(self) -> np.ndarray:
        """Bad debt of all venues over the debt at the opening, by shock."""
        return self.column("lost").sum(axis=1) / self.debt.sum()

    @property
    def penalty(self) -> np.ndarray:
        """What borrowers lose, seized less cleared and paid back, over the debt, by shock."""
        lost = self.column("seized") - self.column("repaid") - self.column("credit")
        return lost.sum(axis=1) / self.debt.sum()

    def frame(self) -> pd.DataFrame:
        """Bad debt of each venue over its own debt, shock × venue."""
        return pd.DataFrame(self.column("lost") / self.debt, columns=list(self.venues))


@dataclass(frozen=True)
class Shocks:
    """How shocks unfold.

    Attributes
    ----------
    step : length of a step.
    over, after : steps of the fall, and steps that follow at its prices.
    """

    step: str | pd.Timedelta = "1h"
    over: int = 6
    after: int = 6

    def __post_init__(self) -> None:
        checks.duration("step", self.step)
        checks.whole("over", self.over)
        checks.whole("after", self.after, 0)


def loadings(system: System, assets: Sequence[str]) -> np.ndarray:
    """What the log moves of a law's assets make of the system's, law × system.

    An asset of the law moves by itself; others follow what stands behind them, and stay where they
    are where nothing does.

    Raises
    ------
    ParameterError
        An asset of the law that the system does not have.
    """
    unknown = sorted(set(assets) - set(system.assets))
    if unknown:
        raise ParameterError(
            f"the law moves {', '.join(unknown)}, which the system does not have; its assets are "
            f"{', '.join(system.assets)}"
        )
    place = {asset: row for row, asset in enumerate(assets)}
    matrix = np.zeros((len(assets), len(system.assets)))
    behind: Mapping[str, Mapping[str, float]] = system.claims.behind
    opening = dict(zip(system.assets, system.opening, strict=True))

    def weights(asset: str) -> np.ndarray:
        if asset in place:
            return np.eye(len(assets))[place[asset]]
        worth = {b: units * opening[b] for b, units in behind.get(asset, {}).items()}
        total = sum(worth.values())
        made = np.zeros(len(assets))
        for b, dollars in worth.items():
            made += dollars / total * weights(b)
        return made

    for column, asset in enumerate(system.assets):
        matrix[:, column] = weights(asset)
    return matrix


def run(
    system: System, assets: Sequence[str], moves: np.ndarray, unfolding: Shocks | None = None
) -> Losses:
    """Every row of `moves` as an episode of its own.

    Parameters
    ----------
    assets : symbols of the columns of `moves`.
    moves : shock × asset log moves.
    unfolding : see `Shocks`.

    Raises
    ------
    ParameterError
        Moves that are not finite, or of assets that the system does not have.

    Notes
    -----
    An episode ends after its last step; debt that nobody has served by then counts as far as the
    collateral behind it falls short.
    """
    unfolding = unfolding or Shocks()
    moves = np.atleast_2d(np.asarray(moves, dtype=float))
    if moves.shape[1] != len(assets) or not np.isfinite(moves).all():
        raise ParameterError(
            f"moves are {moves.shape} with {int((~np.isfinite(moves)).sum())} numbers that are not "
            f"finite; give finite log moves, shock × {len(assets)} assets"
        )
    level = np.maximum(moves @ loadings(system, assets), np.log(LEAST))
    over, after = unfolding.over, unfolding.after
    share = np.minimum(np.arange(over + after + 1) / over, 1.0)
    flat = np.ones((len(share), len(system.assets)))
    flat[1:] = np.exp(level.max(axis=0, initial=0.0))  # as high as any shock takes prices
    episode = Episode(system.assets, flat, flat, checks.duration("step", unfolding.step))
    made = Compiled.of(system, episode)
    count, V, A = len(level), len(system.venues), len(system.assets)
    sums = np.zeros((count, V, len(_kernels.SUMS)))
    sold, price = np.zeros((count, A)), np.zeros((count, A))
    _kernels.shocks(
        made.venues, made.outside, made.market, made.accounts, made.state, made.crowd,
        made.capital, made.day, made.ranked, made.shares, own(level), own(share), made.record,
        sums, sold, price,
    )  # fmt: skip
    system.layout.give(made.bench)
    debt = np.array(list(system.debt.values()))
    return Losses(
        system.assets, system.names, sums, sold, price / system.opening, np.exp(level), debt
    )
