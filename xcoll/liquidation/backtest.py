"""The backtest as a notebook asks for it: a default study, the ways of serving it, its variations.

The default study pledges the universe's collateral set in the mix of `accounts.mix_of`, owes its
stablecoins, and lets some accounts owe one of its volatile debts; assets that have prices and are
not in the set (LUNA) get no weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import accounts
from xcoll.collateral.thresholds import RiskParameters
from xcoll.collateral.universe import Universe
from xcoll.estimators.tail import excursion
from xcoll.liquidation.cohorts import Study, calendar, compare, listed, run
from xcoll.liquidation.frontier import points
from xcoll.liquidation.replay import Conduct, low_prices
from xcoll.market.returns import log_returns

__all__ = ["assumptions", "by_low", "default", "lows", "portrait", "serve", "services"]


def services(oracle_delay: str, queue: str, recovery: str) -> dict[str, Conduct]:
    """Four ways of serving a breach.

    ``path`` after the oracle's delay and the queue, ``prompt`` after the oracle's delay alone; the
    bounds ``breach`` and ``low`` know neither.
    """
    wait = checks.duration("oracle_delay", oracle_delay) + checks.duration("queue", queue)
    return {
        "path": Conduct("path", wait, within=recovery),
        "prompt": Conduct("path", oracle_delay, within=recovery),
        "breach": Conduct("breach", within=recovery),
        "low": Conduct("low", within=recovery),
    }


def default(
    universe: Universe,
    close: pd.DataFrame,
    low: pd.DataFrame,
    parameters: pd.DataFrame,
    every: str | pd.Timedelta,
    window: str | pd.Timedelta,
    health_median: float,
    health_spread: float,
    volatile_debt: float,
    size: int,
    rng: np.random.Generator,
) -> Study:
    """The study of the head of the module, served on the path without delay.

    Parameters
    ----------
    close, low : time × asset prices and lowest prices.
    parameters : index asset with the columns of `RiskParameters`, for the collateral set at least.
    every, window : a cohort opens, and lives.
    health_median, health_spread, volatile_debt : as in `accounts.Shape`; assumed.
    size : accounts in a cohort.
    """
    stable = universe.stablecoins
    shape = accounts.Shape(
        list(close),
        accounts.mix_of(universe.collateral),
        stable,
        [asset for asset in universe.debts if asset not in stable],
        health_median=health_median,
        health_spread=health_spread,
        volatile_debt=volatile_debt,
    )
    return Study(
        close,
        low,
        calendar(close.index, every, window),
        accounts.draw(shape, size, rng),
        shape,
        RiskParameters(parameters.loc[universe.collateral]),
        listed(close),
        window=window,
    )


def portrait(study: Study) -> tuple[pd.DataFrame, pd.Series]:
    """The book that opens when all of its assets are listed.

    Returns
    -------
    DataFrame
        ``asset``, largest collateral first; ``collateral`` and ``debt`` as shares of the totals,
        share of the ``accounts`` that hold it, and its risk parameters; assets that nobody holds or
        owes are left out.
    Series
        Dollars of ``collateral`` and ``debt``, the ``median`` account's collateral, the mean number
        of ``assets`` held, the share ``top`` of the largest hundredth of the accounts, and the
        share ``near`` that opens with a health factor under 1.1.
    """
    shape, frame = study.shape, study.parameters.frame
    collateral, debt = accounts.dollars(study.draws, shape, frame["threshold"], shape.assets)
    lt = frame["threshold"].reindex(shape.assets).fillna(0.0).to_numpy(dtype=float)
    size, held = collateral.sum(axis=1), collateral > 0
    table = pd.DataFrame(
        {
            "collateral": collateral.sum(axis=0) / collateral.sum(),
            "debt": debt.sum(axis=0) / debt.sum(),
            "accounts": held.mean(axis=0),
        },
        index=pd.Index(shape.assets, name="asset"),
    )
    facts = pd.Series(
        {
            "collateral": size.sum(),
            "debt": debt.sum(),
            "median": np.median(size),
            "assets": held.sum(axis=1).mean(),
            "top": np.sort(size)[-max(len(size) // 100, 1) :].sum() / size.sum(),
            "near": (collateral @ lt < 1.1 * debt.sum(axis=1)).mean(),
        }
    )
    used = table[(table["collateral"] > 0) | (table["debt"] > 0)]
    ranked = used.sort_values("collateral", ascending=False, kind="stable")
    return ranked.join(frame).reset_index(), facts


def serve(study: Study, ways: Mapping[str, Conduct]) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Outcomes of all cohorts with a first column ``service``, and the waits of each service."""
    made = {name: run(replace(study, conduct=way)) for name, way in ways.items()}
    table = pd.concat({name: result.outcomes for name, result in made.items()}, names=["service"])
    waits = {name: result.waits for name, result in made.items()}
    return table.reset_index("service").reset_index(drop=True), waits


