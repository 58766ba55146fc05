"""What a recalibration says: what changed and why, what did not, what fired, and where it lies."""

from collections.abc import Sequence

import pandas as pd

from xcoll.collateral.recalibration.proposal import PARAMETERS, VERDICTS
from xcoll.workbook.monitor import entry as entries_of
from xcoll.workbook.monitor.entry import ALERTED, CHANGED, SAME, shown
from xcoll.workbook.monitor.ledger import Entry

__all__ = ["CODES", "HEADS", "changed", "duration", "headline", "history", "quiet", "told"]

CODES = {SAME: "nothing changed", CHANGED: "parameters changed", ALERTED: "an alert fired"}
HEADS = ("asset", "parameter", "from", "to", "target", "interval", "days", "why")
MOST = 5  # alerts of a kind that are written out


def duration(span: str) -> str:
    """A duration for a reader: ``3D`` is 3 days, ``6h`` 6 hours."""
    hours = pd.Timedelta(span) / pd.Timedelta("1h")
    number, unit = (hours / 24.0, "day") if hours >= 24.0 else (hours, "hour")
    return f"{number:g} {unit}{'' if number == 1.0 else 's'}"


def headline(entry: Entry) -> str:
    """The entry in a sentence."""
    table, fired = entries_of.parameters([entry]), entries_of.alerts([entry])
    moved, fresh = (table["verdict"] == "moved").sum(), fired["new"].sum()
    standing = len(fired) - fresh
    new = "1 alert is new" if fresh == 1 else f"{fresh} alerts are new"
    stand = "1 stands" if standing == 1 else f"{standing} stand"
    return f"{moved} of {len(table)} parameters moved; {new}, {stand} since before"


def changed(entry: Entry) -> list[tuple[str, ...]]:
    """Rows for a reader of what moved, in the words of `HEADS`."""
    table = entries_of.parameters([entry])
    rows = table[table["verdict"] == "moved"]
    return [
        (
            row.asset,
            row.parameter,
            shown(row.parameter, row.before),
            shown(row.parameter, row.value),
            shown(row.parameter, row.target),
            f"{shown(row.parameter, row.low)} to {shown(row.parameter, row.high)}",
            f"{row.days:.0f}",
            row.why,
        )
        for row in rows.itertuples()
    ]


def quiet(entry: Entry) -> list[tuple[str, str]]:
    """Why the others did not move: the reason, and which they are."""
    table = entries_of.parameters([entry])
    rest = table[table["verdict"] != "moved"]
    return [
        (VERDICTS[verdict], _named(rows)) for verdict, rows in rest.groupby("verdict", sort=False)
    ]


def history(entries: Sequence[Entry], asset: str | None = None) -> list[tuple[str, ...]]:
    """Rows of the parameters in force, entry by entry; a move is shown from where to where."""
    rows = []
    for entry in entries:
        for name, mine in entry["parameters"].items():
            if asset in (None, name):
                cells = (_cell(parameter, mine.get(parameter)) for parameter in PARAMETERS)
                rows.append((str(entry["number"]), entry["as_of"], name, *cells))
    return rows


def told(entries: Sequence[Entry], added: bool) -> list[str]:
    """The text for a terminal: the last entry, against the one before it."""
    entry = entries[-1]
    code = entries_of.code(entry)
    said = "" if added else " (there already: same date, same inputs; nothing was appended)"
    lines = [f"entry {entry['number']} as of {entry['as_of']}, {entry['venue']}{said}"]
    lines += [headline(entry), ""]
    if len(entries) == 1:
        lines += [
            f"The first entry starts from what {entry['venue']} published on {entry['published']}, "
            "and from our own where it publishes nothing.",
            "",
        ]
    if rows := changed(entry):
        lines += ["changed", *_aligned([HEADS, *rows]), ""]
    lines += ["not changed", *(f"  {reason}: {names}" for reason, names in quiet(entry)), ""]
    lines += ["alerts", *_fired(entries_of.alerts([entry])), ""]
    return [*lines, f"exit code {code}: {CODES[code]}"]


def _cell(parameter: str, one: dict | None) -> str:
    if one is None:
        return "–"
    value = shown(parameter, one["value"])
    return f"{shown(parameter, one['before'])} → {value}" if one["verdict"] == "moved" else value


def _named(rows: pd.DataFrame) -> str:
    """Which parameters of which assets, those of the same parameters together."""
    by_asset = rows.groupby("asset", sort=False)["parameter"].agg(", ".join)
    together = by_asset.index.to_series().groupby(by_asset, sort=False).agg(", ".join)
    return "; ".join(f"{names} of {assets}" for names, assets in together.items())


def _fired(fired: pd.DataFrame) -> list[str]:
    if fired.empty:
        return ["  none"]
    lines = []
    for fresh, word in ((True, "new"), (False, "standing")):
        for kind, rows in fired[fired["new"] == fresh].groupby("kind", sort=False):
            lines += [
                f"  {word:<9} {kind:<15} {name}: {said}"
                for name, said in zip(rows["name"][:MOST], rows["said"][:MOST], strict=True)
            ]
            if len(rows) > MOST:
                lines.append(f"  {word:<9} {kind:<15} and {len(rows) - MOST} more, in the ledger")
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        ("  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
