"""What is known of prices at a date: returns, lows, forecast volatility, and nothing later.

Every estimate that a haircut needs takes a `History` and looks at all of it.  To estimate as of an
earlier date, cut it with `until`: there is no other way to say "now", so nothing can look ahead.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from xcoll.errors import DataError
from xcoll.estimators.series import checked
from xcoll.market.prices import bar_length
from xcoll.market.returns import bars_in

__all__ = ["History"]


@dataclass(frozen=True)
class History:
    """Returns, lows and forecast volatility of the same bars and assets.

    Attributes
    ----------
    log_returns : DataFrame, time × asset
        NaN before listing and after delisting.
    lows : tuple of DataFrame, each time × asset
        Log excursions ``ln(L_t / P_{t−1}) ≤ 0``, corrected; several where lows are drawn, and then
        every figure is the mean over the draws.
    volatility : DataFrame, time × asset
        Forecast σ, stamped t for the bar after t.

    Raises
    ------
    DataError
        No low, or frames that differ in their times or assets.
    """

    log_returns: pd.DataFrame
    lows: tuple[pd.DataFrame, ...]
    volatility: pd.DataFrame

    def __post_init__(self) -> None:
        checked(self.log_returns)
        if not self.lows:
            raise DataError(
                "a history needs lows; give the closes, min(r, 0), where none are known"
            )
        for name, frame in (("volatility", self.volatility), *(("lows", x) for x in self.lows)):
            same = frame.index.equals(self.log_returns.index)
            if not same or not frame.columns.equals(self.log_returns.columns):
                raise DataError(f"{name} and log_returns differ in times or assets; align them")

    @property
    def assets(self) -> list[str]:
        """Symbols, in the order of the columns."""
        return self.log_returns.columns.tolist()

    @property
    def trading(self) -> list[str]:
        """Symbols that have a return at the last bar."""
        return self.log_returns.columns[self.log_returns.iloc[-1].notna()].tolist()

    @property
    def now(self) -> pd.Timestamp:
        """The last bar."""
        return self.log_returns.index[-1]

    @cached_property
    def bar(self) -> pd.Timedelta:
        """Length of a bar."""
        return bar_length(self.log_returns.index)

    @cached_property
    def day(self) -> int:
        """Bars of a day."""
        return bars_in("1D", self.bar)

    def until(self, time: str | pd.Timestamp) -> "History":
        """What was known at the close of `time`; assets without a return by then are left out."""
        return self._cut(slice(None, pd.Timestamp(time)), self.assets)

    def since(self, time: str | pd.Timestamp) -> "History":
        """The same without what came before `time`."""
        return self._cut(slice(pd.Timestamp(time), None), self.assets)

    def of(self, assets: Sequence[str]) -> "History":
        """Of these assets only, in that order.

        Raises
        ------
        DataError
            An asset that has no column.
        """
        for asset in assets:
            if asset not in self.log_returns:
                raise DataError(f"{asset} has no history; leave it out, or give it a proxy")
        if list(assets) == self.assets:
            return self
        return self._cut(slice(None), list(assets))

    def first_draw(self) -> "History":
        """With the first draw of the lows alone: for assets whose lows are not drawn."""
        return History(self.log_returns, self.lows[:1], self.volatility)

    def _cut(self, rows: slice, assets: Iterable[str]) -> "History":
        returns = self.log_returns.loc[rows, assets]
        seen = returns.columns[returns.notna().any()]
        if returns.empty or not len(seen):
            raise DataError(f"no asset has a return in {rows.start or ''}..{rows.stop or ''}")
        cut = [x.loc[rows, seen] for x in (self.volatility, *self.lows)]
        made = History(returns[seen], tuple(cut[1:]), cut[0])
        made.__dict__["bar"] = self.bar  # a cut has the bars of what it was cut from
        return made
