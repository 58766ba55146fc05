"""The choices of a calibration, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xcoll import checks
from xcoll.collateral.governance import Governance
from xcoll.collateral.haircuts.market import FALLS, Tail
from xcoll.collateral.liquidity import HORIZONS
from xcoll.collateral.recalibration.tools import EMIR, TOOLS, Damping
from xcoll.estimators.tail import METHODS

__all__ = ["Policy"]


@dataclass(frozen=True)
class Policy:
    """What a calibration is told; facts of assets and venues are not part of it.

    Attributes
    ----------
    tail : Tail
        Which figure of the close-out loss is the market part.
    method, window : str
        Forecast of that figure and its look-back, one of `tail.METHODS` and a duration.
    look_back : str or None
        Look-back of the long run and of the worst year, a duration; None for all that is known.
    falls : {"larger", "all bars", "after a fall"}
        Whether the loss after a fall counts.
    position_usd, participation : float
        Largest position closed at once, dollars, and the share of a day's volume that can be sold.
    oracle_wait : str
        Longest wait for a price in a fall, a duration.
    depth : float
        Multiplies the depth of a bad day.
    horizon : str or None
        Horizon of every close-out; None to derive it from its parts.
    keeper_margin, gas_share, protocol_fee : float
        What a keeper asks for and pays, as fractions of the repaid debt, and the venue's share of
        the bonus.
    closure_probability, closure_period : float, str
        Share of borrowers at the maximum who may be closed within the period, a duration.
    tool, damping : str, Damping
        Anti-procyclical tool, one of `recalibration.TOOLS`, and how strongly tools damp.
    tick : float
        Parameters are multiples of it.
    """

    tail: Tail = field(default_factory=Tail)
    method: str = "fhs"
    window: str = "400D"
    look_back: str | None = None
    falls: str = "larger"
    position_usd: float = 5e6
    participation: float = 0.10
    oracle_wait: str = "1h"
    depth: float = 1.0
    horizon: str | None = None
    keeper_margin: float = 0.01
    gas_share: float = 0.001
    protocol_fee: float = 0.10
    closure_probability: float = 0.05
    closure_period: str = "7D"
    tool: str = "floor"
    damping: Damping = EMIR
    tick: float = 0.005

    def __post_init__(self) -> None:
        checks.one_of("method", self.method, METHODS)
        checks.duration("window", self.window)
        if self.look_back is not None:
            checks.duration("look back", self.look_back)
        checks.one_of("falls", self.falls, FALLS)
        checks.positive("position", self.position_usd)
        checks.fraction("participation", self.participation, closed=True)
        checks.duration("oracle wait", self.oracle_wait)
        checks.positive("depth", self.depth)
        if self.horizon is not None:
            checks.one_of("horizon", self.horizon, HORIZONS)
        checks.at_least("keeper margin", self.keeper_margin, 0.0)
        checks.at_least("gas share", self.gas_share, 0.0)
        checks.fraction("protocol fee", self.protocol_fee, closed=True)
        checks.fraction("closure probability", self.closure_probability)
        checks.duration("closure period", self.closure_period)
        checks.one_of("tool", self.tool, TOOLS)
        checks.fraction("tick", self.tick)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Policy":
        """Back from what `dataclasses.asdict` made of a policy."""
        kinds = {"tail": Tail, "damping": Damping}
        return cls(
            **{
                name: kinds[name](**value) if name in kinds else value
                for name, value in document.items()
            }
        )

    @property
    def alone(self) -> "Policy":
        """The same for one asset at a time: of a copula only the margin is left, that of fhs."""
        return replace(self, method="fhs") if self.method == "dcc_t" else self

    @property
    def governance(self) -> Governance:
        """The ticks that parameters are rounded to."""
        return Governance(tick=self.tick, step=max(self.tick, Governance.step))
