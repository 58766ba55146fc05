"""Thresholds LT_ij against a debt that moves: the ratio of the two prices is what is calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.collateral.thresholds.closure import threshold
from xcoll.errors import DataError, ParameterError
from xcoll.estimators import tail, volatility
from xcoll.estimators.tail import excursion
from xcoll.market.returns import log_returns

__all__ = ["Bars", "debt_pairs", "market_parts", "ratio_shortfall", "unpriced"]


@dataclass(frozen=True)
class Bars:
    """Prices as far as they are known.

    Attributes
    ----------
    close, low, high : DataFrame
        time × asset prices, NaN where unknown; lows and highs of the donor at least.
    sigma : DataFrame
        time × asset forecast volatility of the next bar.
    donor : str
        Asset that lends its lows and highs.
    pegged : sequence of str
        Assets with a peg.
    """

    close: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame
    sigma: pd.DataFrame
    donor: str
    pegged: Sequence[str]

    @property
    def falls(self) -> excursion.Donor:
        """What the donor lends."""
        return self._lent(self.close, self.low)

    @property
    def rises(self) -> excursion.Donor:
        """Its mirror, the falls of the inverse price: what a debt that rises does."""
        return self._lent(1.0 / self.close, 1.0 / self.high)

    def _lent(self, close: pd.DataFrame, low: pd.DataFrame) -> excursion.Donor:
        name = self.donor
        returns = log_returns(close[[name]])[name]
        known = excursion.log_low(low[[name]], close[[name]])[name]
        return excursion.Donor(name, returns, self.sigma[name], known)


def ratio_shortfall(
    history: Bars, debt: str, bars: int, confidence: float, rng: np.random.Generator
) -> pd.Series:
    """ES over all bars of the close-out loss of each collateral in units of a debt, ``P_i / P_j``.

    The ratio's low inside a bar is modelled: the donor's excess in units of the ratio's own EWMA
    volatility, matched draws corrected.  A pegged collateral loses against the debt when the debt
    rises, so it takes the donor's rises.

    Parameters
    ----------
    history : Bars
        Prices of the collaterals, the debt among them.
    debt : str
        Asset owed.
    bars : int
        Horizon.
    confidence : float
        Level of the ES.
    rng : Generator
        Source of the matched draws.

    Returns
    -------
    Series
        By collateral, without the debt itself.

    Raises
    ------
    DataError
        The debt has no prices.
    """
    if debt not in history.close:
        raise DataError(f"the debt {debt} has no prices; leave it out, or add its column")
    returns = log_returns(history.close)
    ratio = returns.sub(returns[debt], axis=0).drop(columns=debt)
    sigma = volatility.ewma(ratio)
    still = ratio.columns.isin(list(history.pegged))
    low = [
        excursion.corrected(
            excursion.excursions(ratio.loc[:, side], sigma.loc[:, side], None, donor, rng=rng)
        )
        for donor, side in ((history.falls, ~still), (history.rises, still))
    ]
    losses = tail.close_out_losses(ratio, pd.concat(low, axis=1)[ratio.columns], bars)
    return losses.apply(lambda loss: tail.historical(loss.dropna(), confidence).es)


def market_parts(
    history: Bars,
    debts: Sequence[str],
    share: pd.Series,
    bars: int,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """`ratio_shortfall` of every debt, times each collateral's intraday `share`; one stream a debt.

    Returns
    -------
    DataFrame
        collateral × debt; NaN where both are the same.
    """
    streams = rng.spawn(len(debts))
    found = {
        debt: share * ratio_shortfall(history, debt, bars, confidence, stream)
        for debt, stream in zip(debts, streams, strict=True)
    }
    return pd.DataFrame(found, index=history.close.columns)


def debt_pairs(
    market: pd.DataFrame, other: pd.DataFrame, bonus: pd.Series, dollar: pd.DataFrame
) -> pd.DataFrame:
    """Thresholds LT_ij of collateral i against debt j, where both feeds may be stale.

    Parameters
    ----------
    market : DataFrame
        collateral × debt: market part of the ratio of their prices; NaN where both are the same.
    other : DataFrame
        Parts besides the market, by asset.
    bonus : Series
        LB by asset.
    dollar : DataFrame
        Parts against a dollar by asset, on the same horizon and kind of loss.

    Returns
    -------
    DataFrame
        collateral × debt with ``USD`` first, unrounded, highest first; NaN stays.

    Raises
    ------
    ParameterError
        A debt without its oracle part.
    """
    missing = market.columns.difference(other.index)
    if len(missing):
        raise ParameterError(f"no parts of the debt {missing[0]}; its stale price is one of them")
    found = {"USD": threshold(dollar.loc[market.index], bonus)}
    for debt in market:
        part = market[debt].dropna()
        parts = other.loc[part.index]
        stale = 1.0 - (1.0 - parts["oracle"]) * (1.0 - other.loc[debt, "oracle"])
        found[debt] = threshold(parts.assign(market=part, oracle=stale), bonus)
    pairs = pd.DataFrame(found, index=market.index).rename_axis("asset")
    return pairs.sort_values("USD", ascending=False)


def unpriced(levels: pd.DataFrame) -> pd.DataFrame:
    """What a venue that knows one threshold an asset leaves unpriced against a volatile debt.

    Parameters
    ----------
    levels : DataFrame
        collateral × debt thresholds with ``USD`` among the debts (`debt_pairs`); NaN pairs are
        left out.

    Returns
    -------
    DataFrame
        Rows: asset, debt, alone (LT_i, against a dollar), pair (LT_ij), difference (LT_ij − LT_i:
        negative where one threshold is too high), uncovered (``max(0, 1 − LT_ij / LT_i)``, the
        share of a debt at LT_i that a close-out as bad as the calibrated one does not repay once
        the keeper has the bonus); worst first.
    """
    if "USD" not in levels:
        raise ParameterError("levels have no column USD; give what `debt_pairs` returns")
    rows = levels.drop(columns="USD").melt(ignore_index=False, var_name="debt", value_name="pair")
    rows = rows.dropna(subset="pair").rename_axis("asset").reset_index()
    rows.insert(2, "alone", levels["USD"].loc[rows["asset"]].to_numpy())
    rows["difference"] = rows["pair"] - rows["alone"]
    rows["uncovered"] = (1.0 - rows["pair"] / rows["alone"]).clip(lower=0.0)
    return rows.sort_values("difference", kind="stable", ignore_index=True)
