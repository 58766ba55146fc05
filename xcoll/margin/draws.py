"""Joint moves of prices, implied volatility and basis over a close-out.

    r = Σ z_b·σ_b      ln σ_{b+1} = ln σ_b + ν_b      both drawn from the same bar b of history

z is a bar's return in units of the volatility forecast for it, ν the change of the volatility that
options are priced at.  A drawn bar brings those of all assets.  Carry and the perpetual's premium
have no history here: their changes are drawn apart, t with four degrees of freedom (assumed).
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError
from xcoll.margin.book import Book
from xcoll.margin.instruments import YEAR
from xcoll.margin.market import Quotes, by_name
from xcoll.margin.modelled import Implied
from xcoll.margin.scenarios import Scenarios

__all__ = ["Basis", "Draws", "Pool", "draw"]

FREEDOM = 4.0  # of the t law of basis moves: heavier tails than the normal, finite variance


@dataclass(frozen=True)
class Basis:
    """Assumed standard deviations of a day: of the yearly carry, and of the perpetual's premium."""

    carry: float = 0.02
    premium: float = 0.001

    def __post_init__(self) -> None:
        checks.at_least("carry", self.carry, 0.0)
        checks.at_least("premium", self.premium, 0.0)


@dataclass(frozen=True, eq=False)
class Draws:
    """Moves over one horizon, draw × asset.

    Attributes
    ----------
    assets : columns.
    price : simple move of spot.
    variance : variance of a bar after over before; 1 where it stays.
    level : variance before over that of the long run, by asset.
    carry, premium : change of the yearly carry and of the perpetual's premium.
    elapsed : years that pass.
    implied : how volatility of an expiry follows from variance.
    times : first bar of history that each draw was made of; empty where there is none.
    """

    assets: tuple[str, ...]
    price: np.ndarray
    variance: np.ndarray
    level: np.ndarray
    carry: np.ndarray
    premium: np.ndarray
    elapsed: float
    implied: Implied = field(default_factory=Implied)
    times: pd.DatetimeIndex = field(default_factory=lambda: pd.DatetimeIndex([]))

    def __len__(self) -> int:
        return len(self.price)

    def scenarios(self, quotes: Quotes) -> Scenarios:
        """Group × draw for these instruments; `DataError` names an asset without draws."""
        market, h = quotes.market, self.elapsed
        assets = quotes.instruments.group_asset
        lacking = [asset for asset in assets if asset not in self.assets]
        if lacking:
            raise DataError(f"no draws of {lacking[0]}; give its returns too")
        place = np.array([self.assets.index(asset) for asset in assets])
        line = quotes.instruments.group_line[:, None]
        years = np.nan_to_num(quotes.years)[:, None]
        left = np.maximum(years - h, 0.0)
        price, variance = self.price.T[place], self.variance.T[place]
        carried = np.array([market.carried(a, t)[0] for a, t in zip(assets, years, strict=True)])
        roll = np.exp(self.carry.T[place] * left - carried[:, None] * (years - left))
        base = 1.0 + by_name(market.premium, assets, 0.0)[:, None]
        move = price
        if (line == "dated").any():
            move = np.where(line == "dated", (1.0 + price) * roll - 1.0, move)
        if (line == "perpetual").any():
            parted = 1.0 + self.premium.T[place] / base
            move = np.where(line == "perpetual", (1.0 + price) * parted - 1.0, move)
        level = self.level[place][:, None]
        before = self.implied.at_the_money(level, 1.0, years)
        factor = self.implied.at_the_money(level * variance, 1.0, left) / before
        return Scenarios(move, factor, np.zeros(len(self)), h)

    def funding(self, book: Book, quotes: Quotes) -> np.ndarray:
        """Dollars that each position pays over the horizon (received: below 0)."""
        return book.funding(quotes, self.elapsed)


