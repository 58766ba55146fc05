"""How sure a calibration is: intervals, the band of models, what it hangs on, for one date.

The pieces are in `haircuts.interval`, `haircuts.band` and `sensitivity`; here they meet the facts.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from xcoll.collateral import calibration, estimates, sensitivity
from xcoll.collateral.calibration import Calibration
from xcoll.collateral.facts import Span
from xcoll.collateral.haircuts import band, interval, market
from xcoll.collateral.haircuts.pegged import pegged_table
from xcoll.collateral.liquidity import HORIZONS
from xcoll.collateral.policy import Policy
from xcoll.collateral.setting import Setting
from xcoll.estimators.tail import Dependence

__all__ = ["ends", "models", "once", "tornado"]


def once(setting: Setting, policy: Policy, rng: np.random.Generator) -> Calibration:
    """The calibration at the last bar alone: a buffer stands as it is first posted."""
    found = estimates.walk(
        setting.history,
        [setting.history.now],
        setting.universe,
        policy,
        setting.multiples,
        rng,
    )
    return calibration.calibrate(found, setting.universe, setting.addons, policy, setting.basis)


def ends(
    setting: Setting,
    table: pd.DataFrame,
    study: Calibration,
    policy: Policy,
    rng: np.random.Generator,
    replications: int = 1000,
) -> pd.DataFrame:
    """Ends of the 90 % interval of every haircut that was posted on one date.

    Parameters
    ----------
    setting : Setting
        Its history ends on the date.
    table : DataFrame
        Estimates of the date, index asset and horizon.
    study : Calibration
        Of the date (`Calibration.on`).
    policy : Policy
        As `study` was made with.
    rng : Generator
        Of the bootstrap.
    replications : int
        How many.

    Returns
    -------
    DataFrame, time, asset and horizon
        low, high: of the bootstrap and of the range of what scales a loss to its horizon, and for
        a pegged asset of its hazard; sampling_low, sampling_high: of the bootstrap alone (of a
        pegged asset the same).  Rounded up to the tick; what is posted is never outside.
    """
    universe = setting.universe
    parts, followed = study.parts.droplevel("time"), calibration.pledged(universe)
    drawn = interval.resampled(
        setting.moving, policy.tail, policy.method, policy.window, policy.look_back,
        rng=rng, replications=replications,
    )  # fmt: skip
    posts = study.haircuts.droplevel("time")
    found = interval.intervals(
        table, parts, drawn, followed, policy.governance,
        scaling=_scaling(setting), post=_posts(policy, posts), rng=rng,
    )  # fmt: skip
    found = found[["low", "high", "sampling_low", "sampling_high"]]
    still = [asset for asset in universe.stablecoins if asset in parts.index.get_level_values(0)]
    if still:
        losses = pegged_table(setting.history.of(still), universe, policy.tail, HORIZONS)
        known = losses[~losses["suspects"]]
        pegs = interval.pegged_intervals(parts, known, policy.governance)
        found = pd.concat([found, pegs[found.columns]])
    found = found.reindex(parts.index).set_axis(study.parts.index)
    posted = policy.governance.up(study.haircuts["posted"])
    return found.assign(
        low=np.minimum(found["low"], posted), high=np.maximum(found["high"], posted)
    )


def _scaling(setting: Setting) -> dict[str, list[Span]]:
    # Under a bar the share of a day and the multiple after a fall are ranges over assets.
    inside = setting.universe.intraday
    return {
        horizon: [inside.shares[horizon], inside.trigger[horizon]]
        for horizon in HORIZONS
        if pd.Timedelta(horizon) < setting.history.bar
    }


def _posts(
    policy: Policy, today: pd.DataFrame
) -> Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], pd.DataFrame]:
    def buffered(raw: pd.DataFrame, long_run: pd.DataFrame, stressed: pd.DataFrame) -> pd.DataFrame:
        # a buffer's past is not resampled: today's ratio to the raw haircut is kept
        return (raw * (today["posted"] / today["raw"])[raw.columns]).clip(upper=1.0)

    weight = policy.damping.weight
    rules = {
        "none": lambda raw, long_run, stressed: raw,
        "buffer": buffered,
        "stressed weight": lambda raw, long_run, stressed: (
            raw + weight * np.maximum(stressed - raw, 0.0)
        ),
        "floor": lambda raw, long_run, stressed: np.maximum(raw, long_run),
    }
    return rules[policy.tool]


def models(
    setting: Setting,
    study: Calibration,
    policy: Policy,
    dependence: Dependence | None = None,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """`band.models` of one date's calibration, each asset at the horizon of its close-out."""
    rule = market.FALLS[policy.falls]
    parts = study.parts[study.covering].droplevel(["time", "horizon"])
    horizon = study.plan.droplevel("time")["horizon"]
    multiples = setting.multiples.map(rule)
    factors = {
        kind: horizon.map(setting.universe.intraday.share) * horizon.map(multiples[column])
        for kind, column in (
            ("forecast", "forecast"), ("long_run", "long_run"), ("stressed", "long_run"),
        )
    }  # fmt: skip
    methods = band.METHODS if dependence is None else (*band.METHODS, "dcc_t")
    return band.models(
        setting.moving, parts, policy.tail, factors, calibration.pledged(setting.universe),
        method=policy.method, window=policy.window, look_back=policy.look_back, methods=methods,
        dependence=dependence, rng=rng,
    )  # fmt: skip


def tornado(
    setting: Setting, policy: Policy, seed: Callable[[], np.random.Generator]
) -> pd.DataFrame:
    """`sensitivity.tornado` of the haircut that is posted, at the horizon of each close-out.

    `seed` starts the same generator each time, so that only the input differs.
    """

    def posted(changed: Policy) -> pd.Series:
        study = once(setting, changed, seed())
        return study.haircuts["posted"][study.covering].droplevel(["time", "horizon"])

    return sensitivity.tornado(posted, policy, sensitivity.standard(policy))
