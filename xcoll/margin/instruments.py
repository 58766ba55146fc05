"""What a cross-margin account can hold: spot, perpetuals, dated futures, European options.

One row an instrument.  Instruments of one asset that share a forward are one group: its spot, its
perpetual, and what expires on one date (a future and the options on it).

    spot        worth its price
    perpetual   gains with its mark, pays funding, never expires
    future      gains with its forward, settled at its expiry
    option      European on the forward, pays (S − K)⁺ or (K − S)⁺ at its expiry

Sizes are units of the asset.  A contract that settles in the asset itself has the same value in
dollars: (S − K)⁺/S units of S dollars each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, ParameterError

__all__ = ["KINDS", "YEAR", "Instrument", "Instruments", "future", "option", "perpetual", "spot"]

KINDS = ("spot", "perpetual", "future", "option")
COLUMNS = ("kind", "asset", "expiry", "strike", "right", "currency")
DATED = ("future", "option")
YEAR = pd.Timedelta(days=365)


@dataclass(frozen=True)
class Instrument:
    """One instrument; `expiry`, `strike` and `right` where its kind has them.

    Attributes
    ----------
    kind : of `KINDS`.
    asset : underlying, a symbol of the universe.
    expiry : moment of settlement.
    strike : in `currency`, above 0.
    right : "call" or "put".
    currency : what it is quoted and settled in.
    """

    kind: str
    asset: str
    expiry: pd.Timestamp | None = None
    strike: float = np.nan
    right: str = ""
    currency: str = "USD"

    @property
    def name(self) -> str:
        """As exchanges write it: BTC, BTC-PERP, BTC-29DEC23, BTC-29DEC23-40000-C."""
        parts = [str(self.asset)]
        if self.kind == "perpetual":
            parts.append("PERP")
        if self.expiry is not None:
            parts.append(f"{pd.Timestamp(self.expiry):%d%b%y}".upper())
        if self.kind == "option":
            parts += [f"{self.strike:.10g}", self.right[:1].upper()]
        return "-".join(parts) if self.currency == "USD" else "-".join([*parts, self.currency])


def spot(asset: str, currency: str = "USD") -> Instrument:
    """Units of the asset itself."""
    return Instrument("spot", asset, currency=currency)


def perpetual(asset: str, currency: str = "USD") -> Instrument:
    """Perpetual swap on `asset`."""
    return Instrument("perpetual", asset, currency=currency)


def future(asset: str, expiry: str | pd.Timestamp, currency: str = "USD") -> Instrument:
    """Future on `asset` that is settled at `expiry`."""
    return Instrument("future", asset, _moment(asset, expiry), currency=currency)


def option(
    asset: str, expiry: str | pd.Timestamp, strike: float, right: str, currency: str = "USD"
) -> Instrument:
    """European option on `asset`; `right` is "call" or "put"."""
    strike = checks.positive(f"the strike of an option on {asset}", strike)
    return Instrument("option", asset, _moment(asset, expiry), strike, right, currency)


def _moment(asset: str, expiry: str | pd.Timestamp) -> pd.Timestamp:
    unit = 'give a date and time in UTC without a zone, like "2023-12-29 08:00"'
    try:
        found = pd.Timestamp(expiry)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"the expiry on {asset} is {expiry!r}; {unit}") from error
    if pd.isna(found) or found.tz is not None:
        raise ParameterError(f"the expiry on {asset} is {expiry!r}; {unit}")
    return found


@dataclass(frozen=True, eq=False)
class Instruments:
    """Checked instruments, a row each.

    Attributes
    ----------
    frame : index ``instrument`` (its name); kind, asset, expiry (UTC without a zone, NaT: none),
        strike (NaN: none), right ("": none), currency.

    Raises
    ------
    DataError
        Names the instrument and the fix: a column that is missing, a name twice, an unknown kind
        or right, an expiry or a strike that lacks, is not finite, or stands where there is none.
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        frame = self.frame
        missing = [name for name in COLUMNS if name not in frame.columns]
        if missing:
            raise DataError(f"instruments lack the columns {missing}; give {', '.join(COLUMNS)}")
        if frame.empty:
            raise DataError("there is no instrument; give at least one row")
        if not frame.index.is_unique:
            twice = frame.index[frame.index.duplicated()][0]
            raise DataError(f"instrument {twice} is there twice; merge its positions")
        if not pd.api.types.is_datetime64_dtype(frame["expiry"]):
            raise DataError(
                f"the expiries are of type {frame['expiry'].dtype}; give dates in UTC without a "
                "zone (pandas.to_datetime)"
            )
        dated, option = frame["kind"].isin(DATED), frame["kind"] == "option"
        strike = pd.to_numeric(frame["strike"], errors="coerce").astype(float)
        good = np.isfinite(strike) & (strike > 0.0)
        faults = {
            f"has a kind that is none of {', '.join(KINDS)}": ~frame["kind"].isin(KINDS),
            "has no asset; name its underlying": ~frame["asset"].map(_is_name),
            "has no expiry; give the date of its settlement": dated & frame["expiry"].isna(),
            "has an expiry but never expires; leave it out": ~dated & frame["expiry"].notna(),
            "has no strike above zero; give one": option & ~good,
            "has a strike but is no option; leave it out": ~option & frame["strike"].notna(),
            "is neither a call nor a put": option & ~frame["right"].isin(["call", "put"]),
            'has a right but is no option; write "" there': ~option & (frame["right"] != ""),
            "has no currency; name what it is quoted in": ~frame["currency"].map(_is_name),
        }
        for fault, rows in faults.items():
            if rows.any():
                raise DataError(f"instrument {frame.index[rows][0]} {fault}")

    @classmethod
    def of(cls, instruments: Sequence[Instrument]) -> "Instruments":
        """From single instruments, in their order."""
        rows = [{column: getattr(one, column) for column in COLUMNS} for one in instruments]
        index = pd.Index([one.name for one in instruments], name="instrument", dtype=object)
        frame = pd.DataFrame(rows, index=index, columns=list(COLUMNS))
        return cls(frame.assign(expiry=pd.to_datetime(frame["expiry"])))

    def __len__(self) -> int:
        return len(self.frame)

    def places(self, names: Sequence[str]) -> np.ndarray:
        """Rows of `names`; `DataError` names the first that is not listed."""
        found = self.frame.index.get_indexer(names)
        if (found < 0).any():
            unknown = np.asarray(names, object)[found < 0][0]
            few = ", ".join(self.frame.index[:6]) + (", ..." if len(self) > 6 else "")
            raise DataError(f"a position in the unknown instrument {unknown!r}; listed are {few}")
        return found

    @cached_property
    def kind(self) -> np.ndarray:
        """Of `KINDS`, by row."""
        return self.frame["kind"].to_numpy(object)

    @cached_property
    def is_option(self) -> np.ndarray:
        """Whether a row is an option."""
        return self.kind == "option"

    @cached_property
    def asset(self) -> np.ndarray:
        """Place in `assets`, by row."""
        return np.searchsorted(self.assets, self.frame["asset"].to_numpy(str))

    @cached_property
    def right(self) -> np.ndarray:
        """1 of a call, −1 of a put, 0 of what is linear."""
        return self.frame["right"].map({"call": 1.0, "put": -1.0, "": 0.0}).to_numpy(float)

    @cached_property
    def strike(self) -> np.ndarray:
        """Strike by row, NaN where none."""
        return self.frame["strike"].to_numpy(float)

    @cached_property
    def _keys(self) -> tuple[np.ndarray, pd.DataFrame]:
        frame = self.frame
        line = frame["kind"].where(~frame["kind"].isin(DATED), "dated")
        keys = pd.DataFrame({"asset": frame["asset"], "line": line, "expiry": frame["expiry"]})
        numbers = keys.groupby(["asset", "line", "expiry"], dropna=False, sort=True).ngroup()
        first = keys.assign(group=numbers.to_numpy()).drop_duplicates("group").set_index("group")
        return numbers.to_numpy(np.int64), first.sort_index()

    @property
    def group(self) -> np.ndarray:
        """Row of `groups` of each instrument."""
        return self._keys[0]

    @property
    def groups(self) -> pd.DataFrame:
        """asset, line ("spot", "perpetual" or "dated"), expiry: one row a forward."""
        return self._keys[1]

    @cached_property
    def group_asset(self) -> np.ndarray:
        """Asset of each group."""
        return self.groups["asset"].to_numpy(object)

    @cached_property
    def group_line(self) -> np.ndarray:
        """Line of each group: "spot", "perpetual" or "dated"."""
        return self.groups["line"].to_numpy(object)

    def years(self, time: pd.Timestamp) -> np.ndarray:
        """Years from `time` to the expiry of each group; NaN where nothing expires."""
        return ((self._expiry - np.datetime64(time)) / YEAR.to_timedelta64()).astype(float)

    @cached_property
    def _expiry(self) -> np.ndarray:
        return self.groups["expiry"].to_numpy("datetime64[ns]")

    @cached_property
    def currencies(self) -> tuple[np.ndarray, np.ndarray]:
        """Currencies, and the place in them of each row."""
        names, place = np.unique(self.frame["currency"].to_numpy(str), return_inverse=True)
        return names, place

    @cached_property
    def assets(self) -> list[str]:
        """Underlyings, sorted."""
        return sorted(self.frame["asset"].unique())


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""
