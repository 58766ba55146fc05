"""From what is known of each asset to one consistent set of parameters, asset by asset.

    close_outs     how long and how costly it is to close a position
    other_parts    the parts of the haircut besides the market
    tails          the market's losses, by asset and horizon
    dynamic        the haircut as it follows today's volatility
    parameters     haircut, threshold, LTV and bonus with their intervals
    debt_pairs     thresholds against a volatile debt
    against_venues what venues publish beside ours

A derived token has no prices: it borrows the market loss of its underlying and adds its basis.
Frames by asset have the symbols of `pledged(universe)` as index; frames by asset and horizon have
both.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import haircuts, liquidity, thresholds
from xcoll.collateral.universe import Universe
from xcoll.collateral.venues import Venues
from xcoll.errors import ParameterError
from xcoll.estimators import excursion, tail, volatility

__all__ = [
    "against_venues",
    "close_outs",
    "debt_pairs",
    "dynamic",
    "expected_shortfall",
    "other_parts",
    "parameters",
    "pledged",
    "ratio_losses",
    "tails",
]

DAY = pd.Timedelta("1D")


def pledged(universe: Universe) -> pd.Series:
    """Every symbol that may be pledged, and the symbol whose prices it follows."""
    symbols = universe.collateral + [
        symbol for symbol in universe.derived if "collateral" in universe.assets[symbol].roles
    ]
    followed = {symbol: universe.assets[symbol].underlying or symbol for symbol in symbols}
    return pd.Series(followed, name="followed").rename_axis("asset")


def close_outs(
    universe: Universe,
    sigma_day: pd.Series,
    position_usd: float,
    participation: float,
    oracle_wait: str,
) -> pd.DataFrame:
    """Close-out of a position in each asset: its time, part by part, and its price impact.

    Parameters
    ----------
    universe : Universe
        Volumes, depth, oracles and chains.
    sigma_day : Series
        Volatility of a bad day by asset with prices, fractions.
    position_usd, participation : float
        Position in dollars, and the share of a day's volume that can be sold.
    oracle_wait : str
        Longest wait for a price in a fall.  A heartbeat under it counts as it is; a longer one is
        cut by the push that a move beyond the deviation band triggers.

    Returns
    -------
    DataFrame
        By asset: position_usd (cut to what clears in a day), oracle, queue, finality, total
        (durations), horizon (the one that covers the total), impact (fraction, stressed depth).
    """
    longest = checks.duration("oracle wait", oracle_wait)
    rows = {}
    for symbol, followed in pledged(universe).items():
        asset, volume = universe.assets[symbol], universe.assets[followed].liquidity.adv_usd
        wait = min(pd.Timedelta(asset.oracle.heartbeat), longest)
        finality = pd.Timedelta(universe.chains[asset.chain].finality)
        plan = liquidity.close_out(position_usd, volume, participation, wait, finality)
        market = liquidity.stressed_market(asset, sigma_day[followed], universe.stress)
        rows[symbol] = {**vars(plan), "impact": market.impact(plan.position_usd)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("asset")


def other_parts(
    universe: Universe, impact: pd.Series, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Parts of the haircut by asset, `haircuts.PARTS`, with a market part of 0."""
    assets = universe.assets
    return pd.DataFrame(
        {
            symbol: {
                "market": 0.0,
                "liquidity": impact[symbol],
                "oracle": assets[symbol].oracle.deviation,
                "basis": haircuts.basis_loss(assets[symbol].basis, confidence, rng)
                if assets[symbol].basis
                else 0.0,
                "contract": haircuts.contract_addon(assets[symbol].contract).sum(),
            }
            for symbol in pledged(universe).index
        }
    ).T.rename_axis("asset")


