"""Supervisory formulas of Basel for haircuts and exposures."""

from xcoll import checks

__all__ = ["basel_exposure", "basel_haircut"]


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
