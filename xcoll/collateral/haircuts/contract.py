"""What a token runs through: operational points, the basis to its underlying, sudden failure."""

import bisect
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from xcoll import checks
from xcoll.collateral.facts import Basis, Contract
from xcoll.estimators.tail import historical

__all__ = ["CONTRACT_POINTS", "basis_loss", "contract_addon", "failure_reserve"]


# Operational add-on in fractions of value: attribute of a contract → (from this value on, points).
# Assumed for this project (2025-03): an ordering by judgement, no loss data stands behind a step.
CONTRACT_POINTS: dict[str, tuple[tuple[float, float], ...]] = {
    "depth": ((0, 0.0), (1, 0.0025), (2, 0.005), (3, 0.01)),
    "upgradeable": ((0, 0.0), (1, 0.005)),
    "oracles": ((0, 0.0), (1, 0.0025), (2, 0.005)),
    "age": ((0, 0.01), (1, 0.005), (2, 0.0025), (3, 0.0)),
    "audits": ((0, 0.01), (1, 0.005), (2, 0.0025), (3, 0.0)),
}


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
