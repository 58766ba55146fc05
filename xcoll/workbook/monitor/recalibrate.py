"""A recalibration: the chain as of a date, the rails, an entry of the ledger, and its page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.recalibration.proposal import propose
from xcoll.collateral.universe import Universe
from xcoll.errors import ParameterError
from xcoll.workbook import fingerprint, manifest, plan, runner
from xcoll.workbook.files import read_venues
from xcoll.workbook.monitor import alerts, entry, ledger, page, rules, targets
from xcoll.workbook.monitor.ledger import Entry
from xcoll.workbook.plan import Plan
from xcoll.workbook.progress import Progress
from xcoll.workbook.project import Project
from xcoll.workbook.sweep import inputs
from xcoll.workbook.update import update

__all__ = ["LEDGER", "Outcome", "planned", "recalibrate"]

LEDGER = Path("ledger/ledger.jsonl")  # beside reports/, where no clean and no run removes it
PARAMETER = "as_of"


@dataclass(frozen=True)
class Outcome:
    """What a recalibration left.

    Attributes
    ----------
    entries : the ledger, the entry of this date last.
    added : whether that entry is new.
    index : first page of the run's report.
    page : of the ledger.
    """

    entries: Sequence[Entry]
    added: bool
    index: Path
    page: Path


def planned(
    project: Project,
    as_of: date,
    settings: Sequence[tuple],
    texts: Sequence[tuple],
    options: Sequence[str],
) -> Plan:
    """The whole chain as of a date.

    Raises
    ------
    ParameterError
        Where the date is set a second time, and as `plan.build`.
    DataError
        As `plan.build`.
    """
    twice = [place for _, name, _, place in [*settings, *texts] if name == PARAMETER]
    if twice:
        raise ParameterError(f"{twice[0]}: the date is that of --as-of; leave this one out")
    dated = [*settings, (None, PARAMETER, f"{as_of}", f"--as-of {as_of}")]
    return plan.build(project, settings=dated, texts=texts, options=options)


def recalibrate(
    wanted: Plan,
    as_of: date,
    name: str,
    path: Path,
    now: datetime,
    progress: Progress,
    *,
    jobs: int,
    timeout: int = runner.TIMEOUT,
    fast: bool = False,
) -> Outcome:
    """Run `wanted`, move what is in force under the rails, and append an entry to the ledger.

    Parameters
    ----------
    wanted : Plan
        Of `planned`.
    name : str
        Folder of the run's report.
    path : Path
        The ledger.
    now : datetime
        The entry's clock, the only one in it.

    Raises
    ------
    ParameterError
        A date before the ledger's last entry, or another venue than the ledger's.
    DataError
        A ledger that is broken, torn, or of a newer version.
    RunError
        As `update`.
    """
    project = wanted.project
    limits = rules.read(project.path(rules.FILE))
    _refuse(ledger.read(path), as_of, path)
    index = update(wanted, name, progress, jobs=jobs, timeout=timeout, fast=fast)
    described = manifest.read(index.parent)
    read = inputs.parse(inputs.collect(project, name, targets.ARTIFACTS).contents)
    with ledger.locked(path) as entries:
        _refuse(entries, as_of, path)
        last = entries[-1] if entries else None
        facts = _facts(wanted, described, read, as_of, now)
        added = last is None or _inputs(last) != _inputs(facts)
        if added:
            if last is not None and last["venue"] != facts["venue"]:
                raise ParameterError(
                    f"{path} is of {last['venue']}, this run of {facts['venue']}; give another "
                    "ledger with --ledger FILE"
                )
            made = _made(wanted, facts, read, last, limits)
            fresh = ledger.sealed(made, entries)
            ledger.append(path, fresh)
            entries = [*entries, fresh]
        written = page.write(entries, project.reports, path)
    return Outcome(entries, added, index, written)


def _refuse(entries: Sequence[Entry], as_of: date, path: Path) -> None:
    if entries and f"{as_of}" < entries[-1]["as_of"]:
        raise ParameterError(
            f"--as-of {as_of}: the last entry of {path} is of {entries[-1]['as_of']}, and entries "
            "are appended only; give a later date, or replay history with --ledger ANOTHER_FILE"
        )


def _inputs(one: Mapping[str, Any]) -> tuple[object, ...]:
    """What makes two recalibrations the same: the date, the run whatever its name, the files."""
    return one["as_of"], one["run"]["manifest"], one["data"]


def _facts(
    wanted: Plan, described: Mapping[str, Any], read: Mapping[str, Any], as_of: date, now: datetime
) -> dict[str, Any]:
    project = wanted.project
    return {
        "as_of": f"{as_of}",
        "made_at": now.isoformat(timespec="seconds"),
        "last_bar": read["data_card"]["prices"]["end"],
        "run": {"name": described["run"], "manifest": manifest.identity(described)},
        "commit": described["commit"],
        "data": {
            **described["facts"]["data"],
            rules.FILE.as_posix(): fingerprint.file(project.path(rules.FILE)),
        },
        "changed": {
            step: one["changed"] for step, one in described["steps"].items() if one["changed"]
        },
        "venue": read["summary"]["venue"],
    }


def _made(
    wanted: Plan,
    facts: Mapping[str, Any],
    read: Mapping[str, Any],
    last: Entry | None,
    limits: rules.Rules,
) -> dict[str, Any]:
    """The content of the next entry, as of the date of `facts`."""
    writer, _ = wanted.project.chain.artifact("summary")
    venues = read_venues(wanted.project.path(str(wanted.values(writer)["venues_file"])))
    venue, policy = venues.venue(facts["venue"]), Policy.of(read["policy"])
    governance = targets.rails(policy, venue)
    today = pd.Timestamp(facts["as_of"])
    if last is None:
        held = targets.published(venues, facts["venue"], Universe.model_validate(read["universe"]))
    else:
        held = entry.held(last)
    proposed = propose(held, targets.wanted(read, limits), today, governance)
    hours = read["data_card"]["prices"]["bar_hours"]
    bar = pd.Timedelta(hours=hours)
    after = pd.Timestamp(facts["last_bar"]) - bar
    if last is not None:
        after = pd.Timestamp(last["as_of"]) + pd.Timedelta("1D") - pd.Timedelta("1us")
    tests = (read["tail_ranking"], read["coverage"], read["coverage_rates"])
    found = [
        *alerts.correlation(read["correlation_alerts"], after),
        *alerts.coverage(*tests, policy, max(round(24.0 / hours), 1), limits),
        *alerts.toxic(read["toxic_pairs"]),
        *alerts.lag(proposed, limits),
        *alerts.data(read["quality"], after, limits),
    ]
    steps = {"tick", "step", "delay", "expiry", "cap_step"}
    rails = {name: value for name, value in asdict(governance).items() if name in steps}
    whole = {**facts, "published": f"{venue.date}", "rails": rails}
    return entry.made(whole, proposed, targets.facts(read), found, last)
