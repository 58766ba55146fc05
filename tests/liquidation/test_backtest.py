"""The default study of a universe, the ways of serving it, and its variations."""

from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from xcoll.collateral import universe
from xcoll.errors import ParameterError
from xcoll.liquidation import backtest, cohorts, mapping
from xcoll.liquidation.replay import Conduct
from xcoll.liquidation.rulebooks import RULEBOOKS, Compound
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World

DATA = Path(__file__).resolve().parents[2] / "data"
NAMES = ["BTC", "ETH", "USDC", "USDT", "GONE"]
RATES = pd.DataFrame(
    {
        "ltv": [0.72, 0.66, 0.9],
        "threshold": [0.84, 0.78, 0.95],
        "bonus": [0.05, 0.06, 0.04],
        "protocol_fee": 0.1,
    },
    index=["BTC", "ETH", "USDC"],
)
UNIVERSE = SimpleNamespace(
    collateral=["BTC", "ETH", "USDC"], debts=["BTC", "USDC", "USDT"], stablecoins=["USDC", "USDT"]
)


@pytest.fixture(scope="module")
def bundled():
    return universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def world(bundled):
    sigma = pd.Series(0.08, bundled.priced)
    depth = backtest.stressed_depth(bundled, sigma)
    return backtest.surroundings(
        depth, "1h", 0.005, "1D", 0.01, 20.0, 5e7, 0.5, "2h", {"USDC": 0.1}
    )


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(3)
    index = pd.date_range("2022-03-01", periods=110, freq="D")
    steps = rng.normal(0, 1, (110, 5)) * [0.05, 0.06, 0.001, 0.001, 0.06]
    close = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index, NAMES)
    low = (np.minimum(close, close.shift(1)) * [0.95, 0.95, 1, 1, 0.95]).where(close.notna())
    return backtest.default(UNIVERSE, close, low, RATES, "7D", "30D", 1.3, 1.0, 0.2, 300, rng)


def same(one, other):
    pd.testing.assert_frame_equal(one.outcomes, other.outcomes)
    pd.testing.assert_frame_equal(one.waits, other.waits)


def test_the_default_study(study):
    assert (study.shape.health_median, study.shape.health_spread) == (1.3, 1.0)
    assert (study.shape.volatile, study.shape.stable) == (["BTC"], ["USDC", "USDT"])
    assert set(study.shape.mix) == set(UNIVERSE.collateral)
    assert (study.calendar["kind"] == "LUNA").sum() == 3
    assert (study.weekly.calendar["kind"] == "weekly").all()
    assert study.conduct == Conduct()
    assert (study.venue_usd, study.thresholds, study.drawn, study.baskets) == (None,) * 4


def test_what_surrounds_an_engine(world):
    assert world.oracle == Oracle("1h", 0.005, "1D")
    assert world.keepers == Keepers(margin=0.01, gas=20.0, capital=5e7)
    assert world.borrowers == Borrowers(attentive=0.5, delay="2h")
    assert world.interest == {"USDC": 0.1}
    alone = backtest.surroundings(None, None, 0.0, None, 0.0, 0.0, np.inf, 0.0, "2h", {})
    assert alone == World()
    assert alone.frictionless


def test_a_setting_is_stated_once(bundled):
    rng, index = np.random.default_rng(6), pd.date_range("2022-01-01", periods=60, freq="D")
    given = {"health_median": 1.4, "health_spread": 0.9, "volatile_debt": 0.1, "venue_usd": 3e9}
    around = dict(zip(AROUND, ("1h", 0.005, "1D", 0.01, 20.0, 5e7, 0.5, "2h"), strict=True))
    setting = backtest.Setting("7D", "20D", "3D", **given, **around, interest=0.1)
    steps = rng.normal(0.0, 0.03, (60, len(bundled.priced))).cumsum(axis=0)
    close = pd.DataFrame(np.exp(steps), index, bundled.priced)
    low = np.minimum(close, close.shift(1))
    rates = RATES.loc[["BTC"]].reindex(bundled.collateral).fillna(RATES.loc["BTC"])
    sigma = pd.Series(0.08, bundled.priced)
    made = setting.study(bundled, close, low, rates, sigma, 40, np.random.default_rng(1))
    plain = backtest.default(
        bundled, close, low, rates, "7D", "20D", 1.4, 0.9, 0.1, 40, np.random.default_rng(1), 3e9
    )
    assert (made.shape, made.window, made.venue_usd) == (plain.shape, "20D", 3e9)
    np.testing.assert_array_equal(made.draws.choice, plain.draws.choice)
    depth = backtest.stressed_depth(bundled, sigma)
    stable = dict.fromkeys(bundled.stablecoins, 0.1)
    expected = backtest.surroundings(depth, *around.values(), stable)
    assert parts(made.conduct.world) | {"depth": None} == parts(expected) | {"depth": None}
    np.testing.assert_array_equal(made.conduct.world.depth.loss, depth.loss)
    assert replace(made.conduct, world=World()) == Conduct(within="3D")


