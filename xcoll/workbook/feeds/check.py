"""What a file is, what the rules find in it, and what would stop a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xcoll.collateral.schema import Model
from xcoll.collateral.universe import Universe
from xcoll.errors import DataError
from xcoll.market import findings, quality
from xcoll.market.prices import Prices, faults, layout, parse
from xcoll.workbook import books, files, fingerprint
from xcoll.workbook.feeds import gaps, kinds, store
from xcoll.workbook.feeds.canonical import day

__all__ = ["Asked", "Report", "check", "examine"]

NONE = findings.tabulate([])
NO_GAPS = gaps.find({}, pd.Timedelta("1D"))


@dataclass(frozen=True)
class Asked:
    """What a file is held against: a universe, prices, the asset whose bars it has."""

    universe: Universe | None = None
    prices: Prices | None = None
    asset: str | None = None


@dataclass(frozen=True)
class Report:
    """What a file is.

    Attributes
    ----------
    kind : one of `kinds.KINDS`.
    facts : name and value, in order.
    findings : rows of `market.quality`.
    gaps : rows of `gaps.find`.
    stops : what would stop a run, each with its fix.
    notes : what else is to be known or done.
    """

    kind: str
    facts: Sequence[tuple[str, str]] = ()
    findings: pd.DataFrame = field(default_factory=NONE.copy)
    gaps: pd.DataFrame = field(default_factory=NO_GAPS.copy)
    stops: Sequence[str] = ()
    notes: Sequence[str] = ()


def check(path: Path, kind: str | None = None, asked: Asked | None = None) -> Report:
    """The report of a file; every fault of its content is a line of `stops`, none is raised.

    Parameters
    ----------
    kind : one of `kinds.KINDS`; by default what the content says.

    Raises
    ------
    ParameterError
        A `kind` that there is not.
    """
    try:
        kind = kinds.of(path) if kind is None else kinds.known(kind)
        made = CHECKS.get(kind, _configured)(path, kind, asked or Asked())
        moved = store.changed(path)
    except DataError as error:
        return Report(kind or "unknown", _file(path), stops=str(error).splitlines())
    stops = [*made.stops, *([moved] if moved else [])]
    return Report(kind, [*_file(path), *made.facts], made.findings, made.gaps, stops, made.notes)


def examine(
    raw: Prices, rules: quality.Rules, source: str
) -> tuple[Prices | None, pd.DataFrame, list[str]]:
    """Clean prices (None where there can be none), all findings, and all that would stop a run.

    Where something would stop it, the first two are those of a run that repairs.
    """
    stops = [f"{source}: {fault.message}" for fault in faults(raw)]
    try:
        return *quality.check(raw, rules, source), stops
    except DataError as error:
        stops = stops or [str(error)]
    try:
        return *quality.check(raw, replace(rules, repair=True), source), stops
    except DataError as error:
        return None, NONE, list(dict.fromkeys([*stops, str(error)]))


def _prices(path: Path, kind: str, asked: Asked) -> Report:
    universe = asked.universe
    table = files.read_table(path)
    raw = layout(table, path.name, universe.columns if universe else None)
    rules = universe.rules() if universe else quality.Rules()
    clean, found, stops = examine(raw, rules, path.name)
    notes = []
    if stops and len(found):
        notes.append("the findings say what a run with -p repair=true would do")
    if universe is None:
        notes.append(
            "no universe was given: --universe FILE adds listings, pegs and left out columns"
        )
    missing = NO_GAPS if clean is None else gaps.find(dict(clean.close.items()), clean.bar)
    return Report(kind, _spans(raw, len(table)), found, missing, stops, notes)


def _bars(path: Path, kind: str, asked: Asked) -> Report:
    table = files.read_table(path)
    names = {str(name).strip().lower() for name in table.columns}
    asset = asked.asset or "the asset"
    if not names & {"asset", "symbol", "ticker"}:
        table = table.assign(asset=asset)
    bars = parse(table, path.name)
    notes, found, stops = [], NONE, []
    if bars.low is None or bars.high is None:
        stops.append(f"{path.name}: bars need a column low and a column high; add them")
    elif asked.prices is not None and asked.asset is not None:
        tolerance = asked.universe.rules().bars_tolerance if asked.universe else 0.005
        found = quality.attach_bars(asked.prices, bars, tolerance, path.name)[1]
    else:
        notes.append("--prices FILE and --asset SYMBOL hold the closes against those of the prices")
    missing = gaps.find(dict(bars.close.items()), bars.bar)
    return Report(kind, _spans(bars, len(table)), found, missing, stops, notes)


def _accounts(path: Path, kind: str, asked: Asked) -> Report:
    assets, notes = _assets(path, asked)
    stops = books.faults(path, assets)
    if stops:
        return Report(kind, [("assets", _listed(assets))], stops=stops)
    book = books.read(path, assets)
    used = [asset for asset, there in zip(assets, book.used, strict=True) if there]
    debtors = int(book.debt.any(axis=1).sum())
    facts = [("accounts", f"{len(book):,}, {debtors:,} with debt"), ("assets", _listed(used))]
    if asked.prices is None:
        return Report(kind, facts, notes=[*notes, "--prices FILE adds who is insolvent"])
    last = asked.prices.close.ffill().iloc[-1]
    worth = book.prices(last)
    held, owed = book.collateral @ worth, book.debt @ worth
    facts += [("collateral", f"{held.sum():,.0f} dollars at the last closes"),
              ("debt", f"{owed.sum():,.0f} dollars")]  # fmt: skip
    under = np.flatnonzero(owed > held)
    if len(under):
        worst = under[np.argsort(-(owed - held)[under], kind="stable")][:5]
        named = ", ".join(f"{book.ids[i]} ({owed[i] - held[i]:,.0f})" for i in worst)
        notes.append(
            f"{len(under):,} account{'s owe' if len(under) > 1 else ' owes'} more than the "
            f"collateral is worth at the last closes, short of {(owed - held)[under].sum():,.0f} "
            f"dollars in all, most of all {named}: a replay starts with that bad debt; correct "
            "the balances, or leave them out"
        )
    return Report(kind, facts, notes=notes)


def _configured(path: Path, kind: str, asked: Asked) -> Report:
    reader, words = CONFIGURED[kind]
    return Report(kind, list(words(reader(path)).items()))


CHECKS: Mapping[str, Callable[[Path, str, Asked], Report]] = {
    "prices": _prices,
    "bars": _bars,
    "accounts": _accounts,
}


def _universe_words(universe: Universe) -> dict[str, str]:
    return {
        "date": str(universe.date),
        "priced": _listed(universe.priced),
        "collateral": _listed(universe.collateral),
        "debts": _listed(universe.debts),
        "derived": _listed(universe.derived),
        "assumed": _blocks(universe),
    }


CONFIGURED: Mapping[str, tuple[Callable[[Path], Any], Callable[[Any], dict[str, str]]]] = {
    "universe": (files.read_universe, _universe_words),
    "venues": (
        lambda path: (files.read_venues(path), files.read_margins(path)),
        lambda read: {"date": str(read[0].date), "lending": _listed(read[0].venues),
                      "margins": _listed(read[1])},
    ),
    "add-ons": (
        files.read_addons,
        lambda addons: {"date": str(addons.date), "assumed": _blocks(addons)},
    ),
    "scenarios": (files.read_scenarios, lambda library: {"scenarios": _listed(library.scenarios)}),
    "sample books": (files.read_books, lambda samples: {"books": _listed(samples)}),
}  # fmt: skip


def _assets(path: Path, asked: Asked) -> tuple[list[str], list[str]]:
    if asked.prices is not None:
        return asked.prices.assets, []
    if asked.universe is not None:
        return asked.universe.priced, []
    named = books.assets(path)
    return named, ["assets are not held against anything: give --universe FILE or --prices FILE"]


def _blocks(model: Model) -> str:
    return f"{_assumed(model.model_dump()):,} blocks of facts say assumed: true"


def _assumed(block: object) -> int:
    if isinstance(block, Mapping):
        return (block.get("assumed") is True) + sum(map(_assumed, block.values()))
    return sum(map(_assumed, block)) if isinstance(block, list | tuple) else 0


def _file(path: Path) -> list[tuple[str, str]]:
    if not path.is_file():
        return []
    return [("sha256", fingerprint.file(path)), ("bytes", f"{path.stat().st_size:,}")]


def _spans(prices: Prices, rows: int) -> list[tuple[str, str]]:
    index = prices.close.index
    return [
        ("rows", f"{rows:,}"),
        ("assets", _listed(prices.assets)),
        ("fields", ", ".join(prices.tables)),
        ("first bar", day(index.min())),
        ("last bar", day(index.max())),
        ("bar", f"{prices.bar / pd.Timedelta(hours=1):g} hours"),
    ]


def _listed(names: Sequence[str]) -> str:
    names = [str(name) for name in names]
    return f"{len(names)}: {', '.join(names)}" if names else "none"
