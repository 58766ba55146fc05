"""What a desk adds by judgement: points for a token's contract, hazards of sudden failure, budgets.

`Addons` (read from `data/addons.yaml`)
    date
    contract   points of the haircut by attribute: depth, upgradeable, oracles, age, audits
    hazards    chance a year of a sudden failure and what is lost in it, by class (the kind of an
               asset) and by asset; an asset's own entry comes before its class's, and what is in
               neither has no hazard stated
    budget     reserve_budget_usd a year and loss_budget_usd for one failure, of each asset

Points are a part of the haircut.  What can go to zero at once no haircut of a few points covers:
``hazard × loss × exposure`` is a yearly reserve beside it, and the budgets cap the exposure.
Every block has source, date and assumed.
"""

import bisect
import datetime
import itertools
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from xcoll import checks
from xcoll.collateral.facts import Contract, Failure
from xcoll.collateral.schema import Fraction, Model, Positive, Sourced, validate
from xcoll.collateral.universe import Asset, Kind, Universe
from xcoll.errors import ParameterError

__all__ = [
    "ATTRIBUTES",
    "BUDGETS",
    "Addons",
    "Budget",
    "ContractPoints",
    "Hazards",
    "Steps",
    "parse",
]

# Attribute of a contract → whether the token is safer where there is more of it.
ATTRIBUTES = {
    "depth": False,
    "upgradeable": False,
    "oracles": False,
    "age": True,
    "audits": True,
}
BUDGETS = ("reserve budget", "loss budget")


class Steps(Sourced):
    """Points (fractions of value) that hold from each value `at` of an attribute on."""

    at: tuple[Annotated[float, Field(ge=0)], ...]
    points: tuple[Fraction, ...]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if len(self.at) != len(self.points):
            raise ValueError("at and points differ in length; give one entry of points a value")
        if not self.at or self.at[0] != 0 or list(self.at) != sorted(set(self.at)):
            raise ValueError("at must start at 0 and ascend")
        return self

    def place(self, value: float) -> int:
        """Which entry of the table `value` falls into."""
        return bisect.bisect_right(self.at, value) - 1


class ContractPoints(Model):
    """The table of points, one block an attribute of `facts.Contract`; age is in years."""

    depth: Steps
    upgradeable: Steps
    oracles: Steps
    age: Steps
    audits: Steps

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        for name, safer in ATTRIBUTES.items():
            points = getattr(self, name).points
            wrong = [b > a if safer else b < a for a, b in itertools.pairwise(points)]
            if any(wrong):
                way = "fall" if safer else "rise"
                raise ValueError(f"points of {name} must {way}, or stay, from entry to entry")
        return self


class Hazards(Model):
    """Sudden failures by class and by asset."""

    classes: dict[Kind, Failure] = Field(default_factory=dict)
    assets: dict[str, Failure] = Field(default_factory=dict)


class Budget(Sourced):
    """What may be put aside a year, and lost in one failure, for each asset in dollars."""

    reserve_budget_usd: Positive
    loss_budget_usd: Positive


