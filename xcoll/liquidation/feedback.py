"""Time to liquidate fed back into the close-out horizon until both agree.

A threshold is set for the horizon within which a position is closed; how long closing takes
follows from the threshold, the depth and the crowd.  Closing needs the oracle's lag, the time from
breach to service within which 99 of 100 dollars of debt are repaid, and settlement.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import ParameterError
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
        if of.empty or of["hours"].duplicated().any():
            raise ParameterError(f"{asset} has {len(of)} rows of thresholds; give one a horizon")
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
    confidence: float = 0.99,
    tolerance: str | pd.Timedelta = "30min",
) -> pd.DataFrame:
    """Horizons by bisection, down to the shortest within which closing is done.

    Thresholds for a horizon make a time to liquidate; between a horizon that is too short for its
    own thresholds and one that is long enough, the two agree or cross.  Where they cross more than
    once, one of the crossings is found.

    Parameters
    ----------
    study : its world has the oracle, the depth and the keepers that make the time.
    table : thresholds by asset and horizon, as `parameters_at` reads them.
    settlement : of the chain, added to the measured time and the oracle's lag.
    confidence : share of the debt that is repaid within the measured time.
    tolerance : width of the last bracket.

    Returns
    -------
    DataFrame
        One row a horizon that was tried: ``horizon_hours``, ``threshold`` (mean over assets),
        ``served``, ``wait_hours`` (from breach to service), ``needed_hours`` (with lag and
        settlement), ``fits`` (needed within the horizon) and ``agrees`` (to the tolerance).  The
        last row is the answer: the shortest horizon found that fits, or the longest of the table
        where not even that does.

    Raises
    ------
    EstimationError
        Nobody was served.
    """
    width = checks.duration("tolerance", tolerance) / HOUR
    lag = pd.Timedelta(study.conduct.world.oracle.lag or 0) + pd.Timedelta(settlement)
    hours = pd.to_timedelta(table["horizon"]) / HOUR
    rows: list[dict[str, object]] = []

    def fits(horizon: float) -> bool:
        parameters = parameters_at(table, horizon * HOUR, study.parameters.assets)
        waits = run(replace(study.weekly, parameters=parameters)).waits
        wait = wait_quantile(waits, confidence)
        needed = (lag + wait) / HOUR
        rows.append(
            {
                "horizon_hours": horizon,
                "threshold": float(parameters.frame["threshold"].mean()),
                "served": len(waits),
                "wait_hours": wait / HOUR,
                "needed_hours": needed,
                "fits": needed <= horizon,
                "agrees": abs(needed - horizon) <= width,
            }
        )
        return needed <= horizon

    short, long = float(hours.min()), float(hours.max())
    if not fits(short) and fits(long):
        answer = rows[-1]
        while long - short > width:
            middle = 0.5 * (short + long)
            if fits(middle):
                long, answer = middle, rows[-1]
            else:
                short = middle
        rows.append(rows.pop(rows.index(answer)))
    return pd.DataFrame(rows)
