"""Reverse stress: the smallest shock that makes the system lose more than a budget.

With ``x = C·z`` and ``Σ = C·Cᵀ`` the stressed covariance, the smallest shock is the x with

    min |z|    such that    L(C·z) ≥ budget

the most likely of all that breach it, for the density of the law falls with |z| alone.  L comes
from a cascade and has neither gradient nor convexity, so it is searched: rays in random directions
give a first breach each, the nearest ones are narrowed down, and in the end random shocks of a
smaller norm must all stay under the budget; one that does not is where the search goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.systemic.shocks import Law

__all__ = ["Reverse", "search"]

LOSS = Callable[[np.ndarray], np.ndarray]
ROUNDS, PER_ROUND, BISECTIONS = 30, 64, 14


@dataclass(frozen=True)
class Reverse:
    """The smallest shock found.

    Attributes
    ----------
    law : what "small" is measured by.
    moves : log moves by asset.
    norm : its Mahalanobis norm.
    loss : what it costs, at least `budget`.
    budget : the loss that it had to reach.
    tried, smaller : shocks evaluated in all, and those of a smaller norm in the last test, none of
        which breached the budget.
    """

    law: Law
    moves: np.ndarray
    norm: float
    loss: float
    budget: float
    tried: int
    smaller: int

    @property
    def probability(self) -> float:
        """Of lying at least so far in this direction, under the law."""
        return self.law.beyond(self.norm)

    def table(self) -> pd.DataFrame:
        """By asset: ``move`` (relative), ``sigmas`` (log move over its own), ``share`` of the
        squared norm, which sums to 1; the largest share first.
        """
        pull = np.linalg.solve(self.law.covariance, self.moves)
        table = pd.DataFrame(
            {
                "asset": list(self.law.assets),
                "move": np.expm1(self.moves),
                "sigmas": self.moves / self.law.sigma,
                "share": self.moves * pull / self.norm**2,
            }
        )
        return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)

    def words(self, named: int = 3) -> str:
        """The direction in words: what falls most in its own standard deviations, and the rest."""
        table = self.table().sort_values("sigmas", kind="stable")
        first = ", ".join(
            f"{row.asset} {100.0 * row.move:+.0f} %" for row in table.head(named).itertuples()
        )
        cosine = self._cosine(-self.law.sigma)
        kind = "nearly the market as a whole" if cosine > 0.9 else "not the market alone"
        return f"{first}; {kind} (cosine {cosine:.2f} with equal falls in standard deviations)"

    def _cosine(self, other: np.ndarray) -> float:
        mine, theirs = self.law.whiten(self.moves)[0], self.law.whiten(other)[0]
        return float(mine @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs))


def search(
    law: Law,
    loss: LOSS,
    budget: float,
    rng: np.random.Generator,
    farthest: float = 12.0,
    rays: int = 256,
    smaller: int = 10_000,
    tolerance: float = 0.005,
) -> Reverse:
    """The smallest shock with ``loss ≥ budget``.

    Parameters
    ----------
    loss : log moves, shock × asset, to losses by shock.
    farthest : norm beyond which nothing is looked for.
    rays : random directions of the beginning; both ends of each asset and of the market come on
        top.
    smaller : random shocks of a smaller norm that must not breach the budget.
    tolerance : relative width of the last bracket of a norm.

    Raises
    ------
    EstimationError
        No shock within `farthest` breaches the budget, or none is needed: the budget is breached
        without one.
    """
    checks.positive("budget", budget)
    A, tried = len(law.assets), 0

    def breaches(z: np.ndarray) -> np.ndarray:
        nonlocal tried
        tried += len(z)
        return loss(z @ law.root.T) >= budget

    if breaches(np.zeros((1, A)))[0]:
        raise EstimationError(f"the budget {budget:g} is breached without a shock; raise it")
    market = law.whiten(-law.sigma)[0]
    own = law.whiten(-np.diag(law.sigma))
    lines = np.vstack([market, own, -own, rng.standard_normal((rays, A))])
    units = lines / np.linalg.norm(lines, axis=1, keepdims=True)
    best, radius = _first(units, np.linspace(0.0, farthest, 25)[1:], breaches)
    if best is None:
        raise EstimationError(
            f"no shock within {farthest:g} standard deviations loses {budget:g}; lower the budget"
        )
    while True:
        best, radius = _narrowed(best, radius, breaches, rng, tolerance)
        ball = rng.standard_normal((smaller, A))
        inner = radius * (1.0 - tolerance) * rng.random(smaller) ** (1.0 / A)
        ball *= (inner / np.linalg.norm(ball, axis=1))[:, None]
        under = breaches(ball)
        if not under.any():
            break
        nearest = ball[under][np.linalg.norm(ball[under], axis=1).argmin()]
        radius = float(np.linalg.norm(nearest))
        best = nearest / radius
    moves = law.root @ (best * radius)
    return Reverse(law, moves, radius, float(loss(moves[None])[0]), budget, tried, smaller)


def _first(
    units: np.ndarray, radii: np.ndarray, breaches: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray | None, float]:
    """The direction that breaches at the smallest of the radii, shell by shell from inside."""
    for radius in radii:
        found = breaches(units * radius)
        if found.any():
            return units[found][0], float(radius)
    return None, np.inf


def _narrowed(
    best: np.ndarray,
    radius: float,
    breaches: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    tolerance: float,
) -> tuple[np.ndarray, float]:
    """Nearby directions, more closely round by round, whichever breach at a smaller radius."""
    best, radius = _inward(best, radius, breaches, tolerance)
    spread, idle = 0.5, 0
    for _ in range(ROUNDS):
        around = best + spread * rng.standard_normal((PER_ROUND, len(best))) / np.sqrt(len(best))
        around /= np.linalg.norm(around, axis=1, keepdims=True)
        shorter = radius * (1.0 - tolerance)
        found = breaches(around * shorter)
        if found.any():
            idle = 0
            mean = around[found].mean(axis=0)
            candidates = np.vstack([mean / np.linalg.norm(mean), around[found]])[:8]
            for unit in candidates:
                if breaches(unit[None] * radius * (1.0 - tolerance))[0]:
                    best, radius = _inward(unit, radius * (1.0 - tolerance), breaches, tolerance)
        else:
            idle, spread = idle + 1, 0.6 * spread
        if idle >= 6:
            break
    return best, radius


def _inward(
    unit: np.ndarray,
    radius: float,
    breaches: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
) -> tuple[np.ndarray, float]:
    """The first breach along a direction, by bisection under a radius that breaches."""
    low, high = 0.0, radius
    for _ in range(BISECTIONS):
        if high - low <= 0.5 * tolerance * high:
            break
        middle = 0.5 * (low + high)
        if breaches(unit[None] * middle)[0]:
            high = middle
        else:
            low = middle
    return unit, high
