"""Tables: units, digits, escaping, what is missing."""

import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from xcoll.errors import ParameterError
from xcoll.workbook import words
from xcoll.workbook.tables import FORMATS, money, percent, spoken, to_html, unspoken


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


def heads(frame, formats=None):
    page = BeautifulSoup(to_html(frame, "Caption", formats), "html.parser")
    return {head["data-name"]: head.get_text() for head in page.find_all("th")}


def test_heads_are_words_with_units():
    frame = pd.DataFrame(
        {name: [0.1] for name in ("es_low", "ltv", "bad_debt", "cap_usd", "gjr-t", "my_own")}
    )
    assert heads(frame, {"bad_debt": "basis points", "es_low": "basis points"}) == {
        "es_low": "ES, low, bp",
        "ltv": "LTV",
        "bad_debt": "bad debt, bp",
        "cap_usd": "supply cap",
        "gjr-t": "GJR, t errors",
        "my_own": "my own",
    }


def test_names_of_methods_are_words():
    frame = pd.DataFrame({"method": ["dcc_t", "fhs, garch-t", "own_method", "BTC, ETH"]})
    html = to_html(frame, "Methods")
    cells = [cell.get_text() for cell in BeautifulSoup(html, "html.parser").find_all("td")]
    assert cells == [
        "dynamic t copula",
        "filtered historical; GARCH, t errors",
        "own_method",
        "BTC, ETH",
    ]


def test_every_word_is_one_for_a_reader():
    said = [*words.HEADS.values(), *words.NAMES.values()]
    assert not [text for text in said if "_" in text or text != text.strip() or not text]
    assert all(words.head(name) == text for name, text in words.HEADS.items())


@given(st.text(alphabet="a $5%.\\ "))
def test_a_spoken_sentence_is_read_back(text):
    plain = re.sub(r"\\\$(?=\d)", "$", text)
    assert unspoken(spoken(plain)) == plain
