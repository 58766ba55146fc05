"""Why a venue's published threshold is not ours, step by step, and what loss it has room for.

    keeper regime   LT = (1 − market)(1 − oracle)(1 − basis)(1 − contract) / (1 + LB)
    venue regime    LT = (1 − market)(1 − oracle)(1 − basis)(1 − contract)(1 − liquidity)

Of a published threshold only the bonus is known, so it is read as ``LT = (1 − room)/(1 + LB)``: all
that it leaves is room for the market.  Each of our steps has a ratio, published over ours, and
their product is the ratio of the thresholds; step k is given ``L(a, b)·ln(ratio_k)`` of the
difference a − b, with ``L = (a − b)/ln(a/b)`` (the logarithmic mean: Ang 2005, LMDI).  That sums to
the difference exactly and in any order.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from xcoll import checks
from xcoll.collateral import haircuts, thresholds
from xcoll.collateral.comparison import against_venues
from xcoll.collateral.governance import Governance
from xcoll.collateral.haircuts.market import Tail, figures
from xcoll.collateral.venues import Venues
from xcoll.errors import DataError, ParameterError

__all__ = ["STEPS", "cross_check", "explain", "logarithmic_mean", "readings"]

STEPS = (
    "sale",
    "falls",
    "horizon and confidence",
    "oracle",
    "basis",
    "contract",
    "anti-procyclical",
    "rounding",
)


def logarithmic_mean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(a − b)/ln(a/b)``, and a where both are equal; both above zero."""
    x = np.log(a / b)
    near = np.abs(x) < 1e-8  # to second order, where the quotient loses its digits
    return np.where(near, np.sqrt(a * b), (a - b) / np.where(near, 1.0, x))


def explain(
    parts: pd.DataFrame,
    all_bars: pd.Series,
    posted: pd.Series,
    bonus: pd.Series,
    governance: Governance,
    venues: Venues,
    pegged: Sequence[str],
) -> pd.DataFrame:
    """Every venue's published threshold beside ours, and what the difference is made of.

    Parameters
    ----------
    parts : DataFrame
        Index asset, columns `haircuts.PARTS`, at the horizon of each close-out.
    all_bars : Series
        Market part had the loss after a fall not counted, by asset.
    posted : Series
        Unrounded haircut that is in force, by asset, not under ``haircut(parts)``.
    bonus : Series
        Our LB by asset.
    governance : Governance
        Gives the tick; thresholds are rounded down to it.
    venues, pegged
        As in `comparison.against_venues`.

    Returns
    -------
    DataFrame
        venue, regime, token, asset, ltv, published, bonus (the venue's), ours, difference
        (published less ours), `STEPS` (which sum to it: what the venue gives up raises its
        threshold), room, the loss at which the published threshold and bonus break even, and
        market, ours over the close-out.  The step "sale" is our bonus against the venue's; where
        the venue sells for itself, our liquidity part against the discount that it sells at.

    Raises
    ------
    DataError
        An asset without all_bars, posted or bonus.
    ParameterError
        A part outside [0, 1], a posted haircut under that of the parts, a threshold of zero.
    """
    parts = haircuts.check_parts(parts)
    inputs = pd.DataFrame({"all_bars": all_bars, "posted": posted, "bonus": bonus})
    inputs = inputs.reindex(parts.index)
    if inputs.isna().any(axis=None):
        row, column = np.argwhere(inputs.isna().to_numpy())[0]
        raise DataError(f"no {inputs.columns[column]} for {parts.index[row]}; give every asset its")
    raw = haircuts.haircut(parts)
    for asset, loss in inputs["all_bars"].items():
        checks.fraction(f"all_bars of {asset}", loss, closed=True)
    under = inputs["posted"] < raw - 1e-12
    if under.any():
        raise ParameterError(
            f"the posted haircut of {under.idxmax()} is under that of its parts; "
            "give the unrounded one that is in force"
        )
    final = haircuts.with_posted(parts, inputs["posted"])
    exact = {r: thresholds.threshold(final, inputs["bonus"], r) for r in thresholds.REGIMES}
    names = {"keeper": "threshold", "venue": "threshold_venue"}
    ours = pd.DataFrame({names[r]: governance.down(LT) for r, LT in exact.items()})
    table = against_venues(ours, venues, pegged).drop(columns="warning")
    table["difference"] = table["published"] - table["ours"]
    keys = ["venue", "token"]
    known = venues.frame().set_index(keys)[["ltv", "bonus"]]
    table = table.join(known, on=keys)
    if (table[["published", "ours"]] <= 0.0).any(axis=None):
        bad = table[(table[["published", "ours"]] <= 0.0).any(axis=1)].iloc[0]
        raise ParameterError(
            f"a threshold of {bad['asset']} at {bad['venue']} is zero; leave it out"
        )
    own, given = parts.loc[table["asset"]], inputs.loc[table["asset"]]
    keeper = (table["regime"] == "keeper").to_numpy()
    unrounded = np.where(keeper, exact["keeper"][table["asset"]], exact["venue"][table["asset"]])
    sale = np.where(keeper, 1.0 / (1.0 + given["bonus"]), 1.0 - own["liquidity"])
    after_fall = (1.0 - own["market"]).to_numpy()
    every = (1.0 - given["all_bars"]).to_numpy()
    kept = (table["published"] * (1.0 + table["bonus"])).to_numpy()
    ratios = {
        "sale": 1.0 / (1.0 + table["bonus"].to_numpy()) / sale,
        "falls": every / after_fall,
        "horizon and confidence": kept / every,
        **{part: 1.0 / (1.0 - own[part].to_numpy()) for part in ("oracle", "basis", "contract")},
        "anti-procyclical": ((1.0 - raw) / (1.0 - inputs["posted"])).loc[table["asset"]].to_numpy(),
        "rounding": unrounded / table["ours"].to_numpy(),
    }
    mean = logarithmic_mean(table["published"].to_numpy(), table["ours"].to_numpy())
    steps = pd.DataFrame({step: mean * np.log(ratios[step]) for step in STEPS}, table.index)
    first = ["venue", "regime", "token", "asset", "ltv", "published", "bonus", "ours", "difference"]
    return table[first].join(steps).assign(room=1.0 - kept, market=1.0 - after_fall)


