import datetime
import math
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.collateral.liquidity.samples import FACTS, STRESS, asset
from xcoll.collateral import liquidity, universe
from xcoll.errors import ParameterError

FILE = Path(__file__).parents[3] / "data" / "universe.yaml"


@pytest.fixture(scope="module")
def bundled():
    return universe.parse(yaml.safe_load(FILE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("day", "adv", "assumed"),
    [
        ("2020-03-12", 3e8, True),  # the median of 2022 stands in
        ("2021-12-31", 3e8, True),
        ("2022-01-01", 3e8, False),
        ("2022-12-31", 3e8, False),
        ("2023-01-01", 1e8, False),
        ("2023-12-31", 1e8, False),
        ("2024-01-01", 1e8, True),  # nothing measured since
    ],
)
def test_volume_as_of_a_day(day, adv, assumed):
    for writing in (datetime.date.fromisoformat(day), pd.Timestamp(day + " 23:00")):
        known = liquidity.as_of(asset("liquidity"), writing)
        assert (known.adv_usd, known.assumed) == (adv, assumed)
        assert known.adv_p5_usd == pytest.approx(0.4 * adv)
        assert known.quotes is None
        assert not known.quotes_assumed


def test_without_a_volume_of_2022_the_other_stands_in():
    known = liquidity.as_of(
        asset("liquidity", liquidity={"adv_2022_usd": None}), datetime.date(2022, 6, 1)
    )
    assert (known.adv_usd, known.assumed) == (1e8, True)


def test_what_is_assumed_in_the_file_stays_assumed():
    day = datetime.date(2023, 11, 20)
    known = liquidity.as_of(
        asset("liquidity", "depth", liquidity={"assumed": True}, depth={"assumed": True}), day
    )
    assert known.assumed
    assert known.quotes_assumed


def test_quotes_hold_on_their_date_and_are_assumed_on_others():
    quoted = asset("depth")
    known = liquidity.as_of(quoted, datetime.date(2023, 11, 20))
    assert known.quotes.impact(1e7) == 0.05
    assert not known.quotes_assumed
    assert math.isnan(known.adv_usd)
    assert math.isnan(known.adv_p5_usd)
    assert known.assumed
    assert liquidity.as_of(quoted, datetime.date(2023, 11, 21)).quotes_assumed


def test_quotes_come_before_the_square_root_law():
    quoted = liquidity.stressed_market(asset("depth", "liquidity"), 0.05, STRESS)
    assert quoted.impact(5e6) == 0.05  # half the depth: the quote of twice the size
    law = liquidity.stressed_market(asset("liquidity"), 0.05, STRESS)
    assert law.impact(1e7) == pytest.approx(0.05 * math.sqrt(1e7 / 4e7))
    with pytest.raises(ParameterError, match="T has neither depth nor liquidity"):
        liquidity.stressed_market(asset(), 0.05, STRESS)


def test_the_law_takes_the_volume_of_the_day():
    law = liquidity.stressed_market(asset("liquidity"), 0.05, STRESS, pd.Timestamp("2022-05-12"))
    assert law.adv_usd == pytest.approx(1.2e8)
    assert law.sigma_day == 0.05


def test_markets_of_the_bundled_universe(bundled):
    day = datetime.date(2023, 12, 31)
    sigma = pd.Series(0.05, bundled.priced).drop("DOGE")
    found = liquidity.markets(bundled, sigma, day)
    assert set(found) == {s for s, a in bundled.assets.items() if a.roles} - {"DOGE"}
    assert "LUNA" not in found  # no role
    assert found["ADA"] == liquidity.SquareRoot(0.05, 10e6)
    assert found["wstETH"].impact(1e7) == pytest.approx(0.0072)  # the quote of 20M
    half = liquidity.markets(bundled, sigma, day, depth=0.5)
    assert half["ADA"].adv_usd == 5e6
    assert half["wstETH"].impact(5e6) == pytest.approx(0.0072)
    with pytest.raises(ParameterError, match="depth is 0"):
        liquidity.markets(bundled, sigma, day, depth=0.0)


@pytest.mark.parametrize(
    ("field", "fact", "model", "left"),
    [
        ("pool", {"reserve_usd": 2e7, "fee": 0.003}, liquidity.ConstantProduct(2e7, 0.003), 0.5),
        ("book", {"depth_usd": 1e8}, liquidity.Linear(1e8), 0.3),
        (
            "schedule",
            {"bounds_usd": (1e6, 4e6), "ratios": (0.95, 0.5)},
            liquidity.Tiers((1e6, 4e6), (0.95, 0.5)),
            None,
        ),
    ],
)
def test_the_market_that_an_asset_states_is_the_one_sold_in(field, fact, model, left):
    stated = asset("liquidity", **{field: {**fact, **FACTS}})
    calm = liquidity.as_of(stated, FACTS["date"])
    assert calm.quotes == model
    assert not calm.quotes_assumed
    stressed = liquidity.stressed_market(stated, 0.05, STRESS)
    assert stressed == (model if left is None else model.stressed(left))


def test_an_asset_has_one_market():
    with pytest.raises(ValueError, match="pool and book are given; keep the one"):
        asset(pool={"reserve_usd": 1e7, "fee": 0.0, **FACTS}, book={"depth_usd": 1e7, **FACTS})
    with pytest.raises(ValueError, match="bounds_usd must ascend"):
        asset(schedule={"bounds_usd": (2e6, 1e6), "ratios": (0.9, 0.5), **FACTS})
    with pytest.raises(ValueError, match="greater than 0"):
        asset(pool={"reserve_usd": 0.0, "fee": 0.0, **FACTS})
