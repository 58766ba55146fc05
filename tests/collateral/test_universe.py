import copy
from pathlib import Path

import pandas as pd
import pytest
import yaml

from xcoll.collateral import universe
from xcoll.collateral.schema import Model, Sourced
from xcoll.errors import DataError, ParameterError

FILE = Path(__file__).resolve().parents[2] / "data" / "universe.yaml"


@pytest.fixture(scope="module")
def bundled():
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture
def document(bundled):
    return copy.deepcopy(bundled)


@pytest.fixture(scope="module")
def parsed(bundled):
    return universe.parse(bundled, FILE.name)


def test_the_bundled_universe_holds_the_stated_assets(parsed):
    stated = [
        "BTC",
        "ETH",
        "BNB",
        "ADA",
        "XRP",
        "DOGE",
        "LINK",
        "MATIC",
        "ALGO",
        "AVAX",
        "USDC",
        "USDT",
        "LUNA",
    ]
    assert parsed.priced == stated
    assert parsed.collateral == stated[:-1]
    assert parsed.debts == ["BTC", "ETH", "USDC", "USDT"]
    assert parsed.stablecoins == ["USDC", "USDT"]
    assert {"WBTC", "wstETH"} <= set(parsed.derived)
    assert any(parsed.assets[s].kind == "bridged" for s in parsed.derived)
    assert set(parsed.assets) == set(parsed.priced) | set(parsed.derived)
    assert parsed.columns["LUNA1-USD"] == "LUNA"
    assert "SOL1-USD" in parsed.ignored


def test_every_block_of_facts_has_a_source_and_a_date(parsed):
    def blocks(value):
        if isinstance(value, Sourced):
            yield value
        if isinstance(value, Model):
            value = dict(value)
        if isinstance(value, dict):
            value = tuple(value.values())
        if isinstance(value, tuple):
            for child in value:
                yield from blocks(child)

    found = list(blocks(parsed))
    assert len(found) > 60
    assert all(len(block.source) > 10 and block.date for block in found)
    assert any(block.assumed for block in found)


def test_the_stated_figures_are_in_it(parsed):
    assert parsed.assets["BTC"].liquidity.adv_usd == 1_329e6
    assert parsed.assets["ALGO"].liquidity.adv_p5_usd == 2.4e6
    assert parsed.assets["ETH"].depth.impact[-1] == 0.062
    assert parsed.assets["WBTC"].depth.size_usd[0] == 1e5
    assert parsed.assets["ETH"].oracle.deviation == 0.005
    assert parsed.assets["USDC"].oracle.heartbeat == "24h"
    assert parsed.assets["WBTC"].basis.worst == pytest.approx(1 - 0.9852)
    assert parsed.assets["wstETH"].basis.worst == pytest.approx(1 - 0.937)
    assert min(event.low for event in parsed.depegs_of("USDC")) == 0.877


@pytest.mark.parametrize("horizon", ["4h", "240min", pd.Timedelta(hours=4)])
def test_intraday_scaling_by_any_writing_of_the_horizon(parsed, horizon):
    assert parsed.intraday.share(horizon) == 0.45
    assert parsed.intraday.multiple(horizon).low == 1.5


def test_intraday_scaling_is_one_at_a_day_and_refuses_what_was_not_measured(parsed):
    assert parsed.intraday.share("1D") == 1.0
    with pytest.raises(ParameterError, match=r"2h has no measured intraday scaling.*1h, 4h, 12h"):
        parsed.intraday.share("2h")


def test_it_survives_json(parsed):
    assert universe.parse(parsed.model_dump(mode="json")) == parsed


def test_rules_carry_the_listing_the_pegs_and_the_doubts(parsed):
    rules = parsed.rules(repair=True, fill_bars=2)
    assert rules.assets == tuple(parsed.priced)
    assert rules.listed_from == {"AVAX": pd.Timestamp("2020-09-23")}
    assert rules.delisted_after == {"LUNA": pd.Timestamp("2022-10-09 23:59:59.999999")}
    assert rules.pegs == {"USDC": 1.0, "USDT": 1.0}
    assert {(s.asset, s.first.day) for s in rules.suspect if s.first.month == 3} >= {
        ("USDC", 12), ("USDC", 17), ("USDT", 12), ("USDT", 17)
    }  # fmt: skip
    assert rules.repair
    assert rules.fill_bars == 2


