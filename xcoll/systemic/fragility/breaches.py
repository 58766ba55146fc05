"""How far prices have to fall until an account breaches, in closed form, and what is seized then.

When the prices of some assets fall together by f, an account with S dollars of collateral times
threshold and D of debt, of which S′ and D′ fall, breaches where

    (1 − f)·(S′ − D′) < (D − D′) − (S − S′)

so from ``f = 1 − (D − D′ − S + S′)/(S′ − D′)`` on where S′ > D′; falling on helps it where not.
What it is closed for is read at its own breach, as when prices fall slowly.  Dollars are those of
the opening: sales of units, whatever a unit is worth by then.  A tiered collateral counts in full.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.systemic.fragility.incentives import rate
from xcoll.systemic.system import System

__all__ = ["breach_falls", "seizures"]


def breach_falls(system: System, assets: Sequence[str]) -> np.ndarray:
    """Fall of `assets` together at which each account breaches, by account of all venues.

    Returns
    -------
    ndarray
        Fractions in [0, 1), 0 for accounts in breach at the opening, inf for those that no such
        fall brings to it, above all those without debt.

    Raises
    ------
    ParameterError
        No asset, or one that the system does not have.
    """
    layout, falling = system.layout, _places(system, assets)
    backing = layout.held * (system.opening * np.array(layout.thresholds))[layout.venue]
    S, D = backing.sum(axis=1), layout.owed
    have = backing[:, falling].sum(axis=1) - layout.lent[:, falling] @ system.opening[falling]
    need = D - S + have  # what (1 − f)·have must not fall below
    fall = np.full(len(D), np.inf)
    np.divide(have - need, have, out=fall, where=(have > 0.0) & (need > 0.0))
    fall[layout.health < 1.0] = 0.0
    return np.maximum(fall, 0.0)


def seizures(
    system: System,
    fall: np.ndarray,
    assets: Sequence[str],
    close: float | Mapping[str, float] = 1.0,
) -> np.ndarray:
    """Collateral seized from each account when it breaches, N × A dollars of the opening.

    Parameters
    ----------
    fall : of `assets`, at which each account is closed, as `breach_falls` gives it.
    close : share of the debt that is repaid, in (0, 1], for all venues or by name; the default is
        the whole debt, where Aave's close factor is half of it.

    Returns
    -------
    ndarray
        The same share of each collateral that the venue accepts, at most all of it; zero where
        `fall` is infinite.

    Raises
    ------
    ParameterError
        A close share outside its range or missing for a venue, an unknown asset.
    """
    layout, falling = system.layout, _places(system, assets)
    closed = np.isfinite(fall)
    share = _by_venue(system, close)[layout.venue]
    LT, paying = np.array(layout.thresholds), np.nan_to_num(rate(system).to_numpy())
    C = layout.held * np.where(LT > 0.0, system.opening, 0.0)[layout.venue]

    def then(dollars: np.ndarray) -> np.ndarray:
        return dollars.sum(axis=1) - np.where(closed, fall, 0.0) * dollars[:, falling].sum(axis=1)

    repaid, worth = share * then(layout.lent * system.opening), then(C)
    # repaid·Σ w·rate of what there is, w = C/worth
    taken = np.zeros(len(worth))
    np.divide(
        repaid * then(C * paying[layout.venue]), worth**2, out=taken, where=closed & (worth > 0)
    )
    return C * np.minimum(taken, 1.0)[:, None]


def _places(system: System, assets: Sequence[str]) -> np.ndarray:
    unknown = sorted(set(assets) - set(system.assets))
    if unknown or not len(assets):
        raise ParameterError(
            f"assets that fall: {', '.join(unknown) or 'none'}; name some of the system's, "
            f"{', '.join(system.assets)}"
        )
    return np.isin(system.assets, list(assets))


def _by_venue(system: System, close: float | Mapping[str, float]) -> np.ndarray:
    if not isinstance(close, Mapping):
        close = dict.fromkeys(system.names, close)
    missing = [name for name in system.names if name not in close]
    if missing:
        raise ParameterError(f"no close share of {', '.join(missing)}; give one for each venue")
    shares = [checks.fraction(f"close share of {n}", close[n], closed=True) for n in system.names]
    return np.array([checks.positive("close share", share) for share in shares])
