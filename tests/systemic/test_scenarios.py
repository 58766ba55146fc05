"""Stress scenarios: the bundled library, a user's own, and what they compile to."""

import copy
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import universe
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation.cohorts import CRISES
from xcoll.market import quality
from xcoll.systemic.episode import LEAST
from xcoll.systemic.stress.compilation import episode, left_out, origins
from xcoll.systemic.stress.components import COMPONENTS
from xcoll.systemic.stress.facts import Facts, betas
from xcoll.systemic.stress.library import ITSELF, SEVERITIES, parse
from xcoll.systemic.stress.words import table

DATA = Path(__file__).resolve().parents[2] / "data"
DAY = pd.Timedelta("1D")


@pytest.fixture(scope="module")
def bundled():
    return yaml.safe_load((DATA / "scenarios.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def library(bundled):
    return parse(bundled, "scenarios.yaml", sourced=True)


@pytest.fixture(scope="module")
def assets():
    return universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def prices(assets):
    raw = pd.read_csv(DATA / "crypto_prices.csv", sep=";")
    return quality.check(raw, assets.rules(), "crypto_prices.csv", assets.columns)[0]


@pytest.fixture(scope="module")
def facts(assets, prices):
    return Facts.of(assets, prices.close, prices.lows, venues=["first", "second", "third"])


def small(**changes):
    """Two coins, a dollar, and a bridged token of the first, over six days."""
    index = pd.date_range("2022-01-01", periods=6, freq="1D")
    close = pd.DataFrame(
        {
            "A": [100, 80, 90, 85, 95, 100.0],
            "B": [10, 9, 7, 8, 8, 9.0],
            "USD": [1, 1.01, 0.97, 1, 1, 1.0],
        },
        index,
    )
    low = close.shift().fillna(close.iloc[0]).clip(upper=close) * 0.95
    given = {
        "assets": ["A", "B", "USD", "xA"],
        "close": close,
        "low": low,
        "sigma_day": pd.Series({"A": 0.04, "B": 0.06, "USD": 0.002}),
        "beta": pd.Series({"A": 1.0, "B": 1.5, "USD": 0.01}),
        "groups": {
            "A": ("native", "alpha"),
            "B": ("native", "beta"),
            "USD": ("stablecoin", "alpha"),
            "xA": ("bridged", "beta"),
        },
        "underlying": {"xA": "A"},
        "venues": ("one", "two"),
    }
    return Facts(**{**given, **changes})


def own(text, **changes):
    """Episode of a scenario in a few lines of YAML."""
    ((_, scenario),) = parse(yaml.safe_load(text)).scenarios.items()
    return episode(scenario, None, small(**changes))


def fault(text):
    with pytest.raises(DataError) as caught:
        parse(yaml.safe_load(text), "own.yaml")
    return str(caught.value)


# The bundled library


def test_every_number_of_the_library_has_its_source_and_date(library):
    listed = table(library)
    assert set(SEVERITIES) == set(listed["severity"])
    assert (listed["source"].str.len() > 10).all()
    assert listed["date"].between("2018-01-01", "2026-12-31").all()
    assert listed["words"].str.len().min() > 4
    assert 0.1 < listed["assumed"].mean() < 0.9


def test_assumed_numbers_say_why(library):
    listed = table(library).query("assumed")
    reasons = ("assum", "choice", "worst case", "so that", "half a day", "As for", "days in june")
    words = listed["source"].str.lower()
    told = np.logical_or.reduce([words.str.contains(reason.lower()) for reason in reasons])
    assert told.all(), listed[~told]["source"].unique()


def test_the_library_uses_every_component(library):
    assert set(table(library)["component"]) == set(COMPONENTS)


def test_every_scenario_has_the_four_severities_in_order(library):
    for scenario in library.scenarios.values():
        assert scenario.names == SEVERITIES
        assert scenario.what


def test_every_scenario_compiles(library, facts):
    for scenario, severity in library.cases():
        made = episode(scenario, severity, facts)
        assert made.assets == facts.assets
        assert made.step == pd.Timedelta("1h")
        assert (made.market[1:] != 1.0).any() or {"lost", "oracle"} & set(
            scenario.at(severity).given
        )
    assert left_out(library, facts).empty


def test_severities_are_ordered(library, facts):
    """From one severity to the next nothing becomes milder, and something becomes worse."""
    for scenario in library.scenarios.values():
        scores = [_scores(episode(scenario, s, facts)) for s in scenario.names]
        for milder, worse in itertools.pairwise(scores):
            assert (worse >= milder - 1e-12).all(), scenario.name
            assert (worse > milder + 1e-12).any(), scenario.name


def _scores(made):
    shown = np.nan_to_num(made.feed, nan=1.0)
    return np.array(
        [
            *-np.log(made.market[:, :10].min(axis=0)),  # coins
            -np.log(made.market[:, 10:].min()),
            -np.log(made.depth.min()),
            made.gas.max(),
            np.isnan(made.feed).sum(),
            np.log(shown.max()),
            made.shut.sum(),
            made.delay.sum(),
            made.lost.sum(),
            made.default.max(),
            -made.capital,
            -made.attentive,
        ]
    )


@pytest.mark.parametrize("name", list(CRISES))
def test_a_crisis_as_it_happened_is_the_prices(library, facts, prices, name):
    scenario = library[name]
    window = scenario.window
    assert window.start == pd.Timestamp(CRISES[name]) - DAY
    made = episode(scenario, "adverse", facts)
    truth = prices.close.loc[window.start : window.end]
    truth = truth / truth.iloc[0]
    sources = origins(scenario, "adverse", facts)
    assert made.steps == 24
    assert len(made) == 24 * (len(truth) - 1)
    for a, asset in enumerate(facts.assets):
        if sources[asset] == "own prices":
            np.testing.assert_allclose(made.market[::24, a], truth[asset])
            np.testing.assert_allclose(made.due[::24, a], truth[asset])
        elif sources[asset] in truth:
            np.testing.assert_allclose(made.market[::24, a], truth[sources[asset]])
    others = truth.columns.difference(["LUNA", "USDC", "USDT"])
    assert (truth[others].min() <= 1.0).any()


def test_covid_says_what_stands_in_for_what(library, facts, prices):
    sources = origins(library["COVID crash"], "severe", facts)
    assert sources["AVAX"] == "median of the others"
    assert sources[["USDC", "USDT"]].eq("held at the opening").all()
    assert sources["wstETH"] == "ETH"
    assert sources["BTC"] == "own prices"
    made = episode(library["COVID crash"], "adverse", facts)
    coins = prices.close.drop(columns=["AVAX", "USDC", "USDT"]).loc["2020-03-11":"2020-03-18"]
    median = np.exp(np.log(coins).diff().median(axis=1).fillna(0.0).cumsum())
    np.testing.assert_allclose(made.market[::24, facts.assets.index("AVAX")], median)
    assert (made.market[:, facts.assets.index("USDT")] == 1.0).all()


def test_scale_multiplies_log_moves(library, facts):
    made = {s: episode(library["May 2021"], s, facts).market for s in SEVERITIES}
    for severity, factor in zip(SEVERITIES, (0.5, 1.0, 1.25, 1.5), strict=True):
        np.testing.assert_allclose(np.log(made[severity]), factor * np.log(made["adverse"]))


def test_sigmas_of_the_library_are_those_of_the_data(library, prices):
    coins = prices.close.drop(columns=["USDC", "USDT", "LUNA"])
    returns = np.log(coins).diff()
    moved = (returns / returns.std()).median(axis=1)
    scenario = library["Correlation to one"]
    for severity in SEVERITIES:
        parts = scenario.at(severity)
        day = pd.Timestamp(parts.source("sigmas").date)
        assert moved[day] == pytest.approx(parts.sigmas, abs=0.06)


def test_luna_numbers_are_those_of_the_data(library, prices):
    luna = prices.close["LUNA"] / prices.close.loc["2022-05-08", "LUNA"] - 1
    scenario = library["Collateral to nothing"]
    for severity in SEVERITIES:
        parts = scenario.at(severity)
        day = pd.Timestamp(parts.source("shock").date)
        assert luna[day] == pytest.approx(parts.shock["AVAX"], abs=0.005)
        assert pd.Timedelta(parts.over) == day - pd.Timestamp("2022-05-08")


def test_usdc_numbers_are_those_of_the_data(library, prices):
    usdc = np.log(prices.close["USDC"])
    parts = library["USDC breaks"].at("baseline")
    assert parts.shock["USDC"] == pytest.approx(np.expm1(usdc["2023-03-11"]), abs=1e-4)
    back = 1 - usdc["2023-03-13"] / usdc["2023-03-11"]
    assert parts.recover == pytest.approx(back, abs=0.01)


def test_everything_at_once_takes_the_numbers_of_each_alone(library):
    alone = {"factor": "Market factor", "depth": "Depth gone", "gas": "Gas spike",
             "oracle": "Oracle stuck", "default": "Largest default"}  # fmt: skip
    for severity in SEVERITIES:
        parts = library["Everything at once"].at(severity)
        for component, name in alone.items():
            assert getattr(parts, component) == getattr(library[name].at(severity), component)


def test_the_factor_shock_is_beta_times_the_market(library, facts, prices):
    made = episode(library["Market factor"], "severe", facts)
    beta = betas(prices.close)
    assert beta["BTC"] == pytest.approx(1.0)
    for a, asset in enumerate(facts.assets):
        base = facts.underlying.get(asset, asset)
        expected = 0.0 if facts.is_stable(asset) else beta[base] * np.log(1 - 0.32)
        assert np.log(made.market[-1, a]) == pytest.approx(expected)


def test_beta_is_the_slope_of_a_regression_over_common_bars(prices):
    both = np.log(prices.close[["BTC", "AVAX"]]).diff().dropna()
    slope = np.polyfit(both["BTC"], both["AVAX"], 1)[0]
    assert betas(prices.close)["AVAX"] == pytest.approx(slope)


def test_what_a_system_has_not_is_left_out_with_the_reason(library, assets, prices):
    few = Facts.of(assets, prices.close, prices.lows, ["BTC", "ETH", "USDC"])
    reasons = left_out(library, few)
    assert set(reasons.index) == {
        "USDT breaks", "Collateral to nothing", "Staked token under par", "Bridge fails",
        "Bridge stuck", "Finality late", "Manipulated oracle", "Quoted at par",
    }  # fmt: skip
    assert "'bridged', of which there is none here" in reasons["Bridge fails"]
    assert "choose of BTC, ETH, USDC" in reasons["USDT breaks"]


# A user's own scenario


def test_a_few_lines_are_a_scenario():
    made = own("my shock: {shock: {A: -0.4, rest: -0.3}, over: 6h, depth: 0.3}")
    np.testing.assert_allclose(made.market[6], [0.6, 0.7, 1.0, 0.6])
    np.testing.assert_allclose(made.market[3], np.sqrt([0.6, 0.7, 1.0, 0.6]))
    np.testing.assert_allclose(made.market[-1], made.market[6])
    assert len(made) == 6 + 24
    assert (made.depth[0] == 1.0).all()
    assert (made.depth[1:] == 0.3).all()
    assert made.gas.tolist() == [1.0]
    assert not np.isnan(made.feed).any()


def test_without_severities_there_is_one():
    library = parse({"mine": {"gas": 3}})
    assert library["mine"].names == (ITSELF,)
    assert library["mine"].at() == library["mine"].at(ITSELF)


def test_severities_change_tables_entry_by_entry():
    text = """
    mine:
      shock: {A: -0.2, rest: -0.1}
      oracle: {stuck: 1h, venues: [one]}
      severities:
        mild: {}
        wild: {shock: {A: -0.5}, oracle: {stuck: 3h}, gas: 2}
    """
    scenario = parse(yaml.safe_load(text))["mine"]
    assert scenario.at("mild").shock == {"A": -0.2, "rest": -0.1}
    wild = scenario.at("wild")
    assert wild.shock == {"A": -0.5, "rest": -0.1}
    assert (wild.oracle.stuck, wild.oracle.venues, wild.gas) == ("3h", ("one",), 2)


def test_an_asset_counts_before_its_groups_and_these_before_the_rest():
    made = own("x: {shock: {A: -0.1, bridged: -0.5, beta: -0.2, rest: -0.3, stablecoin: -0.02}}")
    np.testing.assert_allclose(made.market[-1], [0.9, 0.8, 0.98, 0.5])
    followed = own("x: {shock: {native: -0.1, rest: -0.3}}")
    np.testing.assert_allclose(followed.market[-1], [0.9, 0.9, 1.0, 0.9])


def test_a_broken_basis_comes_on_top_of_the_underlying():
    made = own("x: {shock: {A: -0.2}, basis: {xA: -0.5}, over: 2h, after: 1h}")
    np.testing.assert_allclose(made.market[-1], [0.8, 1.0, 1.0, 0.4])
    np.testing.assert_allclose(made.feed, 1.0)


def test_an_oracle_that_knows_par_only():
    made = own(
        "x: {shock: {A: -0.2, USD: -0.1}, basis: {xA: -0.5}, over: 1h, after: 5h, "
        "oracle: {show: {bridged: par, USD: par, B: 3}, for: 2h, venues: [two]}}"
    )
    shown = made.feed * made.market
    np.testing.assert_allclose(shown[1, 1:3], [[0.8, 3.0, 1.0, 0.8]] * 2)
    np.testing.assert_allclose(made.feed[0], 1.0)
    np.testing.assert_allclose(made.feed[:, 0], 1.0)
    np.testing.assert_allclose(made.feed[:, 3:], 1.0)


def test_an_oracle_is_stuck_from_the_first_step_on():
    made = own("x: {factor: -0.2, oracle: {stuck: 90min, assets: [native], venues: [largest]}}")
    assert np.isnan(made.feed[0, 1:3, :2]).all()
    assert np.isnan(made.feed).sum() == 4


def test_shut_delay_lost_and_default():
    made = own(
        "x: {shut: {assets: [xA], venues: [two], for: 2h}, delay: {bridged: 90min}, "
        "lost: {largest: 0.4, rest: 0.1}, default: 0.3, capital: 0.5, attentive: 0}"
    )
    assert np.argwhere(made.shut).tolist() == [[1, 1, 3], [1, 2, 3]]
    assert made.delay.tolist() == [[0, 0, 0, 2]]
    np.testing.assert_allclose(made.lost[:, 1], [0.4, 0.1])
    assert made.lost.sum() == pytest.approx(0.5)
    np.testing.assert_allclose(made.default, [0.0] + [0.3] * len(made))
    assert (made.capital, made.attentive) == (0.5, 0.0)
    assert own("x: {delay: 2h}").delay.tolist() == [[2]]


def test_a_system_of_one_venue_needs_no_names():
    made = own("x: {lost: {largest: 0.4}, shut: {for: 1h}}", venues=())
    assert made.lost[:, 1].tolist() == [0.4]
    assert made.shut[:, 1].all()
    assert made.shut.sum() == 4


def test_what_recovers():
    made = own("x: {shock: {A: -0.36}, over: 2h, after: 4h, recover: 0.5}")
    np.testing.assert_allclose(made.market[[2, 6], 0], [0.64, 0.8])
    assert (np.diff(made.market[2:, 0]) > 0).all()


def test_an_episode_lasts_as_long_as_the_longest_of_its_parts():
    assert len(own("x: {gas: 5}")) == 48
    assert len(own("x: {gas: 5, over: 2h, after: 3h}")) == 5
    assert len(own("x: {factor: -0.1, over: 1h, after: 1h, shut: {for: 30h}}")) == 30
    window = "window: {from: 2022-01-01, to: 2022-01-03}"
    assert len(own(f"x: {{{window}}}")) == 48
    assert len(own(f"x: {{{window}, basis: {{xA: -0.1}}, over: 24h, after: 36h}}")) == 60


def test_components_of_prices_multiply():
    window = "window: {from: 2022-01-01, to: 2022-01-03}"
    made = own(f"x: {{{window}, shock: {{B: -0.5}}, basis: {{xA: -0.2}}, over: 24h, after: 24h}}")
    np.testing.assert_allclose(made.market[24], [0.8, 0.45, 1.01, 0.64])
    np.testing.assert_allclose(made.market[48], [0.9, 0.35, 0.97, 0.72])


def test_inside_a_bar_collateral_falls_to_its_low_and_debt_runs_straight():
    facts = small()
    made = own("x: {window: {from: 2022-01-01, to: 2022-01-03}}")
    low = facts.low["A"] / facts.close["A"].iloc[0]
    assert made.market[12, 0] == pytest.approx(low.iloc[1])
    assert made.market[36, 0] == pytest.approx(low.iloc[2])
    assert made.due[12, 0] == pytest.approx(np.sqrt(0.8))
    unknown = own("x: {window: {from: 2022-01-01, to: 2022-01-03}}", low=facts.low * np.nan)
    assert unknown.market[12, 0] == pytest.approx(0.8)
    assert unknown.market[36, 0] == pytest.approx(0.8)


def test_the_proxy_is_the_median_and_a_stablecoin_keeps_its_peg():
    facts = small()
    close = facts.close.assign(C=np.nan, USD=np.nan)
    text = "x: {window: {from: 2022-01-01, to: 2022-01-03}}"
    changed = {
        "assets": ["A", "B", "C", "USD"], "close": close, "low": facts.low.assign(C=np.nan),
        "groups": {"USD": ("stablecoin",)},
    }  # fmt: skip
    made = own(text, **changed)
    first = np.median(np.log([0.8, 0.9]))
    then = first + np.median(np.log([90 / 80, 7 / 9]))
    np.testing.assert_allclose(np.log(made.market[[24, 48], 2]), [first, then])
    assert (made.market[:, 3] == 1.0).all()
    named = origins(parse(yaml.safe_load(text))["x"], None, small(**changed))
    assert named.to_list() == ["own prices", "own prices", "median of the others", "its peg"]


def test_bars_as_short_as_the_step_are_single_prices():
    made = own("x: {window: {from: 2022-01-01, to: 2022-01-06}}", step=DAY)
    assert (len(made), made.steps) == (5, 1)
    np.testing.assert_allclose(made.market[:, 0], small().close["A"] / 100)


def test_a_total_loss_is_a_price_of_next_to_nothing():
    made = own("x: {shock: {B: -1}, basis: {xA: -1}}")
    np.testing.assert_allclose(made.market[-1], [1.0, LEAST, 1.0, LEAST])
    assert own("x: {shock: {B: -1}, factor: -0.9}").market.min() == LEAST


def test_own_scenarios_join_the_library(library):
    mine = parse({"mine": {"gas": 3}, "FTX": {"gas": 5}})
    joined = library.joined(mine)
    assert joined["mine"].gas == 3
    assert joined["FTX"].window is None
    assert len(joined.scenarios) == len(library.scenarios) + 1
    rows = table(mine)
    assert rows["assumed"].all()
    assert rows["source"].eq("").all()
    assert rows["words"].to_list() == ["gas × 3", "gas × 5"]


changes = st.floats(-0.95, 1.0, allow_nan=False)
hours = st.integers(1, 30)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["A", "B", "USD", "xA", "rest"]), changes, min_size=1),
       hours, hours, st.floats(0, 1))  # fmt: skip