def test_services_are_a_world_and_three_without(world):
    ways = backtest.services(world, "3D")
    assert list(ways) == ["world", "prompt", "breach", "low"]
    assert [way.fill for way in ways.values()] == ["path", "path", "breach", "low"]
    assert ways["world"].world is world
    assert all(way.world == World() for name, way in ways.items() if name != "world")
    assert {way.within for way in ways.values()} == {"3D"}


def test_order_books_of_a_bad_day(bundled):
    sigma = pd.Series(0.08, bundled.priced)
    depth = backtest.stressed_depth(bundled, sigma)
    assert (depth.replenish, depth.every) == (0.2, pd.Timedelta("5min"))
    assert set(depth.assets) >= {"BTC", "ETH", "USDC"}
    twice = backtest.stressed_depth(bundled, sigma, 2.0)
    calm = backtest.stressed_depth(bundled, sigma / 2)
    for asset in ("BTC", "ETH", "BNB"):
        assert twice.room(asset, 0.05) > depth.room(asset, 0.05) > 0
        assert twice.cost(asset, 2e6) == pytest.approx(2 * depth.cost(asset, 1e6), rel=0.05)
    assert calm.cost("BNB", 1e6) == pytest.approx(depth.cost("BNB", 1e6) / 2, rel=0.01)
    assert calm.cost("ETH", 1e6) == depth.cost("ETH", 1e6)  # its quotes are of a swap, not of σ


# The part of the world that each piece takes away: path of attributes → what is left there.
LEFT = {
    "oracle: lag": {"oracle.lag": None},
    "oracle: deviation, heartbeat": {"oracle.deviation": 0.0, "oracle.heartbeat": None},
    "keepers: margin and gas": {"keepers.margin": 0.0, "keepers.gas": 0.0},
    "keepers: capital of a day": {"keepers.capital": np.inf},
    "depth": {"depth": None},
    "borrowers' answers": {"borrowers": None},
    "interest": {"interest": {}},
    "low inside the bar": {},
}


AROUND = (
    *("oracle_lag", "deviation", "heartbeat", "keeper_margin", "gas", "capital"),
    *("attentive", "answer"),
)


def parts(world):
    """All fields of a world by path."""
    table = {name: getattr(world, name) for name in ("depth", "borrowers", "interest")}
    for name in ("oracle", "keepers"):
        one = getattr(world, name)
        table |= {f"{name}.{field.name}": getattr(one, field.name) for field in fields(one)}
    return table


def test_every_piece_takes_away_itself_alone(study, world):
    whole = replace(study, conduct=Conduct(world=world))
    cases = backtest.without(whole)
    assert list(cases) == ["all of it", *backtest.PIECES, "nothing around"]
    assert cases["all of it"] is whole
    assert set(LEFT) == set(backtest.PIECES)
    for piece, left in LEFT.items():
        case = cases[piece]
        assert parts(case.conduct.world) == parts(world) | left, piece
        assert case.low.equals(whole.low) == (piece != "low inside the bar")
        kept = replace(case, low=whole.low, conduct=replace(case.conduct, world=world))
        assert kept.conduct == whole.conduct
        untouched = [field.name for field in fields(whole) if field.name != "conduct"]
        assert all(getattr(kept, name) is getattr(whole, name) for name in untouched)
    bare = cases["nothing around"]
    assert bare.conduct == Conduct()
    straight = np.minimum(study.close, study.close.shift(1)).where(study.low.notna())
    pd.testing.assert_frame_equal(bare.low, straight)
    pd.testing.assert_frame_equal(cases["low inside the bar"].low, straight)


def test_pieces_are_taken_away_one_by_one_or_together(study, world):
    whole = replace(study, conduct=Conduct(world=world))
    cases = backtest.without(whole, ["depth", "interest"])
    assert list(cases) == ["all of it", "depth", "interest", "nothing around"]
    assert cases["nothing around"].conduct.world == replace(world, depth=None, interest={})
    with pytest.raises(ParameterError, match="choose one of 'oracle: lag'"):
        backtest.without(whole, ["gas"])


def test_engines_run_the_same_accounts(study):
    made = backtest.engines(study)
    assert list(made) == list(RULEBOOKS)
    same(made["aave"], cohorts.run(study))
    for name, found in made.items():
        debt = found.outcomes["debt"]
        assert (debt <= made["aave"].outcomes["debt"] * (1 + 1e-12)).all(), name
    own = backtest.engines(study, {"store": Compound(0.8)})
    same(own["store"], cohorts.run(replace(study, conduct=Conduct(Compound(0.8)))))
    with pytest.raises(ParameterError, match="no rulebooks"):
        backtest.engines(study, {})


def test_what_engines_cannot_hold(study):
    table = backtest.unmapped(study)
    assert table["engine"].unique().tolist() == list(RULEBOOKS)
    lost = table.groupby("engine")[["collateral", "debt"]].sum()
    made = {name: found.outcomes.iloc[-1] for name, found in backtest.engines(study).items()}
    assert lost.loc[["aave", "exchange"]].eq(0.0).all(axis=None)
    assert lost.loc["maker", "debt"] > 0.0  # BTC cannot be drawn there
    for name in RULEBOOKS:
        for side in ("collateral", "debt"):
            kept = made[name][side] / made["aave"][side]
            assert 1 - lost.loc[name, side] == pytest.approx(kept), (name, side)
        held = cohorts.mapped(replace(study, conduct=Conduct(RULEBOOKS[name]())))
        assert isinstance(held, mapping.Mapped)
        assert table.query("engine == @name")["held"].eq(len(held.book)).all()


