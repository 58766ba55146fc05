"""Value at risk and expected shortfall forecasts of what a close-out can lose, by date.

A forecast stamped t uses bars up to t.  Longer horizons are never a square root of time: methods
that have a process simulate it, the others look at h-bar losses (overlapping windows).

The two losses are defined in `losses`, VaR and ES in `shortfall`, the methods in `methods`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.tail import portfolio
from xcoll.estimators.tail.copula import Dependence
from xcoll.estimators.tail.inputs import frames
from xcoll.estimators.tail.laws import NONE, NOTES
from xcoll.estimators.tail.losses import LOSSES, realised_losses
from xcoll.estimators.tail.methods import METHODS
from xcoll.estimators.tail.simulation import Recursion
from xcoll.estimators.tail.task import Figures, Task
from xcoll.estimators.volatility import ewma

__all__ = ["COLUMNS", "forecasts", "scenarios", "walk_forward"]

COLUMNS = [
    "time", "asset", "method", "loss", "confidence", "bars", "var", "es", "beyond", "error", "note",
]  # fmt: skip


def scenarios(
    log_returns: pd.DataFrame,
    bars: int = 1,
    method: str = "historical",
    loss: str = "close_out",
    *,
    volatility: pd.DataFrame | None = None,
    low: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Losses that the past holds for a position taken at the last bar, one row a scenario.

    `historical` gives the h-bar losses as they were; `fhs` (one bar only, `simulate` for more)
    each bar's loss at today's forecast σ instead of its own.  Rows carry the time at which they
    were realised; columns are assets, NaN where a bar or its σ is unknown, and for `fhs` where
    the asset has no σ today.
    """
    given = frames(log_returns, volatility, low)
    bars = checks.whole("bars", bars)
    kind = LOSSES[checks.one_of("loss", loss, LOSSES)]
    if checks.one_of("method", method, ("fhs", "historical")) == "historical":
        return kind.realised(given.log_returns, given.low, bars).shift(bars)
    if bars > 1:
        raise ParameterError("filtered scenarios are for one bar; use simulate for longer ones")
    score = kind.one_bar(given.log_returns, given.low) / given.volatility.shift(1)
    return -np.expm1(score * given.volatility.iloc[-1])


def walk_forward(
    log_returns: pd.DataFrame,
    window: int,
    confidence: float | Sequence[float] = 0.99,
    bars: int = 1,
    method: str = "fhs",
    loss: str = "close_out",
    *,
    volatility: pd.DataFrame | None = None,
    low: pd.DataFrame | None = None,
    weights: pd.Series | None = None,
    dependence: Dependence | None = None,
    rng: np.random.Generator | None = None,
    paths: int = 2000,
    recursion: Recursion | None = None,
) -> pd.DataFrame:
    """VaR and ES forecasts, stamped t for the bars t+1 … t+h, from the last `window` bars.

    Parameters
    ----------
    log_returns : time × asset; NaN before listing and after delisting.
    window : bars that a forecast looks back on (h-bar losses for `historical`, `age_weighted`).
    confidence : one level or several, fractions.
    bars : horizon h.  Above one, every method but `historical` and `age_weighted` simulates, at
        every h-th bar only, `paths` paths from `rng`.
    method : one of `METHODS`; see `methods` for what each is.
    loss : `close_out`, the worst print on the way, or `end`.
    volatility : forecast σ stamped t for t+1; exponentially weighted, decay 0.94, where not given.
    low : log excursions `ln(L_t / P_{t-1}) <= 0`; closes are taken for lows where not given.
    weights : by asset, fractions of the account, negative where the asset is owed: adds rows of the
        portfolio, under the weights' name or "portfolio".  `historical`, `age_weighted`, `fhs`,
        `volatility_weighted` and `dcc_t` weight the assets' losses of one scenario; the others
        know one series and take the portfolio's own, rebalanced every bar, with its own
        exponentially weighted σ.
    dependence : correlation path, for `dcc_t`.
    recursion : how σ answers to simulated returns; EWMA 0.94 where not given.

    Returns
    -------
    Long frame of `COLUMNS`: beyond says how many losses of the window lie beyond the level (under
    `FEW` the tail rests on too few), error is the Monte Carlo standard error of the ES, NaN where
    nothing is simulated; note is empty, "moved into the domain" (`cornish_fisher`: the moments
    shrunk until the quantile rises everywhere) or "no fit", where var and es are NaN.  An asset
    has no rows until its window is full.

    Raises
    ------
    DataError : frames that differ in times or assets.
    EstimationError : an asset with fewer bars than the window, a hole inside a history, infinities.
    ParameterError : what a method cannot do, with the methods that can.
    """
    levels = tuple(checks.fraction("confidence", c) for c in np.atleast_1d(confidence).tolist())
    window = checks.whole("window", window, least=2)
    bars, paths = checks.whole("bars", bars), checks.whole("paths", paths, least=2)
    chosen = METHODS[checks.one_of("method", method, METHODS)]
    checks.one_of("loss", loss, LOSSES)
    given = frames(log_returns, volatility, low, scaled=chosen.simulates)
    realised = realised_losses(given.log_returns, given.low, bars, loss).shift(bars)
    _long_enough(realised, window)
    held, series = None, None
    if weights is not None:
        held = portfolio.aligned(weights, given.log_returns.columns)
        lost = portfolio.portfolio_losses(given.log_returns, given.low, held, bars, loss)
        realised = realised.assign(**{str(held.name): lost.shift(bars)})
    if weights is not None and chosen.univariate:
        own, worst = portfolio.own_series(given.log_returns, given.low, held)
        series = own, ewma(own.to_frame()).iloc[:, 0], worst
    smooth = ewma(given.log_returns) if method == "volatility_weighted" else given.volatility
    task = Task(
        names=tuple(map(str, given.log_returns.columns)),
        realised=realised.to_numpy(),
        log_returns=given.log_returns.to_numpy(),
        volatility=given.volatility.to_numpy(),
        smooth=smooth.to_numpy(),
        low=given.low.to_numpy(),
        series=None if series is None else tuple(column.to_numpy() for column in series),
        weights=None if held is None else held.to_numpy(),
        window=window,
        levels=levels,
        bars=bars,
        loss=loss,
        rng=rng,
        paths=paths,
        recursion=Recursion.ewma() if recursion is None else recursion,
        dependence=None if dependence is None else dependence.on(given.log_returns),
    )
    beyond = [chosen.beyond(window, level) for level in levels]
    labels = {"method": method, "loss": loss, "bars": bars}
    return _long(chosen.run(task), realised, levels, beyond, labels)


