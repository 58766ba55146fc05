"""Markets, books and rules that the tests of the margin floor share."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from xcoll.margin import venues
from xcoll.margin.book import book
from xcoll.margin.draws import Draws
from xcoll.margin.instruments import Instruments, future, option, perpetual, spot
from xcoll.margin.market import Market, quote
from xcoll.margin.options.surface import Smile, Surface
from xcoll.margin.rules.covered import Covered
from xcoll.margin.rules.grid import Grid
from xcoll.margin.rules.simulated import Simulated
from xcoll.workbook.files import read_yaml

__all__ = [
    "FAR",
    "NEAR",
    "SPOT",
    "STRIKES",
    "TIME",
    "bundled",
    "drawn_book",
    "drawn_draws",
    "drawn_market",
    "drawn_spreads",
    "excess",
    "flat",
    "held",
    "listed",
    "market",
    "plain_grid",
    "quoted",
    "rows",
    "rules",
    "shuffled",
    "single",
    "skewed",
]

TIME = pd.Timestamp("2024-01-01 08:00")
NEAR, FAR = "2024-01-12 08:00", "2024-06-28 08:00"  # on either side of thirty days
SPOT = {"BTC": 40_000.0, "ETH": 2_000.0}
STRIKES = {"BTC": (32_000, 40_000, 50_000), "ETH": (1_500, 2_000, 2_600)}


@cache
def listed(assets=("BTC", "ETH")):
    """Of each asset spot, perpetual, two futures, and calls and puts at three strikes on both."""
    made = []
    for asset in assets:
        made += [spot(asset), perpetual(asset), future(asset, NEAR), future(asset, FAR)]
        made += [
            option(asset, expiry, strike, right)
            for expiry in (NEAR, FAR)
            for strike in STRIKES[asset]
            for right in ("call", "put")
        ]
    return Instruments.of(made)


@cache
def skewed(asset):
    return Surface.from_ssvi(asset, (0.03, 0.25, 1.0), (0.75, 0.65, 0.6), -0.3, 1.1, 0.4)


@cache
def flat(asset, sigma):
    return Surface(asset, (Smile(1.0, [0.0], [sigma]),))


def market(**changes):
    """One moment of BTC and ETH, with skewed surfaces, carry, premium and haircuts."""
    given = {
        "time": TIME,
        "spot": pd.Series(SPOT),
        "surfaces": {asset: skewed(asset) for asset in SPOT},
        "carry": pd.Series({"BTC": 0.08, "ETH": -0.03}),
        "premium": pd.Series({"BTC": 0.001, "ETH": -0.002}),
        "rate": 0.04,
        "haircut": pd.Series({"BTC": 0.1, "ETH": 0.15}),
    }
    return Market(**(given | changes))


def drawn_market(rng):
    """The same with prices, carry, premium, funding and rate at random."""
    assets = list(SPOT)
    return market(
        spot=pd.Series(SPOT) * np.exp(rng.normal(0.0, 0.2, 2)),
        carry=pd.DataFrame(rng.normal(0.0, 0.1, (2, 2)), index=[0.02, 0.6], columns=assets),
        premium=pd.Series(rng.normal(0.0, 0.002, 2), assets),
        funding=pd.Series(rng.normal(0.0, 0.3, 2), assets),
        rate=rng.uniform(0.0, 0.1),
    )


def quoted(**changes):
    return quote(listed(), market(**changes))


def rows(*positions):
    return pd.DataFrame(positions, columns=["account", "instrument", "quantity"])


def held(positions, cash=None, instruments=None):
    """One account with these quantities by name."""
    frame = rows(*(("a", name, quantity) for name, quantity in positions.items()))
    return book(instruments or listed(), frame, None if cash is None else pd.Series({"a": cash}))


def single(instrument, quantity, **changes):
    """A book of one position in an instrument that is listed alone, and its quotes."""
    alone = Instruments.of([instrument])
    return held({instrument.name: quantity}, instruments=alone), quote(alone, market(**changes))


def drawn_book(rng, accounts=1, legs=6):
    """Some legs of each account at random, entered at random, with cash."""
    frame = listed().frame
    names, asset, held = frame.index, frame["asset"].to_dict(), []
    for n in range(accounts):
        for name in rng.choice(names, min(rng.integers(1, legs + 1), len(names)), replace=False):
            size = 1_000.0 / SPOT[asset[name]]
            held.append((f"account {n}", name, rng.normal() * size * rng.choice([1.0, 30.0])))
    positions = rows(*held)
    scale = np.array([SPOT[asset[name]] for name in positions["instrument"]])
    entry = np.where(rng.random(len(held)) < 0.5, scale * rng.uniform(0.8, 1.2), np.nan)
    cash = pd.Series(rng.normal(0.0, 1e4, accounts), [f"account {n}" for n in range(accounts)])
    return book(listed(), positions.assign(entry=entry), cash)


def drawn_spreads(rng, accounts=4):
    """Pairs of options against each other, some with a perpetual: little moves near the money."""
    frame, positions = listed().frame, []
    for n in range(accounts):
        asset = rng.choice(list(SPOT))
        options = frame.index[(frame["asset"] == asset) & (frame["kind"] == "option")]
        size = 10.0 ** rng.uniform(-1.0, 5.0) * 1_000.0 / SPOT[asset]
        one, two = rng.choice(options, 2, replace=False)
        positions += [
            (f"account {n}", one, size),
            (f"account {n}", two, -rng.uniform(0.9, 2) * size),
        ]
        if rng.random() < 0.5:
            positions.append((f"account {n}", f"{asset}-PERP", rng.uniform(-1.0, 1.0) * size))
    return book(listed(), rows(*positions))


def drawn_draws(rng, n=200, elapsed=2 / 365, assets=tuple(SPOT)):
    shape = n, len(assets)
    return Draws(
        assets=assets,
        price=np.expm1(0.08 * rng.standard_t(4, shape).clip(-20, 20)),
        variance=np.exp(rng.normal(0.0, 0.3, shape)),
        level=np.exp(rng.normal(0.0, 0.3, len(assets))),
        carry=rng.normal(0.0, 0.02, shape),
        premium=rng.normal(0.0, 0.001, shape),
        elapsed=elapsed,
    )


@cache
def bundled():
    data = Path(__file__).parents[2] / "data"
    return venues.parse(read_yaml(data / "venues.yaml"))


def plain_grid(**fields):
    """A grid of ±15 % and three states of volatility, and nothing else unless given."""
    given = {
        "name": "plain",
        "rule": "grid",
        "source": "for tests",
        "date": "2024-01-01",
        "range": 0.15,
        "steps": 3,
        "volatility": {"up": 0.45, "down": 0.30, "short": 0.30, "long": 0.13},
        "initial": {"factor": 1.3},
    }
    return Grid.model_validate(given | fields)


@cache
def rules():
    """Every kind of rule, and grids with all that a configuration can ask for."""
    draws = drawn_draws(np.random.default_rng(5))
    full = {
        "extended": {"moves": [-0.5, 0.5, 2.0], "weight": 0.3, "dampener": 100},
        "gains": {"factor": 0.9, "rate": 4.0, "add": 0.05},
        "contingencies": {
            "option": 0.01,
            "perpetual": 0.02,
            "future": 0.03,
            "spot": 0.04,
            "offset": 0.01,
            "basis": {"move": 0.3, "add": 0.9, "slope": 0.1},
        },
    }
    return bundled() | {
        "plain": plain_grid(),
        "full": plain_grid(**full),
        "together": plain_grid(together=[list(SPOT)], **full),
        "covered": Covered(),
        "es": Simulated(draws, 0.97, "es"),
        "var": Simulated(draws, 0.97, "var"),
    }


def excess(rule, given, quotes):
    """Equity less maintenance by account."""
    return given.equity(quotes).to_numpy() - rule.totals(given, quotes)


def shuffled(given, order):
    """The same positions in another order."""
    return replace(
        given,
        account=given.account[order],
        instrument=given.instrument[order],
        quantity=given.quantity[order],
        entry=given.entry[order],
        layouts={},
    )
