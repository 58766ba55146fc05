"""Value at risk and expected shortfall forecasts of what a close-out can lose.

A forecast stamped t uses bars up to t.  Longer horizons are never a square root of time: the
historical method looks at h-bar losses (overlapping windows), filtered historical simulation
draws whole standardised bars, returns and lows of all assets together.

The two losses are defined in `losses`, VaR and ES in `shortfall`, the drawing of bars in
`simulation`; their names are here too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from xcoll import checks
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import series
from xcoll.estimators.tail import shortfall
from xcoll.estimators.tail.losses import (
    LOSSES,
    Loss,
    realised_losses,
)
from xcoll.estimators.tail.simulation import Recursion, simulate

__all__ = ["METHODS", "forecasts", "scenarios", "walk_forward"]


def scenarios(
    log_returns: pd.DataFrame,
    volatility: pd.DataFrame,
    low: pd.DataFrame,
    bars: int = 1,
    method: str = "historical",
    loss: str = "close_out",
) -> pd.DataFrame:
    """Losses that the past holds for a position taken at the last bar, one row a scenario.

    `historical` gives the h-bar losses as they were; `fhs` (one bar only, `simulate` for more)
    each bar's loss at today's forecast σ instead of its own.  Rows carry the time at which they
    were realised; columns are assets, NaN where a bar or its σ is unknown, and for `fhs` where
    the asset has no σ today.
    """
    inputs = _inputs(log_returns, volatility, low, bars, loss)
    if checks.one_of("method", method, METHODS) == "historical":
        return inputs.realised
    if inputs.bars > 1:
        raise ParameterError("filtered scenarios are for one bar; use simulate for longer ones")
    return -np.expm1(-inputs.score * volatility.iloc[-1])


def walk_forward(
    log_returns: pd.DataFrame,
    volatility: pd.DataFrame,
    low: pd.DataFrame,
    window: int,
    confidence: float | Sequence[float] = 0.99,
    bars: int = 1,
    method: str = "historical",
    loss: str = "close_out",
    rng: np.random.Generator | None = None,
    paths: int = 2000,
    recursion: Recursion | None = None,
) -> pd.DataFrame:
    """VaR and ES forecasts, stamped t for the bars t+1 … t+h, from the last `window` bars.

    Parameters
    ----------
    log_returns, volatility, low : time × asset; σ stamped t for t+1; log excursions.
    window : bars (`fhs`) or h-bar losses (`historical`) that a forecast looks back on.
    confidence : one level or several, fractions.
    bars : horizon h.
    method : `historical`, or `fhs`.  For h above one `fhs` simulates, at every h-th bar only, and
        needs `rng`; `paths` draws and `recursion` (EWMA 0.94 where not given) are used at each.
    loss : `close_out` or `end`.

    Returns
    -------
    Long frame: time, asset, method, loss, confidence, bars, var, es, beyond (losses of the window
    beyond the level: under `FEW` the ES rests on too few).  An asset has no rows until its window
    is full.

    Raises
    ------
    DataError : frames that differ in times or assets.
    EstimationError : an asset with fewer bars than the window, a hole inside a history, infinities.
    """
    levels = [checks.fraction("confidence", c) for c in np.atleast_1d(confidence).tolist()]
    window = checks.whole("window", window, least=2)
    inputs = _inputs(log_returns, volatility, low, bars, loss)
    if checks.one_of("method", method, METHODS) == "fhs" and inputs.bars > 1:
        worst, size = _simulated(inputs, window, min(levels), rng, paths, recursion)
    else:
        worst, size = METHODS[method](inputs, window, min(levels)), window
    labels = {"method": method, "loss": loss, "bars": inputs.bars}
    frames = [
        _long(*shortfall.measure(worst, size, level), log_returns).assign(
            **labels, confidence=level, beyond=shortfall.beyond(window, level)
        )
        for level in levels
    ]
    return pd.concat(frames, ignore_index=True)[
        ["time", "asset", "method", "loss", "confidence", "bars", "var", "es", "beyond"]
    ]


def forecasts(
    log_returns: pd.DataFrame,
    volatility: pd.DataFrame,
    low: pd.DataFrame,
    window: int,
    confidence: float | Sequence[float] = 0.99,
    bars: Sequence[int] = (1,),
    rng: np.random.Generator | None = None,
    paths: int = 2000,
    recursion: Recursion | None = None,
) -> pd.DataFrame:
    """`walk_forward` of every method, loss and horizon, with what happened then.

    Returns
    -------
    The long frame of `walk_forward` and a column `realised`: the loss that followed, NaN where it
    is not known yet.
    """
    tables = []
    for horizon in dict.fromkeys(bars):
        for loss in LOSSES:
            followed = realised_losses(log_returns, low, horizon, loss).to_numpy()
            for method in METHODS:
                frames = (log_returns, volatility, low)
                found = walk_forward(
                    *frames, window, confidence, horizon, method, loss, rng, paths, recursion
                )
                row = log_returns.index.get_indexer(found["time"])
                column = log_returns.columns.get_indexer(found["asset"])
                tables.append(found.assign(realised=followed[row, column]))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class _Inputs:
    log_returns: pd.DataFrame
    volatility: pd.DataFrame
    low: pd.DataFrame
    bars: int
    loss: Loss

    @property
    def realised(self) -> pd.DataFrame:
        """h-bar losses stamped when they were realised, that is known."""
        return self.loss.realised(self.log_returns, self.low, self.bars).shift(self.bars)

    @property
    def score(self) -> pd.DataFrame:
        """The bar's loss in log units over its own forecast σ, positive for a loss."""
        return -self.loss.one_bar(self.log_returns, self.low) / self.volatility.shift(1)