def readings(
    explained: pd.DataFrame,
    ladders: Mapping[str, pd.DataFrame],
    losses: Sequence[pd.DataFrame],
    scale: pd.Series,
    of: Tail,
    followed: pd.Series,
) -> pd.DataFrame:
    """At which horizon, and at which confidence, we would say what a published threshold says.

    Parameters
    ----------
    explained : DataFrame
        From `explain`.
    ladders : mapping
        Name of a market part ("after a fall", "all bars") → asset × horizon, rising with the
        horizon.
    losses : sequence of DataFrame
        Losses of a day, time × asset with prices, one frame a draw of the lows; assets without
        (pegged ones) get no confidence.
    scale : Series
        Market part of our close-out over that of a day on all bars, by asset: what turns a loss
        of a day into one of the close-out.
    of : Tail
        Measure whose confidence is asked for.
    followed : Series
        Asset → the asset whose prices it follows.

    Returns
    -------
    DataFrame on the index of `explained`
        ``hours, <name>`` for each ladder, the horizon at which its market part is the room,
        interpolated in logarithms; 0 where the room is under that of the shortest, infinite
        where it is beyond the longest; confidence, at which the figure over our close-out is the
        room; NaN where no confidence gives it; and reads, both in words.
    """
    hours = {}
    for name, ladder in ladders.items():
        x = np.log([pd.Timedelta(h) / pd.Timedelta("1h") for h in ladder])
        if not (np.diff(x) > 0.0).all():
            raise ParameterError(f"horizons {list(ladder)} of {name!r} must rise")
        found = []
        for row in explained.itertuples():
            y = ladder.loc[row.asset].to_numpy(dtype=float)
            if not (y > 0.0).all() or not (np.diff(y) >= 0.0).all():
                raise DataError(
                    f"the market part {name!r} of {row.asset} does not rise with the horizon: {y}"
                )
            inside = y[0] <= row.room <= y[-1]
            outside = 0.0 if row.room < y[0] else np.inf
            found.append(np.exp(np.interp(np.log(row.room), np.log(y), x)) if inside else outside)
        hours[f"hours, {name}"] = found
    table = pd.DataFrame(hours, explained.index)
    table["confidence"] = [
        _confidence(
            [frame[followed[row.asset]] for frame in losses], row.room / scale[row.asset], of
        )
        if followed[row.asset] in losses[0]
        else np.nan
        for row in explained.itertuples()
    ]
    table["reads"] = [
        ", ".join(_words(row[f"hours, {name}"], ladder, name) for name, ladder in ladders.items())
        + (
            ""
            if np.isnan(row["confidence"])
            else f"; {of.measure.upper()} {100 * row['confidence']:.1f} %"
        )
        for _, row in table.iterrows()
    ]
    return table


def cross_check(
    explained: pd.DataFrame,
    sigma_day: pd.Series,
    liquidity_usd: pd.Series,
    cap_usd: pd.Series,
    confidence: float = 3.0,
) -> pd.DataFrame:
    """SmartLTV beside the published set: ``exp(−c·σ/√(l/d)) − β`` with the venue's bonus β.

    Parameters
    ----------
    explained : DataFrame
        From `explain`.
    sigma_day : Series
        Volatility of a day, by asset.
    liquidity_usd : Series
        Dollars that can be sold at a price impact of the bonus, by row of `explained`; where it
        is 0, so is SmartLTV.
    cap_usd : Series
        Largest debt, dollars, by asset.
    confidence : float
        c; 3 in the worked example of B.Protocol's SmartLTV (RiskDAO 2023).

    Returns
    -------
    DataFrame on the index of `explained`
        liquidity_usd, cap_usd, sigma, smart_ltv.
    """
    checks.positive("confidence factor", confidence)
    table = pd.DataFrame(
        {
            "liquidity_usd": liquidity_usd.loc[explained.index],
            "cap_usd": cap_usd.loc[explained["asset"]].to_numpy(),
            "sigma": sigma_day.loc[explained["asset"]].to_numpy(),
        }
    )
    # nothing can be sold at the price of the bonus: the limit of the formula
    smart = [
        thresholds.smart_ltv(row.sigma, row.liquidity_usd, row.cap_usd, confidence, bonus)
        if row.liquidity_usd > 0.0
        else 0.0
        for row, bonus in zip(table.itertuples(), explained["bonus"], strict=True)
    ]
    return table.assign(smart_ltv=smart)


def _confidence(losses: Sequence[pd.Series], room: float, of: Tail) -> float:
    samples = np.column_stack([frame.dropna().to_numpy() for frame in losses])

    def beyond(level: float) -> float:
        at = Tail(level, of.measure, of.loss)
        return float(figures(samples, at).mean()) - room

    ends = (1e-6, 1.0 - 1.0 / (2.0 * len(samples)))
    if beyond(ends[0]) > 0.0 or beyond(ends[1]) < 0.0:
        return np.nan
    return float(brentq(beyond, *ends, xtol=1e-9))


def _words(hours: float, ladder: pd.DataFrame, name: str) -> str:
    if hours == 0.0:
        return f"under {ladder.columns[0]} {name}"
    return f"over {ladder.columns[-1]} {name}" if np.isinf(hours) else f"{hours:.2g}h {name}"
