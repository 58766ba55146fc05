"""What a liquidation pays at each venue, how dear it may sell, and where it starts to do harm.

A dollar repaid seizes 1 + LB dollars of collateral k, of which a keeper gets 1 + LB(1 − f):

    rate       1 + LB                         as compiled; Euler 1/(1 − d), Maker its chop
    bearable   1 − (1 + m)/(1 + LB(1 − f))    marginal loss of a sale at which a keeper stops
    frontier   LT·(1 + LB)                    a seizure lowers the health factor at or under it

Euler's discount is min(1 − HF, d), so that HF ≤ LT/(1 − discount) at or under min(√LT, LT/(1 − d)).
Venues that take whole accounts over have no health to lower: there the frontier is where what is
owed with the penalty on it exceeds the collateral, and `bearable` is a yardstick, as they sell at
any price.
"""

import numpy as np
import pandas as pd

from xcoll.collateral.liquidity import bearable_impact
from xcoll.liquidation.rulebooks import Euler, Maker
from xcoll.systemic.system import System

__all__ = ["bearable", "frontier", "rate"]


def rate(system: System) -> pd.DataFrame:
    """Most dollars seized for a dollar repaid, venue × asset; NaN where it is not accepted."""
    made = np.empty((len(system.venues), len(system.assets)))
    for row, venue, rules in zip(made, system.venues, system.layout.rules, strict=True):
        row[:] = 1.0 + rules.bonus
        if isinstance(venue.engine, Euler):
            row[:] = 1.0 / (1.0 - rules.bonus)
        elif isinstance(venue.engine, Maker):
            row[:] = venue.engine.rules.chop
    return _accepted(system, made)


def bearable(system: System) -> pd.DataFrame:
    """Marginal loss at which a keeper stops selling, venue × asset; NaN where it is not accepted.

    A fraction; negative where the incentive does not pay the keepers' margin at all.
    """
    margin, seized = system.world.keepers.margin, rate(system).to_numpy()
    made = np.full(seized.shape, np.nan)
    for v, a in np.argwhere(np.isfinite(seized)):
        fee = float(system.layout.rules[v].fee[a])
        made[v, a] = bearable_impact(float(seized[v, a]) - 1.0, margin, 0.0, fee)
    return _accepted(system, made)


def frontier(system: System) -> pd.DataFrame:
    """Health factor at which a seizure begins to lower it, venue × asset; NaN as above.

    At 1 or above, a liquidation does harm from the breach on.
    """
    LT = np.array(system.layout.thresholds)
    made = LT * rate(system).to_numpy()
    euler = [isinstance(venue.engine, Euler) for venue in system.venues]
    made[euler] = np.minimum(np.sqrt(LT[euler]), made[euler])
    return _accepted(system, made)


def _accepted(system: System, values: np.ndarray) -> pd.DataFrame:
    shown = np.where(np.array(system.layout.thresholds) > 0.0, values, np.nan)
    return pd.DataFrame(shown, pd.Index(system.names, name="venue"), system.assets)
