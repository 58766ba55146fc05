"""Which part of a sentence was made by which expression: choices, lists, formats, numbers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbook.tracing import followed
from xcoll.workbook.review.flow.values import Choice, Joined, Origin, Slot
from xcoll.workbook.review.sentences import NUMBER, numbers, pieces

WHOLE = Origin("n", "c", 1, "whole")


def slot(name, pattern=".*"):
    return Slot(Origin("n", "c", 1, name), pattern)


def read(text, said):
    found = pieces(text, said)
    if found is None:
        return None
    return [(each.origin.expression, said[each.start : each.end]) for each in found]


def test_slots_between_words():
    text = ("Of ", slot("n"), " assets ", slot("k"), " fell.")
    assert read(text, "Of 12 assets 3 fell.") == [("n", "12"), ("k", "3")]
    assert read(text, "Of 12 assets 3 rose.") is None
    assert read((), "") == []
    assert read((), "x") is None
    assert read(("x",), "x") == []


def test_a_choice_is_read_with_what_was_chosen():
    text = (Choice((("none",), (slot("n"), " of them")), Origin("n", "c", 1, "either")), ".")
    assert read(text, "none.") == [("either", "none")]
    assert sorted(read(text, "3 of them.")) == [("either", "3 of them"), ("n", "3")]


def test_a_list_is_cut_at_its_separator():
    text = ("Fell: ", Joined(", ", (slot("a"), " ", slot("x")), Origin("n", "c", 1, "list")), ".")
    assert read(text, "Fell: ETH -3, BTC -2.") == [
        ("list", "ETH -3, BTC -2"),
        ("a", "ETH"),
        ("x", "-3"),
        ("a", "BTC"),
        ("x", "-2"),
    ]
    assert read(text, "Fell: .") == [("list", "")]
    assert read(text, "Fell: ETH.") == [("list", "ETH")]  # no item looks so: the whole


def test_what_a_format_lets_expect_comes_first():
    text = (slot("a"), " ", slot("b", r"\d+"))
    assert read(text, "1 2 3") == [("a", "1 2"), ("b", "3")]
    assert read(text, "1 of three") == [("a", "1"), ("b", "of three")]  # then anything


def test_reading_gives_up():
    text = tuple(part for n in range(25) for part in (slot(str(n)), " "))
    assert read((*text, "end"), "x " * 60) is None  # plain backtracking would take for ever


@given(st.lists(st.tuples(st.integers(-999, 999), st.sampled_from([" a ", "; ", " to "]))))
def test_any_sentence_of_numbers_is_read_back(parts):
    text, said = [], ""
    for place, (value, between) in enumerate(parts):
        text += [slot(str(place), r"[-+]?\d+"), between]
        said += f"{value}{between}"
    found = numbers(tuple(text), said, WHOLE)
    assert [int(number.text) for number in found] == [value for value, _ in parts]
    assert [number.origin.expression for number in found] == [str(n) for n in range(len(parts))]


def test_a_number_belongs_to_the_innermost_part():
    text = (Choice(((slot("n"), " of 5"), ("none",)), Origin("n", "c", 1, "either")),)
    found = numbers(text, "3 of 5", WHOLE)
    assert [(each.text, each.origin.expression) for each in found] == [("3", "n"), ("5", "either")]


def test_a_sentence_that_does_not_fit_belongs_to_what_made_all_of_it():
    (number,) = numbers(("x",), "5 bp", WHOLE)
    assert number.origin is WHOLE


TOKENS = {
    "-26.5 pt and +3": ["-26.5 pt", "+3"],
    "$1.23M, -$5.00k, €3": ["$1.23M", "-$5.00k", "€3"],
    "1,234 of 12,345.6": ["1,234", "12,345.6"],
    "90 % to 90%, 3\u00a0%": ["90 %", "90%", "3\u00a0%"],
    "on 2022-05-09 or 09 May 2022": ["2022-05-09", "09 May 2022"],
    "within 4h, 24 h, 5 hours": ["4h", "24", "5"],
    "ES97, x2, p99 and e1a068": [],
    "1.5×, 2e-05, 3bn": ["1.5×", "2e-05", "3bn"],
}


@pytest.mark.parametrize("said", TOKENS)
def test_what_counts_as_a_number(said):
    assert [match[0] for match in NUMBER.finditer(said)] == TOKENS[said]


def test_the_numbers_of_a_list_are_no_results():
    found = numbers(("1. ", slot("a"), "\n2. ", slot("b")), "1. 5\n2. 6", WHOLE)
    assert [each.text for each in found] == ["5", "6"]


LOOKS = {
    "{x:.1f}": ("3.5", "3.5 to"),
    "{x:,}": ("1,234", "x"),
    "{x:.0%}": ("12%", "x"),
    "{x:%d %B}": ("01 May", None),
    "{money(x)}": ("-$1.2M", "x"),
    "{percent(x)}": ("3.0 %", "x"),
    "{x}": ("anything at all", None),
    "{x!r}": ("'a'", None),
}


@pytest.mark.parametrize("form", LOOKS)
def test_what_a_format_looks_like(form):
    fits, other = LOOKS[form]
    (shown,) = followed(f'x = run.read("a")\nrun.say(f"{form}")').shown
    (part,) = shown.text
    assert re.fullmatch(part.pattern, fits)
    assert other is None or not re.fullmatch(part.pattern, other)
