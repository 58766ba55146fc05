"""Margins of sample books, every day of history, against what the next close-out lost.

A book is struck anew at each date, so that its terms stay the same; its prices are those of that
date, with spot as the unit.  A margin stamped t uses nothing after t: the volatility forecast for
t + 1, and the bars up to t.  The loss is that of the same legs h bars later, at the prices, the
volatility and the time left then.

    loss_t = −Σ q·(value(S_{t+h}, σ_{t+h}, T − h) − value(S_t, σ_t, T)) + funding

Implied volatility is modelled (`modelled`), and carry and funding are constant: the backtest says
nothing of their own moves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.margin import scenarios as engine
from xcoll.margin.draws import Basis, Draws, Pool
from xcoll.margin.instruments import YEAR
from xcoll.margin.market import Market, quote
from xcoll.margin.modelled import Implied
from xcoll.margin.rules.requirement import Rule
from xcoll.margin.rules.simulated import Simulated
from xcoll.margin.samples import Sample, struck
from xcoll.market.prices import bar_length
from xcoll.market.returns import bars_in

__all__ = [
    "History",
    "Moment",
    "Setting",
    "fixed",
    "run",
    "simulated",
]


@dataclass(frozen=True, eq=False)
class History:
    """What is known of the assets, time × asset.

    Attributes
    ----------
    returns : log returns of the bar that ends at t.
    sigma : forecast stamped t for the bar after t, its volatility.
    long_run : volatility of a bar over the history up to t.
    """

    returns: pd.DataFrame
    sigma: pd.DataFrame
    long_run: pd.DataFrame

    @classmethod
    def of(cls, returns: pd.DataFrame, sigma: pd.DataFrame, minimum: int = 60) -> "History":
        """With the root mean square of all returns up to t, from `minimum` bars on.

        Raises
        ------
        DataError : tables of other times or assets, times that do not ascend, an infinite return,
            volatility that is infinite or not above zero; NaN is a bar that is not known.
        """
        if not (returns.index.equals(sigma.index) and returns.columns.equals(sigma.columns)):
            raise DataError("returns and volatility differ in times or assets; align them")
        if not (returns.index.is_monotonic_increasing and returns.index.is_unique):
            raise DataError("the times of the returns do not ascend; give each bar once, in order")
        wrong = (sigma <= 0.0) | np.isinf(sigma)
        for what, bad in (("an infinite return", np.isinf(returns)), ("no volatility", wrong)):
            if bad.any(axis=None):
                raise DataError(f"{bad.any().idxmax()} has {what} in a bar; mend it")
        squares = (returns**2).expanding(checks.whole("minimum", minimum)).mean()
        return cls(returns, sigma, np.sqrt(squares))

    @property
    def bar(self) -> pd.Timedelta:
        """Length of a bar."""
        return bar_length(self.returns.index)

    @property
    def score(self) -> pd.DataFrame:
        """Returns over the volatility forecast for them."""
        return self.returns / self.sigma.shift(1)

    @property
    def change(self) -> pd.DataFrame:
        """Change of the log forecast over each bar."""
        return np.log(self.sigma).diff()


@dataclass(frozen=True)
class Setting:
    """What a backtest assumes.

    Attributes
    ----------
    bars : of the close-out.
    least : bars of history before the first margin; draws are taken from all bars up to it.
    implied : how volatility is modelled.
    basis : how carry and premium move in draws.
    carry, funding : of a year.
    """

    bars: int = 1
    least: int = 250
    implied: Implied = field(default_factory=Implied)
    basis: Basis = field(default_factory=Basis)
    carry: float = 0.0
    funding: float = 0.0

    def __post_init__(self) -> None:
        checks.whole("bars", self.bars)
        checks.whole("least", self.least)
        checks.number("carry", self.carry)
        checks.number("funding", self.funding)


@dataclass(frozen=True, eq=False)
class Moment:
    """One date of a backtest, for rules that follow the market.

    Attributes
    ----------
    time : the date.
    sigma, long_run : by asset of the pool, of a bar.
    pool : bars up to the date.
    """

    time: pd.Timestamp
    sigma: np.ndarray
    long_run: np.ndarray
    pool: Pool
    setting: Setting
    bar: pd.Timedelta
    rng: np.random.Generator

    @cached_property
    def forecast(self) -> Draws:
        """Joint moves at the forecast of the date."""
        return self.draws(self.sigma)

    def draws(self, sigma: np.ndarray) -> Draws:
        """Joint moves at volatility `sigma`, by asset of the pool."""
        setting = self.setting
        return self.pool.draw(
            sigma,
            self.long_run,
            setting.bars,
            self.bar,
            len(self.pool.score),
            self.rng,
            setting.basis,
            setting.implied,
        )


def run(
    samples: Mapping[str, Sample],
    history: History,
    rules: Mapping[str, Callable[[Moment], Rule]],
    rng: np.random.Generator,
    setting: Setting | None = None,
    every: str | pd.Timedelta = "1D",
) -> pd.DataFrame:
    """Margin and loss of every book under every rule.

    Parameters
    ----------
    rules : name → the rule in force at a date; one that stands still ignores its argument.
    every : from one date to the next, a duration.

    Returns
    -------
    DataFrame
        time, book, rule, margin (maintenance, dollars), loss (positive: lost).

    Raises
    ------
    ParameterError : no rule, or one that is no function of the moment.
    DataError : an asset without history.
    EstimationError : no date has a full window before it and a close-out after it.

    Notes
    -----
    Dates are left out where an asset lacks the date, or a bar of the close-out.  Units are dollars
    at a price of 1: a rule whose margin depends on them (`per_unit`) cannot be asked here.
    """
    setting = setting or Setting()
    if not rules:
        raise ParameterError("there is no rule; give at least one")
    for name, make in rules.items():
        if not callable(make):
            raise ParameterError(f"rule {name!r} is no function of the moment; give fixed(rule)")
    assets = sorted({leg.asset for sample in samples.values() for leg in sample.legs})
    lacking = [asset for asset in assets if asset not in history.returns.columns]
    if lacking:
        raise DataError(f"no history of {lacking[0]}; leave its books out")
    index = history.returns.index
    R, V, L, Z, N = (
        frame[assets].to_numpy(float)
        for frame in (history.returns, history.sigma, history.long_run, history.score,
                      history.change)
    )  # fmt: skip
    known = np.isfinite(np.hstack([Z, N, L])).all(axis=1)
    pool = Pool(tuple(assets), Z[known], N[known], index[known])
    count, h = np.cumsum(known), setting.bars
    whole = count[h:] - count[:-h] == h  # all bars of the close-out are known
    places = np.flatnonzero(known[:-h] & (count[:-h] >= setting.least) & whole)
    places = places[:: bars_in(checks.duration("every", every), history.bar)]
    if not len(places):
        raise EstimationError(
            f"no date has {setting.least} bars of all of {', '.join(assets)} before it and "
            f"{setting.bars} after it; lower `least`"
        )
    years = float(history.bar / YEAR)
    start = index[places[0]]
    unit = pd.Series(1.0, assets)
    book = struck(dict(samples), start, unit)
    market = Market(start, unit, carry=setting.carry, funding=pd.Series(setting.funding, assets))
    listed = book.instruments
    flat = quote(listed, market, np.full(len(listed), 0.5))
    k = np.log(flat.strike / flat.forward[listed.group])
    T, which = flat.years[listed.group], listed.is_option
    sigma = np.full(len(listed), np.nan)
    place, still = listed.asset, np.zeros((1, len(assets)))
    bar, layout = history.bar, book.layout([listed.assets])
    margin = np.empty((len(places), len(rules), len(book.accounts)))
    loss = np.empty((len(places), 1, len(book.accounts)))
    for row, t in enumerate(places):
        now, then = t, t + h
        v, w = V[now] ** 2 / years, L[now] ** 2 / years
        sigma[which] = setting.implied.sigma(v[place][which], w[place][which], T[which], k[which])
        quotes = quote(listed, market, sigma)
        moment = Moment(index[t], V[now], L[now], pool.until(count[t]), setting, bar, rng)
        realised = Draws(
            assets=tuple(assets),
            price=np.expm1(R[now + 1 : then + 1].sum(axis=0))[None],
            variance=(V[then] / V[now])[None] ** 2,
            level=v / w,
            carry=still,
            premium=still,
            elapsed=h * years,
            implied=setting.implied,
        )
        gain = engine.gains(book, quotes, realised.scenarios(quotes), layout)[:, 0]
        paid = np.bincount(book.account, realised.funding(book, quotes), len(book.accounts))
        loss[row] = paid - gain
        for number, make in enumerate(rules.values()):
            margin[row, number] = make(moment).totals(book, quotes)
    keys = pd.MultiIndex.from_product(
        [index[places], list(rules), book.accounts], names=["time", "rule", "book"]
    )
    values = {"margin": margin.ravel(), "loss": np.broadcast_to(loss, margin.shape).ravel()}
    return pd.DataFrame(values, keys).reset_index()[["time", "book", "rule", "margin", "loss"]]


def fixed(rule: Rule) -> Callable[[Moment], Rule]:
    """A rule that does not follow the market."""
    return lambda _: rule


def simulated(confidence: float = 0.99) -> dict[str, Callable[[Moment], Rule]]:
    """Rules of the simulation: ES and VaR at the forecast, ES at the long run's volatility."""
    return {
        "simulated": lambda at: Simulated(at.forecast, confidence),
        "simulated VaR": lambda at: Simulated(at.forecast, confidence, "var"),
        "long run": lambda at: Simulated(at.draws(at.long_run), confidence),
    }
