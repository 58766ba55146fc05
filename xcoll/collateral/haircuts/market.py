"""The market part: what a close-out can lose, by any tail method, and what it lost in the past.

    forecast    by a method at today's volatility: what the ranking of methods is about
    long_run    over all bars that are known, whatever today's volatility
    stressed    over the worst year that is known

All three are of a day.  `at_horizon` brings them to the horizon of a close-out: one under a day is
the day's times a share measured on shorter bars, and liquidations begin in falls, so the larger of
the loss over all bars and the loss after a fall counts.
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
    "at_horizon",
    "day_losses",
    "figures",
    "forecast",
    "long_run",
    "stressed",
]

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


def day_losses(history: History, of: Tail) -> list[pd.DataFrame]:
    """Losses over a day, one frame a draw of the lows; time × asset, stamped at the decision."""
    return [
        tail.realised_losses(history.log_returns, low, history.day, of.loss) for low in history.lows
    ]


def long_run(history: History, of: Tail) -> pd.Series:
    """Figure of the day's loss over all bars that are known, by asset; windows overlap."""
    found = [figures(losses.to_numpy(), of) for losses in day_losses(history, of)]
    return pd.Series(np.mean(found, axis=0), history.assets, name="long_run").rename_axis("asset")


def stressed(history: History, of: Tail, span: str = "365D", every: str = "7D") -> pd.Series:
    """Largest figure of the day's loss over any `span` that is known, by asset.

    The stressed observations of EMIR RTS 153/2013, article 28(1)(b), are those of that span; ends
    of spans lie `every` apart.  A history shorter than the span is one span.
    """
    length, step = bars_in(span, history.bar), bars_in(every, history.bar)
    found = []
    for losses in day_losses(history, of):
        values = losses.to_numpy()
        ends = range(len(values), min(length, len(values)) - 1, -step)
        spans = [figures(values[max(end - length, 0) : end], of) for end in ends]
        found.append(np.fmax.reduce(spans))
    return pd.Series(np.mean(found, axis=0), history.assets, name="stressed").rename_axis("asset")


def forecast(
    history: History,
    of: Tail,
    method: str = "fhs",
    window: str = "400D",
    *,
    dependence: tail.Dependence | None = None,
    rng: np.random.Generator | None = None,
) -> pd.Series:
    """Figure of the next day's loss that a method of `tail.METHODS` forecasts at the last bar.

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
    dependence, rng
        As `tail.walk_forward` asks for them: a day of several bars is drawn at random.

    Returns
    -------
    Series
        By asset; NaN for one that does not trade at the last bar, or whose method found no fit.

    Raises
    ------
    EstimationError
        No asset has two bars with a forecast volatility.
    """
    checks.one_of("method", method, tail.METHODS)
    trading = history.trading
    scored = history.volatility[trading].shift(1).notna() & history.log_returns[trading].notna()
    bars = scored.sum().clip(upper=bars_in(window, history.bar)) - (history.day - 1)
    if not (bars >= 2).any():
        raise EstimationError(
            "no asset has two bars with a forecast volatility; lengthen the history"
        )
    found = pd.Series(np.nan, history.assets, name="forecast").rename_axis("asset")
    for length in bars[bars >= 2].unique():
        group = bars.index[bars == length].tolist()
        found[group] = np.mean(
            [
                _filtered(history, low, of, length, group)
                if method == "fhs" and history.day == 1
                else _walked(history, low, of, length, group, method, dependence, rng)
                for low in history.lows
            ],
            axis=0,
        )
    return found


def _filtered(
    history: History, low: pd.DataFrame, of: Tail, window: int, group: list[str]
) -> np.ndarray:
    # What `tail.walk_forward` says of one bar by filtered simulation, without its frames.
    rows = slice(-(window + 1), None)
    sigma = history.volatility[group].to_numpy()[rows]
    moves = LOSSES[of.loss].one_bar(history.log_returns[group], low[group]).to_numpy()[rows]
    return figures(-np.expm1(moves[1:] / sigma[:-1] * sigma[-1]), of)


def _walked(
    history: History,
    low: pd.DataFrame,
    of: Tail,
    window: int,
    group: list[str],
    method: str,
    dependence: tail.Dependence | None,
    rng: np.random.Generator | None,
) -> np.ndarray:
    rows = history.log_returns.index[-(window + history.day) :]
    moved = {"volatility": history.volatility, "low": low}
    frames = {name: frame.loc[rows, group] for name, frame in moved.items()}
    if dependence is not None:
        path = dependence.correlation.reindex(rows)
        kept = vars(dependence) | {"correlation": path}
        frames["dependence"] = tail.Dependence(**kept)
    made = tail.walk_forward(
        history.log_returns.loc[rows, group], window, of.confidence, history.day, method, of.loss,
        rng=rng, **frames,
    )  # fmt: skip
    last = made[made["time"] == rows[-1]].set_index("asset")[of.measure]
    return last.reindex(group).to_numpy()


def at_horizon(
    day: pd.Series,
    shares: Mapping[str, float],
    multiples: Mapping[str, float],
    falls: str = "larger",
) -> pd.DataFrame:
    """The market part at each horizon: ``share(h) · day · multiple(h)``, not above 1.

    Parameters
    ----------
    day : Series
        By asset, of a day.
    shares : mapping
        Horizon → the loss over it as a share of a day's; 1 for the day itself.
    multiples : mapping
        Horizon → the loss after a fall as a multiple of the loss over all bars.
    falls : {"larger", "all bars", "after a fall"}
        Which of the two losses counts.

    Returns
    -------
    DataFrame
        asset × horizon.
    """
    rule = FALLS[checks.one_of("falls", falls, FALLS)]
    return pd.DataFrame({h: (shares[h] * rule(multiples[h]) * day).clip(upper=1.0) for h in shares})
