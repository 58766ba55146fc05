"""What the cases work on: bundled prices, the S&P 500 of arch, and simulated returns."""

from pathlib import Path

import arch.data.sp500
import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
ASSETS = ["BTC", "ETH", "BNB", "XRP", "LINK", "USDC"]


def prices() -> pd.DataFrame:
    """Daily closes of six bundled assets, 2020 to 2023."""
    table = pd.read_csv(ROOT / "data" / "crypto_prices.csv", sep=";", index_col=0, parse_dates=True)
    return table[[f"{asset}-USD" for asset in ASSETS]].set_axis(ASSETS, axis=1)


def sp500(bars: int) -> pd.DataFrame:
    """The last `bars` log returns of the S&P 500 (1999 to 2018), in percent, one column."""
    close = arch.data.sp500.load()["Adj Close"]
    return 100.0 * np.log(close).diff().iloc[-bars:].to_frame("SPX")


def simulated(bars: int, assets: int, a: float = 0.02, b: float = 0.95) -> pd.DataFrame:
    """Returns of a DCC with GARCH margins, time × asset, in percent; always the same.

    Engle (2002): Q_t = (1 − a − b) Q̄ + a e e' + b Q_{t−1}, all pairs correlated by 0.4 on average.
    """
    z = np.random.default_rng(1).standard_normal((bars, assets))
    target = 0.4 + 0.6 * np.eye(assets)
    Q, h = target.copy(), np.ones(assets)
    returns = np.empty((bars, assets))
    for t in range(bars):
        scale = 1.0 / np.sqrt(np.diag(Q))
        e = np.linalg.cholesky(Q * np.outer(scale, scale)) @ z[t]
        returns[t] = np.sqrt(h) * e
        h = 0.02 + 0.06 * returns[t] ** 2 + 0.92 * h
        Q = (1.0 - a - b) * target + a * np.outer(e, e) + b * Q
    index = pd.date_range("2015-01-01", periods=bars, freq="D", name="time")
    return pd.DataFrame(returns, index, [f"A{n:02d}" for n in range(assets)])
