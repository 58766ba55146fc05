"""Published margin rules as configuration: what is bundled, and what is refused."""

import copy
import datetime
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.margin import cases
from xcoll.errors import DataError
from xcoll.margin import venues
from xcoll.margin.rules.grid import Grid
from xcoll.margin.rules.schema import by_asset
from xcoll.margin.rules.standard import Standard
from xcoll.workbook.files import read_yaml

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def bundled():
    return read_yaml(DATA / "venues.yaml")


def test_bundled_rules(bundled):
    rules = venues.parse(bundled, "venues.yaml")
    kinds = {key: type(rule) for key, rule in rules.items()}
    assert kinds == {
        "derive-portfolio": Grid,
        "deribit-portfolio": Grid,
        "deribit-standard": Standard,
    }
    assert not rules["derive-portfolio"].assumed
    for rule in rules.values():
        assert rule.source
        assert rule.date < datetime.date(2030, 1, 1)


def test_table_says_where_each_rule_comes_from(bundled):
    rules = venues.parse(bundled)
    table = venues.table(rules)
    assert list(table.columns) == ["key", "name", "rule", "date", "assumed", "source"]
    assert table["key"].tolist() == list(rules)
    assert table["rule"].tolist() == ["grid", "grid", "standard"]
    assert table["date"][0] == pd.Timestamp("2024-06-30")
    assert table["assumed"].tolist() == [False, True, True]


def test_a_new_venue_is_a_block_and_no_code(bundled):
    document = copy.deepcopy(bundled)
    document["margins"]["mine"] = {
        "name": "Mine",
        "rule": "grid",
        "source": "my own",
        "date": datetime.date(2024, 1, 1),
        "range": 0.2,
        "steps": 1,
        "initial": {"factor": 1.5},
    }
    rule = venues.parse(document)["mine"]
    found = rule.requirement(cases.held({"BTC": 1.0}), cases.quoted()).accounts.loc["a"]
    assert found["maintenance"] == pytest.approx(8_000.0)
    assert found["initial"] == pytest.approx(12_000.0)


def test_amounts_by_asset():
    np.testing.assert_array_equal(by_asset(0.1, ["BTC", "ETH"]), [0.1, 0.1])
    np.testing.assert_array_equal(by_asset({"ETH": 0.2, "other": 0.3}, ["BTC", "ETH"]), [0.3, 0.2])
    np.testing.assert_array_equal(by_asset({"ETH": 0.2}, ["BTC", "ETH"]), [0.0, 0.2])
    assert by_asset(0.1, []).shape == (0,)


