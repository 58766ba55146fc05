"""What every floor stands on: guards of arguments, and kernels that are never read back stale."""

import datetime
import math

import numba
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xcoll
from xcoll import _jit, checks
from xcoll.errors import ParameterError, XcollError


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_fraction_is_inside_or_refused(value):
    inside = math.isfinite(value) and 0 < value < 1
    if inside:
        assert checks.fraction("confidence", value) == value
    else:
        with pytest.raises(ParameterError, match="confidence"):
            checks.fraction("confidence", value)


@pytest.mark.parametrize("value", [0.0, 1.0, np.float64(0.5), 1])
def test_a_closed_fraction_holds_its_ends(value):
    assert checks.fraction("share", value, closed=True) == value


def test_percent_for_a_fraction_is_answered_with_the_fraction():
    with pytest.raises(ParameterError, match=r"did you mean 0\.99"):
        checks.fraction("confidence", 99)


@pytest.mark.parametrize("value", [True, "0.5", None, float("nan"), 1j, [0.5]])
def test_no_number(value):
    with pytest.raises(ParameterError, match="finite number"):
        checks.number("depth", value)


def test_bounds():
    assert checks.positive("depth", 1e-9) == 1e-9
    assert checks.at_least("fee", 0, 0.0) == 0.0
    with pytest.raises(ParameterError, match="above zero"):
        checks.positive("depth", 0)
    with pytest.raises(ParameterError, match="at least 0"):
        checks.at_least("fee", -0.01, 0.0)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3"])
def test_no_whole_number(value):
    with pytest.raises(ParameterError, match="whole number"):
        checks.whole("window", value)
    assert checks.whole("window", np.int64(3)) == 3


@pytest.mark.parametrize(
    ("value", "hours"), [("4h", 4), ("1D", 24), ("90min", 1.5), (pd.Timedelta("2h"), 2)]
)
def test_durations_carry_their_unit(value, hours):
    assert checks.duration("horizon", value) == pd.Timedelta(hours=hours)


@pytest.mark.parametrize("value", ["4", "", "soon", "-1h", "0h", 4, 4.0, None, pd.NaT, "NaT"])
def test_no_duration(value):
    with pytest.raises(ParameterError, match="horizon is"):
        checks.duration("horizon", value)


def test_a_day_is_a_date_without_a_time():
    day = datetime.date(2023, 6, 30)
    assert checks.day("as_of", "2023-06-30") == checks.day("as_of", day) == day
    for wrong in ("2023-6-31", "20230630", "2023-06-30T08:00", "", None, 20230630,
                  datetime.datetime(2023, 6, 30)):  # fmt: skip
        with pytest.raises(ParameterError, match=r"as_of is .*; give a date like 2023-06-30"):
            checks.day("as_of", wrong)


def test_one_of_names_the_choices():
    assert checks.one_of("method", "fhs", {"fhs": 1, "historical": 2}) == "fhs"
    with pytest.raises(ParameterError, match="'fhs', 'historical'"):
        checks.one_of("method", "FHS", {"fhs": 1, "historical": 2})


def test_every_error_of_the_house_has_one_base():
    from xcoll import errors

    for name in errors.__all__:
        assert issubclass(getattr(errors, name), XcollError)


@pytest.mark.parametrize("place", ["_kernels.py", "_kernels/sale.py"])
def test_an_edited_kernel_gets_another_cache(tmp_path, monkeypatch, place):
    assert str(_jit.kernel_cache()) == numba.config.CACHE_DIR
    package = tmp_path / "xcoll"
    (package / "floor" / "_kernels").mkdir(parents=True)
    monkeypatch.setattr(_jit, "__file__", str(package / "_jit.py"))
    kernels = package / "floor" / place
    kernels.write_text("x = 1\n")
    before = _jit.kernel_cache()
    kernels.write_text("x = 2\n")
    assert _jit.kernel_cache() != before
    kernels.write_text("x = 1\n")
    assert _jit.kernel_cache() == before


def test_the_package_offers_start_and_nothing_else():
    assert callable(xcoll.start)
    with pytest.raises(AttributeError, match="no attribute 'stop'"):
        xcoll.stop  # noqa: B018
