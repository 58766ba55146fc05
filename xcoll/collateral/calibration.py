"""From what is known of each asset to one consistent set of parameters, asset by asset.

    close_outs     how long and how costly it is to close a position
    other_parts    the parts of the haircut besides the market
    tails          the market's losses, by asset and horizon
    all_parts      both together
    covering       what belongs to the horizon of each close-out
    dynamic        the haircut as it follows today's volatility
    parameters     haircut, threshold, LTV and bonus with their intervals
    by_horizon     thresholds side by side

A derived token has no prices: it borrows the market loss of its underlying and adds its basis.
Frames by asset have the symbols of `pledged(universe)` as index; frames by asset and horizon have
both.
"""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import haircuts, liquidity, thresholds
from xcoll.collateral.governance import Governance
from xcoll.collateral.universe import Asset, Universe
from xcoll.errors import ParameterError
from xcoll.market.prices import bar_length
from xcoll.market.returns import bars_in

__all__ = [
    "all_parts",
    "bonuses",
    "by_horizon",
    "close_outs",
    "covering",
    "covers",
    "dynamic",
    "other_parts",
    "parameters",
    "parts_of",
    "pledged",
    "tails",
]

HOUR = pd.Timedelta("1h")
MARKET = {"larger": ["es", "es_trigger"], "all bars": ["es"], "after a fall": ["es_trigger"]}


def pledged(universe: Universe) -> pd.Series:
    """Every symbol that may be pledged, and the symbol whose prices it follows."""
    symbols = universe.collateral + [
        symbol for symbol in universe.derived if "collateral" in universe.assets[symbol].roles
    ]
    followed = {symbol: universe.assets[symbol].underlying or symbol for symbol in symbols}
    return pd.Series(followed, name="followed").rename_axis("asset")