def lows(
    close: pd.DataFrame,
    volatility: pd.DataFrame,
    low: pd.DataFrame,
    donor: str,
    stable: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """Lowest prices by every choice of the low but "own", which few assets have.

    Parameters
    ----------
    close, volatility, low : time × asset closes, forecast σ, and the lows that are known.
    donor : asset that lends its lows.
    stable : assets that take no donor.
    """
    returns, known = log_returns(close), excursion.log_low(low, close)
    lender = excursion.Donor(donor, returns[donor], volatility[donor], known[donor])
    return {
        choice: low_prices(
            close,
            excursion.excursions(returns, volatility, known, lender, choice, rng, stable).low,
        )
        for choice in excursion.METHODS
        if choice != "own"
    }


def by_low(
    study: Study,
    choices: Mapping[str, pd.DataFrame],
    ways: Mapping[str, Conduct],
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Points (see `frontier.points`) of each choice of the low on the path and at the low.

    Returns
    -------
    DataFrame
        Columns ``choice``, ``service``, then the points; weekly cohorts only.
    """
    parts = []
    for choice, low in choices.items():
        here = replace(study.weekly, low=low)
        cases = {name: replace(here, conduct=ways[name]) for name in ("path", "low")}
        table = points(compare(cases, "service"), confidence, by="service")
        table = table.loc[list(cases)].reset_index()
        table.insert(0, "choice", choice)
        parts.append(table.drop(columns="consistent"))
    return pd.concat(parts, ignore_index=True)


def assumptions(study: Study, rng: np.random.Generator, confidence: float = 0.95) -> pd.DataFrame:
    """Points of `study` with one assumption moved at a time, weekly cohorts only.

    Another book of the same shape shows the Monte Carlo error.  In the last case a venue had
    accepted the assets outside the collateral set as well, at the parameters of the member with
    the lowest threshold, until the listing rule removed them.

    Returns
    -------
    DataFrame
        Index case, "as given" first; columns of `frontier.points` but ``consistent``.
    """
    weekly = study.weekly
    shape, conduct, frame = weekly.shape, weekly.conduct, weekly.parameters.frame
    later = pd.Timedelta(conduct.delay or 0) + pd.Timedelta(hours=2)
    cases = {
        "as given": weekly,
        "another book": replace(weekly, draws=accounts.draw(shape, len(weekly.draws.size), rng)),
        "median health 1.3": replace(weekly, shape=replace(shape, health_median=1.3)),
        "health spread 1.5": replace(weekly, shape=replace(shape, health_spread=1.5)),
        "sizes less uneven": replace(weekly, shape=replace(shape, size_spread=1.0)),
        "no volatile debt": replace(weekly, shape=replace(shape, volatile_debt=0.0)),
        "2 hours later": replace(weekly, conduct=replace(conduct, delay=later)),
    }
    outside = [asset for asset in shape.assets if asset not in {*frame.index, *shape.stable}]
    if outside:
        weakest = frame.loc[frame["threshold"].idxmin()]
        everything = frame.reindex([*frame.index, *outside]).fillna(weakest)
        cases[f"with {', '.join(outside)}"] = replace(
            weekly,
            shape=replace(shape, mix=accounts.mix_of(list(everything.index))),
            parameters=RiskParameters(everything, recommended=False),
        )
    table = points(compare(cases), confidence, by="case")
    return table.loc[list(cases)].drop(columns="consistent")
