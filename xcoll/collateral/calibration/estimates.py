"""What prices say at one date: everything of a calibration that is estimated and not looked up.

`at` looks at the whole of its history, so that a date is a cut of it (`History.until`); `walk` is
`at` for many dates.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.haircuts import market
from xcoll.collateral.haircuts.market import figures, losses
from xcoll.collateral.haircuts.pegged import pegged
from xcoll.collateral.history import History
from xcoll.collateral.liquidity import HORIZONS
from xcoll.collateral.recalibration.tools import Targets
from xcoll.collateral.universe import Universe
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.tail import Dependence, Recursion, drawn_losses
from xcoll.market.returns import bars_in

__all__ = ["PATHS", "at", "excursion_quantile", "market_targets", "multiples", "walk", "weekly"]

PATHS = 2000  # joint paths a date
WEEK = pd.Timedelta("7D")
BAD_DAY = 0.95  # quantile of the forecast volatility that a sale on a bad day meets


def at(
    history: History,
    universe: Universe,
    policy: Policy,
    multiples: pd.DataFrame,
    rng: np.random.Generator,
    dependence: Dependence | None = None,
) -> pd.DataFrame:
    """The losses that a calibration at the last bar of `history` rests on.

    Parameters
    ----------
    history : History
        What is known; assets that do not trade at the last bar are left out.
    universe : Universe
        Says which assets have a peg and how losses scale inside a day.
    policy : Policy
        Which figure, by which method, over which periods.
    multiples : DataFrame
        Index horizon, columns forecast and long_run: the loss after a fall over the loss on all
        bars.  A fall does not set a peg off: pegged assets take none.
    rng : Generator
        Source of the joint paths.
    dependence : Dependence, optional
        For the method ``dcc_t``; its path is cut to what is known, its parameters are given.

    Returns
    -------
    DataFrame, index asset and horizon
        forecast, long_run, stressed: the market's loss over the horizon by the method at today's
        volatility, over all bars and over the worst year; scaled: from a day, the horizon being
        under a bar; week: excursion over the closure period that a share of `closure_probability`
        exceeds, the larger of simulated and past; bad_day: volatility of a bad day; bars:
        returns known; beyond: losses of the look-back beyond the level.
    """
    known = history.of(history.trading)
    moving = known.of([asset for asset in known.assets if asset not in universe.stablecoins])
    table = _losses(moving, universe, policy, multiples, rng, dependence)
    still = [asset for asset in known.assets if asset in universe.stablecoins]
    if still:
        coins = known.of(still).first_draw()  # a peg takes no donor
        jump = pegged(coins, universe, policy.tail, HORIZONS).to_numpy().ravel()
        table = pd.concat([table, pd.DataFrame(dict.fromkeys(table, jump), _rows(still))])
    bars = known.log_returns.notna().sum()
    alone = pd.DataFrame(
        {
            "week": excursion_quantile(known, policy, rng),
            "bad_day": known.volatility.quantile(BAD_DAY) * known.day**0.5,
            "bars": bars,
            "beyond": bars.clip(upper=bars_in(policy.window, known.bar))
            * (1.0 - policy.tail.confidence),
        }
    )
    under = [pd.Timedelta(horizon) < known.bar for horizon in HORIZONS]
    table["scaled"] = np.tile(under, len(table) // len(HORIZONS))
    place = alone.index.get_indexer(table.index.get_level_values("asset"))
    for name, values in alone.items():
        table[name] = values.to_numpy()[place]
    return table


def multiples(universe: Universe, trigger: pd.DataFrame, bar: pd.Timedelta) -> pd.DataFrame:
    """Loss after a fall over the loss on all bars, by horizon.

    Parameters
    ----------
    universe : Universe
        Has the multiples under a bar, measured on shorter bars elsewhere.
    trigger : DataFrame
        Columns scale ("forecast", "long run") and multiplier: those of a bar and more
        (`tail.triggers`).
    bar : Timedelta
        Length of a bar.

    Returns
    -------
    DataFrame
        Index horizon, columns forecast and long_run.
    """
    own = trigger.set_index("scale")["multiplier"]
    rows = {}
    for horizon in HORIZONS:
        if pd.Timedelta(horizon) < bar:
            mean = universe.intraday.multiple(horizon).mean
            rows[horizon] = {"forecast": mean, "long_run": mean}
        else:
            rows[horizon] = {"forecast": own["forecast"], "long_run": own["long run"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("horizon")


def _rows(assets: list[str]) -> pd.MultiIndex:
    return pd.MultiIndex.from_product([assets, HORIZONS], names=["asset", "horizon"])


def _losses(
    moving: History,
    universe: Universe,
    policy: Policy,
    multiples: pd.DataFrame,
    rng: np.random.Generator,
    dependence: Dependence | None = None,
) -> pd.DataFrame:
    past = moving
    if policy.look_back is not None:
        past = moving.since(moving.now - pd.Timedelta(policy.look_back))
    shares = {horizon: universe.intraday.share(horizon) for horizon in HORIZONS}
    of, method = policy.tail, (policy.method, policy.window)
    estimates: dict[str, Callable[[int], pd.Series]] = {
        "forecast": lambda bars: market.forecast(
            moving, of, *method, bars, rng=rng, dependence=dependence
        ),
        "long_run": lambda bars: market.long_run(past, of, bars),
        "stressed": lambda bars: market.stressed(past, of, bars),
    }
    rule, found = market.FALLS[policy.falls], {}
    for name, estimate in estimates.items():
        kind = "forecast" if name == "forecast" else "long_run"
        fall = [rule(multiples.loc[horizon, kind]) for horizon in HORIZONS]
        wide = market.at_horizons(estimate, moving.bar, shares)
        found[name] = np.minimum(wide.to_numpy() * fall, 1.0).ravel()
    return pd.DataFrame(found, _rows(moving.assets))


def excursion_quantile(
    history: History, policy: Policy, rng: np.random.Generator, paths: int = PATHS
) -> pd.Series:
    """Adverse excursion over the closure period that so many borrowers exceed, by asset.

    The larger of what joint filtered paths from today's volatility say and what all periods of the
    past say, so that a calm month does not raise the LTV.  Assets are drawn together with those
    that were listed with them, over all of their past.

    Raises
    ------
    EstimationError
        An asset without a volatility at the last bar, or without a period in the past.
    """
    bars = bars_in(policy.closure_period, history.bar)
    wanted = market.Tail(1.0 - policy.closure_probability, "var", "close_out")
    past = np.mean([figures(lost.to_numpy(), wanted) for lost in losses(history, wanted, bars)], 0)
    sigma = history.volatility.to_numpy()
    if not np.isfinite(sigma[-1]).all() or not np.isfinite(past).all():
        missing = np.array(history.assets)[~(np.isfinite(sigma[-1]) & np.isfinite(past))]
        raise EstimationError(
            f"{', '.join(missing)} has no volatility today, or fewer bars than "
            f"{policy.closure_period}; give it the short-history procedure of new_assets"
        )
    score = history.log_returns.to_numpy()[1:] / sigma[:-1]
    lows = [low.to_numpy()[1:] / sigma[:-1] for low in history.lows]
    starts = np.isfinite(score).argmax(axis=0)
    recursion, ahead = Recursion.ewma(), np.empty(len(history.assets))
    for start in np.unique(starts):
        # every draw of the lows stands for one more stretch of the same bars
        group = np.flatnonzero(starts == start)
        rows = np.tile(score[start:, group], (len(lows), 1))
        low = np.concatenate([x[start:, group] for x in lows])
        picks = rng.integers(0, len(rows), (bars, checks.whole("paths", paths)))
        table = recursion.table(len(group))
        drawn = drawn_losses(rows.T, low.T, picks, sigma[-1, group], table, "close_out")
        ahead[group] = figures(drawn.T, wanted)
    return pd.Series(np.maximum(past, ahead), history.assets, name="week").clip(lower=0.0)


def weekly(history: History, first: str | pd.Timestamp, minimum: str = "180D") -> pd.DatetimeIndex:
    """The last bar of the history and the bars every seven days before it, back to `first`.

    Not before the history has `minimum` behind it.

    Raises
    ------
    ParameterError
        The history ends before `first`, or is shorter than the minimum.
    """
    index, least = history.log_returns.index, bars_in(minimum, history.bar)
    if len(index) <= least:
        raise ParameterError(
            f"the history has {len(index)} bars, a calibration needs {minimum}; give more, or take "
            "the short-history procedure of new_assets"
        )
    start, now = max(pd.Timestamp(first), index[least]), history.now
    if start > now:
        raise ParameterError(f"the history ends at {now}; start the calibration before that")
    dates = pd.date_range(end=now, start=now - (now - start) // WEEK * WEEK, freq=WEEK)
    return dates.intersection(index)


def walk(
    history: History,
    dates: Iterable[pd.Timestamp],
    universe: Universe,
    policy: Policy,
    multiples: pd.DataFrame,
    rng: np.random.Generator,
    minimum: str = "180D",
    dependence: Dependence | None = None,
) -> pd.DataFrame:
    """`at` at each of `dates`, on what was known at its close; index time, asset and horizon.

    An asset joins when it has `minimum` behind it and the method a first forecast of it; before
    that the short-history procedure is the one to ask.  Of an asset that the method never forecasts
    the forecast is NaN throughout.  The share of a day, the multiple after a fall and the facts of
    the universe are of today throughout: they are structure, measured once.

    Raises
    ------
    EstimationError
        No date, or no forecast of an asset after its first.
    """

    def estimate(known: History) -> pd.DataFrame:
        return at(known, universe, policy, multiples, rng, dependence)

    return _joined(_each(history, dates, minimum, estimate), policy.method)


def _each(
    history: History,
    dates: Iterable[pd.Timestamp],
    minimum: str,
    estimate: Callable[[History], pd.DataFrame],
) -> pd.DataFrame:
    # Of what was known at each date, the assets that trade and have the minimum behind them.
    least, found = bars_in(minimum, history.bar), {}
    for time in dates:
        known = history.until(time)
        ready = known.log_returns.notna().sum() >= least
        found[time] = estimate(known.of([asset for asset in known.trading if ready[asset]]))
    if not found:
        raise EstimationError("no date to calibrate at; give one at least")
    return pd.concat(found, names=["time"])


def _joined(table: pd.DataFrame, method: str) -> pd.DataFrame:
    pairs = table["forecast"].notna().groupby(level=["asset", "horizon"])
    joined, never = pairs.cummax(), ~pairs.transform("any")
    holes = table.index[joined & table["forecast"].isna()]
    if len(holes):
        time, asset, horizon = holes[0]
        raise EstimationError(
            f"{method} has no forecast of {asset} over {horizon} on {time}, but one before; name "
            "another method"
        )
    return table[joined | never]


def market_targets(
    history: History,
    dates: Iterable[pd.Timestamp],
    universe: Universe,
    policy: Policy,
    multiples: pd.DataFrame,
    rng: np.random.Generator,
    horizon: str = "24h",
    minimum: str = "180D",
) -> Targets:
    """The market part alone as a path of haircuts, of assets without a peg, at one horizon.

    For what the other parts do not remember and for assets without facts of a market; a third of
    the work of `walk`, from which it differs in nothing else, and in that assets are taken one at a
    time (`Policy.alone`).  `rng` draws where the horizon has several bars.
    """
    moving = history.of([a for a in history.assets if a not in universe.stablecoins])

    def estimate(known: History) -> pd.DataFrame:
        losses = _losses(known, universe, policy.alone, multiples, rng)
        return losses.xs(horizon, level="horizon").rename(columns={"forecast": "raw"})

    return Targets.of(_each(moving, dates, minimum, estimate).reset_index())
