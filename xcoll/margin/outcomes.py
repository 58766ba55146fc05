"""What a backtest of margins says: did they hold, how hard did they move, and what a floor adds.

A hit is a loss above the margin by more than a cent.  Coverage after Kupiec (1995) and
Christoffersen (1998); procyclicality after Murphy, Vasios and Vause (2014).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.recalibration import measures
from xcoll.errors import DataError, EstimationError
from xcoll.estimators import evaluation

__all__ = ["floored", "judge", "procyclicality"]

COLUMNS = ("time", "book", "rule", "margin", "loss")
CENT = 0.01  # dollars: a smaller loss is rounding


def judge(found: pd.DataFrame, probability: float = 0.01) -> pd.DataFrame:
    """Did the margins hold?  One row a book and rule.

    Returns
    -------
    DataFrame
        book, rule, dates, hits (losses above the margin), expected (dates × `probability`),
        kupiec_p, conditional_p, worst (largest loss beyond the margin, share of the mean margin;
        NaN where nothing is asked for), margin (mean, dollars).

    Raises
    ------
    DataError : a table that is not of `run`: columns that are missing, a row twice, no numbers.
    EstimationError : a single date.

    Notes
    -----
    A rule that promises more than `probability`, such as an ES, should have fewer hits.
    """
    rows = []
    _check(found)
    for (name, rule), one in found.groupby(["book", "rule"], sort=False):
        margin, loss = one["margin"].to_numpy(), one["loss"].to_numpy()
        hits, n, mean = loss > margin + CENT, len(one), float(margin.mean())
        if n < 2:
            raise EstimationError(f"book {name} has one date under {rule}; judge two or more")
        kupiec = evaluation.kupiec(int(hits.sum()), n, probability).p_value
        conditional = evaluation.conditional_coverage(hits, probability).p_value
        beyond = float((loss - margin)[hits].max()) if hits.any() else 0.0
        worst = beyond / mean if mean > 0.0 else np.nan
        rows.append(
            (name, rule, n, int(hits.sum()), n * probability, kupiec, conditional, worst, mean)
        )
    columns = ["book", "rule", "dates", "hits", "expected", "kupiec_p", "conditional_p", "worst"]
    return pd.DataFrame(rows, columns=[*columns, "margin"])


def procyclicality(found: pd.DataFrame, bars: Mapping[str, int]) -> pd.DataFrame:
    """How hard margins move: one row a book and rule.

    Parameters
    ----------
    bars : name of a column → bars of the largest rise, a share of the mean margin.

    Returns
    -------
    DataFrame
        book, rule, peak_to_trough, and the largest rises (Murphy, Vasios and Vause 2014).

    Raises
    ------
    DataError : as `judge`.
    """
    tables = []
    _check(found)
    for rule, part in found.groupby("rule", sort=False):
        wide = part.pivot(index="time", columns="book", values="margin")
        wide = wide[part["book"].unique()]
        mean = wide.mean()
        table = pd.DataFrame({"rule": rule, "peak_to_trough": measures.peak_to_trough(wide)})
        for name, count in bars.items():
            table[name] = measures.largest_rise(wide, count) / mean
        tables.append(table.rename_axis("book").reset_index())
    return pd.concat(tables, ignore_index=True)[["book", "rule", "peak_to_trough", *bars]]


def floored(found: pd.DataFrame, rule: str, floor: str, name: str) -> pd.DataFrame:
    """`found` with one rule more: the larger margin of `rule` and `floor` (EMIR RTS 28(1)(c))."""
    _check(found)
    checks.one_of("rule", rule, found["rule"].unique())
    checks.one_of("floor", floor, found["rule"].unique())
    one, other = (
        found[found["rule"] == each].set_index(["time", "book"]) for each in (rule, floor)
    )
    margin = np.maximum(one["margin"], other["margin"].reindex(one.index))
    made = one.assign(margin=margin, rule=name).reset_index()[found.columns]
    return pd.concat([found, made], ignore_index=True)


def _check(found: pd.DataFrame) -> None:
    """Refuse what is no table of `run`."""
    missing = [name for name in COLUMNS if name not in found.columns]
    if missing or found.empty:
        raise DataError(f"a table without {', '.join(missing) or 'rows'}; give what `run` returns")
    bad = ~np.isfinite(found[["margin", "loss"]].to_numpy(float)).all(axis=1)
    twice = found.duplicated(["time", "book", "rule"]).to_numpy()
    for rows, fault in ((twice, "is there twice"), (bad, "has no number")):
        if rows.any():
            row = found[rows].iloc[0]
            raise DataError(f"{row['book']} under {row['rule']} {fault} at {row['time']}; mend it")
