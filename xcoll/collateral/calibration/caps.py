"""How large a position may grow: what a market, a keeper and a budget bear, on one date."""

import numpy as np
import pandas as pd

from xcoll.collateral import liquidity
from xcoll.collateral.calibration.dated import Calibration
from xcoll.collateral.calibration.plan import pledged

__all__ = ["borrow", "markets", "supply"]


def markets(today: Calibration) -> dict[str, liquidity.Impact]:
    """The market on a bad day of every asset of one date's calibration (`Calibration.on`)."""
    bad_day = today.estimates["bad_day"].groupby(level="asset").first()
    every = liquidity.markets(today.setting.universe, bad_day, today.now, today.policy.depth)
    return {asset: every[asset] for asset in today.plan.index.get_level_values("asset")}


def supply(today: Calibration, bonus: pd.Series) -> pd.DataFrame:
    """Largest position that clears within the horizon at a profit, and that the budgets bear.

    Parameters
    ----------
    today : Calibration
        Of one date.
    bonus : Series
        LB by asset.

    Returns
    -------
    DataFrame, index asset
        One column a limit in dollars (NaN: does not apply), cap_usd, binding, and reserve: what is
        to be put aside a year for a position of the cap.
    """
    universe, addons = today.setting.universe, today.setting.addons
    limits = _limits(today, bonus, "sell").join(addons.limits(universe))
    found = liquidity.caps(limits)
    reserves = {
        asset: addons.reserve(universe.assets[asset], cap)
        for asset, cap in found["cap_usd"].items()
    }
    return limits.replace(np.inf, np.nan).join(found).assign(reserve=pd.Series(reserves))


def borrow(today: Calibration, bonus: float) -> pd.DataFrame:
    """Largest debt in each asset that may be owed that a keeper can buy back in time at a profit.

    `bonus` is the smallest that may stand behind it.  Index asset; columns as `supply`, without
    budgets and reserve.
    """
    every = pd.Series(bonus, today.plan.index.get_level_values("asset"))
    limits = _limits(today, every, "buy")
    limits = limits.loc[[asset for asset in today.setting.universe.debts if asset in limits.index]]
    return limits.replace(np.inf, np.nan).join(liquidity.caps(limits))


def _limits(today: Calibration, bonus: pd.Series, side: str) -> pd.DataFrame:
    plan, policy, universe = today.plan.droplevel("time"), today.policy, today.setting.universe
    followed = pledged(universe)
    volume = {
        asset: liquidity.as_of(universe.assets[followed[asset]], today.now).adv_usd
        for asset in plan.index
    }
    return liquidity.limits(
        markets(today), pd.Series(volume), plan, bonus, policy.participation,
        policy.keeper_margin, policy.gas_share, policy.protocol_fee, side,
    )  # fmt: skip
