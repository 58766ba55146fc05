"""The page of the ledger, beside the reports: self-contained, no clock but the entries' own."""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from xcoll.collateral.recalibration.proposal import PARAMETERS
from xcoll.workbook import dress, html
from xcoll.workbook.monitor import entry as entries_of
from xcoll.workbook.monitor import words
from xcoll.workbook.monitor.entry import shown
from xcoll.workbook.monitor.ledger import Entry
from xcoll.workbook.plots import ledger as plots
from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent, to_html

__all__ = ["page", "write"]

HEADINGS = dict(zip(PARAMETERS, ("Thresholds", "LTVs", "Bonuses", "Caps"), strict=True))
SIGNS = 12  # of a hash in a table
MOST = 60  # entries in a table


def write(entries: Sequence[Entry], reports: Path, ledger: Path) -> Path:
    """Write the page of the ledger into the folder of the reports, named after the ledger."""
    path = reports / f"{ledger.stem}.html"
    last = entries[-1]["run"]["name"]
    report = f"{last}/index.html" if (reports / last / "index.html").is_file() else None
    reports.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(page(entries, path.name, report), encoding="utf-8")
    return draft.replace(path)


def page(entries: Sequence[Entry], file: str, report: str | None = None) -> str:
    """The HTML of the ledger's page; equal entries give equal bytes.

    Parameters
    ----------
    entries : sequence
        At least one.
    file : str
        Its name, for the navigation bar.
    report : str, optional
        First page of the last entry's run, beside it.
    """
    last = entries[-1]
    every, fired = _by_date(entries), entries_of.alerts(entries)
    style.apply()
    rails = last["rails"]
    body = (
        html.environment()
        .get_template("ledger.html.j2")
        .render(
            entry=last,
            venue=last["venue"],
            headline=words.headline(last),
            rails={
                **{name: percent(rails[name]) for name in ("step", "tick")},
                "cap_step": percent(rails["cap_step"], 0),
                "delay": words.duration(rails["delay"]),
                "expiry": words.duration(rails["expiry"]),
            },
            changed=_table(words.changed(last), words.HEADS, "Moved at this entry"),
            quiet=words.quiet(last),
            alerts=_alerts(last),
            fired=_picture(plots.fired(fired), "Alerts") if len(fired) else "",
            waterfall=_waterfall(entries),
            figures=[
                (HEADINGS[name], _picture(plots.paths(rows, name, _own(fired)), HEADINGS[name]))
                for name, rows in ((name, every[every["parameter"] == name]) for name in PARAMETERS)
                if len(rows)
            ],
            in_force=_in_force(last),
            entries=_entries(entries),
        )
    )
    article = dress.parse(body)
    contents = dress.number_headings(article)
    dress.tables(article)
    links = [("Ledger", file), *([(f"Run {last['run']['name']}", report)] if report else [])]
    return html.shell(
        str(article),
        title=f"Ledger of parameters, {last['venue']}",
        links=links,
        footer=f"xcoll ledger, entry {last['number']}, hash {last['hash'][:SIGNS]}",
        current=file,
        contents=[one for one in contents if one[0] == 2],
    )


def _by_date(entries: Sequence[Entry]) -> pd.DataFrame:
    """Parameters of all entries; of several of one date those of the last."""
    return entries_of.parameters([*{entry["as_of"]: entry for entry in entries}.values()])


def _own(fired: pd.DataFrame) -> pd.DataFrame:
    """New alerts by the assets that their names hold: time, asset."""
    fresh = fired[fired["new"]]
    named = fresh.assign(asset=fresh["name"].map(lambda name: re.findall(r"[\w.]+", name)))
    return named.explode("asset")[["time", "asset"]].drop_duplicates()


def _table(rows: Sequence[Sequence[str]], heads: Sequence[str], caption: str) -> str:
    if not rows:
        return "<p>Nothing.</p>"
    return _bare(to_html(pd.DataFrame(rows, columns=list(heads)), caption, rows=len(rows)))


def _bare(table: str) -> str:
    """The table without its class, so that `dress` sets numbers right as in any other."""
    return table.replace(' class="xcoll-table"', "").replace(' class="text"', "")


