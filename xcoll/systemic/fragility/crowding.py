"""What the market could not take: large positions, and all that a fall brings to it, against depth.

Dollars *sell* while the marginal loss is smaller than a keeper bears (`incentives.bearable`).  The
accounts are sorted by the fall at which each breaches (`breaches`): where what they bring to the
market first exceeds what sells, liquidations begin to queue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.liquidation.depth import Depth
from xcoll.systemic.fragility.breaches import breach_falls, seizures
from xcoll.systemic.fragility.concentration import user_names
from xcoll.systemic.fragility.incentives import bearable
from xcoll.systemic.system import System

__all__ = ["Crowding", "crowding", "largest"]

GRID = tuple(np.linspace(0.0, 0.9, 91))


def largest(
    system: System,
    users: int = 10,
    depth: Depth | None = None,
    accepted: pd.Series | None = None,
) -> pd.DataFrame:
    """The users who owe and pledge the most, against the depth of what they pledge.

    Parameters
    ----------
    users : how many.
    depth : order books; None for those of the system's impact.
    accepted : marginal loss by asset at which selling stops, a fraction; None for the least that
        a venue with accounts in the asset bears (`incentives.bearable`).

    Returns
    -------
    DataFrame
        Index rank (from 1), user and asset.  Columns: ``collateral``, dollars of accounts that
        owe, at all venues that accept it; ``sellable``, dollars that sell at a smaller marginal
        loss; ``multiple``, the first over the second, infinite where nothing sells; ``cost``,
        fraction of the value that is lost where all of it is sold at once.

    Raises
    ------
    ParameterError
        No depth, or no accepted loss of an asset that is pledged.
    """
    checks.whole("users", users)
    layout, names, depth = system.layout, user_names(system), _depth(system, depth)
    sellable = _sellable(system, depth, accepted)
    counts = (np.array(layout.thresholds) > 0.0)[layout.venue] & (layout.owed[:, None] > 0.0)
    C = np.where(counts, layout.held * system.opening, 0.0)
    whole = np.bincount(layout.users, C.sum(axis=1), minlength=len(names))
    rows = {}
    for rank, user in enumerate(np.argsort(-whole, kind="stable")[:users], start=1):
        pledged = C[layout.users == user].sum(axis=0)
        for a in np.flatnonzero(pledged):
            asset, q = system.assets[a], float(pledged[a])
            room = sellable[asset]
            rows[rank, names[user], asset] = {
                "collateral": q,
                "sellable": room,
                "multiple": q / room if room > 0.0 else np.inf,
                "cost": depth.cost(asset, q) / q if asset in depth.assets else 1.0,
            }
    columns = ["collateral", "sellable", "multiple", "cost"]
    levels = ["rank", "user", "asset"]
    index = pd.MultiIndex.from_tuples(rows, names=levels) if rows else None
    return pd.DataFrame(rows.values(), index=index, columns=columns)


@dataclass(frozen=True)
class Crowding:
    """Falls of prices at which more comes to the market than it takes.

    Attributes
    ----------
    curve : columns ``fall``, ``asset``, ``liquidatable`` and ``sellable``, dollars of the opening;
        the former of all accounts that breach at the fall or before, each at its own breach.
    limits : by asset: ``sellable``; ``whole``, liquidatable in the end; ``fall``, the smallest at
        which liquidatable exceeds sellable, the breach of an account, inf where none does;
        ``liquidatable`` at that fall, NaN where there is none.
    """

    curve: pd.DataFrame
    limits: pd.DataFrame

    @property
    def fall(self) -> float:
        """The smallest fall at which any asset's sales exceed what sells; inf where none."""
        return float(self.limits["fall"].min()) if len(self.limits) else np.inf


def crowding(
    system: System,
    assets: Sequence[str],
    depth: Depth | None = None,
    accepted: pd.Series | None = None,
    close: float | Mapping[str, float] = 1.0,
    falls: Sequence[float] = GRID,
) -> Crowding:
    """What a fall of `assets` together brings to the market, against what sells.

    Parameters
    ----------
    assets : those that fall, by the same fraction: all that are not stable, or one alone.
    depth, accepted : as `largest` takes them.
    close : share of the debt that is repaid at the breach, as `breaches.seizures` takes it.
    falls : of the curve, fractions in [0, 1).

    Raises
    ------
    ParameterError
        No or unknown assets, no depth, no accepted loss of a pledged asset, a fall outside [0, 1).
    """
    sellable = _sellable(system, _depth(system, depth), accepted)
    grid = np.asarray(falls, dtype=float)
    if not ((grid >= 0.0) & (grid < 1.0)).all():
        raise ParameterError(f"falls reach from {grid.min():g} to {grid.max():g}; give [0, 1)")
    fall = breach_falls(system, assets)
    order = np.argsort(fall, kind="stable")
    order = order[np.isfinite(fall[order])]
    seized = seizures(system, fall, assets, close)[order]
    at, sold = fall[order], np.vstack([np.zeros(seized.shape[1]), np.cumsum(seized, axis=0)])
    reached = sold[np.searchsorted(at, grid, side="right")]
    places = [system.assets.index(asset) for asset in sellable]
    curve = pd.DataFrame(
        {
            "fall": np.tile(grid, len(places)),
            "asset": np.repeat(list(sellable), len(grid)),
            "liquidatable": reached[:, places].ravel(order="F"),
            "sellable": np.repeat(list(sellable.values()), len(grid)),
        }
    )
    limits = {}
    for a, (asset, room) in zip(places, sellable.items(), strict=True):
        first = int(np.searchsorted(sold[:, a], room, side="right"))  # sold[first] > room
        over = first < len(sold)
        crossed = at[first - 1] if over else np.inf
        limits[asset] = {
            "sellable": room,
            "whole": sold[-1, a],
            "fall": crossed,
            "liquidatable": sold[np.searchsorted(at, crossed, "right"), a] if over else np.nan,
        }
    columns = ["sellable", "whole", "fall", "liquidatable"]
    table = pd.DataFrame.from_dict(limits, orient="index", columns=columns)
    return Crowding(curve, table.rename_axis("asset"))


def _depth(system: System, depth: Depth | None) -> Depth:
    if depth is None and system.impact is None:
        raise ParameterError("the system's prices do not move; give the depth that sales meet")
    return system.impact.depth if depth is None else depth


def _sellable(system: System, depth: Depth, accepted: pd.Series | None) -> dict[str, float]:
    """Dollars that sell at less than the accepted loss, by asset that accounts with debt pledge."""
    layout = system.layout
    owing = layout.owed[:, None] > 0.0
    pledged = np.logical_or.reduceat((layout.held > 0.0) & owing, layout.start[:-1])
    least = bearable(system).where(pledged).min()
    used = least.index[least.notna()]
    if accepted is not None:
        missing = used[accepted.reindex(used).isna()]
        if len(missing):
            raise ParameterError(f"no accepted loss of {', '.join(missing)}; give a fraction")
        least = accepted
        for asset in used:
            checks.fraction(f"accepted loss of {asset}", float(least[asset]), closed=True)
    return {
        asset: depth.room(asset, float(least[asset])) if asset in depth.assets else 0.0
        for asset in used
    }
