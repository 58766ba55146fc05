"""Joint price paths with lows: what every way of simulating gives back.

Prices are relative to the opening.  A bar runs from its last close to its low and to its close:

    P_t = P_{t−1} exp(r_t),      L_t = P_{t−1} exp(x_t),      x_t ≤ min(r_t, 0)

Path i is the same whatever the number of paths: every generator of the room fills its arrays path
by path, one stream for each purpose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.errors import DataError
from xcoll.estimators.tail.inputs import Frames, frames

__all__ = ["Paths", "history"]

ROUNDING = 1e-9  # by which a log low may come out above the log close of its own bar


@dataclass(frozen=True)
class Paths:
    """Simulated closes and lows.

    Attributes
    ----------
    closes, lows : ndarray, paths × (bars + 1) × assets
        Relative to the opening: row 0 is 1.0.  A low is at or under the close of its bar and the
        close before it.
    assets : tuple of str
    bar : Timedelta
        Length of a bar.

    Raises
    ------
    DataError
        Shapes that do not fit, a first row that is not 1, a price that is no positive number, or a
        low above one of its closes.
    """

    closes: np.ndarray
    lows: np.ndarray
    assets: tuple[str, ...]
    bar: pd.Timedelta

    def __post_init__(self) -> None:
        closes, lows = self.closes, self.lows
        if closes.ndim != 3 or closes.shape != lows.shape or closes.shape[2] != len(self.assets):
            raise DataError(
                f"closes are {closes.shape}, lows {lows.shape}, for {len(self.assets)} assets; "
                "give paths × (bars + 1) × assets"
            )
        reached = closes.copy()
        reached[:, 1:] = np.minimum(closes[:, 1:], closes[:, :-1])
        for bad, why in (
            ((closes[:, :1] != 1.0) | (lows[:, :1] != 1.0), "does not open at 1; divide by row 0"),
            (
                ~((lows > 0.0) & np.isfinite(lows) & (closes > 0.0) & np.isfinite(closes)),
                "has a price that is no positive number; its variance explodes, or its input is "
                "damaged",
            ),
            (lows > reached, "has a low above one of its closes; give the minimum of the three"),
        ):
            if bad.any():
                path, row, asset = np.argwhere(bad)[0]
                raise DataError(f"{self.assets[asset]}, path {path}, bar {row}: {why}")

    @classmethod
    def of(
        cls, log_returns: np.ndarray, low: np.ndarray, assets: Sequence[str], bar: pd.Timedelta
    ) -> "Paths":
        """Paths of log returns and log lows over the last close, each paths × bars × assets."""
        shape = (len(log_returns), log_returns.shape[1] + 1, log_returns.shape[2])
        closes, lows = np.ones(shape), np.ones(shape)
        closes[:, 1:] = np.exp(np.cumsum(log_returns, axis=1))
        before, after = closes[:, :-1], closes[:, 1:]
        above = (low > np.minimum(log_returns, 0.0) + ROUNDING).any(axis=(0, 1))
        if above.any():
            raise DataError(f"{assets[above.argmax()]} has a low above one of its closes")
        lows[:, 1:] = np.minimum(before * np.exp(low), np.minimum(before, after))
        return cls(closes, lows, tuple(assets), bar)

    def __len__(self) -> int:
        """Number of paths."""
        return len(self.closes)

    @property
    def bars(self) -> int:
        """Bars after the opening."""
        return self.closes.shape[1] - 1

    def window(
        self, path: int, opening: str | pd.Timestamp = "2000-01-01"
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Closes and lows of one path, each time × asset.

        Parameters
        ----------
        opening : str or Timestamp
            The time that row 0 is given; a simulated bar has none of its own.
        """
        times = pd.date_range(opening, periods=self.bars + 1, freq=self.bar, name="time", unit="us")
        close, low = (
            pd.DataFrame(part[path], times, list(self.assets)) for part in (self.closes, self.lows)
        )
        return close, low


def history(log_returns: pd.DataFrame, low: pd.DataFrame | None = None) -> Frames:
    """Returns and log lows to learn from, checked.

    Parameters
    ----------
    log_returns : time × asset; NaN before listing and after delisting.
    low : log excursions ``ln(L_t / P_{t−1})``; the close is taken for the low where not given.

    Raises
    ------
    DataError : frames that differ in times or assets, a low above the close of its bar.
    EstimationError : a hole or an infinity inside a history, a low above its bar's opening.
    """
    given = frames(log_returns, None, low, scaled=False)
    above = (given.low > given.log_returns.clip(upper=0.0) + ROUNDING).to_numpy()
    if above.any():
        row, column = np.argwhere(above)[0]
        raise DataError(
            f"the low of {given.low.columns[column]} at {given.low.index[row]} is above its close; "
            "check that lows and returns come from the same bars"
        )
    return given
