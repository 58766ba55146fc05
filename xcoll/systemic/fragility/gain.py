"""Loops: how far a fall of one price comes back as a fall of others, and when it feeds on itself.

At a state (a base fall of prices), a further log fall of asset b makes accounts breach; what one
round of liquidations then sells, at these prices, moves the price of a:

    J_ab = [D_a(u_a + Δu_a) − D_a(u_a)] / (log fall of b)

u are the dollars of the opening that the base fall alone sells, D how far sales push a price
(`Impact`).  A push passes to the claims on b: log prices by ``M = κE + (1 − κ)I``, where κ of it
lasts, ``E = (I − ε)⁻¹`` and ``ε_ab = W_ab·P_b / Σ_c W_ac·P_c``, for a claim follows the
fundamental price.  A receipt moves by its pool's losses besides, which last; its column is E's.

One round answers to the last, y ← J·y, so the gain is the spectral radius ρ(J): a push of size 1
ends at (I − J)⁻¹ where ρ < 1, and grows from round to round until the accounts or the depth give
out where ρ ≥ 1.  The right eigenvector is the pattern in which prices then fall, the left one how
much a fall of each asset sets going.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.systemic._kernels.market import MOST
from xcoll.systemic.cascade import cascade
from xcoll.systemic.claims import Claims
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import Impact, System

__all__ = ["Response", "displacement", "response"]

THINNEST = 1e-4  # of today's depth, in the search for a gain of one


def displacement(
    impact: Impact, assets: Sequence[str], sold: np.ndarray, depth: float = 1.0
) -> np.ndarray:
    """How far sales push prices, a fraction: ``D_a(u_a)``, straight lines between levels.

    Parameters
    ----------
    assets : symbols of the last axis of `sold`.
    sold : … × A dollars of the opening, sold and not absorbed.
    depth : multiplies the sizes of the levels.
    """
    reach = np.concatenate([[0.0], impact.reach * depth])
    moved = np.empty(sold.shape)
    for a, levels in enumerate(impact.depth.levels(assets)):
        pushed = np.interp(sold[..., a], reach, np.concatenate([[0.0], levels]))
        moved[..., a] = np.where(sold[..., a] >= reach[-1], MOST, np.minimum(pushed, MOST))
    return moved


@dataclass(frozen=True)
class Response:
    """The linear response of a system at one state.

    Attributes
    ----------
    impact : how its sales move prices.
    shock : log fall of each column's asset.
    base : by asset, dollars of the opening sold in one round at the state.
    sold : asset × asset, the same after a further fall of the column's asset; that of the base in
        columns of assets that no sale or loss moves.
    lost : asset × asset, further losses of its pool that a fall of the column takes from the row's
        receipt, a fraction.
    """

    impact: Impact
    shock: float
    base: pd.Series
    sold: pd.DataFrame
    lost: pd.DataFrame

    def matrix(self, depth: float = 1.0) -> pd.DataFrame:
        """J, asset moved × asset that fell, were all depth times `depth`.

        An entry is negative where a fall of what is owed saves accounts that the base brings down.
        """
        assets, base = list(self.base.index), self.base.to_numpy()
        before = displacement(self.impact, assets, base, depth)
        after = displacement(self.impact, assets, self.sold.to_numpy().T, depth).T
        return (self.lost + (after - before[:, None])) / self.shock

    @cached_property
    def gain(self) -> float:
        """ρ(J): the fall that a round of sales makes of a fall of one, along the worst loop."""
        return _radius(self.matrix().to_numpy())

    @property
    def total(self) -> pd.DataFrame:
        """(I − J)⁻¹, what a push of the column's asset comes to; NaN from a gain of 1 on."""
        J = self.matrix()
        if self.gain >= 1.0:
            return J * np.nan
        return pd.DataFrame(np.linalg.inv(np.eye(len(J)) - J.to_numpy()), J.index, J.columns)

    @property
    def loop(self) -> pd.DataFrame:
        """The worst loop by asset: shares ``falls`` and ``feeds`` of the right and left vectors.

        Each column sums to 1; NaN where nothing comes back.
        """
        J = self.matrix()
        columns = {"falls": J.to_numpy(), "feeds": J.to_numpy().T}
        return pd.DataFrame({name: _leading(table) for name, table in columns.items()}, J.index)

    @cached_property
    def thinning(self) -> float:
        """Multiple of today's depth, the largest up to 1, at which the gain is one or more.

        1 where it is so already, 0 where it is not down to `THINNEST` of today's: either little
        breaches, or what the base sells has pushed prices as far as they go by then.
        """
        return _thinning(lambda depth: _radius(self.matrix(depth).to_numpy()))


