"""One moment with two assets and what is traded on them, and margin rules to ask about it."""

from pathlib import Path

import pandas as pd

from xcoll.margin import venues
from xcoll.margin.book import book
from xcoll.margin.instruments import Instruments, future, option, perpetual, spot
from xcoll.margin.market import Market, quote
from xcoll.margin.modelled import Implied
from xcoll.margin.rules.grid import Grid
from xcoll.workbook.files import read_yaml

__all__ = [
    "DATA",
    "DERIVE",
    "FAR",
    "LISTED",
    "NEAR",
    "NOW",
    "PLAIN",
    "PRICES",
    "RULES",
    "STANDARD",
    "TIME",
    "held",
    "market",
]

DATA = Path(__file__).resolve().parents[2] / "data"
RULES = venues.parse(read_yaml(DATA / "venues.yaml"))
DERIVE, STANDARD = RULES["derive-portfolio"], RULES["deribit-standard"]
# Moves of the price alone, nothing on top: a measure of risk that is subadditive.
PLAIN = Grid(
    rule="grid",
    name="plain",
    source="these tests",
    date="2024-01-01",
    range=0.15,
    steps=3,
    initial={"factor": 1.3},
)
TIME = pd.Timestamp("2023-01-01")
NEAR, FAR = TIME + pd.Timedelta("30D"), TIME + pd.Timedelta("90D")
LISTED = Instruments.of(
    [
        *(make(asset) for asset in ("BTC", "ETH") for make in (spot, perpetual)),
        *(future(asset, expiry) for asset in ("BTC", "ETH") for expiry in (NEAR, FAR)),
        *(
            option("BTC", expiry, strike, right)
            for expiry in (NEAR, FAR)
            for strike in (36_000.0, 40_000.0, 44_000.0)
            for right in ("call", "put")
        ),
    ]
)
PRICES = pd.Series({"BTC": 40_000.0, "ETH": 2_000.0})
VARIANCE = pd.Series({"BTC": 0.36, "ETH": 0.49})
SURFACES = Implied().surfaces(VARIANCE, VARIANCE)


def market(**given):
    """The moment: BTC at 40,000 with haircut 10 %, ETH at 2,000 with 20 %."""
    usual = {
        "spot": PRICES,
        "surfaces": SURFACES,
        "haircut": pd.Series({"BTC": 0.1, "ETH": 0.2}),
    }
    return Market(TIME, **(usual | given))


NOW = quote(LISTED, market())


def held(accounts, cash=None, entry=None, **given):
    """A book of account → instrument → units, and its quotes; `entry` by instrument."""
    rows = [(a, name, q) for a, legs in accounts.items() for name, q in legs.items()]
    positions = pd.DataFrame(rows, columns=["account", "instrument", "quantity"])
    if entry is not None:
        positions["entry"] = positions["instrument"].map(entry).astype(float)
    cash = None if cash is None else pd.Series(cash, dtype=float)
    return book(LISTED, positions, cash), quote(LISTED, market(**given)) if given else NOW
