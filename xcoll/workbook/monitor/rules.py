"""`data/monitor.yaml`: when a parameter is left alone, and what fires."""

import datetime
from pathlib import Path

from xcoll.collateral.schema import Duration, Fraction, Model, Sourced, validate
from xcoll.workbook.files import read_yaml

__all__ = ["FILE", "Rules", "read"]

FILE = Path("data/monitor.yaml")


class Share(Sourced):
    """A fraction with its source."""

    value: Fraction


class Span(Sourced):
    """A duration with its source."""

    value: Duration


class Findings(Sourced):
    """Checks of the price table whose findings alert."""

    checks: tuple[str, ...]


class Rules(Model):
    """Bands of parameters that have no interval, and thresholds of the alerts.

    bonus_band: points around the target; cap_band: fraction of the target.  patience: how long the
    steps may take for what lends more than its target.  significance: of the pooled tests of
    coverage together.  findings: checks of the prices that alert.
    """

    date: datetime.date
    bonus_band: Share
    cap_band: Share
    patience: Span
    significance: Share
    findings: Findings


def read(path: Path) -> Rules:
    """The rules in the file `path`; `DataError` names the file, the field and the fix."""
    return validate(Rules, read_yaml(path), path.name)
