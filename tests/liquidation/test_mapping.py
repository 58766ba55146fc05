"""One account, six venues: units add up, health stays, and what does not fit is named."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xcoll.collateral.accounts import Book
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation import mapping
from xcoll.liquidation.mapping import VENUES, split

ASSETS = ["BTC", "ETH", "LINK", "USDC"]
PRICES = pd.Series([30_000.0, 2_000.0, 7.0, 1.0], ASSETS)
THRESHOLDS = pd.Series([0.75, 0.8, 0.6, 0.9], ASSETS)
OWED = {"compound": ["USDC", "ETH"], "maker": ["USDC"]}


def one(collateral, debt, assets=ASSETS):
    """A book of one account, from units by asset."""
    sides = [
        np.array([[float(side.get(asset, 0)) for asset in assets]]) for side in (collateral, debt)
    ]
    return Book(list(assets), *sides, np.array(["x"]))


def mapped(book, venue, thresholds=THRESHOLDS, debts=None):
    return split(book, venue, PRICES, thresholds, debts or OWED.get(venue))


def rows(table):
    return {(row.asset, row.side, row.reason): row.units for row in table.itertuples()}


def test_the_forms_of_the_venues():
    assert sorted(VENUES) == ["aave", "compound", "euler", "exchange", "maker", "morpho"]


# 0.5 BTC and 5 ETH pledged (dollars × LT: 11,250 and 8,000), 6,000 USDC and 300 LINK owed.
CROSS = one({"BTC": 0.5, "ETH": 5}, {"USDC": 6_000, "LINK": 300})
s = np.array([11_250, 8_000]) / 19_250
t = np.array([6_000, 2_100]) / 8_100


@pytest.mark.parametrize("venue", ["aave", "exchange"])
def test_a_cross_venue_holds_it_as_it_is(venue):
    found = mapped(CROSS, venue)
    np.testing.assert_array_equal(found.book.collateral, CROSS.collateral)
    np.testing.assert_array_equal(found.book.debt, CROSS.debt)
    assert found.unmapped.empty
    assert found.summary.empty


def test_one_liability_an_account():
    found = mapped(CROSS, "euler")
    np.testing.assert_allclose(
        found.book.collateral, [[0.5 * t[1], 5 * t[1], 0, 0], [0.5 * t[0], 5 * t[0], 0, 0]]
    )
    np.testing.assert_allclose(found.book.debt, [[0, 0, 300, 0], [0, 0, 0, 6_000]])
    assert found.parent.tolist() == [0, 0]


def test_one_collateral_and_one_loan():
    found = mapped(CROSS, "morpho")
    pairs = {
        ("BTC", "LINK"): (0.5 * t[1], 300 * s[0]),
        ("ETH", "LINK"): (5 * t[1], 300 * s[1]),
        ("BTC", "USDC"): (0.5 * t[0], 6_000 * s[0]),
        ("ETH", "USDC"): (5 * t[0], 6_000 * s[1]),
    }
    assert len(found.book) == 4
    for (k, j), (collateral, debt) in pairs.items():
        lot = np.flatnonzero(
            (found.book.collateral[:, ASSETS.index(k)] > 0)
            & (found.book.debt[:, ASSETS.index(j)] > 0)
        )
        assert found.book.collateral[lot].sum() == pytest.approx(collateral)
        assert found.book.debt[lot].sum() == pytest.approx(debt)


@pytest.mark.parametrize(("venue", "lots"), [("compound", 1), ("maker", 2)])
def test_debt_that_cannot_be_owed_takes_its_collateral_along(venue, lots):
    found = mapped(CROSS, venue)  # LINK is no base asset and no stablecoin
    assert len(found.book) == lots
    np.testing.assert_allclose(found.book.collateral.sum(axis=0), [0.5 * t[0], 5 * t[0], 0, 0])
    np.testing.assert_allclose(found.book.debt.sum(axis=0), [0, 0, 0, 6_000])
    assert rows(found.unmapped) == {
        ("LINK", "debt", mapping.FOREIGN): 300,
        ("BTC", "collateral", mapping.BACKING): pytest.approx(0.5 * t[1]),
        ("ETH", "collateral", mapping.BACKING): pytest.approx(5 * t[1]),
    }
    assert found.summary.loc[mapping.FOREIGN].tolist() == [1, 0, pytest.approx(2_100)]
    assert found.summary.loc[mapping.BACKING].tolist() == [1, pytest.approx(25_000 * t[1]), 0]
    if venue == "maker":
        np.testing.assert_allclose(found.book.debt[:, 3], 6_000 * s)


def test_vaults_owe_every_named_stablecoin():
    book = one({"BTC": 1, "ETH": 1}, {"USDC": 5_000, "LINK": 100})
    found = mapped(book, "maker", debts=["USDC", "LINK"])
    assert (found.book.collateral > 0).sum(axis=1).tolist() == [1, 1]
    assert (found.book.debt > 0).sum(axis=1).tolist() == [2, 2]


def test_collateral_that_is_not_accepted_leaves_the_debt_with_the_rest():
    less = THRESHOLDS.drop("BTC")
    found = mapped(CROSS, "aave", less)
    assert rows(found.unmapped) == {("BTC", "collateral", mapping.REFUSED): 0.5}
    np.testing.assert_array_equal(found.book.debt, CROSS.debt)
    health = found.book.health_factor(PRICES, less).iloc[0]
    assert health == CROSS.health_factor(PRICES, less).iloc[0] == 8_000 / 8_100
    assert health < CROSS.health_factor(PRICES, THRESHOLDS).iloc[0]
    assert rows(mapped(CROSS, "aave", THRESHOLDS.replace(0.75, 0.0)).unmapped) == rows(
        found.unmapped
    )


@pytest.mark.parametrize("venue", VENUES)
def test_an_account_without_accepted_collateral_is_left_out_whole(venue):
    book = Book(
        ASSETS, np.array([[1.0, 0, 0, 0], [0, 0, 9, 0]]), np.array([[0, 1, 0, 2.0], [0, 0, 0, 5]]),
        np.array(["bare", "fine"]),
    )  # fmt: skip
    found = mapped(book, venue, THRESHOLDS.drop("BTC"))
    assert found.parent.tolist() == [1]
    left = found.unmapped[found.unmapped["account"] == "bare"]
    assert rows(left) == {
        ("BTC", "collateral", mapping.REFUSED): 1,
        ("ETH", "debt", mapping.BARE): 1,
        ("USDC", "debt", mapping.BARE): 2,
    }


def test_nothing_that_can_be_held_is_an_error():
    with pytest.raises(DataError, match=r"maker can hold no account of the book: .*cannot be owed"):
        mapped(one({"BTC": 1}, {"ETH": 1}), "maker")


@pytest.mark.parametrize("venue", ["compound", "euler", "morpho"])
def test_no_market_of_an_asset_against_itself(venue):
    book = one({"ETH": 2, "BTC": 0.1}, {"ETH": 0.5, "USDC": 1_000})
    own = np.array([3_200, 2_250]) / 5_450  # shares of ETH and BTC; half of the debt is Ether
    found = mapped(book, venue)
    assert rows(found.unmapped) == {
        ("ETH", "collateral", mapping.ITSELF): pytest.approx(1.0),
        ("ETH", "debt", mapping.ITSELF): pytest.approx(0.5 * own[0]),
    }
    assert not ((found.book.collateral > 0) & (found.book.debt > 0)).any()
    health = found.book.health_factor(PRICES, THRESHOLDS)
    np.testing.assert_allclose(health, 5_450 / 2_000, rtol=1e-12)
    only = one({"ETH": 2}, {"ETH": 0.5, "USDC": 1_000})
    assert len(mapped(only, venue).book) == 1  # the rest is Ether against Ether


@pytest.mark.parametrize("venue", ["aave", "exchange", "maker"])
def test_a_cross_account_or_a_vault_may_owe_what_it_pledges(venue):
    book = one({"USDC": 2_000}, {"USDC": 1_000})
    assert mapped(book, venue).unmapped.empty


@pytest.mark.parametrize(
    ("venue", "lots"), [("aave", 1), ("euler", 1), ("maker", 2), ("morpho", 2)]
)
def test_an_account_without_debt_keeps_its_collateral(venue, lots):
    found = mapped(one({"ETH": 2, "BTC": 1}, {}), venue)
    assert found.parent.tolist() == [0] * lots
    assert found.unmapped.empty
    assert found.book.collateral.sum(axis=0).tolist() == [1, 2, 0, 0]
    assert not found.book.debt.any()


@pytest.mark.parametrize(
    ("venue", "changes", "words"),
    [
        ("kamino", {}, r"venue is 'kamino'; choose one of .*'morpho'"),
        ("compound", {"debts": None}, "compound lends named assets only"),
        ("maker", {"debts": None}, "maker lends named assets only"),
        ("maker", {"debts": ["DAI"]}, r"debts DAI: name assets of the book, BTC, ETH"),
        ("maker", {"debts": []}, r"debts none: name assets"),
        ("aave", {"thresholds": THRESHOLDS * 100}, r"threshold of BTC is 75; .*did you mean 0.75"),
    ],
)
def test_what_is_refused(venue, changes, words):
    given_ = {"prices": PRICES, "thresholds": THRESHOLDS, "debts": ["USDC"]} | changes
    with pytest.raises(ParameterError, match=words):
        split(CROSS, venue, **given_)


def test_an_asset_that_is_held_needs_a_price():
    with pytest.raises(DataError, match="BTC without a price"):
        split(CROSS, "aave", PRICES.drop("BTC"), THRESHOLDS)


def plain(book, venue, thresholds, debts):
    """Pair by pair in words of one account: mapped units by (account, lot, side, asset)."""
    form, lots = VENUES[venue], defaultdict(float)
    for n in range(len(book)):
        secured = book.collateral[n] * PRICES.to_numpy() * [thresholds.get(k, 0.0) for k in ASSETS]
        worth = {k: value for k, value in zip(ASSETS, secured, strict=True) if value}
        owes = {j: book.debt[n, i] * PRICES[j] for i, j in enumerate(ASSETS) if book.debt[n, i]}
        for k in worth:
            for j in owes or [None]:
                share_k = worth[k] / sum(worth.values())
                share_j = owes[j] / sum(owes.values()) if j else 1.0
                if (j and debts and j not in debts) or (k == j and not form.itself):
                    continue
                lot = (n, k if form.one_collateral else "", (j or "") if form.one_debt else "")
                lots[*lot, "collateral", k] += share_j * book.collateral[n, ASSETS.index(k)]
                if j:
                    lots[*lot, "debt", j] += share_k * book.debt[n, ASSETS.index(j)]
    return lots


units = st.floats(1e-3, 1e4) | st.just(0.0)


@settings(deadline=None, max_examples=150)
@given(
    data=st.data(), n=st.integers(1, 6), venue=st.sampled_from(sorted(VENUES)),
    taken=st.sets(st.sampled_from(ASSETS), min_size=1), named=st.sets(st.sampled_from(ASSETS)),
)  # fmt: skip
def test_health_stays_and_units_add_up(data, n, venue, taken, named):
    numbers = hnp.arrays(float, (n, 4), elements=units)
    collateral, debt = (
        data.draw(numbers) / PRICES.to_numpy(),
        data.draw(numbers) / PRICES.to_numpy(),
    )
    debt[~collateral.any(axis=1)] = 0.0
    thresholds = THRESHOLDS[sorted(taken)]
    debts = sorted(named) or (["USDC"] if VENUES[venue].named else None)
    book = Book(ASSETS, collateral, debt, np.arange(n))
    oracle = plain(book, venue, thresholds, debts)
    assume(oracle)
    found = split(book, venue, PRICES, thresholds, debts)

    sums = {side: np.zeros((n, 4)) for side in ("collateral", "debt")}
    for side, total in sums.items():
        np.add.at(total, found.parent, getattr(found.book, side))
        left = found.unmapped[found.unmapped["side"] == side]
        np.add.at(total, (left["account"], left["asset"].cat.codes), left["units"])
        np.testing.assert_allclose(total, getattr(book, side), rtol=1e-12)
    assert (found.unmapped["units"] > 0).all()
    asset = found.unmapped["asset"].astype(str)
    np.testing.assert_allclose(
        found.unmapped["dollars"], found.unmapped["units"] * PRICES[asset].array
    )
    assert found.summary[["collateral", "debt"]].to_numpy().sum() == pytest.approx(
        found.unmapped["dollars"].sum()
    )

    before = book.health_factor(PRICES, thresholds).to_numpy()[found.parent]
    after = found.book.health_factor(PRICES, thresholds).to_numpy()
    owing = np.isfinite(after)
    np.testing.assert_allclose(after[owing], before[owing], rtol=1e-12)
    assert (found.parent[:-1] <= found.parent[1:]).all()

    form = VENUES[venue]
    assert not form.one_collateral or ((found.book.collateral > 0).sum(axis=1) == 1).all()
    assert not form.one_debt or ((found.book.debt > 0).sum(axis=1) <= 1).all()
    lots = defaultdict(float)
    for lot, n_ in enumerate(found.parent):
        held, owed = (
            np.flatnonzero(side[lot]) for side in (found.book.collateral, found.book.debt)
        )
        k = ASSETS[held[0]] if form.one_collateral else ""
        j = ASSETS[owed[0]] if form.one_debt and owed.size else ""
        for i in held:
            lots[n_, k, j, "collateral", ASSETS[i]] += found.book.collateral[lot, i]
        for i in owed:
            lots[n_, k, j, "debt", ASSETS[i]] += found.book.debt[lot, i]
    assert lots.keys() == oracle.keys()
    for key, amount in oracle.items():
        assert lots[key] == pytest.approx(amount, rel=1e-11)
