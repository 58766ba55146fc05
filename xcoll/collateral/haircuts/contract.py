"""What a token runs through: the basis to its underlying, and what each contract point weighs."""

import datetime
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from xcoll import checks
from xcoll.collateral.addons import Addons
from xcoll.collateral.facts import Basis, Contract
from xcoll.collateral.haircuts.waterfall import check_parts, haircut
from xcoll.errors import ParameterError
from xcoll.estimators.tail import historical

__all__ = ["BASIS", "CHANGES", "basis_loss", "basis_sensitivity", "contract_sensitivity"]

CHANGES = ("better", "worse", "off")
BASIS = ("half_life_days", "sigma_daily", "jump_rate", "jump_loss")


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


def basis_sensitivity(
    parts: pd.DataFrame,
    bases: Mapping[str, Basis | None],
    confidence: float,
    rng: Callable[[], np.random.Generator],
) -> pd.DataFrame:
    """How the haircut moves with each parameter of the basis process.

    Parameters
    ----------
    parts : DataFrame
        By asset, columns `haircuts.PARTS`; the basis part is made anew.
    bases : mapping
        Asset → its basis; assets without one are left out.
    confidence : float
        Level of the ES.
    rng : callable
        Starts the same generator each time, so that only the parameter differs.

    Returns
    -------
    DataFrame
        Index asset and attribute (one of `BASIS`).  points: the basis part; better, worse, off:
        change of the unrounded haircut (fractions) where the parameter is halved, doubled or
        nearly nothing.  Empty where no asset has a basis.
    """
    kept = 1.0 - haircut(check_parts(parts).assign(basis=0.0))
    found = {}
    for asset in parts.index:
        basis = bases.get(asset)
        if basis is None:
            continue
        base = basis_loss(basis, confidence, rng())
        rows = {}
        for field in BASIS:
            value = getattr(basis, field)
            ends = {"better": 0.5 * value, "worse": 2.0 * value, "off": 1e-9 * value}
            rows[field] = {"points": base} | {
                end: (basis_loss(basis.model_copy(update={field: new}), confidence, rng()) - base)
                * kept[asset]
                for end, new in ends.items()
            }
        found[asset] = pd.DataFrame.from_dict(rows, orient="index").rename_axis("attribute")
    if not found:
        return pd.DataFrame(columns=["points", *CHANGES], dtype=float)
    return pd.concat(found, names=["asset"])


def contract_sensitivity(
    parts: pd.DataFrame,
    contracts: Mapping[str, Contract | None],
    addons: Addons,
    day: datetime.date,
) -> pd.DataFrame:
    """How the haircut moves with each entry of the table of contract points.

    Parameters
    ----------
    parts : DataFrame
        By asset, columns `haircuts.PARTS`; the contract part is taken from `addons` anew.
    contracts : mapping
        Asset → its contract; native coins (None) are left out.
    addons : Addons
        The table.
    day : date
        The age of a contract is counted to it.

    Returns
    -------
    DataFrame
        Index asset and attribute.  points: what the attribute adds to the contract part; better,
        worse, off: change of the unrounded haircut (fractions) where the attribute stood one entry
        of the table better or worse, 0 where the table ends there, or counted nothing.

    Raises
    ------
    ParameterError
        An asset of `parts` has no entry in `contracts`, or was deployed after `day`; or none of
        them has a contract.
    """
    missing = [asset for asset in parts.index if asset not in contracts]
    if missing:
        raise ParameterError(f"no entry in contracts for {missing}; give None for a native coin")
    # 1 − H = kept·(1 − contract) is linear in the points
    kept = 1.0 - haircut(check_parts(parts).assign(contract=0.0))
    found = {}
    for asset in parts.index:
        if contracts[asset] is not None:
            changed = addons.changed(contracts[asset], day, str(asset))
            moves = changed[list(CHANGES)].sub(changed["points"], axis=0) * kept[asset]
            found[asset] = changed[["points"]].join(moves)
    if not found:
        raise ParameterError(f"none of {parts.index.tolist()} has a contract; name a token")
    return pd.concat(found, names=["asset"])
