import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from xcoll.collateral import comparison, universe, venues
from xcoll.collateral.protocols import RisingBonus
from xcoll.errors import DataError, ParameterError

DATA = Path(__file__).resolve().parents[2] / "data"
# Aave v3 Ethereum, March 2025, percent (LTV, threshold, bonus): the whole published table.
AAVE = """
WETH 80.5/83/5; wstETH 78.5/81/6; WBTC 73/78/5; cbBTC 73/78/7.5; USDC 75/78/4.5; DAI 63/77/5;
LINK 66/71/7; AAVE 69/76/7.5; CRV 35/41/8.3; UNI 65/74/10; LDO 40/50/9; SNX 49/65/8.5;
weETH 77.5/80/7; sUSDe 72/75/8.5; rsETH 72/75/7.5; LBTC 70/75/8.5; 1INCH 57/67/7.5;
MKR 65/70/8.5; ENS 39/49/8; rETH 75/79/7.5
"""


@pytest.fixture(scope="module")
def bundled():
    return yaml.safe_load((DATA / "venues.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def document(bundled):
    return copy.deepcopy(bundled)


@pytest.fixture(scope="module")
def parsed(bundled):
    return venues.parse(bundled, "venues.yaml")


@pytest.fixture(scope="module")
def assets():
    return universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8")))


def test_aave_is_the_published_table(parsed):
    published = parsed.venue("aave-v3-ethereum").parameters
    rows = dict(row.split() for row in AAVE.replace("\n", " ").strip().split(";"))
    assert set(published) == set(rows)
    for token, text in rows.items():
        ltv, threshold, bonus = (float(part) / 100 for part in text.split("/"))
        got = published[token]
        assert (got.ltv, got.threshold, got.bonus) == pytest.approx((ltv, threshold, bonus))


def test_stewards_guard_rails(parsed):
    guard = parsed.venue("aave-v3-ethereum").guard
    assert (guard.step, guard.emode_step, guard.delay, guard.expiry) == (0.005, 0.001, "3D", "6h")
    assert guard.cap_step == 1.0


@pytest.mark.parametrize(
    ("lltv", "incentive"), [(0.86, 1.043841), (0.77, 1.074114), (0.625, 1.126761), (0.385, 1.15)]
)
def test_morpho_bonus_by_formula(lltv, incentive):
    assert 1.0 + venues.morpho_bonus(lltv) == pytest.approx(incentive, abs=1e-6)


def test_morpho_has_one_number_and_is_warned_about(parsed):
    wbtc = parsed.venue("morpho-blue-usdc").parameters["WBTC"]
    assert wbtc.ltv == wbtc.threshold == 0.86
    assert wbtc.bonus == pytest.approx(0.043841, abs=1e-6)
    assert any("LTV equals the threshold" in words for words in wbtc.warnings())


def test_compound_storefront_price_becomes_a_bonus(parsed):
    # Factor 0.5, LF 0.95: the storefront sells at p·(1 − 0.5·0.05), so a dollar buys 1/0.975.
    weth = parsed.venue("compound-v3-usdc").parameters["WETH"]
    assert (weth.ltv, weth.threshold) == (0.825, 0.895)
    assert weth.bonus == pytest.approx(1 / 0.975 - 1)
    assert parsed.venue("compound-v3-usdc").regime == "venue"
    assert parsed.venue("aave-v3-ethereum").regime == "keeper"


def test_compound_reference_sale():
    # Comet's documentation: LF 0.6, factor 0.5, price 200: 200 dollars buy 1.25.
    market = venues.Compound(
        name="x", protocol="compound-v3", chain="ethereum", source="test", date="2025-03-31",
        storefront=0.5, assets={"COMP": {"borrow": 0.4, "liquidate": 0.5, "liquidation": 0.6}},
    )  # fmt: skip
    assert 200 * (1 + market.parameters["COMP"].bonus) / 200 == pytest.approx(1.25)


# Configuration of Euler's Prime cluster, column of USDC: liquidation LTV, percent.
EULER = {"WETH": 85, "wstETH": 83, "cbETH": 80, "weETH": 80, "WBTC": 75, "cbBTC": 80, "tBTC": 75,
         "USDT": 95}  # fmt: skip


def test_euler_borrows_two_points_under_its_liquidation_ltv(parsed):
    venue = parsed.venue("euler-prime-usdc")
    assert {token: round(100 * set_.threshold, 9) for token, set_ in venue.parameters.items()} == (
        EULER
    )
    for set_ in venue.parameters.values():
        assert set_.ltv == pytest.approx(set_.threshold - 0.02)
        assert set_.bonus == pytest.approx(1 / 0.85 - 1)  # the largest: discount 15 %
    assert (venue.regime, venue.cool_off, venue.ramp) == ("keeper", "1s", "30D")


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.7225, 0.75, 0.85, 0.95])
def test_a_rising_discount_pays_in_full_down_to_its_reach(threshold):
    """The whole account is sold at the discount of its health: does that pay the debt?"""
    set_ = RisingBonus(ltv=threshold, threshold=threshold, bonus=1 / 0.85 - 1)
    for health in np.linspace(0.3, 1.0, 701):
        collateral, debt = 1.0, threshold / health
        raised = collateral * (1 - min(1 - health, 0.15))
        if abs(health - set_.reach) > 1e-9:
            assert (raised >= debt) == (health > set_.reach)
    assert not any("no liquidation" in words for words in set_.warnings())


