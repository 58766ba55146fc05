import datetime
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from xcoll.collateral import addons, haircuts, universe
from xcoll.collateral.facts import Basis
from xcoll.errors import ParameterError

DATA = Path(__file__).parents[2] / "data"
ADDONS = addons.parse(yaml.safe_load((DATA / "addons.yaml").read_text(encoding="utf-8")))
ASSETS = universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8"))).assets
CONTRACTS = {symbol: asset.contract for symbol, asset in ASSETS.items()}
DAY = datetime.date(2023, 12, 31)


def basis(**changes):
    facts = {
        "source": "made up for a test", "date": DAY, "half_life_days": 20.0,
        "sigma_daily": 0.002, "jump_rate": 0.0, "jump_loss": 0.06, "worst": 0.06,
        "worst_day": datetime.date(2022, 6, 18), "redemption": "5D",
    }  # fmt: skip
    return Basis(**(facts | changes))


def test_basis_without_jumps_is_a_stationary_gaussian():
    decay = 2.0 ** (-1 / 20)
    deviation = 0.002 / math.sqrt(1 - decay**2)
    expected = deviation * norm.pdf(norm.ppf(0.99)) / 0.01
    found = haircuts.basis_loss(basis(), 0.99, np.random.default_rng(1), years=2000)
    # 730,000 days, each worth about 1/57 of an independent one: some 130 points beyond 99 %
    assert found == pytest.approx(expected, rel=0.06)


def test_basis_jumps_lie_beyond_the_level_when_they_last_long_enough():
    jumpy = basis(jump_rate=0.25, sigma_daily=1e-6)
    found = haircuts.basis_loss(jumpy, 0.99, np.random.default_rng(1), years=2000)
    # one event in four years, halved every 20 days: the worst 1 % of days are the first 14.6 after
    # it, and the mean of 2^(−t/20) over them is 0.78; two events at once are rare
    days = np.arange(15)
    assert found == pytest.approx(0.06 * np.mean(2.0 ** (-days / 20)), rel=0.06)
    once = haircuts.basis_loss(jumpy, 0.99, np.random.default_rng(2))
    assert once == haircuts.basis_loss(jumpy, 0.99, np.random.default_rng(2))
    assert haircuts.basis_loss(basis(sigma_daily=0.0), 0.99, np.random.default_rng(1)) == 0.0


def parts(asset="wstETH", **values):
    given = dict.fromkeys(haircuts.PARTS, 0.0) | values
    return pd.DataFrame([given], [asset], dtype=float)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 0.9), st.floats(0.0, 0.5), st.sampled_from(["wstETH", "USDC", "LINK"]))
def test_each_change_is_the_haircut_with_another_table(market, liquidity, asset):
    own = parts(asset, market=market, liquidity=liquidity)
    found = haircuts.contract_sensitivity(own, CONTRACTS, ADDONS, DAY).loc[asset]
    points = ADDONS.points(CONTRACTS[asset], DAY)
    base = haircuts.haircut(own.assign(contract=points.sum()))[asset]
    changed = ADDONS.changed(CONTRACTS[asset], DAY)
    for attribute, change in found.iterrows():
        assert change["points"] == points[attribute]
        for name in haircuts.CHANGES:
            total = points.sum() - points[attribute] + changed.loc[attribute, name]
            moved = haircuts.haircut(own.assign(contract=total))[asset] - base
            assert change[name] == pytest.approx(moved, abs=1e-12)


def test_the_contract_part_of_the_frame_is_not_used():
    given = haircuts.contract_sensitivity(parts(market=0.3), CONTRACTS, ADDONS, DAY)
    other = haircuts.contract_sensitivity(parts(market=0.3, contract=0.5), CONTRACTS, ADDONS, DAY)
    assert given.equals(other)
    # 0.7 of the price is left for the contract to take from
    assert given.loc[("wstETH", "upgradeable"), "off"] == pytest.approx(-0.7 * 0.005)


def test_native_coins_are_left_out():
    rows = pd.concat([parts("BTC"), parts("USDC")])
    found = haircuts.contract_sensitivity(rows, CONTRACTS, ADDONS, DAY)
    assert found.index.get_level_values("asset").unique().tolist() == ["USDC"]
    assert found.index.names == ["asset", "attribute"]
    assert list(found.columns) == ["points", *haircuts.CHANGES]


def test_bad_arguments_are_named():
    with pytest.raises(ParameterError, match=r"no entry in contracts for \['DAI'\]"):
        haircuts.contract_sensitivity(parts("DAI"), CONTRACTS, ADDONS, DAY)
    with pytest.raises(ParameterError, match=r"none of \['BTC'\] has a contract"):
        haircuts.contract_sensitivity(parts("BTC"), CONTRACTS, ADDONS, DAY)
    with pytest.raises(ParameterError, match="wstETH was deployed on 2021-02-19"):
        haircuts.contract_sensitivity(parts(), CONTRACTS, ADDONS, datetime.date(2020, 1, 1))
    with pytest.raises(ParameterError, match="market part of wstETH is 2"):
        haircuts.contract_sensitivity(parts(market=2.0), CONTRACTS, ADDONS, DAY)
