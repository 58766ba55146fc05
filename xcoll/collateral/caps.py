"""How large a position may grow: what a market, a keeper and a budget bear, on one date."""

import numpy as np
import pandas as pd

from xcoll.collateral import liquidity
from xcoll.collateral.calibration import Calibration, pledged
from xcoll.collateral.policy import Policy
from xcoll.collateral.setting import Setting

__all__ = ["borrow", "markets", "supply"]


def markets(
    setting: Setting, table: pd.DataFrame, study: Calibration, policy: Policy
) -> dict[str, liquidity.Impact]:
    """The market on a bad day of every asset of a date's calibration.

    `table` has the estimates of the date, index asset and horizon.
    """
    bad_day = table["bad_day"].groupby(level="asset").first()
    every = liquidity.markets(setting.universe, bad_day, study.now, policy.depth)
    assets = study.plan.index.get_level_values("asset")
    return {asset: every[asset] for asset in assets}


def supply(
    setting: Setting, table: pd.DataFrame, study: Calibration, policy: Policy, bonus: pd.Series
) -> pd.DataFrame:
    """Largest position that clears within the horizon at a profit, and that the budgets bear.

    Parameters
    ----------
    setting, table, study, policy
        As `markets` takes them.
    bonus : Series
        LB by asset of `study`.

    Returns
    -------
    DataFrame, index asset
        One column a limit in dollars (NaN: does not apply), cap_usd, binding, and reserve: what is
        to be put aside a year for a position of the cap.
    """
    limits = _limits(setting, table, study, policy, bonus, "sell")
    assets = setting.universe.assets
    found = liquidity.caps(limits.join(setting.addons.limits(setting.universe)))
    reserves = {
        asset: setting.addons.reserve(assets[asset], cap) for asset, cap in found["cap_usd"].items()
    }
    every = limits.join(setting.addons.limits(setting.universe)).replace(np.inf, np.nan)
    return every.join(found).assign(reserve=pd.Series(reserves))


def borrow(
    setting: Setting, table: pd.DataFrame, study: Calibration, policy: Policy, bonus: float
) -> pd.DataFrame:
    """Largest debt in each asset that may be owed that a keeper can buy back in time at a profit.

    `bonus` is the smallest that may stand behind it.  Index asset; columns as `supply`, without
    budgets.
    """
    every = pd.Series(bonus, study.plan.index.get_level_values("asset"))
    limits = _limits(setting, table, study, policy, every, "buy")
    owed = [asset for asset in setting.universe.debts if asset in limits.index]
    return limits.loc[owed].replace(np.inf, np.nan).join(liquidity.caps(limits.loc[owed]))


def _limits(
    setting: Setting,
    table: pd.DataFrame,
    study: Calibration,
    policy: Policy,
    bonus: pd.Series,
    side: str,
) -> pd.DataFrame:
    plan, universe = study.plan.droplevel("time"), setting.universe
    followed = pledged(universe)
    volume = {
        asset: liquidity.as_of(universe.assets[followed[asset]], study.now).adv_usd
        for asset in plan.index
    }
    return liquidity.limits(
        markets(setting, table, study, policy), pd.Series(volume), plan, bonus,
        policy.participation, policy.keeper_margin, policy.gas_share, policy.protocol_fee, side,
    )  # fmt: skip
