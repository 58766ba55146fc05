"""Published parameters beside one date's calibration: explained, read, cross-checked."""

import pandas as pd

from xcoll.collateral import explanation
from xcoll.collateral.calibration.caps import markets
from xcoll.collateral.calibration.dated import Calibration
from xcoll.collateral.calibration.plan import pledged
from xcoll.collateral.haircuts import market
from xcoll.collateral.liquidity import HORIZONS
from xcoll.collateral.venues import Venues

__all__ = ["compare"]


def compare(
    today: Calibration, result: pd.DataFrame, debt_usd: pd.Series, venues: Venues
) -> pd.DataFrame:
    """Every listing at a venue: what makes its threshold differ from ours, and what it reads like.

    Parameters
    ----------
    today : Calibration
        Of one date.
    result : DataFrame
        By asset: bonus.
    debt_usd : Series
        Largest debt against each asset, dollars, for SmartLTV.
    venues : Venues
        Published parameters.

    Returns
    -------
    DataFrame
        Columns of `explanation.explain`, `explanation.readings` and `explanation.cross_check`.
        Ladders are those of the long run; SmartLTV takes the median volatility of a day.
    """
    setting, policy = today.setting, today.policy
    universe, followed = setting.universe, pledged(setting.universe)
    parts, posted = today.at_close_out(today.parts), today.at_close_out(today.haircuts["posted"])
    source = followed[parts.index].to_numpy()
    horizon = today.plan.droplevel("time").loc[parts.index, "horizon"]
    pegged = pd.Series(source, parts.index).isin(universe.stablecoins)
    rule = market.FALLS[policy.falls]
    fall = {
        kind: setting.multiples[kind].map(rule)[horizon].to_numpy() ** ~pegged.to_numpy()
        for kind in setting.multiples
    }
    explained = explanation.explain(
        parts, parts["market"] / fall["forecast"], posted, result["bonus"], policy.governance,
        venues, universe.stablecoins,
    )  # fmt: skip
    after = (
        today.estimates["long_run"]
        .droplevel("time")
        .unstack("horizon")[list(HORIZONS)]
        .loc[source]
        .set_axis(parts.index)
    )
    calm = after / setting.multiples["long_run"].map(rule)[list(HORIZONS)]
    calm = calm.where(~pegged, after)
    moving = setting.moving(today.now)
    day = market.long_run(moving, policy.tail)
    known = [asset for asset, moves in (~pegged).items() if moves]
    own = after.to_numpy()[range(len(after)), [HORIZONS.index(h) for h in horizon]]
    scale = pd.Series(own, parts.index)[known] / day[followed[known]].to_numpy()
    reads = explanation.readings(
        explained, {"after a fall": after, "all bars": calm},
        market.losses(moving, policy.tail, moving.day), scale, policy.tail,
        followed,
    )  # fmt: skip
    sold = markets(today)
    depth = pd.Series(
        [sold[row.asset].largest(row.bonus) for row in explained.itertuples()], explained.index
    )
    known = setting.history.until(today.now)
    sigma = known.volatility.median()[followed].set_axis(followed.index) * known.day**0.5
    smart = explanation.cross_check(explained, sigma, depth, debt_usd)
    return explained.join(reads).join(smart)