def test_a_shock_ends_where_it_should(shock, over, after, recover):
    document = {"shock": shock, "over": f"{over}h", "after": f"{after}h", "recover": recover}
    made = episode(parse({"x": document})["x"], None, small())
    coin = shock.get("rest", 0.0)
    a = shock.get("A", coin)
    full = [a, shock.get("B", coin), shock.get("USD", 0.0), shock.get("xA", shock.get("A", coin))]
    np.testing.assert_allclose(made.market[over], 1 + np.array(full))
    np.testing.assert_allclose(made.market[-1], (1 + np.array(full)) ** (1 - recover))
    assert len(made) == over + after
    steps = np.diff(np.log(made.market), axis=0)
    np.testing.assert_allclose(steps[:over], np.broadcast_to(steps[0], (over, 4)), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.floats(-8, 0), st.floats(-8, 0))
def test_more_sigmas_fall_further(one, other):
    first, second = sorted([one, other])
    made = [own(f"x: {{sigmas: {size:.6f}}}").market[-1] for size in (first, second)]
    assert (made[0] <= made[1]).all()
    assert made[0][2] == 1.0
    assert made[0][3] == made[0][0]


# Bad input


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x: {shock: {A: -1.2}}", ["x > shock > A", "beyond −100 %", "give −1"]),
        ("x: {depth: 0}", ["x > depth", "above 0", "0.01"]),
        ("x: {depth: {A: -0.5}}", ["x > depth", "above 0"]),
        ("x: {gas: 2, over: -6h}", ["x > over", "above zero"]),
        ("x: {gas: 2, over: 6}", ["x > over", "valid string"]),
        ("x: {shut: {for: 0h}}", ["x > shut > for", "above zero"]),
        ("x: {shok: {A: -0.2}}", ["x > shok", "unknown field"]),
        ("x: {over: 6h}", ["scenarios > x", "nothing happens", "give it a window"]),
        ("x: {}", ["nothing happens"]),
        ("x: {shock: {}}", ["nothing happens"]),
        ("x: {window: {from: 2022-01-01}}", ["needs both from and to"]),
        ("x: {window: {from: 2022-01-03, to: 2022-01-01}}", ["before it begins", "exchange"]),
        ("x: {gas: 1, scale: 2}", ["scale belongs to a window"]),
        ("x: {oracle: {}}", ["needs stuck"]),
        ("x: {oracle: {stuck: 1h, for: 2h}}", ["belongs to what the oracle shows"]),
        ("x: {oracle: {show: {A: 0}}}", ["oracle > show > A"]),
        ("x: {default: 1.5}", ["x > default", "less than or equal to 1"]),
        ("x: {lost: {one: -0.1}}", ["x > lost > one"]),
        ("x: {gas: yes}", ["x > gas", "True"]),
        ("x: {gas: .inf}", ["x > gas"]),
        ("x: {gas: 2, severities: {wild: {depth: 0}}}", ["severities > wild > depth"]),
        ("x: {severities: {wild: {over: 2h}}}", ["wild: nothing happens"]),
        ("x: {oracle: {show: {A: pa}}}", ["show > A", "should be 'par'", "has 'pa'"]),
        (
            "x: {window: {from: 2022-01-01T00:00:00Z, to: 2022-01-03}}",
            ["window > from", "timezone"],
        ),
        ("x: {gas: 2, name: y}", ["x: its name says y; leave the name out"]),
        ("x: 3", ["scenarios > x"]),
        ("3", ["scenarios"]),
        ("x: {gas: 2, sources: [{of: [gaz], source: here, date: 2020-01-01}]}", ["sources"]),
    ],
)
def test_faults_of_a_file_are_named(text, words):
    message = fault(text)
    assert message.startswith("own.yaml")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x: {shock: {DOGE: -0.2}}", ["shock of x", "'DOGE'", "A, B, USD, xA", "rest"]),
        ("x: {basis: {staked: -0.2}}", ["basis of x", "'staked'", "bridged"]),
        ("x: {depth: {DOGE: 0.5}}", ["depth of x", "'DOGE'"]),
        ("x: {delay: {DOGE: 5h}}", ["delay of x", "'DOGE'"]),
        ("x: {shut: {assets: [DOGE]}}", ["shut of x", "'DOGE'"]),
        ("x: {oracle: {stuck: 1h, assets: [DOGE]}}", ["oracle of x", "'DOGE'"]),
        ("x: {oracle: {show: {A: par}}}", ["oracle of x", "A has no par", "multiple"]),
        ("x: {lost: {three: 0.1}}", ["lost of x", "'three'", "one, two, largest, rest"]),
        ("x: {shut: {venues: [three]}}", ["shut of x", "'three'", "one, two"]),
        ("x: {oracle: {stuck: 1h, venues: [three]}}", ["oracle of x", "'three'"]),
        ("x: {window: {from: 2021-12-01, to: 2022-01-03}}", ["2021-12-01", "not within", "01-06"]),
        ("x: {window: {from: 2022-01-01, to: 2022-02-03}}", ["not within the prices"]),
        ("x: {window: {from: 2022-01-01, to: 2022-01-03, held: [DOGE]}}", ["held of x", "'DOGE'"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_system_is_named(text, words):
    with pytest.raises(ParameterError) as caught:
        own(text)
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_scenario_or_severity_is_named_with_those_known(library, facts):
    with pytest.raises(ParameterError, match="no scenario 'Doom'; choose one of COVID crash"):
        library["Doom"]
    with pytest.raises(ParameterError, match="FTX has no severity 'mild'; choose one of baseline"):
        episode(library["FTX"], "mild", facts)
    with pytest.raises(ParameterError, match="no severity None; choose one of baseline"):
        episode(library["FTX"], None, facts)


def test_a_missing_source_is_named(bundled):
    document = copy.deepcopy(bundled)
    del document["Gas spike"]["severities"]["severe"]["sources"]
    document["FTX"]["depth"] = 0.5  # has its source
    document["LUNA"]["gas"] = 2
    del document["Contract exploit"]["severities"]["baseline"]
    with pytest.raises(DataError) as caught:
        parse(document, "scenarios.yaml", sourced=True)
    message = str(caught.value)
    assert "Gas spike > severe > gas: no source; add to its sources {of: [gas]" in message
    assert "LUNA > base > gas" in message
    assert "Contract exploit: no severity baseline; add it" in message
    assert "FTX" not in message
    assert parse(document, "scenarios.yaml")["LUNA"].gas == 2  # no sources asked of a user's own


def test_steps_that_do_not_fit_the_bars_are_refused():
    for step in ("5h", "8h"):  # 4.8 steps, and 3, which have no half
        with pytest.raises(ParameterError, match=r"no even number of steps .* give a step that"):
            own("x: {window: {from: 2022-01-01, to: 2022-01-03}}", step=pd.Timedelta(step))


def test_an_asset_without_beta_or_volatility_is_named():
    with pytest.raises(ParameterError, match="x: no beta of B; give one"):
        own("x: {factor: -0.2}", beta=pd.Series({"A": 1.0, "B": np.nan}))
    with pytest.raises(ParameterError, match="x: no daily volatility of A; give one"):
        own("x: {sigmas: -2}", sigma_day=pd.Series({"B": 0.1}))


def test_facts_that_do_not_fit_are_refused(assets, prices):
    with pytest.raises(DataError, match="no assets"):
        small(assets=[])
    with pytest.raises(DataError, match="differ in their times"):
        small(low=small().low.iloc[1:])
    with pytest.raises(ParameterError, match="no asset GOLD in the universe; choose of BTC"):
        Facts.of(assets, prices.close, prices.lows, ["GOLD"])
    with pytest.raises(DataError, match="no prices of GOLD, the market; choose of BTC"):
        betas(prices.close, "GOLD")
