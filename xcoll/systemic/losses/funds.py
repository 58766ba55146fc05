"""How large an insurance fund each venue needs, and what the venues save who share one.

A fund pays what a liquidation leaves unpaid.  By venue, and for all of them as one:

- the expected shortfall of its losses on simulated weeks;
- the two users who lose it most in the worst scenario (*cover two*), see `mutual`.

Losses are gross of the fund that an exchange has already: what is to be sized is the whole of it.
What a pool loses otherwise, to an exploit, is no user's debt and not among them.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll.errors import DataError
from xcoll.liquidation._kernels import ACCOUNT
from xcoll.systemic.cascade import Cascade
from xcoll.systemic.losses.mutual import FundSize, Socialised, Waterfall, fund_size, waterfall
from xcoll.systemic.shocks import Losses

__all__ = ["ALL", "balances", "losses_by_user", "pass_on", "simulated", "sizes"]

ALL = "all as one"
LOST = ("deficit", "under", "covered")


def losses_by_user(found: Cascade) -> pd.Series:
    """Dollars that every user leaves unpaid, index ``venue`` and ``user``; most are 0."""
    lost = found.account[:, [ACCOUNT.index(name) for name in LOST]].sum(axis=1)
    layout = found.system.layout
    frame = pd.DataFrame(
        {
            "venue": np.array(found.system.names)[layout.venue],
            "user": layout.users,
            "lost": found.whole(lost, 0.0),
        }
    )
    return frame.groupby(["venue", "user"], sort=False)["lost"].sum()


def simulated(losses: Losses) -> pd.DataFrame:
    """Dollars lost in every draw before any fund, draw × venue."""
    gross = losses.column("lost") + losses.column("covered")
    return pd.DataFrame(gross, columns=list(losses.venues))


def sizes(
    drawn: pd.DataFrame, stressed: Mapping[str, pd.Series], confidence: float = 0.99
) -> pd.DataFrame:
    """Funds of every venue, and of all as one.

    Parameters
    ----------
    drawn : draw × venue dollars, as `simulated` gives them.
    stressed : scenario → `losses_by_user`.
    confidence : of the expected shortfall.

    Returns
    -------
    DataFrame
        ``venue`` (the last is `ALL`), ``es`` with its 90 % interval ``es_low`` and ``es_high``,
        ``cover``, the ``scenario`` it comes from ("none" where nobody loses), and ``size``, the
        larger of the two; dollars.

    Raises
    ------
    DataError
        No scenario, or fewer than two users at a venue.
    """
    if not stressed:
        raise DataError("no scenario to cover; give at least one")
    wide = pd.DataFrame(dict(stressed)).T  # scenario × (venue, user)
    by_user = wide.T.groupby(level="user").sum().T
    cases = {venue: (drawn[venue], wide.xs(venue, axis=1)) for venue in drawn}
    cases[ALL] = (drawn.sum(axis=1), by_user)
    made = {name: fund_size(*case, confidence) for name, case in cases.items()}
    rows = [
        (name, one.shortfall, one.low, one.high, one.cover, _named(one), one.size)
        for name, one in made.items()
    ]
    columns = ["venue", "es", "es_low", "es_high", "cover", "scenario", "size"]
    return pd.DataFrame(rows, columns=columns)


def _named(one: FundSize) -> str:
    return str(one.scenario) if one.cover > 0.0 else "none"


def balances(found: Cascade, venue: str) -> pd.DataFrame:
    """``claim`` of every account at a venue after an episode: what it holds less what it owes.

    At the prices of the end, in dollars; 0 where more is owed.
    """
    layout, v = found.system.layout, found.system.names.index(venue)
    result, here = found.venues[venue], layout.venue == v
    price = found.prices.to_numpy()[-1]
    worth = (result.collateral - result.debt) @ (price * found.system.opening)
    return pd.DataFrame({"claim": np.maximum(worth, 0.0)}, index=np.flatnonzero(here))


def pass_on(found: Cascade, venue: str, fund: float) -> Waterfall:
    """What a `fund` pays of a venue's loss in an episode; the rest is cut from all balances."""
    lost = float(losses_by_user(found)[venue].sum())
    return waterfall(lost, fund, [Socialised(balances(found, venue))])
