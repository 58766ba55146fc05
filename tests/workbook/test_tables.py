"""Tables: units, digits, escaping, what is missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcoll.errors import ParameterError
from xcoll.workbook.tables import FORMATS, money, percent, to_html


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0"), (12.3, "$12.3"), (1234.5, "$1.23k"), (-2.5e6, "-$2.50M"), (3e9, "$3.00bn")],
)
def test_money(value, text):
    assert money(value) == text


def test_percent():
    assert percent(0.12345) == "12.3 %"
    assert FORMATS["points"](-0.27) == "-27.0 pt"
    assert FORMATS["points"](0.175) == "+17.5 pt"
    assert FORMATS["points"](-1e-5) == "+0.0 pt"
    assert percent(0.1234, 2) == "12.34 %"


@given(st.floats(-1e12, 1e12).filter(lambda value: abs(value) > 1e-9))
def test_three_significant_digits_are_kept(value):
    text = FORMATS["significant"](value).replace(",", "")
    assert float(text) == pytest.approx(value, rel=6e-3)


def test_infinity_is_shown_as_such():
    frame = pd.DataFrame({"fall": [np.inf, -np.inf, 0.5]})
    html = to_html(frame, "Falls", {"fall": "percent"})
    assert all(f"<td>{text}</td>" in html for text in ("∞", "-∞", "50.0 %"))


def test_html_escapes_aligns_and_counts_the_rest():
    frame = pd.DataFrame({"asset": ["<b>", "x", "y"], "loss": [0.1, np.nan, 0.3]})
    html = to_html(frame, "Losses & more", {"loss": "percent"}, rows=2)
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "Losses &amp; more" in html
    assert '<td class="text">x</td><td>–</td>' in html
    assert "10.0 %" in html
    assert "1 more rows" in html


def test_a_format_for_a_column_that_is_not_there():
    with pytest.raises(ParameterError, match="lost"):
        to_html(pd.DataFrame({"loss": [0.1]}), "x", {"lost": "percent"})
    with pytest.raises(ParameterError, match="choose one of"):
        to_html(pd.DataFrame({"loss": [0.1]}), "x", {"loss": "percents"})
