"""Maker: what goes to auction, how its price falls, and what a bid may do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.engines.samples import single
from xcoll.errors import ParameterError
from xcoll.liquidation.engines import maker
from xcoll.liquidation.engines.maker import Auction, bark, needs_reset, price, redo, take

RULES = maker.Rules(
    buf=1.2, cut=0.99, step=90, tail=7_200, cusp=0.4, chop=1.13, hole=1e6, dust=1_000
)  # of round numbers
CLEAN = replace(RULES, dust=0.0)
positive = st.floats(1e-3, 1e6)


def test_a_vault_is_closed_under_its_liquidation_ratio():
    assert not maker.liquidatable(single(1_450.0, 1_000.0, 1 / 1.45))
    assert maker.liquidatable(single(1_449.0, 1_000.0, 1 / 1.45))


def test_the_auction_of_a_vault():
    auction = bark(10.0, 5_000.0, 700.0, RULES, room=1e6, started=30.0)
    assert (auction.lot, auction.due, auction.started) == (10.0, 5_000.0, 30.0)
    assert auction.tab == pytest.approx(5_650.0)
    assert auction.top == pytest.approx(840.0)


@pytest.mark.parametrize(
    ("debt", "room", "due"),
    [
        (5_000.0, 2_260.0, 2_000.0),  # 2,260 = 2,000·chop
        (5_000.0, 5_085.0, 5_000.0),  # 4,500 would leave 500: all, though the room is less
        (5_000.0, 4_519.0, 4_519 / 1.13),  # leaves a little more than the dust
        (5_000.0, 1_129.0, None),  # 999 is dust itself
        (1_500.0, 1_130.0, 1_500.0),  # would leave 500: all
        (900.0, 10.0, 900.0),  # a dusty vault goes whole
        (5_000.0, 0.0, None),
        (5_000.0, 5e-324, None),  # nothing to sell
        (0.0, 1e6, None),
    ],
)
def test_a_small_room_makes_a_part_unless_dust_is_left(debt, room, due):
    auction = bark(10.0, debt, 700.0, RULES, room)
    if due is None:
        assert auction is None
    else:
        assert auction.due == pytest.approx(due)
        assert auction.lot == pytest.approx(10 * due / debt)


@settings(max_examples=300)
@given(
    collateral=positive,
    debt=positive,
    room=st.just(0.0) | st.floats(1e-3, 1e6),
    dust=st.floats(0, 1e5),
)
def test_no_auction_leaves_dust_or_goes_far_beyond_the_room(collateral, debt, room, dust):
    rules = replace(RULES, dust=dust)
    auction = bark(collateral, debt, 1.0, rules, room)
    part = room / rules.chop
    if auction is None:
        assert room == 0 or (part < dust and debt - part >= dust * (1 - 1e-12))
        return
    assert 0 < auction.lot <= collateral
    assert auction.tab == auction.due * rules.chop
    assert auction.lot / collateral == pytest.approx(auction.due / debt, rel=1e-12)
    if auction.due < debt:
        assert min(auction.due, debt - auction.due) >= dust * (1 - 1e-12)
        assert auction.tab == pytest.approx(room)
    else:
        assert auction.tab <= max(room, room + rules.chost) * (1 + 1e-12)


def test_a_stairstep_falls_by_cut_at_each_step():
    auction = Auction(10.0, 100.0, 90.0, top=100.0, started=0.0)
    assert price(auction, 0.0, RULES) == 100.0
    assert price(auction, 89.999, RULES) == 100.0
    assert price(auction, 90.0, RULES) == 99.0
    assert price(auction, 900.0, RULES) == pytest.approx(100 * 0.99**10)


def test_a_linear_price_reaches_zero_at_tau():
    auction = Auction(10.0, 100.0, 90.0, top=100.0, started=0.0)
    linear = replace(RULES, tau=200.0)
    assert [price(auction, t, linear) for t in (0, 50, 150, 200, 300)] == [100, 75, 25, 0, 0]


@given(
    top=positive,
    first=st.floats(0, 1e5),
    later=st.floats(0, 1e5),
    tau=st.none() | st.floats(1, 1e5),
)
def test_the_price_never_rises_with_time(top, first, later, tau):
    auction, rules = Auction(1.0, 1.0, 1.0, top, 0.0), replace(RULES, tau=tau)
    early, late = sorted((first, later))
    assert top >= price(auction, early, rules) >= price(auction, late, rules) >= 0


def test_reset_after_the_tail_or_under_the_cusp():
    auction = Auction(10.0, 100.0, 90.0, top=100.0, started=0.0)
    assert not needs_reset(auction, 7_200.0, 40.0, RULES)
    assert needs_reset(auction, 7_200.1, 99.0, RULES)
    assert needs_reset(auction, 10.0, 39.9, RULES)
    again = redo(auction, 50.0, RULES, started=8_000.0)
    assert again == Auction(10.0, 100.0, 90.0, 60.0, 8_000.0)


def test_worked_bid_pays_the_tab_and_the_rest_goes_back():
    after, paid, bought, returned = take(Auction(40.0, 110.0, 100.0, 5.0, 0.0), 25.0, 5.0, CLEAN)
    assert (paid, bought, returned) == (110.0, 22.0, 18.0)
    assert (after.lot, after.tab) == (0.0, 0.0)


def test_a_lot_that_is_gone_leaves_its_tab_unpaid():
    after, paid, bought, returned = take(Auction(40.0, 300.0, 280.0, 5.0, 0.0), 99.0, 5.0, RULES)
    assert (paid, bought, returned) == (200.0, 40.0, 0.0)
    assert (after.lot, after.tab) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("units", "paid"),
    [
        (100.0, 500.0),  # leaves more than dust
        (600.0, 5_000 - 1_130.0),  # would leave 2,000 − … under dust·chop: a little less
        (774.0, 3_870.0),  # leaves exactly dust·chop
        (900.0, 3_870.0),
        (1_000.0, 5_000.0),  # pays the tab
        (2_000.0, 5_000.0),
    ],
)
def test_a_bid_leaves_a_tab_of_chost_or_none(units, paid):
    auction = Auction(1_500.0, 5_000.0, 4_400.0, 5.0, 0.0)
    result = take(auction, units, 5.0, RULES)
    expected = min(paid, units * 5.0)
    assert result.paid == pytest.approx(expected)
    assert result.bought == pytest.approx(expected / 5)
    assert result.returned == pytest.approx(500.0 if expected == 5_000 else 0.0)


def test_a_small_tab_is_sold_whole_or_not_at_all():
    auction = Auction(300.0, 1_130.0, 1_000.0, 5.0, 0.0)
    assert take(auction, 100.0, 5.0, RULES) == (auction, 0.0, 0.0, 0.0)
    assert take(auction, 226.0, 5.0, RULES).paid == pytest.approx(1_130.0)
    poor = take(auction, 300.0, 3.0, RULES)  # the whole lot pays less than the tab
    assert (poor.paid, poor.bought, poor.auction.tab) == (900.0, 300.0, 230.0)


@settings(max_examples=300)
@given(
    lot=positive,
    tab=positive,
    units=st.floats(0, 2e6),
    asked=st.floats(1e-3, 1e4),
    dust=st.floats(0, 1e5),
)
def test_a_bid_conserves_lot_and_tab(lot, tab, units, asked, dust):
    rules = replace(RULES, dust=dust)
    auction = Auction(lot, tab, tab / 1.13, asked, 0.0)
    after, paid, bought, returned = take(auction, units, asked, rules)
    assert bought + returned + after.lot == pytest.approx(lot, rel=1e-12)
    assert paid + after.tab == pytest.approx(tab, rel=1e-12)
    assert min(paid, bought, returned, after.lot, after.tab) >= 0
    assert bought <= min(lot, units)
    assert paid == pytest.approx(bought * asked, rel=1e-9)
    assert (after.due, after.top) == (auction.due, auction.top)
    if after.lot > 0 and paid > 0:
        assert after.tab >= rules.chost * (1 - 1e-12)
    if returned > 0:
        assert after.tab == 0
        assert after.lot == 0


@given(seed=st.integers(0, 2**32 - 1))
def test_bids_one_after_another_end_the_auction(seed):
    rng = np.random.default_rng(seed)
    auction = bark(rng.uniform(1, 100), rng.uniform(1_000, 1e5), 1_000.0, RULES, 1e6)
    lot, tab, elapsed = auction.lot, auction.tab, 0.0
    paid = bought = returned = 0.0
    while auction.lot > 0:
        elapsed += rng.uniform(0, 300)
        asked = price(auction, elapsed, RULES)
        if needs_reset(auction, elapsed, asked, RULES):
            auction, elapsed = redo(auction, rng.uniform(500, 1_500), RULES), 0.0
            continue
        bid = take(auction, rng.uniform(0.05, 1) * lot, asked, RULES)
        auction, paid = bid.auction, paid + bid.paid
        bought, returned = bought + bid.bought, returned + bid.returned
    assert bought + returned == pytest.approx(lot, rel=1e-12)
    assert paid + auction.tab == pytest.approx(tab, rel=1e-12)
    assert returned == 0 or auction.tab == 0


def test_room_is_what_the_hole_leaves():
    assert RULES.room(4e5) == 6e5
    assert RULES.room(2e6) == 0.0
    assert replace(RULES, hole=np.inf).room(4e5) == np.inf


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cut": 1.0}, "cut is 1"),
        ({"chop": 0.9}, "chop is 0.9"),
        ({"step": 0}, "step is 0"),
        ({"tau": 0.0}, "tau is 0"),
        ({"hole": 0.0}, "hole is 0"),
        ({"dust": -1.0}, "dust is -1"),
    ],
)
def test_bad_rules_are_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        replace(RULES, **changed)
