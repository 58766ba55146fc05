"""Guards for arguments: each returns the checked value or raises `ParameterError`."""

import datetime
import math
from numbers import Integral, Real

import pandas as pd

from xcoll.errors import ParameterError

__all__ = ["at_least", "day", "duration", "fraction", "number", "one_of", "positive", "whole"]


def number(name: str, value: float) -> float:
    """`value` as a finite float; raises `ParameterError` for text, booleans, NaN and infinities."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ParameterError(f"{name} is {value!r}; give a finite number")
    return float(value)


def fraction(name: str, value: float, *, closed: bool = False) -> float:
    """`value` inside (0, 1), or inside [0, 1] where `closed`."""
    checked = number(name, value)
    if (0.0 <= checked <= 1.0) if closed else (0.0 < checked < 1.0):
        return checked
    interval = "[0, 1]" if closed else "(0, 1)"
    percent = f"; did you mean {checked / 100:g}?" if 1.0 < checked < 100.0 else ""
    raise ParameterError(f"{name} is {checked:g}; give a fraction in {interval}{percent}")


def positive(name: str, value: float) -> float:
    """`value` above zero."""
    checked = number(name, value)
    if checked <= 0.0:
        raise ParameterError(f"{name} is {checked:g}; give a number above zero")
    return checked


def at_least(name: str, value: float, least: float) -> float:
    """`value` not under `least`."""
    checked = number(name, value)
    if checked < least:
        raise ParameterError(f"{name} is {checked:g}; give at least {least:g}")
    return checked


def whole(name: str, value: int, least: int = 1) -> int:
    """`value` as a whole number not under `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ParameterError(f"{name} is {value!r}; give a whole number of at least {least}")
    return int(value)


def duration(name: str, value: str | pd.Timedelta) -> pd.Timedelta:
    """`value` as a positive `Timedelta`; bare numbers are refused because they carry no unit."""
    unit = 'give a duration with its unit, like "4h" or "1D"'
    if not isinstance(value, str | pd.Timedelta) or (
        isinstance(value, str) and value.strip().replace(".", "", 1).isdigit()
    ):
        raise ParameterError(f"{name} is {value!r}; {unit}")
    try:
        checked = pd.Timedelta(value)
    except ValueError as error:
        raise ParameterError(f"{name} is {value!r}; {unit}") from error
    if pd.isna(checked) or checked <= pd.Timedelta(0):
        raise ParameterError(f"{name} is {value!r}; give a duration above zero")
    return checked


def day(name: str, value: str | datetime.date) -> datetime.date:
    """`value` as a date without a time: a `date`, or text like 2023-06-30."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%d").date()
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} is {value!r}; give a date like 2023-06-30") from error


def one_of(name: str, value: str, choices: object) -> str:
    """`value` when it is one of `choices` (any iterable of strings)."""
    known = list(choices)
    if value not in known:
        raise ParameterError(f"{name} is {value!r}; choose one of {', '.join(map(repr, known))}")
    return value
