"""The state of the market at one moment, and what it makes of instruments.

    spot       S
    perpetual  S·(1 + premium)
    dated      F = S·exp(c·T), with the yearly carry c of the asset, interpolated in T
    option     Black (1976) on F, undiscounted, as venues mark them; the volatility is the
               surface's at k = ln(K/F)

Years are of 365 days.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, ParameterError
from xcoll.margin.instruments import Instruments
from xcoll.margin.options import black
from xcoll.margin.options.surface import Surface

__all__ = ["Market", "Quotes", "by_name", "quote"]


def by_name(values: pd.Series, names: Iterable[str], default: float = np.nan) -> np.ndarray:
    """`values` of `names`, `default` where there is none: a reindex without its cost."""
    known = dict(zip(values.index, values.to_numpy(float), strict=True))
    return np.array([known.get(name, default) for name in names], float)


def _numbers(values: pd.Series | pd.DataFrame) -> np.ndarray:
    """`values` as floats, NaN where text is none."""
    try:
        return values.to_numpy(float)
    except (TypeError, ValueError):
        return values.map(lambda value: pd.to_numeric(value, errors="coerce")).to_numpy(float)


@dataclass(frozen=True, eq=False)
class Market:
    """Prices at one moment.

    Attributes
    ----------
    time : the moment, in UTC without a zone.
    spot : dollars a unit by asset, above 0.
    surfaces : implied volatility by asset; needed where there are options on it.
    carry : yearly carry of dated forwards: one number, a Series by asset, or a frame
        years × asset, between whose rows it is linear and beyond whose ends it is flat.
    premium : of the perpetual over spot by asset, a fraction; 0 where not given.
    funding : what a long perpetual pays, a year, as a fraction of its mark, by asset; 0 where not
        given.
    rate : yearly interest rate, for venues that discount by it.
    currencies : dollars a unit of each currency that something is quoted or owed in.
    confidence : of the oracle in its price by asset, in [0, 1]; 1 where not given.
    haircut : of an asset as collateral, a fraction in [0, 1]; needed where a rule asks for it.

    Raises
    ------
    DataError : a price, currency, premium or carry that is not a finite number, or out of its
        range; years of the carry that do not ascend.
    ParameterError : a time that is none, a rate that is not finite.
    """

    time: pd.Timestamp
    spot: pd.Series
    surfaces: Mapping[str, Surface] = field(default_factory=dict)
    carry: float | pd.Series | pd.DataFrame = 0.0
    premium: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    funding: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    rate: float = 0.0
    currencies: Mapping[str, float] = field(default_factory=dict)
    confidence: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    haircut: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))

    def __post_init__(self) -> None:
        if not isinstance(self.time, pd.Timestamp) or self.time.tz is not None:
            raise ParameterError(f"time is {self.time!r}; give a Timestamp in UTC without a zone")
        checks.number("rate", self.rate)
        zero, one, no_bound = np.nextafter(0.0, 1.0), 1.0, np.inf
        checked = {
            "spot price": (self.spot, zero, no_bound),
            "currency": (pd.Series(dict(self.currencies), dtype=object), zero, no_bound),
            "premium": (self.premium, np.nextafter(-1.0, 0.0), no_bound),
            "funding": (self.funding, -no_bound, no_bound),
            "confidence": (self.confidence, 0.0, one),
            "haircut": (self.haircut, 0.0, one),
        }
        for what, (values, low, high) in checked.items():
            if not values.index.is_unique:
                raise DataError(f"the {what} of {values.index[values.index.duplicated()][0]} twice")
            numbers = _numbers(values)
            bad = ~(np.isfinite(numbers) & (numbers >= low) & (numbers <= high))
            if bad.any():
                name = values.index[bad][0]
                raise DataError(f"the {what} of {name} is {values[name]} at {self.time}; mend it")
        carry = self.carry
        if not isinstance(carry, pd.Series | pd.DataFrame):
            checks.number("carry", carry)
        elif not np.isfinite(_numbers(carry)).all():
            raise DataError(f"the carry at {self.time} is not finite everywhere; mend it")
        if isinstance(carry, pd.DataFrame):
            years = carry.index
            if not (len(years) and years.is_unique and years.is_monotonic_increasing):
                raise DataError(
                    f"the carry at {self.time} has no ascending years; give each once, in order"
                )

    def dollars(self, currency: str) -> float:
        """Dollars a unit of `currency`; `DataError` where its rate is not known."""
        if currency == "USD":
            return 1.0
        if currency not in self.currencies:
            known = ", ".join(["USD", *self.currencies])
            raise DataError(
                f"no rate of {currency} at {self.time}; add it to currencies (known: {known})"
            )
        return float(self.currencies[currency])

    def strikes(self, instruments: Instruments) -> np.ndarray:
        """Strikes in dollars, NaN where none; `DataError` for a currency without a rate."""
        names, currency = instruments.currencies
        return instruments.strike * np.array([self.dollars(name) for name in names])[currency]

    def carried(self, asset: str, years: np.ndarray) -> np.ndarray:
        """Yearly carry of `asset` for forwards of `years`."""
        if isinstance(self.carry, pd.DataFrame):
            if asset not in self.carry:
                raise DataError(f"no carry of {asset} at {self.time}; add its column")
            return np.interp(years, self.carry.index.to_numpy(float), self.carry[asset])
        rate = self.carry.get(asset, 0.0) if isinstance(self.carry, pd.Series) else self.carry
        return np.full(len(years), float(rate))

    def moved(self, moves: Mapping[str, float] | float) -> "Market":
        """The same moment with spot prices times ``1 + move``, of all assets or of those named."""
        by = (
            pd.Series(moves, self.spot.index)
            if np.isscalar(moves)
            else pd.Series(moves, dtype=float)
        )
        unknown = by.index.difference(self.spot.index)
        if len(unknown):
            raise DataError(f"a move of {unknown[0]}, which has no spot price; leave it out")
        return replace(self, spot=self.spot * (1.0 + by.reindex(self.spot.index, fill_value=0.0)))


@dataclass(frozen=True, eq=False)
class Quotes:
    """Instruments in one market, in dollars a unit.

    Attributes
    ----------
    instruments, market : what is quoted, and in what.
    forward, years : by group; years are NaN where nothing expires.
    strike, sigma : by instrument in dollars and a year; NaN where no option.
    mark : by instrument: spot price, mark of the perpetual, forward, or option price.
    """

    instruments: Instruments
    market: Market
    forward: np.ndarray
    years: np.ndarray
    strike: np.ndarray
    sigma: np.ndarray
    mark: np.ndarray

    @cached_property
    def spot(self) -> np.ndarray:
        """Spot price by group."""
        return by_name(self.market.spot, self.instruments.group_asset)

    @cached_property
    def delta(self) -> np.ndarray:
        """Units of the asset, by its forward, that a unit of each instrument moves like."""
        found, which = np.ones(len(self.mark)), self.instruments.is_option
        if which.any():
            found[which] = black.greeks(*self._black(which)).delta
        return found

    def moved(self, moves: Mapping[str, float] | float, volatility: float = 1.0) -> "Quotes":
        """The same instruments at other prices; an option keeps its volatility, times a factor."""
        return quote(self.instruments, self.market.moved(moves), self.sigma * volatility)

    def frame(self) -> pd.DataFrame:
        """Instruments with mark, forward, volatility, years and greeks, a row each.

        ``delta`` is units of the asset by its forward; vega, theta and rho as in `black.greeks`.
        """
        rows, group = self.instruments.frame, self.instruments.group
        found = rows.assign(
            forward=self.forward[group], years=self.years[group], sigma=self.sigma, mark=self.mark
        )
        linear = {"delta": 1.0, "gamma": 0.0, "vega": 0.0, "theta": 0.0}
        found = found.assign(**linear)
        which = self.instruments.is_option
        if which.any():
            sensitivity = black.greeks(*self._black(which))
            for name in linear:
                found.loc[which, name] = getattr(sensitivity, name)
        return found

    def _black(self, which: np.ndarray) -> tuple[np.ndarray, ...]:
        group = self.instruments.group[which]
        call = self.instruments.right[which] > 0.0
        return self.forward[group], self.strike[which], self.sigma[which], self.years[group], call


def quote(
    instruments: Instruments, market: Market, volatility: Quotes | np.ndarray | None = None
) -> Quotes:
    """`instruments` in the `market`.

    Parameters
    ----------
    volatility : implied volatility by instrument, or earlier quotes whose volatility stays with
        each strike; that of the market's surfaces where not given.

    Raises
    ------
    DataError
        Names the asset or instrument: no spot price, no surface, a currency without a rate, an
        expiry in the past (settle the book first), volatility that is negative or missing.
    """
    assets, line = instruments.group_asset, instruments.group_line
    forward = by_name(market.spot, assets)
    if np.isnan(forward).any():
        name = assets[np.isnan(forward)][0]
        raise DataError(f"no spot price of {name} at {market.time}; add it to spot")
    years = instruments.years(market.time)
    if (years <= 0.0).any():
        over = instruments.group == np.flatnonzero(years <= 0.0)[0]
        row = instruments.frame[over].iloc[0]
        raise DataError(
            f"{row.name} expired at {row['expiry']}, not after {market.time}; settle the book "
            "first (margin.settlement.settle)"
        )
    for asset in instruments.assets:
        dated = (assets == asset) & (line == "dated")
        if dated.any():
            with np.errstate(over="ignore"):  # said below
                forward[dated] *= np.exp(market.carried(asset, years[dated]) * years[dated])
    perpetual = line == "perpetual"
    forward[perpetual] *= 1.0 + by_name(market.premium, assets[perpetual], 0.0)
    beyond = ~(np.isfinite(forward) & (forward > 0.0))
    if beyond.any():
        raise DataError(
            f"the forward of {assets[beyond][0]} is {forward[beyond][0]:g} at {market.time}; "
            "mend its carry or premium"
        )
    strike = market.strikes(instruments)
    sigma = _volatility(instruments, market, forward, years, strike, volatility)
    mark = forward[instruments.group]
    made = Quotes(instruments, market, forward, years, strike, sigma, mark)
    which = instruments.is_option
    if which.any():
        mark[which] = black.price(*made._black(which))
    return made


def _volatility(
    instruments: Instruments,
    market: Market,
    forward: np.ndarray,
    years: np.ndarray,
    strike: np.ndarray,
    given: Quotes | np.ndarray | None,
) -> np.ndarray:
    if given is not None:
        sigma = np.asarray(given.sigma if isinstance(given, Quotes) else given, float)
        if sigma.shape != strike.shape:
            raise DataError(f"{sigma.shape} volatilities for {len(strike)} instruments; align them")
    else:
        sigma, group = np.full(len(strike), np.nan), instruments.group
        asset = np.array(instruments.assets, dtype=object)[instruments.asset]
        for name in instruments.assets:
            if not (instruments.is_option & (asset == name)).any():
                continue
            if name not in market.surfaces:
                raise DataError(f"no volatility surface of {name} at {market.time}; add it")
            own = instruments.is_option & (asset == name)
            T, k = years[group[own]], np.log(strike[own] / forward[group[own]])
            sigma[own] = market.surfaces[name].sigma(T, k)
    bad = instruments.is_option & ~((sigma >= 0.0) & np.isfinite(sigma))
    if bad.any():
        name = instruments.frame.index[bad][0]
        raise DataError(f"the volatility of {name} is {sigma[bad][0]:g}; give one of 0 or more")
    return np.where(instruments.is_option, sigma, np.nan)
