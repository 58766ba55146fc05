"""Haircut waterfall: ``1 − H = Π (1 − x_k)`` over market, liquidity, oracle, basis and contract.

Part k takes the share ``H·ln(1 − x_k) / Σ ln(1 − x_j)`` of H: the shares sum to H and do not
depend on the order of the parts.  The anti-procyclical adjustment and the rounding to the
governance tick are the last two steps.  What can go to zero at once is a reserve beside the
haircut, not points of it.
"""

import bisect
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from xcoll import checks
from xcoll.collateral.facts import Basis, Contract
from xcoll.errors import ParameterError
from xcoll.estimators.tail import historical

__all__ = [
    "ADJUSTMENTS",
    "CONTRACT_POINTS",
    "PARTS",
    "Governance",
    "basel_exposure",
    "basel_haircut",
    "basis_loss",
    "check_parts",
    "contract_addon",
    "failure_reserve",
    "haircut",
    "long",
    "shares",
    "tall",
    "waterfall",
    "with_posted",
]

PARTS = ("market", "liquidity", "oracle", "basis", "contract")
ADJUSTMENTS = ("anti-procyclical", "rounding")

# Operational add-on in fractions of value: attribute of a contract → (from this value on, points).
# Assumed for this project (2025-03): an ordering by judgement, no loss data stands behind a step.
CONTRACT_POINTS: dict[str, tuple[tuple[float, float], ...]] = {
    "depth": ((0, 0.0), (1, 0.0025), (2, 0.005), (3, 0.01)),
    "upgradeable": ((0, 0.0), (1, 0.005)),
    "oracles": ((0, 0.0), (1, 0.0025), (2, 0.005)),
    "age": ((0, 0.01), (1, 0.005), (2, 0.0025), (3, 0.0)),
    "audits": ((0, 0.01), (1, 0.005), (2, 0.0025), (3, 0.0)),
}


def check_parts(parts: pd.DataFrame) -> pd.DataFrame:
    """`parts` as floats in the order of `PARTS`; raises `ParameterError` outside [0, 1]."""
    missing = [part for part in PARTS if part not in parts]
    if missing:
        raise ParameterError(f"the haircut lacks its parts {missing}; give 0 where one is absent")
    checked = parts.loc[:, list(PARTS)].astype(float)
    outside = checked.isna() | (checked < 0.0) | (checked > 1.0)
    if outside.any(axis=None):
        row, part = np.argwhere(outside.to_numpy())[0]
        raise ParameterError(
            f"{PARTS[part]} part of {checked.index[row]} is {checked.iloc[row, part]:g}; "
            "give a fraction in [0, 1]"
        )
    return checked


def haircut(parts: pd.DataFrame) -> pd.Series:
    """``H = 1 − Π (1 − x_k)`` by row.

    Parameters
    ----------
    parts : DataFrame
        One row an asset (or asset and date), columns as `PARTS`, fractions in [0, 1].

    Returns
    -------
    Series
        H in [0, 1], unrounded.
    """
    return (1.0 - (1.0 - check_parts(parts)).prod(axis=1)).rename("haircut")


def shares(parts: pd.DataFrame) -> pd.DataFrame:
    """Share of each part in the haircut, ``H·ln(1 − x_k)/Σ ln(1 − x_j)``, on the shape of `parts`.

    The rows sum to `haircut`.  Parts that are 1 share H = 1 equally, which is the limit of the
    formula; where all are 0 every share is 0.
    """
    checked = check_parts(parts)
    whole = checked.eq(1.0)
    weights = -np.log1p(-checked.mask(whole, 0.0))
    weights = weights.mask(whole.any(axis=1), whole.astype(float))
    total = weights.sum(axis=1)
    return weights.div(total.where(total > 0.0, 1.0), axis=0).mul(haircut(checked), axis=0)


@dataclass(frozen=True)
class Governance:
    """How a venue may move a parameter.

    Attributes
    ----------
    tick : float
        Parameters are multiples of it, a fraction above zero.
    step : float
        Largest move of one proposal, not below the tick.
    delay : str
        Shortest time between two proposals, a duration.
    """

    # Aave's risk stewards (2025-03): LTV, threshold, bonus ±0.50 points a step, three days apart.
    tick: float = 0.005
    step: float = 0.005
    delay: str = "3D"

    def __post_init__(self) -> None:
        tick, step = checks.fraction("tick", self.tick), checks.fraction("step", self.step)
        checks.duration("delay", self.delay)
        if tick > step:
            raise ParameterError(f"tick {tick:g} is larger than the step {step:g}; lower the tick")

    def up(self, values: pd.Series) -> pd.Series:
        """`values` rounded up to the tick (haircuts, bonuses), not above 1."""
        # nine digits first: 0.15 / 0.005 is 30.000000000000004 and must stay 30 ticks
        return (np.ceil((values / self.tick).round(9)) * self.tick).clip(upper=1.0).round(12)

    def down(self, values: pd.Series) -> pd.Series:
        """`values` rounded down to the tick (thresholds, LTV)."""
        return (np.floor((values / self.tick).round(9)) * self.tick).round(12)

    def steps(self, change: pd.Series) -> pd.Series:
        """Number of proposals that a change takes, one `delay` apart."""
        return np.ceil((change.abs() / self.step).round(9))


