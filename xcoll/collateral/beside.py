"""Published parameters beside one date's calibration: explained, read, cross-checked."""

import pandas as pd

from xcoll.collateral import explanation
from xcoll.collateral.calibration import Calibration, pledged
from xcoll.collateral.caps import markets
from xcoll.collateral.haircuts import market
from xcoll.collateral.liquidity import HORIZONS
from xcoll.collateral.policy import Policy
from xcoll.collateral.setting import Setting
from xcoll.collateral.venues import Venues
from xcoll.market.returns import bars_in

__all__ = ["compare"]


def compare(
    setting: Setting,
    table: pd.DataFrame,
    study: Calibration,
    policy: Policy,
    result: pd.DataFrame,
    debt_usd: pd.Series,
    venues: Venues,
) -> pd.DataFrame:
    """Every listing at a venue: what makes its threshold differ from ours, and what it reads like.

    Parameters
    ----------
    setting, table, study, policy
        Of one date; `table` has its estimates, index asset and horizon.
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
    universe, followed = setting.universe, pledged(setting.universe)
    now = study.on()
    parts = now.parts[now.covering].droplevel(["time", "horizon"])
    posted = now.haircuts.loc[now.covering, "posted"].droplevel(["time", "horizon"])
    source = followed[parts.index].to_numpy()
    horizon = now.plan.droplevel("time").loc[parts.index, "horizon"]
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
    after = table["long_run"].unstack("horizon")[list(HORIZONS)].loc[source].set_axis(parts.index)
    calm = after / setting.multiples["long_run"].map(rule)[list(HORIZONS)]
    calm = calm.where(~pegged, after)
    day = market.long_run(setting.moving, policy.tail)
    known = [asset for asset, moves in (~pegged).items() if moves]
    own = after.to_numpy()[range(len(after)), [HORIZONS.index(h) for h in horizon]]
    scale = pd.Series(own, parts.index)[known] / day[followed[known]].to_numpy()
    reads = explanation.readings(
        explained, {"after a fall": after, "all bars": calm},
        market.losses(setting.moving, policy.tail, setting.history.day), scale, policy.tail,
        followed,
    )  # fmt: skip
    sold = markets(setting, table, study, policy)
    depth = pd.Series(
        [sold[row.asset].largest(row.bonus) for row in explained.itertuples()], explained.index
    )
    bars = bars_in("1D", setting.history.bar)
    sigma = setting.history.volatility.median()[followed].set_axis(followed.index) * bars**0.5
    smart = explanation.cross_check(explained, sigma, depth, debt_usd)
    return explained.join(reads).join(smart)
