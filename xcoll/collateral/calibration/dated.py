"""From estimates and facts to one consistent set of parameters, at one date or at many.

calibrate    the parts and haircuts of each date, and what the anti-procyclical tool posts
parameters   haircut, threshold, LTV and bonus with their intervals
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from xcoll.collateral import haircuts, liquidity, recalibration, thresholds
from xcoll.collateral.calibration import estimates
from xcoll.collateral.calibration.plan import close_outs, deployed, other_parts, pledged
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.calibration.setting import Setting
from xcoll.collateral.haircuts.market import Tail
from xcoll.errors import EstimationError, ParameterError

__all__ = ["Calibration", "bonuses", "calibrate", "parameters", "ranked"]

MARKETS = ("forecast", "long_run", "stressed")


def ranked(ranking: pd.DataFrame, of: Tail, bars: int, method: str = "ranking") -> str:
    """`method`, or for "ranking" what `tail_ranking` uses for a loss over so many bars.

    Raises
    ------
    ParameterError
        It ranked no method for that case.
    """
    if method != "ranking":
        return method
    wanted = {"loss": of.loss, "confidence": of.confidence, "bars": bars}
    case = (ranking[list(wanted)] == pd.Series(wanted)).all(axis=1) & ranking["used"]
    if not case.any():
        raise ParameterError(
            f"no method was ranked for {wanted}; name a method, or rank that case in 04 first"
        )
    return ranking.loc[case, "method"].iloc[0]


@dataclass(frozen=True)
class Calibration:
    """What follows at each date; indices are (time, asset) and (time, asset, horizon).

    Attributes
    ----------
    setting, policy : Setting, Policy
        What it was made from.
    estimates : DataFrame, time, asset with prices and horizon
        From `estimates.walk`.
    plan : DataFrame, time and asset
        `close_outs` of each date.
    parts : DataFrame, time, asset and horizon
        `haircuts.PARTS`; the market part is the method's forecast.
    haircuts : DataFrame, time, asset and horizon
        raw, long_run, stressed: unrounded, with the market part of each; other: without one;
        posted: by the tool.
    marks : DataFrame, time, asset and horizon
        scaled: from a longer horizon; modelled: a derived token.
    week : Series, time and asset
        Excursion that sets the LTV.
    """

    setting: Setting
    policy: Policy
    estimates: pd.DataFrame
    plan: pd.DataFrame
    parts: pd.DataFrame
    haircuts: pd.DataFrame
    marks: pd.DataFrame
    week: pd.Series

    @property
    def now(self) -> pd.Timestamp:
        """The last date."""
        return self.plan.index[-1][0]

    def on(self, time: pd.Timestamp | None = None) -> "Calibration":
        """The same of one date, the last one where none is given."""
        wanted = self.now if time is None else time
        frames = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in ("setting", "policy")
        }
        cut = {
            name: frame[frame.index.get_level_values("time") == wanted]
            for name, frame in frames.items()
        }
        return replace(self, **cut)

    def at_close_out(self, frame: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
        """Rows of a frame on the index of `parts` at the horizon of each close-out.

        Index time and asset, or asset alone where the calibration has one date.
        """
        rows = frame[self.covering.loc[frame.index]].droplevel("horizon")
        one = self.plan.index[0][0] == self.now
        return rows.droplevel("time") if one else rows

    @property
    def covering(self) -> pd.Series:
        """Whether a row is at the horizon that covers the asset's close-out on its date."""
        index = self.parts.index
        wanted = self.plan["horizon"].loc[index.droplevel("horizon")].to_numpy()
        return pd.Series(index.get_level_values("horizon") == wanted, index, name="covering")

    def targets(self, horizon: str | None = None) -> recalibration.Targets:
        """Haircuts time × asset at one horizon, or at each close-out's own where none is given."""
        rows = self.covering
        if horizon is not None:
            rows = pd.Series(rows.index.get_level_values("horizon") == horizon, rows.index)
        return recalibration.Targets.of(self.haircuts[rows].reset_index())

    @property
    def waterfall(self) -> pd.DataFrame:
        """Steps of every haircut: shares of the parts, anti-procyclical, rounding."""
        return haircuts.waterfall(self.parts, self.policy.governance, self.haircuts["posted"])


