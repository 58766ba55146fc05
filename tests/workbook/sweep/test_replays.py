"""The work "replay" on a small synthetic market: the studies that its points stand for."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.collateral import world
from tests.workbook.sweep import market
from xcoll.estimators.scenarios import GarchDcc, Paths, StationaryBootstrap
from xcoll.liquidation import backtest, cohorts, frontier, rulebooks
from xcoll.liquidation.replay import Conduct, low_prices
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World
from xcoll.market.returns import log_returns
from xcoll.workbook import fingerprint, project
from xcoll.workbook.run import Run
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import works

REPLAY = works.WORKS["replay"]
FIXED = {"cohort_size": 200, "health_median": 1.2, "every": "28D"}
STABLE = world.UNIVERSE.stablecoins
SIMULATED = [*world.UNIVERSE.collateral]  # what may be owed may be pledged, too


@pytest.fixture(scope="module")
def read():
    return market.made()


def rows(read, chunk=1_000, **values):
    """Rows of one point, over all of its tasks."""
    blocks = {"work": "replay", "fixed": {**FIXED, **values}, "chunk": chunk}
    tasks = grids.plan(grids.parse(blocks, works.WORKS), REPLAY, read, "")
    return pd.concat([REPLAY.run(task, read) for task in tasks], ignore_index=True)


def whole_world(read):
    """The world of the defaults, by hand."""
    sigma = pd.Series(0.08, world.UNIVERSE.collateral)
    return World(
        Oracle("1h", 0.005, "1h"),
        Keepers(margin=0.01, gas=30.0, capital=5e7),
        backtest.stressed_depth(world.UNIVERSE, sigma),
        Borrowers(attentive=0.7, delay="2h"),
        dict.fromkeys(STABLE, 0.05),
    )


def study(read, conduct=None, seed=6, factor=1.0, venue=1e9):
    close = read["prices"]
    given = read["parameters"].query("covering").set_index("asset")
    low = low_prices(close, read["excursions"])
    rng = Run.rng(None, "book", seed)
    shape = ("28D", "30D", 1.2, 1.0, 0.2, 200, rng, venue)
    made = backtest.default(world.UNIVERSE, close, low, given, *shape)
    parameters = frontier.scaled(made.parameters, factor)
    conduct = conduct or Conduct(world=whole_world(read))
    return replace(made, parameters=parameters, conduct=conduct)


def same(found, expected):
    assert found["item"].tolist() == list(range(len(expected)))
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_exact=True)


def test_a_sweep_from_end_to_end(read, tmp_path, sweep):
    here = project.find(reports=tmp_path / "reports")
    market.finish(here, "synthetic", read)
    (tmp_path / "mine.csv").write_text("account,collateral_ETH,debt_USDC\na,2,130\n")
    axes = {
        "book": ["synthetic", str(tmp_path / "mine.csv")],
        "paths": ["history", "bootstrap"],
    }
    fixed = {**FIXED, "engine": "morpho", "number": 9}
    blocks = {"work": "replay", "axes": axes, "fixed": fixed, "chunk": 20}
    _, many = sweep("--workers", "2", "--run", "synthetic", file="many", **blocks)
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
        "05_haircuts/estimates.parquet",
    }
    assert list(recorded["files"]) == axes["book"][1:]
    table = pd.read_parquet(one / "results.parquet")
    point = table.query("book == 'synthetic' and paths == 'history'")
    same(point.reset_index(drop=True), rows(read, engine="morpho").drop(columns="item"))
    assert table["start"].isna().eq(table["paths"] == "bootstrap").all()
    assert table.groupby(["paths", "book"]).size().loc["bootstrap"].tolist() == [9, 9]


@pytest.mark.parametrize("engine", rulebooks.RULEBOOKS)
def test_every_engine_in_the_whole_world(read, engine):
    conduct = Conduct(rulebooks.RULEBOOKS[engine](), whole_world(read))
    expected = cohorts.run(study(read, conduct)).outcomes
    same(rows(read, engine=engine), expected)
    assert expected["closed"].max() > 0


@pytest.mark.parametrize("service", ["prompt", "breach", "low"])
def test_services_without_a_world(read, service):
    conduct = Conduct(fill="path" if service == "prompt" else service)
    expected = cohorts.run(study(read, conduct)).outcomes
    same(rows(read, service=service), expected)


def test_shape_factor_and_frictions_reach_the_study(read):
    conduct = Conduct(world=replace(whole_world(read), oracle=Oracle(None, 0.01, "2h")))
    expected = cohorts.run(study(read, conduct, seed=3, factor=0.5, venue=1e8)).outcomes
    values = {"book_seed": 3, "factor": 0.5, "venue_usd": 1e8}
    found = rows(read, oracle_lag="0h", deviation=0.01, heartbeat="2h", **values)
    same(found, expected)
    assert found["collateral"].to_numpy() == pytest.approx(1e8)


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        ({"answer": "0h"}, {"borrowers": Borrowers(attentive=0.7, delay=None)}),
        ({"attentive": 0.0}, {"borrowers": None}),
        ({"interest": 0.0}, {"interest": dict.fromkeys(STABLE, 0.0)}),
        ({"gas": 5.0, "capital": 1e6}, {"keepers": Keepers(margin=0.01, gas=5.0, capital=1e6)}),
    ],
)
def test_frictions(read, changes, other):
    conduct = Conduct(world=replace(whole_world(read), **other))
    same(rows(read, **changes), cohorts.run(study(read, conduct)).outcomes)


@pytest.mark.parametrize("pieces", [*([piece] for piece in backtest.PIECES), ["depth", "interest"]])
def test_parts_of_the_world_switched_off(read, pieces):
    bare = study(read)
    for piece in pieces:
        bare = backtest.PIECES[piece](bare)
    same(rows(read, without=" + ".join(pieces)), cohorts.run(bare).outcomes)


def test_a_deeper_market(read):
    shallow, deep = (rows(read, depth=depth)["waiting"].max() for depth in (0.01, 100.0))
    assert shallow > deep


def simulated(read, name, number, low=True):
    """Paths of the process that `name` stands for, by hand."""
    kind = {"bootstrap": StationaryBootstrap, "garch": GarchDcc}[name]
    assets = [asset for asset in read["prices"] if asset in SIMULATED]
    excursions = read["excursions"][assets].iloc[1:] if low else None
    process = kind.fit(log_returns(read["prices"][assets]).iloc[1:], excursions)
    parts = [process.simulate(50, 37, np.random.default_rng([1, block])) for block in (0, 1)]
    closes, lows = (
        np.concatenate([getattr(p, side) for p in parts]) for side in ("closes", "lows")
    )
    return Paths(closes[:number], lows[:number], tuple(assets), pd.Timedelta("1D"))


@pytest.mark.parametrize("name", ["bootstrap", "garch"])
def test_simulated_paths(read, name):
    expected = cohorts.simulated(study(read), simulated(read, name, 60)).outcomes
    found = rows(read, paths=name, number=60)
    same(found, expected.drop(columns="start"))
    assert found["start"].isna().all()
    assert found["closed"].max() > 0


def test_simulated_paths_without_lows(read):
    paths = simulated(read, "bootstrap", 5, low=False)
    straight = "low inside the bar"
    expected = cohorts.simulated(backtest.PIECES[straight](study(read)), paths).outcomes
    same(rows(read, paths="bootstrap", number=5, without=straight), expected.drop(columns="start"))


@pytest.mark.parametrize("values", [{}, {"paths": "bootstrap", "number": 57}])
def test_chunks_change_nothing(read, values):
    pd.testing.assert_frame_equal(
        rows(read, chunk=4, **values), rows(read, **values), check_exact=True
    )


def test_another_seed_gives_other_paths_and_a_larger_number_the_same_ones(read):
    few, more, other = (
        rows(read, paths="bootstrap", number=number, path_seed=seed)
        for number, seed in ((5, 1), (8, 1), (5, 2))
    )
    pd.testing.assert_frame_equal(more.head(5), few, check_exact=True)
    assert (other["closed"] != few["closed"]).any()


def test_cohorts_and_paths_have_the_same_columns(read):
    history, paths = rows(read), rows(read, paths="bootstrap", number=2)
    assert history.dtypes.to_dict() == paths.dtypes.to_dict()


def test_inconsistent_thresholds_are_marked(read):
    assert rows(read)["consistent"].all()
    assert not rows(read, factor=0.1)["consistent"].any()


def test_the_artifacts_are_left_as_they_were(read):
    before = {name: fingerprint.value(str(content)) for name, content in read.items()}
    prices = read["prices"].copy()
    rows(read)
    rows(read, paths="bootstrap", number=2)
    pd.testing.assert_frame_equal(read["prices"], prices, check_exact=True)
    assert before == {name: fingerprint.value(str(content)) for name, content in read.items()}


def test_a_swept_table_goes_into_the_frontier(read):
    table = pd.concat([rows(read, factor=x).assign(factor=x) for x in (0.8, 1.0)])
    points = frontier.points(table[table["kind"] == "weekly"])
    assert points.loc[0.8, "capital_efficiency"] > points.loc[1.0, "capital_efficiency"]
