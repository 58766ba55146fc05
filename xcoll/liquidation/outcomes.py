"""What a replay did to lender and borrower, in one row a cohort, and averages with intervals.

Bad debt has three readings, as shares of the debt at the opening: *realised* (written off because
no collateral was left), *under water* (still missing at the end of the window) and *trough* (the
worst moment: what had been written off plus what was missing at that bar's lowest print).

*Premature*: closed, though untouched the account would have stayed solvent and come back above a
health of 1 within W.  *Insufficient*: closed too late to cover debt and bonus, or never closed and
under water at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import EstimationError
from xcoll.estimators.resampling import circular_blocks, interval
from xcoll.liquidation.replay import Replay

__all__ = [
    "Opening",
    "average",
    "before_crises",
    "measure",
    "opening",
    "readings",
    "time_to_liquidate",
]


@dataclass(frozen=True)
class Opening:
    """What a cohort starts from: dollars of debt and collateral, and the number of borrowers.

    `capital_efficiency` is the borrowing power ``Σ C_i·LTV_i`` a dollar of collateral, `threshold`
    the same with LT.
    """

    debt: float
    collateral: float
    borrowers: int
    capital_efficiency: float
    threshold: float


def opening(book: Book, parameters: RiskParameters) -> Opening:
    """The opening of a book that is in units of one dollar's worth at the opening."""
    collateral = book.collateral.sum(axis=0)
    rates = parameters.frame.reindex(book.assets).fillna(0.0)
    share = collateral / collateral.sum()
    return Opening(
        debt=float(book.debt.sum()),
        collateral=float(collateral.sum()),
        borrowers=int(np.count_nonzero(book.debt.any(axis=1))),
        capital_efficiency=float(share @ rates["ltv"].to_numpy()),
        threshold=float(share @ rates["threshold"].to_numpy()),
    )


def measure(start: Opening, replay: Replay) -> dict[str, float]:
    """Outcomes of one cohort.

    Returns
    -------
    dict
        ``debt``, ``collateral``, ``capital_efficiency``, ``threshold`` of the opening; as shares of
        that debt: ``bad_debt`` = ``realised`` + ``under_water``, ``trough``, ``repaid``,
        ``premature_debt`` (repaid by premature closures), ``penalty`` (seized less repaid: what
        borrowers lose), ``fee``;
        ``liquidated`` (dollars seized over the opening collateral); as shares of the borrowers:
        ``closed``, ``premature``, ``insufficient``.
    """
    repaid, seized, fee, deficit, under = (
        replay.column(name) for name in ("repaid", "seized", "fee", "deficit", "under")
    )
    early = replay.column("premature") > 0
    _, written_off, paper = replay.by_bar.T
    realised, missing, total = float(deficit.sum()), float(under.sum()), float(repaid.sum())
    trough = max(float((written_off.cumsum() + paper).max()), realised + missing)
    return {
        "debt": start.debt,
        "collateral": start.collateral,
        "bad_debt": (realised + missing) / start.debt,
        "realised": realised / start.debt,
        "under_water": missing / start.debt,
        "trough": trough / start.debt,
        "repaid": total / start.debt,
        "premature_debt": float(repaid[early].sum()) / start.debt,
        "penalty": (float(seized.sum()) - total) / start.debt,
        "fee": float(fee.sum()) / start.debt,
        "liquidated": float(seized.sum()) / start.collateral,
        "closed": np.count_nonzero(replay.column("calls")) / start.borrowers,
        "premature": np.count_nonzero(early) / start.borrowers,
        "insufficient": np.count_nonzero((deficit > 0) | (under > 0)) / start.borrowers,
        "capital_efficiency": start.capital_efficiency,
        "threshold": start.threshold,
    }


