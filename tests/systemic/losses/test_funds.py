"""Funds: what is summed by user, which is the larger of two sizes, what a shared one saves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.systemic import small
from tests.systemic.trio import LAW, MOVING, trio
from xcoll.errors import DataError
from xcoll.estimators.tail import historical
from xcoll.liquidation.engines import exchange
from xcoll.liquidation.rulebooks import Exchange
from xcoll.systemic import shocks
from xcoll.systemic.cascade import cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.losses import funds
from xcoll.systemic.system import System


@pytest.fixture(scope="module")
def system():
    return trio()


@pytest.fixture(scope="module")
def drawn(system):
    moves = LAW.draw(400, np.random.default_rng(5))
    return shocks.run(system, MOVING, 1.5 * moves, shocks.Shocks("4h", 1, 1))


def fallen(system, size):
    fall = pd.Series([-size, -size, -size, -size, 0.0], system.assets)
    return cascade(system, Episode.of_shock(fall))


def test_losses_by_user_are_the_bad_debt_and_what_funds_paid(system):
    found = fallen(system, 0.45)
    lost = funds.losses_by_user(found)
    assert found.bad_debt.sum() > 0
    for name in system.names:
        covered = found.venues[name].column("covered").sum()
        assert lost[name].sum() == pytest.approx(found.bad_debt[name] + covered)
    assert found.venues["exchange"].column("covered").sum() > 3_000  # and fees that came in
    everybody = len(np.unique(system.layout.users))
    assert lost.index.get_level_values("user").nunique() == everybody


def test_simulated_losses_are_before_any_fund(system, drawn):
    gross = funds.simulated(drawn)
    covered = drawn.column("covered")
    assert covered.sum() > 0
    np.testing.assert_array_equal(gross, drawn.column("lost") + covered)


def test_sizes_by_hand():
    """Two venues, three users; one user owes at both."""
    drawn = pd.DataFrame({"a": np.arange(1_000.0), "b": np.zeros(1_000)})
    users = pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]], names=["venue", "user"])
    stressed = {
        "mild": pd.Series([5.0, 0, 0, 0, 0, 0], users),
        "wild": pd.Series([400.0, 700.0, 300.0, 30.0, 0.0, 20.0], users),
    }
    table = funds.sizes(drawn, stressed, 0.99).set_index("venue")
    assert table.loc["a", "es"] == pytest.approx(historical(np.arange(1_000.0), 0.99).es)
    assert table.loc["a", "es_low"] < table.loc["a", "es"] < table.loc["a", "es_high"]
    assert table["cover"].to_dict() == {"a": 1100.0, "b": 50.0, funds.ALL: 700.0 + 430.0}
    assert (table["scenario"] == "wild").all()
    assert table["size"].tolist() == [1100.0, 50.0, 1130.0]
    calm = funds.sizes(drawn, {"mild": 0.0 * stressed["mild"]}, 0.99).set_index("venue")
    assert (calm["scenario"] == "none").all()
    assert calm.loc["a", "size"] == calm.loc["a", "es"]


def test_sharing_never_needs_more_than_all_of_their_own(system, drawn):
    cases = {f"{size:.0%}": funds.losses_by_user(fallen(system, size)) for size in (0.3, 0.45)}
    table = funds.sizes(funds.simulated(drawn), cases).set_index("venue")
    own, shared = table.drop(index=funds.ALL), table.loc[funds.ALL]
    for way in ("es", "cover"):  # both are subadditive
        assert 0 < shared[way] <= own[way].sum() * (1 + 1e-12)
    assert shared["scenario"] == "45%"


def test_no_scenario_is_an_error():
    with pytest.raises(DataError, match="no scenario to cover"):
        funds.sizes(pd.DataFrame({"a": [1.0]}), {})


def test_what_a_fund_does_not_pay_is_cut_from_balances():
    """Prices fall by half: 80 owed against 50, so 30 are lost; two others keep 50 and 40."""
    engine = Exchange(exchange.Rules(maintenance=0.1, fee=0.0))
    one = small.venue(
        "one", np.outer([100, 100, 100], [1, 0, 0]), np.outer([80, 0, 10], [0, 0, 1]), engine=engine
    )
    found = cascade(System([one]), Episode.of_shock(pd.Series([-0.5, 0, 0], small.ASSETS)))
    assert funds.balances(found, "one")["claim"].tolist() == pytest.approx([0.0, 50.0, 40.0])
    for fund, paid in ((0.0, 0.0), (12.0, 12.0), (99.0, 30.0)):
        done = funds.pass_on(found, "one", fund)
        assert done.layers.to_dict() == pytest.approx(
            {"fund": paid, "socialised": 30.0 - paid, "uncovered": 0.0}
        )
        cut = (30.0 - paid) / 90.0
        assert done.borne["socialised"].tolist() == pytest.approx([0.0, 50 * cut, 40 * cut])
    own = replace(one, engine=replace(engine, fund=7.0))  # a fund that it has already
    again = cascade(System([own]), found.episode)
    assert again.bad_debt["one"] == pytest.approx(23.0)
    assert funds.losses_by_user(again).sum() == pytest.approx(30.0)