DERIVE, DERIBIT, STANDARD = "derive-portfolio", "deribit-portfolio", "deribit-standard"
ABSENT = object()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            (DERIVE, "range"),
            -0.1,
            "range > for all: Input should be greater than 0; the file has -0",
        ),
        ((DERIVE, "range"), 0.0, "range > for all: Input should be greater than 0"),
        ((DERIVE, "range"), 1.0, "range > for all: Input should be less than 1"),
        ((DERIVE, "range"), math.nan, "range > for all: Input should be a finite number"),
        (
            (DERIVE, "range"),
            True,
            "range > for all: Input should be a valid number; the file has T",
        ),
        ((DERIVE, "range"), "0.15", "range > for all: Input should be a valid number"),
        ((DERIVE, "range"), {"BTC": 0.1}, "range: an asset that is not named would have none; add"),
        (
            (DERIVE, "range"),
            {"BTC": -1, "other": 0.1},
            "range > by asset > BTC: Input should be gre",
        ),
        ((DERIVE, "range"), {}, "range: an asset that is not named"),
        ((DERIVE, "range"), ABSENT, "range: required field is missing; add it"),
        ((DERIVE, "steps"), 0, "steps: Input should be greater than or equal to 1"),
        ((DERIVE, "steps"), 2.5, "steps: Input should be a valid integer"),
        ((DERIVE, "steps"), True, "steps: Input should be a valid integer"),
        ((DERIVE, "colour"), "red", " > grid > colour: unknown field; remove it"),
        ((DERIVE, "contingencies", "options"), 0.1, "contingencies > options: unknown field"),
        (
            (DERIVE, "contingencies", "spot"),
            -0.1,
            "spot: Input should be greater than or equal to 0",
        ),
        ((DERIVE, "contingencies", "basis", "move"), 1.0, "move: Input should be less than 1"),
        ((DERIVE, "contingencies", "confidence", "least"), 1.1, "least: Input should be less than"),
        ((DERIVE, "volatility", "up"), -0.1, "up > for all: Input should be greater than or equal"),
        (
            (DERIVE, "volatility", "least"),
            "1",
            "least: value is '1'; give a duration with its unit",
        ),
        ((DERIVE, "gains", "factor"), 0.0, "factor: Input should be greater than 0"),
        ((DERIVE, "gains", "factor"), 1.01, "factor: Input should be less than or equal to 1"),
        ((DERIVE, "initial", "factor"), 0.9, "factor: Input should be greater than or equal to 1"),
        ((DERIVE, "initial", "peg", "least"), 0, "least: Input should be greater than 0"),
        (
            (DERIVE, "together"),
            [["BTC", "ETH"], ["ETH"]],
            "together: ETH is there twice; an asset m",
        ),
        ((DERIVE, "together"), ["BTC"], "together > 0: Input should be a valid tuple"),
        ((DERIVE, "rule"), "span", ": its `rule` is missing or unknown; write grid or standard"),
        ((DERIVE, "rule"), ABSENT, ": its `rule` is missing or unknown; write grid or standard"),
        ((DERIVE, "source"), ABSENT, "source: required field is missing"),
        ((DERIVE, "name"), "", "name: String should have at least 1 character"),
        ((DERIVE, "date"), "soon", "date: Input should be a valid date"),
        ((DERIBIT, "extended", "moves"), [-1.0], "moves > 0: Input should be greater than -1"),
        ((DERIBIT, "extended", "weight"), "half", "'range/move'; the file has 'half'"),
        ((DERIBIT, "extended", "weight"), 1.5, "less than or equal to 1; the file has 1.5"),
        ((DERIBIT, "extended", "dampener"), -1, "dampener: Input should be greater than or equal"),
        ((STANDARD, "linear", "initial"), {"BTC": 0.1}, "initial: an asset that is not named"),
        ((STANDARD, "linear", "per_unit"), -1, "per_unit > for all: Input should be greater than"),
        ((STANDARD, "options", "least"), ABSENT, "least: required field is missing"),
        ((STANDARD, "range"), 0.1, "standard > range: unknown field"),
    ],
)
def test_a_rule_that_is_none_is_named_with_its_field(bundled, place, value, message):
    document = copy.deepcopy(bundled)
    block = document["margins"]
    for key in place[:-1]:
        block = block[key]
    if value is ABSENT:
        del block[place[-1]]
    else:
        block[place[-1]] = value
    with pytest.raises(DataError, match=f"(?s)my.yaml.*{place[0]}.*{message}"):
        venues.parse(document, "my.yaml")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "my.yaml: no block `margins`; see the bundled data/venues.yaml"),
        ([], "no block `margins`"),
        ("margins", "no block `margins`"),
        ({"venues": {}}, "no block `margins`"),
        ({"margins": None}, "margins: Input should be a valid dictionary"),
        ({"margins": {}}, "margins: Dictionary should have at least 1 item"),
        ({"margins": {"x": None}}, "margins > x: its `rule` is missing or unknown; write grid"),
        ({"margins": {"x": 5}}, "margins > x: its `rule` is missing or unknown"),
    ],
)
def test_a_file_without_rules_is_refused(document, message):
    with pytest.raises(DataError, match=message):
        venues.parse(document, "my.yaml")