def before_crises(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Cohorts that open before a crisis, in time.

    Parameters
    ----------
    outcomes : with a column ``service`` that holds "path" and "low".

    Returns
    -------
    DataFrame
        Columns ``crisis``, ``days_before``; on the path ``closed``, ``premature``,
        ``insufficient`` (of the borrowers), ``repaid``, ``penalty``, ``bad_debt`` (of the debt);
        ``bad_debt_at_low``.  Empty where the prices cover no crisis.
    """
    crises = outcomes[outcomes["kind"] != "weekly"].rename(columns={"kind": "crisis"})
    keys = ["crisis", "days_before", "start"]
    shown = ["closed", "premature", "insufficient", "repaid", "penalty", "bad_debt"]
    path = crises.loc[crises["service"] == "path", [*keys, *shown]]
    low = crises.loc[crises["service"] == "low", [*keys, "bad_debt"]]
    table = path.merge(low, on=keys, suffixes=("", "_at_low")).sort_values("start", kind="stable")
    return table.drop(columns="start").reset_index(drop=True)


def average(
    outcomes: pd.DataFrame,
    columns: list[str],
    rng: np.random.Generator,
    block: int = 5,
    replications: int = 1_000,
    level: float = 0.90,
) -> pd.DataFrame:
    """Mean over cohorts with a block-bootstrap interval and the spread of the cohorts.

    Parameters
    ----------
    outcomes : cohorts in time, equally spaced.
    columns : outcomes to average.
    block : cohorts a block of the circular block bootstrap; weekly cohorts of 30 days overlap
        their four followers, so five is the least.
    level : coverage of the interval.

    Returns
    -------
    DataFrame
        Index outcome; columns ``mean``, ``low``, ``high`` (bootstrap), ``median``, ``p95``,
        ``worst`` (over cohorts).

    Raises
    ------
    EstimationError
        Fewer cohorts than two blocks.
    """
    values = outcomes[columns].to_numpy(dtype=float)
    count = len(values)
    if count < 2 * checks.whole("block", block):
        raise EstimationError(
            f"{count} cohorts are fewer than two blocks of {block}; give a longer history"
        )
    means = values[circular_blocks(count, rng, replications, block)].mean(axis=1)
    low, high = interval(means, level)
    return pd.DataFrame(
        {
            "mean": values.mean(axis=0),
            "low": low,
            "high": high,
            "median": np.median(values, axis=0),
            "p95": np.quantile(values, 0.95, axis=0),
            "worst": values.max(axis=0),
        },
        index=pd.Index(columns, name="outcome"),
    )


def readings(
    outcomes: pd.DataFrame, rng: np.random.Generator, block: int, replications: int = 1_000
) -> pd.DataFrame:
    """`average` of the three readings of bad debt and of what borrowers bore, by service.

    `outcomes` are weekly cohorts with a column ``service``; columns ``service``, ``outcome`` and
    those of `average`.
    """
    names = ["realised", "under_water", "trough", "penalty", "closed", "premature", "insufficient"]
    parts = {
        service: average(cohorts, names, rng, block, replications)
        for service, cohorts in outcomes.groupby("service", sort=False)
    }
    return pd.concat(parts, names=["service"]).reset_index()


def time_to_liquidate(waits: Mapping[str, pd.Series], bar: pd.Timedelta) -> pd.DataFrame:
    """Median and 99th percentile of the time from breach to service, one row a service.

    Returns
    -------
    DataFrame
        ``service``; ``served`` (accounts); ``median_hours``, ``p99_hours``, ``longest_hours``
        along the modelled path, NaN where nobody was served; ``hidden``: the 99th percentile lies
        within one bar, so all that the prices themselves say is "≤ 1 bar".
    """
    rows = []
    for service, wait in waits.items():
        hours = wait / pd.Timedelta(hours=1)
        rows.append(
            {
                "service": service,
                "served": len(hours),
                "median_hours": float(hours.median()),
                "p99_hours": float(hours.quantile(0.99)),
                "longest_hours": float(hours.max()),
                "hidden": not (wait > bar).mean() > 0.01,
            }
        )
    return pd.DataFrame(rows)