class Addons(Model):
    """The tables; the fields are described at the head of this module."""

    date: datetime.date
    contract: ContractPoints
    hazards: Hazards
    budget: Budget

    def points(
        self, contract: Contract | None, day: datetime.date, token: str = "the token"
    ) -> pd.Series:
        """Points of a contract as of `day`, attribute by attribute; their sum is the contract part.

        Parameters
        ----------
        contract : Contract or None
            Attributes of the token's contract; None for a native coin, which has no points.
        day : date
            The age is counted to it, in years of 365 days; the other attributes are held.
        token : str
            For messages.

        Returns
        -------
        Series
            Index attribute, fractions of value.

        Raises
        ------
        ParameterError
            The contract was deployed after `day`.
        """
        if contract is None:
            found = dict.fromkeys(ATTRIBUTES, 0.0)
        else:
            places = self._places(contract, day, token)
            found = {name: table.points[place] for name, (table, place) in places.items()}
        return pd.Series(found, dtype=float, name="points").rename_axis("attribute")

    def total(
        self, contract: Contract | None, day: datetime.date, token: str = "the token"
    ) -> float:
        """The contract part: the sum of `points`."""
        if contract is None:
            return 0.0
        places = self._places(contract, day, token).values()
        return sum(table.points[place] for table, place in places)

    def changed(
        self, contract: Contract, day: datetime.date, token: str = "the token"
    ) -> pd.DataFrame:
        """Points of a contract, and what each would be one entry of its table away.

        Parameters and errors as `points`.

        Returns
        -------
        DataFrame
            Index attribute; columns points, better and worse (the neighbouring entry, where the
            table ends the same one), off (0).
        """
        rows = {}
        for name, (table, place) in self._places(contract, day, token).items():
            near = table.points[max(place - 1, 0) : place + 2]
            rows[name] = {"points": table.points[place], "better": min(near), "worse": max(near)}
        return pd.DataFrame.from_dict(rows, orient="index").assign(off=0.0).rename_axis("attribute")

    def failure(self, asset: Asset) -> Failure | None:
        """Hazard and loss of an asset: its own entry, its class's, or None."""
        return self.hazards.assets.get(asset.symbol, self.hazards.classes.get(asset.kind))

    def reserve(self, asset: Asset, exposure_usd: float) -> float:
        """Yearly reserve in dollars, ``hazard × loss × exposure``; NaN where no hazard is stated.

        Parameters
        ----------
        asset : Asset
            Gives the class.
        exposure_usd : float
            Debt that rests on the token, dollars, not negative.
        """
        exposure = checks.at_least("exposure", exposure_usd, 0.0)
        failure = self.failure(asset)
        return np.nan if failure is None else failure.hazard * failure.loss * exposure

    def cap(self, asset: Asset) -> float:
        """Largest exposure in dollars that both budgets bear; inf where no hazard is stated.

        ``min(reserve budget/(hazard × loss), loss budget/loss)``.
        """
        return min(self._budgets(asset))

    def limits(self, universe: Universe) -> pd.DataFrame:
        """What each budget alone allows: asset × `BUDGETS`, dollars; inf without a hazard."""
        rows = {symbol: self._budgets(asset) for symbol, asset in universe.assets.items()}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(BUDGETS))
        return frame.rename_axis("asset")

    def unused(self, universe: Universe) -> list[str]:
        """Symbols with a hazard of their own that the universe does not hold."""
        return [symbol for symbol in self.hazards.assets if symbol not in universe.assets]

    def _budgets(self, asset: Asset) -> tuple[float, float]:
        failure = self.failure(asset)
        if failure is None:
            return np.inf, np.inf
        yearly = failure.hazard * failure.loss
        reserve = self.budget.reserve_budget_usd / yearly if yearly > 0.0 else np.inf
        return reserve, self.budget.loss_budget_usd / failure.loss

    def _places(
        self, contract: Contract, day: datetime.date, token: str
    ) -> dict[str, tuple[Steps, int]]:
        # attribute → its table, and the entry that the contract falls into
        day = pd.Timestamp(day).date()
        if day < contract.deployed:
            raise ParameterError(
                f"{token} was deployed on {contract.deployed}, after {day}; leave it out until then"
            )
        tables = {name: getattr(self.contract, name) for name in ATTRIBUTES}
        values = dict(contract) | {"age": (day - contract.deployed).days / 365}
        return {name: (table, table.place(float(values[name]))) for name, table in tables.items()}


def parse(document: Any, source: str = "addons") -> Addons:
    """A parsed YAML or JSON file as `Addons`.

    Raises
    ------
    DataError
        Names `source`, then each block and field at fault with what it should be.
    """
    return validate(Addons, document, source)
