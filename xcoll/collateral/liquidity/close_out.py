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
HOUR = pd.Timedelta("1h")
NONE = pd.Timedelta(0)


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
    rate = checks.positive("average daily volume", adv_usd)
    rate *= checks.fraction("participation", participation, closed=True)
    return days * checks.positive("selling rate", rate)


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
        Dollars closed: the position asked for, or the largest that clears in the longest horizon.
    oracle, queue, finality : Timedelta
        Wait for a price, time to sell at the participation rate, settlement of the chain.
    redemption : Timedelta
        Time in which a derived token turns into its underlying; 0 for the others.
    total : Timedelta
        Their sum, ``h = oracle delay + time to clear the queue + finality``, and the redemption
        where the token has to be redeemed before it is sold.
    horizon : str
        The smallest of the horizons that covers `total`.
    """

    position_usd: float
    oracle: pd.Timedelta
    queue: pd.Timedelta
    finality: pd.Timedelta
    redemption: pd.Timedelta
    total: pd.Timedelta
    horizon: str

    @property
    def row(self) -> dict[str, float | str]:
        """The attributes as a row of a table, times in hours."""
        return {
            name: value / HOUR if isinstance(value, pd.Timedelta) else value
            for name, value in vars(self).items()
        }


def close_out(
    position_usd: float,
    adv_usd: float,
    participation: float,
    oracle: pd.Timedelta,
    finality: pd.Timedelta,
    redemption: pd.Timedelta = NONE,
    *,
    redeem: bool = False,
    horizons: tuple[str, ...] = HORIZONS,
) -> CloseOut:
    """Close-out of `position_usd`, capped at what clears within the longest horizon.

    Parameters
    ----------
    position_usd, adv_usd : float
        Position and volume of a day, dollars, above zero.
    participation : float
        Share of the volume that can be sold, in (0, 1].
    oracle, finality, redemption : Timedelta
        Not negative; what is waited for is together shorter than the longest horizon, or
        `ParameterError`.
    redeem : bool
        Whether the seller must redeem the token first: its redemption is waited for then, and
        only reported otherwise.
    horizons : tuple of str
        Horizons for which losses are known.
    """
    for name, wait in (("oracle", oracle), ("finality", finality), ("redemption", redemption)):
        if wait < NONE:
            raise ParameterError(f"{name} is {wait}; give a time of at least 0")
    longest = max(pd.Timedelta(horizon) for horizon in horizons)
    waited = oracle + finality + (redemption if redeem else NONE)
    if waited >= longest:
        waits = f"oracle delay {oracle}, finality {finality}"
        waits += f", redemption {redemption}" if redeem else ""
        raise ParameterError(
            f"{waits} leave no time to sell within {longest}; shorten what is waited for, "
            "or give a longer horizon"
        )
    most = largest_clearing(longest - waited, adv_usd, participation)
    position = min(checks.positive("position", position_usd), most)
    queue = clearing_time(position, adv_usd, participation)
    total = waited + queue
    horizon = covering_horizon(total, horizons)
    return CloseOut(position, oracle, queue, finality, redemption, total, horizon)
