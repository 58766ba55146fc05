"""What the configuration files share: strict models, sourced facts, and errors in plain words."""

import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError

from xcoll.checks import duration
from xcoll.errors import DataError

__all__ = ["Duration", "Fraction", "Model", "Positive", "Sourced", "validate"]


def _duration(text: str) -> str:
    duration("value", text)
    return text


Positive = Annotated[float, Strict(), Field(gt=0)]
Fraction = Annotated[float, Strict(), Field(ge=0, lt=1)]
Duration = Annotated[str, AfterValidator(_duration)]  # "1h", "12s", "1D"

M = TypeVar("M", bound="Model")


class Model(BaseModel):
    """A frozen block of a configuration file: unknown fields, NaN and infinities are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sourced(Model):
    """Facts with where they were read, the date they held, whether assumed, and a note."""

    source: Annotated[str, Field(min_length=3)]
    date: datetime.date
    assumed: bool = False
    note: str | None = None


def validate(model: type[M], document: Any, source: str) -> M:
    """`document` (a parsed YAML or JSON file) as `model`.

    Raises
    ------
    DataError
        Names the file `source`, then each block and field at fault with what it should be.
    """
    if not isinstance(document, dict):
        raise DataError(f"{source}: the file holds no table of fields; see the bundled example")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = [
            f"  {' > '.join(map(str, fault['loc'])) or 'whole file'}: {_words(fault)}"
            for fault in error.errors(include_url=False)
        ]
        shown = faults[:8] + ([f"  and {len(faults) - 8} more"] if len(faults) > 8 else [])
        if len(faults) == 1:
            raise DataError(f"{source}: {faults[0].strip()}") from error
        raise DataError("\n".join([f"{source}: {len(faults)} faults", *shown])) from error


def _words(fault: dict[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return "unknown field; remove it or correct its spelling"
    if fault["type"] == "missing":
        return "required field is missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    if isinstance(fault["input"], str | int | float | bool):
        return f"{message}; the file has {fault['input']!r}"
    return message
