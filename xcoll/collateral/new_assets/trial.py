"""The procedure on assets of which we know what came later: each plays a new one.

An asset plays one listed on a day: of its own it has only the bars since then, its volatility and
its lows made of those alone.  The others keep their past.  What the procedure says at a date is
set beside the figure of the short history (naive) and that of the class, and beside what came:
the figure of the year that follows, and the losses of the next 90 days beyond each.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts.market import Tail, long_run, losses
from xcoll.collateral.history import History
from xcoll.collateral.new_assets.peers import FACTORS, FEW, LONG, peers
from xcoll.collateral.new_assets.proxy import ASSURANCE, appraise_one
from xcoll.errors import DataError, EstimationError
from xcoll.estimators.volatility import ewma
from xcoll.market.returns import bars_in

__all__ = ["AGES", "WAYS", "cases", "dates", "listed", "played", "summary", "trial"]

AGES = ("30D", "90D", "180D")
WAYS = ("procedure", "naive", "class")
YOUNG = (
    10  # bars before the first forecast volatility of a new asset; its lows are closes till then
)
FIRST, LATER, SOON = "456D", "365D", "90D"
KINDS = {
    "asset": "str", "listed": "datetime64[us]", "as_of": "datetime64[us]", "age": float,
    "bars": int, "procedure": float, "naive": float, "class": float, "shrunk": float,
    "whole": float, "later": float, "days": int, "beyond_procedure": float, "beyond_naive": float,
    "beyond_class": float,
}  # fmt: skip


def dates(history: History, every: str, first: str = FIRST) -> pd.DatetimeIndex:
    """Dates to try at: from `first` after the start on, `every` so often, a year before the end.

    None where the history is too short.
    """
    index, step = history.log_returns.index, bars_in(every, history.bar)
    start, end = bars_in(first, history.bar), len(index) - bars_in(LATER, history.bar)
    return index[start : max(start, end) : step]


def cases(
    history: History,
    assets: Iterable[str],
    dates: Iterable[pd.Timestamp],
    ages: Sequence[str] = AGES,
) -> pd.DataFrame:
    """Every asset at every age on every date, where it has that many bars: asset, listed, as_of."""
    rows = []
    for as_of in map(pd.Timestamp, dates):
        known = history.log_returns.loc[:as_of]
        for asset in assets:
            own = known[asset].dropna()
            for age in ages:
                n = bars_in(age, history.bar)
                if len(own) >= n and own.index[-1] == known.index[-1]:
                    rows.append((asset, own.index[-n], as_of))
    if not rows:
        raise DataError("no asset has so many bars on any of the dates; give later dates")
    return pd.DataFrame(rows, columns=["asset", "listed", "as_of"])


def listed(history: History, assets: Sequence[str], first: pd.Timestamp) -> History:
    """What would be known of `assets` at the last bar of `history` had they been listed on `first`.

    Volatility by exponential weights over their own bars.  A low lies under its close as deep as it
    did, in units of the volatility forecast then and now; before there is one, it is the close.
    """
    known = history.of(assets)
    returns = known.log_returns.loc[first:]
    sigma = ewma(returns, minimum=YOUNG)
    fall = returns.clip(upper=0.0)
    scale = (sigma / known.volatility.loc[first:]).shift(1)
    lows = (fall + (low.loc[first:] - fall).mul(scale).fillna(0.0) for low in known.lows)
    return History(returns, tuple(lows), sigma)


def trial(
    history: History,
    played: pd.DataFrame,
    like: Mapping[str, Sequence[str]],
    of: Tail,
    *,
    factors: Sequence[str] = FACTORS,
    assurance: float = ASSURANCE,
) -> pd.DataFrame:
    """What the procedure, the short history and the class said, and what came.

    Parameters
    ----------
    history : History
        Of all assets, to the end; a case looks at it up to its date only, but for what came.
    played : DataFrame
        Columns asset, listed, as_of, from `cases` or written by hand.
    like : mapping
        Asset → its class; those of it that trade and have a year of returns at the date count.
    of : Tail
        Which figure of a day's close-out loss.
    factors, assurance
        As in `appraise`; an asset is no factor of its own.

    Returns
    -------
    DataFrame, one row a case
        asset, listed, as_of, age (days), bars; procedure (with the add-on), shrunk (without),
        naive, class; whole, the figure of the asset's whole past at that date, which the procedure
        does not see; later, the figure of the next 365 days (NaN where they are not known); days,
        losses known of the next 90 days, and how many of them each way did not cover:
        beyond_procedure, beyond_naive, beyond_class (means over the draws of the lows).

    Raises
    ------
    DataError
        An asset without a class in `like`, or a class too small at a date.
    EstimationError
        No case.
    """
    checks.fraction("assurance", assurance)
    if played.empty:
        raise EstimationError("no case to try; give one at least")
    missing = sorted(set(played["asset"]) - set(like))
    if missing:
        raise DataError(
            f"{', '.join(missing)} has no class; give like={{{missing[0]!r}: [symbols]}}"
        )
    realised, rows = losses(history, of, history.day), []
    for as_of, on_date in played.groupby("as_of"):
        known = history.until(as_of)
        whole, later = long_run(known, of), _later(history, as_of, of)
        soon = slice(None, bars_in(SOON, history.bar))
        came = [frame.loc[as_of:].iloc[soon] for frame in realised]
        learned = {}
        for first, group in on_date.groupby("listed"):
            own = listed(known, group["asset"].tolist(), first)
            age = round((known.now - first + known.bar) / pd.Timedelta("1D"), 6)
            for asset in group["asset"]:
                class_ = [a for a in like[asset] if a != asset and _lends(known, a)]
                if asset not in learned:
                    moved_by = [factor for factor in factors if factor != asset]
                    learned[asset] = peers(known, class_, of, moved_by)
                alone = own.of([asset])
                said = appraise_one(asset, alone, class_, learned[asset], assurance)
                ways = dict(zip(WAYS, (said["market"], said["own"], said["class"]), strict=True))
                lost = [frame[asset].dropna() for frame in came]
                rows.append(
                    {"asset": asset, "listed": first, "as_of": as_of, "age": age}
                    | {"bars": said["bars"], **ways, "shrunk": said["shrunk"]}
                    | {"whole": whole[asset], "later": later[asset], "days": len(lost[0])}
                    | {
                        f"beyond_{way}": float(np.mean([(x > level).sum() for x in lost]))
                        for way, level in ways.items()
                    }
                )
    return pd.DataFrame(rows)


def played(
    history: History, assets: Sequence[str], of: Tail, every: str, ages: Sequence[str] = AGES
) -> pd.DataFrame:
    """`trial` of `assets` on dates `every` so often, each among those that are no factors.

    Without a row where the history has no date to try at, or fewer than `FEW` others: so small a
    class does not show how far assets differ.
    """
    young = [asset for asset in assets if asset not in FACTORS]
    like = {asset: [other for other in young if other != asset] for asset in assets}
    enough = [asset for asset in assets if len(like[asset]) >= FEW]
    on = dates(history, every)
    if not enough or on.empty:
        return pd.DataFrame(columns=list(KINDS)).astype(KINDS)
    return trial(history, cases(history, enough, on, ages), like, of)


def summary(tried: pd.DataFrame) -> pd.DataFrame:
    """How each way did, by age: from `trial`, the cases whose later figure is known.

    Returns
    -------
    DataFrame, index age and way (`WAYS`, and the procedure without its add-on, "shrunk")
        cases; bias and error, mean and root mean square of ``ln(said/whole)``: against the figure
        of the whole past that an older asset would have shown; assured, share of cases that said at
        least that, which of the procedure is its assurance; covered, share that said at least the
        figure of the year that came; held, mean figure said; beyond, losses of the
        next 90 days beyond it, of days (NaN for "shrunk").
    """
    known = tried.dropna(subset=["later", "naive"])
    rows = {}
    for age, group in known.groupby("age"):
        for way in (*WAYS, "shrunk"):
            off = np.log(group[way] / group["whole"])
            rows[age, way] = {
                "cases": len(group),
                "bias": off.mean(),
                "error": (off**2).mean() ** 0.5,
                "assured": (off >= 0.0).mean(),
                "covered": (group[way] >= group["later"]).mean(),
                "held": group[way].mean(),
                "beyond": group[f"beyond_{way}"].sum() if way in WAYS else np.nan,
                "days": group["days"].sum(),
            }
    if not rows:
        raise EstimationError(f"no case has {LATER} after it; give earlier dates")
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.set_axis(pd.MultiIndex.from_tuples(rows, names=["age", "way"]))


def _lends(known: History, asset: str) -> bool:
    r = known.log_returns.get(asset)
    return r is not None and r.notna().sum() >= bars_in(LONG, known.bar) and pd.notna(r.iloc[-1])


def _later(history: History, as_of: pd.Timestamp, of: Tail) -> pd.Series:
    after = history.log_returns.index[history.log_returns.index > as_of]
    span = bars_in(LATER, history.bar)
    if len(after) < span:
        return pd.Series(np.nan, history.assets)
    year = history.since(as_of).until(after[span - 1])
    return long_run(year, of).reindex(history.assets)
