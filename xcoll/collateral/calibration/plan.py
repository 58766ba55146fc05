"""What facts say at a date: how long and costly a close-out is, and the parts besides the market.

A derived token has no prices: it borrows the market loss of its underlying and adds its basis, from
the day on which it was deployed.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import haircuts, liquidity
from xcoll.collateral.addons import Addons
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.universe import Universe

__all__ = ["basis_losses", "close_outs", "deployed", "other_parts", "pledged"]


def pledged(universe: Universe) -> pd.Series:
    """Every symbol that may be pledged, and the symbol whose prices it follows."""
    symbols = universe.collateral + [
        symbol for symbol in universe.derived if "collateral" in universe.assets[symbol].roles
    ]
    followed = {symbol: universe.assets[symbol].underlying or symbol for symbol in symbols}
    return pd.Series(followed, name="followed").rename_axis("asset")


def basis_losses(
    universe: Universe, confidence: float, rng: np.random.Generator
) -> dict[str, float]:
    """`haircuts.basis_loss` of every derived token."""
    return {
        symbol: haircuts.basis_loss(universe.assets[symbol].basis, confidence, rng)
        for symbol in universe.derived
    }


def close_outs(
    universe: Universe, bad_day: pd.Series, policy: Policy, day: pd.Timestamp
) -> pd.DataFrame:
    """Close-out of a position in each asset as of a day: its time, part by part, and its impact.

    Parameters
    ----------
    universe : Universe
        Volumes, depth, oracles and chains.
    bad_day : Series
        Volatility of a bad day, by symbol that is pledged.
    policy : Policy
        Position, participation, wait for a price, depth, and the horizon where it is given.
    day : Timestamp
        As of when; what was deployed later is left out.

    Returns
    -------
    DataFrame
        By asset: position_usd (cut to what clears in a day), oracle, queue, finality, redemption
        (of a derived token; a keeper sells it as it is), total (hours), horizon (the one that
        covers the total), impact (fraction, on a bad day's depth), assumed (volume or quotes are
        of another date).
    """
    longest = checks.duration("oracle wait", policy.oracle_wait)
    rows = {}
    for symbol, volatility in bad_day.items():
        asset = universe.assets[symbol]
        traded = liquidity.as_of(universe.assets[asset.underlying or symbol], day)
        quoted = liquidity.as_of(asset, day)
        plan = liquidity.close_out(
            policy.position_usd,
            traded.adv_usd,
            policy.participation,
            oracle=min(pd.Timedelta(asset.oracle.heartbeat), longest),
            finality=pd.Timedelta(universe.chains[asset.chain].finality),
            redemption=pd.Timedelta(asset.basis.redemption if asset.basis else 0),
        )
        market = liquidity.stressed_market(asset, volatility, universe.stress, day)
        rows[symbol] = plan.row | {
            "horizon": policy.horizon or plan.horizon,
            "impact": market.stressed(policy.depth).impact(plan.position_usd),
            "assumed": traded.assumed or quoted.quotes_assumed,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("asset")


def other_parts(
    universe: Universe,
    addons: Addons,
    impact: pd.Series,
    basis: Mapping[str, float],
    day: pd.Timestamp,
) -> pd.DataFrame:
    """Parts of the haircut by asset as of a day, `haircuts.PARTS`, with a market part of 0.

    `basis` is the loss of each derived token's gap, by symbol; `impact` says which assets.
    """
    assets = universe.assets
    return pd.DataFrame(
        {
            symbol: {
                "market": 0.0,
                "liquidity": loss,
                "oracle": assets[symbol].oracle.deviation,
                "basis": basis.get(symbol, 0.0),
                "contract": addons.total(assets[symbol].contract, day, symbol),
            }
            for symbol, loss in impact.items()
        }
    ).T.rename_axis("asset")


def deployed(universe: Universe, symbol: str, day: pd.Timestamp) -> bool:
    """Whether an asset's contract was there on a day; a native coin always is."""
    contract = universe.assets[symbol].contract
    return contract is None or pd.Timestamp(contract.deployed) <= day