def draw(
    score: pd.DataFrame,
    change: pd.DataFrame,
    sigma: pd.Series,
    long_run: pd.Series,
    bars: int,
    bar: str | pd.Timedelta,
    paths: int,
    rng: np.random.Generator,
    *,
    basis: Basis | None = None,
    implied: Implied | None = None,
) -> Draws:
    """Joint moves over `bars` bars, drawn from the bars that all assets have.

    Parameters
    ----------
    score : time × asset, return of a bar over the volatility forecast for it.
    change : time × asset, change of log volatility over the same bar.
    sigma, long_run : volatility of the next bar and of the long run, by asset.
    bars, bar : horizon in bars of this length.
    paths : draws; for one bar every bar of history is taken equally often, rounded up.

    Raises
    ------
    DataError : frames of other times, an asset twice, without scores or without volatility, no bar
        that all assets have.
    """
    assets = list(sigma.index)
    if not score.index.equals(change.index):
        raise DataError("scores and changes of volatility differ in times; cut both alike")
    for name, names in (("scores", score.columns), ("changes", change.columns), ("sigma", assets)):
        twice = pd.Index(names).duplicated()
        if twice.any():
            raise DataError(f"{name} have {names[int(np.argmax(twice))]} twice; keep one of them")
    for name, frame in (("scores", score), ("changes", change)):
        lacking = [asset for asset in assets if asset not in frame.columns]
        if lacking:
            raise DataError(f"the {name} lack {lacking[0]}; give every asset of sigma")
    now, later = (
        _volatility(name, series, assets)
        for name, series in (("volatility", sigma), ("long-run volatility", long_run))
    )
    z, nu = score[assets].to_numpy(float), change[assets].to_numpy(float)
    known = np.isfinite(z).all(axis=1) & np.isfinite(nu).all(axis=1)
    if not known.any():
        raise DataError(f"no bar that all of {', '.join(assets)} have; leave the youngest out")
    bars, count = checks.whole("bars", bars), checks.whole("paths", paths)
    bar = checks.duration("bar", bar)
    pool = Pool(tuple(assets), z[known], nu[known], score.index[known])
    return pool.draw(now, later, bars, bar, count, rng, basis or Basis(), implied or Implied())


@dataclass(frozen=True, eq=False)
class Pool:
    """Bars that all assets have: returns in units of their forecast, changes of its logarithm."""

    assets: tuple[str, ...]
    score: np.ndarray
    change: np.ndarray
    times: pd.DatetimeIndex

    def until(self, place: int) -> "Pool":
        """The first `place` bars."""
        part = slice(None, place)
        return Pool(self.assets, self.score[part], self.change[part], self.times[part])

    def draw(
        self,
        sigma: np.ndarray,
        long_run: np.ndarray,
        bars: int,
        bar: pd.Timedelta,
        paths: int,
        rng: np.random.Generator,
        basis: Basis,
        implied: Implied,
    ) -> Draws:
        """As `draw`, from arrays."""
        n = len(self.score)
        if bars == 1:
            picks = np.repeat(np.arange(n), -(-paths // n))[:, None]
        else:
            picks = rng.integers(0, n, (paths, bars))
        scale = np.repeat(sigma[None], len(picks), axis=0)
        travelled = np.zeros_like(scale)
        for b in range(bars):
            travelled += self.score[picks[:, b]] * scale
            scale *= np.exp(self.change[picks[:, b]])
        days = bars * (bar / pd.Timedelta(days=1))
        unit = np.sqrt(days * (FREEDOM - 2.0) / FREEDOM)
        carry, premium = rng.standard_t(FREEDOM, (2, *scale.shape)) * unit
        return Draws(
            assets=self.assets,
            price=np.expm1(travelled),
            variance=(scale / sigma) ** 2,
            level=(sigma / long_run) ** 2,
            carry=basis.carry * carry,
            premium=basis.premium * premium,
            elapsed=float(bars * bar / YEAR),
            implied=implied,
            times=self.times[picks[:, 0]],
        )


def _volatility(name: str, series: pd.Series, assets: list[str]) -> np.ndarray:
    values = pd.to_numeric(series.reindex(assets), errors="coerce").to_numpy(float)
    good = np.isfinite(values) & (values > 0.0)
    if not good.all():
        raise DataError(f"no {name} of {assets[int(np.argmin(good))]}; leave the asset out")
    return values
