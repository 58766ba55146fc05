"""Published parameter sets: each venue's own engine and set, on the book that it lists."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.liquidation.studies import parameters
from xcoll.collateral import protocols, universe, venues
from xcoll.collateral.accounts import Shape, draw, mix_of
from xcoll.errors import ParameterError
from xcoll.liquidation import cohorts, published
from xcoll.liquidation.engines import compound
from xcoll.liquidation.replay import Conduct
from xcoll.liquidation.rulebooks import Aave, Compound, Euler, Exchange, Maker, Morpho
from xcoll.liquidation.world import Oracle, World

DATA = Path(__file__).resolve().parents[2] / "data"
NAMES = ["BTC", "ETH", "LINK", "USDC", "USDT"]
OURS = parameters(
    pd.Series({"BTC": 0.80, "ETH": 0.79, "LINK": 0.70, "USDC": 0.90}),
    pd.Series({"BTC": 0.70, "ETH": 0.68, "LINK": 0.60, "USDC": 0.85}),
    pd.Series({"BTC": 0.05, "ETH": 0.06, "LINK": 0.07, "USDC": 0.04}),
)


def read(name):
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bundled():
    return universe.parse(read("universe.yaml"))


@pytest.fixture(scope="module")
def listed():
    return venues.parse(read("venues.yaml"))


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(1)
    index = pd.date_range("2022-01-01", periods=70, freq="D")
    steps = rng.normal(-0.003, 0.05, (70, 5)) * [1, 1.2, 1.3, 0.01, 0.01]
    close = pd.DataFrame([40_000, 3_000, 15, 1, 1] * np.exp(steps.cumsum(axis=0)), index, NAMES)
    low = np.minimum(close, close.shift(1)) * [0.97, 0.97, 0.97, 1.0, 1.0]
    shape = Shape(NAMES, mix_of(NAMES[:4]))
    return cohorts.Study(
        close,
        low,
        cohorts.calendar(index, crises={"fall": "2022-01-20"}),
        draw(shape, 120, rng),
        shape,
        OURS,
        cohorts.listed(close),
        Conduct(world=World(Oracle("3h"))),
    )


@pytest.fixture(scope="module")
def cases(study, listed, bundled):
    return published.sets(study, listed, bundled)


ENGINES = {
    "aave-v3-ethereum": Aave,
    "compound-v3-usdc": Compound,
    "compound-v3-usdt": Compound,
    "morpho-blue-usdc": Morpho,
    "euler-prime-usdc": Euler,
    "maker-dai": Maker,
    "binance-cross": Exchange,
    "bybit-unified": Exchange,
}


def test_every_venue_has_its_engine(cases, listed):
    assert {key: type(theirs.conduct.engine) for key, (theirs, _) in cases.items()} == ENGINES
    assert {type(venue) for venue in listed.venues.values()} == set(published.RULES)
    # USDS and OKX list nothing of the study; ETH against a debt in ETH is another question.
    left_out = {"compound-v3-usds", "okx-multi-currency", "compound-v3-weth"}
    assert set(listed.venues) - set(cases) == left_out


def test_each_engine_has_its_venues_terms(cases, listed, study):
    terms = {key: theirs.conduct.engine for key, (theirs, _) in cases.items()}
    assert terms["aave-v3-ethereum"] == Aave()
    assert terms["morpho-blue-usdc"] == Morpho()
    assert terms["euler-prime-usdc"].most == 0.15
    storefronts = [terms[f"compound-v3-{base}"].storefront for base in ("usdc", "usdt")]
    assert storefronts == [0.5, 0.6]
    maker = terms["maker-dai"].rules
    largest = listed.venues["maker-dai"].ilks["ETH-A"]
    for name in ("buf", "cut", "cusp", "chop", "dust"):
        assert getattr(maker, name) == getattr(largest, name), name
    assert (maker.step, maker.tail, maker.hole, maker.tau) == (90, 7_200, 70e6, None)
    binance, bybit = terms["binance-cross"], terms["bybit-unified"]
    assert binance.rules.maintenance == pytest.approx(0.1)
    assert bybit.rules.maintenance == pytest.approx(0.03)
    assert (binance.rules.fee, binance.rules.share, binance.fund) == (0.02, 0.25, 0.0)
    assert binance.tiers["BTC"].counted(120e6) == pytest.approx(119.5e6)
    price = study.close["BTC"].iloc[-1]  # tiers of 10 BTC each
    assert bybit.tiers["BTC"].counted(15 * price) == pytest.approx((9.8 + 4.75) * price)


def test_terms_of_the_largest_ilk_that_is_replayed(listed):
    venue, prices = listed.venues["maker-dai"], pd.Series(dtype=float)
    for tokens, tail in (({"LINK-A": "LINK"}, 8_400), ({"LINK-A": "LINK", "WBTC-A": "BTC"}, 7_200)):
        assert published.rulebook(venue, tokens, prices).rules.tail == tail


def test_the_sets_are_those_of_the_venues(cases, listed):
    for key, (theirs, _) in cases.items():
        venue, frame = listed.venues[key], theirs.parameters.frame
        for token, asset in listed.tokens.items():
            if token in venue.parameters and asset in frame.index:
                given, row = venue.parameters[token], frame.loc[asset]
                assert row["threshold"] == given.threshold, (key, asset)
                assert (row["ltv"], row["bonus"]) == (given.ltv, given.bonus)
    morpho = cases["morpho-blue-usdc"][0].parameters.frame
    assert morpho.loc["BTC", "threshold"] == morpho.loc["ETH", "ltv"] == 0.86  # WBTC, wstETH
    aave = cases["aave-v3-ethereum"][0].parameters.frame
    assert aave["protocol_fee"].eq(0.1).all()
    factors = listed.venues["compound-v3-usdt"].assets
    for asset, token in (("BTC", "WBTC"), ("ETH", "WETH")):
        bonus = cases["compound-v3-usdt"][0].parameters.frame.loc[asset, "bonus"]
        assert compound.liquidation_factor(bonus, 0.6) == pytest.approx(factors[token].liquidation)


def test_theirs_and_ours_differ_by_their_parameters_alone(cases, study):
    for key, (theirs, ours) in cases.items():
        assets = theirs.parameters.assets
        assert ours == replace(theirs, parameters=ours.parameters), key
        assert ours.conduct.world is study.conduct.world
        assert set(theirs.shape.mix) == set(assets)
        assert ours.parameters.recommended
        pd.testing.assert_frame_equal(ours.parameters.frame, OURS.frame.loc[assets])
        assert theirs.draws is study.draws


def test_a_faulty_set_runs_and_says_what_is_wrong(cases, study, bundled):
    theirs, ours = cases["euler-prime-usdc"]
    assert theirs.parameters.faults == ["ETH: threshold·(1 + bonus) is 1.0000, not below 1"]
    assert not theirs.parameters.recommended
    assert not ours.parameters.faults
    document = copy.deepcopy(read("venues.yaml"))
    reserves = document["venues"]["aave-v3-ethereum"]["reserves"]
    reserves["WETH"] = {"ltv": 0.97, "threshold": 0.97, "bonus": 0.05}
    made = published.sets(study, venues.parse(document), bundled)["aave-v3-ethereum"]
    assert [fault.split(":")[0] for fault in made[0].parameters.faults] == ["ETH"]
    found = published.judged({"aave": made})
    theirs, ours = (found["aave", whose].outcomes for whose in ("theirs", "ours"))
    assert (theirs["capital_efficiency"] > ours["capital_efficiency"]).all()
    assert theirs["bad_debt"].mean() > ours["bad_debt"].mean()


def test_a_venue_without_any_listed_asset_is_left_out(study, listed, bundled):
    frame = OURS.frame.loc[["LINK", "USDC"]]
    part = replace(study, parameters=replace(OURS, frame=frame))
    assert set(published.sets(part, listed, bundled)) == {
        "aave-v3-ethereum", "compound-v3-usdc", "maker-dai",
    }  # fmt: skip
    none = listed.model_copy(update={"venues": {}})
    with pytest.raises(ParameterError, match="no venue lists an asset of the study"):
        published.sets(study, none, bundled)


def test_judged_on_weekly_cohorts(cases):
    some = {key: cases[key] for key in ("compound-v3-usdc", "bybit-unified")}
    found = published.judged(some)
    assert list(found) == [(key, whose) for key in some for whose in ("theirs", "ours")]
    for (key, whose), made in found.items():
        case = some[key][whose == "ours"]
        pd.testing.assert_frame_equal(made.outcomes, cohorts.run(case.weekly).outcomes)
    table = published.pairs(found)
    assert table[["venue", "whose"]].apply(tuple, axis=1).tolist() == list(found)
    for row in table.itertuples():
        outcomes = found[row.venue, row.whose].outcomes
        assert row.penalty == pytest.approx(outcomes["penalty"].mean())
        assert row.capital_efficiency == pytest.approx(outcomes["capital_efficiency"].mean())


def test_a_new_kind_of_venue_needs_rules():
    kinds = {cls for cls in vars(protocols).values() if isinstance(cls, type)}
    concrete = {cls for cls in kinds if issubclass(cls, protocols.Venue)} - {protocols.Venue}
    assert concrete == set(published.RULES)