def _alerts(entry: Entry) -> str:
    fired = entries_of.alerts([entry]).sort_values("new", ascending=False, kind="stable")
    if fired.empty:
        return "<p>None.</p>"
    rows = fired.assign(new=fired["new"].map({True: "new", False: "standing"}))
    rows = rows[["new", "kind", "name", "value", "threshold", "said"]].rename(columns={"new": ""})
    formats = {"value": "significant", "threshold": "significant"}
    return to_html(rows, "At this entry, new ones first", formats, len(rows))


def _waterfall(entries: Sequence[Entry]) -> str:
    """Parts of each haircut at the last entry, or how they changed since the one before."""
    now = _parts(entries[-1])
    if len(entries) == 1:
        kept = now.loc[:, (now != 0.0).any()]
        rows = kept.rename_axis("asset").reset_index()
        formats = dict.fromkeys(kept, "percent")
        return to_html(rows, "Haircuts by part at this entry", formats, len(rows))
    before = entries[-2]
    past = _parts(before)
    parts = now.columns.union(past.columns, sort=False)
    now, past = (frame.reindex(columns=parts, fill_value=0.0) for frame in (now, past))
    change = now - past.reindex(index=now.index)
    kept = change.loc[:, (change.abs() >= 5e-5).any()].drop(columns="haircut", errors="ignore")
    formats = dict.fromkeys([*kept, "change"], "points") | {"haircut": "percent"}
    rows = kept.assign(change=change["haircut"], haircut=now["haircut"])
    rows = rows.rename_axis("asset").reset_index()
    caption = f"Points of the haircut since {before['as_of']}, by part; the haircut now"
    return to_html(rows, caption, formats, len(rows))


def _parts(entry: Entry) -> pd.DataFrame:
    """Asset × part of the haircut, and the haircut; points."""
    parts = {asset: one["waterfall"] for asset, one in entry["assets"].items()}
    return pd.DataFrame(parts).T.fillna(0.0).assign(haircut=lambda frame: frame.sum(axis=1))


def _in_force(entry: Entry) -> str:
    """Asset × parameter: what is in force, and where it goes."""
    table = entries_of.parameters([entry])
    cells = [
        f"{shown(row.parameter, row.value)} → {shown(row.parameter, row.target)}"
        if row.under_way
        else shown(row.parameter, row.value)
        for row in table.itertuples()
    ]
    wide = table.assign(cell=cells).pivot(index="asset", columns="parameter", values="cell")
    wide = wide.loc[[*entry["parameters"]], [*PARAMETERS]].fillna("–")
    days = table.groupby("asset")["days"].max().round().astype(int)
    rows = wide.assign(days=days).rename_axis(columns=None).reset_index()
    caption = (
        "In force after this entry, → its target where it is under way, days until all are met"
    )
    return _bare(to_html(rows, caption, rows=len(rows)))


def _entries(entries: Sequence[Entry]) -> str:
    rows = [
        {
            "entry": entry["number"],
            "as of": entry["as_of"],
            "made at (UTC)": entry["made_at"][:16].replace("T", " "),
            "run": entry["run"]["name"],
            "moved": entries_of.count(entry),
            "new alerts": sum(one["new"] for one in entry["alerts"]),
            "manifest": entry["run"]["manifest"][:SIGNS],
            "hash": entry["hash"][:SIGNS],
        }
        for entry in entries[: -MOST - 1 : -1]
    ]
    which = f"The last {MOST} of {len(entries)} entries" if len(entries) > MOST else "All entries"
    return to_html(pd.DataFrame(rows), f"{which}, the last one first", rows=len(rows))


def _picture(figure: Figure, alt: str) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    width, height = (round(100 * inches) for inches in figure.get_size_inches())
    title = figure.get_suptitle() or alt
    plt.close(figure)
    data = base64.b64encode(stream.getvalue()).decode()
    return (
        f'<figure class="plot" tabindex="0"><img src="data:image/png;base64,{data}" '
        f'width="{width}" height="{height}" alt="{escape(title)}"></figure>'
    )
