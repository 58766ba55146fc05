"""The rules of each engine as a replay reads them: a parameter set in the words of the venue.

A parameter set knows thresholds, bonuses and the venue's share of the bonus.  What else a venue
decides by, it brings itself.  The readable rules, and the sources, are in `engines`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from xcoll import checks
from xcoll.collateral.liquidity import Tiers
from xcoll.collateral.venues import morpho_bonus
from xcoll.liquidation import _kernels
from xcoll.liquidation.engines import aave, compound, exchange, maker, morpho

__all__ = ["RULEBOOKS", "Aave", "Compound", "Euler", "Exchange", "Maker", "Morpho", "Rulebook"]


class Rulebook(Protocol):
    """An engine in a replay."""

    form: ClassVar[str]  # what an account may hold: a key of `mapping.VENUES`
    by_keepers: ClassVar[bool]  # whether a keeper's call closes a part of the account

    @property
    def room(self) -> tuple[float, float]:
        """Dollars that may be at auction at once, and of the insurance fund."""

    def compiled(
        self, assets: list[str], threshold: np.ndarray, bonus: np.ndarray, fee: np.ndarray
    ) -> tuple[np.ndarray, _kernels.Rules]:
        """Thresholds at which accounts are closed (or called first), and the kernel's rules."""


def _rules(
    code: int,
    bonus: np.ndarray,
    fee: np.ndarray | None = None,
    extra: np.ndarray | None = None,
    law: tuple[float, ...] = (),
    tiers: tuple[np.ndarray, np.ndarray] | None = None,
) -> _kernels.Rules:
    nothing = np.zeros(len(bonus))
    bounds, ratios = tiers or (np.full((len(bonus), 1), np.inf), np.ones((len(bonus), 1)))
    return _kernels.Rules(
        code,
        np.ascontiguousarray(bonus),
        nothing if fee is None else np.ascontiguousarray(fee),
        nothing if extra is None else np.ascontiguousarray(extra),
        np.array([*law, *[0.0] * (8 - len(law))]),
        bounds,
        ratios,
    )


@dataclass(frozen=True)
class Aave:
    """Aave v3.3 and later, with the set's thresholds, bonuses and fees."""

    rules: aave.Rules = aave.RULES
    form: ClassVar[str] = "aave"
    by_keepers: ClassVar[bool] = True
    room: ClassVar[tuple[float, float]] = (math.inf, 0.0)

    def compiled(
        self, assets: list[str], threshold: np.ndarray, bonus: np.ndarray, fee: np.ndarray
    ) -> tuple[np.ndarray, _kernels.Rules]:
        """See `Rulebook`."""
        law = tuple(self.rules.array())
        return threshold, _rules(_kernels.AAVE, bonus, fee, law=law)


@dataclass(frozen=True)
class Morpho:
    """Morpho Blue: LLTV is the set's threshold.

    Attributes
    ----------
    by_formula : the incentive follows from the LLTV; otherwise it is the set's 1 + LB.
    pre : share of the LLTV at which pre-liquidation begins, under 1; None without it.
    lcf1, lcf2, lif1, lif2 : close factor and incentive at the two ends of pre-liquidation, LIF2 at
        most one over the LLTV; the defaults are assumed.
    """

    by_formula: bool = True
    pre: float | None = None
    lcf1: float = 0.05
    lcf2: float = 0.35
    lif1: float = 1.01
    lif2: float = 1.03
    form: ClassVar[str] = "morpho"
    by_keepers: ClassVar[bool] = True
    room: ClassVar[tuple[float, float]] = (math.inf, 0.0)

    def __post_init__(self) -> None:
        if self.pre is not None:
            checks.fraction("pre", self.pre)
        checks.positive("lcf1", self.lcf1)
        checks.at_least("lcf2", checks.fraction("lcf2", self.lcf2, closed=True), self.lcf1)
        checks.at_least("lif2", self.lif2, checks.at_least("lif1", self.lif1, 1.0))

    def compiled(
        self, assets: list[str], threshold: np.ndarray, bonus: np.ndarray, fee: np.ndarray
    ) -> tuple[np.ndarray, _kernels.Rules]:
        """See `Rulebook`."""
        if self.by_formula:
            bonus = np.array([morpho_bonus(lltv) if lltv > 0 else 0.0 for lltv in threshold])
        terms = (self.lcf1, self.lcf2, self.lif1, self.lif2)
        law = (float(self.pre is not None), *terms)
        rules = _rules(_kernels.MORPHO, bonus, extra=threshold, law=law)
        if self.pre is None:
            return threshold, rules
        early = self.pre * threshold
        morpho.Morpho(threshold, 1.0 + bonus, morpho.PreLiquidation(early, *terms))  # its guards
        return early, rules