def calibrate(
    setting: Setting,
    policy: Policy,
    dates: Iterable[pd.Timestamp],
    rng: np.random.Generator,
) -> Calibration:
    """Parts and haircuts at each of `dates`, on what was known then, and what the tool posts.

    Parameters
    ----------
    setting, policy
        Facts, tables and choices.
    dates : iterable of Timestamp
        In order.
    rng : Generator
        Source of the joint paths.

    Raises
    ------
    ParameterError
        No asset that is known on a date may be pledged.
    EstimationError
        As of `estimates.walk`; or the method never forecasts an asset that may be pledged.
    """
    universe, addons, basis = setting.universe, setting.addons, setting.basis
    walked = estimates.walk(
        setting.history, dates, universe, policy, setting.multiples, rng,
        dependence=setting.dependence,
    )  # fmt: skip
    followed, plans, parts, weeks = pledged(universe), {}, {}, {}
    unknown = walked.index.get_level_values("asset")[walked["forecast"].isna()]
    if missing := sorted({*followed} & {*unknown}):
        raise EstimationError(
            f"{policy.method} has a forecast of {', '.join(missing)} on none of the dates; name "
            "another method, or take the role of collateral from it"
        )
    for time, table in walked.groupby(level="time"):
        known = table.droplevel("time")
        there = [
            symbol
            for symbol, source in followed.items()
            if (source, liquidity.HORIZONS[0]) in known.index and deployed(universe, symbol, time)
        ]
        if not there:
            raise ParameterError(
                f"no asset known on {time:%Y-%m-%d} may be pledged; give one roles"
            )
        index = pd.MultiIndex.from_product([there, liquidity.HORIZONS], names=["asset", "horizon"])
        source = followed[index.get_level_values("asset")].to_numpy()
        own = known.loc[list(zip(source, index.get_level_values("horizon"), strict=True))]
        own = own.set_axis(index)
        first = own.xs(liquidity.HORIZONS[0], level="horizon")
        plans[time] = close_outs(universe, first["bad_day"], policy, time)
        other = other_parts(universe, addons, plans[time]["impact"], basis, time)
        parts[time] = (
            other.loc[index.get_level_values("asset")]
            .set_axis(index)
            .join(own[[*MARKETS, "scaled"]])
            .assign(modelled=index.get_level_values("asset").isin(universe.derived))
        )
        weeks[time] = first["week"]
    table = pd.concat(parts, names=["time"])
    kinds = {"forecast": "raw", "long_run": "long_run", "stressed": "stressed"}
    found = pd.DataFrame(
        {name: haircuts.haircut(table.assign(market=table[kind])) for kind, name in kinds.items()}
    )
    posted, other = {}, haircuts.haircut(table.assign(market=0.0))
    for horizon, rows in found.groupby(level="horizon"):
        wide = {name: rows[name].droplevel("horizon").unstack("asset") for name in found}
        posted[horizon] = recalibration.post(
            recalibration.Targets(**wide), policy.tool, policy.damping
        ).stack()
    made = pd.concat(posted, names=["horizon"]).reorder_levels(["time", "asset", "horizon"])
    return Calibration(
        setting,
        policy,
        walked,
        pd.concat(plans, names=["time"]),
        haircuts.check_parts(table.assign(market=table["forecast"])),
        found.assign(other=other, posted=made.reindex(found.index)),
        table[["scaled", "modelled"]],
        pd.concat(weeks, names=["time"]).rename("week"),
    )


def bonuses(impact: pd.Series, policy: Policy) -> pd.Series:
    """`thresholds.keeper_bonus` of each impact, rounded up to the tick, on its index."""
    smallest = [
        thresholds.keeper_bonus(loss, policy.keeper_margin, policy.gas_share, policy.protocol_fee)
        for loss in impact
    ]
    return policy.governance.up(pd.Series(smallest, impact.index, name="bonus"))


def parameters(calibration: Calibration, ends: pd.DataFrame | None = None) -> pd.DataFrame:
    """The consistent set of every date, rounded to the tick.

    Every result is monotone in the haircut, so the ends of its interval give theirs.

    Parameters
    ----------
    calibration : Calibration
        Parts, and what the tool posted.
    ends : DataFrame, optional
        On some of the index of `calibration.parts`: low and high of the posted haircut.

    Returns
    -------
    DataFrame, time, asset and horizon
        haircut, threshold (a keeper sells), threshold_venue (the venue sells), ltv, bonus,
        covering, scaled, modelled; with `ends` its rows only, the first four also with ``_low``
        and ``_high``.
    """
    policy = calibration.policy
    governance = policy.governance
    parts = calibration.parts if ends is None else calibration.parts.loc[ends.index]
    by_asset = parts.index.droplevel("horizon")
    LB = bonuses(calibration.plan["impact"], policy).loc[by_asset].set_axis(parts.index)
    q = calibration.week.loc[by_asset].set_axis(parts.index)
    posted = calibration.haircuts.loc[parts.index, "posted"]
    totals = (
        {"": posted} if ends is None else {"": posted, "_low": ends["low"], "_high": ends["high"]}
    )
    found = {}
    for end, total in totals.items():
        final = haircuts.with_posted(parts, total)
        mirror = {"_low": "_high", "_high": "_low"}.get(end, "")  # a low loss, a high threshold
        LT = governance.down(thresholds.threshold(final, LB, "keeper"))
        found["haircut" + end] = governance.up(total)
        found["threshold" + mirror] = LT
        found["threshold_venue" + mirror] = governance.down(
            thresholds.threshold(final, LB, "venue")
        )
        found["ltv" + mirror] = governance.down(thresholds.loan_to_value(LT, q))
    names = ("haircut", "threshold", "threshold_venue", "ltv")
    columns = [name + end for name in names for end in totals]
    found = pd.DataFrame(found)[columns].assign(bonus=LB)
    return found.assign(covering=calibration.covering.loc[parts.index]).join(calibration.marks)
