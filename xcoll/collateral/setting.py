"""What a calibration starts from, besides the choices of its policy."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from xcoll.collateral.addons import Addons
from xcoll.collateral.history import History
from xcoll.collateral.universe import Universe

__all__ = ["Setting"]


@dataclass(frozen=True)
class Setting:
    """What a calibration starts from, besides its policy.

    Attributes
    ----------
    history : History
        Up to the date.
    universe, addons : Universe, Addons
        Facts and tables.
    multiples : DataFrame
        `estimates.multiples`.
    basis : mapping
        `calibration.basis_losses`.
    """

    history: History
    universe: Universe
    addons: Addons
    multiples: pd.DataFrame
    basis: Mapping[str, float]

    @property
    def moving(self) -> History:
        """Of the assets that trade at the last bar, those without a peg."""
        stable = self.universe.stablecoins
        return self.history.of([a for a in self.history.trading if a not in stable])