@dataclass(frozen=True)
class Euler:
    """Euler v2: the discount grows as health falls, to `most`; the set's LB/(1 + LB) where None."""

    most: float | None = 0.15
    form: ClassVar[str] = "euler"
    by_keepers: ClassVar[bool] = True
    room: ClassVar[tuple[float, float]] = (math.inf, 0.0)

    def __post_init__(self) -> None:
        if self.most is not None:
            checks.fraction("most", self.most)

    def compiled(
        self, assets: list[str], threshold: np.ndarray, bonus: np.ndarray, fee: np.ndarray
    ) -> tuple[np.ndarray, _kernels.Rules]:
        """See `Rulebook`."""
        deepest = bonus / (1 + bonus) if self.most is None else np.full(len(bonus), self.most)
        return threshold, _rules(_kernels.EULER, np.where(threshold > 0, deepest, 0.0))


@dataclass(frozen=True)
class Compound:
    """Compound v3: the liquidation factor is the one whose storefront pays a buyer the set's LB."""

    storefront: float = 0.5
    form: ClassVar[str] = "compound"
    by_keepers: ClassVar[bool] = False
    room: ClassVar[tuple[float, float]] = (math.inf, 0.0)

    def __post_init__(self) -> None:
        checks.fraction("storefront", self.storefront, closed=True)

    def compiled(
        self, assets: list[str], threshold: np.ndarray, bonus: np.ndarray, fee: np.ndarray
    ) -> tuple[np.ndarray, _kernels.Rules]:
        """See `Rulebook`."""
        factors = [compound.liquidation_factor(float(lb), self.storefront) for lb in bonus]
        extra = np.array(factors)
        return threshold, _rules(_kernels.COMPOUND, bonus, extra=extra, law=(self.storefront,))


# Executive spell of 2023-11-01 for ETH-A; `hole` is the venue's, for all collaterals together.
MAKER = maker.Rules(
    buf=1.10, cut=0.99, step=90, tail=7_200, cusp=0.45, chop=1.13, hole=70e6, dust=7_500
)


@dataclass(frozen=True)
class Maker:
    """Maker liquidations 2.0: the set's thresholds are one over the liquidation ratios."""

    rules: maker.Rules = MAKER
    form: ClassVar[str] = "maker"
    by_keepers: ClassVar[bool] = False

    @property
    def room(self) -> tuple[float, float]:
        """See `Rulebook`."""
        return self.rules.hole, 0.0

    def compiled(
        self, assets: list[str], threshold: np.ndarray, bonus: np.ndarray, fee: np.ndarray
    ) -> tuple[np.ndarray, _kernels.Rules]:
        """See `Rulebook`."""
        r = self.rules
        law = (r.buf, r.cut, r.step, r.tail, r.cusp, r.chop, r.dust, r.tau or 0.0)
        return threshold, _rules(_kernels.MAKER, bonus, law=law)


EXCHANGE = exchange.Rules(maintenance=0.1, share=0.25, fee=0.01)  # assumed, but for the margin


@dataclass(frozen=True)
class Exchange:
    """A centralised venue that sells for itself; the set's thresholds hold within the first tier.

    Attributes
    ----------
    rules : margin, release, share a step and fee.
    tiers : asset → schedule in dollars; all of an asset counts that has none.
    fund : dollars of the insurance fund at the start.
    """

    rules: exchange.Rules = EXCHANGE
    tiers: Mapping[str, Tiers] = field(default_factory=dict)
    fund: float = 0.0
    form: ClassVar[str] = "exchange"
    by_keepers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        checks.at_least("fund", self.fund, 0.0)

    @property
    def room(self) -> tuple[float, float]:
        """See `Rulebook`."""
        return math.inf, self.fund

    def compiled(
        self, assets: list[str], threshold: np.ndarray, bonus: np.ndarray, fee: np.ndarray
    ) -> tuple[np.ndarray, _kernels.Rules]:
        """See `Rulebook`."""
        most = max((len(t.bounds_usd) for t in self.tiers.values()), default=0) + 1
        bounds, ratios = np.full((len(assets), most), np.inf), np.zeros((len(assets), most))
        ratios[:, 0] = 1.0
        for row, asset in enumerate(assets):
            schedule = self.tiers.get(asset)
            if schedule is not None:
                count = len(schedule.bounds_usd)
                bounds[row, :count] = schedule.bounds_usd
                ratios[row, :count] = np.array(schedule.ratios) / schedule.ratios[0]
        law = (self.rules.release, self.rules.share, self.rules.fee)
        return threshold, _rules(_kernels.EXCHANGE, bonus, law=law, tiers=(bounds, ratios))


RULEBOOKS: dict[str, type[Rulebook]] = {
    "aave": Aave,
    "compound": Compound,
    "euler": Euler,
    "exchange": Exchange,
    "maker": Maker,
    "morpho": Morpho,
}
