"""`xcoll data`: a user's own data, checked, imported, and fetched from exchanges."""

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xcoll.errors import ParameterError
from xcoll.workbook.commands.common import columns, interrupt

if TYPE_CHECKING:
    import pandas as pd

    from xcoll.workbook.feeds.deliver import Delivered
    from xcoll.workbook.feeds.store import Own
    from xcoll.workbook.project import Project

__all__ = ["EPILOG", "HELP", "arguments", "call"]

HELP = "check, import or fetch data of your own"
EPILOG = """\
examples
  xcoll data check my_prices.csv --universe my_universe.yaml
  xcoll data import 2022.csv 2023.csv --name mine --skeleton
  xcoll data fetch kraken BTC/USD ETH/USD USDC/USD --since 2022-01-01 --name kraken --skeleton
"""
SHOWN = 20  # rows of a table without --all


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll data` and each of its tasks take."""
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    check = tasks.add_parser("check", help="what a file is, and what would stop a run")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--as", dest="kind", metavar="KIND",
                       help="prices, bars, accounts, universe, venues, add-ons, scenarios or "
                       "sample books (by its content)")  # fmt: skip
    check.add_argument("--universe", type=Path, metavar="FILE", help="whose rules it has to meet")
    check.add_argument("--prices", type=Path, metavar="FILE", help="prices of the same assets")
    check.add_argument("--asset", metavar="SYMBOL", help="whose bars these are")
    check.add_argument("--all", action="store_true", help="every finding, however many")
    bring = tasks.add_parser("import", help="files of prices into one, with a card")
    bring.add_argument("files", type=Path, nargs="+", metavar="FILE", help="csv or parquet")
    fetch = tasks.add_parser("fetch", help="bars of an exchange, through ccxt (an extra)")
    fetch.add_argument("exchange", metavar="EXCHANGE", help="as ccxt calls it: kraken, binance")
    fetch.add_argument("symbols", nargs="+", metavar="SYMBOL", help="as ccxt calls it: BTC/USD")
    fetch.add_argument("--since", required=True, metavar="DATE", help="first bar, UTC")
    fetch.add_argument("--until", metavar="DATE", help="the bar after the last, UTC (now)")
    fetch.add_argument("--bar", default="1d", help="length of a bar: 1h, 1d (%(default)s)")
    for task in (bring, fetch):
        task.add_argument("--name", required=True, help="what the data are called")
        task.add_argument("--into", type=Path, metavar="DIR", help="their folder (data/own)")
        task.add_argument("--replace", action="store_true",
                          help="let other data of that name give way")  # fmt: skip
        task.add_argument("--skeleton", action="store_true",
                          help="write a universe to begin with, guesses marked")  # fmt: skip


def call(options: argparse.Namespace) -> int:
    """Do the task; 0 where it is done and nothing would stop a run, 1 where something would."""
    try:
        return {"check": _check, "import": _import, "fetch": _fetch}[options.task](options)
    except KeyboardInterrupt:
        print("xcoll: interrupted; what was there is as it was", file=sys.stderr)
        if options.task == "fetch":
            print("pages that came are kept: the same command goes on, without --replace",
                  file=sys.stderr)  # fmt: skip
        return 130
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        print(f"xcoll: {error.strerror}{place}; what was there is as it was", file=sys.stderr)
        return 1


def _check(options: argparse.Namespace) -> int:
    from xcoll.workbook import files, project
    from xcoll.workbook.feeds import kinds
    from xcoll.workbook.feeds.check import Asked, check

    for path in (options.file, options.universe, options.prices):
        if path is not None and not path.is_file():
            raise ParameterError(f"{path}: no such file; check its path")
    universe = files.read_universe(options.universe) if options.universe else None
    prices = None
    if options.prices:
        rules = (universe.columns, universe.rules()) if universe else (None, None)
        prices, _ = files.read_prices(options.prices, *rules)
    made = check(options.file, options.kind, Asked(universe, prices, options.asset))
    print(f"{options.file}: {made.kind}")
    columns([(f"  {name}", value) for name, value in made.facts])
    most = None if options.all else SHOWN
    _table("findings", made.findings, most)
    _table("missing bars", made.gaps, most)
    _lines("would stop a run", made.stops)
    _lines("to know", made.notes)
    if not made.stops:
        here = project.find()
        place = here.relative(options.file.resolve())
        words = f"xcoll run -p {kinds.PARAMETER.get(made.kind)}={place}"
        if options.universe and made.kind == "prices":
            words += f" -p universe_file={here.relative(options.universe.resolve())}"
        if made.kind == "accounts":
            words = f"xcoll sweep GRID.yaml, where the grid says  fixed: {{book: {place}}}"
        print(f"use it with\n  {words}")
    return 1 if made.stops else 0


def _import(options: argparse.Namespace) -> int:
    from xcoll.workbook import project
    from xcoll.workbook.feeds import store
    from xcoll.workbook.feeds.bring import bring

    for path in options.files:
        if not path.is_file():
            raise ParameterError(f"{path}: no such file; check its path")
    here = project.find()
    own = store.own(_folder(here, options.into), options.name)
    _said(here, own, bring(options.files, own, replace=options.replace), options.skeleton)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from xcoll.workbook import project
    from xcoll.workbook.feeds import exchange, store
    from xcoll.workbook.feeds.fetch import fetch
    from xcoll.workbook.feeds.patience import Patience
    from xcoll.workbook.progress import Progress

    since, until = _date("--since", options.since), _date("--until", options.until)
    if until is not None and until <= since:
        raise ParameterError(f"--until {options.until} is not after --since {options.since}")
    twice = sorted({one for one in options.symbols if options.symbols.count(one) > 1})
    if twice:
        raise ParameterError(f"{twice[0]} is given twice; name each market once")
    here = project.find()
    own = store.own(_folder(here, options.into), options.name)
    signal.signal(signal.SIGTERM, interrupt)
    with Progress() as progress:
        came = fetch(
            exchange.Exchange(exchange.client(options.exchange)),
            own,
            options.symbols,
            bar=options.bar,
            since=since,
            until=until,
            patience=Patience(),
            progress=progress,
            replace=options.replace,
        )
    ahead = "ahead of" if came.skew >= 0 else "behind"
    print(f"{options.exchange}: {came.pages} pages; its clock is {abs(came.skew):.1f} s {ahead} "
          f"this machine's, by {came.measured}")  # fmt: skip
    words = {
        "repeated": "equal copies dropped",
        "unfinished": "not over yet, dropped",
        "outside": "outside the window, dropped",
        "healed": "came when asked for again",
    }
    told = [f"{came.counts[why]:,} {text}" for why, text in words.items() if came.counts[why]]
    _lines("bars", told)
    _said(here, own, came.made, options.skeleton, options.exchange)
    return 0


def _said(
    here: "Project", own: "Own", made: "Delivered", skeleton: bool, exchange: str | None = None
) -> None:
    """Print what is there now, and how it is used."""
    card, place = made.card, here.relative(own.data.resolve())
    news = "; ".join(made.news) or "nothing new, left as it was"
    print(f"{place}: {len(card['assets'])} assets, {card['bars']:,} bars of "
          f"{card['bar_hours']:g} hours, {card['start']} to {card['end']} ({news})")  # fmt: skip
    print(f"card: {here.relative(own.card.resolve())}, sha256 {card['sha256']}")
    _table("findings", made.findings, SHOWN)
    _table(f"missing bars, all in {here.relative(own.gaps.resolve())}", made.gaps, SHOWN)
    _lines("would stop a run", made.notes)
    if skeleton:
        _skeleton(here, own, made, exchange)
    universe = (
        here.relative(own.universe.resolve()) if own.universe.exists() else "my_universe.yaml"
    )
    print(f"check it with\n  xcoll data check {place} --universe {universe}\nuse it with\n  "
          f"xcoll run --name {own.name} -p prices_file={place} -p universe_file={universe} "
          f"{' '.join(_lows(made))}")  # fmt: skip


def _skeleton(here: "Project", own: "Own", made: "Delivered", exchange: str | None) -> None:
    from xcoll.workbook.feeds import store
    from xcoll.workbook.feeds.skeleton import skeleton

    place = here.relative(own.universe.resolve())
    if own.universe.exists():
        print(f"{place} is there already and left as it is; remove it to have a new one")
        return
    traded = {"exchange": exchange} if exchange else None
    store.replace(own.universe, skeleton(made.prices, here.path("data/universe.yaml"), traded))
    print(f"{place}: a universe to begin with; what is assumed is marked, fill it in")


def _lows(made: "Delivered") -> list[str]:
    """Parameters that say where lows come from: the prices, or the bridge of the tail notebook."""
    from xcoll.workbook.feeds.skeleton import symbols

    named = symbols(made.prices.assets)
    moving = [named[asset] for asset in made.prices.assets
              if (made.prices.close[asset] - 1.0).abs().median() > 0.02]  # fmt: skip
    donor = "BTC" if "BTC" in moving else next(iter(moving), None)
    words = ["-p bars_file=null"]
    if made.prices.low is None:
        words.append("-p choice=bridge")
    return [*words, f"-p donor={donor}"] if donor not in (None, "BTC") else words


def _folder(here: "Project", into: Path | None) -> Path:
    folder = here.path("data/own") if into is None else into.resolve()
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"--into {into}: this is a file; give a folder")
    return folder


def _date(option: str, text: str | None) -> "pd.Timestamp | None":
    import pandas as pd

    if text is None:
        return None
    try:
        time = pd.Timestamp(text)
    except ValueError as error:
        raise ParameterError(
            f"{option} {text}: write a date as 2023-12-31 or 2023-12-31T08:00"
        ) from error
    return time if time.tz is None else time.tz_convert("UTC").tz_localize(None)


def _table(title: str, frame: "pd.DataFrame", most: int | None) -> None:
    if frame.empty:
        return
    shown = frame if most is None else frame.head(most)
    print(f"{title} ({len(frame):,})")
    rows = [shown.columns, *([*map(_cell, row)] for row in shown.itertuples(index=False))]
    columns([[f"  {row[0]}", *row[1:]] for row in rows])
    if len(shown) < len(frame):
        print(f"  and {len(frame) - len(shown):,} more")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value).removesuffix(" 00:00:00")


def _lines(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(title)
        print("\n".join(f"  {line}" for line in lines))
