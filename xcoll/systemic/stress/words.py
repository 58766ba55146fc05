"""The library as a table: every component of every scenario and severity in words, with source."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from xcoll.systemic.stress.components import Oracle, Shut, Window
from xcoll.systemic.stress.library import Library

__all__ = ["table", "words"]

COLUMNS = ["scenario", "severity", "component", "words", "source", "date", "assumed"]


def table(library: Library) -> pd.DataFrame:
    """One row a scenario, severity and component, in the order of the file.

    Returns
    -------
    DataFrame
        Columns scenario, severity, component, words, source, date and assumed; without a source
        (a scenario of the user's own) it is empty, the date is missing and assumed is True.
    """
    rows = []
    for scenario, severity in library.cases():
        parts = scenario.at(severity)
        for component in parts.given:
            found = parts.source(component)
            rows.append(
                {
                    "scenario": scenario.name,
                    "severity": severity,
                    "component": component,
                    "words": words(component, getattr(parts, component)),
                    "source": found.source if found else "",
                    "date": pd.Timestamp(found.date) if found else pd.NaT,
                    "assumed": found.assumed if found else True,
                }
            )
    made = pd.DataFrame(rows, columns=COLUMNS)
    return made.astype({"date": "datetime64[us]"})  # seconds, which dates have, no file keeps


def words(component: str, value: Any) -> str:
    """One component in words, such as ``USDC −12.3 %`` or ``depth × 0.3``."""
    return WORDS[component](value)


def _percent(change: float) -> str:
    return f"{100 * change:+.3g} %".replace("-", "−")


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"


def _list(table: Mapping[str, Any], word: Callable[[Any], str]) -> str:
    return ", ".join(f"{name} {word(value)}" for name, value in table.items())


def _by_asset(word: Callable[[Any], str], what: str) -> Callable[[Any], str]:
    """Words of one number, or of one by asset."""
    return lambda value: (
        f"{what}: {_list(value, word)}" if isinstance(value, Mapping) else f"{what} {word(value)}"
    )


def _times(number: float) -> str:
    return f"× {number:g}"


def _window(window: Window) -> str:
    held = f"; {', '.join(window.held)} held" if window.held else ""
    return f"prices from {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}{held}"


def _oracle(oracle: Oracle) -> str:
    parts = []
    if oracle.stuck:
        parts.append(f"{', '.join(oracle.assets) or 'all assets'} stuck for {oracle.stuck}")
    if oracle.show:
        shown = _list(oracle.show, lambda m: "at par" if m == "par" else _times(m))
        parts.append(shown + (f" for {oracle.lasting}" if oracle.lasting else ""))
    where = f" at {', '.join(oracle.venues)}" if oracle.venues else ""
    return f"oracle shows {'; '.join(parts)}{where}"


def _shut(shut: Shut) -> str:
    where = f" at {', '.join(shut.venues)}" if shut.venues else ""
    how_long = f" for {shut.lasting}" if shut.lasting else ""
    return f"{', '.join(shut.assets) or 'all assets'} neither seized nor sold{where}{how_long}"


WORDS: dict[str, Callable[[Any], str]] = {
    "window": _window,
    "scale": lambda value: f"log moves × {value:g}",
    "shock": lambda value: _list(value, _percent),
    "factor": lambda value: f"market {_percent(value)}, others by their beta",
    "sigmas": lambda value: f"{value:+g} daily σ each".replace("-", "−"),
    "basis": lambda value: f"against par: {_list(value, _percent)}",
    "over": lambda value: f"over {value}",
    "after": lambda value: f"then {value}",
    "recover": lambda value: f"{_share(value)} comes back",
    "depth": _by_asset(_times, "depth"),
    "gas": lambda value: f"gas {_times(value)}",
    "capital": lambda value: f"capital of keepers {_times(value)}",
    "attentive": lambda value: f"borrowers who answer {_times(value)}",
    "oracle": _oracle,
    "shut": _shut,
    "delay": _by_asset(lambda value: f"+ {value}", "delay"),
    "lost": lambda value: f"lost: {_list(value, _share)}",
    "default": lambda value: f"largest {_share(value)} of debt default",
}
