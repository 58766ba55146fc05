"""Claims: assets whose price is that of what stands behind them, elsewhere in the system.

A staked or wrapped token, a vault share and a looped position are claims on units of other assets,
long or short; the receipt of a pool is a claim on what a venue lent.  The price of a claim a is

    P_a = own_a · max(0, Σ_b W_ab·P_b) · (1 − losses of its pool / the pool)

where own_a is what distinguishes it from what stands behind it (its basis).  Claims may follow each
other; a price exists where nothing is a claim on itself, and where it is, while a claim on itself
is for less than a whole: the spectral radius of W is under one.  The cycle is then replaced by what
stands behind it in the end, ``(I − W)⁻¹``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import csgraph

from xcoll import checks
from xcoll.errors import ParameterError

__all__ = ["Claims", "Receipt"]


@dataclass(frozen=True)
class Receipt:
    """The receipt of a venue's pool: `pool_usd` dollars are lent or idle, and bear its losses."""

    venue: str
    pool_usd: float

    def __post_init__(self) -> None:
        checks.positive("pool_usd", self.pool_usd)


@dataclass(frozen=True)
class Claims:
    """Who is a claim on what.

    Attributes
    ----------
    behind : asset → {asset: units behind one unit of it}; negative where the claim owes them.
    receipts : asset → the pool whose receipt it is.
    """

    behind: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    receipts: Mapping[str, Receipt] = field(default_factory=dict)

    def check(self, assets: Sequence[str], venues: Sequence[str]) -> None:
        """Raise `ParameterError` for an unknown asset or venue, or a cycle without a solution."""
        named = {*self.behind, *self.receipts, *(b for held in self.behind.values() for b in held)}
        unknown = sorted(named - set(assets))
        if unknown:
            raise ParameterError(
                f"claims name {', '.join(unknown)}, which no book has; known are "
                f"{', '.join(assets)}"
            )
        for asset, receipt in self.receipts.items():
            if receipt.venue not in venues:
                raise ParameterError(
                    f"{asset} is the receipt of {receipt.venue}, which is no venue of the system; "
                    f"choose one of {', '.join(venues)}"
                )
        self.matrix(assets)

    def matrix(self, assets: Sequence[str]) -> np.ndarray:
        """Units behind a unit, A × A; a cycle is replaced by what stands behind it in the end.

        Raises
        ------
        ParameterError
            A cycle in which a unit is a claim on one unit of itself or more.
        """
        W = np.zeros((len(assets), len(assets)))
        for asset, held in self.behind.items():
            for other, units in held.items():
                number = checks.number(f"units of {other} behind {asset}", units)
                W[assets.index(asset), assets.index(other)] = number
        _, part = csgraph.connected_components(W != 0.0, connection="strong")
        for number in np.unique(part):
            inside = np.flatnonzero(part == number)
            among = W[np.ix_(inside, inside)]
            if not among.any():
                continue
            radius = float(np.abs(np.linalg.eigvals(among)).max())
            if radius >= 1.0:
                names = [assets[a] for a in inside]
                raise ParameterError(
                    f"{' → '.join([*names, names[0]])} is a cycle without a solution: a unit "
                    f"stands for {radius:.3g} of itself; give less than one unit along the cycle, "
                    "or break it"
                )
            outside = W[inside].copy()
            outside[:, inside] = 0.0
            W[inside] = np.linalg.solve(np.eye(len(inside)) - among, outside)
        return W

    def order(self, assets: Sequence[str]) -> np.ndarray:
        """Places of the assets, each after those that it is a claim on."""
        W = self.matrix(assets)
        graph = {a: np.flatnonzero(W[a]).tolist() for a in range(len(assets))}
        return np.array(tuple(TopologicalSorter(graph).static_order()), dtype=np.int64)
