"""What the system of today assumes, and what it stands on, as one run has found it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.universe import Universe
from xcoll.liquidation import backtest
from xcoll.systemic.present import LENDERS, Present, looped, receipts
from xcoll.systemic.system import Impact, System

__all__ = ["Ground", "Setting"]


@dataclass(frozen=True)
class Ground:
    """What a system of today stands on.

    Attributes
    ----------
    universe : assets, their depth and what they follow.
    parameters : index asset, columns of `RiskParameters`.
    sigma_day : volatility of a bad day by asset, for the depth.
    around : health factors, oracle, keepers and borrowers, as the backtest assumes them.
    """

    universe: Universe
    parameters: pd.DataFrame
    sigma_day: pd.Series
    around: backtest.Setting

    @classmethod
    def of(cls, read: Callable[[str], Any]) -> Self:
        """From the artifacts ``universe``, ``parameters``, ``estimates`` and ``backtest_setting``.

        `read` gives an artifact by its name, such as `Run.read`; estimates are the latest ones.
        """
        latest = read("estimates").query("time == time.max()").drop_duplicates("asset")
        return cls(
            Universe.model_validate(read("universe")),
            read("parameters").query("covering").set_index("asset"),
            latest.set_index("asset")["bad_day"],
            backtest.Setting(**read("backtest_setting")),
        )


@dataclass(frozen=True)
class Setting:
    """What the system of today assumes, as one notebook states it and the others read it.

    Attributes
    ----------
    collateral_usd, size, overlap, derived, size_spread, takers : as in `Present`.
    looped_usd, receipts_usd : dollars of looped positions and of receipts; 0 for none.
    lasting : share of a price move that stays, see `Impact`.
    seed : of the accounts.
    """

    collateral_usd: float
    size: int
    overlap: float
    derived: float
    size_spread: float
    takers: float
    looped_usd: float
    receipts_usd: float
    lasting: float
    seed: int

    def system(
        self,
        ground: Ground,
        rng: np.random.Generator,
        lenders: Sequence[str] = tuple(LENDERS),
    ) -> System:
        """The system on `ground`, of the `lenders` named in `LENDERS`."""
        universe, around, parameters = ground.universe, ground.around, ground.parameters
        depth = backtest.stressed_depth(universe, ground.sigma_day)
        stable = universe.stablecoins
        made = Present(
            universe,
            parameters,
            {name: LENDERS[checks.one_of("lender", name, LENDERS)] for name in lenders},
            self.collateral_usd,
            self.size,
            self.overlap,
            self.derived,
            around.health_median,
            around.health_spread,
            self.size_spread,
            self.takers,
        ).system(around.world(depth, stable), Impact(depth, self.lasting), rng)
        count = max(self.size // 4, 20)
        staked = [t for t in universe.derived if universe.assets[t].kind == "staked"]
        held = [t for t in staked if t in parameters.index]
        if self.looped_usd > 0.0 and held:
            token = max(held, key=lambda t: depth.room(t, 0.01))
            base = str(universe.assets[token].underlying)
            made = looped(made, token, base, self.looped_usd, count, rng)
        if self.receipts_usd > 0.0:
            made = receipts(made, made.names[0], stable[-1], self.receipts_usd, count, rng)
        return made
