"""Static arbitrage in a volatility surface or in option prices: what is found, nothing repaired.

Of a surface, with w total variance at k = ln(K/F), C the call at strike K in units of the forward:

    butterfly   g(k) = (1 − k w'/(2w))² − w'²/4 (1/w + 1/4) + w''/2 ≥ 0
    calendar    w(k, T₂) − w(k, T₁) ≥ 0 for neighbouring T₁ < T₂
    convexity   slope of C after a quoted strike less that before it ≥ 0
    vertical    −1 ≤ slope of C ≤ 0 between quoted strikes
    wing        slope of w outwards at the last quotes ≤ 2

g is Durrleman's, and g exp(−d2²/2)/√(2πw) the density of ln(S/F) (Gatheral and Jacquier 2014, who
also give the calendar's condition); the wing is Lee's (2004).  Butterfly and calendar judge the
surface, which interpolates; convexity and vertical judge the quotes alone, from C = 1 at K = 0
(Carr and Madan 2005), so that no interpolation is blamed.

Of prices, calls and puts apart: bounds, vertical, convexity; and the gap of put-call parity.  Each
limit gives way by what the error of a price can do to it.

Every report is a frame of `COLUMNS`, a row a place, and `summary` counts it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks as guards
from xcoll.errors import DataError, ParameterError
from xcoll.margin.options import black
from xcoll.margin.options.smile import LEE, Smile
from xcoll.margin.options.surface import Surface

__all__ = ["COLUMNS", "checks", "density", "durrleman", "quotes", "summary"]

COLUMNS = ["check", "years", "k", "value", "limit", "passed"]
ROUNDING = 1e-10  # beyond a limit in units of the forward, or of w, that is no breach
STEPS = 4  # of the grid between two quoted strikes


def checks(
    surface: Surface,
    years: Sequence[float] | np.ndarray | None = None,
    k: Sequence[float] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Every static arbitrage check of a surface at every place.

    Parameters
    ----------
    surface : Surface
    years : array (m,)
        Expiries to judge butterflies at and calendars between, ascending; those of the smiles
        where not given.
    k : array (n,)
        Where to judge them; the quoted strikes of all smiles and three places between each two
        where not given.

    Returns
    -------
    DataFrame
        check, years (the later ones of a calendar), k (the higher one of a vertical), value,
        limit, passed.

    Raises
    ------
    ParameterError
        Years that are not above zero or do not ascend, k that is NaN or infinite; none of either.
    """
    smiles = surface.smiles
    T = np.array([one.years for one in smiles] if years is None else years, dtype=float)
    if T.ndim != 1 or not len(T) or not (np.diff(T) > 0.0).all():
        raise ParameterError("years are none or do not ascend; give one row, each once")
    k = _fine(np.unique(np.concatenate([one.k for one in smiles]))) if k is None else k
    k = np.ravel(np.asarray(k, dtype=float))
    if not k.size:
        raise ParameterError("k is empty; give the places to judge, or none for the default")
    w, slope, bend = (surface.variance(T[:, None], k, order) for order in range(3))
    g = durrleman(k, w, slope, bend)
    rows = [
        _rows("butterfly", T[:, None], k, g, 0.0, g >= -ROUNDING),
        _rows("calendar", T[1:, None], k, np.diff(w, axis=0), 0.0, np.diff(w, axis=0) >= -ROUNDING),
    ]
    for smile in smiles:
        rows += _quoted(smile)
    return pd.concat([each for each in rows if len(each)], ignore_index=True)


