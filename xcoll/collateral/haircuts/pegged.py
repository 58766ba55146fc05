"""The market part of a stablecoin: it loses by breaking its peg, not by its volatility.

    loss = a recorded depth with chance q = 1 − exp(−λ·h), an ordinary loss with 1 − q

λ is pooled over fiat-backed coins: breaks recorded from a date to the last bar, over the years
that the coins were watched.  Ordinary losses are those of a day, a share of it under a day.
Prints that are marked as suspect are no losses, unless `suspects` asks what they would change: then
they are ordinary losses, and a suspect span under the peg is a break.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.collateral.universe import Universe
from xcoll.errors import ParameterError
from xcoll.estimators import tail
from xcoll.estimators.tail import depeg

__all__ = ["SINCE", "breaks", "pegged", "pegged_table"]

SINCE = "2018-10-01"  # both bundled stablecoins traded from then on


def pegged(
    history: History,
    universe: Universe,
    of: Tail,
    horizons: Sequence[str],
    since: str = SINCE,
    suspects: bool = False,
) -> pd.DataFrame:
    """Market part of every asset of `history`, all pegged, as known at its last bar.

    Parameters
    ----------
    history : History
        Pegged assets only.
    universe : Universe
        Recorded breaks, suspect prints, the share of a day's loss at each horizon.
    of : Tail
        Which figure.
    horizons : sequence of str
        Durations; one under a day needs a measured share.
    since : str
        Breaks and years count from here, a date.
    suspects : bool
        Whether suspect prints count, as losses and as breaks.

    Returns
    -------
    DataFrame
        asset × horizon, fractions.

    Raises
    ------
    ParameterError
        An asset without a peg, or a last bar before `since`.
    EstimationError
        No break was recorded by the last bar.
    """
    model = breaks(history, universe, since, suspects)
    losses = _ordinary(history, universe, of, suspects)
    return _figures(losses, universe, of, horizons, model, model.hazard)


def pegged_table(
    history: History,
    universe: Universe,
    of: Tail,
    horizons: Sequence[str],
    since: str = SINCE,
) -> pd.DataFrame:
    """`pegged` without and with the suspect prints, and its interval, that of the hazard.

    Returns
    -------
    DataFrame
        asset, horizon, suspects, market, market_low, market_high (at the ends of the 90 % Poisson
        interval of the hazard), events, years (asset-years watched), hazard, hazard_low,
        hazard_high (a year).
    """
    index = pd.MultiIndex.from_product([history.assets, horizons], names=["asset", "horizon"])
    tables = []
    for suspects in (False, True):
        model = breaks(history, universe, since, suspects)
        losses = _ordinary(history, universe, of, suspects)
        hazards = {"": model.hazard, "_low": model.low, "_high": model.high}
        ends = {
            f"market{end}": _figures(losses, universe, of, horizons, model, hazard)
            for end, hazard in hazards.items()
        }
        made = pd.DataFrame({name: wide.to_numpy().ravel() for name, wide in ends.items()}, index)
        made.insert(0, "suspects", suspects)
        made = made.assign(events=len(model.depths), years=model.years)
        tables.append(made.assign(**{f"hazard{end}": value for end, value in hazards.items()}))
    return pd.concat(tables).reset_index()


def breaks(
    history: History, universe: Universe, since: str = SINCE, suspects: bool = False
) -> depeg.Depeg:
    """Hazard and depths of fiat-backed coins' breaks from `since` to the last bar of `history`.

    Pooled over the assets of `history` and every coin that has a recorded break; each is watched
    from `since`, or from when its contract was deployed.  A coin outside the history is here
    because it broke: that errs on the safe side.
    """
    start, now = pd.Timestamp(since), history.now
    if now <= start:
        raise ParameterError(f"since is {since}, the last bar {now:%Y-%m-%d}; count from earlier")
    events = depeg.recorded(universe.depegs, start, now)
    depths, years = [1.0 - event.low for event in events], 0.0
    for asset in dict.fromkeys([*history.assets, *(event.token for event in events)]):
        fact, first = universe.assets.get(asset), start
        if asset in history.assets and (fact is None or fact.peg is None):
            raise ParameterError(f"{asset} has no peg in the universe; take market.forecast for it")
        if fact is not None and fact.contract is not None:
            first = max(start, pd.Timestamp(fact.contract.deployed))
        years += max(now - first, pd.Timedelta(0)) / depeg.YEAR
    if suspects:
        for asset in history.assets:
            depths += _suspect_depths(history, universe, asset, start)
    return depeg.fit(depths, years)


def _suspect_depths(
    history: History, universe: Universe, asset: str, start: pd.Timestamp
) -> list[float]:
    # Returns know no level: a pegged asset's usual price is its peg, and the median says where.
    path = history.log_returns[asset].dropna().cumsum()
    under = -np.expm1(path - path.median()).loc[start:]
    spans = universe.assets[asset].suspect
    worst = [under.loc[pd.Timestamp(s.first) : pd.Timestamp(s.last)].max() for s in spans]
    return [depth for depth in worst if depth >= universe.quality.depeg]


def _ordinary(history: History, universe: Universe, of: Tail, suspects: bool) -> list[pd.DataFrame]:
    returns = history.log_returns
    if not suspects:
        doubts = {asset: universe.assets[asset].suspect for asset in history.assets}
        returns = depeg.without(returns, doubts)
    believed = [low.where(returns.notna()) for low in history.lows]
    return [tail.realised_losses(returns, low, history.day, of.loss) for low in believed]


def _figures(
    losses: list[pd.DataFrame],
    universe: Universe,
    of: Tail,
    horizons: Sequence[str],
    model: depeg.Depeg,
    hazard: float,
) -> pd.DataFrame:
    shares = {horizon: universe.intraday.share(horizon) for horizon in horizons}
    which = ("var", "es").index(of.measure)
    draws = [
        [
            [
                depeg.var_es(model, h, of.confidence, share * day.dropna(), hazard)[which]
                for h, share in shares.items()
            ]
            for _, day in lost.items()
        ]
        for lost in losses
    ]
    assets = losses[0].columns.rename("asset")
    return pd.DataFrame(np.mean(draws, axis=0), assets, list(horizons))