def tails(close_out: pd.DataFrame, universe: Universe, confidence: float) -> pd.DataFrame:
    """Losses of a close-out by asset and horizon, those of a derived token being its underlying's.

    Parameters
    ----------
    close_out : DataFrame
        Columns asset, horizon, confidence, es, es_trigger, es_low, es_high, scaled: ES over all
        bars and over those after a fall (NaN where there were too few), its interval, whether it
        is scaled from a longer horizon.

    Raises
    ------
    ParameterError
        The confidence was not estimated, or an asset is missing.
    """
    known = close_out[close_out["confidence"] == confidence].set_index(["asset", "horizon"])
    followed = pledged(universe)
    index = pd.MultiIndex.from_product(
        [followed.index, liquidity.HORIZONS], names=["asset", "horizon"]
    )
    wanted = pd.MultiIndex.from_arrays(
        [followed[index.get_level_values("asset")], index.get_level_values("horizon")]
    )
    missing = wanted.difference(known.index)
    if len(missing):
        raise ParameterError(
            f"no close-out loss at confidence {confidence:g} for {missing.tolist()[:3]}; "
            f"known are {sorted(close_out['confidence'].unique().tolist())}"
        )
    return known.loc[wanted].set_axis(index)[["es", "es_trigger", "es_low", "es_high", "scaled"]]


def dynamic(day_es: pd.DataFrame, other: pd.DataFrame, universe: Universe) -> pd.DataFrame:
    """Haircut that follows the market part of each day.

    Parameters
    ----------
    day_es : DataFrame
        time × asset with prices: ES of the close-out loss over one day, forecast at the time.
    other : DataFrame
        Parts besides the market, from `other_parts`.
    universe : Universe
        Says which asset is followed and how losses scale inside the day.

    Returns
    -------
    DataFrame
        time × (asset, horizon); assets without a forecast are left out.
    """
    followed = pledged(universe)
    kept = 1.0 - haircuts.haircut(other)
    return pd.concat(
        {
            (symbol, horizon): 1.0
            - (1.0 - universe.intraday.share(horizon) * day_es[source]) * kept[symbol]
            for symbol, source in followed.items()
            if source in day_es
            for horizon in liquidity.HORIZONS
        },
        axis=1,
        names=["asset", "horizon"],
    )


def parameters(
    parts: pd.DataFrame,
    interval: pd.DataFrame,
    floor: pd.Series,
    bonus: pd.Series,
    week: pd.Series,
    governance: haircuts.Governance,
) -> pd.DataFrame:
    """The consistent set by asset and horizon, rounded, with unrounded intervals.

    Every result is monotone in the market part, so the ends of its interval give theirs.

    Parameters
    ----------
    parts : DataFrame
        By asset and horizon, columns `haircuts.PARTS`.
    interval : DataFrame
        On that index: ``low`` and ``high`` ends of the market part as multiples of it.
    floor : Series
        On that index: haircut that the anti-procyclical rule posts today; 0 where there is none.
    bonus, week : Series
        By asset: LB, and the loss over the closure period that sets the LTV (followed asset's).
    governance : Governance
        Gives the tick: haircuts are rounded up, thresholds and LTV down.

    Returns
    -------
    DataFrame
        haircut, threshold (a keeper sells), threshold_venue (the venue sells), ltv, each also with
        ``_low`` and ``_high``, and bonus.
    """
    assets = parts.index.get_level_values("asset")
    LB = bonus.loc[assets].set_axis(parts.index)
    q = week.loc[assets].set_axis(parts.index)
    ends = {"": 1.0, "_low": interval["low"], "_high": interval["high"]}
    found = {}
    for end, multiple in ends.items():
        estimate = parts.assign(market=parts["market"] * multiple)
        total = np.maximum(haircuts.haircut(estimate), floor)
        final = haircuts.with_posted(estimate, total)
        # a low loss is a high threshold
        mirror = {"_low": "_high", "_high": "_low"}.get(end, "")
        LT = thresholds.threshold(final, LB, "keeper")
        found["haircut" + end] = total
        found["threshold" + mirror] = LT
        found["threshold_venue" + mirror] = thresholds.threshold(final, LB, "venue")
        found["ltv" + mirror] = thresholds.loan_to_value(LT, q)
    rounded = {"haircut": governance.up} | dict.fromkeys(
        ("threshold", "threshold_venue", "ltv"), governance.down
    )
    columns = [name + end for name in rounded for end in ends]
    rounding = {name: rule(found[name]) for name, rule in rounded.items()}
    return pd.DataFrame(found | rounding)[columns].assign(bonus=LB)


