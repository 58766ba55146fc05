"""A small market and a study of it, for tests of cohorts and of what is built on them."""

import numpy as np
import pandas as pd

from xcoll.collateral.accounts import Shape, draw
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation import cohorts

__all__ = ["ASSETS", "RATES", "SHAPE", "market", "parameters", "study"]

ASSETS = ["BTC", "ETH", "NEW", "USDC"]
SHAPE = Shape(ASSETS, {"BTC": 0.4, "ETH": 0.4, "NEW": 0.2}, stable=["USDC"])


def parameters(threshold, ltv, bonus=0.05, recommended=True):
    """A set by asset of `threshold`, a mapping."""
    frame = pd.DataFrame({"ltv": ltv, "threshold": threshold, "bonus": bonus, "protocol_fee": 0.1})
    return RiskParameters(frame, recommended)


RATES = parameters(
    pd.Series({"BTC": 0.85, "ETH": 0.83, "NEW": 0.7}),
    pd.Series({"BTC": 0.75, "ETH": 0.7, "NEW": 0.6}),
    pd.Series({"BTC": 0.05, "ETH": 0.06, "NEW": 0.07}),  # no ties that rounding would decide
)


def market(bars=120, seed=1, freq="D", volatility=0.08, drift=-0.004):
    """Closes and lows of `ASSETS`; NEW has no prices on the first forty bars."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2022-01-01", periods=bars, freq=freq)
    steps = rng.normal(drift, volatility, (bars, 4)) * [1, 1.2, 1.5, 0.01]
    close = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index, ASSETS)
    close.iloc[:40, 2] = np.nan
    low = np.minimum(close, close.shift(1)) * (1 - 0.6 * volatility * np.array([1, 1, 1, 0.0]))
    return close, low


def study(close, low, accounts=150, **changes):
    """Weekly cohorts of `SHAPE` under Aave's rules, frictionless, but for `changes`."""
    settings = {
        "calendar": cohorts.calendar(close.index, crises={}),
        "draws": draw(changes.get("shape", SHAPE), accounts, np.random.default_rng(2)),
        "shape": SHAPE,
        "parameters": RATES,
        "universe": cohorts.listed(close),
    }
    return cohorts.Study(close, low, **(settings | changes))