def durrleman(k: np.ndarray, w: np.ndarray, slope: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Durrleman's g of total variance w and its derivatives at k; negative where the density is."""
    return (1.0 - k * slope / (2.0 * w)) ** 2 - slope**2 / 4.0 * (1.0 / w + 0.25) + curvature / 2.0


def density(surface: Surface, years: float | np.ndarray, k: float | np.ndarray) -> np.ndarray:
    """Risk-neutral density of ln(S/F) at k; `years` and `k` as in `Surface.sigma`.

    Negative at a butterfly; where a wing is bent or smiles fall outwards there is an atom besides.
    """
    w, slope, bend = (surface.variance(years, k, order) for order in range(3))
    d2 = -k / np.sqrt(w) - np.sqrt(w) / 2.0
    return durrleman(k, w, slope, bend) * np.exp(-(d2**2) / 2.0) / np.sqrt(2.0 * np.pi * w)


def quotes(
    forward: float,
    strikes: Sequence[float] | np.ndarray,
    prices: Sequence[float] | np.ndarray,
    years: float,
    call: bool | Sequence[bool] | np.ndarray,
    discount: float = 1.0,
    error: float = 0.0,
) -> pd.DataFrame:
    """Static arbitrage in option prices of one expiry, in the unit of the forward and strikes.

    Parameters
    ----------
    forward : float
    strikes, prices : array (n,)
        In any order; each strike at most once as a call and once as a put.
    years : float
        To expiry, above zero.
    call : bool, or array (n,)
        True for calls, False for puts.
    discount : float
        Price today of one at expiry.
    error : float
        What a price can be wrong by, as half its spread; each limit gives way by what that makes
        of it.

    Returns
    -------
    DataFrame
        As `checks`, with checks ``call bounds``, ``call vertical``, ``call convexity``, the same
        of puts, and ``parity`` (C − P − D(F − K)).  Slopes are divided by the discount.

    Raises
    ------
    ParameterError
        Forward, years or discount not above zero, error below.
    DataError
        No quote, unequal lengths, strikes not above zero or twice, anything NaN or infinite.
    """
    F, D = guards.positive("forward", forward), guards.positive("discount", discount)
    error = guards.at_least("error", error, 0.0)
    years = guards.positive("years", years)
    book = _book(strikes, prices, call)
    rows = []
    for right, sign, side in (("call", 1.0, book[True]), ("put", -1.0, book[False])):
        K, price = side.index.to_numpy(), side.to_numpy()
        low = D * np.maximum(sign * (F - K), 0.0)
        high = D * np.where(sign > 0.0, F, K)
        k, slack = np.log(K / F), ROUNDING * F * D
        rows.append(_within(f"{right} bounds", years, k, price, low - error, high + error, slack))
        K, price = np.append(0.0, K), np.append(D * F if sign > 0.0 else 0.0, price)
        wrong = np.append(0.0, np.full(len(k), error))
        slope = np.diff(price) / (D * np.diff(K))
        off = (wrong[1:] + wrong[:-1]) / (D * np.diff(K))
        low, high = (-1.0, 0.0) if sign > 0.0 else (0.0, 1.0)
        rows.append(_within(f"{right} vertical", years, k, slope, low - off, high + off))
        bend, limit = np.diff(slope), -(off[1:] + off[:-1])
        rows.append(
            _rows(f"{right} convexity", years, k[:-1], bend, limit, bend >= limit - ROUNDING)
        )
    both = book[True].index.intersection(book[False].index)
    K = both.to_numpy()
    gap = (book[True].loc[both] - book[False].loc[both]).to_numpy() - D * (F - K)
    slack = ROUNDING * F * D
    rows.append(_within("parity", years, np.log(K / F), gap, -2.0 * error, 2.0 * error, slack))
    return pd.concat([each for each in rows if len(each)], ignore_index=True)


def summary(report: pd.DataFrame) -> pd.DataFrame:
    """A report counted.

    Returns
    -------
    DataFrame
        By check, in the order of the report: ``places``, ``failed``, then years, k, value and
        limit of the worst failure, the farthest beyond its limit; NaN where all passed.
    """
    groups = report.groupby("check", sort=False)["passed"]
    counts = pd.DataFrame({"places": groups.size(), "failed": groups.size() - groups.sum()})
    failed = report[~report["passed"]]
    beyond = (failed["value"] - failed["limit"]).abs()
    worst = failed.loc[beyond.groupby(failed["check"]).idxmax()].set_index("check")
    return counts.join(worst[["years", "k", "value", "limit"]])


def _quoted(smile: Smile) -> list[pd.DataFrame]:
    """Checks of a smile's own quotes."""
    k, T = smile.k, smile.years
    K = np.exp(k)
    C = black.price(1.0, K, smile.sigma, T, True)
    slope = np.diff(C, prepend=1.0) / np.diff(K, prepend=0.0)
    bend = np.diff(slope)
    ends, steep = k[[0, -1]], np.array(smile.slopes)
    return [
        _rows("convexity", T, k[:-1], bend, 0.0, bend >= -ROUNDING),
        _within("vertical", T, k, slope, -1.0, 0.0),
        _rows("wing", T, ends, steep, LEE, steep <= LEE),
    ]


def _fine(knots: np.ndarray) -> np.ndarray:
    """`STEPS` steps between each two of `knots`."""
    places = np.arange(STEPS * (len(knots) - 1) + 1) / STEPS
    return np.interp(places, np.arange(len(knots)), knots)


def _rows(
    check: str,
    years: float | np.ndarray,
    k: np.ndarray,
    value: np.ndarray,
    limit: float | np.ndarray,
    passed: np.ndarray,
) -> pd.DataFrame:
    numbers = [np.broadcast_to(x, value.shape).ravel() for x in (years, k, value, limit, passed)]
    return pd.DataFrame(dict(zip(COLUMNS, [check, *numbers], strict=True)), columns=COLUMNS)


def _within(
    check: str,
    years: float,
    k: np.ndarray,
    value: np.ndarray,
    low: float | np.ndarray,
    high: float | np.ndarray,
    slack: float = ROUNDING,
) -> pd.DataFrame:
    """Rows of ``low ≤ value ≤ high``; the limit is the nearer one."""
    limit = np.where(value - low < high - value, low, high)
    passed = (value >= low - slack) & (value <= high + slack)
    return _rows(check, years, k, value, limit, passed)


def _book(
    strikes: np.ndarray, prices: np.ndarray, call: bool | np.ndarray
) -> dict[bool, pd.Series]:
    """Prices by ascending strike, of calls and of puts."""
    K, price, call = np.asarray(strikes), np.asarray(prices), np.asarray(call)
    if K.ndim != 1 or K.shape != price.shape or call.shape not in (K.shape, ()) or not len(K):
        raise DataError(
            f"strikes, prices and call have the shapes {K.shape}, {price.shape} and {call.shape}; "
            "give a row of one or more, as many of each"
        )
    if call.dtype != bool:
        raise DataError(f"call holds {call.dtype}; give True for calls and False for puts")
    for name, values, least in (("strikes", K, 0.0), ("prices", price, -np.inf)):
        if values.dtype.kind not in "fiu":
            raise DataError(f"{name} are of type {values.dtype}; give numbers")
        bad = np.flatnonzero(~(np.isfinite(values) & (values > least)))
        if len(bad):
            raise DataError(f"{name}[{bad[0]}] is {values[bad[0]]:g}; mend it or leave it out")
    call = np.broadcast_to(call, K.shape)
    book = {}
    for right in (True, False):
        book[right] = pd.Series(price[call == right], K[call == right], dtype=float).sort_index()
        if not book[right].index.is_unique:
            twice = book[right].index[book[right].index.duplicated()][0]
            kind = "call" if right else "put"
            raise DataError(f"the {kind} at strike {twice:g} has two prices; give one")
    return book