def expected_shortfall(losses: pd.DataFrame, confidence: float) -> pd.Series:
    """ES of each column of time × asset losses; NaN rows are left out, NaN for an empty column."""
    known = {asset: losses[asset].dropna() for asset in losses}
    return pd.Series(
        {
            asset: tail.historical(sample, confidence).es if len(sample) else np.nan
            for asset, sample in known.items()
        },
        name="es",
    )


def ratio_losses(
    log_returns: pd.DataFrame,
    debt: str,
    donors: tuple[excursion.Donor, excursion.Donor],
    pegged: Sequence[str],
    bars: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Close-out losses of each collateral's price in units of a debt that moves, ``P_i / P_j``.

    The ratio's low inside a bar is modelled: the donor's excess in units of the ratio's own EWMA
    volatility.  With a pegged collateral the ratio falls when the debt rises, so it takes the
    mirrored donor, whose low is a high.

    Parameters
    ----------
    log_returns : DataFrame
        time × asset, the debt among them.
    debt : str
        Asset owed.
    donors : pair of Donor
        The donor, and its mirror.
    pegged : sequence of str
        Collaterals with a peg.
    bars : int
        Horizon.
    rng : Generator
        Source of the matched draws.

    Returns
    -------
    DataFrame
        time × collateral, stamped at the decision; the debt itself is left out.
    """
    ratio = log_returns.sub(log_returns[debt], axis=0).drop(columns=debt)
    sigma = volatility.ewma(ratio)
    still = ratio.columns.isin(list(pegged))
    low = [
        excursion.excursions(
            ratio.loc[:, group], sigma.loc[:, group], None, donor, "donor", rng
        ).low
        for donor, group in zip(donors, (~still, still), strict=True)
    ]
    return tail.close_out_losses(ratio, pd.concat(low, axis=1)[ratio.columns], bars)


def debt_pairs(market: pd.DataFrame, other: pd.DataFrame, bonus: pd.Series) -> pd.DataFrame:
    """Thresholds LT_ij of collateral i against debt j, where both feeds may be stale.

    Parameters
    ----------
    market : DataFrame
        collateral × debt: market part of the ratio of their prices; NaN where both are the same.
    other : DataFrame
        Parts besides the market, by asset.
    bonus : Series
        LB by asset.

    Returns
    -------
    DataFrame
        On the shape of `market`, unrounded; NaN stays.
    """
    found = {}
    for debt in market:
        part = market[debt].dropna()
        parts = other.loc[part.index]
        stale = 1.0 - (1.0 - parts["oracle"]) * (1.0 - other.loc[debt, "oracle"])
        found[debt] = thresholds.threshold(parts.assign(market=part, oracle=stale), bonus)
    return pd.DataFrame(found, index=market.index).rename_axis("asset")


def against_venues(result: pd.DataFrame, venues: Venues) -> pd.DataFrame:
    """Every venue's published threshold beside ours, in the regime of that venue.

    Parameters
    ----------
    result : DataFrame
        By asset: threshold (a keeper sells) and threshold_venue (the venue sells).
    venues : Venues
        Published parameters; tokens that are no asset of `result` are left out.

    Returns
    -------
    DataFrame
        venue, regime, token, asset, published, ours, difference (ours less published), warning.
    """
    ours = {"keeper": result["threshold"], "venue": result["threshold_venue"]}
    listed = venues.frame()
    listed = listed[listed["symbol"].isin(result.index)].reset_index(drop=True)
    listed = listed.rename(columns={"threshold": "published", "symbol": "asset"})
    listed["ours"] = [ours[row.regime][row.asset] for row in listed.itertuples()]
    listed["difference"] = listed["ours"] - listed["published"]
    return listed[
        ["venue", "regime", "token", "asset", "published", "ours", "difference", "warning"]
    ]
