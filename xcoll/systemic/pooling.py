"""The claim itself: the same accounts pooled, and split into positions of one collateral each.

Splitting keeps every position at the health factor of its account, so both owe the same at the
opening.  What pooling changes is what happens then: a fall in one asset is borne by the others
(fewer are closed), and where an account is closed after all, any of its collaterals is sold, which
is how a fall spreads.  Both are run on the same shocks, at several levels of correlation.

In one jump, without impact and at a venue that closes an account whole, lenders never lose more to
pooled accounts than to split ones: what one position is short of, another may pay.  Over several
steps they can: a pooled account that is above its level at the first may be far under at the next,
while its worst position would have been closed early.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.estimators.resampling import circular_blocks, interval
from xcoll.liquidation import mapping
from xcoll.systemic.shocks import Law, Losses, Shocks, run
from xcoll.systemic.system import System

__all__ = ["OUTCOMES", "borrowing_gain", "compare", "levels", "split", "turn"]

OUTCOMES = ("bad_debt", "penalty", "sold", "closed", "amplification")


def split(system: System) -> System:
    """`system` with every account split into positions of one collateral each.

    The split is that of `liquidation.mapping` for a venue of single collaterals: shares of the
    debts by what each carries of them, so that all have the health factor of the account.
    """
    made = []
    prices = pd.Series(system.opening, system.assets)
    for venue in system.venues:
        thresholds = venue.parameters.frame["threshold"]
        held = mapping.split(venue.book, "maker", prices, thresholds, system.assets)
        owners = np.array([f"{venue.name} {account}" for account in venue.book.ids])
        users = (owners if venue.users is None else np.asarray(venue.users))[held.parent]
        borrow_to = None if venue.borrow_to is None else venue.borrow_to[held.parent]
        made.append(replace(venue, book=held.book, users=users, borrow_to=borrow_to))
    return system.changed(venues=made)


def levels(law: Law, correlations: Sequence[float]) -> dict[float, Law]:
    """Laws with the volatilities of `law` and one correlation between all of its assets."""
    count, sigma, made = len(law.assets), law.sigma, {}
    for rho in correlations:
        checks.fraction("correlation", rho, closed=True)
        if rho == 1.0:
            raise ParameterError("a correlation of 1 leaves no law of its own; give 0.99")
        matrix = np.full((count, count), float(rho))
        np.fill_diagonal(matrix, 1.0)
        made[float(rho)] = Law(law.assets, matrix * np.outer(sigma, sigma), law.nu)
    return made


def outcomes(losses: Losses) -> pd.DataFrame:
    """`OUTCOMES` by shock: shares of the debt, accounts closed, and how far sales moved prices.

    ``amplification`` is the mean over assets of the traded fall beyond that from outside, in log.
    """
    further = np.log(losses.outside) - np.log(losses.price)
    return pd.DataFrame(
        {
            "bad_debt": losses.bad_debt,
            "penalty": losses.penalty,
            "sold": losses.sold.sum(axis=1) / losses.debt.sum(),
            "closed": (losses.column("first") + losses.column("later")).sum(axis=1),
            "amplification": further.mean(axis=1),
        }
    )


def compare(
    system: System,
    laws: dict[float, Law],
    count: int,
    rng: np.random.Generator,
    unfolding: Shocks | None = None,
    level: float = 0.90,
    replications: int = 1_000,
) -> pd.DataFrame:
    """Pooled against split over correlations, on the same draws.

    Returns
    -------
    DataFrame
        ``correlation``, ``outcome``, ``pooled``, ``split`` (means; ``closed`` as a share of the
        accounts or positions), ``difference`` (pooled less split), ``low``, ``high`` and
        ``differs`` of the paired difference.
    """
    apart, rows = split(system), []
    seed = int(rng.integers(2**32))
    sizes = {"pooled": len(system.layout.owed), "split": len(apart.layout.owed)}
    for rho, law in laws.items():
        moves = law.draw(count, np.random.default_rng(seed))
        both = {
            name: outcomes(run(one, law.assets, moves, unfolding))
            for name, one in (("pooled", system), ("split", apart))
        }
        for name, table in both.items():
            table["closed"] /= sizes[name]
        picks = circular_blocks(count, np.random.default_rng(seed), replications, 1)
        for outcome in OUTCOMES:
            gap = (both["pooled"][outcome] - both["split"][outcome]).to_numpy()
            low, high = interval(gap[picks].mean(axis=1), level)
            means = [float(both[name][outcome].mean()) for name in ("pooled", "split")]
            differs = bool(low > 0.0 or high < 0.0)
            rows.append((rho, outcome, *means, float(gap.mean()), float(low), float(high), differs))
    columns = ["correlation", "outcome", "pooled", "split", "difference", "low", "high", "differs"]
    return pd.DataFrame(rows, columns=columns)


def turn(table: pd.DataFrame, outcome: str) -> float:
    """Correlation at which the difference of an outcome changes its sign; NaN where it does not.

    Between two levels the difference is taken to be straight.
    """
    rows = table[table["outcome"] == outcome].sort_values("correlation")
    rho, gap = rows["correlation"].to_numpy(), rows["difference"].to_numpy()
    for a in range(len(rho) - 1):
        if a > 0 and gap[a] == 0.0 and gap[a - 1] * gap[a + 1] < 0.0:
            return float(rho[a])
        if gap[a] * gap[a + 1] < 0.0:
            share = gap[a] / (gap[a] - gap[a + 1])
            return float(rho[a] + share * (rho[a + 1] - rho[a]))
    return float("nan")


def scaled(system: System, factor: float) -> System:
    """`system` with all debts multiplied by `factor`: more or less borrowed on the same."""
    checks.positive("factor", factor)
    venues = [
        replace(venue, book=replace(venue.book, debt=venue.book.debt * factor))
        for venue in system.venues
    ]
    return system.changed(venues=venues)


def borrowing_gain(
    system: System,
    law: Law,
    count: int,
    rng: np.random.Generator,
    confidence: float = 0.95,
    unfolding: Shocks | None = None,
    steps: int = 8,
) -> float:
    """How much more can be borrowed pooled than split at the same expected shortfall of lenders.

    The debts of the pooled accounts are scaled until the mean of the worst losses in dollars over
    the debt is that of the split ones; 0.03 is three percent more.  NaN where these lose nothing,
    or where no debts between 0.8 and 1.5 times today's lose as much.
    """
    moves = law.draw(count, rng)
    worst = max(round(count * (1.0 - checks.fraction("confidence", confidence))), 1)

    def shortfall(one: System) -> float:
        lost = run(one, law.assets, moves, unfolding).bad_debt
        return float(np.sort(lost)[-worst:].mean())

    wanted = shortfall(split(system))
    low, high = 0.8, 1.5
    ends = shortfall(scaled(system, low)), shortfall(scaled(system, high))
    if not (wanted > 0.0 and ends[0] <= wanted <= ends[1]):
        return float("nan")
    for _ in range(steps):
        middle = 0.5 * (low + high)
        if shortfall(scaled(system, middle)) < wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high) - 1.0
