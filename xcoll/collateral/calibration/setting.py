"""What a calibration starts from, besides the choices of its policy."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from xcoll.collateral.addons import Addons
from xcoll.collateral.history import History
from xcoll.collateral.universe import Universe
from xcoll.estimators.tail import Dependence

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
    dependence : Dependence, optional
        Correlation path of the assets without a peg, for the method ``dcc_t`` and for the band.
    """

    history: History
    universe: Universe
    addons: Addons
    multiples: pd.DataFrame
    basis: Mapping[str, float]
    dependence: Dependence | None = None

    def moving(self, time: pd.Timestamp) -> History:
        """What was known at `time` of the assets that traded then and have no peg."""
        known, stable = self.history.until(time), self.universe.stablecoins
        return known.of([asset for asset in known.trading if asset not in stable])
