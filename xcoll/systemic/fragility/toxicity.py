"""The toxic frontier: how far thresholds are from where a liquidation feeds on itself.

A seizure of collateral k lowers the health factor where ``HF ≤ LT_k(1 + LB_k)``
(`incentives.frontier`).  So between an account's breach and its service the price of its collateral
in units of its debt may fall by

    distance = 1 − LT_k(1 + LB_k)        0.83 and 5 %: 12.85 %

before the liquidation does harm; of several collaterals, k alone by distance/s_k where s_k is its
share of Σ C·LT.  And what is seized is sold: `spirals` says at which fall of k alone the sales of a
pair bring in as many again.  How loops run from one asset into another is in `gain`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import thresholds
from xcoll.errors import ParameterError
from xcoll.systemic.fragility.breaches import breach_falls, seizures
from xcoll.systemic.fragility.gain import displacement
from xcoll.systemic.fragility.incentives import frontier
from xcoll.systemic.fragility.spirals import spiral
from xcoll.systemic.system import System

__all__ = ["Toxicity", "toxicity"]

ALL = "all"


@dataclass(frozen=True)
class Toxicity:
    """How near a system's liquidations are to doing harm.

    Attributes
    ----------
    pairs : index venue, collateral and debt; a row where an account has both, and one of ``all``
        venues and debts for each collateral.  ``accounts``; ``debt`` in dollars, each account's in
        proportion to its collaterals' shares of Σ C·LT; ``frontier`` health factor and
        ``distance``, negative where every liquidation does harm, of ``all`` the nearest venue's;
        ``gain`` of the pair's own sales today; ``tipping``, the fall at which it is one, inf for
        none; ``shortfall`` where it was given; ``alarm`` in words, empty for none.
    collaterals : index venue, seized and beside; of accounts that owe and hold both.  ``accounts``,
        ``debt``; ``frontier`` and ``distance`` for a fall of all that they hold; ``alone``, for a
        fall of what is seized alone, inf beyond its whole price; ``beyond``, the distance to where
        a seizure of either does harm; ``toxic``, debt of those for whom the first does today.
    accounts : those already beyond help, whatever is seized: ``venue``, ``account``, ``debt`` and
        ``collateral`` in dollars, ``health``; the largest debt first.
    """

    pairs: pd.DataFrame
    collaterals: pd.DataFrame
    accounts: pd.DataFrame

    @property
    def alarms(self) -> pd.DataFrame:
        """The pairs with an alarm."""
        return self.pairs[self.pairs["alarm"] != ""]


def toxicity(
    system: System,
    shortfall: pd.Series | pd.DataFrame | None = None,
    most_gain: float = 0.5,
    fall: float = 0.02,
    close: float | Mapping[str, float] = 1.0,
) -> Toxicity:
    """The toxic frontier of every venue, pair by pair, at the opening.

    Parameters
    ----------
    shortfall : ES of the fall of a collateral against a debt over the time until service, by
        collateral or collateral × debt, fractions; an alarm where it reaches the distance or the
        tipping fall.  Of ``all`` it is the worst pair's.  None: no alarm for either.
    most_gain : an alarm where the gain is over it.
    fall : window of the gain, a fraction in (0, 1).
    close : share of the debt that is repaid at a breach, as `breaches.seizures` takes it.

    Raises
    ------
    ParameterError
        A system whose sales move no price, a shortfall that is missing or no fraction, a parameter
        outside its range.
    """
    if system.impact is None:
        raise ParameterError("sales of the system move no price; give it an impact")
    checks.positive("most_gain", most_gain)
    backing, F = _backing(system), frontier(system).to_numpy()
    pairs = _pairs(system, backing, F, fall, close)
    if shortfall is not None:
        pairs["shortfall"] = _shortfalls(shortfall, pairs.index)
    pairs["alarm"] = [_alarm(row, fall, most_gain) for row in pairs.to_dict("records")]
    LT = np.array(system.layout.thresholds)
    harmed = np.zeros(backing.shape, dtype=bool)
    for v, rows in enumerate(_slices(system)):
        accepted = np.where(LT[v] > 0.0, LT[v], 1.0)
        harmed[rows] = thresholds.toxic(
            backing[rows] / accepted, system.layout.owed[rows], LT[v],
            np.nan_to_num(F[v]) / accepted - 1.0,
        )  # fmt: skip
    return Toxicity(
        pairs, _collaterals(system, backing, F, harmed), _accounts(system, backing, harmed)
    )


def _backing(system: System) -> np.ndarray:
    """``C·LT`` dollars, N × A."""
    layout = system.layout
    return layout.held * (system.opening * np.array(layout.thresholds))[layout.venue]


def _slices(system: System) -> list[slice]:
    return [slice(*ends) for ends in pairwise(system.layout.start)]


def _shares(values: np.ndarray) -> np.ndarray:
    whole = values.sum(axis=1, keepdims=True)
    return np.divide(values, whole, out=np.zeros_like(values), where=whole > 0.0)


def _table(rows: dict, columns: str, names: tuple[str, ...]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(rows) if rows else pd.MultiIndex.from_arrays([[]] * 3)
    table = pd.DataFrame(list(rows.values()), index.set_names(names), columns.split())
    return table.sort_index()


def _pairs(
    system: System,
    backing: np.ndarray,
    F: np.ndarray,
    fall: float,
    close: float | Mapping[str, float],
) -> pd.DataFrame:
    layout, assets, rows = system.layout, system.assets, {}
    s, t = _shares(backing), _shares(layout.lent * system.opening)
    for k, asset in enumerate(assets):
        breach = breach_falls(system, [asset])
        order = np.argsort(breach, kind="stable")
        order = order[(s[order, k] > 0.0) & (layout.owed[order] > 0.0)]
        sold, owed = seizures(system, breach, [asset], close)[:, k], layout.owed * s[:, k]
        venue = layout.venue[order]

        def push(u: np.ndarray, asset: str = asset) -> np.ndarray:
            return displacement(system.impact, [asset], u[:, None])[:, 0]

        def row(i: np.ndarray, part: np.ndarray | float, frontier: float) -> tuple[float, ...]:
            gain, tipping = spiral(breach[i], sold[i] * part, push, fall)  # noqa: B023
            debt = float((owed[i] * part).sum())  # noqa: B023
            return len(i), debt, frontier, 1.0 - frontier, gain, tipping

        if len(order):
            rows[ALL, asset, ALL] = row(order, 1.0, F[np.unique(venue), k].max())
        for v, name in enumerate(system.names):
            mine = order[venue == v]
            for j in np.flatnonzero(t[mine].any(axis=0)):
                i = mine[t[mine, j] > 0.0]
                rows[name, asset, assets[j]] = row(i, t[i, j], F[v, k])
    columns = "accounts debt frontier distance gain tipping"
    return _table(rows, columns, ("venue", "collateral", "debt"))


def _shortfalls(shortfall: pd.Series | pd.DataFrame, pairs: pd.MultiIndex) -> np.ndarray:
    found: dict[tuple[str, str, str], float] = {}
    for venue, k, j in pairs:
        if venue != ALL:
            by_debt = shortfall.get(j) if isinstance(shortfall, pd.DataFrame) else shortfall
            value = np.nan if by_debt is None else by_debt.get(k, np.nan)
            found[venue, k, j] = checks.fraction(
                f"shortfall of {k} against {j}", value, closed=True
            )
    worst = pd.Series(found).groupby(level=1).max() if found else {}
    return np.array([worst[pair[1]] if pair[0] == ALL else found[pair] for pair in pairs])


def _alarm(row: Mapping[str, float], fall: float, most_gain: float) -> str:
    distance, shortfall, words = row["distance"], row.get("shortfall", -np.inf), []
    if distance <= 0.0:
        words.append("every liquidation lowers health")
    elif distance <= shortfall:
        words.append(
            f"a fall of {distance:.1%} before service makes liquidation harmful, the expected "
            f"shortfall is {shortfall:.1%}"
        )
    if row["gain"] > most_gain:
        words.append(
            f"sales after a fall of {fall:.1%} push the price {row['gain']:.2f} times as far"
        )
    if row["tipping"] <= shortfall:
        words.append(f"sales bring in as many again after a fall of {row['tipping']:.1%}")
    return "; ".join(words)


def _collaterals(
    system: System, backing: np.ndarray, F: np.ndarray, harmed: np.ndarray
) -> pd.DataFrame:
    assets, rows = system.assets, {}
    for v, these in enumerate(_slices(system)):
        S, owed = backing[these], system.layout.owed[these, None]
        B = ((S > 0.0) & (owed > 0.0)).astype(float)
        both, debt, toxic = B.T @ B, (B * owed).T @ B, (harmed[these] * owed).T @ B
        own, whole = (B * S).T @ B, (B * S.sum(axis=1, keepdims=True)).T @ B
        for k, other in np.argwhere((both > 0.0) & ~np.eye(len(assets), dtype=bool)):
            distance = 1.0 - F[v, k]
            alone = distance * whole[k, other] / own[k, other]
            rows[system.names[v], assets[k], assets[other]] = (
                int(both[k, other]), debt[k, other], F[v, k], distance,
                alone if alone < 1.0 else np.inf, 1.0 - min(F[v, k], F[v, other]),
                toxic[k, other],
            )  # fmt: skip
    columns = "accounts debt frontier distance alone beyond toxic"
    return _table(rows, columns, ("venue", "seized", "beside"))


def _accounts(system: System, backing: np.ndarray, harmed: np.ndarray) -> pd.DataFrame:
    layout = system.layout
    helped = ((backing > 0.0) & ~harmed).any(axis=1)
    lost = np.flatnonzero((layout.owed > 0.0) & ~helped)
    lost = lost[np.argsort(-layout.owed[lost], kind="stable")]
    ids = np.concatenate([np.asarray(venue.book.ids, dtype=object) for venue in system.venues])
    return pd.DataFrame(
        {
            "venue": np.asarray(system.names, dtype=object)[layout.venue[lost]],
            "account": ids[lost],
            "debt": layout.owed[lost],
            "collateral": (layout.held[lost] * system.opening).sum(axis=1),
            "health": layout.health[lost],
        }
    )
