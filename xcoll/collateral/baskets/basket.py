"""What an account can lose as a whole, against the sum of what its assets can lose alone.

    loss         max over the points on the way of Σ w_i (1 - P_i)
    parts        Σ |w_i| ES_i, each asset alone
    benefit      1 - ES / parts, in [0, 1): ES is subadditive in any sample
    allocation   mean loss of each leg where the account stands worst, over the account's tail

Weights w are fractions of the collateral's value, negative where owed; prices P are relative to
the decision.  Legs that follow one price are netted before they are parts: what they share is no
diversification.  The allocations sum to the ES (Euler; Tasche 1999).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xcoll.collateral.baskets.account import Account, account
from xcoll.collateral.baskets.euler import tail_weights
from xcoll.collateral.baskets.margins import margins
from xcoll.collateral.baskets.scenarios import LAWS, Correlations, draws, moves
from xcoll.collateral.baskets.wrong_way import wrong_way
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.estimators import tail
from xcoll.estimators.tail.shortfall import beyond, drawn

__all__ = ["Basket", "allocations", "basket", "risks", "wrong_ways"]


@dataclass(frozen=True)
class Basket:
    """What an account can lose under each law of dependence, in fractions of its collateral.

    Attributes
    ----------
    account : Account
        Its legs.
    of : Tail
        Confidence and loss; VaR and ES are both given.
    bars : int
        Horizon.
    first : Timestamp
        First bar that all its assets have.
    beyond : float
        Historical bars beyond the level: what the tails rest on, whatever the number of paths.
    risk : DataFrame, law × (var, es, error, parts, benefit, benefit_error)
        ``error`` and ``benefit_error`` are Monte Carlo standard errors; 0 over one bar under
        ``fhs`` and ``one``, where every bar is visited and nothing is drawn.
    alone : DataFrame, leg × law
        ES of each leg alone; negative for the smaller one of two legs that follow one price.
    allocation : DataFrame, leg × law
        Sums to the ES; negative for a leg that pays where the account loses.
    falls : Series
        By leg: ES of its price's fall under ``fhs``, as for one dollar held.
    wrong_way : DataFrame
        As `wrong_way.wrong_way` gives it, by law and unit; empty without a debt.
    """

    account: Account
    of: Tail
    bars: int
    first: pd.Timestamp
    beyond: float
    risk: pd.DataFrame
    alone: pd.DataFrame = field(repr=False)
    allocation: pd.DataFrame = field(repr=False)
    falls: pd.Series = field(repr=False)
    wrong_way: pd.DataFrame = field(repr=False)


def basket(
    history: History,
    weights: Mapping[str, float] | pd.Series,
    correlations: Correlations,
    rng: np.random.Generator,
    *,
    of: Tail | None = None,
    bars: int | None = None,
    paths: int = 20_000,
    followed: Mapping[str, str] | None = None,
    highs: pd.DataFrame | None = None,
    recursion: tail.Recursion | None = None,
) -> Basket:
    """VaR and ES of an account under the five laws of `scenarios`, allocated to its legs.

    Parameters
    ----------
    history : History
        Margins and today's σ; the bars that all assets of the account have are used.
    weights : mapping
        Symbol → fraction of the collateral's value, negative where it is owed.
    correlations : Correlations
        Today's, as of the last bar of `history`, and the stressed ones.
    rng : Generator
        Source of the draws.
    of : Tail
        Confidence and kind of loss; 99 % and the close-out loss where not given.
    bars : int
        Horizon; a day where not given.
    paths : int
        Scenarios a law, rounded up to a multiple of the bars (times the draws of the lows).
    followed : mapping
        Derived symbol → its underlying.
    highs : DataFrame
        time × asset log highs, as `margins.highs` makes them; the closes where not given, which
        is too little for what is owed.
    recursion : Recursion
        How σ answers within several bars; EWMA 0.94 where not given.

    Raises
    ------
    ParameterError
        Faulty weights, as `account` names them.
    DataError, EstimationError
        An asset without history, σ or correlation at the last bar; a matrix that is not positive
        definite; no bar in common.
    """
    of, bars = of or Tail(), history.day if bars is None else bars
    legs = account(weights, followed)
    given = margins(history, legs.assets, highs)
    rows = draws(legs, given, correlations, bars, of.loss, paths, rng)
    walked = moves(rows, legs, given, of.loss, recursion or tail.Recursion.ewma())
    weights, side = legs.weights.to_numpy(), np.where(legs.net < 0.0, -1.0, 1.0)
    closes = 1 if of.loss == "end" else bars
    risk, alone, allocation = {}, {}, {}
    for law, move in walked.items():
        value = -np.expm1(move)  # lost of a dollar of each asset
        total = value @ legs.net
        at = total.argmax(axis=1)[:, None]
        lost = np.take_along_axis(total, at, axis=1)[:, 0]
        there = np.take_along_axis(value, at[..., None], axis=1)[:, 0]
        risk[law], each = _measured(lost, (value * side).max(axis=1).T, legs, of.confidence)
        if bars == 1:
            # The margins are exact, so what is left is the error of the benefit, or none.
            risk[law]["benefit_error"] *= law not in ("fhs", "one")
            risk[law]["error"] = risk[law]["benefit_error"] * risk[law]["parts"]
        alone[law] = weights * (side * each)[legs.column]
        share = tail_weights(lost, of.confidence) @ there
        allocation[law] = weights * share[legs.column]
    ((_, falls, _),) = drawn(-np.expm1(walked["fhs"].min(axis=1)).T, [of.confidence])
    symbols = legs.weights.index
    return Basket(
        account=legs,
        of=of,
        bars=bars,
        first=given.first,
        beyond=beyond(given.bars, of.confidence),
        risk=pd.DataFrame(risk).T.loc[list(LAWS)].rename_axis("law"),
        alone=pd.DataFrame(alone, symbols),
        allocation=pd.DataFrame(allocation, symbols),
        falls=pd.Series(falls[legs.column], symbols, name="falls"),
        wrong_way=wrong_way(walked, closes, legs, of.confidence, rng),
    )


def _measured(
    lost: np.ndarray, units: np.ndarray, legs: Account, confidence: float
) -> tuple[dict[str, float], np.ndarray]:
    """A row of `Basket.risk`, and the ES of a dollar of each asset alone."""
    samples = np.vstack([lost, units])
    ((var, es, error),) = drawn(samples, [confidence])
    size = np.abs(legs.net)
    parts = size @ es[1:]
    benefit = max(1.0 - es[0] / parts, 0.0) if parts > 0.0 else 0.0  # rounding apart never below 0
    # First-order error of a ratio of two means over the same paths.
    over = np.maximum(samples - var[:, None], 0.0) / (1.0 - confidence)
    ratio = over[0] - (1.0 - benefit) * (size @ over[1:])
    spread = ratio.std() / parts / np.sqrt(len(lost)) if parts > 0.0 else 0.0
    row = {
        "var": var[0],
        "es": es[0],
        "error": error[0],
        "parts": parts,
        "benefit": benefit,
        "benefit_error": spread,
    }
    return row, es[1:]


def risks(baskets: Mapping[str, Basket]) -> pd.DataFrame:
    """Rows account × law of several baskets: account, law, then the columns of `Basket.risk`."""
    return _rows({name: each.risk for name, each in baskets.items()})


def allocations(baskets: Mapping[str, Basket], law: str = "fhs") -> pd.DataFrame:
    """Rows account × leg under one law: account, asset, weight, alone, allocation."""
    return _rows(
        {
            name: pd.DataFrame(
                {
                    "weight": each.account.weights,
                    "alone": each.alone[law],
                    "allocation": each.allocation[law],
                }
            )
            for name, each in baskets.items()
        }
    )


def wrong_ways(baskets: Mapping[str, Basket]) -> pd.DataFrame:
    """Rows account × law × unit of those that owe: account, then `Basket.wrong_way`."""
    owing = {name: each.wrong_way for name, each in baskets.items() if len(each.wrong_way)}
    return _rows(owing)


def _rows(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, names=["account"]).reset_index()
