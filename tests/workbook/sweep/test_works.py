"""The work "cohorts" on a small synthetic market, from the artifacts of a run to results."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.collateral import world
from xcoll.errors import ParameterError
from xcoll.liquidation import backtest, cohorts, frontier
from xcoll.liquidation.replay import Conduct, low_prices
from xcoll.liquidation.world import Oracle, World
from xcoll.workbook import artifacts, fingerprint, project
from xcoll.workbook.run import Run
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import works

AXES = {
    "factor": [0.8, 1.0],
    "fill": ["path", "low"],
    "oracle_delay": ["0h", "2h"],
    "book_seed": {"from": 6, "to": 7},
}
KINDS = ["text", "number", "number", "number", "number", "flag"]
POINTS = [(0.8, "path", "2h", 7), (1.0, "path", "0h", 6), (0.8, "low", "0h", 7)]
WORLDS = {"0h": World(), "2h": World(Oracle("2h"))}
FIXED = {"cohort_size": 200, "health_median": 1.2, "every": "14D"}


@pytest.fixture(scope="module")
def market():
    """Half a year of made-up prices with a crash on 1 May, and one threshold for all."""
    history = world.history(bars=180, seed=3)
    returns, lows = history.log_returns, history.lows[0]
    fell = returns.columns.difference(world.UNIVERSE.stablecoins)
    returns.loc["2021-05-01", fell], lows.loc["2021-05-01", fell] = -0.5, -0.6
    names = world.UNIVERSE.collateral
    rates = {"ltv": 0.7, "threshold": 0.8, "bonus": 0.06, "protocol_fee": 0.1}
    given = pd.concat(
        [
            pd.DataFrame({"asset": names, **rates, "covering": True}),
            pd.DataFrame({"asset": names, **rates, "threshold": 0.1, "covering": False}),
        ]
    )
    return {
        "prices": 100 * np.exp(returns.cumsum()),
        "excursions": lows,
        "universe": world.UNIVERSE.model_dump(mode="json"),
        "parameters": given.reset_index(drop=True),
    }


@pytest.fixture
def finished(market, tmp_path):
    """A finished run named "synthetic" that holds what the work reads."""
    here = project.find(reports=tmp_path / "reports")
    folder = here.reports / "synthetic"
    for name, content in market.items():
        writer, declared = here.chain.artifact(name)
        (folder / "artifacts" / writer).mkdir(parents=True, exist_ok=True)
        if name == "parameters":  # the columns that the work reads are enough
            declared = artifacts.declare(dict(zip(content, KINDS, strict=True)), name)
        artifacts.write(folder / "artifacts" / writer, name, declared, content)
    files = fingerprint.tree(folder)
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "files": files}))
    return here


def test_a_sweep_of_cohorts_from_end_to_end(finished, market, sweep):
    blocks = {"work": "cohorts", "axes": AXES, "fixed": FIXED, "chunk": 7}
    code, many = sweep("--workers", "2", "--run", "synthetic", file="many", **blocks)
    assert code == 0
    code, one = sweep("--serial", "--run", "synthetic", file="one", **blocks)
    assert code == 0
    for name in ("results.parquet", "sweep.json"):
        assert (many / name).read_bytes() == (one / name).read_bytes()
    recorded = json.loads((one / "sweep.json").read_text())
    assert set(recorded["inputs"]) == {
        "01_market_data/prices.parquet",
        "01_market_data/universe.json",
        "04_tail_risk/excursions.parquet",
        "05_haircuts/parameters.parquet",
    }
    table = pd.read_parquet(one / "results.parquet")
    worst = table.groupby(["fill", "factor"])["bad_debt"].max()
    assert worst["low", 0.8] > worst["path", 0.8] > 0
    assert set(table["kind"]) == {"weekly", "May 2021"}
    assert table["task"].nunique() == 16 * 2
    for factor, fill, delay, seed in POINTS:
        point = table.query(
            "factor == @factor and fill == @fill and oracle_delay == @delay and book_seed == @seed"
        )
        expected = directly(market, factor, Conduct(fill=fill, world=WORLDS[delay]), seed)
        pd.testing.assert_frame_equal(
            point[expected.columns].reset_index(drop=True), expected, check_exact=True
        )
    points = frontier.points(table[table["kind"] == "weekly"])
    assert points.loc[0.8, "capital_efficiency"] > points.loc[1.0, "capital_efficiency"]


def directly(market, factor, conduct, seed):
    """Outcomes of one point without a sweep."""
    close = market["prices"]
    given = market["parameters"].query("covering").set_index("asset")
    low = low_prices(close, market["excursions"])
    rng = Run.rng(None, "book", seed)
    study = backtest.default(
        world.UNIVERSE, close, low, given, "14D", "30D", 1.2, 1.0, 0.2, 200, rng
    )
    moved = frontier.scaled(study.parameters, factor)
    return cohorts.run(
        cohorts.Study(**{**vars(study), "parameters": moved, "conduct": conduct})
    ).outcomes


def planned(market, **blocks):
    grid = grids.parse({"work": "cohorts", **blocks}, works.WORKS)
    return grids.plan(grid, works.WORKS["cohorts"], market, "")


def rows(market, **blocks):
    tasks = planned(market, **blocks)
    run = works.WORKS["cohorts"].run
    return tasks, pd.concat([run(task, market) for task in tasks], ignore_index=True)


def test_chunks_change_nothing(market):
    whole, expected = rows(market, fixed=FIXED)
    parts, table = rows(market, fixed=FIXED, chunk=4)
    assert len(whole) == 1
    assert len(parts) == 4
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_larger_books_make_smaller_tasks(market):
    tasks = planned(market, fixed=FIXED | {"cohort_size": 200_000})
    assert [task.last - task.first for task in tasks] == [7, 7]


def test_the_inputs_are_left_as_they_were(market):
    before = {name: fingerprint.value(str(content)) for name, content in market.items()}
    prices = market["prices"].copy()
    rows(market, fixed=FIXED)
    pd.testing.assert_frame_equal(market["prices"], prices, check_exact=True)
    assert before == {name: fingerprint.value(str(content)) for name, content in market.items()}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("factor", 0, "above zero"),
        ("oracle_delay", "soon", "duration"),
        ("oracle_delay", 4, "duration"),
        ("response", "-1h", "duration"),
        ("fill", "high", "'path', 'breach', 'low'"),
        ("recovery", "0h", "above zero"),
        ("health_median", 1.0, "health_median - 1 is 0"),
        ("health_median", "x", "finite number"),
        ("health_spread", -0.1, "at least 0"),
        ("volatile_debt", 20, r"did you mean 0\.2"),
        ("cohort_size", 99, "at least 100"),
        ("book_seed", -1, "at least 0"),
        ("every", "7", "duration"),
        ("window", "0D", "above zero"),
    ],
)
def test_values_that_cannot_be(name, value, words):
    with pytest.raises(ParameterError, match=words):
        grids.parse({"work": "cohorts", "axes": {name: [value]}}, works.WORKS)


def test_points_that_cannot_be_are_refused_before_anything_runs(market):
    with pytest.raises(ParameterError, match="without a threshold"):
        planned(market, axes={"factor": [1.0, 6.0]})
    with pytest.raises(ParameterError, match="hold no window"):
        planned(market, axes={"window": ["30D", "400D"]})


def test_the_defaults_are_those_of_notebook_06(project_parameters):
    settings = works.WORKS["cohorts"].settings
    shared = project_parameters.keys() & settings.keys()
    assert shared
    assert {name: settings[name].default for name in shared} == {
        name: project_parameters[name] for name in shared
    }
    assert settings["book_seed"].default == project_parameters["seed"]


@pytest.fixture
def project_parameters():
    from xcoll.workbook import parameters

    path = project.find().notebooks / "06_liquidation_backtest.ipynb"
    return {parameter.name: parameter.default for parameter in parameters.read(path)}
