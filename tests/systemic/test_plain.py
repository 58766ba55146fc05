"""Without prices that sales move, every venue ends as in its own replay, bit for bit."""

import pytest

from tests.liquidation.agreement import assert_alike
from tests.liquidation.cases import ENGINES, WORLDS
from tests.systemic.cases import episode_of, market_from_one, plain, system_of, venue_of
from xcoll.systemic.cascade import cascade


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("steps", [1, 24])
def test_one_venue_without_impact_is_its_replay(engine, world, steps):
    served = 0
    for seed in (3, 4):
        close, low = market_from_one(seed)
        venue, around = venue_of("one", ENGINES[engine], seed), WORLDS[world]
        theirs = plain(venue, close, low, steps, around)
        episode = episode_of(close, low, steps, around)
        mine = cascade(system_of([venue], around), episode).venues["one"]
        assert_alike(mine, theirs, by_asset=False)
        served += (mine.column("calls") > 0).sum()
    assert served > 5


@pytest.mark.parametrize("world", [name for name, one in WORLDS.items() if not one.shared])
def test_venues_that_share_nothing_are_each_their_own_replay(world):
    around = WORLDS[world]
    close, low = market_from_one(5)
    venues = [venue_of(name, engine, n) for n, (name, engine) in enumerate(ENGINES.items())]
    found = cascade(system_of(venues, around), episode_of(close, low, 24, around))
    for venue in venues:
        theirs = plain(venue, close, low, 24, around)
        assert_alike(found.venues[venue.name], theirs, by_asset=False)
