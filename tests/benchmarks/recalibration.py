"""The weekly recalibration of ten assets, refits of every day included, against arch in a loop."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from arch import arch_model

from tests.benchmarks.measure import Case, Peer
from xcoll.collateral import addons, calibration, universe
from xcoll.collateral.calibration import estimates
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.calibration.setting import Setting
from xcoll.collateral.history import History
from xcoll.estimators.volatility import forecasts
from xcoll.market.returns import log_returns

DATA = Path(__file__).parents[2] / "data"
SEED, DRAWS = 1, 5
WINDOW, AHEAD, PATHS = 730, 7, 2000
MULTIPLES = pd.DataFrame({"forecast": 1.5, "long_run": 1.5}, ["1h", "4h", "24h"])


def _facts() -> tuple[universe.Universe, addons.Addons]:
    parts = (("universe.yaml", universe), ("addons.yaml", addons))
    return tuple(
        room.parse(yaml.safe_load((DATA / name).read_text(encoding="utf-8")))
        for name, room in parts
    )


def _returns(facts: universe.Universe, bars: int) -> pd.DataFrame:
    table = pd.read_csv(DATA / "crypto_prices.csv", sep=";", index_col=0, parse_dates=True)
    names = [asset for asset in facts.collateral if asset not in facts.stablecoins]
    closes = table[[facts.assets[name].column for name in names]].set_axis(names, axis=1)
    for name in names:
        closes.loc[closes.index < pd.Timestamp(facts.assets[name].listed_from), name] = np.nan
    return log_returns(closes).iloc[-bars:]


def _history(returns: pd.DataFrame) -> History:
    """Refits of every day; made-up wicks, several draws as in the workbook."""
    rng = np.random.default_rng(SEED)
    wicks = 0.01 * rng.exponential(size=(DRAWS, *returns.shape))
    lows = tuple(returns.clip(upper=0.0) - wick for wick in wicks)
    return History(returns, lows, forecasts.handed_over(returns))


def weekly(tiny: bool = False) -> Case:
    """GARCH-t a day and asset, 2,000 joint paths a week, haircuts and what four tools post."""
    facts, tables = _facts()
    returns = _returns(facts, 420 if tiny else 1461)
    first = returns.index[-60] if tiny else pd.Timestamp("2020-07-01")
    basis = dict.fromkeys(facts.derived, 0.01)
    weeks = len(pd.date_range(first, returns.index[-1], freq="7D"))
    share = 1 / weeks

    def ours() -> tuple[History, calibration.Calibration]:
        history = _history(returns)
        dates = estimates.weekly(history, first)
        rng = np.random.default_rng(SEED)
        setting = Setting(history, facts, tables, MULTIPLES, basis)
        return history, calibration.calibrate(setting, Policy(), dates, rng)

    def peer() -> dict[str, float]:
        """One week: a fit of each asset, its volatility, and paths from it."""
        rng, found = np.random.RandomState(SEED), {}
        for name in returns:
            sample = 100.0 * returns[name].dropna().iloc[-WINDOW:]
            model = arch_model(sample, mean="Constant", vol="GARCH", p=1, q=1, dist="t")
            fit = model.fit(disp="off")
            made = fit.forecast(
                horizon=AHEAD, method="simulation", simulations=PATHS, random_state=rng
            )
            np.quantile(made.simulations.values[-1].cumsum(axis=1).min(axis=1), 0.05)
            found[name] = 0.01 * float(np.sqrt(fit.forecast(horizon=1).variance.iloc[-1, 0]))
        return found

    def agree(done: tuple[History, calibration.Calibration], theirs: dict[str, float]) -> None:
        history, made = done
        mine = history.volatility.iloc[-1]
        np.testing.assert_allclose(mine, pd.Series(theirs)[mine.index], rtol=0.05)
        assert made.haircuts["posted"].between(0.0, 1.0).all()

    return Case(
        "weekly recalibration",
        f"{returns.shape[1]} assets × {weeks} weeks, {len(returns):,} daily refits, "
        f"{PATHS:,} joint paths",
        ours,
        (
            Peer(
                "arch, a fit and paths a week", "arch", peer, agree, share, 2,
                "one week, scaled; refits weekly where ours refits daily; no haircuts",
            ),
        ),
        "s",
        1.0,
    )  # fmt: skip


CASES = (weekly,)
