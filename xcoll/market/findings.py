"""Findings: the rows of the quality table."""

import numpy as np
import pandas as pd

__all__ = ["COLUMNS", "Row", "concat", "runs", "summary", "tabulate"]

COLUMNS = ("asset", "check", "start", "end", "bars", "value", "action")
Row = tuple[str, str, pd.Timestamp, pd.Timestamp, int, float, str]


def tabulate(rows: list[Row]) -> pd.DataFrame:
    """Findings in order, as a frame with fixed columns and types."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    stamp = "datetime64[us]"
    kinds = {"start": stamp, "end": stamp, "bars": "int64", "value": "float64"}
    return frame.astype({**dict.fromkeys(COLUMNS, "str"), **kinds})


def concat(reports: list[pd.DataFrame]) -> pd.DataFrame:
    """Several reports under one another."""
    return pd.concat(reports, ignore_index=True)


def summary(findings: pd.DataFrame) -> pd.DataFrame:
    """A report by kind of finding: check, findings, bars, assets, action (words before a colon)."""
    told = findings.assign(action=findings["action"].str.split("[:;]").str[0])
    grouped = told.groupby(["check", "action"], sort=False)
    counted = grouped.agg(
        findings=("asset", "size"),
        bars=("bars", "sum"),
        assets=("asset", lambda names: ", ".join(dict.fromkeys(names))),
    )
    return counted.reset_index()[["check", "findings", "bars", "assets", "action"]]


def runs(asset: str, name: str, mask: pd.Series, value: pd.Series, action: str) -> list[Row]:
    """One row a run of true bars; its value is the one that is largest in size."""
    mask = mask.astype(bool)
    rows = []
    for _, run in value[mask].groupby((~mask).cumsum()[mask]):
        known = run.dropna()
        peak = float(known.loc[known.abs().idxmax()]) if len(known) else np.nan
        rows.append((asset, name, run.index[0], run.index[-1], len(run), peak, action))
    return rows