def _inputs(
    log_returns: pd.DataFrame, volatility: pd.DataFrame, low: pd.DataFrame, bars: int, loss: str
) -> _Inputs:
    series.checked(log_returns)
    for name, frame in {"volatility": volatility, "low": low}.items():
        if not (
            frame.index.equals(log_returns.index) and frame.columns.equals(log_returns.columns)
        ):
            raise DataError(f"{name} and log_returns differ in times or assets; align them")
        for asset, column in frame.items():
            if column.isna().all():
                raise EstimationError(f"{name} of {asset} is missing; leave the asset out")
            stretch = column.loc[column.first_valid_index() : column.last_valid_index()]
            holes = stretch.index[~np.isfinite(stretch)]
            if len(holes):
                raise EstimationError(
                    f"{name} of {asset} is missing or infinite at {holes[0]}, inside its history; "
                    "complete it or leave the asset out"
                )
    if (volatility <= 0.0).to_numpy().any():
        asset = volatility.columns[(volatility <= 0.0).any()][0]
        raise EstimationError(f"volatility of {asset} is zero or negative; leave the asset out")
    kind = LOSSES[checks.one_of("loss", loss, LOSSES)]
    return _Inputs(log_returns, volatility, low, checks.whole("bars", bars), kind)


def _rolling_worst(known: pd.DataFrame, window: int, confidence: float) -> np.ndarray:
    """Worst values of the last `window` rows, time × asset × depth; NaN until a window is full."""
    depth = shortfall.depth(window, confidence)
    worst = np.full((*known.shape, depth), np.nan)
    for a, asset in enumerate(known.columns):
        count = int(known[asset].notna().sum())
        if count < window:
            raise EstimationError(
                f"{asset} has {count} losses, the window needs {window}; "
                "shorten the window or leave the asset out"
            )
        samples = sliding_window_view(known[asset].to_numpy(), window)
        worst[window - 1 :, a] = shortfall.worst(samples, depth)
    return worst


def _historical(inputs: _Inputs, window: int, confidence: float) -> np.ndarray:
    return _rolling_worst(inputs.realised, window, confidence)


def _filtered(inputs: _Inputs, window: int, confidence: float) -> np.ndarray:
    scores = _rolling_worst(inputs.score, window, confidence)
    return -np.expm1(-scores * inputs.volatility.to_numpy()[..., None])


METHODS = {"fhs": _filtered, "historical": _historical}


def _simulated(
    inputs: _Inputs,
    window: int,
    confidence: float,
    rng: np.random.Generator | None,
    paths: int,
    recursion: Recursion | None,
) -> tuple[np.ndarray, int]:
    """Worst simulated losses at every h-th bar, time × asset × depth, and the number of paths."""
    if rng is None:
        raise ParameterError("filtered simulation over several bars draws at random; give rng")
    recursion = Recursion.ewma() if recursion is None else recursion
    previous = inputs.volatility.shift(1)
    score = (inputs.log_returns / previous).to_numpy()
    low_score = (inputs.low / previous).to_numpy()
    sigma = inputs.volatility.to_numpy()
    # The same draws at every date: forecasts differ by their windows, not by their luck.
    draws = rng.integers(0, window, (checks.whole("paths", paths), inputs.bars))
    depth = shortfall.depth(paths, confidence)
    worst = np.full((*score.shape, depth), np.nan)
    for t in range(window - 1, len(score), inputs.bars):
        past = slice(t - window + 1, t + 1)
        known = np.isfinite(low_score[past]).all(axis=0) & np.isfinite(sigma[t])
        drawn = simulate(
            score[past, known], low_score[past, known], sigma[t, known], draws, recursion
        )
        worst[t, known] = shortfall.worst(inputs.loss.of_paths(*drawn).T, depth)
    return worst, paths


def _long(var: np.ndarray, es: np.ndarray, like: pd.DataFrame) -> pd.DataFrame:
    row, column = np.nonzero(np.isfinite(es))
    return pd.DataFrame(
        {
            "time": like.index[row],
            "asset": like.columns[column],
            "var": var[row, column],
            "es": es[row, column],
        }
    )