def forecasts(
    log_returns: pd.DataFrame,
    window: int,
    confidence: float | Sequence[float] = 0.99,
    bars: Sequence[int] = (1,),
    methods: Sequence[str] | None = None,
    losses: Sequence[str] | None = None,
    *,
    volatility: pd.DataFrame | None = None,
    low: pd.DataFrame | None = None,
    weights: pd.Series | None = None,
    dependence: Dependence | None = None,
    rng: np.random.Generator | None = None,
    paths: int = 2000,
    recursion: Recursion | None = None,
) -> pd.DataFrame:
    """`walk_forward` of several methods, losses and horizons, with what happened then.

    Parameters
    ----------
    methods : all of `METHODS` where not given, `dcc_t` only with `dependence`.
    losses : both where not given.

    Returns
    -------
    The long frame of `walk_forward` and a column `realised`: the loss that followed, NaN where it
    is not known yet.
    """
    if methods is None:
        methods = [name for name in METHODS if name != "dcc_t" or dependence is not None]
    given = frames(log_returns, volatility, low)
    tables = []
    for horizon in dict.fromkeys(bars):
        for loss in LOSSES if losses is None else losses:
            followed = realised_losses(given.log_returns, given.low, horizon, loss)
            if weights is not None:
                own = portfolio.portfolio_losses(
                    given.log_returns, given.low, weights, horizon, loss
                )
                followed[own.name] = own
            for method in methods:
                found = walk_forward(
                    given.log_returns, window, confidence, horizon, method, loss,
                    volatility=given.volatility, low=given.low, weights=weights,
                    dependence=dependence, rng=rng, paths=paths, recursion=recursion,
                )  # fmt: skip
                row = followed.index.get_indexer(found["time"])
                column = followed.columns.get_indexer(found["asset"])
                tables.append(found.assign(realised=followed.to_numpy()[row, column]))
    return pd.concat(tables, ignore_index=True)


def _long_enough(realised: pd.DataFrame, window: int) -> None:
    for asset, count in realised.notna().sum().items():
        if count < window:
            raise EstimationError(
                f"{asset} has {count} losses, the window needs {window}; "
                "shorten the window or leave the asset out"
            )


def _long(
    found: Figures,
    like: pd.DataFrame,
    levels: Sequence[float],
    beyond: Sequence[float],
    labels: dict[str, str | int],
) -> pd.DataFrame:
    """Rows of all levels, one after the other."""
    level, row, column = np.nonzero(np.isfinite(found.es) | (found.note == NONE))
    columns = labels | {
        "time": like.index[row],
        "asset": like.columns[column],
        "confidence": np.array(levels)[level],
        "var": found.var[level, row, column],
        "es": found.es[level, row, column],
        "beyond": np.array(beyond)[level],
        "error": found.error[level, row, column],
        "note": pd.Index(NOTES)[found.note[row, column]],
    }
    return pd.DataFrame({name: columns[name] for name in COLUMNS})
