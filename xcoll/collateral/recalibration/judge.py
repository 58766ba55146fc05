"""Was a path of haircuts high enough, how much capital did it hold, and how hard did it move?

A haircut stamped t rests on data up to the close of t and is applied from the next bar on; a loss
stamped t is decided at the close of t and realised in the bars after it.  So the two meet in the
same row.  Paths are compared on the windows that every one of them covers.

A haircut that rests on the expected shortfall at level α is exceeded less often than 1 − α: the
promise is the share of losses beyond the ES (`promised`).  It is judged one-sided, by the p-value
of at least as many exceedances, together with the capital that it held above need.  A whole haircut
also holds for impact, oracle and basis: give losses that have these in them, or what it holds for
them counts as capital.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.recalibration import measures
from xcoll.errors import DataError
from xcoll.estimators import evaluation
from xcoll.estimators.evaluation.inputs import share
from xcoll.market.prices import bar_length
from xcoll.market.returns import bars_in

__all__ = ["ES_SHARE", "HELD", "coverage", "judged", "promised"]

# Losses beyond the ES, of those beyond the VaR at the same level: 0.38 for a normal at 99 %, 0.3 to
# 0.4 for fat tails.
ES_SHARE = 0.4

# Columns of `judged` on the capital that a path held and how it moved; the others: did it cover?
HELD = (
    "capital_efficiency", "multiple", "above_need",
    "peak_to_trough", "largest_rise", "longest_stay", "fall_back",
)  # fmt: skip

ALL = "all"  # in the place of an asset: pooled
LEAST_BARS = 30


def promised(of: Tail) -> float:
    """Chance that a loss exceeds the figure: 1 − α for a VaR, ``ES_SHARE·(1 − α)`` for an ES."""
    return {"es": ES_SHARE, "var": 1.0}[of.measure] * share(of.confidence)


def coverage(
    paths: Mapping[str, pd.DataFrame], losses: pd.DataFrame, of: Tail, bars: int = 1
) -> pd.DataFrame:
    """How often a loss went beyond each path, and whether that is more than promised.

    Parameters
    ----------
    paths : mapping
        Name → haircuts in force, time × asset, fractions of the price in (0, 1]; stamped t, applied
        from the next bar on.  On coarser times than the losses, the last one known counts.  Assets
        that not every path has are left out.
    losses : DataFrame
        time × asset close-out losses over `bars` bars from the close of t on, every bar; positive
        fractions.
    of : Tail
        Figure that the haircuts rest on.
    bars : int
        Bars of a window; above 1 the windows overlap.

    Returns
    -------
    DataFrame
        path, asset ("all": pooled, first), bars (windows judged), exceedances, expected, bound
        (largest number that is not rejected at 5 %), rate, design (windows that count as one), p
        (one-sided, `evaluation.exceedance_rate`: dates as clusters), p_apart (the smallest Holm
        p-value of the series that do not overlap, `evaluation.sub_samples`), worst_excess and
        mean_excess (of the losses beyond the haircut, fractions of the price; 0 without one).

    Raises
    ------
    DataError
        No path, a haircut outside (0, 1], no asset in common, or an asset with fewer than 30
        windows that every path covers.
    """
    shown, lost = _common(paths, losses)
    rows = []
    for path, haircuts in shown.items():
        for name, columns in {ALL: list(lost), **{asset: [asset] for asset in lost}}.items():
            rows.append(
                {"path": path, "asset": name, **_row(haircuts[columns], lost[columns], of, bars)}
            )
    return pd.DataFrame(rows)


def judged(
    paths: Mapping[str, pd.DataFrame],
    losses: Mapping[int, pd.DataFrame],
    of: Tail,
    span: str = "30D",
) -> pd.DataFrame:
    """One row a path and asset: coverage, capital, movement.

    Parameters
    ----------
    paths, of
        As of `coverage`.
    losses : mapping
        Bars of a window → close-out losses over it; the first entry is judged in full, of every
        other its rate and p-value are beside it: whether the same haircut would also have covered a
        close-out that takes as long.  (For haircuts of that horizon itself, ask `coverage`.)
    span : str
        Over which the largest rise is taken, a duration.

    Returns
    -------
    DataFrame
        The columns of `coverage` for the first window.  Then

        capital_efficiency : mean of 1 − H.
        multiple : of the path that would just have kept the promised number of exceedances, in
            hindsight; under 1 it was higher than it needed to be.
        above_need : mean of H − min(multiple·H, 1), in fractions of the price; negative where the
            haircut was too low.
        peak_to_trough, largest_rise, longest_stay, fall_back : `measures`, over `span`; the row of
            all assets has the median asset's.  `HELD` names these seven.
        rate_h, p_h : of every further window of h bars.

    Raises
    ------
    DataError
        As of `coverage`, or no losses.
    """
    if not losses:
        raise DataError("no loss to judge by; give one window at least, like {1: losses}")
    first, *further = losses
    table = coverage(paths, losses[first], of, first).set_index(["path", "asset"])
    shown, lost = _common(paths, losses[first])
    beside = [
        pd.concat(
            {path: _held(haircuts, lost, of, span) for path, haircuts in shown.items()},
            names=["path", "asset"],
        )
    ]
    for h in further:
        other = coverage(paths, losses[h], of, h).set_index(["path", "asset"])[["rate", "p"]]
        beside.append(other.add_suffix(f"_{h}"))
    return table.join(beside).reset_index()


def _row(haircuts: pd.DataFrame, losses: pd.DataFrame, of: Tail, bars: int) -> dict[str, object]:
    hits = evaluation.exceedances(losses, haircuts)
    seen = evaluation.exceedance_rate(hits, promised(of), bars)
    beyond = (losses - haircuts).to_numpy()[hits.to_numpy() == 1.0]
    return {
        "bars": seen.windows,
        "exceedances": seen.exceedances,
        "expected": seen.expected,
        "bound": seen.bound,
        "rate": seen.rate,
        "design": seen.design,
        "p": seen.more,
        "p_apart": evaluation.sub_samples(hits, promised(of), bars)["adjusted"].min(),
        "worst_excess": beyond.max(initial=0.0),
        "mean_excess": beyond.mean() if len(beyond) else 0.0,
    }


def _held(haircuts: pd.DataFrame, losses: pd.DataFrame, of: Tail, span: str) -> pd.DataFrame:
    bars = bars_in(checks.duration("span", span), bar_length(haircuts.index))
    moved = pd.DataFrame(
        {
            "peak_to_trough": measures.peak_to_trough(haircuts),
            "largest_rise": measures.largest_rise(haircuts, bars),
            "longest_stay": measures.longest_stay(haircuts),
            "fall_back": measures.fall_back(haircuts, bars),
        }
    )
    # a haircut that has not come back by the end is later than every one that has
    median = moved.fillna({"fall_back": np.inf}).median().replace(np.inf, np.nan)
    moved = pd.concat([median.to_frame(ALL).T, moved])
    columns = {ALL: list(haircuts), **{asset: [asset] for asset in haircuts}}
    capital = {name: _capital(haircuts[own], losses[own], of) for name, own in columns.items()}
    return pd.DataFrame.from_dict(capital, orient="index").join(moved)


def _capital(haircuts: pd.DataFrame, losses: pd.DataFrame, of: Tail) -> dict[str, float]:
    known = haircuts.notna().to_numpy()
    H, L = haircuts.to_numpy()[known], losses.to_numpy()[known]
    allowed = int(round(promised(of) * len(H), 9))
    multiple = np.sort(L / H)[-1 - allowed]  # `allowed` losses are above this times the haircut
    return {
        "capital_efficiency": (1.0 - H).mean(),
        "multiple": multiple,
        "above_need": (H - np.minimum(multiple * H, 1.0)).mean(),
    }


def _common(
    paths: Mapping[str, pd.DataFrame], losses: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    # Paths and losses on the windows that all of them know, NaN elsewhere.
    if not paths:
        raise DataError("no path to judge; give one at least, by its name")
    assets = [asset for asset in losses if all(asset in path for path in paths.values())]
    if not assets:
        raise DataError("no asset has losses and a haircut in every path; align their columns")
    in_force = {}
    for name, path in paths.items():
        outside = path[assets].le(0.0) | path[assets].gt(1.0)
        if outside.any(axis=None):
            row, column = np.argwhere(outside.to_numpy())[0]
            raise DataError(
                f"haircut of {assets[column]} at {path.index[row]} in the path {name!r} is "
                f"{path[assets].iloc[row, column]:g}; give a fraction in (0, 1]"
            )
        in_force[name] = path[assets].reindex(losses.index, method="ffill")
    known = losses[assets].notna()
    for path in in_force.values():
        known &= path.notna()
    few = known.sum().loc[lambda bars: bars < LEAST_BARS]
    if len(few):
        raise DataError(
            f"{few.index[0]} has {few.iloc[0]} windows with a loss that every path covers; "
            f"at least {LEAST_BARS} are needed, leave it out"
        )
    return {name: path.where(known) for name, path in in_force.items()}, losses[assets].where(known)
