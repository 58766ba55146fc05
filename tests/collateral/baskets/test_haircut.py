import dataclasses

import numpy as np
import pandas as pd
import pytest

from tests.collateral.baskets.samples import history, laws, make
from xcoll.collateral import haircuts as single
from xcoll.collateral.baskets import haircuts, recognised
from xcoll.errors import EstimationError, ParameterError

PAST = history()
PARTS = pd.DataFrame(
    {
        "market": [0.2, 0.25, 0.3, 0.02, 0.25],
        "liquidity": [0.01, 0.01, 0.05, 0.001, 0.01],
        "oracle": [0.005, 0.005, 0.01, 0.0025, 0.005],
        "basis": [0.0, 0.0, 0.0, 0.0, 0.03],
        "contract": [0.0, 0.0, 0.01, 0.015, 0.02],
    },
    ["BTC", "ETH", "LINK", "USDC", "wstETH"],
)
LONG = {"BTC": 0.2, "ETH": 0.3, "LINK": 0.5}


def with_benefits(found, fhs, high, low):
    risk = found.risk.copy()
    risk.loc[["fhs", "stress high", "stress low"], "benefit"] = fhs, high, low
    return dataclasses.replace(found, risk=risk)


@pytest.mark.parametrize(
    ("benefits", "expected"),
    [((0.2, 0.5, 0.6), 0.16), ((0.2, 0.1, 0.6), 0.1), ((0.2, 0.6, 0.05), 0.05), ((0, 0, 0), 0)],
)
def test_what_is_recognised_is_the_least(benefits, expected):
    assert recognised(with_benefits(make(PAST, LONG), *benefits)) == pytest.approx(expected)


def test_the_offset_is_a_fraction():
    found = make(PAST, LONG)
    assert recognised(found, 0.0) == 0.0
    assert recognised(found, 1.0) <= found.risk.loc["fhs", "benefit"]
    with pytest.raises(ParameterError, match=r"offset is 80; give a fraction .* mean 0.8"):
        recognised(found, 80)


@pytest.mark.parametrize("asset", ["BTC", "LINK", "USDC", "wstETH"])
def test_a_single_asset_has_its_own_haircut(asset):
    found = haircuts(make(PAST, {asset: 1.0}, followed={"wstETH": "ETH"}), PARTS)
    own = single.haircut(PARTS)[asset]
    assert found.loc[asset, ["alone", "haircut", "contribution"]].tolist() == pytest.approx(
        [own] * 3
    )


def test_nothing_recognised_is_the_weighted_sum():
    found = haircuts(make(PAST, LONG), PARTS, offset=0.0)
    expected = sum(w * single.haircut(PARTS)[a] for a, w in LONG.items())
    assert found["contribution"].sum() == pytest.approx(expected)
    pd.testing.assert_series_equal(found["haircut"], found["alone"], check_names=False)


def test_recognised_benefit_lowers_every_leg_and_the_market_by_that_share():
    """Where the calibrated parts are the scenarios' own, the market part falls by the benefit."""
    found = make(PAST, LONG)
    bare = PARTS.assign(**dict.fromkeys(["liquidity", "oracle", "basis", "contract"], 0.0))
    bare["market"] = found.falls.reindex(bare.index).fillna(0.1)
    marginal = haircuts(found, bare)
    total = (1.0 - recognised(found)) * found.risk.loc["fhs", "parts"]
    assert marginal["contribution"].sum() == pytest.approx(total)
    assert (marginal["haircut"] <= marginal["alone"] + 1e-12).all()
    assert 0.0 < recognised(found) < 0.8 * found.risk.loc["fhs", "benefit"] + 1e-12


def test_a_full_offset_is_the_joint_es():
    found = with_benefits(make(PAST, LONG), *[make(PAST, LONG).risk.loc["fhs", "benefit"]] * 3)
    bare = (PARTS * 0.0).assign(market=found.falls.reindex(PARTS.index).fillna(0.1))
    marginal = haircuts(found, bare, offset=1.0)
    assert marginal["contribution"].sum() == pytest.approx(found.risk.loc["fhs", "es"])
    np.testing.assert_allclose(
        marginal["contribution"], found.allocation["fhs"].reindex(marginal.index)
    )


def test_a_debt_that_moves_costs_and_a_hedge_pays():
    alone = single.haircut(PARTS)["USDC"]
    owing = haircuts(make(PAST, {"USDC": 1.0, "BTC": -0.5}), PARTS, offset=0.0)
    assert owing["contribution"].sum() > alone
    assert owing.loc["BTC", "haircut"] > 0.0
    hedged = haircuts(make(PAST, {"ETH": 1.0, "BTC": -0.5}, laws(PAST, 0.9, 0.9, 0.8)), PARTS)
    summed = (hedged["weight"].abs() * hedged["alone"]).sum()
    assert hedged["contribution"].sum() < summed


def test_staked_ether_against_ether_keeps_basis_and_contract():
    found = haircuts(make(PAST, {"wstETH": 1.0, "ETH": -0.9}, followed={"wstETH": "ETH"}), PARTS)
    other = single.haircut(PARTS.assign(market=0.0))["wstETH"]
    assert other < found["contribution"].sum() < single.haircut(PARTS)["wstETH"]
    assert found.loc["ETH", "market"] == pytest.approx(-0.25)


def test_faults_are_named():
    found = make(PAST, LONG)
    with pytest.raises(ParameterError, match="no parts of ETH, LINK"):
        haircuts(found, PARTS.drop(["ETH", "LINK"]))
    with pytest.raises(ParameterError, match=r"market part of BTC is 1\.2"):
        haircuts(found, PARTS.replace({"market": {0.2: 1.2}}))
    still = dataclasses.replace(found, falls=found.falls * [1.0, 0.0, 1.0])
    with pytest.raises(EstimationError, match="ETH falls in no scenario"):
        haircuts(still, PARTS)
