"""The parameters cell: read as text, typed strictly."""

import nbformat
import pytest

from tests.workbook.conftest import notebook
from xcoll.errors import ParameterError
from xcoll.workbook import parameters
from xcoll.workbook.parameters import Parameter, check, parse_text, read, resolve


def written(tmp_path, source: str):
    path = tmp_path / "05_example.ipynb"
    nbformat.write(notebook("05_example", source), path)
    return path


def test_reads_names_types_defaults_and_comments(tmp_path):
    source = (
        "# Parameters: change with  xcoll run -p name=value\n"
        "level: float = 0.99  # fraction in (0, 1)\n"
        'kind: Literal["ES", "VaR"] = "ES"  # measure\n'
        'text: str = "a = b # c"\n'
        "horizons: list[str] = ['1h', '4h']  # durations\n"
        "until: str | None = None"
    )
    found = read(written(tmp_path, source))
    assert found[0] == Parameter("level", "float", 0.99, "fraction in (0, 1)")
    assert [parameter.name for parameter in found] == ["level", "kind", "text", "horizons", "until"]
    assert found[2].default == "a = b # c"
    assert found[2].comment == ""
    assert found[4].default is None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("level = 0.99", "write it as name: type = default"),
        ("level: float", "write it as name: type = default"),
        ("level: float = 99  # fraction in (0, 1)", "did you mean 0.99"),
        ("level: float = min(1, 2)", "must be a literal"),
        ("level: set = 1", "cannot be a parameter"),
        ("level: int = 1.5", "it must be int"),
        ("level: int = 1\nlevel: int = 2", "twice"),
    ],
)
def test_refuses_a_cell_that_is_no_declaration(tmp_path, source, words):
    with pytest.raises(ParameterError, match=words):
        read(written(tmp_path, source))


def test_exactly_one_tagged_cell(tmp_path):
    path = written(tmp_path, "level: int = 1")
    content = nbformat.read(path, as_version=4)
    content.cells[4].metadata["tags"] = ["parameters"]
    nbformat.write(content, path)
    with pytest.raises(ParameterError, match="2 cells tagged"):
        read(path)
    for cell in content.cells:
        cell.metadata.pop("tags", None)
    nbformat.write(content, path)
    with pytest.raises(ParameterError, match="0 cells tagged"):
        read(path)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("str", "0123", "0123"),
        ("str", "a=b", "a=b"),
        ("int", "12", 12),
        ("float", "1e-3", 1e-3),
        ("bool", "true", True),
        ("str | None", "null", None),
        ("list[str]", "BTC,ETH", ["BTC", "ETH"]),
        ("list[float]", "0.9, 0.99", [0.9, 0.99]),
        ("list[float]", "[0.9]", [0.9]),
        ('Literal["1", "2"]', "1", "1"),
        ("Literal[1, 2]", "1", 1),
        ("Path", "data/x.csv", "data/x.csv"),
    ],
)
def test_text_is_read_by_the_annotation(annotation, text, value):
    parsed = parse_text(Parameter("x", annotation, None, ""), text)
    assert parsed == value
    assert type(parsed) is type(value)
    assert check(Parameter("x", annotation, None, ""), parsed, "here") == value


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", True),
        ("int", 1.0),
        ("int", "1"),
        ("float", "0.99"),
        ("float", float("nan")),
        ("float", float("inf")),
        ("float", True),
        ("bool", 1),
        ("str", 1),
        ("list[str]", "BTC"),
        ("list[str]", ["BTC", 1]),
        ("list[float]", (0.9, 0.99)),
        ('Literal["a"]', "b"),
        ("Literal[1]", True),
        ("Path", ""),
        ("str", None),
    ],
)
def test_values_of_another_type_are_refused(annotation, value):
    with pytest.raises(ParameterError, match="must be"):
        check(Parameter("x", annotation, None, ""), value, "here")


@pytest.mark.parametrize(
    ("comment", "good", "bad"),
    [
        ("fraction in (0, 1)", [0.01, 0.999], [0.0, 1.0, 99.0, -1.0]),
        ("fraction in [0, 1]", [0.0, 1.0], [1.001, -0.001]),
        ("share in (0, 1]", [1.0], [0.0]),
        ("dollars, above 0", [0.001], [0.0, -5.0]),
        ("bars, at least 1", [1.0], [0.99]),
        ("no range here", [-1e9], []),
    ],
)
def test_the_range_in_the_comment_is_enforced(comment, good, bad):
    parameter = Parameter("x", "float", 0.5, comment)
    for value in good:
        assert check(parameter, value, "here") == value
    for value in bad:
        with pytest.raises(ParameterError, match="x = "):
            check(parameter, value, "here")


def test_every_item_of_a_list_is_in_range():
    parameter = Parameter("levels", "list[float]", [], "fractions in (0, 1)")
    with pytest.raises(ParameterError, match=r"97\.5"):
        check(parameter, [0.99, 97.5], "here")


def test_a_misspelt_name_is_answered_with_the_nearest():
    declared = {"a": [Parameter("confidence", "float", 0.99, "")]}
    with pytest.raises(ParameterError, match="did you mean 'confidence'"):
        resolve(declared, [(None, "confidense", "0.9", "-p")], is_text=True)


def test_a_value_goes_to_every_notebook_that_declares_it_or_to_one():
    one, two = Parameter("seed", "int", 1, ""), Parameter("seed", "int", 2, "")
    declared = {"a": [one], "b": [two], "c": []}
    assert resolve(declared, [(None, "seed", 7, "-f")]) == {"a": {"seed": 7}, "b": {"seed": 7}}
    assert resolve(declared, [("b", "seed", 7, "-f")]) == {"b": {"seed": 7}}


def test_a_notebook_that_would_not_run_takes_no_parameter():
    with pytest.raises(ParameterError, match=r"'seed' is set in b \(-p\), which would not run"):
        resolve({"a": []}, [("b", "seed", 7, "-p")])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 1}', '{"cells": [{}]}'])
def test_a_file_that_is_no_notebook(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(ParameterError, match="is no notebook"):
        read(path)


def test_files_of_overrides(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("seed: 3\n")
    assert parameters.load(path) == {"seed": 3}
    for text, words in (("- 1\n", "lines of"), ("a: [", "not YAML"), ("", "lines of")):
        path.write_text(text)
        with pytest.raises(ParameterError, match=words):
            parameters.load(path)
    with pytest.raises(ParameterError, match="no such file"):
        parameters.load(tmp_path / "none.yaml")
