"""Prices of a scenario: windows of the past, shocks, factors, and broken bases.

An asset without prices in a window of the past follows what stands in for it: a derived asset the
one that it is derived from, a stablecoin its peg, any other the median log move of the assets that
have prices and are no stablecoins.  `origins` says which.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.errors import ParameterError
from xcoll.liquidation.timeline import timeline
from xcoll.liquidation.world import World, steps_of
from xcoll.systemic.episode import LEAST
from xcoll.systemic.stress.components import Components, Window
from xcoll.systemic.stress.facts import Facts

__all__ = ["USUALLY", "Path", "origins", "path"]

USUALLY = "24h"  # over and after, where they are not given
MEDIAN, PEG, HELD, OWN = "median of the others", "its peg", "held at the opening", "own prices"


@dataclass(frozen=True)
class Path:
    """Relative prices by step × asset, row 0 is 1.

    market, due : of collateral, and of what is owed.
    basis : of a derived token against what it stands for, a factor of both.
    steps : steps a bar.
    """

    market: np.ndarray
    due: np.ndarray
    basis: np.ndarray
    steps: int


def path(parts: Components, facts: Facts, where: str, least: int = 1) -> Path:
    """The prices of a scenario's components.

    Parameters
    ----------
    where : name of the scenario, for the messages.
    least : steps that it lasts at least.

    Raises
    ------
    ParameterError
        A window outside the prices, bars that are no even number of steps, an unknown asset.
    """
    market = due = np.ones((1, len(facts.assets)))
    steps = 1
    if parts.window:
        market, due, steps = _window(parts.window, parts.scale or 1.0, facts, where)
    moves = _moves(parts, facts, where)
    gap = np.zeros(len(facts.assets))
    if parts.basis:
        gap = _log(facts.by_asset(parts.basis, f"basis of {where}", 0.0))
    share = _unfolding(parts, facts, unfolds=not parts.window or moves.any() or gap.any())
    rows = max(len(market), len(share), least + 1)
    market, due, share = (_extended(part, rows) for part in (market, due, share[:, None]))
    basis = np.maximum(np.exp(gap * share), LEAST)
    shocked = np.exp(moves * share) * basis
    market, due = (np.maximum(price * shocked, LEAST) for price in (market, due))
    return Path(market, due, basis, steps)


def origins(parts: Components, facts: Facts, where: str = "window") -> pd.Series:
    """What each asset's price in the window of the past is taken from; empty without a window.

    Values are "own prices", "held at the opening", "its peg", "median of the others" or the symbol
    of the underlying.
    """
    if not parts.window:
        return pd.Series(dtype=object, index=pd.Index([], name="asset"), name="origin")
    closes, _ = _bars(parts.window, facts, where)
    complete = set(closes.columns[closes.notna().all()])
    # What the system does not have needs no holding, as long as it is the name of something.
    elsewhere = {*facts.groups, *(name for names in facts.groups.values() for name in names)}
    names = [n for n in parts.window.held if n in facts.known() or n not in elsewhere]
    held = facts.by_asset(dict.fromkeys(names, True), f"held of {where}", False)
    made = {}
    for asset, still in zip(facts.assets, held, strict=True):
        base = facts.underlying.get(asset)
        if still:
            made[asset] = HELD
        elif asset in complete:
            made[asset] = OWN
        elif base in complete:
            made[asset] = base
        else:
            made[asset] = PEG if facts.is_stable(asset) else MEDIAN
    return pd.Series(made, name="origin").rename_axis("asset")


def _bars(window: Window, facts: Facts, where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    index = facts.close.index
    start, end = pd.Timestamp(window.start), pd.Timestamp(window.end)
    if start not in index or end not in index:
        raise ParameterError(
            f"{where}: the window from {start} to {end} is not within the prices, {index[0]} to "
            f"{index[-1]}; give closes of these, or prices that cover it"
        )
    return facts.close.loc[start:end], facts.low.loc[start:end]


def _window(
    window: Window, scale: float, facts: Facts, where: str
) -> tuple[np.ndarray, np.ndarray, int]:
    closes, lows = _bars(window, facts, where)
    bar = closes.index[1] - closes.index[0]
    steps = round(bar / facts.step)
    if steps * facts.step != bar or (steps != 1 and steps % 2):
        raise ParameterError(
            f"{where}: a bar of {bar} is no even number of steps of {facts.step}; give a step "
            "that fits, or that of the bars"
        )
    opening = np.log(closes.iloc[0])
    close = np.log(closes) - opening
    floor = np.minimum(close, close.shift().fillna(0.0))  # a low is at or under both closes
    low = np.minimum((np.log(lows) - opening).fillna(floor), floor)
    moving = [a for a in close if close[a].notna().all() and not facts.is_stable(a)]
    sources = origins(Components(window=window), facts, where)
    stand_in = pd.DataFrame(0.0, index=close.index, columns=["close", "low"])
    if (sources == MEDIAN).any():
        if not moving:
            raise ParameterError(f"{where}: no asset has prices throughout the window")
        before = close[moving].shift().fillna(0.0)
        stand_in["close"] = (close[moving] - before).median(axis=1).cumsum()
        fall = (low[moving] - before).median(axis=1)
        stand_in["low"] = stand_in["close"].shift().fillna(0.0) + fall
        stand_in["low"] = stand_in.min(axis=1)
    still = np.zeros(len(close))
    paths = [
        (close[name], low[name])
        if (name := asset if origin == OWN else origin) in close
        else (stand_in["close"], stand_in["low"])
        if origin == MEDIAN
        else (still, still)
        for asset, origin in sources.items()
    ]
    made = np.exp(scale * np.array(paths, dtype=float))  # asset × (close, low) × bar
    made[:, 1, 0] = 1.0
    line = timeline(made[:, 0].T, made[:, 1].T, bar, steps, World(), list(facts.assets))
    return line.market, line.due, steps


def _moves(parts: Components, facts: Facts, where: str) -> np.ndarray:
    """Log move of each asset by shock, factor and sigmas."""
    moves = np.zeros(len(facts.assets))
    if parts.shock:
        moves += _log(facts.by_asset(parts.shock, f"shock of {where}", 0.0, follow=True))
    for size, each, what in (
        (None if parts.factor is None else _log(parts.factor), facts.beta, "beta"),
        (parts.sigmas, facts.sigma_day, "daily volatility"),
    ):
        if size is not None:
            moves += np.where(facts.stable, 0.0, size * _figures(each, facts, what, where))
    return moves


def _figures(each: pd.Series, facts: Facts, what: str, where: str) -> np.ndarray:
    known = each.dropna()
    made = []
    for asset in facts.assets:
        name = asset if asset in known.index else facts.underlying.get(asset)
        if name not in known.index and not facts.is_stable(asset):
            raise ParameterError(
                f"{where}: no {what} of {asset}; give one, of it or of what it stands for"
            )
        made.append(known.get(name, 0.0))
    return np.array(made)


def _log(change: float | list[float]) -> np.ndarray:
    return np.log(np.maximum(1.0 + np.asarray(change), LEAST))


def _unfolding(parts: Components, facts: Facts, *, unfolds: bool) -> np.ndarray:
    """Share of the log moves that has happened, by step."""
    if not unfolds and parts.over is None and parts.after is None:
        return np.zeros(1)
    over = max(steps_of(parts.over or USUALLY, facts.step), 1)
    after = steps_of(parts.after or USUALLY, facts.step)
    back = 1.0 - (parts.recover or 0.0) * np.arange(1, after + 1) / max(after, 1)
    return np.concatenate([np.arange(over + 1) / over, back])


def _extended(rows: np.ndarray, length: int) -> np.ndarray:
    """The last row again and again."""
    return np.vstack([rows, np.repeat(rows[-1:], length - len(rows), axis=0)])
