"""Health from the haircut of an account's own basket, ``HF = C(1 − H_basket)/D``.

Protocols add the thresholds of the single assets, as if all fell to their worst together.  Here the
joint falls of the past, at the volatility known at the time, say what an account's legs lose
together (filtered historical simulation, Barone-Adesi, Giannopoulos and Vosper 1999):

    benefit = 1 − ES_basket / Σ |w_i|·ES_i        recognised = offset · benefit
    charge_i = m_i·(1 − recognised)                m_i: the market part of the asset's haircut
    scale = (Σ c_i·κ_i·(1 − charge_i) − Σ d_j·charge_j·κ) / Σ c_i·LT_i       κ_i = LT_i/(1 − m_i)

over legs that are held, c_i, and volatile legs that are owed, d_j, as shares of the collateral; κ
of the sum is the average over what is held.  A debt that moves is charged for its rise, which one
threshold an asset leaves out.  The offset is that of EMIR RTS 153/2013, article 27(4).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.accounts import Book
from xcoll.collateral.baskets.haircut import OFFSET
from xcoll.errors import EstimationError
from xcoll.estimators.tail.shortfall import depth, measure, worst

__all__ = ["Diversified"]


@dataclass(frozen=True)
class Diversified:
    """Scales the thresholds of accounts to their baskets; see `cohorts.Baskets`.

    Attributes
    ----------
    returns, low : time × asset log returns and log lows over the last close.
    volatility : time × asset, σ of the next bar.
    thresholds, market : LT and the market part of the haircut, by asset.
    drawn : borrowers draw against the scaled thresholds; otherwise they owe what they would owe.
    confidence : of the ES.
    bars : joint bars drawn on, the last ones before a date, and the fewest that will do.
    offset : share of the benefit that counts.
    """

    returns: pd.DataFrame
    low: pd.DataFrame
    volatility: pd.DataFrame
    thresholds: pd.Series
    market: pd.Series
    drawn: bool = False
    confidence: float = 0.99
    bars: tuple[int, int] = (750, 250)
    offset: float = OFFSET

    def __post_init__(self) -> None:
        checks.fraction("confidence", self.confidence)
        checks.fraction("offset", self.offset, closed=True)

    def first(self) -> pd.Timestamp:
        """The time from which on enough joint bars are known.

        Raises
        ------
        EstimationError
            They are too few at the end.
        """
        sigma = self.volatility[self.market.index]
        bars = (self.returns[sigma.columns] / sigma.shift(1)).notna().cumsum()
        enough = bars.reindex(sigma.index).where(sigma.notna()).min(axis=1) >= self.bars[1]
        if not enough.iloc[-1]:
            raise EstimationError(
                f"fewer than {self.bars[1]} joint bars by {enough.index[-1]:%Y-%m-%d}; give a "
                "longer history, or leave the youngest asset out"
            )
        few = np.flatnonzero(~enough)
        return enough.index[few[-1] + 1 if few.size else 0]

    def scenarios(self, assets: list[str], time: pd.Timestamp) -> np.ndarray:
        """Losses of a dollar of each asset, points × scenarios × assets, as known at `time`.

        The points are the low and the close of a bar.  An asset that is not in the data, or not
        yet, does not move.

        Raises
        ------
        EstimationError
            Fewer joint bars than the least number, or a time without forecasts.
        """
        if time not in self.volatility.index:
            raise EstimationError(f"no volatility at {time}; take a time of the forecasts")
        known = [asset for asset in assets if asset in self.market.index]
        sigma = self.volatility.loc[time, known]
        alive = sigma.index[sigma.notna()]
        score = self.returns[alive] / self.volatility[alive].shift(1)
        low = self.low[alive] / self.volatility[alive].shift(1)
        past = score.loc[:time].dropna().iloc[-self.bars[0] :]
        if len(past) < self.bars[1]:
            raise EstimationError(
                f"{len(past)} joint bars of {', '.join(alive)} by {time:%Y-%m-%d}; "
                f"{self.bars[1]} are needed: begin later, or leave the youngest asset out"
            )
        lows = low.loc[past.index].fillna(past.clip(upper=0.0))
        moves = np.zeros((2, len(past), len(assets)))
        column = [assets.index(asset) for asset in alive]
        scale = sigma[alive].to_numpy()
        moves[0][:, column] = lows.to_numpy() * scale
        moves[1][:, column] = past.to_numpy() * scale
        return -np.expm1(moves)

    def scale(self, book: Book, time: pd.Timestamp) -> np.ndarray:
        """Multiplier of the thresholds by account, as known at `time`; never below zero."""
        worth = book.collateral.sum(axis=1, keepdims=True)
        held = book.collateral / np.where(worth > 0, worth, 1.0)
        lt = self.thresholds.reindex(book.assets).fillna(0.0).to_numpy(dtype=float)
        m = self.market.reindex(book.assets).fillna(0.0).to_numpy(dtype=float)
        owed = np.where(m > 0, book.debt / np.where(worth > 0, worth, 1.0), 0.0)
        losses = self.scenarios(book.assets, time)
        net = held - owed
        together = _worst(np.maximum(net @ losses[0].T, net @ losses[1].T), self.confidence)
        falls = _worst(losses.max(axis=0).T, self.confidence)
        rises = _worst(-losses[1].T, self.confidence)
        apart = held @ falls + owed @ np.maximum(rises, 0.0)
        benefit = np.clip(1.0 - together / np.where(apart > 0, apart, 1.0), 0.0, 1.0)
        counts = 1.0 - self.offset * np.where(apart > 0, benefit, 0.0)
        kept = np.divide(lt, 1.0 - m, out=np.zeros_like(lt), where=m < 1)
        secured = held @ lt
        basket = held @ kept - counts * (held @ (kept * m))
        basket -= counts * (owed @ m) * (held @ kept)
        scale = np.divide(basket, secured, out=np.ones(len(book)), where=secured > 0)
        return np.maximum(scale, 0.0)


def _worst(losses: np.ndarray, confidence: float) -> np.ndarray:
    """ES of each row."""
    n = losses.shape[1]
    return measure(worst(losses, depth(n, confidence)), n, confidence)[1]
