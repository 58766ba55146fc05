"""Time to liquidate fed back into the close-out horizon until both agree.

A threshold is set for the horizon within which a position is closed; how long closing takes follows
from the threshold, the depth and the crowd.  The horizon of the next round is the oracle's lag,
the measured 99th percentile from breach to service, and settlement.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import EstimationError, ParameterError
from xcoll.liquidation.cohorts import Study, run
from xcoll.liquidation.outcomes import wait_quantile

__all__ = ["agree", "parameters_at"]

HOUR = pd.Timedelta("1h")


def parameters_at(
    table: pd.DataFrame, horizon: str | pd.Timedelta, assets: Sequence[str]
) -> RiskParameters:
    """Thresholds and LTV between the horizons of `table`, linear in the root of time.

    Parameters
    ----------
    table : ``asset``, ``horizon`` ("1h", "4h", "24h"), and the columns of `RiskParameters`.
    horizon : within the shortest and the longest of the table; shorter ones take the shortest.
    assets : those that are wanted.

    Raises
    ------
    ParameterError
        A horizon beyond the longest, or an asset without rows.
    """
    wanted = checks.duration("horizon", horizon)
    known = table.assign(hours=pd.to_timedelta(table["horizon"]) / HOUR)
    longest = known["hours"].max()
    if wanted / HOUR > longest:
        raise ParameterError(
            f"a horizon of {wanted / HOUR:.1f} hours is beyond the longest of the thresholds, "
            f"{longest:g} hours; give more depth or a smaller venue"
        )
    rows = {}
    for asset in assets:
        of = known[known["asset"] == asset].sort_values("hours")
        if of.empty:
            raise ParameterError(f"no thresholds of {asset}; leave it out")
        place = np.sqrt(of["hours"].to_numpy())
        rows[asset] = {
            column: float(np.interp(np.sqrt(wanted / HOUR), place, of[column].to_numpy()))
            for column in ("ltv", "threshold", "bonus", "protocol_fee")
        }
    return RiskParameters(pd.DataFrame.from_dict(rows, orient="index").rename_axis("asset"))


def agree(
    study: Study,
    table: pd.DataFrame,
    settlement: str | pd.Timedelta,
    start: str | pd.Timedelta = "1h",
    confidence: float = 0.99,
    tolerance: str | pd.Timedelta = "15min",
    rounds: int = 12,
) -> pd.DataFrame:
    """Rounds until horizon and measured time agree.

    Parameters
    ----------
    study : its world has the oracle, the depth and the keepers that make the time.
    table : thresholds by asset and horizon, as `parameters_at` reads them.
    settlement : of the chain, added to the measured time.
    start : horizon of the first round.

    Returns
    -------
    DataFrame
        One row a round: ``horizon_hours``, ``threshold`` (mean over assets), ``served``,
        ``wait_hours`` (the measured percentile), ``next_hours``, ``agrees`` and ``beyond``.  The
        last row agrees, or even at the longest horizon of `table` closing takes longer than it.

    Raises
    ------
    EstimationError
        Nobody was served, or the rounds do not settle.
    """
    horizon = checks.duration("start", start)
    longest = pd.to_timedelta(table["horizon"]).max()
    within = checks.duration("tolerance", tolerance)
    lag = pd.Timedelta(study.conduct.world.oracle.lag or 0) + pd.Timedelta(settlement)
    assets, rows = study.parameters.assets, []
    for _ in range(checks.whole("rounds", rounds)):
        parameters = parameters_at(table, horizon, assets)
        waits = run(replace(study.weekly, parameters=parameters)).waits
        wait = wait_quantile(waits, confidence)
        following = max(lag + wait, HOUR)
        agrees = abs(following - horizon) <= within
        beyond = horizon == longest and following > longest and not agrees
        rows.append(
            {
                "horizon_hours": horizon / HOUR,
                "threshold": float(parameters.frame["threshold"].mean()),
                "served": len(waits),
                "wait_hours": wait / HOUR,
                "next_hours": following / HOUR,
                "agrees": bool(agrees),
                "beyond": bool(beyond),
            }
        )
        if agrees or beyond:
            return pd.DataFrame(rows)
        # Half of the way: the time answers to the horizon, and whole steps would swing.
        horizon = longest if following > longest else horizon + 0.5 * (following - horizon)
    raise EstimationError(
        f"horizon and time to liquidate did not agree in {rounds} rounds; the last were "
        f"{rows[-1]['horizon_hours']:.1f} and {rows[-1]['next_hours']:.1f} hours: give more rounds"
    )
