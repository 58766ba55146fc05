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
from xcoll.estimators.tail.shortfall import historical
from xcoll.liquidation._kernels import ACCOUNT, BARS
from xcoll.liquidation.replay import Replay

__all__ = [
    "Opening",
    "average",
    "by_crisis",
    "loss_tail",
    "measure",
    "opening",
    "paired",
    "readings",
    "resampled",
    "tails",
    "time_to_liquidate",
    "wait_quantile",
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


def opening(book: Book, parameters: RiskParameters, thresholds: pd.Series) -> Opening:
    """The opening of a book that is in units of one dollar's worth at the opening.

    `thresholds` are those in force; the ratio of LTV to threshold is that of `parameters`.
    """
    collateral = book.collateral.sum(axis=0)
    given = parameters.frame.reindex(book.assets).fillna(0.0)
    lt = thresholds.reindex(book.assets).fillna(0.0)
    ratio = (given["ltv"] / given["threshold"]).where(given["threshold"] > 0.0, 0.0)
    share = collateral / collateral.sum()
    return Opening(
        debt=float(book.debt.sum()),
        collateral=float(collateral.sum()),
        borrowers=int(np.count_nonzero(book.debt.any(axis=1))),
        capital_efficiency=float(share @ (ratio * lt).to_numpy()),
        threshold=float(share @ lt.to_numpy()),
    )


def measure(start: Opening, replay: Replay) -> dict[str, float]:
    """Outcomes of one cohort.

    Returns
    -------
    dict
        ``debt``, ``collateral``, ``capital_efficiency``, ``threshold`` of the opening; as shares of
        that debt: ``bad_debt`` = ``realised`` + ``under_water``, ``trough``, ``repaid``,
        ``premature_debt`` (repaid by premature closures), ``penalty`` (what borrowers lose: seized
        less the debt that it cleared and what they got back), ``premature_penalty`` (of premature
        closures), ``fee`` (kept by the venue), ``covered`` (by its fund), ``added`` (brought by
        borrowers), ``waiting`` (most that stood unserved at a close);
        ``liquidated`` (dollars seized over the opening collateral); as shares of the borrowers:
        ``closed``, ``premature``, ``insufficient``, ``lowered`` (closed by a threshold).
    """
    debt, borrowers = start.debt, start.borrowers
    column = {name: replay.column(name) for name in ACCOUNT}
    early, served = column["premature"] > 0, column["calls"] > 0
    lost = column["seized"] - column["repaid"] - column["credit"]
    by_bar = dict(zip(BARS, replay.by_bar.T, strict=True))
    realised, missing = float(column["deficit"].sum()), float(column["under"].sum())
    trough = float((by_bar["deficit"].cumsum() + by_bar["paper"]).max())
    late = (column["deficit"] > 0) | (column["under"] > 0) | (column["covered"] > 0)
    return {
        "debt": debt,
        "collateral": start.collateral,
        "bad_debt": (realised + missing) / debt,
        "realised": realised / debt,
        "under_water": missing / debt,
        "trough": max(trough, realised + missing) / debt,
        "repaid": float(column["repaid"].sum()) / debt,
        "premature_debt": float(column["repaid"][early].sum()) / debt,
        "penalty": float(lost.sum()) / debt,
        "premature_penalty": float(lost[early].sum()) / debt,
        "fee": float(column["fee"].sum()) / debt,
        "covered": float(column["covered"].sum()) / debt,
        "added": float(column["added"].sum()) / debt,
        "waiting": float(by_bar["waiting"].max()) / debt,
        "liquidated": float(column["seized"].sum()) / start.collateral,
        "closed": np.count_nonzero(served) / borrowers,
        "premature": np.count_nonzero(early) / borrowers,
        "insufficient": np.count_nonzero(late) / borrowers,
        "lowered": np.count_nonzero(served & (column["lowered"] > 0)) / borrowers,
        "capital_efficiency": start.capital_efficiency,
        "threshold": start.threshold,
    }


HOUR = pd.Timedelta("1h")


def resampled(
    count: int, rng: np.random.Generator, replications: int, block: int, what: str = "cohorts"
) -> np.ndarray:
    """Cohorts of each draw in blocks, replications × `count`, for overlapping cohorts share days.

    Raises
    ------
    EstimationError
        Fewer cohorts than two blocks; `what` says which cohorts.
    """
    if count < 2 * checks.whole("block", block):
        raise EstimationError(
            f"{count} {what} are fewer than two blocks of {block}; give a longer history"
        )
    return circular_blocks(count, rng, replications, block)


def loss_tail(
    losses: np.ndarray,
    bars: int,
    confidence: float,
    rng: np.random.Generator,
    block: int,
    replications: int = 1_000,
    level: float = 0.90,
) -> dict[str, float]:
    """VaR and ES of the bad debt over a horizon of `bars`, with block-bootstrap intervals.

    Parameters
    ----------
    losses : cohorts × bars, shares of the debt at the opening (`Cohorts.losses`).
    bars : length of the windows that a cohort's life is cut into; they do not overlap within it.
    block : cohorts a block of the bootstrap, for overlapping cohorts share their days.

    Returns
    -------
    dict
        ``var``, ``var_low``, ``var_high``, ``es``, ``es_low``, ``es_high``, ``windows``.

    Raises
    ------
    EstimationError
        Cohorts shorter than one window, or fewer cohorts than two blocks.
    """
    count, life = losses.shape
    whole = life // checks.whole("bars", bars)
    if not whole:
        raise EstimationError(
            f"cohorts of {life} bars hold no window of {bars}; give longer cohorts"
        )
    rows = resampled(count, rng, replications, block)
    sums = losses[:, : whole * bars].reshape(count, whole, bars).sum(axis=2)
    found = historical(sums.ravel(), confidence)
    drawn = [historical(sums[row].ravel(), confidence) for row in rows]
    low, high = interval(np.array([(one.var, one.es) for one in drawn]), level)
    return {
        "var": found.var,
        "var_low": float(low[0]),
        "var_high": float(high[0]),
        "es": found.es,
        "es_low": float(low[1]),
        "es_high": float(high[1]),
        "windows": count * whole,
    }


def tails(
    losses: Mapping[str, np.ndarray],
    horizons: Mapping[str, int],
    confidence: float,
    rng: np.random.Generator,
    block: int,
    replications: int = 1_000,
) -> pd.DataFrame:
    """`loss_tail` of several cases over several horizons.

    Parameters
    ----------
    losses : case → cohorts × bars.
    horizons : name → bars.

    Returns
    -------
    DataFrame
        ``case``, ``horizon``, and the entries of `loss_tail`.
    """
    rows = []
    for case, table in losses.items():
        for horizon, bars in horizons.items():
            tail = loss_tail(table, bars, confidence, rng, block, replications)
            rows.append({"case": case, "horizon": horizon, **tail})
    return pd.DataFrame(rows)


def paired(
    cases: Mapping[str, pd.DataFrame],
    base: str,
    columns: list[str],
    rng: np.random.Generator,
    block: int,
    replications: int = 1_000,
    level: float = 0.90,
) -> pd.DataFrame:
    """Differences of outcomes between `base` and each other case, cohort by cohort.

    Parameters
    ----------
    cases : name → outcomes of the same cohorts in the same order.
    base : the case that the others are taken from: positive where `base` has more.

    Returns
    -------
    DataFrame
        ``case``, ``outcome``, ``mean`` (of the differences), ``low``, ``high``, ``differs`` (the
        interval leaves zero out), ``affected`` (share of cohorts with any difference).

    Raises
    ------
    EstimationError
        Fewer cohorts than two blocks.
    """
    count = len(cases[base])
    picks = resampled(count, rng, replications, block)
    rows = []
    for name, table in cases.items():
        if name == base:
            continue
        apart = cases[base][columns].to_numpy(float) - table[columns].to_numpy(float)
        low, high = interval(apart[picks].mean(axis=1), level)
        for n, column in enumerate(columns):
            rows.append(
                {
                    "case": name,
                    "outcome": column,
                    "mean": float(apart[:, n].mean()),
                    "low": float(low[n]),
                    "high": float(high[n]),
                    "differs": bool(low[n] > 0.0 or high[n] < 0.0),
                    "affected": float((apart[:, n] != 0.0).mean()),
                }
            )
    return pd.DataFrame(rows)


def by_crisis(outcomes: pd.DataFrame, by: str) -> pd.DataFrame:
    """Means over the cohorts that open before each crisis, by a column such as "engine".

    Returns
    -------
    DataFrame
        Columns `by`, ``crisis`` (in time), ``cohorts``; ``bad_debt``, ``trough``, ``penalty``,
        ``premature_penalty``, ``fee``, ``covered`` (of the debt); ``closed``, ``premature``,
        ``insufficient`` (of the borrowers).  Empty where the prices cover no crisis.
    """
    shown = [
        "bad_debt", "trough", "penalty", "premature_penalty", "fee", "covered",
        "closed", "premature", "insufficient",
    ]  # fmt: skip
    crises = outcomes[outcomes["kind"] != "weekly"].rename(columns={"kind": "crisis"})
    order = crises.groupby("crisis")["start"].min().sort_values().index
    groups = crises.groupby([by, "crisis"], sort=False)
    table = groups[shown].mean().assign(cohorts=groups.size()).reset_index()
    ranked = table["crisis"].map({name: n for n, name in enumerate(order)})
    table = table.assign(place=ranked).sort_values([by, "place"], kind="stable", key=_as_found)
    return table.reset_index(drop=True)[[by, "crisis", "cohorts", *shown]]


def _as_found(column: pd.Series) -> pd.Series:
    """Names in the order in which they come first."""
    return pd.Series(pd.factorize(column)[0], column.index) if column.dtype == "str" else column


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
    means = values[resampled(count, rng, replications, block)].mean(axis=1)
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


def wait_quantile(waits: pd.DataFrame, confidence: float) -> pd.Timedelta:
    """Time from breach to service within which a share `confidence` of the debt was repaid.

    Weighted by debt, for accounts too small to pay the gas of a call may wait for ever, and none of
    them should set a horizon.

    Parameters
    ----------
    waits : ``wait`` and ``repaid``; see `Cohorts.waits`.

    Raises
    ------
    EstimationError
        Nobody was served.
    """
    checks.fraction("confidence", confidence)
    if not waits["repaid"].sum() > 0.0:
        raise EstimationError("nobody was served, so there is no time to liquidate")
    ranked = waits.sort_values("wait", kind="stable")
    share = ranked["repaid"].cumsum() / ranked["repaid"].sum()
    place = min(int(share.searchsorted(confidence)), len(ranked) - 1)
    return pd.Timedelta(ranked["wait"].iloc[place])


def time_to_liquidate(waits: Mapping[str, pd.DataFrame], bar: pd.Timedelta) -> pd.DataFrame:
    """How long it takes from breach to service, one row a service.

    Returns
    -------
    DataFrame
        ``service``; ``served`` (accounts); ``median_hours``, ``p99_hours``, ``longest_hours`` over
        accounts along the modelled path, ``p99_debt_hours`` over dollars (see `wait_quantile`), NaN
        where nobody was served; ``hidden``: the 99th percentile lies within one bar, so all that
        the prices themselves say is "≤ 1 bar".
    """
    rows = []
    for service, table in waits.items():
        hours = table["wait"] / HOUR
        paid = table["repaid"].sum() > 0.0
        by_debt = wait_quantile(table, 0.99) / HOUR if paid else np.nan
        rows.append(
            {
                "service": service,
                "served": len(hours),
                "median_hours": float(hours.median()),
                "p99_hours": float(hours.quantile(0.99)),
                "p99_debt_hours": by_debt,
                "longest_hours": float(hours.max()),
                "hidden": not (table["wait"] > bar).mean() > 0.01,
            }
        )
    return pd.DataFrame(rows)
