"""How each tool answers a step in volatility (Murphy, Vasios and Vause 2014), without noise.

Squares of returns stand at their expectation, σ², so that what is seen is the tool and not a
sample.  Haircuts are a multiple k of the volatility that is known:

    raw        k·√(exponentially weighted mean of σ²)
    long run   k·√(mean of σ² over all bars known)
    stressed   k·√(largest mean of σ² over a year known)
"""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.recalibration.tools import EMIR, TOOLS, Damping, Targets, post
from xcoll.errors import ParameterError
from xcoll.estimators import volatility
from xcoll.market.prices import bar_length
from xcoll.market.returns import bars_in

__all__ = ["REACHED", "expected_targets", "step_response", "volatility_step"]

REACHED = 0.95  # of the way


def volatility_step(
    before: float, after: float, times: pd.DatetimeIndex, step: str | pd.Timestamp
) -> pd.Series:
    """Volatility of a bar: `before` until the step, `after` from it on.

    Raises
    ------
    ParameterError
        A volatility that is not above zero, or a step outside `times` or at the first of them.
    """
    at = pd.Timestamp(step)
    if not times[0] < at <= times[-1]:
        raise ParameterError(f"step is {at}; give a time after {times[0]}, up to {times[-1]}")
    levels = checks.positive("before", before), checks.positive("after", after)
    return pd.Series(np.where(times < at, *levels), times, name="volatility")


def expected_targets(sigma: pd.Series, multiple: float, decay: float = 0.94) -> Targets:
    """Targets where the volatility of each bar is given, and returns are as large as expected.

    Parameters
    ----------
    sigma : Series
        Volatility of each bar, stamped at its close, a fraction.
    multiple : float
        k: the loss that a haircut covers, in volatilities of a bar.
    decay : float
        λ of the exponential weights.

    Returns
    -------
    Targets
        One column, named like `sigma`; haircuts are cut at 1.
    """
    k, moves = checks.positive("multiple", multiple), sigma.to_frame()
    year = (moves**2).rolling(bars_in("365D", bar_length(sigma.index)), min_periods=1).mean()
    known = {
        "raw": volatility.ewma(moves, decay, 1),
        "long_run": np.sqrt((moves**2).expanding().mean()),
        "stressed": np.sqrt(year.cummax()),
    }
    return Targets(**{name: (k * level).clip(upper=1.0) for name, level in known.items()})


def step_response(
    targets: Targets, step: str | pd.Timestamp, damping: Damping = EMIR
) -> pd.DataFrame:
    """What each tool posts on a step, against where the raw haircut starts and ends.

    Parameters
    ----------
    targets : Targets
        One column, from `expected_targets`; its last raw haircut counts as the end.
    step : str or Timestamp
        When volatility changed.
    damping : Damping
        Sizes of the tools.

    Returns
    -------
    DataFrame
        tool, calm (posted over raw just before the step), days (until 95 % of the raw haircut's
        way is done; NaN if never), overshoot (furthest beyond the end, as a fraction of it and in
        the direction of the step; negative where the end is not reached), rise (largest within 30
        days, over windows that end after the step; 0 if none).
    """
    raw, at = targets.raw.iloc[:, 0], pd.Timestamp(step)
    start, end = raw[raw.index < at].iloc[-1], raw.iloc[-1]
    direction = np.sign(end - start)
    month = bars_in("30D", bar_length(raw.index))
    rows = []
    for tool in TOOLS:
        posted = post(targets, tool, damping).iloc[:, 0]
        later = posted[posted.index >= at]
        there = direction * (later - (start + REACHED * (end - start))) >= 0.0
        rows.append(
            {
                "tool": tool,
                "calm": posted[posted.index < at].iloc[-1] / start,
                "days": (there.idxmax() - at) / pd.Timedelta("1D") if there.any() else np.nan,
                "overshoot": (direction * (later - end)).max() / end,
                "rise": posted.diff(month)[later.index].clip(lower=0.0).max(),
            }
        )
    return pd.DataFrame(rows)
