"""What a finished run asks for, what a venue published, and the rails between the two."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.governance import Governance
from xcoll.collateral.protocols import Venue
from xcoll.collateral.recalibration.proposal import PARAMETERS
from xcoll.collateral.universe import Universe
from xcoll.collateral.venues import Venues
from xcoll.workbook.monitor.rules import Rules

__all__ = ["ARTIFACTS", "facts", "published", "rails", "wanted"]

# What is read of a run, here and by the alerts.
ARTIFACTS = (
    "data_card",
    "quality",
    "universe",
    "correlation_alerts",
    "coverage",
    "coverage_rates",
    "tail_ranking",
    "policy",
    "parameters",
    "waterfall",
    "caps",
    "toxic_pairs",
    "summary",
)
DIGITS = 3  # of a cap in dollars


def rails(policy: Policy, venue: Venue) -> Governance:
    """Guard rails of a venue: its stewards' where it has some, else those of `Governance`."""
    guard = venue.guard
    if guard is None:
        return Governance(tick=policy.tick, step=max(Governance.step, policy.tick))
    return Governance(policy.tick, guard.step, guard.delay, guard.expiry, cap_step=guard.cap_step)


def published(venues: Venues, key: str, universe: Universe) -> pd.DataFrame:
    """What the venue `key` publishes, as `proposal.propose` takes what is held.

    Only assets that it lists themselves, not by a token that is derived from them.
    """
    today = venues.today(key, universe).query("direct")
    listed = [name for name in PARAMETERS if name in today]
    held = today[listed].rename_axis(columns="parameter").stack().rename("value").to_frame()
    held.index = held.index.set_names(["asset", "parameter"])
    return held.assign(moved=pd.NaT, under_way=False)


def wanted(read: Mapping[str, Any], rules: Rules) -> pd.DataFrame:
    """Targets of the covering horizon, index (asset, parameter): target, low and high.

    Threshold and LTV have the intervals of 05; around a bonus and a cap, which have none, lie the
    bands of `rules`.  A cap is cut to three digits; where it is unlimited there is no target.
    """
    chosen = read["parameters"].query("covering").set_index("asset")
    found = {
        name: chosen[[name, f"{name}_low", f"{name}_high"]].set_axis([*_ENDS], axis=1)
        for name in ("threshold", "ltv")
    }
    bonus, around = chosen["bonus"], rules.bonus_band.value
    found["bonus"] = _band(bonus, (bonus - around).clip(lower=0.0), bonus + around)
    cap = read["caps"].set_index("asset")["cap_usd"].replace(np.inf, np.nan).dropna()
    cap, around = cap[cap > 0.0].map(_cut), rules.cap_band.value
    found["cap"] = _band(cap, cap * (1.0 - around), cap * (1.0 + around))
    table = pd.concat(found, names=["parameter"]).swaplevel()
    table["low"] = table[["low", "target"]].min(axis=1)  # rounding to the tick can pass an end
    table["high"] = table[["high", "target"]].max(axis=1)
    order = pd.MultiIndex.from_product([chosen.index, PARAMETERS], names=["asset", "parameter"])
    return table.reindex(order[order.isin(table.index)])


def facts(read: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By asset, what the reasons are given by: horizon, waterfall (part → points), what binds."""
    chosen = read["parameters"].query("covering").set_index("asset")
    rows = read["waterfall"].merge(chosen["horizon"].reset_index(), on=["asset", "horizon"])
    shares = rows.pivot_table(index="asset", columns="part", values="share", sort=False)
    binding = read["caps"].set_index("asset")["binding"]
    return {
        asset: {
            "horizon": chosen.loc[asset, "horizon"],
            "waterfall": shares.loc[asset].dropna().round(12).to_dict(),
            "binding": binding.get(asset),
        }
        for asset in chosen.index
    }


_ENDS = ("target", "low", "high")


def _band(target: pd.Series, low: pd.Series, high: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"target": target, "low": low, "high": high})


def _cut(value: float) -> float:
    """`value` to three digits, downwards."""
    scale = 10.0 ** (np.floor(np.log10(value)) - DIGITS + 1)
    return float(round(np.floor(round(value / scale, 9)) * scale, 6))