def test_maker_closes_at_its_liquidation_ratio_and_keeps_the_penalty(parsed):
    venue = parsed.venue("maker-dai")
    sets = venue.parameters
    assert {name: round(1 / set_.threshold, 9) for name, set_ in sets.items()} == {
        "ETH-A": 1.45, "WSTETH-A": 1.50, "WBTC-A": 1.45, "LINK-A": 1.65,
    }  # fmt: skip
    assert all(set_.ltv == set_.threshold for set_ in sets.values())
    assert all(set_.bonus == pytest.approx(0.13) for set_ in sets.values())
    assert venue.regime == "venue"
    ether = venue.ilks["ETH-A"]
    assert (venue.Hole, ether.hole, ether.dust) == (70e6, 40e6, 7_500)
    assert (ether.buf, ether.cut, ether.step, ether.tail, ether.cusp) == (
        1.10, 0.99, "90s", "7200s", 0.45,
    )  # fmt: skip
    assert venue.ilks["LINK-A"].assumed
    assert not venue.ilks["WBTC-A"].assumed


def test_an_exchange_counts_by_tiers(parsed):
    venue = parsed.venue("binance-cross")
    bitcoin = venue.parameters["BTC"]
    assert (bitcoin.ltv, bitcoin.threshold) == (1 / 1.5, 1 / 1.1)
    assert venue.regime == "venue"
    tiers = venue.collateral["BTC"].tiers(20_000.0)
    assert tiers.counted(120e6) == pytest.approx(119.5e6)  # Binance's own example: 6,000 Bitcoin
    assert tiers.counted(500e6) == tiers.counted(200e6) == pytest.approx(192e6)
    staked = parsed.venue("okx-multi-currency")
    assert staked.parameters["BETH"].threshold == pytest.approx(0.95 / 1.03)
    assert staked.collateral["BETH"].tiers(1.0).counted(9e6) == pytest.approx(5.6e6)


def test_tiers_in_units_are_worth_their_price(parsed):
    tiers = parsed.venue("bybit-unified").collateral["BTC"].tiers(30_000.0)
    assert tiers.bounds_usd == (300e3, 600e3, 900e3, 1.2e6, 1.5e6)
    assert tiers.counted(450e3) == pytest.approx(0.98 * 300e3 + 0.95 * 150e3)


def test_terms_that_are_found_are_not_set_beside_ours(parsed, assets):
    found = {key for key, venue in parsed.venues.items() if not venue.fixed_terms}
    assert {parsed.venue(key).protocol for key in found} == {"euler-v2", "maker", "exchange"}
    ours = pd.DataFrame({"threshold": 0.8, "threshold_venue": 0.8}, list(assets.assets))
    beside = comparison.against_venues(ours, parsed, assets.stablecoins)
    assert not found & set(beside["venue"])
    assert found <= set(parsed.frame()["venue"])


