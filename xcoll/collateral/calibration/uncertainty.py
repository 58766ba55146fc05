"""How sure a calibration is: intervals, the band of models, what it hangs on, for one date.

The pieces are in `haircuts.interval`, `haircuts.band` and `sensitivity`; here they meet the facts.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from xcoll.collateral.calibration import sensitivity
from xcoll.collateral.calibration.dated import Calibration, calibrate
from xcoll.collateral.calibration.plan import pledged
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.calibration.setting import Setting
from xcoll.collateral.facts import Span
from xcoll.collateral.haircuts import (
    CHANGES,
    band,
    basis_sensitivity,
    contract_sensitivity,
    interval,
    market,
)
from xcoll.collateral.haircuts.pegged import pegged_table
from xcoll.collateral.liquidity import HORIZONS

__all__ = ["addons", "ends", "models", "tornado"]


def ends(today: Calibration, rng: np.random.Generator, replications: int = 1000) -> pd.DataFrame:
    """Ends of the 90 % interval of every haircut that was posted on one date.

    Parameters
    ----------
    today : Calibration
        Of one date, to which its history is cut.
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
    setting, policy = today.setting, today.policy
    universe = setting.universe
    parts, followed = today.parts.droplevel("time"), pledged(universe)
    drawn = interval.resampled(
        setting.moving(today.now), policy.tail, policy.method, policy.window, policy.look_back,
        rng=rng, replications=replications,
    )  # fmt: skip
    posts = today.haircuts.droplevel("time")
    found = interval.intervals(
        today.estimates.droplevel("time"), parts, drawn, followed,
        scaling=_scaling(setting), post=_posts(policy, posts), rng=rng,
    )  # fmt: skip
    found = found[["low", "high", "sampling_low", "sampling_high"]]
    still = [asset for asset in universe.stablecoins if asset in parts.index.get_level_values(0)]
    if still:
        losses = pegged_table(
            setting.history.until(today.now).of(still), universe, policy.tail, HORIZONS
        )
        known = losses[~losses["suspects"]]
        pegs = interval.pegged_intervals(parts, known)
        found = pd.concat([found, pegs[found.columns]])
    found = found.reindex(parts.index).set_axis(today.parts.index)
    posted = today.haircuts["posted"]
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


def models(today: Calibration, rng: np.random.Generator) -> pd.DataFrame:
    """`band.models` of one date's calibration, each asset at the horizon of its close-out.

    `rng` draws where a day has several bars; ``dcc_t`` is among them where the setting has a
    correlation path.
    """
    setting, policy = today.setting, today.policy
    dependence = setting.dependence
    parts, horizon = today.at_close_out(today.parts), today.plan.droplevel("time")["horizon"]
    multiples = setting.multiples.map(market.FALLS[policy.falls])
    share = horizon.map(setting.universe.intraday.share)
    kinds = {"forecast": "forecast", "long_run": "long_run", "stressed": "long_run"}
    factors = {name: share * horizon.map(multiples[kind]) for name, kind in kinds.items()}
    methods = band.METHODS if dependence is None else (*band.METHODS, "dcc_t")
    return band.models(
        setting.moving(today.now), parts, policy.tail, factors,
        pledged(setting.universe), method=policy.method, window=policy.window,
        look_back=policy.look_back, methods=methods, dependence=dependence, rng=rng,
    )  # fmt: skip


def addons(today: Calibration, seed: Callable[[], np.random.Generator]) -> pd.DataFrame:
    """How one date's haircuts move with every contract point and every basis parameter.

    Rows of `haircuts.contract_sensitivity` and `haircuts.basis_sensitivity`: asset, attribute,
    points, better, worse, off; without a row where no asset has a contract or a basis.  `seed`
    starts the same generator each time.
    """
    setting, parts = today.setting, today.at_close_out(today.parts)
    assets = {symbol: setting.universe.assets[symbol] for symbol in parts.index}
    contracts = {symbol: asset.contract for symbol, asset in assets.items()}
    tables = []
    if any(contract is not None for contract in contracts.values()):
        tables.append(contract_sensitivity(parts, contracts, setting.addons, today.now))
    bases = {symbol: asset.basis for symbol, asset in assets.items()}
    tables.append(basis_sensitivity(parts, bases, today.policy.tail.confidence, seed))
    tables = [
        table.rename_axis(["asset", "attribute"]).reset_index() for table in tables if len(table)
    ]
    columns = ["asset", "attribute", "points", *CHANGES]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def tornado(today: Calibration, seed: Callable[[], np.random.Generator]) -> pd.DataFrame:
    """`sensitivity.tornado` of the haircut posted on one date, at each close-out's own horizon.

    Each change is calibrated at that date alone: a buffer stands as it is first posted.  `seed`
    starts the same generator each time, so that only the input differs.
    """

    def posted(changed: Policy) -> pd.Series:
        study = calibrate(today.setting, changed, [today.now], seed())
        return study.at_close_out(study.haircuts["posted"])

    return sensitivity.tornado(posted, today.policy, sensitivity.standard(today.policy))