def waterfall(
    parts: pd.DataFrame, governance: Governance, floor: pd.Series | None = None
) -> pd.DataFrame:
    """The final haircut as a sum: shares of the parts, anti-procyclical adjustment, rounding.

    Parameters
    ----------
    parts : DataFrame
        One row an asset (or asset and date), columns as `PARTS`.
    governance : Governance
        Gives the tick; the haircut is rounded up to it.
    floor : Series, optional
        Haircut that the anti-procyclical rule asks for, on the same index; the adjustment is what
        it lies above `haircut`.  Without it the adjustment is 0.

    Returns
    -------
    DataFrame
        Columns `PARTS`, then `ADJUSTMENTS`; a row sums to the final haircut.
    """
    raw = haircut(parts)
    floor = raw if floor is None else floor.reindex(raw.index)
    if floor.isna().any():
        raise ParameterError(f"no floor for {floor.index[floor.isna()].tolist()}; give 0 for none")
    total = np.maximum(raw, floor)
    return shares(parts).assign(
        **{"anti-procyclical": total - raw, "rounding": governance.up(total) - total}
    )


def long(parts: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """A waterfall as rows: the index of `steps`, part, value (x_k of a part), share of the haircut.

    The value of an adjustment is its share.
    """
    names = {"value": steps.assign(**check_parts(parts)), "share": steps}
    tall = {
        name: frame.rename_axis("part", axis=1).melt(ignore_index=False, value_name=name)
        for name, frame in names.items()
    }
    return tall["value"].assign(share=tall["share"]["share"].to_numpy()).reset_index()


def with_posted(parts: pd.DataFrame, posted: pd.Series) -> pd.DataFrame:
    """The parts of a posted haircut: the market part takes what was put on top of `haircut`.

    Parameters
    ----------
    parts : DataFrame
        One row an asset (or asset and date), columns as `PARTS`, no part of 1.
    posted : Series
        Haircut after the anti-procyclical rule on the same index, not under `haircut`.
    """
    checked = check_parts(parts)
    left = (1.0 - posted.reindex(checked.index)) / (1.0 - haircut(checked))
    return checked.assign(market=1.0 - (1.0 - checked["market"]) * left)


def tall(frame: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """A wide frame as rows: its index, the name of the column, the value; NaN left out."""
    melted = frame.melt(ignore_index=False, var_name=column, value_name=value)
    return melted.dropna(subset=value).reset_index()


def contract_addon(
    contract: Contract | None,
    points: Mapping[str, tuple[tuple[float, float], ...]] = CONTRACT_POINTS,
) -> pd.Series:
    """Operational add-on of a token, attribute by attribute; its sum is the contract part.

    Parameters
    ----------
    contract : Contract or None
        Attributes of the token's contract; None for a native coin, which has no add-on.
    points : mapping
        Attribute → steps of (from this value on, points), values ascending.

    Returns
    -------
    Series
        Points by attribute, fractions.
    """
    addon = dict.fromkeys(points, 0.0)
    if contract is not None:
        for name, steps in points.items():
            value = checks.at_least(name, float(getattr(contract, name)), steps[0][0])
            addon[name] = steps[bisect.bisect_right([start for start, _ in steps], value) - 1][1]
    return pd.Series(addon, dtype=float, name="points")


def basis_loss(
    basis: Basis, confidence: float, rng: np.random.Generator, years: int = 500
) -> float:
    """ES of the gap of a derived token to its underlying, at a random time: the basis part.

    The oracle of such a token follows the underlying or a rate, so the whole gap is lost in a
    sale, not its change over the close-out.  The modelled daily process
    ``b_t = 2^(−1/half-life)·b_{t−1} + σ·ε_t − jump·N_t`` is simulated in its stationary state.

    Parameters
    ----------
    basis : Basis
        Parameters of the process.
    confidence : float
        Level of the ES, in (0, 1).
    rng : Generator
        Source of the draws.
    years : int
        Length of the simulation; 500 years hold some 125 jumps at one in four years.

    Returns
    -------
    float
        Fraction of the underlying's price, not negative.
    """
    days = 365 * checks.whole("years", years)
    decay = 2.0 ** (-1.0 / basis.half_life_days)
    jumps = rng.poisson(basis.jump_rate / 365, days)
    shocks = basis.sigma_daily * rng.standard_normal(days) - basis.jump_loss * jumps
    gap = lfilter([1.0], [1.0, -decay], shocks)
    return max(historical(-np.expm1(gap), confidence).es, 0.0)


def failure_reserve(hazard: float, loss_given_failure: float, exposure_usd: float) -> float:
    """Yearly reserve in dollars for what goes to zero at once: hazard × loss × exposure.

    Parameters
    ----------
    hazard : float
        Probability of failure a year, in [0, 1].
    loss_given_failure : float
        Fraction of the exposure that is lost, in [0, 1].
    exposure_usd : float
        Debt that rests on the token, dollars, not negative.
    """
    hazard = checks.fraction("hazard", hazard, closed=True)
    loss = checks.fraction("loss given failure", loss_given_failure, closed=True)
    return hazard * loss * checks.at_least("exposure", exposure_usd, 0.0)


def basel_haircut(
    haircut: float, days: float, holding_days: float, revaluation_days: float = 1.0
) -> float:
    """Basel scaling ``H_N √((N_R + T_M − 1)/T_N)`` of a supervisory or own-estimate haircut.

    Parameters
    ----------
    haircut : float
        H_N over `days` (T_N) with daily revaluation, in [0, 1].
    days, holding_days, revaluation_days : float
        T_N, T_M and N_R, days, above zero.
    """
    checks.fraction("haircut", haircut, closed=True)
    horizon = checks.positive("holding days", holding_days) - 1.0
    horizon += checks.at_least("revaluation days", revaluation_days, 1.0)
    return haircut * (horizon / checks.positive("days", days)) ** 0.5


def basel_exposure(
    exposure: float, collateral: float, h_e: float, h_c: float, h_fx: float
) -> float:
    """Exposure after mitigation, ``E* = max(0, E(1 + H_e) − C(1 − H_c − H_fx))``."""
    return max(0.0, exposure * (1.0 + h_e) - collateral * (1.0 - h_c - h_fx))
