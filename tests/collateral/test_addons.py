import copy
import datetime
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import addons, universe
from xcoll.collateral.facts import Contract
from xcoll.errors import DataError, ParameterError

DATA = Path(__file__).parents[2] / "data"
DOCUMENT = yaml.safe_load((DATA / "addons.yaml").read_text(encoding="utf-8"))
ADDONS = addons.parse(DOCUMENT, "addons.yaml")
UNIVERSE = universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8")))
ASSETS = UNIVERSE.assets
DAY = datetime.date(2025, 3, 31)


def contract(**changes):
    facts = {
        "source": "made up for a test", "date": DAY, "depth": 0, "upgradeable": False,
        "oracles": 0, "deployed": datetime.date(2017, 1, 1), "audits": 4,
    }  # fmt: skip
    return Contract(**(facts | changes))


def test_points_read_the_stated_table():
    assert list(ADDONS.points(None, DAY).index) == list(addons.ATTRIBUTES)
    assert ADDONS.points(None, DAY).sum() == 0.0
    assert ADDONS.points(contract(), DAY).sum() == 0.0
    young = contract(
        depth=7, upgradeable=True, oracles=1, deployed=datetime.date(2024, 9, 30), audits=0
    )
    assert ADDONS.points(young, DAY).to_dict() == {
        "depth": 0.01, "upgradeable": 0.005, "oracles": 0.0025, "age": 0.01, "audits": 0.01
    }  # fmt: skip


@pytest.mark.parametrize(
    ("day", "points"),
    [
        ("2021-02-19", 0.01),
        ("2022-02-18", 0.01),
        ("2022-02-19", 0.005),  # a year of 365 days
        ("2023-02-19", 0.0025),
        ("2024-02-18", 0.0025),
        ("2024-02-19", 0.0),
    ],
)
def test_the_age_is_of_the_day(day, points):
    lido = ASSETS["wstETH"].contract
    for writing in (datetime.date.fromisoformat(day), pd.Timestamp(day)):
        assert ADDONS.points(lido, writing)["age"] == points
    others = ADDONS.points(lido, pd.Timestamp(day)).drop("age").to_dict()
    assert others == {"depth": 0.005, "upgradeable": 0.005, "oracles": 0.0025, "audits": 0.0}


def test_a_token_that_is_not_deployed_yet_is_named():
    with pytest.raises(
        ParameterError, match=r"wstETH was deployed on 2021-02-19, after 2020-03-12"
    ):
        ADDONS.points(ASSETS["wstETH"].contract, pd.Timestamp("2020-03-12"), "wstETH")
    with pytest.raises(ParameterError, match="the token was deployed"):
        ADDONS.changed(ASSETS["wstETH"].contract, pd.Timestamp("2020-03-12"))


CONTRACTS = st.builds(
    contract,
    depth=st.integers(0, 5),
    upgradeable=st.booleans(),
    oracles=st.integers(0, 4),
    audits=st.integers(0, 5),
    deployed=st.dates(datetime.date(2019, 1, 1), DAY),
)


@settings(max_examples=60, deadline=None)
@given(CONTRACTS, st.sampled_from(list(addons.ATTRIBUTES)))
def test_what_is_safer_never_has_more_points(own, attribute):
    before = ADDONS.points(own, DAY)
    if attribute == "age":
        safer = own.model_copy(update={"deployed": own.deployed - datetime.timedelta(days=200)})
    elif attribute == "upgradeable":
        safer = own.model_copy(update={"upgradeable": False})
    else:
        step = 1 if addons.ATTRIBUTES[attribute] else -1
        safer = own.model_copy(update={attribute: max(getattr(own, attribute) + step, 0)})
    after = ADDONS.points(safer, DAY)
    assert after[attribute] <= before[attribute]
    assert after.drop(attribute).equals(before.drop(attribute))


@settings(max_examples=60, deadline=None)
@given(CONTRACTS)
def test_changes_stand_on_either_side_of_the_points(own):
    changed = ADDONS.changed(own, DAY)
    assert changed["points"].to_dict() == ADDONS.points(own, DAY).to_dict()
    assert (changed["better"] <= changed["points"]).all()
    assert (changed["worse"] >= changed["points"]).all()
    assert (changed["off"] == 0.0).all()


def test_changes_are_the_neighbours_of_the_table():
    own = contract(depth=1, upgradeable=True, deployed=datetime.date(2023, 9, 30), audits=1)
    changed = ADDONS.changed(own, DAY)
    assert changed.loc["depth", ["better", "points", "worse"]].tolist() == [0.0, 0.0025, 0.005]
    assert changed.loc["upgradeable"].tolist() == [0.005, 0.0, 0.005, 0.0]
    assert changed.loc["age", ["better", "points", "worse"]].tolist() == [0.0025, 0.005, 0.01]
    assert changed.loc["oracles", ["better", "points", "worse"]].tolist() == [0.0, 0.0, 0.0025]


def test_a_table_of_one_entry_has_nothing_next_to_it():
    document = copy.deepcopy(DOCUMENT)
    document["contract"]["depth"] |= {"at": [0], "points": [0.002]}
    changed = addons.parse(document).changed(contract(depth=3), DAY)
    assert changed.loc["depth"].tolist() == [0.002, 0.002, 0.002, 0.0]


