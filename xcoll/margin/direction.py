"""Wrong way and right way: what margin is kept in, against what is held with it.

Collateral that falls as the position loses is wrong way: a long perpetual on the asset that is
pledged.  A short against it is right way: the collateral rises as the short loses, and what the
account can lose is what its collateral is worth beyond the hedge.

    beta    of the collateral's loss by the position's, both over their dollars; wrong way above 0
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.estimators.tail import shortfall
from xcoll.margin.book import Book, book
from xcoll.margin.draws import Draws
from xcoll.margin.instruments import Instruments, perpetual, spot
from xcoll.margin.levels import liquidation_prices
from xcoll.margin.market import Market, quote
from xcoll.margin.rules.requirement import Rule
from xcoll.margin.rules.simulated import losses
from xcoll.margin.standing import stand

__all__ = ["CASH", "accounts", "compare"]

CASH = "USD"
SIDES = {"long": 1.0, "short": -1.0}
NEITHER = 0.05  # a smaller beta is neither way


def accounts(
    market: Market, asset: str, position: float, collateral: float, kept: Sequence[str]
) -> Book:
    """One account a side and collateral: a perpetual of `position` dollars on `asset`.

    `collateral` dollars are kept in each asset of `kept`, or in cash ("USD"); accounts are named
    like "long, in ETH".

    Raises
    ------
    ParameterError : a position or collateral that is not above zero; nothing to keep it in, or one
        thing twice.
    DataError : an asset without a price.
    """
    size, margin = checks.positive("position", position), checks.positive("collateral", collateral)
    if isinstance(kept, str) or not kept or len(set(kept)) < len(kept):
        raise ParameterError(f"kept is {kept!r}; give a list of assets or {CASH!r}, each once")
    held = [one for one in kept if one != CASH]
    listed = Instruments.of([perpetual(asset), *(spot(one) for one in held)])
    line = quote(listed, market).mark[0]
    rows, cash = [], {}
    for side, sign in SIDES.items():
        for one in kept:
            name = f"{side}, in {one}"
            cash[name] = margin if one == CASH else 0.0
            rows.append((name, listed.frame.index[0], sign * size / line))
            if one != CASH:
                rows.append((name, one, margin / market.spot[one]))
    positions = pd.DataFrame(rows, columns=["account", "instrument", "quantity"])
    return book(listed, positions, pd.Series(cash))


def compare(
    market: Market,
    rule: Rule,
    draws: Draws,
    asset: str,
    position: float,
    collateral: float,
    kept: Sequence[str],
) -> pd.DataFrame:
    """The same position with the same dollars of margin, kept in one asset or another.

    Returns
    -------
    DataFrame
        side, kept (in), way ("wrong", "right", or "none" where beta is under 0.05), beta (NaN where
        the position never moves), health, excess (dollars), move (the move of `asset` alone that
        closes the account; NaN: none), lost (chance that a close-out takes all equity), error (its
        standard error), es (99 % expected shortfall over the collateral).
    """
    made = accounts(market, asset, position, collateral, kept)
    quotes = quote(made.instruments, market)
    standing = stand(made, quotes, rule).frame
    whole = losses(made, quotes, draws)
    _, es, _ = shortfall.drawn(whole, [0.99])[0]
    each = losses(made.apart(), quotes, draws)
    is_line = made.instruments.kind[made.instrument] == "perpetual"
    rows = []
    for place, name in enumerate(made.accounts):
        side, _, one = name.partition(", in ")
        mine = made.account == place
        line = each[mine & is_line][0]
        pledged = each[mine & ~is_line]
        beta = 0.0 if one == CASH else _beta(pledged[0] / collateral, line / position)
        way = "wrong" if beta >= NEITHER else "right" if beta <= -NEITHER else "none"
        near = liquidation_prices(made, quotes, rule, name).loc[asset]
        moves = near[["down_move", "up_move"]].dropna()
        lost = float((whole[place] >= standing["equity"].iloc[place]).mean())
        rows.append(
            (
                side,
                one,
                way,
                beta,
                standing["health"].iloc[place],
                standing["excess"].iloc[place],
                moves.iloc[moves.abs().argmin()] if len(moves) else np.nan,
                lost,
                np.sqrt(lost * (1.0 - lost) / len(draws)),
                es[place] / collateral,
            )
        )
    columns = ["side", "kept", "way", "beta", "health", "excess", "move", "lost", "error"]
    return pd.DataFrame(rows, columns=[*columns, "es"])


def _beta(one: np.ndarray, other: np.ndarray) -> float:
    covariance = np.cov(one, other)
    return float(covariance[0, 1] / covariance[1, 1]) if covariance[1, 1] > 0.0 else np.nan
