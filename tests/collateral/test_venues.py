import copy
from pathlib import Path

import pytest
import yaml

from xcoll.collateral import universe, venues
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
    ],
)  # fmt: skip
def test_a_fault_is_named_by_file_venue_field_and_fix(document, venue, field, value, words):
    document["venues"][venue][field] = value
    with pytest.raises(DataError, match=words) as refused:
        venues.parse(document, "mine.yaml")
    assert str(refused.value).startswith("mine.yaml: ")
