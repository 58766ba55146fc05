"""A stablecoin's jump off its peg: how often, how deep, and what that adds to VaR and ES.

    q = 1 - exp(-λ h)          chance of at least one break within the horizon h
    loss = depth with q, an ordinary loss with 1 - q

λ is pooled over the tokens of a class (events an asset-year), depths are the recorded ones with
equal weight.  Events are few: the interval of λ is as much the result as its value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.stats import chi2

from xcoll import checks
from xcoll.errors import EstimationError

__all__ = ["YEAR", "Depeg", "Event", "Span", "fit", "recorded", "var_es", "without"]

YEAR = pd.Timedelta(days=365)


class Event(Protocol):
    """A recorded break: its day, and the lowest price as a fraction of the peg."""

    day: date
    low: float
    backing: str


class Span(Protocol):
    """Prices from `first` to `last`, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class Depeg:
    """Breaks of a peg.

    Attributes
    ----------
    hazard, low, high : events an asset-year, and the ends of its exact Poisson interval.
    depths : fraction of the peg that each event cost at its lowest print, deepest first.
    years : asset-years watched.
    """

    hazard: float
    low: float
    high: float
    depths: tuple[float, ...]
    years: float


def fit(depths: Sequence[float], years: float, coverage: float = 0.90) -> Depeg:
    """Pooled hazard of the events with `depths` (fractions) seen in `years` asset-years.

    The interval is the exact one of a Poisson mean (Garwood 1936): quantiles of Gamma(n) and
    Gamma(n + 1) over the exposure.

    Raises
    ------
    EstimationError : no event; a class without one has no depth to learn from.
    """
    years = checks.positive("years", years)
    outside = (1.0 - checks.fraction("coverage", coverage)) / 2.0
    ordered = sorted((checks.fraction("depth", d, closed=True) for d in depths), reverse=True)
    n = len(ordered)
    if n == 0:
        raise EstimationError("no depeg event to learn from; widen the class or its period")
    low, high = chi2.ppf(outside, 2 * n) / 2, chi2.isf(outside, 2 * n + 2) / 2
    return Depeg(n / years, float(low / years), float(high / years), tuple(ordered), years)


def recorded(
    events: Sequence[Event], since: date | str, until: date | str, backing: str = "fiat"
) -> list[Event]:
    """The events of one class of stablecoins from `since` to `until`, both included."""
    first, last = pd.Timestamp(since), pd.Timestamp(until)
    return [e for e in events if e.backing == backing and first <= pd.Timestamp(e.day) <= last]


def without(log_returns: pd.DataFrame, doubts: Mapping[str, Sequence[Span]]) -> pd.DataFrame:
    """The returns with those of doubtful prices removed (NaN).

    `doubts` is asset → spans of prices that are not believed; the return of the bar after a span
    rests on the last of them and goes too.
    """
    kept = log_returns.copy()
    for asset, spans in doubts.items():
        doubtful = pd.Series(False, kept.index)
        for span in spans:
            first, last = pd.Timestamp(span.first), pd.Timestamp(span.last)
            doubtful |= (kept.index >= first) & (kept.index <= last)
        kept.loc[doubtful | doubtful.shift(1, fill_value=False), asset] = np.nan
    return kept


def var_es(
    model: Depeg,
    horizon: str | pd.Timedelta,
    confidence: float,
    ordinary: np.ndarray | pd.Series | None = None,
    hazard: float | None = None,
) -> tuple[float, float]:
    """VaR and ES, closed form, of a loss that is a break with q and an ordinary one with 1 - q.

    Parameters
    ----------
    horizon : a duration, "4h".
    ordinary : sample of losses of that horizon without a break; nothing is lost where not given.
        A sample that holds a recorded break counts it twice, on the safe side.
    hazard : used in place of the model's, for the ends of its interval.

    Raises
    ------
    EstimationError : ordinary losses that are not finite.
    """
    confidence = checks.fraction("confidence", confidence)
    rate = checks.at_least("hazard", model.hazard if hazard is None else hazard, 0.0)
    q = -np.expm1(-rate * (checks.duration("horizon", horizon) / YEAR))
    base = np.zeros(1) if ordinary is None else np.asarray(ordinary, float)
    if base.size == 0 or not np.isfinite(base).all():
        raise EstimationError("ordinary losses must be finite, at least one; drop missing bars")
    losses = np.concatenate([model.depths, base])
    weights = np.repeat(
        [q / len(model.depths), (1.0 - q) / base.size], [len(model.depths), base.size]
    )
    order = np.argsort(-losses, kind="stable")
    losses, upto = losses[order], np.cumsum(weights[order])
    share = 1.0 - confidence
    taken = np.diff(np.minimum(upto, share), prepend=0.0)
    # Weights add up with rounding: a boundary within 1e-12 of the share belongs to the share.
    at = min(int(np.searchsorted(upto, share + 1e-12, side="right")), len(losses) - 1)
    return float(losses[at]), float(taken @ losses / share)
