"""Caps: how much may be pledged or owed before a keeper cannot close it in time at a profit.

    profit    (1 + LB(1 − f))(1 − impact(q)) ≥ 1 + g + m
    time      q / (participation · ADV) ≤ horizon − oracle − finality

A debt is bought with dollars: q of them buy ``q·(1 − impact(q))`` of debt, the keeper's condition
is the same, and the cap is what is bought.  Limits stand in one frame, asset × limit; others, such
as the budgets of `addons`, are further columns of it, and the smallest of a row binds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.liquidity.close_out import largest_clearing
from xcoll.collateral.liquidity.impact import Impact
from xcoll.errors import ParameterError

__all__ = ["LIMITS", "SIDES", "bearable_impact", "caps", "curves", "limits"]


LIMITS = ("keeper's profit", "largest quote", "clearing time")
SIDES = ("sell", "buy")
SIZES = tuple(np.geomspace(5e4, 2e8, 160))  # dollars, for a picture
HOUR = pd.Timedelta("1h")


def bearable_impact(
    bonus: float, keeper_margin: float, gas_share: float = 0.0, protocol_fee: float = 0.0
) -> float:
    """Largest impact at which a keeper profits: ``1 − (1 + g + m)/(1 + LB(1 − f))``.

    Parameters
    ----------
    bonus : float
        LB, a fraction, not negative.
    keeper_margin, gas_share : float
        Profit that a keeper asks for and gas, fractions of the repaid debt, not negative.
    protocol_fee : float
        The venue's share f of the bonus, in [0, 1].

    Returns
    -------
    float
        A fraction below 1; negative where no sale pays, however small.
    """
    m = checks.at_least("keeper margin", keeper_margin, 0.0)
    g = checks.at_least("gas share", gas_share, 0.0)
    f = checks.fraction("protocol fee", protocol_fee, closed=True)
    return 1.0 - (1.0 + g + m) / (1.0 + checks.at_least("bonus", bonus, 0.0) * (1.0 - f))


def limits(
    markets: Mapping[str, Impact],
    adv_usd: pd.Series,
    plan: pd.DataFrame,
    bonus: pd.Series,
    participation: float,
    keeper_margin: float,
    gas_share: float = 0.0,
    protocol_fee: float = 0.0,
    side: str = "sell",
) -> pd.DataFrame:
    """What each limit alone allows to be closed at once, in dollars.

    Parameters
    ----------
    markets : mapping
        Asset → the market that a keeper meets on a bad day.
    adv_usd : Series
        Volume of a day by asset, dollars.
    plan : DataFrame
        By asset: queue and total (hours) and horizon; what is not the queue is waiting, and the
        rest of the horizon is left to trade.
    bonus : Series
        LB by asset.  A debt is paid for with the bonus of the collateral that is seized: give
        the smallest that may stand behind it.
    participation : float
        Share of a day's volume that can be traded, in (0, 1].
    keeper_margin, gas_share, protocol_fee : float
        As `bearable_impact` takes them.
    side : {"sell", "buy"}
        A collateral is sold, and its value counts; a debt is bought, and what is bought counts.

    Returns
    -------
    DataFrame
        asset × `LIMITS`, dollars; inf where the limit does not apply.  The profit gives 0 where no
        sale pays, the time 0 where the waiting fills the horizon, and the largest quote is a limit
        where a keeper would still profit at it, for nothing is known beyond.

    Raises
    ------
    ParameterError
        An asset has no volume, close-out or bonus; a fee or margin outside its range.
    """
    checks.one_of("side", side, SIDES)
    known = {"volume": adv_usd.dropna(), "close-out": plan, "bonus": bonus.dropna()}
    for name, table in known.items():
        missing = [asset for asset in markets if asset not in table.index]
        if missing:
            raise ParameterError(f"no {name} of {missing}; give it, or leave their markets out")
    found = {}
    for asset, market in markets.items():
        most = bearable_impact(bonus[asset], keeper_margin, gas_share, protocol_fee)
        q = market.largest(most) if most >= 0.0 else 0.0
        lost = market.impact(q)
        value = q if side == "sell" else q * (1.0 - lost)
        # quotes end where the last one leaves a profit; closed forms return to the impact asked
        ended = q > 0.0 and lost < most and not np.isclose(lost, most, rtol=1e-9, atol=0.0)
        wait = (plan.loc[asset, "total"] - plan.loc[asset, "queue"]) * HOUR
        left = pd.Timedelta(plan.loc[asset, "horizon"]) - wait
        time = left > pd.Timedelta(0)
        cleared = largest_clearing(left, float(adv_usd[asset]), participation) if time else 0.0
        found[asset] = (np.inf, value, cleared) if ended else (value, np.inf, cleared)
    frame = pd.DataFrame.from_dict(found, orient="index", columns=list(LIMITS), dtype=float)
    return frame.rename_axis("asset")


def caps(limits: pd.DataFrame) -> pd.DataFrame:
    """The cap of each asset and the limit that sets it.

    Parameters
    ----------
    limits : DataFrame
        asset × limit, dollars, not negative; inf where a limit does not apply.

    Returns
    -------
    DataFrame
        By asset: cap_usd, binding (the name of the smallest limit, the first of equal ones).
    """
    wrong = limits.isna() | (limits < 0.0)
    if wrong.any(axis=None):
        asset, limit = np.argwhere(wrong.to_numpy())[0]
        raise ParameterError(
            f"{limits.columns[limit]} of {limits.index[asset]} is "
            f"{limits.iloc[asset, limit]:g}; give dollars of at least 0, or inf for no limit"
        )
    free = np.isinf(limits).all(axis=1)
    if free.any():
        raise ParameterError(f"nothing limits {limits.index[free].tolist()}; leave them out")
    return pd.DataFrame({"cap_usd": limits.min(axis=1), "binding": limits.idxmin(axis=1)})


def curves(
    markets: Mapping[str, Impact], sizes_usd: np.ndarray | Sequence[float] = SIZES
) -> pd.DataFrame:
    """Impact by size: index size_usd, one column an asset; NaN beyond the largest quote."""
    whole = np.nextafter(1.0, 0.0)
    found = {
        asset: [market.impact(q) if q <= most else np.nan for q in np.asarray(sizes_usd, float)]
        for asset, market in markets.items()
        for most in [market.largest(whole)]
    }
    return pd.DataFrame(found, pd.Index(sizes_usd, name="size_usd"), dtype=float)
