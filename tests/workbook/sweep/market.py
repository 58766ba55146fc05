"""Artifacts of a run on a small synthetic market, and a run that holds them."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from tests.collateral import world
from tests.workbook.conftest import seal
from xcoll.liquidation import backtest
from xcoll.systemic import setting
from xcoll.workbook import artifacts
from xcoll.workbook.sweep.inputs import Read

CRASH = "2021-05-01"
AROUND = backtest.Setting(
    "7D", "30D", "7D", 1.5, 1.0, 0.2, 1e9, "1h", 0.005, "1h", 0.01, 30.0, 5e7, 0.7, "2h", 0.05
)
SYSTEM = setting.Setting(1e9, 120, 0.2, 0.4, 1.2, 0.02, 0.0, 3e7, 2 / 3, 71)
KINDS = {"covering": "flag", "asset": "text", "time": "time"}


def made():
    """Two years of made-up prices with a crash on 1 May, and one threshold for all."""
    history = world.history(bars=700, seed=3)
    returns, lows = history.log_returns, history.lows[0]
    fell = returns.columns.difference(world.UNIVERSE.stablecoins)
    returns.loc[CRASH, fell], lows.loc[CRASH, fell] = -0.5, -0.6
    names = world.UNIVERSE.collateral
    rates = {"ltv": 0.7, "threshold": 0.8, "bonus": 0.06, "protocol_fee": 0.1}
    covering = pd.DataFrame({"asset": names, **rates, "covering": True})
    other = covering.assign(threshold=0.1, covering=False)
    bad = pd.DataFrame({"asset": names, "bad_day": 0.08})
    matrix = np.full((len(names), len(names)), 0.6)
    np.fill_diagonal(matrix, 1.0)
    now, moves = pd.DataFrame(matrix, names, names), returns[names].iloc[1:]
    days = {"2021-09-01": bad.assign(bad_day=0.5), "2022-10-27": bad}
    estimates = pd.concat([one.assign(time=pd.Timestamp(day)) for day, one in days.items()])
    return Read(
        {
            "prices": 100 * np.exp(returns.cumsum()),
            "excursions": lows,
            "universe": world.UNIVERSE.model_dump(mode="json"),
            "parameters": pd.concat([covering, other]).reset_index(drop=True),
            "estimates": estimates.reset_index(drop=True),
            "residuals": moves / moves.std(),
            "correlation_now": now,
            "correlation_stress_high": 0.5 * (now + 1.0),
            "backtest_setting": asdict(AROUND),
            "system_setting": asdict(SYSTEM),
        }
    )


def finish(project, name, contents):
    """A finished run of `project` with these artifacts."""
    folder = project.reports / name
    for artifact, content in contents.items():
        writer, declared = project.chain.artifact(artifact)
        (folder / "artifacts" / writer).mkdir(parents=True, exist_ok=True)
        if declared.columns:  # the columns that the work reads are enough
            kinds = {column: KINDS.get(column, "number") for column in content}
            declared = artifacts.declare(kinds, artifact)
        artifacts.write(folder / "artifacts" / writer, artifact, declared, content)
    seal(folder)