def response(
    system: System,
    base: pd.Series | None = None,
    fall: float = 0.02,
    step: str | pd.Timedelta = "1h",
    after: int = 6,
) -> Response:
    """The response of `system` to a small fall of each asset.

    Parameters
    ----------
    base : relative change by asset that makes the state, ``−0.3`` for a fall of 30 %; assets that
        are left out do not move, and None is the opening.
    fall : of each asset in turn, a fraction in (0, 1).
    step, after : a round is what is sold in the step of the fall and in as many after it, at the
        same prices: long enough for oracles, keepers and auctions.

    Raises
    ------
    ParameterError
        A system whose sales move no price, an unknown asset, or a change beyond −100 %.
    """
    impact, assets = system.impact, system.assets
    if impact is None:
        raise ParameterError("sales of the system move no price; give it an impact")
    unknown = [] if base is None else sorted(set(base.index) - set(assets))
    if unknown:
        raise ParameterError(
            f"the base moves {', '.join(unknown)}, which the system does not have; its assets are "
            f"{', '.join(assets)}"
        )
    change = np.zeros(len(assets)) if base is None else base.reindex(assets).fillna(0.0).to_numpy()
    shock = -np.log1p(-checks.fraction("fall", fall))
    alone = system.changed(impact=None, claims=Claims())

    def round_of(level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        episode = Episode.of_shock(pd.Series(level - 1.0, assets), step, after=after)
        made = cascade(alone, episode)
        return made.sold.sum().to_numpy() / made.episode.market[-1], made.by_venue("deficit")

    u, deficit = round_of(1.0 + change)
    M, pools = _passing(system), _pools(system)
    sold, lost = np.tile(u[:, None], len(assets)), np.zeros((len(assets), len(assets)))
    for b in _movable(system):
        sold[:, b], more = round_of((1.0 + change) * np.exp(-shock * M[:, b]))
        lost[:, b] = pools @ (more - deficit)
    return Response(
        impact,
        shock,
        pd.Series(u, assets, name="base"),
        pd.DataFrame(sold, assets, assets),
        pd.DataFrame(lost, assets, assets),
    )


def _passing(system: System) -> np.ndarray:
    """M, and E for receipts: log price of the row by a push of the column's."""
    assets, kappa = system.assets, system.impact.lasting
    worth = system.claims.matrix(assets) * system.opening
    backing = worth.sum(axis=1, keepdims=True)
    elasticity = np.divide(worth, backing, out=np.zeros_like(worth), where=backing > 0.0)
    own = np.eye(len(assets))
    E = np.linalg.inv(own - elasticity)
    lasts = np.isin(assets, list(system.claims.receipts))
    return np.where(lasts, E, kappa * E + (1.0 - kappa) * own)


def _pools(system: System) -> np.ndarray:
    """Fraction of a receipt that a dollar lost at a venue takes, asset × venue."""
    taken = np.zeros((len(system.assets), len(system.venues)))
    for asset, receipt in system.claims.receipts.items():
        row, column = system.assets.index(asset), system.names.index(receipt.venue)
        taken[row, column] = 1.0 / receipt.pool_usd
    return taken


def _movable(system: System) -> np.ndarray:
    """Places of assets that a round can move: pledged by somebody who owes, or a receipt."""
    layout = system.layout
    pledged = layout.held[layout.owed > 0.0].any(axis=0)
    return np.flatnonzero(pledged | np.isin(system.assets, list(system.claims.receipts)))


def _radius(J: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(J)).max())


def _leading(J: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eig(J)
    first = int(np.argmax(np.abs(values)))
    vector = np.abs(vectors[:, first])
    return vector / (vector.sum() if values[first] != 0.0 else np.nan)


def _thinning(gain: Callable[[float], float]) -> float:
    if gain(1.0) >= 1.0:
        return 1.0
    grid = np.geomspace(1.0, THINNEST, 41)
    for thick, thin in pairwise(grid):
        if gain(thin) >= 1.0:
            while thick > thin * (1.0 + 1e-9):
                middle = np.sqrt(thick * thin)
                thick, thin = (middle, thin) if gain(middle) < 1.0 else (thick, middle)
            return float(thin)
    return 0.0
