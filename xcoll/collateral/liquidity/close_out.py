"""How long it takes to close a position: wait for a price, time to sell, finality."""

from dataclasses import dataclass

import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError

__all__ = [
    "HORIZONS",
    "CloseOut",
    "clearing_time",
    "close_out",
    "covering_horizon",
    "largest_clearing",
]


# Horizons at which thresholds are given.
HORIZONS = ("1h", "4h", "24h")


def clearing_time(size_usd: float, adv_usd: float, participation: float) -> pd.Timedelta:
    """Time to sell `size_usd` at a share `participation` of the volume ``adv_usd`` of a day."""
    rate = checks.positive("average daily volume", adv_usd)
    rate *= checks.fraction("participation", participation, closed=True)
    days = checks.at_least("size", size_usd, 0.0) / checks.positive("selling rate", rate)
    return pd.Timedelta(days=days).round("ms")  # a float of days is off by nanoseconds


def largest_clearing(time: pd.Timedelta, adv_usd: float, participation: float) -> float:
    """Dollars that clear within `time` at a share `participation` of the volume of a day."""
    days = time / pd.Timedelta("1D")
    checks.positive("time left to clear, in days", days)
    volume = checks.positive("average daily volume", adv_usd)
    return days * volume * checks.fraction("participation", participation, closed=True)


def covering_horizon(close_out: pd.Timedelta, horizons: tuple[str, ...] = HORIZONS) -> str:
    """The smallest of `horizons` that covers `close_out`; refused when none does."""
    for horizon in sorted(horizons, key=pd.Timedelta):
        if close_out <= pd.Timedelta(horizon):
            return horizon
    raise ParameterError(
        f"a close-out of {close_out} is longer than {max(horizons, key=pd.Timedelta)}; "
        "lower the position or raise the participation"
    )


@dataclass(frozen=True)
class CloseOut:
    """How long it takes to close a position, part by part.

    Attributes
    ----------
    position_usd : float
        Dollars closed: the position asked for, or the largest that clears within a day.
    oracle, queue, finality : Timedelta
        Wait for a price, time to sell at the participation rate, settlement of the chain.
    total : Timedelta
        Their sum, ``h = oracle delay + time to clear the queue + finality``.
    horizon : str
        The smallest of `HORIZONS` that covers `total`.
    """

    position_usd: float
    oracle: pd.Timedelta
    queue: pd.Timedelta
    finality: pd.Timedelta
    total: pd.Timedelta
    horizon: str


def close_out(
    position_usd: float,
    adv_usd: float,
    participation: float,
    oracle: pd.Timedelta,
    finality: pd.Timedelta,
) -> CloseOut:
    """Close-out of `position_usd`, capped at what clears within the longest horizon.

    Parameters
    ----------
    position_usd, adv_usd : float
        Position and volume of a day, dollars, above zero.
    participation : float
        Share of the volume that can be sold, in (0, 1].
    oracle, finality : Timedelta
        Not negative; together shorter than the longest horizon, or `ParameterError`.
    """
    longest = max(pd.Timedelta(horizon) for horizon in HORIZONS)
    if oracle + finality >= longest:
        raise ParameterError(
            f"oracle delay {oracle} and finality {finality} leave no time to sell within "
            f"{longest}; shorten the wait for a price"
        )
    most = largest_clearing(longest - oracle - finality, adv_usd, participation)
    position = min(checks.positive("position", position_usd), most)
    queue = clearing_time(position, adv_usd, participation)
    total = oracle + queue + finality
    return CloseOut(position, oracle, queue, finality, total, covering_horizon(total))