def test_portrait_shows_what_is_held_and_owed(study):
    table, facts = backtest.portrait(study)
    by_asset = table.set_index("asset")
    assert set(table["asset"]) == {"BTC", "ETH", "USDC", "USDT"}
    assert by_asset.loc["ETH", "threshold"] == 0.78
    assert np.isnan(by_asset.loc["USDT", "threshold"])
    assert table[["collateral", "debt"]].sum().tolist() == pytest.approx([1, 1])
    assert table["collateral"].is_monotonic_decreasing
    assert facts["assets"] == pytest.approx(by_asset["accounts"].sum())
    assert facts["near"] == pytest.approx(0.136, abs=0.04)  # P(0.3·exp(z) < 0.1)
    assert 0.1 < facts["top"] < 0.9
    made = cohorts.run(study).outcomes.iloc[-1]
    assert facts["collateral"] == pytest.approx(made["collateral"])
    assert facts["debt"] == pytest.approx(made["debt"])
    large, of = backtest.portrait(replace(study, venue_usd=2e9))
    pd.testing.assert_frame_equal(large, table)
    assert of["collateral"] == pytest.approx(2e9)
    assert of["debt"] / of["median"] == pytest.approx(facts["debt"] / facts["median"])
    assert of["near"] == facts["near"]


def test_serve_names_the_services(study, world):
    ways = backtest.services(world, "7D")
    made = backtest.serve(study, ways)
    assert list(made) == list(ways)
    same(made["low"], cohorts.run(replace(study, conduct=ways["low"])))
    assert made["prompt"].waits["wait"].max() <= pd.Timedelta("1h")
    assert made["world"].waits["wait"].max() > pd.Timedelta("1h")


def test_lower_lows_lose_more(study, world):
    ways = {name: backtest.services(world, "7D")[name] for name in ("prompt", "low")}
    lows = {"as given": study.low, "deeper": study.low * 0.85}
    table = backtest.by_low(study, lows, ways).set_index(["choice", "service"])
    assert table.index.tolist() == [(low, way) for low in lows for way in ways]
    assert "consistent" not in table
    at_low = table.xs("low", level="service")["bad_debt"]
    assert at_low["deeper"] > at_low["as given"] >= 0
    given = cohorts.run(replace(study.weekly, conduct=ways["low"])).outcomes
    assert at_low["as given"] == pytest.approx(given["bad_debt"].mean())


def test_assumptions_move_one_thing_at_a_time(study, world):
    slow = replace(study, conduct=Conduct(world=replace(world, depth=None)))
    table = backtest.assumptions(slow, np.random.default_rng(5))
    assert table.index[0] == "as given"
    assert table.index[-1] == "with GONE"
    given = cohorts.run(slow.weekly).outcomes
    assert table.loc["as given", "premature"] == pytest.approx(given["premature"].mean())
    assert table.loc["median health 1.3"].equals(table.loc["as given"])  # as it was set here
    changed = table.drop(["as given", "median health 1.3"])
    assert (changed["penalty"] != table.loc["as given", "penalty"]).all()
    assert table.loc["with GONE", "threshold"] != table.loc["as given", "threshold"]
    later = replace(slow.conduct.world, oracle=Oracle("4h", 0.005, "1D"))  # an hour as given
    late = cohorts.run(replace(slow.weekly, conduct=Conduct(world=later))).outcomes
    assert table.loc["oracle 3 hours later", "penalty"] == pytest.approx(late["penalty"].mean())
    double = 2 * backtest.portrait(slow)[1]["collateral"]
    large = cohorts.run(replace(slow.weekly, venue_usd=double)).outcomes["penalty"].mean()
    assert table.loc["a venue twice as large", "penalty"] == pytest.approx(large)


def test_lows_by_every_choice(study):
    close = study.close.drop(columns="GONE")
    sigma = pd.DataFrame(0.05, close.index, close.columns)
    known = (close[["BTC"]] * 0.97).reindex(columns=close.columns)
    made = backtest.lows(close, sigma, known, "BTC", ["USDC", "USDT"], np.random.default_rng(7))
    assert set(made) == {"donor", "matched", "bridge", "close"}
    reached = np.minimum(close, close.shift(1))
    for choice, low in made.items():
        assert (low.iloc[1:] <= reached.iloc[1:]).to_numpy().all(), choice
    pd.testing.assert_frame_equal(made["close"], reached.where(low.notna()), check_exact=False)
    own = np.minimum(close["BTC"] * 0.97, close["BTC"].shift(1)).iloc[1:]
    np.testing.assert_allclose(made["donor"]["BTC"].iloc[1:], own)
    assert (made["donor"]["ETH"] < reached["ETH"]).iloc[2:].any()
    assert made["donor"]["USDC"].iloc[1:].equals(made["close"]["USDC"].iloc[1:])
