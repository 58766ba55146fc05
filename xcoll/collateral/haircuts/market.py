"""The market part: what a close-out can lose, by any tail method, and what it lost in the past.

    forecast    by a method at today's volatility: what the ranking of methods is about
    long_run    over all bars that are known, whatever today's volatility
    stressed    over the worst year that is known

A horizon of whole bars is measured; one under a bar is the day's figure times a share measured on
shorter bars elsewhere (`at_horizons`).  Liquidations begin in falls: the larger of the loss over
all bars and the loss after a fall counts (`FALLS`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.history import History
from xcoll.errors import EstimationError
from xcoll.estimators import tail
from xcoll.estimators.tail.losses import LOSSES
from xcoll.estimators.tail.shortfall import depth, measure, worst
from xcoll.market.returns import bars_in

__all__ = [
    "FALLS",
    "Tail",
    "at_horizons",
    "figures",
    "forecast",
    "long_run",
    "losses",
    "stressed",
]

DAY = pd.Timedelta("1D")

FALLS: dict[str, Callable[[float], float]] = {
    "larger": lambda multiple: max(multiple, 1.0),
    "all bars": lambda multiple: 1.0,
    "after a fall": lambda multiple: multiple,
}


@dataclass(frozen=True)
class Tail:
    """Which figure of a loss is meant.

    Attributes
    ----------
    confidence : float
        Level, in (0, 1).
    measure : {"es", "var"}
        Expected shortfall or value at risk.
    loss : {"close_out", "end"}
        To the worst print on the way, or at the end of the horizon.
    """

    confidence: float = 0.99
    measure: str = "es"
    loss: str = "close_out"

    def __post_init__(self) -> None:
        checks.fraction("confidence", self.confidence)
        checks.one_of("measure", self.measure, ("es", "var"))
        checks.one_of("loss", self.loss, LOSSES)


def figures(losses: np.ndarray, of: Tail) -> np.ndarray:
    """VaR or ES of each column of a sample of losses (rows), NaN rows left out column by column.

    NaN where a column has no loss at all.
    """
    found = np.full(losses.shape[1], np.nan)
    counts = np.isfinite(losses).sum(axis=0)
    for n in np.unique(counts[counts > 0]):
        columns = np.flatnonzero(counts == n)
        sample = losses[:, columns]
        sample = sample.T[np.isfinite(sample.T)].reshape(len(columns), n)
        var, es = measure(worst(sample, depth(n, of.confidence)), n, of.confidence)
        found[columns] = {"var": var, "es": es}[of.measure]
    return found


def losses(history: History, of: Tail, bars: int) -> list[pd.DataFrame]:
    """Losses over so many bars, one frame a draw of the lows; time × asset, stamped at decision."""
    return [tail.realised_losses(history.log_returns, low, bars, of.loss) for low in history.lows]


def long_run(history: History, of: Tail, bars: int | None = None) -> pd.Series:
    """Figure of the loss over `bars` (a day's) in all bars that are known, by asset.

    Horizons of several bars overlap.
    """
    side = _side_by_side(history, of, bars)
    return _mean(figures(side, of), history.assets, "long_run")


def stressed(
    history: History, of: Tail, bars: int | None = None, span: str = "365D", every: str = "28D"
) -> pd.Series:
    """Largest figure of the loss over `bars` (a day's) in any `span` that is known, by asset.

    The stressed observations of EMIR RTS 153/2013, article 28(1)(b), are those of that span; ends
    of spans lie `every` apart.  A history shorter than the span is one span.
    """
    length, step = bars_in(span, history.bar), bars_in(every, history.bar)
    side = _side_by_side(history, of, bars)
    ends = range(len(side), min(length, len(side)) - 1, -step)
    found = np.fmax.reduce([figures(side[max(end - length, 0) : end], of) for end in ends])
    return _mean(found, history.assets, "stressed")


def _side_by_side(history: History, of: Tail, bars: int | None) -> np.ndarray:
    # The draws of the lows as further columns: one pass over all of them.
    ahead = history.day if bars is None else bars
    return np.hstack([lost.to_numpy() for lost in losses(history, of, ahead)])


def _mean(found: np.ndarray, assets: list[str], name: str) -> pd.Series:
    means = found.reshape(-1, len(assets)).mean(axis=0)
    return pd.Series(means, pd.Index(assets, name="asset"), name=name)


def forecast(
    history: History,
    of: Tail,
    method: str = "fhs",
    window: str = "400D",
    bars: int | None = None,
    *,
    dependence: tail.Dependence | None = None,
    rng: np.random.Generator | None = None,
) -> pd.Series:
    """Figure of the loss over the next `bars` (a day's) by a method of `tail.METHODS`.

    Parameters
    ----------
    history : History
        An asset with fewer bars than the window is forecast from those that it has.
    of : Tail
        Which figure.
    method : str
        One of `tail.METHODS`.
    window : str
        Longest look-back, a duration.
    bars : int, optional
        Horizon; a day's where not given.
    dependence, rng
        As `tail.walk_forward` asks for them: several bars are drawn at random.

    Returns
    -------
    Series
        By asset; NaN for one that does not trade at the last bar, has fewer bars than the method's
        shortest window, or for which the method found no fit.

    Raises
    ------
    EstimationError
        No asset has two bars with a forecast volatility.
    """
    checks.one_of("method", method, tail.METHODS)
    ahead = history.day if bars is None else checks.whole("bars", bars)
    trading = history.trading
    scored = history.volatility[trading].shift(1).notna() & history.log_returns[trading].notna()
    known = scored.sum().clip(upper=bars_in(window, history.bar)) - (ahead - 1)
    if not (known >= 2).any():
        raise EstimationError(
            "no asset has two bars with a forecast volatility; lengthen the history"
        )
    found = pd.Series(np.nan, history.assets, name="forecast").rename_axis("asset")
    for length in known[known >= tail.METHODS[method].least].unique():
        group = known.index[known == length].tolist()
        if method == "fhs" and ahead == 1:
            found[group] = _filtered(history, of, length, group)
            continue
        walked = [
            _walked(history, low, of, length, ahead, group, method, dependence, rng)
            for low in history.lows
        ]
        found[group] = np.mean(walked, axis=0)
    return found


def _filtered(history: History, of: Tail, window: int, group: list[str]) -> np.ndarray:
    # What `tail.walk_forward` says of one bar by filtered simulation, without its frames.
    columns = history.log_returns.columns.get_indexer(group)
    sigma = history.volatility.to_numpy()[-(window + 1) :, columns]
    moves = history.lows if of.loss == "close_out" else (history.log_returns,)
    scores = (move.to_numpy()[-window:, columns] / sigma[:-1] for move in moves)
    side = np.hstack([-np.expm1(score * sigma[-1]) for score in scores])
    return figures(side, of).reshape(-1, len(group)).mean(axis=0)


def _walked(
    history: History,
    low: pd.DataFrame,
    of: Tail,
    window: int,
    bars: int,
    group: list[str],
    method: str,
    dependence: tail.Dependence | None,
    rng: np.random.Generator | None,
) -> np.ndarray:
    count = window + bars
    if method == "volatility_weighted":  # its exponential weights start where the frame starts
        count += (len(history.log_returns) - count) // bars * bars
    rows = history.log_returns.index[-count:]
    moved = {"volatility": history.volatility, "low": low}
    frames = {name: frame.loc[rows, group] for name, frame in moved.items()}
    if dependence is not None:
        frames["dependence"] = dependence.of(rows, group)
    made = tail.walk_forward(
        history.log_returns.loc[rows, group], window, of.confidence, bars, method, of.loss,
        rng=rng, **frames,
    )  # fmt: skip
    last = made[made["time"] == rows[-1]].set_index("asset")[of.measure]
    return last.reindex(group).to_numpy()


def at_horizons(
    estimate: Callable[[int], pd.Series], bar: pd.Timedelta, shares: Mapping[str, float]
) -> pd.DataFrame:
    """A figure at each horizon: measured where the horizon has whole bars, else a share of a day's.

    Parameters
    ----------
    estimate : callable
        Bars → figure by asset.
    bar : Timedelta
        Length of a bar.
    shares : mapping
        Horizon → the loss over it as a share of a day's, 1 for the day itself.

    Returns
    -------
    DataFrame
        asset × horizon.
    """
    day = estimate(bars_in("1D", bar))
    return pd.DataFrame(
        {
            horizon: share * day
            if pd.Timedelta(horizon) < bar or pd.Timedelta(horizon) == DAY
            else estimate(bars_in(horizon, bar))
            for horizon, share in shares.items()
        }
    )
