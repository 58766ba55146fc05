"""A user's own book in cohorts of history and on simulated paths.

The book is worth what it is worth at the last close.  It opens each cohort with the same dollars of
every asset, collateral and debt, so that its health at every opening is today's.
"""

from collections.abc import Collection, Iterable

import pandas as pd

from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.estimators.scenarios import Paths
from xcoll.liquidation import mapping, outcomes
from xcoll.liquidation.cohorts import Study
from xcoll.liquidation.replay import replay

__all__ = ["held", "in_history", "on_paths", "openings", "used", "worth"]

Window = tuple[pd.DataFrame, pd.DataFrame]


def worth(book: Book, prices: pd.Series) -> Book:
    """`book` in units of one dollar's worth; raises `DataError` where one has no price."""
    p = book.prices(prices)
    return Book(book.assets, book.collateral * p, book.debt * p, book.ids)


def held(
    book: Book, form: str, parameters: RiskParameters, stable: Collection[str], name: str
) -> Book:
    """What a venue can hold of `book`, which is in units of one dollar's worth; see `mapping`.

    Parameters
    ----------
    form : key of `mapping.VENUES`.
    stable : assets that stand for what a venue lends, where it lends named assets only.
    name : of the book, for the message.

    Raises
    ------
    DataError
        Nobody owes anything there.
    """
    rules, some = mapping.VENUES[form], book
    if rules.one_collateral or rules.one_debt:
        owed = [asset for asset in used(book) if asset in stable]
        thresholds = parameters.frame["threshold"]
        dollar = pd.Series(1.0, book.assets)
        some = mapping.split(book, form, dollar, thresholds, owed if rules.named else None).book
    if not some.debt.any():
        raise DataError(f"{name} owes nothing that {form} lends, so nobody can be closed there")
    return some


def used(book: Book) -> list[str]:
    """Assets that `book` holds or owes."""
    return [asset for asset, there in zip(book.assets, book.used, strict=True) if there]


def openings(book: Book, calendar: pd.DataFrame, universe: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of `calendar` at which all that `book` uses is listed.

    Parameters
    ----------
    universe : time × asset, True where listed; see `cohorts.listed`.
    name : of the book, for the message.

    Raises
    ------
    ParameterError
        There are none.
    """
    assets = used(book)
    there = universe.loc[calendar["start"], assets]
    if not there.all(axis=1).any():
        fewest = there.sum().idxmin()
        raise ParameterError(
            f"no cohort opens with all that {name} uses listed ({', '.join(assets)}); leave out "
            f"{fewest}, listed at {there[fewest].sum()} of {len(there)} openings"
        )
    return calendar[there.all(axis=1).to_numpy()]


def in_history(book: Book, study: Study) -> pd.DataFrame:
    """Outcomes of `book` in every cohort of `study`; columns as in `Cohorts.outcomes`.

    `book` is in units of one dollar's worth, as its engine holds it; draws and shape of `study` are
    not used.
    """
    reach = study.bars + study.conduct.within_bars(study.bar) + 1
    starts = study.close.index.get_indexer(study.calendar["start"])
    windows = (
        tuple(frame.iloc[first : first + reach] / study.close.iloc[first] for frame in sides)
        for first, sides in ((first, (study.close, study.low)) for first in starts)
    )
    return _collected(study.calendar, book, study, windows, study.bars)


def on_paths(book: Book, study: Study, paths: Paths) -> pd.DataFrame:
    """Outcomes of `book` on every path, as `in_history`; ``start`` is the number of the path."""
    calendar = pd.DataFrame({"start": range(len(paths)), "kind": "path", "days_before": 0})
    windows = (paths.window(path) for path in range(len(paths)))
    return _collected(calendar, book, study, windows, min(study.bars, paths.bars))


def _collected(
    calendar: pd.DataFrame, book: Book, study: Study, windows: Iterable[Window], bars: int
) -> pd.DataFrame:
    parameters, conduct = study.parameters, study.conduct
    start = outcomes.opening(book, parameters, parameters.frame["threshold"])
    rows = [
        outcomes.measure(start, replay(book, *window, parameters, conduct, bars))
        for window in windows
    ]
    return pd.concat([calendar.reset_index(drop=True), pd.DataFrame(rows)], axis=1)