def test_an_asset_comes_before_its_class_and_a_native_coin_has_none():
    hazards = {s: ADDONS.failure(a) and ADDONS.failure(a).hazard for s, a in ASSETS.items()}
    assert hazards["USDC"] == 0.005  # of its class
    assert hazards["USDT"] == 0.01  # its own
    assert hazards["wstETH"] == hazards["WBTC"] == 0.01
    assert hazards["sfrxETH"] == hazards["BTC.b"] == 0.02
    assert hazards["BTC"] is None
    assert hazards["LINK"] is None


def test_the_reserve_is_hazard_times_loss_times_exposure():
    assert ADDONS.reserve(ASSETS["sfrxETH"], 1e7) == pytest.approx(200_000)
    assert math.isnan(ADDONS.reserve(ASSETS["BTC"], 1e7))
    with pytest.raises(ParameterError, match="exposure is -1"):
        ADDONS.reserve(ASSETS["USDC"], -1.0)


def test_the_cap_by_hand():
    # 100,000 a year and 15M at once: 0.5 % a year on USDC would bear 20M, one failure 15M
    assert ADDONS.cap(ASSETS["USDC"]) == 15e6
    assert ADDONS.cap(ASSETS["USDT"]) == pytest.approx(10e6)
    assert ADDONS.cap(ASSETS["BTC.b"]) == pytest.approx(5e6)
    assert ADDONS.cap(ASSETS["BTC"]) == math.inf


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 0.5), st.floats(0.01, 1.0))
def test_at_the_cap_neither_budget_is_exceeded_and_one_is_used_up(hazard, loss):
    document = copy.deepcopy(DOCUMENT)
    document["hazards"]["classes"]["stablecoin"] |= {"hazard": hazard, "loss": loss}
    own = addons.parse(document)
    cap = own.cap(ASSETS["USDC"])
    used = own.reserve(ASSETS["USDC"], cap) / own.budget.reserve_budget_usd
    lost = loss * cap / own.budget.loss_budget_usd
    assert max(used, lost) == pytest.approx(1.0)


def test_limits_of_all_assets():
    limits = ADDONS.limits(UNIVERSE)
    assert list(limits.columns) == list(addons.BUDGETS)
    assert limits.min(axis=1).to_dict() == {s: ADDONS.cap(a) for s, a in ASSETS.items()}
    assert limits.loc["USDC"].tolist() == pytest.approx([20e6, 15e6])
    assert np.isinf(limits.loc["ETH"]).all()


def test_a_hazard_of_an_unknown_symbol_is_named():
    document = copy.deepcopy(DOCUMENT)
    document["hazards"]["assets"]["USDD"] = document["hazards"]["assets"]["USDT"]
    known = addons.parse(document)
    assert known.unused(UNIVERSE) == ["USDD"]
    pd.testing.assert_frame_equal(known.limits(UNIVERSE), ADDONS.limits(UNIVERSE))


def test_every_block_has_its_source_and_what_it_assumes():
    blocks = [
        *dict(ADDONS.contract).values(), *ADDONS.hazards.classes.values(),
        *ADDONS.hazards.assets.values(), ADDONS.budget,
    ]  # fmt: skip
    assert len(blocks) == 12
    assert all(block.assumed and len(block.source) > 20 and block.date for block in blocks)


def test_it_survives_json():
    assert addons.parse(ADDONS.model_dump(mode="json")) == ADDONS


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("contract/age", None, "contract > age: required field is missing"),
        ("contract/depth/source", None, "contract > depth > source: required field is missing"),
        ("contract/colour", {}, "contract > colour: unknown field"),
        ("contract/depth/at", [0, 2, 1, 3], "depth: at must start at 0 and ascend"),
        ("contract/depth/at", [1, 2, 3, 4], "depth: at must start at 0 and ascend"),
        ("contract/depth/at", [0, 1], "depth: at and points differ in length"),
        ("contract/depth/points", [0.01, 0.0, 0.0, 0.0], "contract: points of depth must rise"),
        ("contract/audits/points", [0.0, 0.0, 0.0, 0.1], "contract: points of audits must fall"),
        ("contract/depth/points", [0.0, 0.0, 0.0, 1.0], "points > 3: .*less than 1"),
        ("contract/depth/points", [-0.1, 0.0, 0.0, 0.1], "points > 0: .*greater than or equal to"),
        ("hazards/classes/coin", {}, "hazards > classes > coin"),
        ("hazards/assets/USDT/hazard", 2.0, "USDT > hazard: .*less than 1; the file has 2.0"),
        ("hazards/assets/USDT/loss", 0.0, "USDT > loss: .*greater than 0"),
        ("budget/reserve_budget_usd", 0.0, "reserve_budget_usd: .*greater than 0"),
        ("budget/loss_budget_usd", "much", "loss_budget_usd: .*number; the file has 'much'"),
        ("budget", None, "budget: required field is missing"),
    ],
)
def test_a_fault_is_named_by_file_block_field_and_fix(path, value, words):
    document = copy.deepcopy(DOCUMENT)
    *parents, last = path.split("/")
    block = document
    for key in parents:
        block = block[key]
    if value is None:
        del block[last]
    else:
        block[last] = value
    with pytest.raises(DataError, match=words) as refused:
        addons.parse(document, "mine.yaml")
    assert str(refused.value).startswith("mine.yaml: ")


def test_nothing_in_it_can_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        ADDONS.budget.loss_budget_usd = 1.0
