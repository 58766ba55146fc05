"""Stress scenarios: what happens from outside, how severely, and where each number comes from.

A scenario is a few lines of YAML; what it is made of is described in `components.Components`::

    my shock: {shock: {ETH: -0.4, rest: -0.3}, over: 6h, depth: 0.3}

`severities` change components by name; tables are changed entry by entry.  A scenario without
severities has one, itself.
"""

from collections.abc import Iterator
from typing import Any, Self

from pydantic import Field, model_validator

from xcoll.collateral.schema import Model, validate
from xcoll.errors import DataError, ParameterError
from xcoll.systemic.stress.components import Components, fault

__all__ = ["ITSELF", "SEVERITIES", "Library", "Scenario", "parse"]

SEVERITIES = ("baseline", "adverse", "severe", "very severe")
ITSELF = "as given"  # severity of a scenario without severities


class Scenario(Components):
    """A scenario; its own components are the base that severities change.

    what: words for a table.
    """

    name: str
    what: str | None = None
    severities: dict[str, Components] = Field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The severities, mildest first as written."""
        return tuple(self.severities) or (ITSELF,)

    def at(self, severity: str | None = None) -> Components:
        """The components under a severity; it may be left out where there is one only.

        Raises
        ------
        ParameterError
            An unknown severity, or none where there are several.
        """
        if severity is None and len(self.names) == 1:
            severity = self.names[0]
        if severity not in self.names:
            raise ParameterError(
                f"{self.name} has no severity {severity!r}; choose one of {', '.join(self.names)}"
            )
        base = self.model_dump(by_alias=True, exclude_unset=True, include=_FIELDS)
        if severity not in self.severities:
            return Components.model_validate(base)
        change = self.severities[severity].model_dump(by_alias=True, exclude_unset=True)
        sources = (*change.get("sources", ()), *base.get("sources", ()))
        return Components.model_validate({**_merged(base, change), "sources": sources})

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for severity in self.names:
            found = fault(self.at(severity))
            if found:
                where = "" if severity == ITSELF else f"{severity}: "
                raise ValueError(where + found)
        return self


_FIELDS = set(Components.model_fields)


class Library(Model):
    """Scenarios by name."""

    scenarios: dict[str, Scenario]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, document: Any) -> Any:
        # The key is the name: written once in the file, known to the scenario.
        table = document.get("scenarios") if isinstance(document, dict) else None
        if not isinstance(table, dict):
            return document
        return {
            "scenarios": {
                name: {"name": name, **entry} if isinstance(entry, dict) else entry
                for name, entry in table.items()
            }
        }

    @model_validator(mode="after")
    def _own_names(self) -> Self:
        for name, scenario in self.scenarios.items():
            if scenario.name != name:
                raise ValueError(f"{name}: its name says {scenario.name}; leave the name out")
        return self

    def __getitem__(self, name: str) -> Scenario:
        """One scenario; `ParameterError` with the known names for another."""
        if name not in self.scenarios:
            raise ParameterError(f"no scenario {name!r}; choose one of {', '.join(self.scenarios)}")
        return self.scenarios[name]

    def cases(self) -> Iterator[tuple[Scenario, str]]:
        """Every scenario with every one of its severities."""
        for scenario in self.scenarios.values():
            for severity in scenario.names:
                yield scenario, severity

    def joined(self, other: "Library") -> "Library":
        """These scenarios and those of `other`, which replace the ones of the same name."""
        return Library.model_construct(scenarios={**self.scenarios, **other.scenarios})


def parse(document: Any, source: str = "scenarios", *, sourced: bool = False) -> Library:
    """A parsed YAML or JSON file, name → scenario, as `Library`.

    Parameters
    ----------
    sourced : every scenario must have the four `SEVERITIES` and say where each component comes
        from, a severity for those that it changes: what is asked of the bundled library.

    Raises
    ------
    DataError
        Names `source`, then each scenario and component at fault with what it should be.
    """
    library = validate(Library, {"scenarios": document}, source)
    if sourced:
        faults = list(_unsourced(library))
        if faults:
            raise DataError("\n".join([f"{source}: {len(faults)} faults", *faults[:8]]))
    return library


def _merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for name, value in change.items():
        tables = isinstance(value, dict) and isinstance(base.get(name), dict)
        made[name] = {**base[name], **value} if tables else value
    return made


def _unsourced(library: Library) -> Iterator[str]:
    for name, scenario in library.scenarios.items():
        missing = [severity for severity in SEVERITIES if severity not in scenario.severities]
        if missing:
            yield f"  {name}: no severity {', '.join(missing)}; add it"
        for where, parts in {"base": scenario, **scenario.severities}.items():
            for part in parts.given:
                if parts.source(part) is None:
                    yield (
                        f"  {name} > {where} > {part}: no source; add to its sources "
                        f"{{of: [{part}], source: …, date: …}}"
                    )
