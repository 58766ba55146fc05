"""What the notebooks on derivatives assume, as one states it and the others read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import liquidity
from xcoll.collateral.universe import Universe
from xcoll.errors import DataError
from xcoll.margin import backtest
from xcoll.margin.book import Book
from xcoll.margin.closing import Costs
from xcoll.margin.draws import Basis, Draws, draw
from xcoll.margin.instruments import YEAR
from xcoll.margin.market import Market, Quotes, quote
from xcoll.margin.modelled import Implied
from xcoll.margin.samples import Sample, among, struck
from xcoll.market.prices import bar_length
from xcoll.market.returns import bars_in

__all__ = ["Desk", "Setting"]

PATHS = 5_000  # of several bars; one bar takes every bar of history once
STRIKES = np.arange(50, 165, 5) / 100.0  # over the forward, of the table of smiles


@dataclass(frozen=True)
class Setting:
    """Assumptions on derivatives.

    Attributes
    ----------
    confidence : of the simulated expected shortfall.
    close_out : time that closing takes.
    premium, half_life, skew, smile : of the modelled volatility, see `Implied`.
    carry, funding, rate : of a year.
    carry_moves, premium_moves : of a day, see `Basis`.
    option_spread : half-spread of an option in volatility.
    """

    confidence: float
    close_out: str
    premium: float
    half_life: str
    skew: float
    smile: float
    carry: float
    funding: float
    rate: float
    carry_moves: float
    premium_moves: float
    option_spread: float

    def __post_init__(self) -> None:
        checks.fraction("confidence", self.confidence)
        checks.duration("close_out", self.close_out)
        checks.at_least("option_spread", self.option_spread, 0.0)

    @cached_property
    def implied(self) -> Implied:
        """How volatility is modelled."""
        return Implied(self.premium, self.half_life, self.skew, self.smile)

    @cached_property
    def basis(self) -> Basis:
        """How carry and premium move."""
        return Basis(self.carry_moves, self.premium_moves)

    def history(
        self, returns: pd.DataFrame, volatility: pd.DataFrame, assets: list[str]
    ) -> backtest.History:
        """Returns and forecasts of `assets`; `DataError` names one that has none."""
        lacking = [asset for asset in assets if asset not in returns or asset not in volatility]
        if lacking:
            raise DataError(
                f"no prices of {lacking[0]}, which a book needs; leave the book out of the file"
            )
        return backtest.History.of(returns[assets], volatility[assets])

    def market(self, history: backtest.History, prices: pd.DataFrame, haircut: pd.Series) -> Market:
        """The last bar as a market."""
        last, assets = history.returns.index[-1], list(history.returns.columns)
        years = float(history.bar / YEAR)
        variance, long_run = (
            frame.iloc[-1] ** 2 / years for frame in (history.sigma, history.long_run)
        )
        return Market(
            last,
            prices.loc[last, assets],
            self.implied.surfaces(variance, long_run),
            carry=self.carry,
            funding=pd.Series(self.funding, assets),
            rate=self.rate,
            haircut=haircut.reindex(assets).dropna(),
        )

    def draws(self, history: backtest.History, rng: np.random.Generator) -> Draws:
        """Joint moves over the close-out, from all bars, at the last forecast."""
        bar = bar_length(history.returns.index)
        bars = bars_in(self.close_out, bar)
        return draw(
            history.score,
            history.change,
            history.sigma.iloc[-1],
            history.long_run.iloc[-1],
            bars,
            bar,
            1 if bars == 1 else PATHS,
            rng,
            basis=self.basis,
            implied=self.implied,
        )

    def backtest(self, history: backtest.History) -> backtest.Setting:
        """The same assumptions for the backtest."""
        return backtest.Setting(
            bars=bars_in(self.close_out, bar_length(history.returns.index)),
            implied=self.implied,
            basis=self.basis,
            carry=self.carry,
            funding=self.funding,
        )

    def smiles(self, market: Market) -> pd.DataFrame:
        """asset, days, strike (over the forward), sigma: the surfaces of `market` as a table."""
        rows = []
        for asset, surface in market.surfaces.items():
            for one in surface.smiles:
                sigma = surface.sigma(one.years, np.log(STRIKES))
                days = round(one.years * 365.0, 6)
                rows += [(asset, days, k, s) for k, s in zip(STRIKES, sigma, strict=True)]
        return pd.DataFrame(rows, columns=["asset", "days", "strike", "sigma"])

    def costs(self, universe: Universe, estimates: pd.DataFrame) -> Costs:
        """Costs of closing in the order books of a bad day, as the haircuts have them.

        estimates : rows of 05, of which the latest ``bad_day`` by asset is used.
        """
        latest = estimates.query("time == time.max()").drop_duplicates("asset")
        sigma = latest.set_index("asset")["bad_day"]
        day = max(one.liquidity.date for one in universe.assets.values() if one.liquidity)
        return Costs(points=self.option_spread, impact=liquidity.markets(universe, sigma, day))


@dataclass(frozen=True, eq=False)
class Desk:
    """Sample books in the market of the last bar, as one run has found it.

    Attributes
    ----------
    setting, history : what is assumed, and what is known.
    samples, left_out : books whose assets have prices, and the names of those that have not.
    market, draws : the last bar, and joint moves over the close-out.
    book, quotes : all sample books as accounts, and their instruments in the market.
    """

    setting: Setting
    history: backtest.History
    samples: dict[str, Sample]
    left_out: list[str]
    market: Market
    draws: Draws
    book: Book
    quotes: Quotes

    @property
    def assets(self) -> list[str]:
        """Underlyings of the books."""
        return list(self.history.returns.columns)

    @classmethod
    def of(
        cls,
        read: Callable[[str], Any],
        setting: Setting,
        samples: dict[str, Sample],
        rng: np.random.Generator,
        needed: Sequence[str] = (),
    ) -> Self:
        """From the artifacts ``returns``, ``prices``, ``volatility`` and ``parameters``.

        `read` gives an artifact by its name, such as `Run.read`; books `needed` may not lack.
        """
        returns = read("returns")
        kept, left_out = among(samples, returns, needed)
        assets = sorted({leg.asset for one in kept.values() for leg in one.legs})
        haircut = read("parameters").query("covering").set_index("asset")["haircut"]
        history = setting.history(returns, read("volatility"), assets)
        market = setting.market(history, read("prices"), haircut)
        book = struck(kept, market.time, market.spot)
        quotes = quote(book.instruments, market)
        draws = setting.draws(history, rng)
        return cls(setting, history, kept, left_out, market, draws, book, quotes)