def test_an_unsafe_published_set_is_allowed_and_warned_about():
    unsafe = venues.TokenParameters(ltv=0.8, threshold=0.96, bonus=0.05)
    assert unsafe.warnings() == (
        "threshold × (1 + bonus) is 1.008: no liquidation can pay in full",
    )
    assert venues.TokenParameters(ltv=0.8, threshold=0.83, bonus=0.05).warnings() == ()


def test_the_frame_has_one_row_a_venue_and_token(parsed):
    frame = parsed.frame()
    assert len(frame) == sum(len(venue.parameters) for venue in parsed.venues.values())
    assert not frame.duplicated(["venue", "token"]).any()
    assert frame[["date", "source"]].notna().all().all()
    aave = frame[frame["venue"] == "aave-v3-ethereum"]
    assert (aave["protocol_fee"] == 0.10).all()


def test_what_a_venue_says_of_the_universe_today(parsed, assets):
    today = parsed.today("aave-v3-ethereum", assets)
    assert today.loc["ETH", ["token", "threshold", "direct"]].tolist() == ["WETH", 0.83, True]
    assert today.loc["BTC", ["token", "threshold", "direct"]].tolist() == ["WBTC", 0.78, False]
    assert today.loc["WBTC", "direct"]
    assert "DOGE" not in today.index
    assert set(parsed.today("compound-v3-usds", assets).index) == set()


def test_every_token_maps_to_an_asset_of_the_universe_or_to_none(parsed, assets):
    known = {symbol for symbol in parsed.tokens.values() if symbol is not None}
    assert known <= set(assets.assets)
    assert parsed.tokens["WETH"] == "ETH"


def test_it_survives_json(parsed):
    assert venues.parse(parsed.model_dump(mode="json")) == parsed


def test_an_unknown_venue_is_refused_with_the_known_ones(parsed):
    with pytest.raises(ParameterError, match=r"no venue 'aave'.*aave-v3-ethereum"):
        parsed.venue("aave")
    with pytest.raises(ParameterError, match=r"no venue 'aave'"):
        parsed.today("aave", None)


@pytest.mark.parametrize(
    ("venue", "field", "value", "words"),
    [
        ("aave-v3-ethereum", "reserves", {"WETH": {"ltv": 80.5, "threshold": 0.8, "bonus": 0.05}},
         r"aave-v3-ethereum > .*WETH > ltv: .*less than 1; the file has 80.5"),
        ("aave-v3-ethereum", "reserves", {"WETH": {"ltv": 0.9, "threshold": 0.8, "bonus": 0.05}},
         r"WETH: ltv 0.9 is above threshold 0.8"),
        ("aave-v3-ethereum", "reserves", {"PEPE": {"ltv": 0.1, "threshold": 0.2, "bonus": 0.1}},
         r"token PEPE is missing from tokens"),
        ("aave-v3-ethereum", "protocol", "aave-v9", r"aave-v3-ethereum: .*aave-v9"),
        ("aave-v3-ethereum", "date", "soon", r"date: .*the file has 'soon'"),
        ("morpho-blue-usdc", "markets", {"WBTC": 0.87}, r"LLTV 0.87 is not one of lltvs"),
        ("compound-v3-usdc", "storefront", "half", r"storefront: .*the file has 'half'"),
        ("euler-prime-usdc", "max_discount", 15, r"max_discount: .*the file has 15"),
        ("maker-dai", "Hole", 0, r"Hole: .*the file has 0"),
        ("binance-cross", "maintenance", 0.9, r"maintenance: .*the file has 0.9"),
        ("binance-cross", "collateral",
         {"BTC": {"unit": "usd", "bounds": [2, 1], "ratios": [1.0, 0.9]}}, r"BTC: .*must ascend"),
        ("binance-cross", "collateral",
         {"BTC": {"unit": "usd", "bounds": [1, 2], "ratios": [0.9, 1.0]}}, r"BTC: .*must descend"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_file_venue_field_and_fix(document, venue, field, value, words):
    document["venues"][venue][field] = value
    with pytest.raises(DataError, match=words) as refused:
        venues.parse(document, "mine.yaml")
    assert str(refused.value).startswith("mine.yaml: ")
