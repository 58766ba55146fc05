"""Declared forms of artifacts, and the chain that declares them."""

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import ArtifactError, DataError, ParameterError
from xcoll.workbook import artifacts, chain
from xcoll.workbook.artifacts import Artifact, declare

DAYS = pd.date_range("2020-01-01", periods=3)
WIDE = pd.DataFrame({"BTC": [1.0, 2.0, np.nan]}, index=DAYS)


def test_a_frame_comes_back_as_it_went(tmp_path):
    path = artifacts.write(tmp_path, "prices", Artifact("wide"), WIDE)
    pd.testing.assert_frame_equal(artifacts.read(path), WIDE, check_freq=False)
    assert [found.name for found in tmp_path.iterdir()] == ["prices.parquet"]


def test_equal_content_gives_equal_bytes(tmp_path):
    noted = WIDE.copy()
    noted.attrs["when"] = "now"
    bytes_ = []
    for place, frame in (("a", WIDE), ("b", noted)):
        (tmp_path / place).mkdir()
        bytes_.append(artifacts.write(tmp_path / place, "p", Artifact("wide"), frame).read_bytes())
    assert bytes_[0] == bytes_[1]


@pytest.mark.parametrize(
    ("form", "content", "words"),
    [
        ("wide", {"a": 1}, "not a dict"),
        ("json", WIDE, "not a DataFrame"),
        ("wide", WIDE.reset_index(drop=True), "DatetimeIndex"),
        ("wide", WIDE.astype(str), "type, declared"),
        ("square", WIDE, "index and columns"),
        ({"asset": "text", "es": "number"}, pd.DataFrame({"es": [1.0], "asset": ["a"]}), "order"),
        ({"asset": "text"}, pd.DataFrame({"asset": [1.0]}), "type, declared"),
        ({"n": "whole"}, pd.DataFrame({"n": [1.0]}), "type, declared"),
        ({"asset": "text"}, pd.DataFrame({"aset": ["a"]}), "missing \\['asset'\\]"),
    ],
)
def test_content_of_another_form_is_refused(tmp_path, form, content, words):
    with pytest.raises(ArtifactError, match=words):
        artifacts.write(tmp_path, "x", declare(form, "here"), content)
    assert not list(tmp_path.iterdir())


def test_json_holds_no_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        artifacts.write(tmp_path, "x", Artifact("json"), {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()


def test_unknown_forms_and_kinds():
    with pytest.raises(DataError, match="wide"):
        declare("long", "here")
    with pytest.raises(DataError, match="number"):
        declare({"a": "float"}, "here")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a:\n  question: x\n  needs: [b]\nb:\n  question: y\n", "stand above"),
        (
            "a: {question: x, artifacts: {t: json}}\nb: {question: y, artifacts: {t: json}}\n",
            "both declare",
        ),
        ("a:\n  question: x\n  artifacts: {t: long}\n", "there are"),
    ],
)
def test_a_chain_that_cannot_be(tmp_path, text, words):
    path = tmp_path / "chain.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        chain.load(path)


def test_names_numbers_and_what_lies_upstream(tiny):
    assert tiny.chain.resolve("02") == "02_scale"
    assert tiny.chain.resolve("notebooks/02_scale.ipynb") == "02_scale"
    assert tiny.chain.upstream("04_sum") == ["01_load", "02_scale", "03_square"]
    assert tiny.chain.upstream("01_load") == []
    with pytest.raises(ParameterError, match="did you mean 02_scale"):
        tiny.chain.resolve("02_scle")
    with pytest.raises(ArtifactError, match="did you mean 'scaled'"):
        tiny.chain.artifact("scald")