def close_outs(
    universe: Universe,
    sigma: pd.DataFrame,
    position_usd: float,
    participation: float,
    oracle_wait: str,
) -> pd.DataFrame:
    """Close-out of a position in each asset: its time, part by part, and its price impact.

    Parameters
    ----------
    universe : Universe
        Volumes, depth, oracles and chains.
    sigma : DataFrame
        time × asset with prices: forecast volatility of a bar; its 95th percentile is a bad one.
    position_usd, participation : float
        Position in dollars, and the share of a day's volume that can be sold.
    oracle_wait : str
        Longest wait for a price in a fall.  A heartbeat under it counts as it is; a longer one is
        cut by the push that a move beyond the deviation band triggers.

    Returns
    -------
    DataFrame
        By asset: position_usd (cut to what clears in a day), oracle, queue, finality, total
        (hours), horizon (the one that covers the total), impact (fraction, stressed depth),
        reserve (dollars a year for what goes to zero at once; NaN where no hazard is stated).
    """
    longest = checks.duration("oracle wait", oracle_wait)
    bad_day = sigma.quantile(0.95) * bars_in("1D", bar_length(sigma.index)) ** 0.5
    rows = {}
    for symbol, followed in pledged(universe).items():
        asset, volume = universe.assets[symbol], universe.assets[followed].liquidity.adv_usd
        wait = min(pd.Timedelta(asset.oracle.heartbeat), longest)
        finality = pd.Timedelta(universe.chains[asset.chain].finality)
        plan = liquidity.close_out(position_usd, volume, participation, wait, finality)
        market = liquidity.stressed_market(asset, bad_day[followed], universe.stress)
        hours = {
            part: getattr(plan, part) / HOUR for part in ("oracle", "queue", "finality", "total")
        }
        rows[symbol] = {
            "position_usd": plan.position_usd,
            **hours,
            "horizon": plan.horizon,
            "impact": market.impact(plan.position_usd),
            "reserve": _reserve(asset, plan.position_usd),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("asset")


def _reserve(asset: Asset, position_usd: float) -> float:
    if asset.failure is None:
        return np.nan
    return haircuts.failure_reserve(asset.failure.hazard, asset.failure.loss, position_usd)


def covering(frame: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Rows of an asset × horizon frame at the horizon of each asset's close-out, by asset."""
    return frame[covers(frame, plan)].droplevel("horizon")


def covers(frame: pd.DataFrame, plan: pd.DataFrame) -> pd.Series:
    """Whether a row of an asset × horizon frame is at the horizon of the asset's close-out."""
    wanted = pd.MultiIndex.from_arrays([plan.index, plan["horizon"]])
    return pd.Series(frame.index.isin(wanted), frame.index, name="covering")


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


def all_parts(tails: pd.DataFrame, other: pd.DataFrame, market: str) -> pd.DataFrame:
    """Parts of the haircut by asset and horizon.

    Parameters
    ----------
    tails : DataFrame
        Losses from `tails`.
    other : DataFrame
        Parts besides the market, from `other_parts`.
    market : {"larger", "all bars", "after a fall"}
        Whose ES is the market part.
    """
    chosen = MARKET[checks.one_of("market", market, MARKET)]
    parts = other.loc[tails.index.get_level_values("asset")].set_axis(tails.index)
    return parts.assign(market=tails[chosen].max(axis=1))


def parts_of(waterfall: pd.DataFrame) -> pd.DataFrame:
    """Parts by asset and horizon back from the rows that `haircuts.long` made."""
    wide = waterfall.pivot_table(index=["asset", "horizon"], columns="part", values="value")
    return haircuts.check_parts(wide.rename_axis(columns=None))


def dynamic(
    forecasts: pd.DataFrame,
    ranking: pd.DataFrame,
    other: pd.DataFrame,
    universe: Universe,
    confidence: float,
    day: int,
) -> pd.DataFrame:
    """Haircut that follows the market part of each day, by the method that the ranking uses.

    Parameters
    ----------
    forecasts : DataFrame
        Rows: time, asset, method, loss, confidence, bars, es; of the ``close_out`` loss over a
        day those of the method in use are taken.
    ranking : DataFrame
        Rows: loss, confidence, bars, method, used.
    other : DataFrame
        Parts besides the market, from `other_parts`.
    universe : Universe
        Says which asset is followed and how losses scale inside the day.
    confidence : float
        Level of the ES.
    day : int
        Bars of a day.

    Returns
    -------
    DataFrame
        time × (asset, horizon); assets without a forecast and pegged ones, whose tail is a jump
        off the peg and not a matter of today's volatility, are left out.
    """
    wanted = {"loss": "close_out", "confidence": confidence, "bars": day}
    cases = (ranking[list(wanted)] == pd.Series(wanted)).all(axis=1)
    method = ranking.loc[cases & ranking["used"], "method"]
    if method.empty:
        raise ParameterError(f"no tail forecast with {wanted}; estimate it in 04 first")
    wanted["method"] = method.iloc[0]
    rows = forecasts[(forecasts[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    es = rows.pivot_table(index="time", columns="asset", values="es")
    es = es.drop(columns=universe.stablecoins, errors="ignore")
    kept = 1.0 - haircuts.haircut(other)
    return pd.concat(
        {
            (symbol, horizon): 1.0
            - (1.0 - universe.intraday.share(horizon) * es[source]) * kept[symbol]
            for symbol, source in pledged(universe).items()
            if source in es
            for horizon in liquidity.HORIZONS
        },
        axis=1,
        names=["asset", "horizon"],
    )


def bonuses(
    impact: pd.Series,
    keeper_margin: float,
    gas_share: float,
    protocol_fee: float,
    governance: Governance,
) -> pd.Series:
    """`thresholds.keeper_bonus` by asset, rounded up to the tick."""
    smallest = {
        asset: thresholds.keeper_bonus(loss, keeper_margin, gas_share, protocol_fee)
        for asset, loss in impact.items()
    }
    return governance.up(pd.Series(smallest, name="bonus").rename_axis("asset"))


def parameters(
    parts: pd.DataFrame,
    tails: pd.DataFrame,
    floor: pd.Series,
    bonus: pd.Series,
    week: pd.Series,
    universe: Universe,
    governance: Governance,
) -> pd.DataFrame:
    """The consistent set by asset and horizon with its intervals, rounded to the tick.

    Every result is monotone in the market part, so the ends of its interval give theirs.  The
    interval of an ES over all bars is carried, in proportion, to an ES after a fall.

    Parameters
    ----------
    parts, tails : DataFrame
        By asset and horizon, from `all_parts` and `tails`.
    floor : Series
        On that index: haircut that the anti-procyclical rule posts today; 0 where there is none.
    bonus : Series
        LB by asset.
    week : Series
        Loss over the closure period that sets the LTV, by asset with prices.
    universe : Universe
        Says which asset is followed.
    governance : Governance
        Gives the tick: haircuts are rounded up, thresholds and LTV down.

    Returns
    -------
    DataFrame
        haircut, threshold (a keeper sells), threshold_venue (the venue sells), ltv, each also with
        ``_low`` and ``_high``; bonus, scaled (from a longer horizon), modelled (a derived token).
    """
    assets = parts.index.get_level_values("asset")
    LB = bonus.loc[assets].set_axis(parts.index)
    q = week.loc[pledged(universe)[assets]].set_axis(parts.index)
    found = {}
    for end, estimate in {"": "es", "_low": "es_low", "_high": "es_high"}.items():
        scaled = parts.assign(market=parts["market"] * tails[estimate] / tails["es"])
        total = np.maximum(haircuts.haircut(scaled), floor)
        final = haircuts.with_posted(scaled, total)
        mirror = {"_low": "_high", "_high": "_low"}.get(end, "")  # a low loss, a high threshold
        found["haircut" + end] = total
        LT = governance.down(thresholds.threshold(final, LB, "keeper"))
        venue = governance.down(thresholds.threshold(final, LB, "venue"))
        found["haircut" + end] = governance.up(total)
        found["threshold" + mirror] = LT
        found["threshold_venue" + mirror] = venue
        found["ltv" + mirror] = governance.down(thresholds.loan_to_value(LT, q))
    names = ("haircut", "threshold", "threshold_venue", "ltv")
    columns = [name + end for name in names for end in ("", "_low", "_high")]
    return pd.DataFrame(found)[columns].assign(
        bonus=LB, scaled=tails["scaled"], modelled=assets.isin(universe.derived)
    )


def by_horizon(
    parts: pd.DataFrame, tails: pd.DataFrame, bonus: pd.Series, governance: Governance
) -> pd.DataFrame:
    """Thresholds of the keeper regime, by asset: after a fall counted, then on all bars alone."""
    LB = bonus.loc[parts.index.get_level_values("asset")].set_axis(parts.index)
    columns = {}
    for suffix, estimate in {"": parts, " (all bars)": parts.assign(market=tails["es"])}.items():
        levels = governance.down(thresholds.threshold(estimate, LB))
        for horizon in liquidity.HORIZONS:
            columns[horizon + suffix] = levels.xs(horizon, level="horizon")
    return pd.DataFrame(columns).sort_values(liquidity.HORIZONS[-1], ascending=False)
