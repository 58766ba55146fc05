"""The system of today: dollars, shares, common users, and what ties venues together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.collateral.world import UNIVERSE
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation import mapping
from xcoll.liquidation.replay import fits
from xcoll.liquidation.rulebooks import Aave, Exchange, Maker, Morpho
from xcoll.liquidation.world import World
from xcoll.systemic.cascade import cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.present import LENDERS, Present, looped, portrait, receipts

HELD = [*UNIVERSE.collateral, *UNIVERSE.derived]
TERMS = pd.DataFrame(
    {
        "ltv": np.linspace(0.70, 0.60, len(HELD)),
        "threshold": np.linspace(0.80, 0.66, len(HELD)),
        "bonus": 0.05,
        "protocol_fee": 0.1,
    },
    index=pd.Index(HELD, name="asset"),
)


def present(**changes):
    given = {"collateral_usd": 5e7, "size": 150, "takers": 0.1} | changes
    return Present(UNIVERSE, TERMS, **given)


def system_of(seed=1, **changes):
    return present(**changes).system(World(), None, np.random.default_rng(seed))


SYSTEM = system_of()


def dollars(venue):
    return venue.book.collateral.sum()


def test_lenders_hold_their_share_of_the_dollars():
    assert SYSTEM.names == list(LENDERS)
    total = sum(share for _, share in LENDERS.values())
    for venue in SYSTEM.venues:
        engine, share = LENDERS[venue.name]
        assert venue.engine == engine
        form = mapping.VENUES[engine.form]
        # What such a venue cannot hold stays outside, and is not made up for.
        near = 1e-12 if not (form.one_collateral or form.one_debt) else 0.25
        assert dollars(venue) == pytest.approx(5e7 * share / total, rel=near)
        assert dollars(venue) <= 5e7 * share / total * (1 + 1e-12)
    assert SYSTEM.prices is None
    assert (SYSTEM.opening == 1.0).all()


def test_shares_of_lenders_are_relative():
    two = system_of(lenders={"a": (Aave(), 3.0), "b": (Exchange(), 1.0)})
    assert two.names == ["a", "b"]
    assert [dollars(venue) for venue in two.venues] == pytest.approx([3.75e7, 1.25e7])
    assert [len(venue.book) for venue in two.venues] == [150, 150]


def test_every_account_fits_its_engine_and_is_healthy():
    for venue in SYSTEM.venues:
        fits(venue.book, venue.engine)
    assert (SYSTEM.layout.health > 1.0).all()
    whole = system_of(lenders={"a": (Aave(), 1.0)}, size=4_000)
    health = whole.layout.health[np.isfinite(whole.layout.health)]
    assert np.median(health) == pytest.approx(1.6, abs=0.05)
    assert np.log(health - 1.0).std() == pytest.approx(1.0, abs=0.05)
    size = np.log(whole.layout.held.sum(axis=1))
    assert size.std() == pytest.approx(1.2, abs=0.05)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 1.0])
def test_a_share_of_the_users_is_also_at_the_first_lender(overlap):
    system = system_of(size=1_000, overlap=overlap)
    first = set(system.venues[0].users.tolist())
    assert first == set(range(1_000))
    for venue in system.venues[1:]:
        there = np.unique(venue.users)
        common = np.isin(there, list(first)).mean()
        assert common == pytest.approx(overlap, abs=4 * np.sqrt(overlap * (1 - overlap) / 1_000))
    assert system.layout.shared  # a user of several positions at one venue
    aside = [set(venue.users.tolist()) - first for venue in system.venues[1:]]
    assert sum(map(len, aside)) == len(set().union(*aside))


def test_takers_borrow_again_down_to_near_the_maximum():
    limit = 1.02 * (TERMS["threshold"] / TERMS["ltv"]).max()
    assert limit > 1.0
    system = system_of(size=1_000, takers=0.25)
    for venue in system.venues:
        draws = np.isfinite(venue.borrow_to)
        assert (venue.borrow_to[draws] == limit).all()
        by_user = pd.Series(draws).groupby(venue.users).mean()
        assert by_user.isin([0.0, 1.0]).all() or venue.name != "Aave"
        assert by_user.mean() == pytest.approx(0.25, abs=0.06)
    assert not np.isfinite(system_of(takers=0.0).venues[0].borrow_to).any()
    fell = Episode.of_shock(pd.Series(0.0, SYSTEM.assets), "1h", 1, 1)
    assert cascade(SYSTEM, fell).drawn.sum() > 0


def test_a_share_of_an_assets_weight_is_pledged_in_its_tokens():
    plain, made = present(derived=0.0).mix(), present(derived=0.4).mix()
    assert set(made) == set(HELD)
    assert sum(made.values()) == pytest.approx(sum(plain.values()))
    for asset in UNIVERSE.collateral:
        tokens = [t for t in UNIVERSE.derived if UNIVERSE.assets[t].underlying == asset]
        if tokens:
            assert made[asset] == pytest.approx(0.6 * plain[asset])
            assert [made[t] for t in tokens] == pytest.approx(
                [0.4 * plain[asset] / len(tokens)] * len(tokens)
            )
        else:
            assert made[asset] == plain[asset]
    token = UNIVERSE.derived[0]
    fewer = Present(UNIVERSE, TERMS.drop(token)).mix()
    assert token not in fewer
    assert sum(fewer.values()) == pytest.approx(sum(plain.values()))


def test_tokens_follow_what_they_are_derived_from():
    for token in UNIVERSE.derived:
        assert SYSTEM.claims.behind[token] == {UNIVERSE.assets[token].underlying: 1.0}
    assert SYSTEM.claims.receipts == {}


def test_seeds_reproduce():
    again, other = system_of(), system_of(seed=2)
    np.testing.assert_array_equal(again.layout.held, SYSTEM.layout.held)
    np.testing.assert_array_equal(again.layout.lent, SYSTEM.layout.lent)
    np.testing.assert_array_equal(again.layout.users, SYSTEM.layout.users)
    assert (
        other.layout.held.shape != SYSTEM.layout.held.shape
        or (other.layout.held != SYSTEM.layout.held).any()
    )
    grown = [
        receipts(
            looped(s, "wstETH", "ETH", 1e6, 30, np.random.default_rng(5)),
            "Aave",
            "USDT",
            1e6,
            20,
            np.random.default_rng(6),
        )
        for s in (SYSTEM, again)
    ]
    np.testing.assert_array_equal(grown[0].layout.held, grown[1].layout.held)


def test_looped_positions():
    made = looped(SYSTEM, "wstETH", "ETH", 2e6, 500, np.random.default_rng(3), 0.9, 0.08)
    assert made.names == [*SYSTEM.names, "wstETH looped"]
    assert made.venues[:-1] == SYSTEM.venues
    venue = made.venues[-1]
    assert dollars(venue) == pytest.approx(2e6)
    assert (venue.book.collateral[:, made.assets.index("wstETH")] > 0).all()
    assert (venue.book.debt[:, made.assets.index("ETH")] > 0).all()
    assert np.count_nonzero(venue.book.collateral) == np.count_nonzero(venue.book.debt) == 500
    health = made.layout.health[made.layout.venue == len(SYSTEM.venues)]
    assert health.min() > 1.0
    assert health.max() <= 1.08 + 1e-12
    assert health.mean() == pytest.approx(1.0 + 0.08 * 0.51, abs=0.004)
    assert isinstance(venue.engine, Morpho)
    fits(venue.book, venue.engine)
    assert len(np.unique(venue.users)) == 500
    assert not np.isin(
        venue.users, np.concatenate([v.users for v in SYSTEM.venues]).astype(str)
    ).any()
    assert (
        made.layout.health[made.layout.venue < len(SYSTEM.venues)].tolist()
        == SYSTEM.layout.health.tolist()
    )


def test_looped_positions_break_with_the_token_and_not_with_the_market():
    made = looped(SYSTEM, "wstETH", "ETH", 2e6, 100, np.random.default_rng(3))
    still = pd.Series(0.0, made.assets)
    both, alone = still.copy(), still.copy()
    both[["ETH", "wstETH"]] = -0.3
    alone["wstETH"] = -0.05
    loop = made.layout.venue == len(SYSTEM.venues)
    assert not cascade(made, Episode.of_shock(both)).closed[loop].any()
    assert cascade(made, Episode.of_shock(alone)).closed[loop].mean() > 0.5


def test_receipts_of_a_pool():
    made = receipts(SYSTEM, "Aave", "USDT", 2e6, 300, np.random.default_rng(4))
    token = "receipt of Aave"
    assert made.assets == [*SYSTEM.assets, token]
    assert made.claims.behind == SYSTEM.claims.behind
    one = made.claims.receipts[token]
    assert one.venue == "Aave"
    assert one.pool_usd == pytest.approx(SYSTEM.debt["Aave"])
    for before, after in zip(SYSTEM.venues, made.venues, strict=False):
        assert not after.book.collateral[:, -1].any()
        np.testing.assert_array_equal(after.book.collateral[:, :-1], before.book.collateral)
        np.testing.assert_array_equal(after.book.debt[:, :-1], before.book.debt)
        assert (after.users == before.users).all()
        assert (after.borrow_to == before.borrow_to).all()
    venue = made.venues[-1]
    assert venue.book.collateral.sum(axis=0)[-1] == pytest.approx(2e6)
    assert dollars(venue) == pytest.approx(2e6)
    health = made.layout.health[made.layout.venue == len(SYSTEM.venues)]
    assert health.min() >= 1.0
    assert health.max() <= 1.2
    assert health.mean() == pytest.approx(1.1, abs=0.02)
    fits(venue.book, venue.engine)
    assert len(np.unique(venue.users)) == 300


def test_receipts_of_two_lenders():
    rng = np.random.default_rng(4)
    made = receipts(receipts(SYSTEM, "Aave", "USDT", 1e6, 20, rng), "Euler", "USDC", 1e6, 20, rng)
    venues = {token: one.venue for token, one in made.claims.receipts.items()}
    assert venues == {"receipt of Aave": "Aave", "receipt of Euler": "Euler"}
    assert made.assets[-2:] == list(venues)


def test_receipts_lose_what_their_pool_loses():
    made = receipts(SYSTEM, "Aave", "USDT", 2e6, 300, np.random.default_rng(4))
    lost = np.zeros((1, 3))
    lost[0, 1] = 0.15
    still = Episode.of_shock(pd.Series(0.0, made.assets), "1h", 1, 1)
    hit = cascade(made, still.changed(venues=["Aave"], lost=lost))
    assert hit.prices["receipt of Aave"].iloc[-1] == pytest.approx(0.85, rel=0.01)
    holders = made.layout.venue == len(SYSTEM.venues)
    assert 0.5 < hit.closed[holders].mean() < 1.0
    assert not cascade(made, still).closed[holders].any()


def test_receipts_and_loops_of_books_in_units():
    """Dollars are dollars, at whatever price."""
    prices = pd.Series(np.arange(2.0, 2.0 + len(SYSTEM.assets)), SYSTEM.assets)
    venues = [
        replace(
            v,
            book=replace(
                v.book,
                collateral=v.book.collateral / prices.to_numpy(),
                debt=v.book.debt / prices.to_numpy(),
            ),
        )
        for v in SYSTEM.venues
    ]
    priced = SYSTEM.changed(venues=venues, prices=prices)
    for make in (
        lambda s: looped(s, "wstETH", "ETH", 2e6, 50, np.random.default_rng(1)),
        lambda s: receipts(s, "Aave", "USDT", 2e6, 50, np.random.default_rng(1)),
    ):
        in_units, in_dollars = make(priced), make(SYSTEM)
        worth = in_units.venues[-1].book.collateral @ in_units.opening
        assert worth.sum() == pytest.approx(2e6)
        np.testing.assert_allclose(in_units.layout.health, in_dollars.layout.health, rtol=1e-12)


def test_portrait_adds_up():
    made = looped(SYSTEM, "wstETH", "ETH", 1e6, 40, np.random.default_rng(3))
    table = portrait(made).set_index("venue")
    assert table.index.tolist() == made.names
    assert table["debt"].to_dict() == pytest.approx(dict(made.debt))
    assert table["collateral"].tolist() == pytest.approx([dollars(v) for v in made.venues])
    assert table["accounts"].tolist() == [len(v.book) for v in made.venues]
    assert table["ltv"].tolist() == pytest.approx((table["debt"] / table["collateral"]).tolist())
    assert table.loc["wstETH looped", "near"] == pytest.approx(1.0)
    assert table["near"].between(0.0, 1.0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"collateral_usd": 0.0}, "collateral_usd is 0; give a number above zero"),
        ({"size": 0}, "size is 0; give a whole number"),
        ({"size": 1.5}, "size is 1.5; give a whole number"),
        ({"overlap": 1.2}, "overlap is 1.2; give a fraction"),
        ({"derived": -0.1}, "derived is -0.1; give a fraction"),
        ({"takers": 20}, r"takers is 20; give a fraction in \[0, 1\]; did you mean 0\.2"),
        ({"lenders": {}}, "no lenders; name at least one"),
    ],
)
def test_what_a_system_is_made_of_is_checked(changes, message):
    with pytest.raises(ParameterError, match=message):
        present(**changes)


def test_nothing_that_may_be_pledged():
    with pytest.raises(ParameterError, match="mix has no positive weight"):
        Present(UNIVERSE, TERMS.loc[[]]).system(World(), None, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s, rng: looped(s, "GOLD", "ETH", 1e6, 10, rng), "asset is 'GOLD'; choose one of"),
        (lambda s, rng: looped(s, "wstETH", "GOLD", 1e6, 10, rng), "asset is 'GOLD'"),
        (lambda s, rng: looped(s, "wstETH", "ETH", 0.0, 10, rng), "dollars is 0"),
        (lambda s, rng: looped(s, "wstETH", "ETH", 1e6, 0, rng), "size is 0"),
        (lambda s, rng: looped(s, "wstETH", "ETH", 1e6, 10, rng, 94.5), r"94\.5"),
        (lambda s, rng: receipts(s, "Nobody", "USDT", 1e6, 10, rng), "venue is 'Nobody'"),
        (lambda s, rng: receipts(s, "Aave", "GOLD", 1e6, 10, rng), "asset is 'GOLD'"),
        (lambda s, rng: receipts(s, "Aave", "USDT", -5.0, 10, rng), "dollars is -5"),
        (lambda s, rng: receipts(s, "Aave", "USDT", 1e6, 0, rng), "size is 0"),
    ],
)
def test_ties_between_venues_are_checked(make, message):
    with pytest.raises(ParameterError, match=message):
        make(SYSTEM, np.random.default_rng(0))


def test_nothing_is_added_twice():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="give each a name of its own"):
        looped(looped(SYSTEM, "wstETH", "ETH", 1e6, 10, rng), "wstETH", "ETH", 1e6, 10, rng)
    once = receipts(SYSTEM, "Aave", "USDT", 1e6, 10, rng)
    with pytest.raises(DataError):
        receipts(once, "Aave", "USDT", 1e6, 10, rng)


def test_vaults_owe_stablecoins_only():
    vaults = system_of(lenders={"m": (Maker(), 1.0)}).venues[0]
    stable = [SYSTEM.assets.index(asset) for asset in UNIVERSE.stablecoins]
    assert (np.delete(vaults.book.debt, stable, axis=1) == 0.0).all()
    assert ((vaults.book.collateral > 0).sum(axis=1) == 1).all()
    assert vaults.parameters.frame.equals(RiskParameters(TERMS).frame)