def change(document, path, value):
    *parents, last = path.split("/")
    for key in parents:
        document = document[key]
    if value is None:
        del document[last]
    else:
        document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("assets/BTC/colour", "orange", r"assets > BTC > colour: unknown field"),
        ("assets/BTC/oracle", None, r"assets > BTC > oracle: required field is missing"),
        ("assets/BTC/oracle/source", None, r"BTC > oracle > source: required"),
        ("assets/BTC/oracle/deviation", "0.5%", r"deviation: .*number; the file has '0.5%'"),
        ("assets/BTC/oracle/deviation", 1.5, r"deviation: .*less than 1; the file has 1.5"),
        ("assets/BTC/oracle/heartbeat", "3600", r"heartbeat: .*with its unit.*the file has '3600'"),
        ("assets/BTC/liquidity/adv_usd", 0, r"adv_usd: .*greater than 0"),
        ("assets/BTC/liquidity/adv_usd", float("nan"), r"adv_usd: .*finite|adv_usd: .*greater"),
        ("assets/BTC/kind", "coin", r"kind: .*the file has 'coin'"),
        ("assets/BTC/column", None, r"assets > BTC: a native asset needs its column"),
        ("assets/BTC/roles", [], r"assets > BTC: give roles, or the reason"),
        ("assets/BTC/underlying", "ETH", r"BTC: a native asset has no underlying or basis"),
        ("assets/BTC/peg", 1.0, r"BTC: peg belongs to stablecoins"),
        ("assets/BTC/chain", "moon", r"asset BTC: chain moon is not in chains"),
        ("assets/BTC/column", "ETH-USD", r"column ETH-USD is used twice"),
        ("assets/BTC/column", "SOL1-USD", r"column SOL1-USD is also ignored"),
        ("assets/BTC/liquidity", None, r"BTC: a collateral needs liquidity, or one of depth"),
        (
            "assets/WBTC/underlying",
            "SOL",
            r"WBTC: underlying SOL is not an asset with prices",
        ),
        ("assets/WBTC/underlying", "BTC.b", r"asset WBTC: underlying BTC.b"),
        ("assets/WBTC/basis", None, r"WBTC: a wrapped asset needs both"),
        ("assets/WBTC/column", "WBTC-USD", r"WBTC: a derived asset has no price column"),
        ("assets/ETH/depth/impact", [0.1], r"ETH > depth: size_usd and impact differ"),
        ("assets/USDC/peg", None, r"USDC: peg belongs"),
        ("depegs", [{"token": "X"}], r"depegs > 0 > low: required"),
        ("assets", None, r"assets: required field is missing"),
    ],
)
def test_a_fault_is_named_by_file_asset_field_and_fix(document, path, value, words):
    change(document, path, value)
    with pytest.raises(DataError, match=words) as refused:
        universe.parse(document, "mine.yaml")
    assert str(refused.value).startswith("mine.yaml: ")


@pytest.mark.parametrize(
    ("kinds", "words"), [({"stablecoin"}, "may be owed"), ({"native", "token"}, "one that moves")]
)
def test_a_universe_needs_something_to_owe_and_something_that_moves(document, kinds, words):
    derived = {"wrapped", "staked", "bridged"}
    document["assets"] = {
        symbol: asset
        for symbol, asset in document["assets"].items()
        if asset["kind"] not in kinds | derived
    }
    with pytest.raises(DataError, match=words):
        universe.parse(document, "own.yaml")


def test_depth_sizes_have_to_ascend(document):
    document["assets"]["ETH"]["depth"]["size_usd"][0] = 5e8
    with pytest.raises(DataError, match="size_usd must ascend"):
        universe.parse(document)


def test_many_faults_are_shortened(document):
    for asset in document["assets"].values():
        del asset["oracle"]
    with pytest.raises(DataError, match=r"17 faults(.|\n)*and 9 more"):
        universe.parse(document)


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_a_file_that_is_no_table_is_refused(document):
    with pytest.raises(DataError, match=r"mine.yaml: the file holds no table"):
        universe.parse(document, "mine.yaml")


def test_nothing_in_it_can_be_changed(parsed):
    with pytest.raises(ValueError, match="frozen"):
        parsed.assets["BTC"].peg = 2.0
