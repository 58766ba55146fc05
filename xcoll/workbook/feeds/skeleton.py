"""A universe to begin with: what the bundled one knows of an asset, and marked assumptions else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from xcoll.collateral import universe as universes
from xcoll.errors import DataError
from xcoll.market.prices import Prices
from xcoll.workbook import files

__all__ = ["QUOTES", "skeleton", "symbols"]

QUOTES = ("USD", "USDT", "USDC", "EUR", "BTC", "ETH")
AT_PEG = 0.02  # a stablecoin is guessed where nine closes in ten lie so near to 1
FILL = "assumed, fill in: "


def symbols(names: Sequence[str]) -> dict[str, str]:
    """Column of the prices → symbol: without its quote (BTC-USD is BTC) where that is no clash."""
    short = {name: _base(name) for name in names}
    return {
        name: base if list(short.values()).count(base) == 1 else name
        for name, base in short.items()
    }


def skeleton(prices: Prices, bundled: Path, traded: Mapping[str, Any] | None = None) -> str:
    """The text of a universe file for the assets of `prices`.

    Parameters
    ----------
    bundled : the universe whose facts are taken, by symbol, where it has the asset.
    traded : the exchange that the volumes are of ("exchange"), where they are known to be units;
        its median dollars a day are then the liquidity of assets that `bundled` has not.

    Raises
    ------
    DataError
        No asset whose closes stay at 1, so none that may be owed; or nothing but such assets.
    """
    known = files.read_yaml(bundled)
    date = prices.end.date()
    assets = {
        symbol: _known(known, symbol, column) or _assumed(prices, column, traded)
        for column, symbol in symbols(prices.assets).items()
    }
    if not any("peg" in asset for asset in assets.values()):
        raise DataError(
            "no asset stays at 1, so none that may be owed; import a stablecoin with the others, "
            "or write the universe yourself (data/universe.yaml is one)"
        )
    if all("peg" in asset for asset in assets.values()):
        raise DataError("every asset stays at 1: import collateral that moves with them")
    chains = {name: known["chains"][name] for name in known["chains"]
              if any(asset["chain"] == name for asset in assets.values())}  # fmt: skip
    if any(asset["chain"] == "unknown" for asset in assets.values()):
        chains["unknown"] = {"block": "12s", "finality": "1h", **_facts(date, "as a slow chain")}
    made = {
        "date": date,
        **{key: known[key] for key in ("quality", "intraday", "stress", "depegs")},
        "chains": chains,
        "assets": assets,
    }
    text = _head(made, prices) + yaml.dump(
        made, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100
    )
    universes.parse(yaml.safe_load(text), "skeleton")  # what is written can be read
    return text


class _Plain(yaml.SafeDumper):
    """Without anchors: every asset is written out."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _base(name: str) -> str:
    for mark in "-/_":
        base, found, quote = name.partition(mark)
        if found and base and quote.upper() in QUOTES:
            return base
    return name


def _known(known: Mapping[str, Any], symbol: str, column: str) -> dict[str, Any] | None:
    """The bundled facts, without what is said of the bundled price file."""
    asset = known["assets"].get(symbol)
    if asset is None or "underlying" in asset or "excluded" in asset:
        return None
    own = ("suspect", "listed_from", "delisted_after")
    return {k: v for k, v in asset.items() if k not in own} | {"column": column}


def _assumed(prices: Prices, column: str, traded: Mapping[str, Any] | None) -> dict[str, Any]:
    close = prices.close[column].dropna()
    date = prices.end.date()
    stable = bool(((close - 1.0).abs() < AT_PEG).mean() >= 0.9)
    return {
        "name": column,
        "kind": "stablecoin" if stable else "token",
        "chain": "unknown",
        "roles": ["collateral", "debt"] if stable else ["collateral"],
        "column": column,
        **({"peg": 1.0} if stable else {}),
        "liquidity": _liquidity(prices, column, traded),
        "oracle": {"feed": "unknown", "deviation": 0.01, "heartbeat": "24h",
                   **_facts(date, "a slow feed, 1 % and 24 h")},
        "contract": {"depth": 1, "upgradeable": True, "oracles": 0, "audits": 0,
                     "deployed": close.index[0].date(),
                     **_facts(date, "upgradeable, not audited, as old as the data")},
    }  # fmt: skip


def _liquidity(prices: Prices, column: str, traded: Mapping[str, Any] | None) -> dict[str, Any]:
    date = prices.end.normalize()
    if traded and prices.volume is not None:
        dollars = (prices.close[column] * prices.volume[column]).dropna()
        daily = dollars.resample("1D").sum()
        daily = daily[(daily > 0) & (daily.index > date - pd.Timedelta("365D"))]
        if len(daily):
            return {
                "venue": str(traded["exchange"]),
                "adv_usd": float(f"{daily.median():.3g}"),
                "adv_p5_usd": float(f"{daily.quantile(0.05):.3g}"),
                "source": f"Median (5th percentile) of close times volume a day, last year of the "
                f"fetched bars of {traded['exchange']}; in its quote currency, one venue: a floor",
                "date": date.date(),
            }
    return {"venue": "unknown", "adv_usd": 1_000_000.0, "adv_p5_usd": 250_000.0,
            **_facts(date.date(), "a thin market, a million dollars a day")}  # fmt: skip


def _facts(date: Any, what: str) -> dict[str, Any]:
    return {"assumed": True, "source": FILL + what, "date": date}


def _head(made: Mapping[str, Any], prices: Prices) -> str:
    assets = made["assets"]
    guessed = [symbol for symbol, asset in assets.items() if asset["chain"] == "unknown"]
    taken = [symbol for symbol in assets if symbol not in guessed]
    lines = [
        "# A universe to begin with, for the prices that were imported. Dollars and fractions."
    ]
    if taken:
        lines.append(f"# By name from data/universe.yaml, so make sure they are the same assets: "
                     f"{', '.join(taken)}.")  # fmt: skip
    if guessed:
        lines += [
            f"# Assumed throughout, to be filled in: {', '.join(guessed)}. Their kind, chain,",
            "# roles and peg are guesses too (a peg where nine closes in ten lie within 2 % of 1);",
            "# every block that says `assumed, fill in` waits for its fact, source and date.",
        ]
    return "\n".join([*lines, ""])
