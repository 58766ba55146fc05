"""What is known of an asset's market on a day, and the market that a keeper meets on a bad one.

Volumes were measured over whole years and quotes on one date.  On another date the nearest of them
stands in, and is marked as assumed.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.facts import Depth, OrderBook, Pool, Schedule, Stress
from xcoll.collateral.liquidity.impact import (
    ConstantProduct,
    DepthTable,
    Impact,
    Linear,
    SquareRoot,
    Tiers,
)
from xcoll.collateral.universe import Asset, Universe
from xcoll.errors import ParameterError

__all__ = ["Market", "as_of", "markets", "stressed_market"]

# A market that an asset states → its model, and the depth that a crisis leaves of it (a venue's
# schedule is what the venue publishes, in a crisis too).
MODELS: dict[type, tuple[Callable[[Any, str], Impact], Callable[[Stress], float]]] = {
    Depth: (
        lambda fact, name: DepthTable(fact.size_usd, fact.impact, name),
        lambda stress: stress.dex_depth,
    ),
    Pool: (
        lambda fact, name: ConstantProduct(fact.reserve_usd, fact.fee),
        lambda stress: stress.dex_depth,
    ),
    Schedule: (lambda fact, name: Tiers(fact.bounds_usd, fact.ratios), lambda stress: 1.0),
    OrderBook: (lambda fact, name: Linear(fact.depth_usd), lambda stress: stress.cex_depth),
}
YEAR_BEFORE = 2022  # the year of `Liquidity.adv_2022_usd`


@dataclass(frozen=True)
class Market:
    """What is known of an asset's market on a day.

    Attributes
    ----------
    adv_usd, adv_p5_usd : float
        Median and 5th percentile of a day's volume, dollars; NaN where no volume is stated.
    assumed : bool
        Whether the median was not measured in the year of the day; the 5th percentile of 2022 and
        before is always carried over from the facts' own year, in proportion.
    quotes : Impact or None
        The market of its own that the asset states (`MODELS`), calm.
    quotes_assumed : bool
        Whether that is of another date.
    """

    adv_usd: float
    adv_p5_usd: float
    assumed: bool
    quotes: Impact | None
    quotes_assumed: bool


def as_of(asset: Asset, day: datetime.date) -> Market:
    """What is known of an asset's market on `day`, without a look at later years where it can be.

    In 2022 and before, the median volume of 2022 holds; afterwards, or where that is not stated,
    the median of the facts' own year.

    Parameters
    ----------
    asset : Asset
        With `liquidity`, a `market` of its own, both or neither.  A derived token has the volume of
        its underlying, which is asked for there.
    day : date
        A `Timestamp` will do.
    """
    day = pd.Timestamp(day).date()
    stated, quotes, quotes_assumed = asset.market, None, False
    if stated is not None:
        quotes = MODELS[type(stated)][0](stated, asset.symbol)
        quotes_assumed = stated.assumed or day != stated.date
    if asset.liquidity is None:
        return Market(np.nan, np.nan, True, quotes, quotes_assumed)
    facts = asset.liquidity
    before = day.year <= YEAR_BEFORE and facts.adv_2022_usd is not None
    adv = facts.adv_2022_usd if before else facts.adv_usd
    measured = day.year == (YEAR_BEFORE if before else facts.date.year)
    p5 = facts.adv_p5_usd * (adv / facts.adv_usd)
    return Market(adv, p5, facts.assumed or not measured, quotes, quotes_assumed)


def stressed_market(
    asset: Asset, sigma_day: float, stress: Stress, day: datetime.date | None = None
) -> Impact:
    """What a keeper sells into on a bad day.

    The market that the asset states (`MODELS`) at the depth left in a crisis; otherwise the
    square-root law on the 5th percentile of its daily volume.

    Parameters
    ----------
    asset : Asset
        With a `market` of its own or `liquidity`.
    sigma_day : float
        Volatility of a bad day, a fraction.
    stress : Stress
        Multipliers of depth in a crisis.
    day : date, optional
        Volumes are `as_of` it; by default of the facts' own date.
    """
    fact = asset.market or asset.liquidity
    if fact is None:
        raise ParameterError(f"{asset.symbol} has neither depth nor liquidity; give one of them")
    known = as_of(asset, fact.date if day is None else day)
    if known.quotes is not None:
        return known.quotes.stressed(MODELS[type(fact)][1](stress))
    return SquareRoot(sigma_day, known.adv_p5_usd)


def markets(
    universe: Universe, sigma_day: pd.Series, day: datetime.date, depth: float = 1.0
) -> dict[str, Impact]:
    """`stressed_market` of every asset that may be pledged or owed and has a volatility.

    Parameters
    ----------
    universe : Universe
        Volumes, quotes and the depth left in a crisis.
    sigma_day : Series
        Volatility of a bad day by asset with prices; a derived token takes its underlying's.
    day : date
        Volumes are `as_of` it.
    depth : float
        Multiplies the depth of every market once more, above zero.
    """
    checks.positive("depth", depth)
    return {
        symbol: stressed_market(
            asset, float(sigma_day[asset.underlying or symbol]), universe.stress, day
        ).stressed(depth)
        for symbol, asset in universe.assets.items()
        if asset.roles and (asset.underlying or symbol) in sigma_day.index
    }
