"""How far a haircut could be off: the block bootstrap of its market part, carried to H.

A replication draws circular blocks of bars, the same for all assets (Politis and Romano 1992), and
counts how often each bar was drawn.  The long-run figure weighs all bars by these counts, the
forecast those of its window, so the two move together.  Each replication then goes the whole way,
through the other parts and the anti-procyclical rule; the interval is the middle of what comes out.

Held fixed are today's forecast volatility, the modelled lows, the worst year and the other parts.
A second layer draws the factors that scale a loss to its horizon, uniformly over their ranges.

It is the least that is open: what never happened cannot be drawn again.  In four simulated years at
99 %, a nominal 90 % holds the true long-run ES in 81 % of histories with independent losses (t with
4), in 67 % and 48 % under GARCH-t (persistence 0.95 and 0.98, ν 4.5 and 6); the true forecast from
400 bars in 70 %.  In nine of ten misses the truth lies above the interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.facts import Span
from xcoll.collateral.haircuts import market
from xcoll.collateral.haircuts.waterfall import check_parts
from xcoll.collateral.history import History
from xcoll.errors import ParameterError
from xcoll.estimators import resampling, tail
from xcoll.estimators.volatility import ewma
from xcoll.market.returns import bars_in

__all__ = ["Resampled", "intervals", "pegged_intervals", "resampled"]


@dataclass(frozen=True)
class Resampled:
    """What each replication makes of an estimate, as a multiple of the estimate itself.

    Attributes
    ----------
    forecast, long_run : DataFrame, replication × asset
        Of the figure at today's volatility, and of that over all bars; NaN where an asset has
        none, or where a replication drew none of its bars.
    """

    forecast: pd.DataFrame
    long_run: pd.DataFrame


def resampled(
    history: History,
    of: market.Tail,
    method: str = "fhs",
    window: str = "400D",
    look_back: str | None = None,
    *,
    rng: np.random.Generator,
    replications: int = 1000,
    block: str = "20D",
) -> Resampled:
    """Forecast and long-run figure of a day's loss, resampled.

    The forecast moves as the figure of its scenarios does: the window's losses for ``historical``,
    for the others those losses at today's volatility, exponentially weighted for
    ``volatility_weighted``.  On daily bars that is what ``historical`` and ``fhs`` are; a method
    that fits a law or simulates paths is lent the relative error of these scenarios.

    Parameters
    ----------
    history : History
        Without pegged assets, whose market part is no figure of a sample (`pegged`).
    of : Tail
        Which figure.
    method, window : str
        As in `market.forecast`.
    look_back : str, optional
        Bars that the long run rests on, a duration; all where not given.
    rng : Generator
        Source of the draws.
    replications : int
        How many.
    block : str
        Length of a block, a duration not longer than the history.
    """
    checks.one_of("method", method, tail.METHODS)
    length, rows = bars_in(block, history.bar), len(history.log_returns) - history.day
    if length > rows:
        raise ParameterError(
            f"block is {length} bars, the history has {rows} losses; give a shorter block"
        )
    picks = resampling.circular_blocks(rows, rng, replications, length)
    cells = picks + rows * np.arange(replications)[:, None]
    counts = np.bincount(cells.ravel(), minlength=rows * replications)
    counts = np.ascontiguousarray(counts.reshape(replications, rows).T)
    recent = slice(max(rows - bars_in(window, history.bar) + history.day - 1, 0), rows)
    long = history.log_returns.index[:rows] >= _start(history, look_back)
    losses = [lost.iloc[:rows] for lost in market.losses(history, of, history.day)]
    scenarios = [_scenarios(lost, history, method).iloc[recent] for lost in losses]
    return Resampled(
        forecast=_relative(scenarios, counts[recent], of),
        long_run=_relative([lost[long] for lost in losses], counts[long], of),
    )


def _start(history: History, look_back: str | None) -> pd.Timestamp:
    if look_back is None:
        return history.log_returns.index[0]
    return history.now - checks.duration("look-back", look_back)


def _scenarios(losses: pd.DataFrame, history: History, method: str) -> pd.DataFrame:
    if method == "historical":
        return losses
    smooth = method == "volatility_weighted"
    sigma = ewma(history.log_returns) if smooth else history.volatility
    return -np.expm1(np.log1p(-losses) * (sigma.iloc[-1] / sigma.loc[losses.index]))


def _relative(draws: list[pd.DataFrame], counts: np.ndarray, of: market.Tail) -> pd.DataFrame:
    samples = [lost.to_numpy() for lost in draws]
    base = np.mean([market.figures(sample, of) for sample in samples], axis=0)
    found = np.mean([_weighted(sample, counts, of) for sample in samples], axis=0)
    index = pd.RangeIndex(counts.shape[1], name="replication")
    return pd.DataFrame(found / np.where(base > 0.0, base, np.nan), index, draws[0].columns)


def _weighted(losses: np.ndarray, counts: np.ndarray, of: market.Tail) -> np.ndarray:
    # `market.figures` of the rows drawn, without drawing them: the worst few carry the figure.
    found = np.full((counts.shape[1], losses.shape[1]), np.nan)
    for c, column in enumerate(losses.T):
        known = np.flatnonzero(np.isfinite(column))
        order = known[np.argsort(-column[known], kind="stable")]
        n = counts[known].sum(axis=0)
        drawn = np.flatnonzero(n)
        if drawn.size:
            found[drawn, c] = _figure(column, order, counts[:, drawn], n[drawn], of)
    return found


def _figure(
    losses: np.ndarray, order: np.ndarray, counts: np.ndarray, n: np.ndarray, of: market.Tail
) -> np.ndarray:
    k = np.round(n * (1.0 - of.confidence), 9)
    whole = np.minimum(k.astype(int), n - 1)
    depth, upto = int(whole.max()) + 1, whole[None]
    while (upto[-1] <= whole).any():
        depth *= 2
        upto = counts[order[:depth]].cumsum(axis=0)
    worst = losses[order[:depth]]
    if of.measure == "var":
        return worst[(upto > whole).argmax(axis=0)]
    return worst @ np.diff(np.minimum(upto, k), axis=0, prepend=0.0) / k


def _floor(raw: pd.DataFrame, long_run: pd.DataFrame, stressed: pd.DataFrame) -> pd.DataFrame:
    return np.maximum(raw, long_run)


def intervals(
    estimates: pd.DataFrame,
    parts: pd.DataFrame,
    drawn: Resampled,
    followed: pd.Series,
    *,
    post: Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], pd.DataFrame] = _floor,
    scaling: Mapping[str, Sequence[Span]] | None = None,
    rng: np.random.Generator | None = None,
    coverage: float = 0.90,
) -> pd.DataFrame:
    """Interval of every posted haircut, unrounded: what follows from an end is rounded once.

    Parameters
    ----------
    estimates : DataFrame, index asset and horizon
        forecast, long_run, stressed: losses over the horizon, fractions (`estimates.at`).
    parts : DataFrame, index asset and horizon
        Columns `PARTS`; the market's is not read.
    drawn : Resampled
        What the first two losses are multiplied by; the third stays.
    followed : Series
        By asset of `parts`: the asset whose losses it has, itself or its underlying.
    post : callable
        Haircuts raw, long_run and stressed, each replication × (asset, horizon) → those posted, row
        by row; the larger of the first two where not given.
    scaling : mapping, optional
        Horizon → factors of its loss that are known to a range only: the share of a day's loss,
        the multiple after a fall.  Each is drawn by replication and asset, uniformly.
    rng : Generator
        Source of the scaling's draws.
    coverage : float
        Share of the replications inside the interval.

    Returns
    -------
    DataFrame, index asset and horizon
        sampling_low, sampling_high: of the bootstrap alone; low, high: with the scaling.  NaN
        where an asset has no forecast; assets that follow none of `drawn` are left out.
    """
    there = followed[parts.index.get_level_values("asset")].isin(drawn.long_run.columns)
    kept = _kept(parts[there.to_numpy()])
    source = followed[kept.index.get_level_values("asset")].to_numpy()
    horizons = kept.index.get_level_values("horizon")
    at = estimates.loc[list(zip(source, horizons, strict=True))]
    moved = {
        "forecast": drawn.forecast[source].to_numpy(),
        "long_run": drawn.long_run[source].to_numpy(),
        "stressed": np.ones((len(drawn.long_run), len(kept))),
    }
    spans = [(scaling or {}).get(horizon, ()) for horizon in horizons]
    factor = np.column_stack([_factor(each, len(drawn.long_run), rng) for each in spans])
    ends = []
    for scale in (1.0, factor):
        made = [
            pd.DataFrame(_haircut(scale * relative * at[name].to_numpy(), kept.to_numpy()))
            for name, relative in moved.items()
        ]
        posted = post(*(frame.set_axis(kept.index, axis=1) for frame in made))
        ends += _ends(posted.to_numpy(), coverage).tolist()
    columns = ["sampling_low", "sampling_high", "low", "high"]
    return pd.DataFrame(dict(zip(columns, ends, strict=True)), kept.index)


def pegged_intervals(parts: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The same for stablecoins, whose interval is that of the hazard of a break.

    Parameters
    ----------
    parts : DataFrame
        As for `intervals`.
    table : DataFrame
        Rows of `pegged_table`, one for each asset and horizon: without the suspect prints or with.
    """
    rows = table.set_index(["asset", "horizon"])
    kept = _kept(parts[parts.index.isin(rows.index)])
    ends = {end: _haircut(rows.loc[kept.index, f"market_{end}"], kept) for end in ("low", "high")}
    return pd.DataFrame(
        {f"{layer}{end}": value for layer in ("sampling_", "") for end, value in ends.items()}
    )


def _kept(parts: pd.DataFrame) -> pd.Series:
    return (1.0 - check_parts(parts.assign(market=0.0))).prod(axis=1)


def _haircut(loss: np.ndarray | pd.Series, kept: np.ndarray | pd.Series) -> np.ndarray | pd.Series:
    return 1.0 - (1.0 - np.minimum(loss, 1.0)) * kept


def _factor(
    spans: Sequence[Span], replications: int, rng: np.random.Generator | None
) -> np.ndarray:
    factor = np.ones(replications)
    for span in spans:
        if rng is None:
            raise ParameterError("scaling is drawn at random; give rng")
        factor *= rng.uniform(span.low, span.high, replications) / span.mean
    return factor


def _ends(haircuts: np.ndarray, coverage: float) -> np.ndarray:
    found = np.full((2, haircuts.shape[1]), np.nan)
    for c, column in enumerate(haircuts.T):
        known = column[np.isfinite(column)]
        if known.size:
            found[:, c] = resampling.interval(known, coverage)
    return found
