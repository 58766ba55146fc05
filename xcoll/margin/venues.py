"""Published margin rules: the block `margins` of `data/venues.yaml`, each with date and source.

A venue whose margin is a grid of scenarios or a formula by position is a configuration (`Grid`,
`Standard`); a new one needs no code.
"""

from typing import Annotated, Any

import pandas as pd
from pydantic import Discriminator, Field, Tag

from xcoll.collateral.schema import Model, validate
from xcoll.errors import DataError
from xcoll.margin.rules.grid import Grid
from xcoll.margin.rules.standard import Standard

__all__ = ["AnyRule", "parse", "table"]

AnyRule = Annotated[
    Annotated[Grid, Tag("grid")] | Annotated[Standard, Tag("standard")],
    Discriminator(
        lambda block: (
            block.get("rule") if isinstance(block, dict) else getattr(block, "rule", None)
        ),
        custom_error_type="rule",
        custom_error_message="its `rule` is missing or unknown; write grid or standard",
    ),
]


class Margins(Model):
    """Rules by their keys."""

    margins: Annotated[dict[str, AnyRule], Field(min_length=1)]


def parse(document: Any, source: str = "venues") -> dict[str, Grid | Standard]:
    """Margin rules of a parsed YAML or JSON file, by their keys.

    Raises
    ------
    DataError
        Names `source`, then each venue and field at fault with what it should be.
    """
    if not isinstance(document, dict) or "margins" not in document:
        raise DataError(f"{source}: no block `margins`; see the bundled data/venues.yaml")
    return validate(Margins, {"margins": document["margins"]}, source).margins


def table(rules: dict[str, Grid | Standard]) -> pd.DataFrame:
    """key, name, rule, date, assumed, source: a row a rule."""
    rows = [
        (key, one.name, one.rule, pd.Timestamp(one.date).as_unit("us"), one.assumed, one.source)
        for key, one in rules.items()
    ]
    return pd.DataFrame(rows, columns=["key", "name", "rule", "date", "assumed", "source"])
