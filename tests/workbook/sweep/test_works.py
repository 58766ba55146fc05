"""What a grid may set: guards, defaults, points that cannot be, and tasks of half a second."""

import pandas as pd
import pytest
import yaml

from tests.workbook.sweep import market
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation.backtest import PIECES
from xcoll.liquidation.rulebooks import RULEBOOKS
from xcoll.workbook import cli, parameters, project
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import works

REPLAY = works.WORKS["replay"]
SHIPPED = sorted((project.find().root / "data" / "sweeps").glob("*.yaml"))


@pytest.fixture(scope="module")
def read():
    return market.made()


def planned(read, **blocks):
    grid = grids.parse({"work": "replay", **blocks}, works.WORKS)
    return grids.plan(grid, REPLAY, read, "")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("engine", "ave", "'aave', 'compound', 'euler'"),
        ("service", "path", "'world', 'prompt', 'breach', 'low'"),
        ("without", {"oracle": "lag"}, "give text, in quotes where it holds a colon"),
        ("without", "depth + gas", "without is 'gas'; choose one of 'nothing', 'oracle: lag'"),
        ("factor", 0, "above zero"),
        ("window", "0D", "above zero"),
        ("recovery", "0h", "above zero"),
        ("oracle_lag", "soon", "duration"),
        ("oracle_lag", 4, "duration"),
        ("deviation", 5, r"did you mean 0\.05"),
        ("heartbeat", "0h", "above zero"),
        ("keeper_margin", -0.1, "at least 0"),
        ("gas", "x", "finite number"),
        ("capital", float("inf"), "finite number"),
        ("depth", 0, "above zero"),
        ("attentive", 70, r"did you mean 0\.7"),
        ("answer", "-1h", "duration"),
        ("interest", -1, "at least 0"),
        ("book", 3, "give text"),
        ("cohort_size", 99, "at least 100"),
        ("health_median", 1.0, "health_median - 1 is 0"),
        ("health_median", "x", "finite number"),
        ("health_spread", -0.1, "at least 0"),
        ("volatile_debt", 20, r"did you mean 0\.2"),
        ("venue_usd", 0, "above zero"),
        ("book_seed", -1, "at least 0"),
        ("paths", "bootstraps", "'history', 'bootstrap', 'garch'"),
        ("every", "7", "duration"),
        ("number", 0, "at least 1"),
        ("path_seed", 0.5, "whole number"),
    ],
)
def test_values_that_cannot_be(name, value, words):
    with pytest.raises(ParameterError, match=words):
        grids.parse({"work": "replay", "axes": {name: [value]}}, works.WORKS)


@pytest.mark.parametrize("name", REPLAY.settings)
def test_every_default_passes_its_own_guard_and_is_said_in_words(name):
    setting = REPLAY.settings[name]
    assert setting.guard(name, setting.default) == setting.default
    assert setting.note


def test_values_that_can_be():
    axes = {
        "engine": list(RULEBOOKS),
        "without": ["nothing", *PIECES, " + ".join(PIECES)],
        "venue_usd": [None, 1e9],
        "oracle_lag": ["0h", "90min"],
    }
    grid = grids.parse({"work": "replay", "axes": axes}, works.WORKS)
    assert grid.axes == axes


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ({"axes": {"factor": [1.0, 6.0]}}, "without a threshold"),
        ({"axes": {"window": ["30D", "900D"]}}, "hold no window"),
        (
            {"axes": {"engine": ["aave", "maker"]}, "fixed": {"service": "low"}},
            "needs an engine whose keepers come at the breach",
        ),
        ({"axes": {"number": [5, 6]}}, "axis number changes nothing where paths is 'history'"),
        (
            {"axes": {"paths": ["history", "garch"], "every": ["7D", "14D"]}},
            "axis every changes nothing where paths is 'garch'",
        ),
        (
            {"axes": {"service": ["world", "low"], "without": ["nothing", "depth"]}},
            "axis without changes nothing where service is 'low'",
        ),
    ],
)
def test_points_that_cannot_be_are_refused_before_anything_runs(read, blocks, words):
    with pytest.raises(ParameterError, match=words):
        planned(read, **blocks)


@pytest.mark.parametrize(
    ("fixed", "items"),
    [
        ({"engine": "aave", "cohort_size": 10_000}, 25),
        ({"engine": "maker", "cohort_size": 10_000}, 3),
        ({"engine": "aave", "cohort_size": 2_000_000}, 1),
    ],
)
def test_large_books_and_slow_engines_make_small_tasks(read, fixed, items):
    tasks = planned(read, fixed={"paths": "bootstrap", "number": 60, **fixed})
    assert max(task.last - task.first for task in tasks) <= items
    assert len(tasks) == -(-60 // items)


def test_the_defaults_are_those_of_notebook_06():
    path = project.find().notebooks / "06_liquidation_backtest.ipynb"
    notebook = {one.name: one.default for one in parameters.read(path)}
    shared = notebook.keys() & REPLAY.settings.keys()
    assert shared >= {"cohort_size", "health_median", "health_spread", "volatile_debt", "every"}
    assert {name: REPLAY.settings[name].default for name in shared} == {
        name: notebook[name] for name in shared
    }
    assert REPLAY.settings["book_seed"].default == notebook["seed"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_grids_that_are_shipped_can_be_run(read, path):
    grid = grids.read(path, works.WORKS)
    assert grid.size > 1
    assert len(grids.plan(grid, works.WORKS[grid.work], read, "")) >= grid.size


def test_a_grid_is_shipped():
    assert SHIPPED


def test_without_a_grid_the_settings_are_listed(capsys):
    assert cli.main(["sweep"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "work: replay" in said
    rows = said[said.index("work: replay") + 2 :][: len(REPLAY.settings)]
    assert [row.split()[0] for row in rows] == list(REPLAY.settings)
    for row, setting in zip(rows, REPLAY.settings.values(), strict=True):
        assert yaml.safe_load(row.split()[1]) == setting.default
        assert row.endswith(setting.note)


def test_a_book_is_read_for_the_assets_that_have_prices(read, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("account,collateral_ETH,debt_USDC\na,2,100\nb,1,0\n")
    table = REPLAY.files["book"](path, read)
    assert table["account"].tolist() == ["a", "b"]
    assert table["collateral_ETH"].tolist() == [2.0, 1.0]
    assert len(table.columns) == 1 + 2 * read["prices"].shape[1]
    assert isinstance(table, pd.DataFrame)
    path.write_text("account,collateral_XYZ\na,2\n")
    with pytest.raises(DataError, match=r"mine\.csv: unknown assets XYZ"):
        REPLAY.files["book"](path, read)
