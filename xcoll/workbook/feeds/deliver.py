"""The last step of an import as of a fetch: held against what is there, examined, written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from xcoll.errors import DataError
from xcoll.market import findings, quality
from xcoll.market.prices import Prices
from xcoll.workbook.feeds import canonical, check, gaps, store
from xcoll.workbook.feeds.store import Own

__all__ = ["Delivered", "deliver"]


@dataclass(frozen=True)
class Delivered:
    """What is there now.

    Attributes
    ----------
    card : the card beside the data.
    prices : the data.
    findings, gaps : what the rules found, and bars that are missing.
    news : what changed, in words; empty where the same was there already.
    notes : what would stop a run with these prices.
    """

    card: Mapping[str, Any]
    prices: Prices
    findings: pd.DataFrame
    gaps: pd.DataFrame
    news: Sequence[str]
    notes: Sequence[str]


def deliver(
    own: Own,
    prices: Prices,
    told: Mapping[str, Any],
    *,
    replace: bool,
    missing: pd.DataFrame | None = None,
    found: pd.DataFrame | None = None,
) -> Delivered:
    """Put `prices` under their name, unless the same stands there already.

    Parameters
    ----------
    told : what the card says of where they came from.
    replace : whether other prices of that name may give way.
    missing, found : gaps, and findings that were made on the way; by default the gaps inside each
        asset's bars, and none.

    Raises
    ------
    DataError
        Other prices stand under that name, with the difference in words; or an asset has bars of
        several lengths.
    """
    if missing is None:
        missing = gaps.find(dict(prices.close.items()), prices.bar)
    _, seen, stops = check.examine(prices, quality.Rules(), own.data.name)
    seen = seen if found is None else findings.concat([found, seen])
    described, moved, news = {}, None, ["new"]
    if own.data.exists():
        try:
            described, moved = own.described(), store.changed(own.data)
            news = canonical.difference(own.prices(), prices)
        except DataError as error:  # not readable: it may only give way
            news = [str(error)]
    if own.data.exists() and not replace and (moved or news):
        raise DataError(
            "\n  ".join([
                f"{own.name}: other prices stand under this name; take another --name, or give "
                "--replace to exchange them (nothing was touched)",
                *([moved] if moved else []),
                *news,
            ])
        )  # fmt: skip
    count = int(missing["bars"].sum())
    if moved or news or described.get("missing_bars") != count:
        card = {
            "imported": datetime.now(UTC).isoformat(timespec="seconds"),
            **told,
            "findings": findings.summary(seen).to_dict("records"),
            "missing_bars": count,
        }
        described = own.write(prices, card)
    store.replace(own.gaps, missing.to_csv(index=False))
    return Delivered(described, prices, seen, missing, news, stops)
