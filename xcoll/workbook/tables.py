"""Tables as a committee reads them: unit in the header, numbers right-aligned, few digits."""

import html
import math
import re
from collections.abc import Callable, Mapping

import pandas as pd

from xcoll.checks import one_of
from xcoll.errors import ParameterError
from xcoll.workbook import words

__all__ = ["FORMATS", "money", "percent", "spoken", "to_html", "unspoken"]

EMPTY = "–"


def percent(value: float, digits: int = 1) -> str:
    """A fraction as percent: 0.1234 is ``12.3 %``."""
    return f"{100 * value:,.{digits}f} %"


def money(value: float) -> str:
    """Dollars with three significant digits and a unit: 1234567 is ``$1.23M``."""
    size = abs(value)
    for unit, scale in (("bn", 1e9), ("M", 1e6), ("k", 1e3)):
        if size >= scale:
            return f"{'-' if value < 0 else ''}${_significant(size / scale)}{unit}"
    return f"{'-' if value < 0 else ''}${_significant(size)}"


def spoken(text: str) -> str:
    """A computed sentence as markdown.

    A dollar before a digit is money and no formula, and a percent sign stays with its number.
    """
    return re.sub(r"(?<=\d) %", "\u00a0%", re.sub(r"(?<!\\)\$(?=\d)", r"\\$", text))


def unspoken(markdown: str) -> str:
    """The sentence that `spoken` made `markdown` of."""
    return re.sub(r"\\\$(?=\d)", "$", markdown).replace("\u00a0%", " %")


def _significant(value: float, digits: int = 3) -> str:
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(places, 0)}f}"


FORMATS: dict[str, Callable[[object], str]] = {
    "basis points": lambda value: f"{1e4 * value:,.1f}",
    "date": lambda value: f"{value:%Y-%m-%d}",
    "flag": lambda value: "yes" if value else "no",
    "money": money,
    "number": lambda value: f"{value:,.3f}",
    "percent": percent,
    "percent2": lambda value: percent(value, 2),
    "points": lambda value: f"{round(100 * value, 1) + 0.0:+,.1f} pt",  # no minus before a nought
    "significant": _significant,
    "text": lambda value: words.name(str(value)),
    "whole": lambda value: f"{value:,.0f}",
}
UNITS = {"basis points": ", bp"}  # of a format whose cells do not show it


def _default(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "flag"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_integer_dtype(column):
        return "whole"
    return "significant" if pd.api.types.is_float_dtype(column) else "text"


def _shown(value: object, name: str) -> str:
    if pd.isna(value):
        return EMPTY
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0.0 else "-∞"
    return FORMATS[name](value)


def to_html(
    frame: pd.DataFrame, caption: str, formats: Mapping[str, str] | None = None, rows: int = 12
) -> str:
    """HTML of the first `rows` rows of `frame`; a missing value is shown as a dash, infinity as ∞.

    Parameters
    ----------
    frame : DataFrame
        Index is not shown; reset it to show it.
    caption : str
        What the table says.
    formats : mapping, optional
        Column to a key of `FORMATS`; by its dtype where absent.
    rows : int
        Rows shown; a line under the table counts the rest.

    Raises
    ------
    ParameterError
        For a format of a column that is not there, or an unknown format.
    """
    formats = dict(formats or {})
    unknown = [column for column in formats if column not in frame.columns]
    if unknown:
        raise ParameterError(f"formats for {unknown}, but the table has {list(frame.columns)}")
    chosen = {
        column: one_of(
            f"format of {column!r}", formats.get(column) or _default(frame[column]), FORMATS
        )
        for column in frame.columns
    }
    left = {column for column, name in chosen.items() if name in ("text", "date", "flag")}

    def cell(tag: str, column: str, text: str) -> str:
        kind = ' class="text"' if column in left else ""
        name = f' data-name="{html.escape(str(column))}"' if tag == "th" else ""
        return f"<{tag}{kind}{name}>{html.escape(text)}</{tag}>"

    units = {column: UNITS.get(name, "") for column, name in chosen.items()}
    head = "".join(
        cell("th", column, words.head(str(column)) + units[column]) for column in frame.columns
    )
    shown = frame.head(rows)
    body = []
    for values in shown.itertuples(index=False, name=None):
        cells = [
            cell("td", column, _shown(value, chosen[column]))
            for column, value in zip(frame.columns, values, strict=True)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    rest = len(frame) - len(shown)
    note = f'<p class="xcoll-rest">{rest:,} more rows in the artifact.</p>' if rest else ""
    return (
        f'<div class="xcoll-table-box"><table class="xcoll-table">'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>{note}</div>"
    )
