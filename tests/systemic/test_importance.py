"""What the absence of an asset, a venue or a user saves, and what of it is its own."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.systemic.trio import ASSETS, PARAMETERS, calm, depth, singles, trio
from xcoll.collateral.accounts import Book
from xcoll.errors import ParameterError
from xcoll.liquidation.world import World
from xcoll.systemic.cascade import cascade
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.episode import Episode
from xcoll.systemic.importance import importance, without_asset, without_users, without_venue
from xcoll.systemic.system import Impact, System, Venue

FALL = pd.Series([-0.45, -0.4, -0.55, -0.45, 0.0], ASSETS)
EPISODE = Episode.of_shock(FALL, "1h", 2, 4)


def apart(**changes):
    """Three venues of single pairs, without users or prices in common."""
    rng = np.random.default_rng(1)
    venues = [Venue(name, singles(rng, 40), PARAMETERS) for name in ("one", "two", "three")]
    return calm(*venues, **changes)


def bad_debt(system, episode=EPISODE):
    return float(cascade(system, episode).bad_debt.sum())


def table_of(system, episode=EPISODE, largest=10):
    return importance(system, episode, largest).set_index(["kind", "name"])


def test_without_interaction_everybody_saves_his_own_loss():
    system = apart()
    table = table_of(system)
    total = sum(system.debt.values())
    assert bad_debt(system) > 0
    assert table["others"].abs().max() < 1e-12
    found = cascade(system, EPISODE).bad_debt
    for name in system.names:
        assert table.loc[("venue", name), "own"] == pytest.approx(found[name] / total)
        assert table.loc[("venue", name), "debt"] == pytest.approx(system.debt[name] / total)
    for kind in ("venue", "asset"):  # nothing is forgotten or counted twice
        assert table.xs(kind)["saved"].sum() == pytest.approx(bad_debt(system) / total)
        assert table.xs(kind)["debt"].sum() == pytest.approx(1.0)
    assert set(table.xs("asset").index) == {"ETH", "BTC", "LINK", "stETH"}


def test_a_venue_that_shares_nothing_saves_at_least_its_own_loss():
    """Prices that sales move: what one venue sells costs the others, never the other way round."""
    system = apart(impact=Impact(depth(1e6)))
    table = table_of(system)
    venues = table.xs("venue")
    assert (venues["saved"] >= venues["own"] - 1e-12).all()
    assert (venues["others"] > 1e-6).any()
    np.testing.assert_allclose(table["others"], table["saved"] - table["own"], atol=1e-15)
    total = sum(system.debt.values())
    for name in system.names:
        rest = calm(*(v for v in system.venues if v.name != name), impact=system.impact)
        saved = (bad_debt(system) - bad_debt(rest)) / total
        assert venues.loc[name, "saved"] == pytest.approx(saved, rel=1e-12)


def test_the_most_contagious_comes_first():
    table = importance(apart(impact=Impact(depth(1e6))), EPISODE, largest=3)
    assert list(table) == ["kind", "name", "debt", "saved", "own", "others"]
    assert table["others"].is_monotonic_decreasing
    assert table["kind"].value_counts().to_dict() == {"asset": 4, "venue": 3, "user": 3}


def test_the_largest_users_are_left_out_with_all_their_accounts():
    system = trio(world=World(), lasting=None)
    layout = system.layout
    by_user = np.bincount(layout.users, layout.owed)
    table = importance(system, EPISODE, 4)
    users = table[table["kind"] == "user"].assign(user=lambda t: t["name"].astype(int))
    assert set(users["user"]) == set(np.argsort(-by_user)[:4])
    share = by_user[users["user"]] / by_user.sum()
    assert users["debt"].tolist() == pytest.approx(share.tolist())
    assert table.loc[table["kind"] == "user", "others"].abs().max() < 0.01


def test_losses_of_a_user_are_those_of_his_accounts():
    system = apart(impact=Impact(depth(1e6)))
    found = cascade(system, EPISODE)
    by_account = np.concatenate(
        [venue.column("deficit") + venue.column("under") for venue in found.venues.values()]
    )
    table = table_of(system, largest=5).xs("user")
    total = sum(system.debt.values())
    for name, row in table.iterrows():
        mine = by_account[system.layout.users == int(name)].sum()
        assert row["own"] == pytest.approx(mine / total)


def test_accounts_keep_their_health_without_an_asset():
    system = trio()
    for asset in ("ETH", "stETH", "LINK"):
        rest = without_asset(system, asset)
        place = ASSETS.index(asset)
        assert not rest.layout.held[:, place].any()
        for before, after in zip(system.venues, rest.venues, strict=True):
            kept = np.isin(before.book.ids, after.book.ids)
            alone = before.book.collateral[:, place] > 0
            others = np.delete(before.book.collateral, place, axis=1)
            assert (kept == others.any(axis=1)).all()
            assert (alone & ~kept).any() or after.name != "pairs"
            np.testing.assert_array_equal(
                np.delete(after.book.collateral, place, axis=1), others[kept]
            )
            np.testing.assert_array_equal(after.users, before.users[kept])
            lt = before.rates.threshold
            np.testing.assert_allclose(
                (after.book.collateral @ lt) * before.book.debt[kept].sum(axis=1),
                (before.book.collateral[kept] @ lt) * after.book.debt.sum(axis=1),
                rtol=1e-12,
            )


def test_health_without_an_asset_is_that_at_the_prices_of_the_opening():
    prices = pd.Series([2_000.0, 30_000.0, 7.0, 2_100.0, 1.0], ASSETS)
    book = trio().venues[0].book
    units = Book(
        ASSETS, book.collateral / prices.to_numpy(), book.debt / prices.to_numpy(), book.ids
    )
    system = calm(Venue("one", units, PARAMETERS), prices=prices)
    rest = without_asset(system, "BTC")
    kept = np.isin(book.ids, rest.venues[0].book.ids)
    np.testing.assert_allclose(rest.layout.health, system.layout.health[kept], rtol=1e-12)
    with pytest.raises(ParameterError, match="asset is 'GOLD'"):
        without_asset(system, "GOLD")


def test_without_a_venue_its_receipts_are_worth_what_they_were():
    system = trio().changed(claims=Claims(receipts={"LINK": Receipt("lender", 1e5)}))
    rest = without_venue(system, "lender")
    assert rest.names == ["exchange", "pairs"]
    assert rest.claims == Claims()
    kept = without_venue(system, "pairs")
    assert kept.claims == system.claims
    with pytest.raises(ParameterError, match="venue is 'nobody'"):
        without_venue(system, "nobody")
    alone = calm(system.venues[0])
    with pytest.raises(ParameterError, match="lender is the only venue"):
        without_venue(alone, "lender")
    assert "venue" not in importance(alone, EPISODE, 1)["kind"].tolist()


def test_without_users():
    system = trio()
    layout = system.layout
    gone = [int(layout.users[0]), int(layout.users[150])]
    rest = without_users(system, gone)
    stays = ~np.isin(layout.users, gone)
    np.testing.assert_array_equal(rest.layout.held, layout.held[stays])
    np.testing.assert_array_equal(rest.layout.lent, layout.lent[stays])
    labels = np.concatenate([np.asarray(v.users) for v in system.venues])
    assert np.concatenate([v.users for v in rest.venues]).tolist() == labels[stays].tolist()
    drawing = [replace(v, borrow_to=2.0 + np.arange(len(v.book))) for v in system.venues]
    drawn = without_users(system.changed(venues=drawing), gone)
    whole = np.concatenate([v.borrow_to for v in drawing])
    assert np.concatenate([v.borrow_to for v in drawn.venues]).tolist() == whole[stays].tolist()
    first = np.unique(layout.users[: layout.start[1]])
    assert without_users(system, first.tolist()).names == ["exchange", "pairs"]


def test_an_episode_that_names_venues_runs_without_one_of_them():
    system = apart()
    feed = np.ones((2, 7, 5))
    feed[0, 1:, 0], feed[1, 1:, 1] = 0.5, 0.6
    named = EPISODE.changed(venues=["three", "one"], feed=feed)
    table = table_of(system, named)
    total = sum(system.debt.values())
    rest = calm(*(v for v in system.venues if v.name != "three"))
    alone = EPISODE.changed(venues=["one"], feed=feed[1:])
    saved = (bad_debt(system, named) - bad_debt(rest, alone)) / total
    assert table.loc[("venue", "three"), "saved"] == pytest.approx(saved)
    assert table["others"].abs().max() < 1e-12


def test_an_episode_that_names_one_venue_only():
    system = apart()
    feed = np.ones((1, 7, 5))
    feed[0, 1:, 0] = 0.5
    named = EPISODE.changed(venues=["two"], feed=feed)
    table = table_of(system, named, 2)
    assert table["others"].abs().max() < 1e-12


def test_what_an_exploit_takes_is_a_loss_of_its_own():
    system = apart()
    lost = np.zeros((1, 7))
    lost[0, 2] = 0.1
    exploit = EPISODE.changed(venues=["two"], lost=lost)
    table = table_of(system, exploit)
    total = sum(system.debt.values())
    own = cascade(system, exploit).bad_debt["two"]
    assert own > 0.1 * system.debt["two"]
    assert table.loc[("venue", "two"), "own"] == pytest.approx(own / total)
    assert table["others"].abs().max() < 1e-12


def test_the_loss_of_an_asset_is_by_what_it_carried():
    """0.82 of 100 and 0.78 of 50 carry 82 and 39 of the cover: two thirds are that of ETH."""
    held = np.array([[100.0, 50, 0, 0, 0], [0, 0, 0, 0, 7]])
    book = Book(ASSETS, held, np.array([[0, 0, 0, 0, 115.0], [0] * 5]), np.arange(2))
    system = calm(Venue("one", book, PARAMETERS))
    table = table_of(system, Episode.of_shock(pd.Series(-0.5, ASSETS) * [1, 1, 1, 1, 0]))
    lost = 115 - 50 / 1.05 - 25 / 1.06
    assert table.loc[("asset", "ETH"), "own"] == pytest.approx(lost * 82 / 121 / 115)
    assert table.loc[("asset", "BTC"), "own"] == pytest.approx(lost * 39 / 121 / 115)
    assert table.loc[("asset", "ETH"), "debt"] == pytest.approx(82 / 121)
    assert table.loc[("user", "0"), "saved"] == pytest.approx(lost / 115)


def test_a_system_of_one_user_and_one_asset():
    """Nothing would be left, so that nothing can be left out."""
    book = Book(
        ASSETS, np.array([[100.0, 0, 0, 0, 0]]), np.array([[0, 0, 0, 0, 80.0]]), np.arange(1)
    )
    assert importance(System([Venue("one", book, PARAMETERS)]), EPISODE).empty
