"""Fund, waterfall and deleveraging: numbers by hand, conservation, order, bad input."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.systemic.losses.mutual import (
    WAYS,
    Deleveraged,
    Socialised,
    cover,
    deleverage,
    fund_size,
    layers,
    scores,
    waterfall,
)

MONEY = st.floats(0.0, 1e9, allow_subnormal=False)

# a long of 20 went bankrupt at 100, the mark is 90: 10 a unit is lost; these are short
SHORTS = pd.DataFrame(
    {
        "quantity": [-10.0, -10.0, -20.0, -5.0],
        "entry": [120.0, 100.0, 80.0, 180.0],
        "bankruptcy": [108.0, 99.0, 135.0, 270.0],
    },
    index=["A", "B", "C", "D"],
)
MEMBERS = pd.DataFrame(
    {"claim": [100.0, 50.0, 40.0, 10.0], "profit": [20.0, -5.0, 60.0, 0.0]}, index=list("WXYZ")
)


@st.composite
def books(draw, side=None):
    """Opposite positions, their mark, and the price at which the other side went bankrupt."""
    mark = draw(st.floats(1.0, 1e4))
    side = side or draw(st.sampled_from([-1.0, 1.0]))
    n = draw(st.integers(1, 8))
    part = st.floats(0.01, 0.9)
    rows = [
        {
            "quantity": side * draw(st.floats(0.01, 100.0)),
            "entry": mark * draw(st.floats(0.3, 3.0)),
            "bankruptcy": mark * (1 - side * draw(part)),
        }
        for _ in range(n)
    ]
    return pd.DataFrame(rows), mark, mark * (1 - side * draw(part))


def queue_by_hand(positions, mark, wanted):
    """The plain twin: the account with the highest score gives first."""
    ranked = []
    for account, row in positions.iterrows():
        side = 1.0 if row.quantity > 0 else -1.0
        value, cost = side * mark, side * row.entry
        pnl = (value - cost) / abs(cost)
        leverage = abs(value) / (value - side * row.bankruptcy)
        ranked.append((-(pnl * leverage if pnl > 0 else pnl / leverage), len(ranked), account))
    closed = dict.fromkeys(positions.index, 0.0)
    for _, _, account in sorted(ranked):
        closed[account] = min(abs(positions.loc[account, "quantity"]), wanted)
        wanted -= closed[account]
    return closed


def test_scores_by_hand():
    # A: PnL 30/120 = ¼, leverage 900/180 = 5; B: 0.1 × 10; C loses: −0.125/2; D: 0.5 × 0.5
    found = scores(SHORTS, 90.0)
    assert found.to_dict() == pytest.approx({"A": 1.25, "B": 1.0, "C": -0.0625, "D": 0.25})
    longs = SHORTS.assign(quantity=10.0, entry=[60.0, 90.0, 100.0, 72.0], bankruptcy=45.0)
    # leverage 2: PnL 50 %, 0, −10 %, 25 %
    assert scores(longs, 90.0).tolist() == pytest.approx([1.0, 0.0, -0.05, 0.5])


def test_among_losers_the_higher_leverage_stands_first():
    losers = SHORTS.assign(entry=80.0, bankruptcy=[91.0, 100.0, 135.0, 200.0])
    assert scores(losers, 90.0).rank().tolist() == [4.0, 3.0, 2.0, 1.0]


def test_positions_are_closed_in_order_and_the_last_one_in_part():
    found = deleverage(SHORTS, 22.0, 100.0, 90.0)
    assert found.index.tolist() == ["A", "B", "D", "C"]
    assert found["closed"].tolist() == [10.0, 10.0, 2.0, 0.0]
    assert found["left"].tolist() == [0.0, 0.0, -3.0, -20.0]
    assert found["forgone"].tolist() == [100.0, 100.0, 20.0, 0.0]
    assert found["forgone"].sum() == 22.0 * (100.0 - 90.0)
    assert found["realised"].tolist() == [200.0, 0.0, 160.0, 0.0]
    # B had 90 of equity and gives 100: it owes 10 itself
    assert found["equity"].tolist() == pytest.approx([80.0, -10.0, 880.0, 900.0])


def test_the_published_example_of_bitmex():
    # support article 18589621443357: six longs scored 6, 5, 4, 3, 2, 1; a short of 20 is bankrupt
    quantity = pd.Series({2: 10.0, 5: 20.0, 4: 30.0, 1: 10.0, 6: 10.0, 3: 20.0}).sort_index()
    wanted = pd.Series({1: 3.0, 2: 6.0, 3: 1.0, 4: 4.0, 5: 5.0, 6: 2.0})
    longs = pd.DataFrame({"quantity": quantity, "entry": 1000 / (1 + wanted), "bankruptcy": 0.0})
    assert scores(longs, 1000.0).to_dict() == pytest.approx(wanted.to_dict())
    found = deleverage(longs, -20.0, 650.0, 1000.0)
    assert found["closed"].to_dict() == {2: 10.0, 5: 10.0, 4: 0.0, 1: 0.0, 6: 0.0, 3: 0.0}
    assert found.loc[5, "left"] == 10.0


def test_equal_scores_give_in_the_order_given():
    twins = pd.concat([SHORTS.loc[["D", "A"]]] * 20, ignore_index=True)
    twins["quantity"] = -np.linspace(0.1, 4.0, 40)  # whatever their size
    closed = deleverage(twins, 6.0, 100.0, 90.0)["closed"]
    assert closed.index.tolist() == [*range(1, 40, 2), *range(0, 40, 2)]
    assert closed.iloc[:5].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert closed[9] + closed[11] + closed[13] == pytest.approx(1.0 + 1.2 + 1.4)
    assert closed[15] == pytest.approx(0.4)
    assert closed.sum() == pytest.approx(6.0)


@settings(max_examples=150, deadline=None)
@given(books(), st.floats(0.01, 500.0))
def test_deleveraging_passes_on_exactly_what_it_closes(book, wanted):
    positions, mark, bankruptcy = book
    held = positions["quantity"].abs()
    quantity = -np.sign(positions["quantity"][0]) * wanted
    found = deleverage(positions, quantity, bankruptcy, mark)
    closed, gap = found["closed"], abs(bankruptcy - mark)
    assert closed.sum() == pytest.approx(min(wanted, held.sum()))
    assert found["forgone"].sum() == pytest.approx(min(wanted, held.sum()) * gap)
    assert closed.reindex(held.index).between(0.0, held).all()
    assert found["score"].is_monotonic_decreasing
    partial = (closed > 0) & (closed < held.reindex(closed.index))
    assert partial.sum() <= 1
    by_hand = queue_by_hand(positions, mark, wanted)
    assert closed.to_dict() == pytest.approx(by_hand, rel=1e-9, abs=1e-9)
    units = positions["quantity"].reindex(found.index) - found["left"]
    at_mark = units * (mark - positions["entry"].reindex(found.index))
    np.testing.assert_allclose(at_mark - found["realised"], found["forgone"], rtol=1e-9, atol=1e-6)
    more = deleverage(positions, quantity * 1.5, bankruptcy, mark)["forgone"]
    assert (more.reindex(found.index) >= found["forgone"] - 1e-9).all()


def test_socialised_by_claims_and_by_profits():
    assert Socialised(MEMBERS).bear(50.0).tolist() == [25.0, 12.5, 10.0, 2.5]
    clawed = Socialised(MEMBERS, "profits")  # Y won 60 and has withdrawn 20 of it
    assert clawed.capacity == 60.0
    assert clawed.bear(30.0).tolist() == [10.0, 0.0, 20.0, 0.0]
    assert Socialised(MEMBERS, limit=0.25).capacity == 50.0
    assert set(WAYS) == {"claims", "profits"}


def test_a_waterfall_by_hand():
    # 300 lost: fund 60; shorts of 45 units at 10 each could bear 450 and take 240 by their rank
    adl = Deleveraged(SHORTS, 100.0, 90.0)
    assert adl.capacity == 450.0
    found = waterfall(300.0, 60.0, [adl, Socialised(MEMBERS)])
    assert found.layers.to_dict() == {
        "fund": 60.0,
        "deleveraged": 240.0,
        "socialised": 0.0,
        "uncovered": 0.0,
    }
    assert found.borne["deleveraged"].to_dict() == {"A": 100, "B": 100, "C": 0, "D": 40}
    assert found.borne["socialised"].tolist() == [0.0] * 4
    # the other way round: 25 % of the claims first
    found = waterfall(300.0, 60.0, [Socialised(MEMBERS, limit=0.25), adl])
    assert found.layers.tolist() == [60.0, 50.0, 190.0, 0.0]
    assert found.borne["deleveraged"].to_dict() == {"A": 100, "B": 90, "C": 0, "D": 0}
    found = waterfall(800.0, 60.0, [adl, Socialised(MEMBERS)])
    assert found.layers.tolist() == [60.0, 450.0, 200.0, 90.0]
    assert found.borne["socialised"].tolist() == MEMBERS["claim"].tolist()
    assert waterfall(50.0, 60.0, []).layers.to_dict() == {"fund": 50.0, "uncovered": 0.0}


@settings(max_examples=150, deadline=None)
@given(
    st.floats(0.0, 2e4),
    st.floats(0.0, 5e3),
    st.lists(st.tuples(st.floats(0.0, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=6),
    st.sampled_from(sorted(WAYS)),
    st.floats(0.0, 1.0),
    books(),
    st.booleans(),
)
def test_a_waterfall_conserves_the_loss(loss, fund, rows, way, limit, book, swap):
    members = pd.DataFrame(rows, columns=["claim", "profit"])
    positions, mark, bankruptcy = book
    remedies = [Socialised(members, way, limit), Deleveraged(positions, bankruptcy, mark)]
    remedies = remedies[::-1] if swap else remedies
    found = waterfall(loss, fund, remedies)
    assert found.layers.sum() == pytest.approx(loss, rel=1e-12, abs=1e-12)
    assert (found.layers >= 0).all()
    assert found.layers["fund"] == min(loss, fund)
    for remedy in remedies:
        given_up = found.borne[remedy.name]
        assert given_up.sum() == pytest.approx(found.layers[remedy.name], rel=1e-9, abs=1e-9)
        assert (given_up >= 0).all()
    cut = found.borne["socialised"]
    assert (cut <= limit * members["claim"] + 1e-9).all()
    if way == "profits":
        assert (cut <= members["profit"].clip(lower=0) + 1e-9).all()
    if found.layers["uncovered"] > 0:  # nobody is spared while something stays uncovered
        for remedy in remedies:
            assert found.layers[remedy.name] == pytest.approx(remedy.capacity)
    richer = waterfall(loss, fund + 10.0, remedies)
    assert richer.layers["uncovered"] <= found.layers["uncovered"] + 1e-9
    worse = waterfall(loss + 10.0, fund, remedies)
    assert (worse.layers >= found.layers - 1e-9).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(MONEY, min_size=1, max_size=5), st.lists(MONEY, max_size=4))
def test_layers_are_paid_in_order(losses, sizes):
    capacities = {f"layer {k}": size for k, size in enumerate(sizes)}
    found = layers(np.array(losses), capacities)
    assert found.columns.tolist() == [*capacities, "uncovered"]
    np.testing.assert_allclose(found.sum(axis=1), losses, rtol=1e-12)
    for row, loss in enumerate(losses):
        attach = 0.0
        for name, size in capacities.items():
            share = min(max(loss - attach, 0.0), size)
            assert found.loc[row, name] == pytest.approx(share, rel=1e-9, abs=1e-6)
            attach += size


def test_layers_keep_the_labels_of_the_losses():
    found = layers(pd.Series({"mild": 5.0, "severe": 30.0}), {"fund": 20.0})
    assert found.loc["severe"].to_dict() == {"fund": 20.0, "uncovered": 10.0}


def test_a_fund_by_hand():
    stressed = pd.DataFrame(
        {"P": [1.0, 9.0, 0.0], "Q": [5.0, 0.0, 8.0], "R": [7.0, 2.0, 3.0]},
        index=["mild", "crash", "depeg"],
    )
    assert cover(stressed).to_dict() == {"mild": 12.0, "crash": 11.0, "depeg": 11.0}
    assert cover(stressed, 1).tolist() == [7.0, 9.0, 8.0]
    # the worst 2 of 20 losses, 10 and 6: ES 8; their error: (x − 5)⁺ is 5, 1 and zeros
    simulated = np.array([10.0, 6.0, 5.0, *([0.0] * 17)])
    found = fund_size(simulated, stressed, confidence=0.9, coverage=0.9)
    assert found.shortfall == pytest.approx(8.0)
    assert found.beyond == pytest.approx(2.0)
    error = math.sqrt((26 / 20 - 0.3**2) / 20) / 0.1
    assert found.high - found.shortfall == pytest.approx(1.6448536 * error)
    assert found.low == pytest.approx(max(8.0 - 1.6448536 * error, 0.0))
    assert (found.cover, found.scenario, found.members) == (12.0, "mild", ("R", "Q"))
    assert found.size == 12.0
    assert fund_size(simulated, stressed * 0.5, confidence=0.9).size == pytest.approx(8.0)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(11)
    stressed = pd.DataFrame([[0.0, 0.0]])
    truth = 1.0 - math.log(0.05)  # ES of an exponential loss
    held = 0
    for _ in range(300):
        found = fund_size(rng.exponential(size=4_000), stressed, 0.95, 0.80)
        held += found.low <= truth <= found.high
    assert held / 300 == pytest.approx(0.80, abs=3 * math.sqrt(0.8 * 0.2 / 300))


def test_an_interval_does_not_go_below_zero():
    found = fund_size(np.r_[100.0, np.zeros(99)], pd.DataFrame([[1.0, 2.0]]), 0.9, 0.99)
    assert found.low == 0.0


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1e6), min_size=3, max_size=3), min_size=1, max_size=5),
    st.integers(1, 3),
)
def test_cover_is_between_the_largest_member_and_all_of_them(rows, members):
    stressed = pd.DataFrame(rows)
    found = cover(stressed, members)
    assert (found >= stressed.max(axis=1)).all()
    assert (found <= stressed.sum(axis=1) * (1 + 1e-12)).all()
    by_hand = [sum(sorted(row)[-members:]) for row in rows]
    assert found.tolist() == pytest.approx(by_hand, rel=1e-12)


def stressed(**changes):
    return pd.DataFrame({"P": [1.0, 2.0], "Q": [3.0, 4.0]} | changes, index=["mild", "crash"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fund_size([-1.0, 2.0], stressed()), DataError, "simulated loss is -1"),
        (lambda: fund_size([math.nan], stressed()), EstimationError, "finite numbers"),
        (lambda: fund_size([], stressed()), EstimationError, "at least one"),
        (lambda: fund_size([1.0], stressed(), 1.5), ParameterError, "confidence is 1.5"),
        (lambda: fund_size([1.0], stressed(), 0.9, 90), ParameterError, r"coverage is 90.*0\.9"),
        (lambda: cover(stressed(), 3), DataError, "2 scenarios of 2 members; give at least one"),
        (lambda: cover(stressed(), 0), ParameterError, "members is 0"),
        (lambda: cover(stressed().iloc[:0]), DataError, "0 scenarios"),
        (lambda: cover(stressed(Q=[3.0, -4.0])), DataError, "'Q' of 'crash' in stressed losses is"),
        (lambda: cover(stressed(Q=[math.nan, 1.0])), DataError, "'Q' of 'mild'.*nan"),
        (lambda: cover(stressed().set_axis(["P", "P"], axis=1)), DataError, "'P' twice; merge"),
        (lambda: cover(stressed().set_axis(["x", "x"])), DataError, "'x' twice"),
        (lambda: layers(np.array([-1.0]), {}), DataError, "losses are negative"),
        (lambda: layers(np.array([math.nan]), {}), DataError, "not finite"),
        (lambda: layers(np.ones(1), {"fund": -1.0}), ParameterError, "capacity of fund is -1"),
        (lambda: waterfall(-1.0, 0.0, []), ParameterError, "loss is -1"),
        (lambda: waterfall(1.0, math.inf, []), ParameterError, "fund is inf"),
        (lambda: waterfall(1.0, 0.0, [Socialised(MEMBERS)] * 2), ParameterError, "the same kind"),
        (lambda: Socialised(MEMBERS, "lottery"), ParameterError, "'lottery'; choose one of"),
        (lambda: Socialised(MEMBERS, limit=1.1), ParameterError, r"limit is 1\.1"),
        (lambda: Socialised(-MEMBERS), DataError, "'claim' of 'W' in members is -100"),
        (lambda: Socialised(MEMBERS[["claim"]], "profits"), DataError, r"lack the columns \['prof"),
        (lambda: Socialised(MEMBERS).bear(201.0), ParameterError, "capacity of 200"),
        (lambda: Socialised(MEMBERS).bear(-1.0), ParameterError, "loss is -1"),
        (lambda: Deleveraged(SHORTS, 90.0, 90.0), ParameterError, "loses nothing"),
        (lambda: Deleveraged(SHORTS, 80.0, 90.0), DataError, "'A' is on the bankrupt side"),
        (lambda: deleverage(SHORTS, -5.0, 100.0, 90.0), ParameterError, "loses nothing at 90"),
        (lambda: deleverage(SHORTS, 0.0, 100.0, 90.0), ParameterError, "loses nothing"),
        (lambda: deleverage(SHORTS, math.nan, 100.0, 90.0), ParameterError, "quantity is nan"),
        (lambda: deleverage(SHORTS, 5.0, -1.0, 90.0), ParameterError, "bankruptcy is -1"),
        (lambda: scores(SHORTS, 0.0), ParameterError, "mark is 0"),
        (lambda: scores(SHORTS, 100.0), DataError, "'B' is bankrupt itself at 100; liquidate"),
        (lambda: scores(SHORTS.assign(entry=0.0), 90.0), DataError, "'A' has an entry"),
        (lambda: scores(SHORTS.assign(quantity=0.0), 90.0), DataError, "'A' has no quantity"),
        (lambda: scores(SHORTS.assign(entry=math.inf), 90.0), DataError, "'entry' of 'A'.*inf"),
        (lambda: scores(SHORTS.drop(columns="entry"), 90.0), DataError, "lack the columns"),
        (lambda: scores(pd.concat([SHORTS] * 2), 90.0), DataError, "positions hold 'A' twice"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
