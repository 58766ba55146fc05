"""Which row of one table answers which row of another.

Rows are paired by what names them: the text and time columns from the left, as many as tell the
rows apart.  Where all of them do not, a grid may: the columns from the left whatever they hold,
but for the last.  Numbers that pair less than half of the rows are results and no grid.  Rows that
find no partner are paired by their texts and times alone, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Rows", "pair"]


@dataclass(frozen=True)
class Rows:
    """Rows of the tables A and B that belong together.

    Attributes
    ----------
    key : sequence of str
        Columns that name a row; without any a row is known by its place.
    left, right : arrays of int
        Positions in A, rising, and of their partners in B.
    alone : (array of int, array of int)
        Positions in A, and in B, of rows without a partner.
    """

    key: Sequence[str]
    left: np.ndarray
    right: np.ndarray
    alone: tuple[np.ndarray, np.ndarray]

    def label(self, table: pd.DataFrame, at: int) -> str:
        """Name of the row at position `at` of `table`: "BTC, 1D"."""
        if not self.key:
            return f"row {at + 1}"
        return ", ".join(_written(table[name].iloc[at]) for name in self.key)


class _Codes:
    """Whole numbers for the rows of A and, after them, of B: equal rows have equal numbers."""

    def __init__(self, a: pd.DataFrame, b: pd.DataFrame) -> None:
        self.a, self.b, self.count = a, b, len(a)
        self._known: dict[str, np.ndarray] = {}

    def refined(self, codes: np.ndarray, name: str) -> np.ndarray:
        """`codes` that tell apart what the column `name` tells apart as well."""
        if name not in self._known:
            cells = pd.concat([self.a[name], self.b[name]], ignore_index=True)
            self._known[name] = pd.factorize(cells, use_na_sentinel=False)[0]
        width = self._known[name].max(initial=0) + 1
        return pd.factorize(codes * width + self._known[name])[0]

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Codes by the columns `names`; all rows have one code without any."""
        codes = np.zeros(self.count + len(self.b), dtype=np.int64)
        for name in names:
            codes = self.refined(codes, name)
        return codes

    def key(self, candidates: Sequence[str]) -> list[str] | None:
        """The fewest columns from the left that tell all rows apart, in A and in B."""
        codes = self.of([])
        for place, name in enumerate(candidates):
            codes = self.refined(codes, name)
            if not any(pd.Series(side).duplicated().any() for side in self.split(codes)):
                return list(candidates[: place + 1])
        return None

    def split(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes of A and of B."""
        return codes[: self.count], codes[self.count :]


def pair(a: pd.DataFrame, b: pd.DataFrame, names: Sequence[str], columns: Sequence[str]) -> Rows:
    """Pair the rows of two tables; pairing `b` with `a` gives the same pairs.

    Parameters
    ----------
    names : sequence of str
        Text and time columns of both tables, in order.
    columns : sequence of str
        All columns of like kind in both tables, in order; `names` among them.
    """
    codes = _Codes(a, b)
    key = codes.key(names) or codes.key(columns[:-1]) or list(names)
    left, right = _matched(*codes.split(codes.of(key)))
    if set(key) - set(names) and 2 * len(left) < min(len(a), len(b)):
        key = list(names)
        left, right = _matched(*codes.split(codes.of(key)))
    rest = np.delete(np.arange(len(a)), left), np.delete(np.arange(len(b)), right)
    if set(key) - set(names):
        by_name = codes.split(codes.of([name for name in key if name in names]))
        more = _matched(*(side[held] for side, held in zip(by_name, rest, strict=True)))
        left, right = np.append(left, rest[0][more[0]]), np.append(right, rest[1][more[1]])
        rest = tuple(np.delete(held, used) for held, used in zip(rest, more, strict=True))
    order = np.argsort(left, kind="stable")
    return Rows(key, left[order], right[order], rest)


def _matched(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of equal codes in `a` and `b`; the n-th of several goes with the n-th."""
    width = max(len(a), len(b)) + 1
    keys = [codes * width + pd.Series(codes).groupby(codes).cumcount() for codes in (a, b)]
    _, left, right = np.intersect1d(*keys, assume_unique=True, return_indices=True)
    return left, right


def _written(value: object) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M")
    return f"{value:g}"
