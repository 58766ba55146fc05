"""Books, markets, engines and worlds in which the compiled replay is held against plain Python."""

from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll.collateral.accounts import Book
from xcoll.collateral.liquidity import Linear, SquareRoot, Tiers
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.engines import exchange, maker
from xcoll.liquidation.rulebooks import Aave, Compound, Euler, Exchange, Maker, Morpho
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World

__all__ = [
    "ASSETS",
    "ENGINES",
    "RATES",
    "WORLDS",
    "book_for",
    "everything",
    "frames",
    "market",
    "moving",
    "scales",
]

ASSETS = ["A", "B", "C", "S"]
RATES = RiskParameters(
    pd.DataFrame(
        {
            "ltv": [0.70, 0.60, 0.50, 0.70],
            "threshold": [0.82, 0.75, 0.65, 0.78],
            "bonus": [0.05, 0.06, 0.10, 0.04],
            "protocol_fee": [0.1, 0.1, 0.2, 0.0],
        },
        index=ASSETS,
    )
)
STAIRS = maker.Rules(
    buf=1.10, cut=0.97, step=600, tail=9_000, cusp=0.60, chop=1.13, hole=1.2e4, dust=300
)
STEPWISE = exchange.Rules(maintenance=0.1, share=0.25, fee=0.01)
SCHEDULES = {
    "A": Tiers((1_000.0, 4_000.0, 20_000.0), (0.95, 0.8, 0.5)),
    "C": Tiers((500.0, 2_000.0), (0.9, 0.6)),
}
ENGINES = {
    "aave": Aave(),
    "morpho": Morpho(),
    "pre-liquidation": Morpho(by_formula=False, pre=0.95),
    "euler": Euler(),
    "compound": Compound(),
    "maker": Maker(STAIRS),
    "linear auction": Maker(replace(STAIRS, tau=7_000.0, hole=1e9)),
    "exchange": Exchange(replace(STEPWISE, fee=0.0)),
    "tiers and fund": Exchange(STEPWISE, SCHEDULES, fund=300.0),
}
THIN = Depth.of(
    {"A": SquareRoot(0.06, 2e5), "B": Linear(6e4), "C": SquareRoot(0.1, 5e4), "S": Linear(1e8)},
    replenish=0.02,
)
DEARER = pd.date_range("2021-01-03", periods=3, freq="3D")
BUSY = Oracle("90min", 0.01, "5h")
WORLDS = {
    "frictionless": World(),
    "lag": World(Oracle(lag="2h")),
    "deviation and heartbeat": World(Oracle(deviation=0.03, heartbeat="7h")),
    "response": World(keepers=Keepers(response="3h")),
    "margin and gas": World(keepers=Keepers(margin=0.02, gas=15.0)),
    "depth": World(depth=THIN),
    "depth on a path": World(
        depth=replace(THIN, path=pd.DataFrame({"A": [0.5, 2.0, 0.1], "B": 0.3}, DEARER))
    ),
    "capital": World(keepers=Keepers(capital=8_000.0)),
    "capital, largest first": World(keepers=Keepers(capital=8_000.0, order="largest first")),
    "capital, as in the book": World(keepers=Keepers(capital=8_000.0, order="as in the book")),
    "repayment": World(borrowers=Borrowers(attentive=0.8, delay="2h", budget=0.1)),
    "top-up": World(borrowers=Borrowers(attentive=0.8, delay=None, budget=0.1, top_up=True)),
    "interest": World(interest={"S": 2.0, "B": 0.5}),
    "everything": World(
        BUSY,
        Keepers("1h", 0.005, 3.0, 5_000.0),
        THIN,
        Borrowers(delay="1h", budget=0.05, attentive=0.4),
        {"S": 0.3},
    ),
}


def everything(order, top_up):
    whole = WORLDS["everything"]
    return replace(
        whole,
        keepers=replace(whole.keepers, order=order),
        borrowers=replace(whole.borrowers, top_up=top_up),
    )


def market(rng, bars=12, volatility=0.09):
    """Closes and lows of three assets that move and one that hardly does."""
    close = np.exp(np.cumsum(rng.normal(0, volatility, (bars + 1, 4)), axis=0))
    close[:, 3] = np.exp(np.cumsum(rng.normal(0, 0.003, bars + 1)))
    wick = np.exp(-np.abs(rng.normal(0, 0.7 * volatility, close.shape)))
    low = close.copy()
    low[1:] = np.minimum(close[1:], close[:-1]) * wick[1:]
    return close, low


def frames(close, low, freq="D"):
    index = pd.date_range("2021-01-01", periods=len(close), freq=freq)
    return pd.DataFrame(close, index, ASSETS), pd.DataFrame(low, index, ASSETS)


def book_for(engine, rng, accounts=60):
    """Accounts such as the engine can hold, most of them near their thresholds."""
    n = accounts
    collateral = np.where(rng.random((n, 4)) < 0.5, rng.lognormal(6.5, 1.5, (n, 4)), 0.0)
    collateral[:, 0] += 100.0
    debt = np.zeros_like(collateral)
    debt[:, 3] = 1.0
    debt[:, 1] = np.where(rng.random(n) < 0.4, rng.random(n), 0.0)
    if engine.form in ("maker", "morpho"):
        one = np.eye(4)[rng.integers(0, 3, n)]
        collateral = one * collateral.sum(axis=1, keepdims=True)
    if engine.form in ("compound", "euler", "morpho"):
        debt[:, 1] = 0.0
        collateral[:, 3] = 0.0
        collateral[:, 0] += 10.0 * (engine.form != "morpho")
    lt = RATES.frame["threshold"].to_numpy()
    debt *= (collateral @ lt / rng.uniform(1.01, 1.5, n) / debt.sum(axis=1))[:, None]
    debt[: n // 20] = 0.0
    return Book(ASSETS, collateral, debt, np.arange(n))


def moving(close):
    """Thresholds of A that come down in steps, and of B that go up."""
    path = pd.DataFrame(index=close.index[1::3], columns=["A", "B"], dtype=float)
    path["A"] = 0.82 - 0.03 * np.arange(len(path))
    path["B"] = 0.75 + 0.01 * np.arange(len(path))
    return path


def scales(rng, accounts=60):
    return rng.uniform(0.85, 1.15, accounts)
