"""Figures and sentences of executed notebooks, and the words that differ in them."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from xcoll.errors import DamagedRunError
from xcoll.workbook.review import outputs, words


def drawn(content):
    return new_output("display_data", data={"image/png": content})


def said(text):
    return new_output("display_data", data={"text/markdown": text})


def notebook(tmp_path, *cells):
    path = tmp_path / "run" / "notebooks" / "01.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), path)
    return outputs.read(path)


def test_a_figure_has_its_heading_and_the_sentence_that_follows(tmp_path):
    made = notebook(
        tmp_path,
        new_markdown_cell("# Title\n```\n# no heading\n```", id="top"),
        new_code_cell("a", id="one", outputs=[said("before"), drawn("QQ=="), drawn("Qg==")]),
        new_code_cell("b", id="two", outputs=[said("after")]),
        new_markdown_cell("## Next", id="next"),
        new_code_cell("c", id="three", outputs=[said("own"), drawn("Qw==")]),
        new_markdown_cell("## Last", id="last"),
        new_code_cell("d", id="four", outputs=[said("other")]),
    )
    found = {place: (each.heading, each.sentence) for place, each in made.figures.items()}
    assert found == {
        ("one", 1): ("Title", "before"),
        ("one", 2): ("Title", "after"),
        ("three", 1): ("Next", "own"),
    }
    assert list(made.sentences) == [("one", 1), ("two", 1), ("three", 1), ("four", 1)]
    assert made.code["two"] == "b"


def test_what_changed_and_what_only_one_shows(tmp_path):
    a = notebook(tmp_path, new_code_cell("x", id="c", outputs=[drawn("QQ=="), drawn("Qg==")]))
    b = notebook(tmp_path, new_code_cell("x", id="c", outputs=[drawn("QQ==")]))
    (pair,) = outputs.changed(a.figures, b.figures)
    assert (pair.a.content, pair.b) == ("Qg==", None)
    (pair,) = outputs.changed(b.figures, a.figures)
    assert (pair.a, pair.known.content) == (None, "Qg==")
    assert not outputs.changed(a.figures, a.figures)


def test_parameters_that_were_injected_are_no_code(tmp_path):
    tags = {"tags": ["injected-parameters"]}
    made = notebook(tmp_path, new_code_cell("x = 2", id="injected", metadata=tags))
    assert not made.code


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": [1]}'])
def test_no_notebook(tmp_path, text):
    path = tmp_path / "run" / "notebooks" / "01.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(DamagedRunError, match=r"01.ipynb is no notebook.*xcoll run --name run"):
        outputs.read(path)


@pytest.mark.parametrize(
    ("a", "b", "marked"),
    [
        ("It is **1.20** now.", "It is **1.25** now.", [["1.20"], ["1.25"]]),
        ("same", "same", [[], []]),
        ("cut (0.94 to 1.70),", "cut (0.95 to 1.70),", [["0.94"], ["0.95"]]),
        ("from *calm* to", "from to", [["calm"], []]),
        (r"from \$1.2M", r"from \$1.3M", [["1.2M"], ["1.3M"]]),
    ],
)
def test_the_words_that_differ_are_marked(a, b, marked):
    found = words.marked(a, b)
    tags = [[mark.get_text() for mark in words.dress.parse(text).select("mark")] for text in found]
    assert tags == marked
    for text, source in zip(found, (a, b), strict=True):
        plain = text.replace("<mark>", "").replace("</mark>", "")
        assert plain == str(words.dress.parse(words.html.markdown(source)))


def test_a_formula_is_one_word():
    a, b = words.marked("so $x^2$ holds", "so $x^3$ holds")
    assert a.count("<mark><math") == b.count("<mark><math") == 1
