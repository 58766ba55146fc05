"""Ours beside what venues publish, and what is worth a proposal."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll.collateral.addons import Addons
from xcoll.collateral.governance import Governance
from xcoll.collateral.liquidity import HORIZONS
from xcoll.collateral.schema import Sourced
from xcoll.collateral.universe import Universe
from xcoll.collateral.venues import Venues
from xcoll.errors import ParameterError

__all__ = ["against_venues", "assumptions", "other_readings", "recommend", "turned"]

PARAMETERS = ("threshold", "ltv")


def against_venues(result: pd.DataFrame, venues: Venues, pegged: Sequence[str]) -> pd.DataFrame:
    """Every venue's published threshold beside ours, in the regime of that venue.

    Parameters
    ----------
    result : DataFrame
        By asset: threshold (a keeper sells) and threshold_venue (the venue sells).
    venues : Venues
        Published parameters.  Tokens that are no asset of `result` are left out, and so are
        venues whose base asset moves (ours are thresholds against a dollar) or whose terms are
        found by an auction or a tier (`Venue.fixed_terms`).
    pegged : sequence of str
        Symbols with a peg.

    Returns
    -------
    DataFrame
        venue, regime, token, asset, published, ours, difference (ours less published), warning.
    """
    ours = {"keeper": result["threshold"], "venue": result["threshold_venue"]}
    listed = venues.frame()
    alike = [
        key
        for key, venue in venues.venues.items()
        if venue.fixed_terms and venue.base in (None, *pegged)
    ]
    listed = listed[listed["symbol"].isin(result.index) & listed["venue"].isin(alike)]
    listed = listed.rename(columns={"threshold": "published", "symbol": "asset"})
    listed["ours"] = [ours[row.regime][row.asset] for row in listed.itertuples()]
    listed["difference"] = listed["ours"] - listed["published"]
    return listed[
        ["venue", "regime", "token", "asset", "published", "ours", "difference", "warning"]
    ].reset_index(drop=True)


def recommend(
    result: pd.DataFrame, published: pd.DataFrame, governance: Governance
) -> pd.DataFrame:
    """What to change at one venue: nothing that lies inside its own interval.

    Parameters
    ----------
    result : DataFrame
        By asset: threshold and ltv, each with ``_low`` and ``_high``; market, the part that
        decides, and horizon.
    published : DataFrame
        By asset: token, threshold and ltv of today.
    governance : Governance
        Steps and delays that a change is bound to.

    Returns
    -------
    DataFrame
        asset, token, parameter, today, recommended, change, low, high, next (value after the first
        step), proposals, days (until the last one), why.  An LTV is recommended no higher than
        the recommended threshold.

    Raises
    ------
    ParameterError
        The venue publishes none of the assets.
    """
    assets = published.index.intersection(result.index)
    if assets.empty:
        raise ParameterError("the venue publishes no asset of this set; choose another venue")
    rows = []
    for parameter in PARAMETERS:
        ours = result.loc[assets]
        low, high = ours[f"{parameter}_low"], ours[f"{parameter}_high"]
        today = published.loc[assets, parameter]
        kept = today.between(low, high)
        rows.append(
            pd.DataFrame(
                {
                    "token": published.loc[assets, "token"],
                    "parameter": parameter,
                    "today": today,
                    "recommended": today.where(kept, ours[parameter]),
                    "low": low,
                    "high": high,
                    "why": _reason(parameter, kept, ours),
                }
            )
        )
    table = pd.concat(rows)
    ceiling = table.loc[table["parameter"] == "threshold", "recommended"]
    table["recommended"] = np.minimum(table["recommended"], ceiling.loc[table.index].to_numpy())
    change = (table["recommended"] - table["today"]).round(12)
    steps = governance.steps(change)
    days = (steps - 1.0).clip(lower=0.0) * (pd.Timedelta(governance.delay) / pd.Timedelta("1D"))
    first = table["today"] + change.clip(-governance.step, governance.step)
    table = table.assign(change=change, next=first, proposals=steps.astype(int), days=days)
    columns = ["token", "parameter", "today", "recommended", "change", "low", "high", "next"]
    return table[[*columns, "proposals", "days", "why"]].rename_axis("asset").reset_index()


def _reason(parameter: str, kept: pd.Series, ours: pd.DataFrame) -> list[str]:
    return [
        "today is inside the interval" if inside else _REASONS[parameter](row)
        for inside, row in zip(kept, ours.itertuples(), strict=True)
    ]


_REASONS = {
    "threshold": lambda row: (
        f"a {row.horizon} close-out loses {100 * row.market:.1f} % of the price"
    ),
    "ltv": lambda row: f"a full draw needs {100 * (1.0 - row.ltv / row.threshold):.1f} % of room",
}


# Input of `sensitivity.tornado` and the end of it, by what a reader calls it.
READINGS = {
    "ES 97.5 %": ("tail.confidence", "low"),
    "ES 99.5 %": ("tail.confidence", "high"),
    "two years of history": ("look_back", "high"),
}


def other_readings(
    result: pd.DataFrame, sensitivity: pd.DataFrame, sale: pd.Series, governance: Governance
) -> pd.DataFrame:
    """Thresholds where a keeper sells, at other horizons, levels and lengths of history.

    Parameters
    ----------
    result : DataFrame
        asset, horizon, threshold, bonus and covering.
    sensitivity : DataFrame
        Haircuts under changed inputs, from `sensitivity.tornado`.
    sale : Series
        Liquidity part by asset, which the bonus pays for.
    governance : Governance
        Gives the tick; thresholds are rounded down to it.

    Returns
    -------
    DataFrame
        asset × reading: the horizons, then `READINGS`.
    """
    levels = result.pivot_table(index="asset", columns="horizon", values="threshold")[[*HORIZONS]]
    bonus = result[result["covering"]].set_index("asset")["bonus"]
    moves = sensitivity.set_index(["input", "asset"])
    for name, (changed, end) in READINGS.items():
        kept = (1.0 - moves.loc[changed, end]) / (1.0 - sale)
        levels[name] = governance.down(kept / (1.0 + bonus))
    return levels.rename_axis(columns=None)


def turned(levels: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Whether a reading would undo or turn a change: assets that change × reading.

    Parameters
    ----------
    levels : DataFrame
        asset × reading.
    changes : DataFrame
        By asset: today and change.
    """
    moved = changes[changes["change"] != 0.0]
    gap = levels.loc[moved.index].sub(moved["today"], axis=0)
    return gap.mul(moved["change"], axis=0) <= 0.0


def assumptions(universe: Universe, addons: Addons) -> pd.DataFrame:
    """Every block of facts and add-ons that is marked as assumed: asset, fact, source, date.

    What is assumed of all assets has the asset "all".
    """
    blocks = [
        (symbol, name, getattr(asset, name))
        for symbol, asset in universe.assets.items()
        for name in type(asset).model_fields
    ]
    blocks += [
        ("all", f"points of {name}", getattr(addons.contract, name))
        for name in type(addons.contract).model_fields
    ]
    blocks += [
        (symbol, "hazard", addons.failure(asset)) for symbol, asset in universe.assets.items()
    ]
    blocks.append(("all", "budget", addons.budget))
    found = [
        (symbol, name, block.source, pd.Timestamp(block.date))
        for symbol, name, block in blocks
        if isinstance(block, Sourced) and block.assumed
    ]
    return pd.DataFrame(found, columns=["asset", "fact", "source", "date"])
